#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `apply` beside a DNS gate whose daemon has gone: the gate takes the policy, so that it does not open anew what has left.
# And a gate that does not come, which apply cannot have it do: it says so. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=tests/netns/gate_daemon_lib.sh
. "$(dirname "$0")/gate_daemon_lib.sh"
# shellcheck source=tests/netns/gate_apply_lib.sh
. "$(dirname "$0")/gate_apply_lib.sh"

# The daemon has gone, its gate has all names, and those are to leave that have the address 11.0.0.1.
files+=(--gate-user "$uid" --gate-socket "$t/gate.sock")
begin_with_all()
{
	gated "$all"
	start_daemon
	until_true 10 policy_is taken || bail "no gate: $(cat $t/gate.log)"
	asks www.good.test,A pool.good.test,A >/dev/null
	before=$(is_open)
	[[ $before =~ ^11\.0\.0\.1\ (11\.1\.0\.[0-9]+ ?){5,}$ ]] || bail "open are: $before"
	pool=${before#* }
	end_daemon KILL
	gated "$one"
}

# ---- the gate comes ------------------------------------------------------------------------------

start_gate --gate-socket $t/gate.sock
begin_with_all
apply
like "a name leaves: the gate takes the policy" "$status $out" \
	'^0 .*has taken the policy.*closed all addresses of the ipset web, .*has opened the others again$'
is "its address is closed, the others are open at once" "$(is_open)" "$pool"
is "the gate does not answer it" "$(asks www.good.test,A,edns)" "3/18"
is "nor open it" "$(is_open)" "$pool"
is "the socket is gone" "$([[ -e $t/gate.sock ]] && echo there)" ""
apply --json
is "another apply changes nothing" "$status $(json changed gate_taken told_closed) $(is_open)" "0 False True None $pool"
start_daemon
until_true 10 policy_is taken || bail "no gate: $(cat $t/gate.log)"
is "nor does a daemon that starts: it is noted what the gate has taken" "$(is_open)" "$pool"
end_daemon TERM

gated '"new.good.test", "pool.good.test"'
apply
is "a name that comes is answered without a daemon" "$status $(asks new.good.test,A) $(is_open)" "0 0 11.0.0.1 11.0.0.1 $pool"
gated '"pool.good.test"'
nft delete table inet dockside
apply
is "the table is gone: the gate tells it again" "$status $(is_open)" "0 $pool"

# ---- it does not come ----------------------------------------------------------------------------

begin_with_all
pool=$(is_open | sed 's/11\.0\.0\.1 //')
apply --gate-socket $t/elsewhere.sock
like "a gate that asks elsewhere" "$status $err" \
	"^1 .*may be opened again: .* UDP port 5301, .*did not ask for the policy at $t/elsewhere.sock within 2\.5 s; .*--gate-socket"
is "what left is closed for the moment" "$(is_open)" ""
is "the gate opens it again, as the message says" "$(asks late.good.test,A) $(is_open) $(policies)" "0 11.0.0.1 11.0.0.1 2"
apply --gate-socket $t/elsewhere.sock --json
is "the next apply fails, too, and closes it" "$status $(json status gate_taken told_closed) $(is_open) $(policies)" \
	"1 error False all names  1"
asks pool.good.test,A >/dev/null # 5 of 200 addresses: most were not told yet
apply
like "until the gate comes" "$status $out$(is_open)" '^0 .*has taken the policy.*others again(11\.1\.0\.[0-9]+ ?){5,}$'
is "which is noted" "$(policies)" 1

# apply fails whatever it knows of names: the gate may have any others.
gated "$all"
mkdir $t/elsewhere.sock
apply --gate-socket $t/elsewhere.sock
like "no name leaves: it fails all the same" "$status $err" '^1 .* UDP port 5301, .*is in the way: it is not a socket; '
is "and closes all" "$(is_open) $(policies)" " 1"
gated "$one" ""
apply --gate-socket $t/elsewhere.sock
like "an ipset leaves: the same" "$status $(policies)" '^1 [12]$' # the gate may try to tell meanwhile
gated "$one"
apply --gate-socket $t/elsewhere.sock
like "it comes back with fewer names: the same" "$status $(policies)" '^1 [12]$'

begin_with_all
nft delete table inet dockside
rm -rf "${STATE_DIRECTORY:?}"/*
apply --gate-socket $t/elsewhere.sock
is "table and state are gone" "$status $(asks www.good.test,A)" "1 0 11.0.0.1"
apply
is "what it has opened is closed by the next that the gate comes to" "$status $(policies) $(asks www.good.test,A,edns)" "0 1 3/18"
is "and is not opened again" "$(is_open | grep -cw '11\.0\.0\.1')" 0

begin_with_all
firewall_config <<<'{"networks": {"ds-1": {"egress": [{"action": "drop"}]}, "ds-2": {"egress": [{"action": "drop"}]}}}'
for i in 1 2; do
	begin=$(calm)
	apply --gate-socket $t/elsewhere.sock
	like "no network has a gate, time $i: nobody waits for it" "$status $(($(calm_since "$begin") < 2000))" '^0 1$'
done
gated "$one"
apply --gate-socket $t/elsewhere.sock
is "then one has it again, with fewer names" "$status $(is_open)" "1 "
apply
is "until the gate has taken the policy" "$status $(policies) $(asks www.good.test,A,edns)" "0 1 3/18"
kill -STOP "$gate"
apply
like "a gate that hangs" "$status $err" '^1 .*it did not ask for the policy'
kill -CONT "$gate"

# ---- one with a policy of its own, of before ------------------------------------------------------

kill_gate
gated "$all"
dsfw compile --gate-document --output $t/older
gated "$one"
apply
is "no gate lives" "$status $(policies)" "0 1"
: >$t/gate.log
start_gate --policy $t/older
until_true 5 grep -q 'taken' $t/gate.log || bail "no gate: $(<$t/gate.log)"
is "it has older names, and opens them" "$(asks www.good.test,A) $(is_open)" "0 11.0.0.1 11.0.0.1"
apply
like "apply fails, though it knew the names" "$status $err" '^1 .*did not ask for the policy'
is "and closes them" "$(is_open) $(policies)" " 1"
asks late.good.test,A >/dev/null
before="$(is_open) $(policies)"
kill_gate
apply
is "once it has gone, what it has opened since is closed" "$before $status $(is_open) $(policies)" "11.0.0.1 2 0  1"

# ---- systemd has its sockets -----------------------------------------------------------------------

python3 "$here/gate.py" hold 5300 "$DSFW_NFT" gate --user $uid --gate-socket $t/gate.sock 2>$t/gate.log &
gate=$!
pids+=("$gate")
result "a gate with sockets of root's" "$(until_true 5 grep -q 'answers nothing before' $t/gate.log || cat $t/gate.log)"
apply
like "is found, too" "$status $out$(asks pool.good.test,A)" '^0 .*has taken the policy0 11\.1\.'
kill "$gate"
wait "$gate" 2>/dev/null
until_true 5 prints_no ':5300 ' ss -Hlun

# ---- there is none -------------------------------------------------------------------------------

gated '"new.good.test"'
begin=$(calm)
apply
took=$(calm_since "$begin")
like "without a gate nobody waits, and what left is closed" "$status $out$(is_open)" '^0 .*closed all addresses of .* with their next answers$'
is "nobody waits" "$((took < 2000))" 1
stop_peers
finish
