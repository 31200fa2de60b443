#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The ports of a bridge and who is on them: the kernel's word of what is at the other end of each, and what a container can
# do about it. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

ports_probe=${TOP_BUILDDIR:-$here/../..}/tests/netns/ports_probe
[[ -x $ports_probe ]] || bail "no program at $ports_probe: make check TESTS="

# plug PORT BRIDGE NAMESPACE MAC [HOST]: a veth whose other end is in that namespace, and is not up yet
plug()
{
	ip ${5:+-n "$5"} link add "$1" type veth peer name eth0 address "$4" netns "$3" &&
		ip ${5:+-n "$5"} link set "$1" master "$2" && ip ${5:+-n "$5"} link set "$1" up
}

set_up()
{
	bridge br0 172.20.0.1/24 fd00::1/64 && bridge br1 172.20.1.1/24 fd00:1::1/64 &&
		container a br0 172.20.0.2 fd00::2 02:42:00:00:00:02 &&
		container b br0 172.20.0.3 fd00::3 02:42:00:00:00:03
}
set_up || bail "cannot build the network"

# kernel [COMMAND…]: what the kernel says of all ports
kernel()
{
	"$@" "$ports_probe" kernel 2>&1
}

is "a veth's other end" "$(kernel)" "v-a br0 peer up 02:42:00:00:00:02
v-b br0 peer up 02:42:00:00:00:03"
is "CAP_NET_ADMIN alone is enough" \
	"$(kernel setpriv --inh-caps=-all,+net_admin --bounding-set=-all,+net_admin)" "$(kernel)"
like "without it, the kernel does not say" \
	"$(kernel setpriv --inh-caps=-all --bounding-set=-all)" \
	"ask the kernel for the other end of v-a: (Operation not permitted|Permission denied)"

# ---- ports of other kinds ------------------------------------------------------------------------

others()
{
	ip link add pair type veth peer name pair-end && ip link set pair master br0 && ip link set pair up &&
		ip link set pair-end up && ip tuntap add tap0 mode tap && ip link set tap0 master br0 &&
		ip link set tap0 up || return
	# Its other end is the card, in another namespace: not what is behind the port.
	ip -n b link add link eth0 name mv0 address 02:42:00:00:00:99 netns $$ type macvlan mode bridge &&
		ip link set mv0 master br1 && ip link set mv0 up || return
	ip netns add later && plug v-later br1 later 02:42:00:00:00:04
}
others || bail "cannot add other ports"
is "no other kind has an end that counts" "$(kernel)" "mv0 br1 no-peer up -
pair br0 no-peer up -
tap0 br0 no-peer down -
v-a br0 peer up 02:42:00:00:00:02
v-b br0 peer up 02:42:00:00:00:03
v-later br1 peer down -"
ip -n later link set eth0 up
is "an end counts when it is up" "$(kernel | grep v-later)" "v-later br1 peer up 02:42:00:00:00:04"
# Each namespace has numbers of its own for others.
ip link del v-later
second_host()
{
	ip netns add clean && numbers=$(ip -n clean netns list-id) && ip -n clean link add br0 type bridge &&
		plug v0 br0 later 02:42:00:00:00:05 clean && ip -n later link set eth0 up
}
second_host || bail "no second host"
is "a namespace that has no number gets one" \
	"$numbers$(nsenter --net=/run/netns/clean "$ports_probe" kernel)" \
	"v0 br0 peer up 02:42:00:00:00:05"
ip netns del clean
for port in pair tap0 mv0; do
	ip link del $port
done
ip netns del later

# ---- who is who ----------------------------------------------------------------------------------

coproc LOOK { exec "$ports_probe" look 2>&1; }
exec {to_look}>&"${LOOK[1]}" {from_look}<&"${LOOK[0]}"
eval "exec ${LOOK[1]}>&-"
# docker LINE…: what Docker says, "BRIDGE CONTAINER MAC ADDRESS…"
docker()
{
	printf '%s\n' "$@" >$t/docker
}
# look: the ports, after one more look
look()
{
	local line
	echo $t/docker >&"$to_look"
	while IFS= read -r -t 10 -u "$from_look" line; do
		[[ $line != . ]] || return 0
		echo "$line"
	done
	echo "no answer"
}
a="br0 a 02:42:00:00:00:02 172.20.0.2 fd00::2" b="br0 b 02:42:00:00:00:03 172.20.0.3 fd00::3"
is_a="v-a br0 a 172.20.0.2 fd00::2 02:42:00:00:00:02" is_b="v-b br0 b 172.20.0.3 fd00::3 02:42:00:00:00:03"
# The name of an end is its container's to choose, its MAC address only for those with CAP_NET_ADMIN.
change() # NAME MAC
{
	ip -n "$1" link set eth0 down && ip -n "$1" link set eth0 address "$2" && ip -n "$1" link set eth0 up
}

docker "$a" "$b"
is "both are known" "$(look)" "$is_a
$is_b"
change a 02:42:00:00:00:03
is "one that takes the other's MAC address remains who it is" "$(look)" "$is_a
$is_b"
ip link del v-b
docker "$a"
is "also while the other restarts: it is down" "$(look)" "$is_a"
docker "$a" "$b"
is "Docker has named it" "$(look)" "$is_a"
plug v-b br0 b 02:42:00:00:00:03
ip -n b link set eth0 up
is "it is up" "$(look)" "$is_a
$is_b"

ip link del v-a
container c br0 172.20.0.4 fd00::4 02:42:00:00:00:03 || bail "no container"
docker "$b" "br0 c 02:42:00:00:00:04 172.20.0.4"
is "one that has the MAC address of another before anybody looks: neither is known" "$(look)" \
	"v-b br0 -: another port has the same MAC address
v-c br0 -: another port has the same MAC address"
ip link del v-c
is "then that one goes" "$(look)" "$is_b"
ip link del v-b
ip netns add d
plug v-d br0 d 02:42:00:00:00:03
ip -n d link set eth0 up
docker "br0 d 02:42:00:00:00:05 172.20.0.5"
is "one that waits for another is nobody" "$(look)" \
	"v-d br0 -: Docker gave its MAC address to no container of the network"
docker "$b" "br0 d 02:42:00:00:00:05 172.20.0.5"
like "also when Docker names the other" "$(look)" "v-d br0 -: it had its MAC address before Docker"
plug v-b br0 b 02:42:00:00:00:03
ip -n b link set eth0 up
is "and it does not keep the other from being known" "$(look)" "$is_b
v-d br0 -: it had its MAC address before Docker gave that to a container"

exec {to_look}>&-

# ---- asked once, without Docker ------------------------------------------------------------------

cat >$t/network.json <<'END'
{"networks": [{"name": "br0", "subnet": "172.20.0.0/24", "dockside_ip": "172.20.0.2",
	"dockside_mac": "02:42:00:00:00:22"}]}
END
echo '{"networks": {"br0": {"egress": [{"action": "drop"}]}}}' >$t/firewall.json
asked()
{
	"$ports_probe" ask $t/no.sock $t/network.json $t/firewall.json 2>&1 | grep -v ^pair
}
unplug_all()
{
	local port
	for port in $(ip -o link show master br0 type veth | sed -n 's/^[0-9]*: \([vd][^@:]*\).*/\1/p'); do
		ip link del "$port"
	done
}
unplug_all
container side br0 172.20.0.2 fd00::22 02:42:00:00:00:22 || bail "no container"
container g br0 172.20.0.7 fd00::7 02:42:00:00:00:07 || bail "no container"
is "the dockside container is known by its MAC address" "$(asked)" \
	"v-g br0 -: Docker has not answered since it came up
v-side br0 dockside 172.20.0.2 02:42:00:00:00:22"
change g 02:42:00:00:00:22
is "not if there are two" "$(asked)" "v-g br0 -: another port has the same MAC address
v-side br0 -: another port has the same MAC address"
finish
