#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# explain tells what the kernel does: random policies, random packets, every verdict and every rule's
# counter compared; see explain.py. $EXPLAIN_PACKETS packets (10000), $EXPLAIN_SEED. And the command. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

per_policy=250
policies=$(((${EXPLAIN_PACKETS:-10000} + per_policy - 1) / per_policy))
seed=${EXPLAIN_SEED:-$RANDOM}

# port BRIDGE NAME [MAC]: interface NAME-BRIDGE, from which frames get to the bridge and back
port()
{
	ip link add "$2-$1" ${3:+address "$3"} type veth peer name "p$2-$1" &&
		ip link set "$2-$1" addrgenmode none && ip link set "p$2-$1" addrgenmode none &&
		ip link set "p$2-$1" master "$1" && ip link set "p$2-$1" up && ip link set "$2-$1" up
}

sink=02:5a:00:00:00:01
build_network()
{
	local n i=0
	ip link add up0 type veth peer name up1 && ip link set up0 up && ip link set up1 up && ip addr add 192.0.2.1/24 dev up0 &&
		ip addr add 2001:db8:ffff::1/64 dev up0 nodad && ip route add default dev up0 &&
		ip -6 route add default dev up0 || return
	for n in ds-a ds-b ds-c ds-free; do
		i=$((i + 1))
		[[ $n != ds-free ]] || i=9
		bridge $n 10.$i.0.1/24 "fd0$i::1/64" && port $n x && port $n k $sink &&
			command bridge fdb replace $sink dev pk-$n master static &&
			ip neigh add 10.$i.0.7 lladdr $sink dev $n nud permanent &&
			ip neigh add "fd0$i::7" lladdr $sink dev $n nud permanent || return
	done
}

# The hooks of this table report the packets that have passed us and drop them, so that no connection is ever known.
watch_packets()
{
	nft 'table inet watch {
		chain forward {
			type filter hook forward priority filter;
			iifname "ds-*" log prefix "fwd" group 7
			iifname "ds-*" drop
		}
		chain input {
			type filter hook input priority filter;
			iifname "ds-*" log prefix "in" group 7
			iifname "ds-*" drop
		}
		chain output {
			type filter hook output priority filter;
			tcp flags & rst == rst log prefix "rst" group 7
			oifname "ds-*" drop
		}
	}'
}

build_network || bail "cannot build the network"
watch_packets || bail "cannot watch it"
names=("203.0.113.1 one.example" "2001:db8:1::1 one.example" "203.0.113.2 two.example"
	"198.51.100.2 two.example" "203.0.113.1 two.example" "198.51.100.5 four.example"
	"2001:db8:1::5 six.example")
hosts "${names[@]}" "203.0.113.3 live.example"
network_config <<<'{"networks": [{"name": "ds-a", "subnet": "10.1.0.0/24", "subnet6": "fd01::/64"},
	{"name": "ds-free", "subnet": "10.9.0.0/24"}]}'
firewall_config <<'CONFIG'
{"ipsets": {"web": ["one.example", "live.example", "198.51.100.0/24"]}, "networks": {"ds-a": {
	"egress": [{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"},
		{"action": "drop", "comment": "no more"}],
	"host": [{"action": "drop", "proto": "udp"}]}}}
CONFIG
start_listening
start_daemon

# ---- the command ---------------------------------------------------------------------------------

# explained DESCRIPTION STATUS PATTERN [OPTION…]: of a packet from ds-a, by the daemon and by the files
explained()
{
	local description=$1 wanted=$2 pattern=$3
	shift 3
	client explain --from ds-a "$@"
	like "$description" "$status $out$err" "^$wanted .*$pattern"
	dsfw explain --offline --from ds-a "$@"
	like "$description, offline" "$status $out$err" "^$wanted .*$pattern"
}
explained "a rule that refuses" 4 'REFUSED.*"no more".*egress\[1\] at .*firewall.json:3:3' \
	--to 192.0.2.9 --proto tcp --port 443
explained "a name is each of its addresses" 0 \
	'203\.0\.113\.1 port 443.*let pass.*is in ipset-web-v4 \(ipset web\): one.example.*2001:db8:1::1 port 443.*let pass' \
	--to one.example --proto tcp --port 443
explained "another container" 4 'ds-a-ING.*DROPPED|DROPPED.*ds-a-ING' --to 10.1.0.9 --proto udp --port 9
explained "the host" 4 'DROPPED.*ds-a-HOST' --to host --proto udp --port 9
explained "no such network" 1 'no network "nosuch"' --from nosuch --to host --proto 47
# shellcheck disable=SC2119
hosts # in which no name is found
dsfw explain --offline --from nosuch --to host --proto 47
hosts "${names[@]}"
is "which is told before DNS is asked" "$(grep -E '^(error|warning): ' <<<"$err")" 'error: explain: no network "nosuch" is configured'
explained "a packet without a port" 2 'need a port' --to host --proto udp
client explain --from ds-a --to 192.0.2.1 --proto udp --port 9
like "the daemon knows the host's other addresses" "$status $out" '^4 .*ds-a-HOST'
client explain --from ds-a --to two.example --proto udp --port 9
like "the daemon asks no DNS" "$status $out$err" '^1 .*no rule has an address of that name'
dsfw explain --offline --from ds-a --to two.example --proto udp --port 9
like "offline, DNS is asked" "$status $out" '^4 .*203.0.113.1.*203.0.113.2'
dsfw explain --offline --no-resolve --from ds-a --to one.example --proto tcp --port 443
like "unless it is not to be" "$status $out$err" '^1 .*no rule has an address'
client explain --from ds-free --to 192.0.2.9 --proto 47
like "an unmanaged network" "$status $out" '^0 protocol 47 from .*let pass.*not managed'
client explain --from ds-a --to 203.0.113.1 --proto tcp --port 443 --json
is "as JSON" "$(python3 -c 'import json, sys; a = json.load(sys.stdin)
print(a["status"], a["network"], [(e["verdict"], e["to"]) for e in a["explanations"]])' <$t/out)" \
	"ok ds-a [('pass', 'elsewhere')]"
# An address that the kernel's set has lost with its name.
hosts "${names[@]}" "203.0.113.6 live.example"
client refresh
client explain --from ds-a --to live.example --proto tcp --port 443
like "the addresses are the live ones" "$status $out" '^0 .*203\.0\.113\.6.*let pass'

# ---- the kernel ----------------------------------------------------------------------------------

result "explain says what the kernel does (seed $seed)" \
	"$(python3 "$here/explain.py" $socket $policies $per_policy "$seed" 2>$t/summary || cat $t/summary)"
comment <$t/summary
# Its ports are attached containers. The last random policy lets the packet pass or not: exit status 0 or 4.
client remove-network ds-a
client explain --from ds-a --to host --proto 47
like "a network that drains" "$status $(tail -n 1 <<<"$out")" '^[04] .*the network is draining: it is no longer configured.*stays in force'
end_daemon TERM
is "the daemon ends" "$status" 0
finish
