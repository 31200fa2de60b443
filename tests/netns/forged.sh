#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A container that forges packets, with raw sockets, gets none of them where the policy forbids: sources and ICMP
# errors of others, packets of which conntrack keeps no record, the host's loopback. Packets that hosts need pass.
# TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

# a, b and d (dockside) are on ds-a; u and dockside's second interface on ds-b; m is on ds-c, which is not managed.
second_interface()
{
	ip link add v-d2 type veth peer name eth1 address 02:00:00:00:02:02 netns d &&
		ip link set v-d2 master ds-b up && ip -n d link set eth1 up &&
		ip -n d addr add 172.30.2.2/24 dev eth1 && ip -n d addr add fd77:2::2/64 dev eth1 nodad
}

build_network()
{
	local name number=1
	outside 198.51.100.53/32 203.0.113.66/32 2001:db8:51::53/128 2001:db8:113::66/128 || return
	for name in ds-a ds-b ds-c; do
		bridge $name 172.30.$number.1/24 fd77:$number::1/64 || return
		number=$((number + 1))
	done
	container a ds-a 172.30.1.11 fd77:1::11 && container b ds-a 172.30.1.12 fd77:1::12 &&
		container d ds-a 172.30.1.2 fd77:1::2 02:00:00:00:01:02 &&
		container u ds-b 172.30.2.11 fd77:2::11 && container m ds-c 172.30.3.11 fd77:3::11 &&
		second_interface || return
	# The host quotes and answers as often as it is made to.
	echo 0 >/proc/sys/net/ipv4/icmp_ratelimit
	echo 0 >/proc/sys/net/ipv6/icmp/ratelimit
	echo 100000 >/proc/sys/net/ipv4/icmp_msgs_per_sec
	echo 100000 >/proc/sys/net/ipv4/icmp_msgs_burst
	# As Docker does it: ports that are published, and addresses that are hidden.
	nft 'table inet docker {
		chain prerouting {
			type nat hook prerouting priority dstnat;
			fib daddr type local tcp dport 443 dnat ip to 172.30.1.2:443
			fib daddr type local tcp dport 443 dnat ip6 to [fd77:1::2]:443
			fib daddr type local tcp dport 8443 dnat ip to 172.30.2.2:443
			fib daddr type local tcp dport 8443 dnat ip6 to [fd77:2::2]:443
		}
		chain postrouting {
			type nat hook postrouting priority srcnat;
			oifname "up0" ip saddr 172.30.0.0/16 masquerade
		}
	}'
}
build_network || bail "cannot build the network"

# Table inet dockside alone has to do without knowing whose a port is; what is bound to its container is bind.sh's.
bind=off
networks() # KEYS-OF-DS-A KEYS-OF-DS-B
{
	network_config <<-END
		{"networks": [
			{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "bind": "$bind" $1},
			{"name": "ds-b", "subnet": "172.30.2.0/24", "subnet6": "fd77:2::/64", "bind": "$bind" $2},
			{"name": "ds-c", "subnet": "172.30.3.0/24", "subnet6": "fd77:3::/64"}
		]}
	END
}
addresses_a=', "dockside_ip": "172.30.1.2", "dockside_ip6": "fd77:1::2"'
addresses_b=', "dockside_ip": "172.30.2.2", "dockside_ip6": "fd77:2::2"'
networks "$addresses_a" "$addresses_b"
policy <<'END'
{"networks": {
	"ds-a": {
		"egress": [
			{"proto": "udp", "ports": [53], "to": "ip", "ip": "198.51.100.53"},
			{"proto": "udp", "ports": [53], "to": "ip", "ip": "2001:db8:51::53"},
			{"action": "drop"}
		],
		"host": [
			{"proto": "udp", "ports": [5353]},
			{"proto": "tcp", "ports": [8080]},
			{"proto": "icmp"},
			{"action": "drop"}
		]
	},
	"ds-b": {"egress": [
		{"proto": "tcp", "ports": [443], "to": "ip", "ip": "172.30.1.2"},
		{"proto": "tcp", "ports": [443], "to": "ip", "ip": "fd77:1::2"},
		{"action": "drop"}
	]}
}}
END

forge() # DESCRIPTION SCENARIO
{
	result "$1" "$(timeout 60 python3 "$here/forge.py" "$2" 2>&1)"
}
# denied_by_source NETWORK: packets that its chain SRC has dropped
denied_by_source()
{
	nft list chain inet dockside "$1-SRC" 2>&1 |
		awk '/ drop comment / { for (i = 1; i < NF; i++) if ($i == "packets") sum += $(i + 1) } END { print sum + 0 }'
}

forge "ICMP errors about other people's connections" errors
forge "sources of others" forged
forge "the host's own addresses as a source" gateway
like "are counted" "$(denied_by_source ds-a) $(denied_by_source ds-b)" '^[1-9][0-9]+ [1-9][0-9]+$'
echo 1 >/proc/sys/net/ipv4/ipfrag_time
echo 1 >/proc/sys/net/netfilter/nf_conntrack_frag6_timeout
forge "answers that come before the rules" early
forge "errors about the host's own flows, router advertisements to it" host_flows
forge "host rules against what is part of no connection, and DHCP" host_rules
forge "untracked ICMPv6" untracked

nft 'table inet admin {
	chain prerouting { type filter hook prerouting priority raw; udp dport 53 notrack; udp sport 53 notrack; }
}'
forge "an administrator's notrack opens nothing" notrack
nft delete table inet admin

echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
forge "the host's loopback" loopback
forge "frames that enter by the bridge's port" reserved_macs
echo 0 >/proc/sys/net/ipv4/conf/all/route_localnet

# ---- what has to go on ---------------------------------------------------------------------------

{
	ip route add 10.99.9.0/24 via 172.30.1.12 dev ds-a && ip -6 route add fd99:9::/64 via fd77:1::12 dev ds-a &&
		ip addr add 10.99.8.1/24 dev ds-a && ip addr add fd99:8::1/64 dev ds-a nodad
} || bail "cannot add subnets"
forge "addresses of the bridge" bridge_addresses
forge "errors to containers, more subnets on a bridge, hairpin, fragments" inward

for rp_filter in 0 2; do
	echo $rp_filter >/proc/sys/net/ipv4/conf/ds-a/rp_filter
	bind=off
	networks "$addresses_a" "$addresses_b"
	dsfw apply
	forge "dockside answers by another bridge, by address, rp_filter $rp_filter" dockside
	for bind in off learn; do
		networks "$addresses_a, \"dockside_mac\": \"02:00:00:00:01:02\"" \
			"$addresses_b, \"dockside_mac\": \"02:00:00:00:02:02\""
		dsfw apply
		forge "dockside answers by another bridge, by address and MAC, rp_filter $rp_filter, bind $bind" dockside
	done
done
# what follows, in "learn"
echo 0 >/proc/sys/net/ipv4/conf/ds-a/rp_filter

# without neighbours in the caches, and looking for duplicates
for host in a b u; do
	ip -n $host neigh flush all
done
for host in ds-a ds-b; do
	ip neigh flush dev $host
done
start_peers
ask "serve host udp 5353"
probes "neighbours find each other" <<-'END'
	a udp 172.30.1.1:5353 = open host
	a udp [fd77:1::1]:5353 = open host
	d icmp 172.30.1.12 = silence
	a icmp 172.30.1.1 = open
	a icmp fd77:1::1 = open
END
neighbour() # FAMILY ADDRESS
{
	ip -n d "-$1" neigh show "$2" dev eth0 | grep -c lladdr
}
is "also containers" "$(neighbour 4 172.30.1.12)" 1
stop_peers

nsenter --net=/run/netns/a sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_dad'
ip -n a addr add fd77:1::12/64 dev eth0 # b has it
ip -n a addr add fd77:1::78/64 dev eth0
# shellcheck disable=SC2317 # until_true calls it
no_longer_tentative()
{
	[[ $(ip -n a -6 addr show dev eth0 tentative | grep -v dadfailed | grep -c 'fd77:1::\(12\|78\)/') -eq 0 ]]
}
until_true 8 no_longer_tentative || bail "no end of duplicate address detection"
is "duplicate address detection" "$(ip -n a -6 addr show dev eth0 dadfailed | grep -o 'fd77:1::[0-9]*')" fd77:1::12
ip -n a addr del fd77:1::12/64 dev eth0

# ---- marks ---------------------------------------------------------------------------------------

nft 'table inet marks {
	chain first { type filter hook prerouting priority raw - 10; meta mark set 0x20; }
	chain own { type filter hook output priority raw - 10; meta mark set 0x20; }
	chain last {
		type filter hook postrouting priority srcnat + 50;
		meta mark != 0x20 counter comment "changed"
		iifname "ds-a" ct state new counter comment "new"
		iifname "ds-a" ct state established counter comment "established"
		iifname "ds-c" ct state new counter comment "unmanaged new"
		iifname "ds-c" ct state established counter comment "unmanaged established"
		iifname "up0" ct state established counter comment "answers"
	}
}'
start_peers
ask "serve outside udp 53"
ask "hold one a udp 198.51.100.53:53" "hold two a udp [2001:db8:51::53]:53" \
	"hold three m udp 198.51.100.53:53" >/dev/null
is "flows are open" "$(ask "alive one" "alive two" "alive three" | paste -sd' ')" "alive alive alive"
stop_peers
is "a mark leaves as it came" "$(nft list chain inet marks last |
	sed -nE 's/.*packets ([0-9]+) .*comment "(.*)"/\2 \1/; s/ [1-9][0-9]*$/ some/; s/^[a-z ]+ (0|some)$/&/p' | paste -sd,)" \
	"changed 0,new some,established some,unmanaged new some,unmanaged established some,answers some"
nft delete table inet marks

# ---- told ----------------------------------------------------------------------------------------

bind=off
networks "$addresses_a" "$addresses_b"
start_listening
start_daemon
forge "with the daemon" refused
# shellcheck disable=SC2317 # until_true calls it
two_told()
{
	timeout 20 "$DSFW_NFT" denied --socket "$socket" --json >"$t/events" 2>&1 &&
		[[ $(python3 "$here/denied.py" judge "$t/events" network=ds-a kind=SRC) -ge 2 ]]
}
until_true 5 two_told
is "denied shows them" "$(python3 "$here/denied.py" judge $t/events network=ds-a kind=SRC source=203.0.113.66 rule=-) $(
	python3 "$here/denied.py" judge $t/events network=ds-a kind=SRC source=2001:db8:113::66 rule=-)" "1 1"
end_daemon TERM
finish
