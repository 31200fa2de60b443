#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `diff` beside a daemon: what that one makes of names is no difference; what is missing or foreign is. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

network_config <<<'{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24"}]}'
firewall_config <<'CONFIG'
{"ipsets": {"s": ["one.example", "two.example", "local.example", "10.0.0.1", "203.0.113.0/24"]},
"networks": {"ds-1": {
	"egress": [{"to": "ipset", "ipset": "s"}, {"to": "host", "host": "one.example"}, {"action": "drop"}],
	"nat": [{"match_dport": 25, "to_host": "mail.example", "to_port": 2525}]}}}
CONFIG
hosts "198.51.100.7 local.example"
start_zone
zone "one.example 198.51.100.1 198.51.100.2 2001:db8::1" "two.example 198.51.100.2 198.51.100.3" \
	"mail.example 198.51.100.9"

# diff_is DESCRIPTION STATUS [LINE…]: of the elements that differ
diff_is()
{
	dsfw diff
	is "$1" "$status $(grep -E '^ +[-+~] ' <<<"$out" | xargs -I{} echo {} | sort | paste -sd ,)$(
		[[ $status == 1 ]] || echo "$out")" "$2 $(printf '%s\n' "${@:3}" | paste -sd ,)"
}
none="no differences"

dsfw apply
diff_is "after apply" 0 "$none"
start_listening
start_daemon
like "a daemon gives them a time" "$(nft list set inet dockside ipset-s-v4)" "198.51.100.1 timeout 5m"
diff_is "which is no difference" 0 "$none"
IPSET_STALE_TTL=77 diff_is "nor is another one" 0 "$none"

# DNS goes on: the daemon keeps what it has been told of, and one target.
zone "one.example 198.51.100.1 2001:db8::1" "two.example 198.51.100.3" "mail.example 198.51.100.8 198.51.100.9"
client refresh
is "addresses age, the target stays" "$(elements ipset-s-v4 | grep -c 100.2) $(nft list map inet dockside ds-1-nat4 |
	grep -c '198.51.100.9 . 2525')" "1 1"
diff_is "which is no difference, either" 0 "$none"
zone "one.example fail" "two.example fail" "mail.example fail"
client refresh
diff_is "nor is that DNS fails" 0 "$none"
zone "one.example 198.51.100.1 2001:db8::1" "two.example 198.51.100.3" "mail.example 198.51.100.8 198.51.100.9"
client refresh

# While it cannot repair.
kill -STOP "$daemon_pid"
nft 'delete element inet dockside ipset-s-v4 { 198.51.100.1 }'
diff_is "an address that is missing" 1 "+ 198.51.100.1 comment one.example"
nft 'add element inet dockside ipset-s-v4 { 198.51.100.1 timeout 5m comment "one.example" }'
diff_is "and is there again" 0 "$none"
nft 'add element inet dockside ipset-s-v4 { 192.0.2.99 timeout 5m }'
diff_is "one that nobody knows" 1 "- 192.0.2.99 timeout 300000ms"
nft 'delete element inet dockside ipset-s-v4 { 192.0.2.99 }'
nft 'add element inet dockside ipset-s-v4 { 10.0.0.1 timeout 1h }'
diff_is "a literal that is running out" 1 "~ 10.0.0.1"
nft 'delete element inet dockside ipset-s-v4 { 10.0.0.1 }
	add element inet dockside ipset-s-v4 { 10.0.0.1 }
	delete element inet dockside ds-1-nat4 { tcp . 25 }
	add element inet dockside ds-1-nat4 { tcp . 25 comment "mail.example: nat[0]" : 192.0.2.99 . 2525 }'
diff_is "a target that is not its name's" 1 "~ tcp . 25 comment mail.example: nat[0] : 198.51.100.8 . 2525"
kill -CONT "$daemon_pid"
# shellcheck disable=SC2317 # until_true calls it
no_differences()
{
	dsfw diff
	[[ $out == "$none" ]]
}
result "the daemon repairs it" "$(until_true 5 no_differences || echo "$out")"

end_daemon TERM
zone "one.example 198.51.100.1 2001:db8::1" "two.example 198.51.100.3" "mail.example 198.51.100.9"
dsfw apply
diff_is "without a daemon" 0 "$none"
start_daemon
kill -9 "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
dsfw diff
is "one that was killed renews nothing" "$status $(grep -c '^ *~ ' <<<"$out")" "1 6"
finish
