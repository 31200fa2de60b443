#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Networks that others make, beside a real dockerd: the rules are where Docker has them, through a `compose down` and `up`
# that gives them another bridge, before a container has sent a packet. TAP.
#
# Environment: TRIES, how many times the network is made anew (20; by hand 500).
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"
: "${TRIES:=20}"

network_config <<'END'
{"networks": [{"name": "shop_default", "external": true}]}
END
firewall_config <<'END'
{"networks": {"shop_default": {"egress": [{"proto": "udp", "ports": [53]}, {"action": "drop"}], "host": [{"action": "drop"}]}}}
END
outside 198.51.100.1/32 || bail "cannot build the network"
nsenter --net=/run/netns/outside nft 'table ip tally {
	counter refused { }
	counter allowed { }
	chain input {
		type filter hook input priority 0;
		udp dport 9 counter name refused
		udp dport 53 counter name allowed
	}
}' || bail "no counters"

arrived() # refused|allowed
{
	nsenter --net=/run/netns/outside nft list counter ip tally "$1" | grep -o 'packets [0-9]*' | cut -d ' ' -f 2
}
export -f arrived

bridge_of() # NETWORK
{
	echo "br-$(docker network inspect -f '{{.Id}}' "$1" | cut -c 1-12)"
}

# dispatched BRIDGE: the chain, or nothing
dispatched()
{
	nft list map inet dockside dispatch 2>/dev/null | tr ',' '\n' | sed -nE "s/.*\"$1\" : goto ([^ ]+).*/\1/p"
}

is_at() # NETWORK BRIDGE CHAIN
{
	[[ $(of network_details "$1" state) == enforced && $(of network_details "$1" bridge) == "$2" &&
		$(dispatched "$2") == "$3" ]]
}

# sends [NETWORK]: its first process sends at once
sends()
{
	docker run --rm --network "${1:-shop_default}" first:1 /first 20 198.51.100.1 9 198.51.100.1 53 >/dev/null
}

"${CC:-cc}" -std=gnu17 -O2 -static -o $t/first "$lab/external_first.c" ||
	bail "cannot build external_first.c (Debian packages gcc, libc6-dev)"
mkdir $t/tree && cp $t/first $t/tree/first
dockerd_start
image_from $t/tree first:1 || bail "no image"
busybox_image || bail "no image"

# ---- it comes when we do ----------------------------------------------------------------------------

docker network create shop_default >/dev/null
sends
is "without rules all arrives" "$(($(arrived refused) > 0)) $(($(arrived allowed) > 0))" "1 1"
start_listening
start_daemon
first=$(bridge_of shop_default)
until_true 5 is_at shop_default "$first" shop_default-OUT
is "the rules are on Docker's bridge" "$(dispatched "$first")" shop_default-OUT
before=$(arrived refused) allowed=$(arrived allowed)
sends
is "what is refused does not arrive" "$(arrived refused)" "$before"
is "what is allowed does" "$(($(arrived allowed) > allowed))" 1
client denied
like "denied names the network" "$out" " shop_default .*198.51.100.1 +udp/9 "
client status
like "status names it" "$status $out" "^0 .*shop_default +enforced"

# ---- compose down, compose up -----------------------------------------------------------------------

docker network rm shop_default >/dev/null
until_true 5 logged 'external network shop_default was removed from Docker'
until_true 3 prints pending of network_details shop_default state
is "removed, it is nobody's fault" "$(of network_details shop_default state) $(of ready)" "pending True"
before=$(arrived refused)
allowed=$(arrived allowed)
python3 "$lab/external_tries.py" "$docker_dir/docker.sock" shop_default "$TRIES" 198.51.100.1 9 bash -c arrived\ refused >$t/tries 2>$t/tries.err ||
	bail "the tries failed: $(<$t/tries.err)"
for column in 2 3; do
	sort -n -k $column,$column $t/tries | awk -v column=$column '{ v[NR] = $column } END {
		print NR " tries: the rules came " v[1] " ms after the event at best, " v[int((NR + 1) / 2)] \
			" in the middle, " v[NR] " at worst" (column == 3 ? ", without the time that processes wait for a processor" : "") }' | comment
done
is "$TRIES times made anew" "$(wc -l <$t/tries)" "$TRIES"
is "each time on another bridge" "$(cut -d ' ' -f 1 $t/tries | sort -u | wc -l)" "$TRIES"
# The calm clock goes at half its speed on a machine that is half busy, and as the other one where nobody waits. A machine
# that is busy may make one try in five late; what a container opens then ends, which the next section is about.
is "the rules were there within 100 ms, and no packet came before them" "$(awk -v tries="$TRIES" '
	$2 == "never" || ($2 <= 100 && $4) || ($2 > 100 && $3 > 100 && $3 > 0.8 * $2) { print; next }
	$4 || ($2 > 100 && $3 > 200) { late[++n] = $0 }
	END { if (n > tries / 5) for (i in late) print late[i] }' $t/tries)" ""

is "and nobody said that it was not judged" "$(life | grep 'NOT JUDGED')" ""
until_true 5 prints pending of network_details shop_default state
is "nor does status in the end" "$(of network_details shop_default state) $(of ready)" "pending True"

# ---- a daemon that loses the race -------------------------------------------------------------------

nsenter --net=/run/netns/outside python3 -c 'import socket
peer = socket.create_server(("198.51.100.1", 80)).accept()[0]
while peer.recv(4096):
	pass' 2>/dev/null &
server=$!
kill -STOP "$daemon_pid"
docker network create shop_default >/dev/null
late=$(bridge_of shop_default)
docker run -d --name late --network shop_default bb:1 sh -c 'while :; do echo x; sleep 0.1; done | nc 198.51.100.1 80' >/dev/null
# shellcheck disable=SC2317 # until_true calls it
connected()
{
	ss -N outside -Htn state established 'sport = :80' | matches .
}
until_true 10 connected
is "before the rules a container gets out" "$(connected && echo connected)" connected
kill -CONT "$daemon_pid"
until_true 10 is_at shop_default "$late" shop_default-OUT
until_true 10 logged 'ended 1 connection that was opened without our rules'
is "when they are there its connection ends" "$(logged 'ended 1 connection that was opened without our rules' && echo ended)" ended
kill $server 2>/dev/null
docker rm -f late >/dev/null
docker network rm shop_default >/dev/null

# ---- at another place, and while we are not there ---------------------------------------------------

docker network create shop_default >/dev/null
second=$(bridge_of shop_default)
until_true 5 is_at shop_default "$second" shop_default-OUT
is "the shim follows" "$(iptables -S DOCKSIDE-DISPATCH | grep -o 'br-[0-9a-f]*' | sort -u)" "$second"
is "the old bridges are gone" "$(nft list map inet dockside dispatch | grep -o '"br-[0-9a-f]*"' | sort -u)" "\"$second\""
docker run -d --name c1 --network shop_default bb:1 >/dev/null
ports_known()
{
	[[ $(of network_details shop_default known_port_count) == 1 ]]
}
until_true 5 ports_known
is "its ports are bound" "$(of network_details shop_default known_port_count) $(nft list set bridge dockside ports | grep -c '"veth')" "1 1"
client explain --from shop_default --to 198.51.100.1 --proto udp --port 9
like "explain" "$status $out" "^4 udp from .* DROPPED"
client metrics
like "metrics" "$(<$t/out)" 'network_not_judged\{network="shop_default"\} 0'
dsfw diff
is "diff" "$status $out" "0 no differences"
dsfw compile
like "compile says which keys are missing" "$status $err" '^1 .*network shop_default is external.*"bridge" and "subnet"'

end_daemon KILL
nft flush ruleset
dockerd_stop
start_daemon
is "after a restart, without Docker, they are where it was last" "$(dispatched "$second")" shop_default-OUT
dockerd_start
until_true 15 is_at shop_default "$second" shop_default-OUT
end_daemon TERM
docker rm -f c1 >/dev/null
docker network rm shop_default >/dev/null
docker network create shop_default >/dev/null
third=$(bridge_of shop_default)
start_daemon
until_true 5 is_at shop_default "$third" shop_default-OUT
is "made anew while no daemon ran" "$(nft list map inet dockside dispatch | grep -o '"br-[0-9a-f]*"' | sort -u)" "\"$third\""
end_daemon TERM
RESET=1 dsfw apply
is "RESET=1 leaves it alone" "$status $(bridge_of shop_default)" "0 $third"
dsfw apply
like "apply by hand" "$status $out" "^0 nothing to change"
rm -rf "$STATE_DIRECTORY"
dsfw teardown
dsfw apply
is "apply asks Docker" "$status $(dispatched "$third")" "0 shop_default-OUT"

# ---- what is given has to agree ---------------------------------------------------------------------

network_config <<'END'
{"networks": [{"name": "shop_default", "external": true, "subnet": "172.31.77.0/24"}, {"name": "bridge", "external": true},
	{"name": "web", "bridge": "br-Web", "subnet": "172.30.9.0/24"}]}
END
firewall_config <<'END'
{"networks": {"shop_default": {"egress": [{"action": "drop"}]}, "bridge": {"egress": [{"action": "drop"}]},
	"web": {"egress": [{"action": "drop"}]}}}
END
start_daemon
until_true 5 prints enforced of network_details bridge state
is "docker0" "$(of network_details bridge state) $(of network_details bridge bridge) $(dispatched docker0)" "enforced docker0 bridge-OUT"
until_true 5 prints enforced of network_details web state
is "ours, on a bridge of another name" "$(of network_details web state) $(dispatched br-Web) $(ip -br link show br-Web | cut -d ' ' -f 1)" "enforced web-OUT br-Web"
# Before any rule of ours: what they have sent.
nft 'table ip sent {
	counter docker0 { }
	counter br-Web { }
	chain prerouting {
		type filter hook prerouting priority -400
		iifname docker0 udp dport 9 counter name docker0
		iifname br-Web udp dport 9 counter name br-Web
	}
}' || bail "no counters"
sent() # BRIDGE
{
	nft list counter ip sent "$1" | grep -o 'packets [0-9]*' | cut -d ' ' -f 2
}
before=$(arrived refused)
sends bridge
sends web
is "both send" "$(($(sent docker0) >= 20)) $(($(sent br-Web) >= 20))" "1 1"
is "neither lets anything pass" "$(arrived refused)" "$before"
nft delete table ip sent
client status
like "another subnet than Docker's" "$status $out" "^1 .*network shop_default: its subnet is 172\.[0-9.]+/16 in Docker, 172.31.77.0/24 in the configuration: its packets are NOT JUDGED; to mend it: correct that key"
end_daemon TERM
is "a good end" "$status" 0
finish
