#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Beside every kind of Docker, by the rules that each lays out (its own versions cannot all run here): the
# same packets meet the same verdicts, also while one takes the other's place, and `status` names what it
# sees. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

build_network()
{
	outside 198.51.100.{1..2}/32 2001:db8:51::1/128 && bridge ds-1 172.30.1.1/24 fd77:1::1/64 &&
		bridge ds-2 172.30.2.1/24 fd77:2::1/64 && bridge br-3 172.30.3.1/24 fd77:3::1/64 &&
		container c1 ds-1 172.30.1.11 fd77:1::11 && container c2 ds-1 172.30.1.12 fd77:1::12 &&
		container c3 br-3 172.30.3.11 fd77:3::11 &&
		container d1 ds-1 172.30.1.2 fd77:1::2 02:42:ac:1e:01:02
}
build_network || bail "cannot build the network"
start_peers
ask "serve outside tcp 80 443" "serve outside udp 53" "serve c1 tcp 80" "serve c2 tcp 80"
network_config <<'CONFIG'
{"networks": [
	{"name": "ds-1", "subnet": "172.30.1.0/24", "dockside_mac": "02:42:ac:1e:01:02"},
	{"name": "ds-2", "subnet": "172.30.2.0/24"}]}
CONFIG
firewall_config <<'CONFIG'
{"ipsets": {"good": ["198.51.100.1", "2001:db8:51::1"]},
"networks": {
	"ds-1": {"egress": [{"proto": "tcp", "ports": [80], "to": "ipset", "ipset": "good"},
			{"proto": "udp", "ports": [53], "to": "ip", "ip": "198.51.100.2"}, {"action": "drop"}],
		"nat": [{"match_dport": 3306, "to_ip": "198.51.100.1", "to_port": 80}]},
	"ds-2": {"egress": [{"action": "drop"}]}}}
CONFIG

matrix()
{
	probes "$1: the packets" <<-'PROBES'
		c1 tcp 198.51.100.1:80 = open outside
		c1 tcp [2001:db8:51::1]:80 = open outside
		c1 tcp 198.51.100.1:443 = reset
		c1 tcp [2001:db8:51::1]:443 = reset
		c1 udp 198.51.100.2:53 = open outside
		c1 udp 198.51.100.1:53 = silence
		c1 tcp 198.51.100.2:3306 = open outside 198.51.100.1:80
		c1 tcp 172.30.1.12:80 = silence
		c1 tcp [fd77:1::12]:80 = silence
		d1 tcp 172.30.1.12:80 = open c2
		d1 tcp 198.51.100.1:443 = open outside
		c3 tcp 198.51.100.1:443 = open outside
		c3 tcp [2001:db8:51::1]:443 = open outside
	PROBES
}

# doc/kernel.md, "Docker's own rules", has their layouts; "flush" is what an upgrade to another kind leaves.
iptables_docker() # TOOL4 TOOL6 28|classic
{
	local tool bridge
	for tool in "$1" "$2"; do
		$tool -P FORWARD DROP && $tool -N DOCKER-USER && $tool -N DOCKER || return
		if [[ $3 == 28 ]]; then
			$tool -N DOCKER-FORWARD && $tool -N DOCKER-CT && $tool -N DOCKER-BRIDGE &&
				$tool -A FORWARD -j DOCKER-FORWARD && $tool -A DOCKER-FORWARD -j DOCKER-CT &&
				$tool -A DOCKER-FORWARD -j DOCKER-BRIDGE || return
		else
			$tool -A DOCKER-USER -j RETURN || return
		fi
		$tool -I FORWARD -j DOCKER-USER || return
		for bridge in ds-1 ds-2 br-3; do
			if [[ $3 == 28 ]]; then
				$tool -A DOCKER-CT -o $bridge -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT &&
					$tool -A DOCKER-BRIDGE -o $bridge -j DOCKER &&
					$tool -A DOCKER-FORWARD -i $bridge -j ACCEPT || return
				continue
			fi
			$tool -A FORWARD -o $bridge -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT &&
				$tool -A FORWARD -o $bridge -j DOCKER &&
				$tool -A FORWARD -i $bridge ! -o $bridge -j ACCEPT &&
				$tool -A FORWARD -i $bridge -o $bridge -j ACCEPT || return
		done
	done
}

nftables_docker()
{
	local family
	for family in ip ip6; do
		nft -f - <<-RULES || return
			table $family docker-bridges {
				map filter-forward-in-jumps { type ifname : verdict; }
				chain filter-FORWARD {
					type filter hook forward priority filter; policy accept;
					ct state established,related counter accept
					iifname { "ds-1", "ds-2", "br-3" } counter accept
					oifname { "ds-1", "ds-2", "br-3" } counter drop
				}
				chain nat-PREROUTING { type nat hook prerouting priority dstnat; }
				chain nat-OUTPUT { type nat hook output priority -100; }
				chain nat-POSTROUTING { type nat hook postrouting priority srcnat; }
				chain raw-PREROUTING { type filter hook prerouting priority raw; }
			}
		RULES
	done
}

clear_docker() # TOOL…
{
	local tool
	for tool in "$@"; do
		# At once: between a flush and the deletion of its chain the daemon would heal it.
		printf '%s\n' '*filter' ':FORWARD ACCEPT' COMMIT | "$tool-restore" || return
	done
	nft -f - <<-'RULES'
		add table ip docker-bridges
		add table ip6 docker-bridges
		delete table ip docker-bridges
		delete table ip6 docker-bridges
	RULES
}

# An old installation that ran by iptables-legacy.
left_in_legacy()
{
	client status
	is "without an old installation: nothing is said" "$(grep -c 'iptables version' $t/out)" 0
	if ! iptables-legacy -N DOCKSIDE-DISPATCH || ! iptables-legacy -t nat -N DOCKSIDE-ds-1-NAT ||
		! iptables-legacy -I DOCKER-USER -j DOCKSIDE-DISPATCH; then
		bail "cannot lay out the iptables version"
	fi
	client status
	like "one in the legacy tables: status" "$status $out" \
		"^0 .*warning: the rules of the iptables version are in force .*DOCKSIDE-DISPATCH of filter, DOCKSIDE-ds-1-NAT of nat"
	client reload
	is "the daemon's log" "$(logged '^warning: the rules of the iptables version are in force' && echo yes)" yes
	before=$(iptables-legacy -S | grep -v DOCKSIDE)
	client status
	bash -c "$(grep -o '"iptables-legacy-save[^"]*"' $t/out | head -1 | tr -d '"')"
	client status
	is "what was said removes it" "$(grep -c 'iptables version' $t/out) $(iptables-legacy-save | grep -c DOCKSIDE)" "0 0"
	is "and nothing else" "$(iptables-legacy -S)" "$before"
}

shim_of() # KEY
{
	client status --json
	python3 -c 'import json, sys; print(json.load(sys.stdin)["shim"][sys.argv[1]])' "$1" <$t/out
}

# shellcheck disable=SC2317 # not unreachable
shim_is()
{
	[[ $(shim_of state) == "$1" ]]
}

# kind NAME RULES SHIM
kind()
{
	until_true 3 shim_is "$3"
	is "$1: status" "$(shim_of rules), $(shim_of state)" "$2, $3"
	matrix "$1"
}

start_listening
start_daemon
kind "no Docker" none absent
iptables_docker iptables-nft ip6tables-nft classic || bail "cannot lay out iptables-nft"
kind "iptables-nft, Docker 20 to 27" iptables-nft installed
clear_docker iptables-nft ip6tables-nft || result "upgrade" "cannot clear"
iptables_docker iptables-nft ip6tables-nft 28 || bail "cannot lay out Docker 28"
kind "iptables-nft, Docker 28" iptables-nft installed
clear_docker iptables-nft ip6tables-nft || result "upgrade" "cannot clear"
nftables_docker || bail "cannot lay out the nftables backend"
kind "Docker's nftables backend" nftables absent
before=$(nft list table ip docker-bridges | sed -E 's/packets [0-9]+ bytes [0-9]+//')
dsfw diff
nft delete table inet dockside
until_true 3 nft list table inet dockside >/dev/null 2>&1
matrix "after a repair beside it"
is "Docker's own tables are left alone" \
	"$(nft list table ip docker-bridges | sed -E 's/packets [0-9]+ bytes [0-9]+//')" "$before"
clear_docker iptables-nft ip6tables-nft || result "upgrade" "cannot clear"
if iptables-legacy -S >/dev/null 2>&1; then
	iptables_docker iptables-legacy ip6tables-legacy classic || bail "cannot lay out iptables-legacy"
	kind "iptables-legacy" iptables-legacy absent
	left_in_legacy
	clear_docker iptables-legacy ip6tables-legacy || result "upgrade" "cannot clear"
else
	echo "# this kernel has no iptables-legacy"
fi
kind "Docker is removed" none absent
end_daemon TERM
is "the daemon ends" "$status" 0
if iptables-legacy -N DOCKSIDE-DISPATCH 2>/dev/null; then
	dsfw apply
	like "apply says what the iptables version has left in the legacy tables" "$status $err" \
		"^0 .*warning: the rules of the iptables version are in force .*DOCKSIDE-DISPATCH of filter"
	iptables-legacy -X DOCKSIDE-DISPATCH
fi
stop_peers
finish
