#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The host's settings, which may come later than the daemon and may be taken away again. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

network_config <<<'{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"}]}'
firewall_config <<<'{"networks": {"ds-a": {"egress": [{"action": "drop"}]}}}'
settings=/proc/sys/net/bridge

ready()
{
	client status --json
	grep -q '"ready":true' $t/out
}

mount -t tmpfs none $settings || bail "cannot hide the settings"
start_listening
start_daemon
is "without br_netfilter the rules are in force" "$(nft list chain inet dockside ds-a-OUT | grep -c refuse)" 1
is "but it does not say that it is ready" "$(ready && echo ready)" ""
like "and says why" "$(cat $t/out)" '"settings":"[^"]*br_netfilter'
like "in the log, too" "$(life)" 'error: .*br_netfilter'
like "systemd is told" "$(grep STATUS= $told | tail -1)" '; host settings are missing$'
umount $settings
is "the module comes" "$(until_true 15 ready && echo ready)" ready
like "systemd is told" "$(grep STATUS= $told | tail -1)" ', 0 names$'
is "the settings are made" "$(cat $settings/bridge-nf-{call-iptables,call-ip6tables,filter-vlan-tagged} | xargs)" \
	"1 1 1"
echo 0 >$settings/bridge-nf-call-iptables
# shellcheck disable=SC2317 # until_true calls it
turned_on()
{
	[[ $(<"$settings/bridge-nf-call-iptables") == 1 ]]
}
is "one is turned off: it is turned on again" "$(until_true 15 turned_on && echo yes)" yes
end_daemon TERM
is "a good end" "$status" 0

finish
