#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A bridge learns where its containers are: a frame with a neighbour's MAC address as its source must not change that,
# whatever it is for. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"
type -p strace >/dev/null || bail "no strace"

mac=02:00:00:00:01:02 # of the dockside container, whose port is known without Docker
build()
{
	bridge ds-a 172.30.1.1/24 fd77:1::1/64 && container dockside ds-a 172.30.1.2 fd77:1::2 $mac &&
		container c1 ds-a 172.30.1.11 fd77:1::11
}
build || bail "cannot build the network"
firewall_config <<<'{"networks": {"ds-a": {"egress": [{"action": "drop"}]}}}'

configure() # BIND
{
	network_config <<-END
		{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "bind": "$1",
			"dockside_ip": "172.30.1.2", "dockside_ip6": "fd77:1::2", "dockside_mac": "$mac"}]}
	END
}

try() # COMMAND: see learning.py
{
	python3 "$here/learning.py" "$1" c1 $mac dockside 172.30.1.2 2>&1
}

setting()
{
	cat /sys/class/net/ds-a/bridge/no_linklocal_learn
}

# ---- without binding, as the kernel has it ---------------------------------------------------------------

start_listening
configure off
start_daemon
is "without binding a bridge learns from frames for reserved addresses" "$(setting) $(try reserved)" \
	"0 0 2 3 4 5 6 7 8 9 10 11 12 13 14 15"
is "as from all others" "$(try refused | wc -w)" $((4 * 5 * 2))
is "and a container gets what is for another" "$(try steal)" c1

# ---- with it ---------------------------------------------------------------------------------------------

# shellcheck disable=SC2317 # until_true calls it
is_set()
{
	[[ $(setting) == 1 ]]
}
configure learn
client reload
is "a network that binds has its bridge learn nothing from them" "$status $(setting) $(try reserved)" "0 1 "
is "its packets get where they are to" "$(try steal)" dockside
like "the log says so" "$(life)" "set no_linklocal_learn of 1 bridge, so that"
is "nor does it learn from frames that the rules refuse" "$(try refused)" ""
ip link set ds-a type bridge no_linklocal_learn 0
is "somebody turns it off: it is turned on again" "$(until_true 5 is_set; setting)" 1
ip netns del c1
ip netns del dockside
until_true 5 prints_no 'v-(c1|dockside)' ip link # the kernel removes them a moment later
ip link del ds-a
build || bail "cannot build the network again"
until_true 5 is_set
is "a bridge that comes later, too" "$(setting) $(try reserved)" "1 "

# ---- the kernel refuses --------------------------------------------------------------------------------------

# shellcheck disable=SC2317 # until_true calls it
alarms() # HOW MANY
{
	client status
	[[ $(grep -cE '^ALARM: .* keep others' <<<"$out") == "$1" ]]
}
is "status has no alarm about it" "$(alarms 0 && echo none)" none
strace -q -o /dev/null -p "$daemon_pid" -e inject=socket:error=EMFILE 2>$t/strace &
tracer=$!
until_true 10 grep -q "^TracerPid:.*[1-9]" /proc/"$daemon_pid"/status || bail "the daemon cannot be traced: $(<$t/strace)"
ip link set ds-a type bridge no_linklocal_learn 0
is "what cannot be done is an alarm" "$(until_true 10 alarms 1 && echo one)" one
kill -INT $tracer && wait $tracer 2>/dev/null
is "it is tried again, and the alarm ends" "$(until_true 20 alarms 0 && echo none) $(setting)" "none 1"
end_daemon TERM
is "a good end" "$status $(setting)" "0 1"

# ---- without a daemon -------------------------------------------------------------------------------------

ip link set ds-a type bridge no_linklocal_learn 0
dsfw diff
is "diff says what is missing" "$status $(grep -A 1 '^host settings' <<<"$out" | xargs)" \
	"1 host settings bridge ds-a: no_linklocal_learn is 0, not 1"
dsfw apply
like "apply sets it" "$status $(setting) $out" "^0 1 .*no_linklocal_learn of 1 bridge is 1"
dsfw apply
is "once" "$status $(setting) $(grep -c no_linklocal <<<"$out")" "0 1 0"

# Lists of all interfaces are long where there are many networks.
{ bridge ds-b 172.30.2.1/24 fd77:2::1/64 && bridge ds-c 172.30.3.1/24 fd77:3::1/64; } || bail "cannot build more networks"
network_config <<<'{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"}, {"name": "ds-b", "subnet": "172.30.2.0/24"},
	{"name": "ds-c", "subnet": "172.30.3.0/24"}]}'
drop='{"egress": [{"action": "drop"}]}'
firewall_config <<<"{\"networks\": {\"ds-a\": $drop, \"ds-b\": $drop, \"ds-c\": $drop}}"
dsfw apply
lists() # BRIDGE…: how often apply reads the list, if these are to be set; and the setting afterwards
{
	local name
	for name in "$@"; do
		ip link set "$name" type bridge no_linklocal_learn 0
	done
	strace -qq -f -e trace=sendto -o $t/calls "$DSFW_NFT" apply --network-config $t/network.json \
		--firewall-config $t/firewall.json >/dev/null 2>&1
	echo "$(grep -c RTM_GETLINK $t/calls) $(cat /sys/class/net/ds-?/bridge/no_linklocal_learn | xargs)"
}
one=$(lists ds-a)
like "a bridge is set, and read back" "$one" "^[1-9].* 1 1 1$"
is "as often for three as for one" "$(lists ds-a ds-b ds-c)" "$one"
finish
