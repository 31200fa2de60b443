#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Beside a real dockerd: a managed network whose packets pass beside its rules, in every way that we know, is
# NOT JUDGED wherever somebody reads of it; and what mends it, mends it. TAP.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

network_config <<'END'
{"networks": [
	{"name": "ds-a", "subnet": "172.30.1.0/24"}, {"name": "ds-b", "subnet": "172.30.2.0/24"},
	{"name": "plain", "subnet": "172.30.3.0/24"}]}
END
firewall_config <<'END'
{"networks": {"ds-a": {"egress": [{"action": "drop"}]}, "ds-b": {"egress": [{"action": "drop"}]}}}
END
outside 198.51.100.1/32 || bail "cannot build the network"

state_is() # NETWORK STATE
{
	[[ $(of network_details "$1" state) == "$2" ]]
}

metric() # LINE: without its prefix
{
	client metrics && grep -qxF "dsfw_nft_$1" $t/out
}

# judged_again DESCRIPTION: nothing is amiss
judged_again()
{
	until_true 3 state_is ds-a enforced
	client status
	is "$1: all is judged" "$status $(grep -c 'NOT JUDGED' $t/out) $(grep -c '^ALARM' $t/out)" "0 0 0"
}

client_status()
{
	client status
	echo "$status $out"
}

shows() # STATE
{
	prints "ds-a +$1 " "$DSFW_NFT" status --socket "$socket"
}

# Calm milliseconds until ds-a has the state, at most 3 s; what made it so has just happened.
ms_until()
{
	local from
	from=$(calm)
	until_true 3 shows "$1" || { echo 99999; return; }
	calm_since "$from"
}

# told_everywhere DESCRIPTION REASON: of ds-a alone
told_everywhere()
{
	local ms
	ms=$(ms_until "NOT JUDGED")
	echo "# $1: $ms ms"
	is "$1: within a second" "$((ms <= 1000))" 1
	client status
	like "$1: status" "$status $out" "^1 NOT READY: .*ALARM: network ds-a: $2: its packets are NOT JUDGED; to mend it: .*ds-a +NOT JUDGED .*ds-b +enforced"
	like "$1: as JSON" "$(of not_judged) $(of ready) $(of network_details ds-a reason)" "^\['ds-a'\] False $2"
	result "$1: metrics" "$(
		for line in "ready 0" "alarms 1" 'networks{state="not judged"} 1' 'networks{state="enforced"} 1' \
			'network_not_judged{network="ds-a"} 1' 'network_not_judged{network="ds-b"} 0'; do
			metric "$line" || echo "not: $line"
		done)"
	client reload
	like "$1: reload" "$status $err" "^1 .*network ds-a: $2.*reloaded, but the packets of 1 network are NOT JUDGED"
	client set-ipset --replace web 192.0.2.77
	like "$1: an edit" "$status $out" "^1 enforced and saved.*NOT JUDGED .*ds-a"
	dsfw diff
	like "$1: diff" "$status $out" "^1 .*network ds-a: $2.*NOT JUDGED"
	client explain --from ds-a --to 203.0.113.1 --proto tcp --port 22
	like "$1: explain" "$status $out" "^1 tcp from [^:]*: NOT JUDGED.*network ds-a: $2"
	client explain --from ds-b --to 203.0.113.1 --proto tcp --port 22
	like "$1: explain, of the other" "$out" "REFUSED"
	is "$1: systemd" "$([[ $(tail -1 $told) == *"STATUS=enforcing 1 network, "*"; NOT JUDGED: ds-a"* ]] || tail -1 $told)" ""
	like "$1: the log" "$(life | grep 'NOT JUDGED; ' | tail -1)" "^error: network ds-a: $2"
	is "$1: the log, once" "$(life | grep 'NOT JUDGED; ' | uniq -d)" ""
}

dockerd_start
busybox_image || bail "no image"
start_listening
start_daemon
until_true 5 state_is ds-a enforced
judged_again "as we have made it"
docker network rm plain >/dev/null
docker network create plain >/dev/null
sleep 0.5
judged_again "an unmanaged one on any bridge"

# ---- another bridge, another driver ----------------------------------------------------------------

# Compose does this after `docker network prune`.
docker network rm ds-a >/dev/null
is "removed, it waits" "$(ms=$(ms_until pending); echo $((ms <= 1000)))" 1
client status
is "which is nobody's fault" "$status $(of ready)" "0 True"
docker network create --subnet 172.30.1.0/24 --label com.docker.compose.network=ds-a ds-a >/dev/null
told_everywhere "made anew by Compose" "its bridge is br-[0-9a-f]{12} in Docker, ds-a in the configuration"
docker network rm ds-a >/dev/null
client reload
is "what was said mends it" "$status" 0
judged_again "then"

for driver in macvlan ipvlan; do
	docker network rm ds-a >/dev/null
	docker network create -d $driver -o parent=up0 --subnet 172.30.1.0/24 ds-a >/dev/null || {
		echo "# no $driver here"
		continue
	}
	told_everywhere "$driver" "its driver is $driver in Docker, bridge in the configuration"
	docker network rm ds-a >/dev/null
	client reload
	judged_again "after $driver"
done

# ---- a network on top of its bridge ------------------------------------------------------------------

docker network create -d macvlan -o parent=ds-a --subnet 172.30.9.0/24 top >/dev/null || bail "no macvlan here"
told_everywhere "macvlan on top" "Docker's macvlan network top is on top of its bridge ds-a, and takes packets off it before any rule"
docker network rm top >/dev/null
judged_again "without that"

# ---- two of a name -----------------------------------------------------------------------------------

# Docker 20.10 takes that, 26.1 refuses it.
if ! docker_since 25; then
	engine POST /networks/create '{"Name": "ds-a", "Driver": "bridge"}' >/dev/null
	told_everywhere "two of that name" "its bridge is br-[0-9a-f]{12} in Docker, ds-a in the configuration"
	client status
	second=$(grep -o '"docker network rm [0-9a-f]*"' $t/out | tr -d '"' | head -1)
	$second >/dev/null
	judged_again "after what was said"
fi

# ---- what others do to the bridge --------------------------------------------------------------------

docker run -d --name c1 --network ds-a bb:1 /bin/busybox sleep 1000 >/dev/null || bail "no container"
until_true 3 prints 1 of network_details ds-a containers
rename_link() # FROM TO
{
	ip link set "$1" down && ip link set "$1" name "$2" && ip link set "$2" up
}
rename_link ds-a foo
told_everywhere "renamed" "its gateway's address is on bridge foo, and the rules are for ds-a"
ip link add ds-a type bridge
sleep 0.5
client status
like "renamed, and another in its place" "$status $out" "^1 .*on bridge foo, and the rules are for ds-a"
ip link del ds-a
rename_link foo ds-a
judged_again "renamed back"

if ip link add vrf0 type vrf table 77 2>/dev/null; then
	ip link set ds-a master vrf0
	told_everywhere "part of a VRF" "its bridge ds-a is part of vrf0"
	ip link set ds-a nomaster
	judged_again "taken out of it"
	ip link del vrf0
else
	echo "# no VRF here"
fi

ip link del ds-a
told_everywhere "removed" "1 container is attached, and the kernel has no interface ds-a, which is its bridge in Docker"
ip link add ds-a type veth peer name other
until_true 3 prints "is not a bridge" client_status
like "no bridge" "$(client_status)" "^1 .*interface ds-a is not a bridge.*ds-a +NOT JUDGED"
ip link del ds-a
dockerd_restart TERM
docker restart -t 0 c1 >/dev/null
judged_again "made again by Docker"

# ---- a second leg ------------------------------------------------------------------------------------

legs()
{
	client status
	grep -c '^warning: network ds-a: its container c1 is on network ' $t/out
}

docker network connect bridge c1
until_true 2 prints '^1$' legs
like "a leg in the default network" "$(client_status)" \
	"^0 ready.*warning: network ds-a: its container c1 is on network bridge, too, where its packets are not judged: \"docker network disconnect bridge c1\""
is "in the log" "$(life | grep -c '^warning: network ds-a: its container c1 is on network bridge')" 1
docker network connect ds-b c1
docker network connect plain c1
until_true 2 prints '^2$' legs
is "another one, and one that is judged" "$(legs)" 2
docker network disconnect bridge c1
docker network disconnect plain c1
until_true 2 prints '^0$' legs
is "until it has left them" "$(legs)" 0
dsfw diff
like "nothing else is amiss" "$status $out" "^0 no differences"

# ---- DNS by a resolver on the host's loopback ---------------------------------------------------------

# Answers any question for an address with 192.0.2.99, and writes down who has asked what.
cat >$t/answer.py <<'END'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.53", 53))
while True:
    data, peer = s.recvfrom(2000)
    print(data[13:40], flush=True)
    s.sendto(data[:2] + b"\x81\x80" + data[4:6] + data[4:6] + bytes(4) + data[12:].split(b"\0", 1)[0] +
             b"\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x63", peer)
END
python3 $t/answer.py >$t/asked 2>&1 &
leak()
{
	client status
	grep -c '^ALARM: ds-a, ds-b: containers can send any name to the outside.*127.0.0.53' $t/out
}
is "no resolver on the loopback: no alarm" "$(leak)" 0
echo "nameserver 127.0.0.53" >$t/resolv.conf
dockerd_restart TERM
docker restart -t 0 c1 >/dev/null
docker exec c1 nslookup secret.example >/dev/null 2>&1
is "one there is asked in the container's place, past the rules" "$(grep -c secret $t/asked | sed 's/[1-9].*/yes/')" yes
until_true 5 prints '^1$' leak
is "which is an alarm" "$(leak)" 1
is "in the metrics" "$(metric "alarms 1" && echo yes)" yes
is "and in the log" "$(life | grep -c '^error: ds-a, ds-b: containers can send any name')" 1
dsfw diff
like "apply and diff say so" "$status $err" "warning: ds-a, ds-b: containers can send any name"
: >$t/resolv.conf
client reload
is "until there is none" "$(leak)" 0
# refused_out: packets that ds-a's rules have refused
refused_out()
{
	nft list chain inet dockside ds-a-OUT | sed -nE 's/.*counter packets ([0-9]+) .*goto refuse.*/\1/p'
}
# Without any resolver Docker has its default ones, which it asks from within the container's network.
dockerd_restart TERM
docker restart -t 0 c1 >/dev/null
before=$(refused_out)
timeout 10 docker exec c1 nslookup nobody.example >/dev/null 2>&1
is "an empty resolv.conf: nobody is asked on the host's loopback" "$(grep -c nobody $t/asked)" 0
like "but others, by whom the rules stand" "$(($(refused_out) - before))" '^[1-9]'
is "which is no alarm" "$(leak)" 0

# ---- when Docker is gone -------------------------------------------------------------------------------

docker rm -f c1 >/dev/null
docker network rm ds-a >/dev/null
docker network create --subnet 172.30.1.0/24 ds-a >/dev/null
until_true 3 state_is ds-a "not judged"
dockerd_stop
until_true 3 prints absent of docker state
client status
like "Docker's last word counts" "$status $out" "^1 .*ds-a +NOT JUDGED"
end_daemon TERM
dockerd_start

# ---- apply ---------------------------------------------------------------------------------------------

dsfw apply
like "apply" "$status $err" "^1 .*network ds-a: its bridge is br-.*NOT JUDGED"
network_config <<<'{"networks": [{"name": "bridge", "subnet": "172.17.0.0/16"}]}'
firewall_config <<<'{"networks": {"bridge": {"egress": [{"action": "drop"}]}}}'
dsfw apply
like "the default network" "$status $err" "^1 .*network bridge: its bridge is docker0 in Docker, bridge in the configuration.*NOT JUDGED; to mend it: .external.: true in network-config lets the rules go by docker0, as Docker's own network cannot be made anew"
dsfw diff
like "to diff as well" "$status $out" "^1 .*NOT JUDGED"

finish
