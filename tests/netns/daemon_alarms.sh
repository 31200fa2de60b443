#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A drop or nat rule that does nothing, as no address of its name is known, is an alarm in `status`, in what
# systemd is told and in the metrics, until DNS answers. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

two_networks 198.51.100.1/32
firewall_config <<'CONFIG'
{"networks": {"ds-1": {
	"egress": [{"action": "drop", "to": "host", "host": "bad.example"}, {"to": "host", "host": "good.example"}],
	"nat": [{"match_dport": 3306, "to_host": "clone.example", "to_port": 80}]}}}
CONFIG
start_zone
zone "other.example 198.51.100.9"
start_listening
start_daemon IPSET_REFRESH_INTERVAL=5

# alarms: in words, what systemd has last been told, and the metric
alarms()
{
	client status
	grep '^ALARM' <<<"$out" | sed "s|$t/||"
	tail -n +"$((told_before + 1))" $told | grep -o 'STATUS=.*' | tail -1
	client metrics
	grep '^dsfw_nft_alarms' <<<"$out"
}
# alarms_are TEXT: all three of them; alarm DESCRIPTION TEXT: before long
# shellcheck disable=SC2317 # until_true calls it
alarms_are()
{
	[[ $(alarms) == "$1" ]]
}
alarm()
{
	until_true 15 alarms_are "$2" # a failed name is asked again when its back-off is over
	is "$1" "$(alarms)" "$2"
}
both="ALARM: ds-1: egress[0] at firewall.json:2:13 lets pass what goes to bad.example: no address of it is known
ALARM: ds-1: nat[0] at firewall.json:3:10 redirects nothing to clone.example: no address of it is known
STATUS=enforcing 1 network, 3 names; 2 ALARMS: see dsfw-nft status
dsfw_nft_alarms 2"
alarm "rules that do nothing are alarms, but for those that allow" "$both"
client status
is "the exit status says that there are some" "$status" 1
client status --json
is "for programs, too" "$status" 1
probes "which they are for a reason" <<-'END'
	c1 tcp 198.51.100.1:80 = open outside
	c1 tcp 198.51.100.9:3306 = silence
END

zone "bad.example 198.51.100.1" "clone.example 198.51.100.1"
alarm "none, when DNS answers" "STATUS=enforcing 1 network, 3 names
dsfw_nft_alarms 0"
client status
is "nor does the exit status say so" "$status" 0
probes "as they do what they say" <<-'END'
	c1 tcp 198.51.100.1:80 = reset
END

zone "other.example 198.51.100.9"
until_true 15 logged "bad.example: .*, keeping its" || result "it fails" "$(life)"
alarm "nor when it fails again, and they go on" "STATUS=enforcing 1 network, 3 names
dsfw_nft_alarms 0"

end_daemon TERM
start_daemon IPSET_REFRESH_INTERVAL=5
alarm "also after a restart" "STATUS=enforcing 1 network, 3 names
dsfw_nft_alarms 0"
client status --json
is "as JSON, too" "$(python3 -c 'import json, sys; print(json.load(sys.stdin)["alarms"])' <<<"$out")" "[]"

end_daemon TERM
stop_peers
finish
