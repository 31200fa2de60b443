#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A daemon that is told to stop leaves every rule and set in place, also those that somebody has just
# taken away, and that it would have put back in a moment. TAP.
# shellcheck disable=SC2317 # until_true calls functions
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

two_networks 198.51.100.1/32
start_zone
zone "web.example 198.51.100.1 ttl=60"
firewall_config <<'END'
{"ipsets": {"web": ["web.example"]},
"networks": {"ds-1": {"egress": [{"to": "ipset", "ipset": "web"}, {"action": "drop"}]}}}
END
there()
{
	nft list chain inet dockside ds-1-OUT >/dev/null 2>&1
}
left()
{
	there && echo "the chain"
	elements ipset-web-v4
}
everything="the chain
198.51.100.1 comment web.example"

start_listening
start_daemon
end_daemon TERM
is "it stops" "$status $(left)" "0 $everything"

# The signal is there before it has looked at what happened.
start_daemon
kill -STOP "$daemon_pid"
nft flush ruleset
kill -TERM "$daemon_pid"
end_daemon CONT
is "when the table has just been deleted" "$status $(left)" "0 $everything"

# Others have their way for 5 s then.
start_daemon
for _ in {1..10}; do
	nft flush ruleset
	until_true 3 there || bail "it is not put back"
done
until_true 3 logged "at most one every 5 s"
# held_back: it is not put back at once; on a slow machine it may just have been due
held_back()
{
	nft flush ruleset
	sleep 0.3
	! there
}
result "it does not put it back all the time" "$(held_back || held_back || held_back || echo "the chain is there")"
end_daemon TERM
is "but when it stops" "$status $(left)" "0 $everything"

stop_peers
finish
