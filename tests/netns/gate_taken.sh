#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Somebody has taken over the DNS gate, and says to the daemon what he likes: it takes neither its time nor its memory, nor
# does it fill the log, or turn around what people read. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=tests/netns/gate_pose_lib.sh
. "$(dirname "$0")/gate_pose_lib.sh"

uid=4711
two_networks 9.9.9.10/32
start_listening
chmod 755 $t
firewall_config <<-'END'
	{"dns": {"upstream": ["9.9.9.10"]}, "networks": {
		"ds-1": {"dns": {}, "egress": [{"to": "host", "host": "www.good.test"}, {"action": "drop"}]},
		"ds-2": {"egress": [{"action": "drop"}]}}}
END
files+=(--gate-user "$uid" --gate-socket "$t/gate.sock")
start_daemon

# floods KIND SECONDS [LEAST]: prints what gate.py says
floods()
{
	setpriv --reuid $uid --regid $uid --clear-groups /usr/bin/python3 "$here/gate.py" flood $t/gate.sock "$@"
}
memory() # KiB
{
	awk '/^VmRSS/ { print $2 }' "/proc/$daemon_pid/status"
}

before=$(memory)
heard=$(floods long 4 501 &
	sleep 3
	memory >$t/memory
	wait)
is "networks with long names: no memory" "$(($(<$t/memory) - before < 8192)) $((heard > 500))" "1 1"
heard=$(floods many 3)
is "with many names: no time" "$((heard > 500))" 1
echo "# it heard $heard messages"
lines=$(wc -l <$log)
floods refused 2 501 >$t/count
is "a policy that is refused without end: some lines" "$(($(wc -l <$log) - lines < 8)) $(($(<$t/count) > 500))" "1 1"
floods named 1 >$t/count
floods noted 1 >>$t/count
client denied
is "long names, types and reasons are left out" "$(grep -c '^[1-9]' $t/count) $(grep -c nnnnn <<<"$out") $(grep -c 'QQQ\|www' <<<"$out")" \
	"2 0 0"
like "a refusal that is short stays" "$out" 'short\.test +dns \?( ×[0-9]+)? +\?'
# While it says so: who has gone has refused nothing.
# shellcheck disable=SC2317 # until_true calls it
says_why()
{
	client status
	matches 'plainly bad' <"$t/out"
}
sleep 2
lines=$(wc -l <$log)
floods turned 4 >/dev/null &
flood=$!
until_true 10 says_why
cp $t/out $t/status
wait $flood
tail -n +$((lines + 1)) $log >$t/lines
is "no text that turns a line around, but the next one" "$(grep -c $'\u202e' $t/status $t/lines | xargs) $(
	grep -c 'plainly bad' $t/status) $(grep -c 'does not take the policy.*: plainly bad$' $t/lines)" \
	"$t/status:0 $t/lines:0 1 1"
lines=$(wc -l <$log)
heard=$(floods come 3)
is "it comes and goes: a few times, and a few lines" "$((heard <= 14)) $(($(wc -l <$log) - lines < 40))" "1 1"
echo "# it came $heard times"
like "which the log says" "$(life)" 'turned away uid 4711, pid [0-9]+: (the DNS gate comes and goes too often|a DNS gate is connected already)'
"$DSFW_NFT" gate --user $uid --gate-socket $t/gate.sock 2>$t/gate.log &
gate=$!
result "a gate that means well still gets the policy" "$(until_true 15 grep -q ' taken$' $t/gate.log || cat $t/gate.log)"
kill "$gate"
wait "$gate"

# A gate that hangs while one policy comes, another, and the first once more: its answer to the first is no answer to the last.
reload_with() # NAME
{
	firewall_config <<-END
		{"dns": {"upstream": ["9.9.9.10"]}, "networks": {
			"ds-1": {"dns": {}, "egress": [{"to": "host", "host": "$1"}, {"action": "drop"}]},
			"ds-2": {"egress": [{"action": "drop"}]}}}
	END
	client reload
}
pose
until_true 15 given 1 || bail "no policy"
reload_with b.good.test
reload_with a.good.test
reload_with b.good.test
until_true 5 given 4 || bail "no policies: $(<$t/given)"
read -r serial generation < <(sed -n 2p $t/given)
read -r last again < <(tail -1 $t/given)
is "a policy that is given again has another number" "$([[ $generation == "$again" && $serial -lt $last ]] || cat $t/given)" ""
says taken "$serial" "$generation"
says refused
result "an answer to an earlier giving counts for nothing" "$(until_true 5 logged 'does not take the policy.*as it has not answered yet' || life)"
lines=$(wc -l <$log)
says taken
result "the answer to the last one counts" "$(until_true 5 prints 'has taken the policy' tail -n "+$((lines + 1))" $log || life)"

# A gate whose tells are of no policy that the daemon knows, as one of another version: all is closed once, not without end.
reload_with c.good.test
until_true 5 given 5 || bail "no policy: $(<$t/given)"
told=$(nft list sets table inet dockside | grep -oE '[^ ]+-told4')
tells "${told%-told4}" 11.77.0.1
before=$(elements "$told" | grep -c ' 11\.77\.0\.1 ')
says taken
result "addresses of no policy are closed, and the gate is to tell its own again" "$(until_true 5 given 6 || cat $t/given)"
is "so they are" "$before $(elements "$told" | grep -c ' 11\.77\.0\.1 ')" "1 0"
tells "${told%-told4}" 11.77.0.2
says taken
result "it does so again: a warning" "$(until_true 5 logged 'warning: the DNS gate does not say whose addresses it opens' || life)"
is "and nothing else" "$(elements "$told" | grep -c ' 11\.77\.0\.2 ') $(wc -l <$t/given)" "1 6"
exec {says}>&-
end_daemon TERM
stop_peers
finish
