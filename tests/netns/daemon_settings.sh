#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The host's settings, which may come later than the daemon and may be taken away again. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

bridge ds-a 172.30.1.1/24 fd77:1::1/64 || bail "cannot build the network"
container c1 ds-a 172.30.1.11 fd77:1::11 || bail "cannot build the network"
container c2 ds-a 172.30.1.12 fd77:1::12 || bail "cannot build the network"
start_peers
ask "serve c2 tcp 7000" "serve c2 udp 7000"
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
like "systemd is told" "$(until_true 5 prints ', 0 names$' tail -1 $told; grep STATUS= $told | tail -1)" ', 0 names$'
is "the settings are made" "$(cat $settings/bridge-nf-{call-iptables,call-ip6tables,filter-vlan-tagged} | xargs)" \
	"1 1 1"

# ---- somebody turns them off ---------------------------------------------------------------------

# shellcheck disable=SC2317 # until_true calls it
turned_on() # SETTING
{
	[[ $(<"$settings/$1") == 1 ]]
}
# again SETTING: it is turned off, and on within a second
again()
{
	local begin took
	begin=$(calm)
	echo 0 >"$settings/$1"
	until_true 15 turned_on "$1"
	took=$(calm_since "$begin")
	result "$1 is turned off: it is turned on again" "$( ((took <= 1000)) || echo "after $took ms")"
	echo "# after $took ms"
}
again bridge-nf-call-iptables
again bridge-nf-call-ip6tables
again bridge-nf-filter-vlan-tagged
is "the log says so, but not each time" "$(life | grep -c '^warning: somebody had turned off net.bridge')" 1

# The daemon ends connections that were opened meanwhile. The test holds it, so that there is time to open them.
kill -STOP "$daemon_pid"
echo 0 >$settings/bridge-nf-call-iptables
echo 0 >$settings/bridge-nf-call-ip6tables
like "without them containers reach each other" \
	"$(ask "hold tcp4 c1 tcp 172.30.1.12:7000" "hold tcp6 c1 tcp [fd77:1::12]:7000" "hold udp c1 udp 172.30.1.12:7000" |
		xargs)" '^open c2 .* open c2 .* open c2 '
kill -CONT "$daemon_pid"
# shellcheck disable=SC2317 # until_true calls it
alive()
{
	ask "alive tcp4" "alive tcp6" "alive udp" | xargs
}
result "afterwards these connections are dead" "$(until_true 20 prints '^dead dead dead$' alive || alive)"
stop_peers
end_daemon TERM
is "a good end" "$status" 0

finish
