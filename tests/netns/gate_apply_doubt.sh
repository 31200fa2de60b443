#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `apply` where what it knows of a DNS gate and of the names before may be wrong: it ends with 0 only if nothing that has
# left is open, and nothing opens it again. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=tests/netns/gate_daemon_lib.sh
. "$(dirname "$0")/gate_daemon_lib.sh"
# shellcheck source=tests/netns/gate_apply_lib.sh
. "$(dirname "$0")/gate_apply_lib.sh"

no_dns()
{
	firewall_config <<<'{"networks": {"ds-1": {"egress": [{"action": "drop"}]}, "ds-2": {"egress": [{"action": "drop"}]}}}'
}

# anew NAMES [RULE,]: nothing is left, and apply has made the rules for them
anew()
{
	nft delete table inet dockside 2>/dev/null
	rm -rf "${STATE_DIRECTORY:?}"
	: >$t/gate.log
	gated "$@"
	apply
}

# opens POLICY OPTION…: a gate with that policy lives, and has opened 11.0.0.1
opens()
{
	start_gate --policy "$1" "${@:2}"
	until_true 5 grep -q 'taken' $t/gate.log || bail "no gate: $(<$t/gate.log)"
	asks www.good.test,A >/dev/null
	[[ $(is_open) == 11.0.0.1 ]] || bail "open are: $(is_open); $(<$t/gate.log)"
}

# shellcheck disable=SC2317 # until_true calls it
open_is()
{
	[[ $(is_open) == "$1" ]]
}

gated "$all"
dsfw compile --gate-document --output $t/older
old=$t/older

# ---- what was accepted last is not what the sets have ------------------------------------------------

no_dns
apply
cp "$STATE_DIRECTORY/last-good" $t/without
gated "$all"
start_gate --gate-socket $t/gate.sock
apply
asks www.good.test,A >/dev/null
kill_gate
cp $t/without "$STATE_DIRECTORY/last-good"
before=$(is_open)
gated "$one"
apply
is "the last policy that could be kept had no names, and the sets have some" "$before $status $(is_open)" "11.0.0.1 0 "

anew "$all" --log-group none
gated "$all"
start_gate --gate-socket $t/gate.sock
apply --log-group none
asks www.good.test,A >/dev/null
kill_gate
rm -rf "${STATE_DIRECTORY:?}"
before=$(is_open)
gated "$one"
apply --log-group none
is "nothing is kept, and the table has no objects" "$before $status $(is_open)" "11.0.0.1 0 "

# ---- the state directory cannot be written -------------------------------------------------------------

anew "$one"
start_gate --gate-socket $t/gate.sock
apply
if ! mount --bind "$STATE_DIRECTORY" "$STATE_DIRECTORY" || ! mount -o remount,ro,bind "$STATE_DIRECTORY"; then
	bail "no mount"
fi
gated "$all"
apply
is "the gate is given a policy that cannot be kept" "$status $(asks www.good.test,A) $(policies)" "0 0 11.0.0.1 1"
kill_gate
umount "$STATE_DIRECTORY"
gated "$one"
before=$(is_open)
apply
is "the one that was kept has fewer names, and so have the files: what it has opened is closed" "$before $status $(is_open) $(policies)" \
	"11.0.0.1 0  1"

# has_opened: what is open, and that nobody lives who could take it back
has_opened()
{
	kill_gate
	is_open
}

anew "$one"
opens $old
before=$(has_opened)
apply
is "a gate lived between two runs, with names of before" "$before $status $(is_open)" "11.0.0.1 0 "

anew "$one"
gated "$all"
files+=(--gate-user "$uid" --gate-socket "$t/gate.sock")
(STATE_DIRECTORY=$t/another "$DSFW_NFT" apply "${files[@]}" >$t/out 2>&1) || bail "$(<$t/out)"
start_gate --policy $old
until_true 5 grep -q 'taken' $t/gate.log || bail "no gate: $(<$t/gate.log)"
asks www.good.test,A >/dev/null
before=$(has_opened)
gated "$one"
apply
is "another state directory in between" "$before $status $(is_open)" "11.0.0.1 0 "

anew "$all"
opens $old
nft list table inet dockside >$t/dump
before=$(has_opened)
gated "$one"
apply
after=$(is_open)
nft delete table inet dockside
nft -f $t/dump
apply
is "a dump of before, with addresses" "$before $after $status $(is_open)" "11.0.0.1  0 "

# A daemon gives the gate more names than it can keep.
anew "$one"
if ! mount --bind "$STATE_DIRECTORY" "$STATE_DIRECTORY" || ! mount -o remount,ro,bind "$STATE_DIRECTORY"; then
	bail "no mount"
fi
gated "$all"
: >$t/gate.log
start_gate --gate-socket $t/gate.sock
start_daemon
until_true 10 policy_is taken || bail "no gate: $(<$t/gate.log)"
asks www.good.test,A >/dev/null
end_daemon KILL
before=$(has_opened)
umount -l "$STATE_DIRECTORY"
gated "$one"
apply
is "a daemon that could not keep its policy" "$before $status $(is_open)" "11.0.0.1 0 "

anew "$one"
start_daemon
opens $old --gate-socket $t/elsewhere.sock
before=$(has_opened)
: >$t/gate.log
start_gate --gate-socket $t/gate.sock
until_true 10 policy_is taken || bail "no gate: $(<$t/gate.log)"
is "a gate lived beside the daemon, and never asked it" "$before $(is_open) $(policies)" "11.0.0.1  1"
end_daemon TERM
kill_gate

# Nothing is kept at all: each apply closes all, and the gate tells it again.
kept=$STATE_DIRECTORY
: >$t/file
export STATE_DIRECTORY=$t/file/none
: >$t/gate.log
gated "$all"
start_gate --gate-socket $t/gate.sock
apply
like "no state directory: the gate is given the policy all the same" "$status $(asks www.good.test,A)" '^0 0 11\.0\.0\.1$'
apply
is "and what is allowed stays open" "$status $(is_open)" "0 11.0.0.1"
kill_gate
export STATE_DIRECTORY=$kept

# ---- the gate cannot take back all ---------------------------------------------------------------------

anew "$one"
opens $old --gate-socket $t/gate.sock
ip link set ds-1 down
apply
like "the bridge is down: the kernel takes back nothing, and apply closes all" "$status $(is_open) $out" '^0  .*all addresses of all names'
ip link set ds-1 up
is "what left is no longer answered" "$(asks www.good.test,A,edns) $(is_open)" "3/18 "
kill -HUP "$gate"
result "nor after SIGHUP, for which the gate has an older file" \
	"$(until_true 5 grep -q 'was not read again: a younger policy' $t/gate.log || cat $t/gate.log)"
is "which it does not take" "$(asks www.good.test,A,edns) $(is_open)" "3/18 "
asks pool.good.test,A >/dev/null
before=$(is_open)
nft flush set inet dockside ipset-web-told4
kill -HUP "$gate"
like "it has opened others" "$before" '^11\.1\.'
result "which it tells again" "$(until_true 5 open_is "$before" || is_open)"
kill_gate

# The rules are another policy's, and have one of the two sets of a name.
anew "$one"
gated '"www.good.test", "pool.good.test"' '{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"},
	{"proto": "tcp", "ports": [8443], "to": "host", "host": "www.good.test"},'
dsfw compile --gate-document --output $t/two
gated "$one"
opens $t/two --gate-socket $t/gate.sock
apply
is "one set took an address, and another did not: it is taken back" "$status $(is_open)" "0 "
kill_gate

# ---- gates that are hard to see ------------------------------------------------------------------------

anew "$one"
opens $old
kill_gate
start_gate --policy $old --gate-port 5400
until_true 5 prints ':5400 ' ss -Hlun
apply
like "one that has another port" "$status $err $(is_open)" '^1 .*may be opened again.* $'
kill_gate

anew "$one"
opens $old
begin_apply
kill_gate
wait "$applying"
is "one that ends while apply resolves names" "$? $(is_open)" "0 "

# apply has the port for a moment, to see whether somebody else has it.
python3 -c 'import socket, sys, time
holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
holder.bind(("", 5301))
open(sys.argv[1], "w").close()
time.sleep(0.3)' $t/held &
until_true 5 test -e $t/held
: >$t/gate.log
start_gate --gate-socket $t/gate.sock
result "one that starts in the moment in which apply looks" \
	"$(until_true 5 grep -q 'answers nothing before' $t/gate.log || cat $t/gate.log)"
kill_gate

# ---- the kernel refuses more addresses than the gate looks for one by one --------------------------------------------------------

gated '"huge.good.test"'
: >$t/gate.log
start_gate --gate-socket $t/gate.sock
apply
# shellcheck disable=SC2317 # until_true calls it
opens_many()
{
	asks huge.good.test,A,edns >/dev/null
	[[ $(is_open | wc -w) -gt 20 ]]
}
until_true 10 opens_many || bail "open are: $(is_open); $(<$t/gate.log)"
nft delete table inet dockside
ip route add local 11.2.0.0/24 dev lo
apply
ip route del local 11.2.0.0/24 dev lo
answered=$(asks huge.good.test,A,edns | cut -d ' ' -f 2- | xargs -n 1 | sort)
is "no answer has an address that is closed" \
	"$(($(wc -l <<<"$answered") > 20)) $(comm -23 - <(is_open | xargs -n 1 | sort) <<<"$answered")" "1 "
kill_gate
stop_peers
finish
