#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# While our table is gone, a container makes connections that look like another's: with raw sockets it sends
# itself, through the gateway, what claims to come from where it must not go. Conntrack takes that for a connection
# from elsewhere, and the container's own packets for its answers. The repair has to end these as well. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

# m is on ds-3, which is not managed.
two_networks 198.51.100.{1..2}/32 2001:db8:51::{1..2}/128
bridge ds-3 172.30.3.1/24 fd77:3::1/64 || bail "cannot build ds-3"
container m ds-3 172.30.3.11 fd77:3::11 || bail "cannot build m"
network_config <<'CONFIG'
{"networks": [
	{"name": "ds-1", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"},
	{"name": "ds-2", "subnet": "172.30.2.0/24", "subnet6": "fd77:2::/64"},
	{"name": "ds-3", "subnet": "172.30.3.0/24", "subnet6": "fd77:3::/64"}
]}
CONFIG
firewall_config <<'CONFIG'
{"networks": {
	"ds-1": {"egress": [{"proto": "tcp", "ports": [80]}, {"action": "drop"}], "host": [{"action": "drop"}]},
	"ds-2": {"egress": [{"action": "drop"}], "host": [{"action": "drop"}]}}}
CONFIG
start_listening
start_daemon

# As Docker has it, but for addresses that are translated: a port is published.
docker='table inet docker {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		iifname { "ds-1", "ds-2", "ds-3" } accept
		oifname "ds-1" tcp dport 7000 accept
	}
}'

# gone: our table is, and connections are tracked all the same
gone()
{
	kill -STOP "$daemon_pid"
	nft 'flush ruleset
		table inet other {
			chain c { type filter hook forward priority 0; ct state new counter; }
			chain in { type filter hook input priority 0; ct state new counter; }
		}
		'"$docker" || bail "cannot take the table away"
}

forge() # STEP
{
	timeout 60 python3 "$here/unjudged_forged.py" "$1" 2>&1
}

result "with the rules nothing arrives" "$(forge send)"
gone
result "without them all flows are open" "$(forge open)"
kill -CONT "$daemon_pid"
until_true 5 logged 'put back'
until_true 5 logged 'warning: ended '
result "after the repair they are ended" "$(forge send-after)"
end_daemon TERM
is "the daemon ends well" "$status" 0
stop_peers
finish
