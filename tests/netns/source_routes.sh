#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A container that names its packets' way, on a host that takes such packets: forward sees the host as the destination, and
# the kernel writes the real one in afterwards. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

two_networks 198.51.100.2/32 2001:db8:51::1/128
firewall_config <<'CONFIG'
{"networks": {"ds-1": {"egress": [{"action": "drop"}], "host": [{"proto": "udp", "ports": [53]}, {"action": "drop"}]},
	"ds-2": {"egress": [{"action": "drop"}]}}}
CONFIG
python3 -c 'import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 53))
while True:
	s.sendto(b"answer", s.recvfrom(100)[1])' &
nsenter --net=/run/netns/outside python3 "$here/source_routes.py" hear up0 >$t/heard &
until_true 10 grep -q ready $t/heard || bail "nobody listens outside"
until_true 10 prints ':53' ss -Hlun || bail "nobody listens on the host"

settings=/proc/sys/net
take() # the settings of all interfaces, and of the bridge, as the kernel has them for new ones
{
	echo 1 >$settings/ipv4/conf/all/accept_source_route && echo 1 >$settings/ipv4/conf/ds-1/accept_source_route &&
		echo 1 >$settings/ipv6/conf/all/seg6_enabled && echo 1 >$settings/ipv6/conf/ds-1/seg6_enabled
}
mac=$(</sys/class/net/ds-1/address)
# sent WORD: what arrives, by IPv4 and by IPv6; a container has no more than NET_RAW
sent()
{
	local probe
	for probe in "send4 172.30.1.1 198.51.100.2" "send6 fd77:1::11 fd77:1::1 $mac 2001:db8:51::1"; do
		# shellcheck disable=SC2086 # words
		nsenter --net=/run/netns/c1 setpriv --bounding-set -all,+net_raw --inh-caps -all \
			python3 "$here/source_routes.py" $probe "$1${probe:4:1}" || echo "not sent: $probe"
	done
	until_true 1 grep -q "${1}6\$" $t/heard || :
	sed -n "s/ $1[46]\$//p" $t/heard | sort -u
}
all="from 172.30.1.11 to 198.51.100.2
from fd77:1::11 to 2001:db8:51::1"

take || bail "this kernel has no source routes"
until_true 20 prints 2001:db8:51::1 sent before # neighbours have to be found first
is "without rules they arrive" "$(sent before)" "$all"
# Without br_netfilter the rules are in force all the same.
mount -t tmpfs none $settings/bridge || bail "cannot hide br_netfilter"
start_listening
start_daemon
is "with rules none does" "$(sent rules)" ""
is "the bridge takes none" "$(cat $settings/ipv4/conf/ds-1/accept_source_route $settings/ipv6/conf/ds-1/seg6_enabled | xargs)" "0 0"
is "other interfaces are left alone" "$(cat $settings/ipv4/conf/{all,up0}/accept_source_route $settings/ipv6/conf/all/seg6_enabled |
	xargs)" "1 $(<$settings/ipv4/conf/up0/accept_source_route) 1"
like "the log says so" "$(life)" "warning: this host takes source routes .*turned off [1-9][0-9]* settings of managed bridges"
take
# shellcheck disable=SC2317 # until_true calls it
off()
{
	[[ $(cat "$settings"/ipv4/conf/ds-1/accept_source_route "$settings"/ipv6/conf/ds-1/seg6_enabled | xargs) == "0 0" ]]
}
result "turned on again, they are turned off again" "$(until_true 5 off || life | tail -n 3)"
is "and none arrives" "$(sent again)" ""
end_daemon TERM
umount $settings/bridge
take
dsfw apply
like "so does apply" "$status $out" "^0 .*host settings changed: [1-9][0-9]* settings of managed bridges"
is "and none arrives, either" "$(sent apply)" ""
dsfw apply
is "which has nothing to do then" "$status $(grep -c 'host settings' <<<"$out")" "0 0"
finish
