#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tags by which the kernel knows whose names' addresses it has, where nothing else could be trusted. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=tests/netns/gate_daemon_lib.sh
. "$(dirname "$0")/gate_daemon_lib.sh"
# shellcheck source=tests/netns/gate_apply_lib.sh
. "$(dirname "$0")/gate_apply_lib.sh"
files+=(--gate-user "$uid" --gate-socket "$t/gate.sock")

# ---- a gate that the daemon never saw ---------------------------------------------------------------

gated "$all"
dsfw compile --gate-document --output $t/older
start_daemon
start_gate --policy $t/older --gate-socket $t/elsewhere.sock
until_true 5 grep -q 'taken' $t/gate.log || bail "no gate: $(<$t/gate.log)"
asks www.good.test,A >/dev/null
before=$(is_open)
kill_gate
start_gate --gate-socket $t/gate.sock
until_true 10 policy_is taken || bail "no gate: $(<$t/gate.log)"
gated "$one"
client reload
until_true 10 policy_is taken
is "it had the same names: what it has opened is closed with them" "$before $status $(is_open)" "11.0.0.1 0 "

# ---- names come, while containers ask ---------------------------------------------------------------

end_daemon TERM
kill_gate
names=$all
for i in {1..900}; do names+=", \"pool.x$i.test\""; done
gated "$names"
start_gate --gate-socket $t/gate.sock
start_daemon
until_true 10 policy_is taken || bail "no gate: $(<$t/gate.log)"
kill_gate
start_gate --gate-socket $t/gate.sock # from now on one gate may not know what the other has told
until_true 10 logged 'the DNS gate has gone'
until_true 10 policy_is taken || bail "no gate: $(<$t/gate.log)"
for i in {1..6}; do
	questions=()
	for k in {1..150}; do questions+=("pool.x$((i * 150 - 150 + k)).test,A"); done
	asks "${questions[@]}" >/dev/null &
	asking=$!
	names+=", \"new$i.good.test\""
	gated "$names"
	client reload
	wait $asking
	until_true 10 policy_is taken
done
before=$(is_open | wc -w)
is "the kernel has addresses of one policy" "$((before > 100)) $(policies)" "1 1"
end_daemon TERM
kill_gate
start_daemon
start_gate --gate-socket $t/gate.sock
until_true 10 policy_is taken || bail "no gate: $(<$t/gate.log)"
is "daemon and gate start anew: none is closed" "$(is_open | wc -w)" "$before"
end_daemon TERM
kill_gate

# ---- a machine that starts ----------------------------------------------------------------------------

gated "$all"
# shellcheck disable=SC2119 # others give it options
apply
start_gate --policy $t/older
until_true 5 grep -q 'taken' $t/gate.log || bail "no gate: $(<$t/gate.log)"
asks www.good.test,A >/dev/null
nft list ruleset >$t/dump
before=$(is_open | grep -cw '11\.0\.0\.1')
kill_gate
gated "$one"
# shellcheck disable=SC2119
apply
nft flush ruleset
begin_apply
nft -f $t/dump
wait "$applying"
is "somebody loads a dump while apply resolves names" "$before $? $(is_open)" "1 0 "
stop_peers
finish
