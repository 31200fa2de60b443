#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Daemon and DNS gate together: the gate takes the daemon's policy, containers reach what they have looked up, and
# status, denied, metrics and learn know of it. TAP.
#
# Environment: LOOKUPS, how many (200).
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=tests/netns/gate_daemon_lib.sh
. "$(dirname "$0")/gate_daemon_lib.sh"

gated() # NAMES [MEMBER-OF-THE-NETWORK,] [MEMBER-OF-DNS]
{
	firewall_config <<-END
		{"dns": {"upstream": ["9.9.9.10"]}, "ipsets": {"web": [$1]}, "networks": {
			"ds-1": {${2:-} "dns": {${3:-}}, "egress": [{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"},
						       {"action": "drop"}]},
			"ds-2": {"egress": [{"action": "drop"}]}}}
	END
}
# shellcheck disable=SC2317 # until_true calls them
{
	gate_is() # KEY [KEY…] VALUE
	{
		[[ $(of gate "${@:1:$#-1}") == "${!#}" ]]
	}
	told_is()
	{
		[[ $(elements ipset-web-told4 | sed -E 's/ timeout [0-9a-z]+//') == "$1" ]]
	}
	told_is_in() # ADDRESS
	{
		elements ipset-web-told4 | matches " ${1//./\\.}( |$)"
	}
	told_without() # ADDRESS: what the pool's name has is told, and that address is not
	{
		local told
		asks pool.good.test,A >/dev/null
		told=$(elements ipset-web-told4)
		matches ' 11\.1\.0\.[0-9]+ ' <<<"$told" && ! matches " ${1//./\\.} " <<<"$told"
	}
	denied_has()
	{
		client denied
		matches "$1" <"$t/out"
	}
	last_status()
	{
		tail -1 "$told" | matches "$1"
	}
}

# ---- without a socket, without a gate, with one --------------------------------------------------

gated '"www.good.test"'
files+=(--gate-user "$uid")
start_daemon
result "no socket for the gate is an alarm" "$(alarmed 'no --gate-socket: .* ds-1' || of alarms)"
end_daemon TERM
files+=(--gate-socket "$t/gate.sock")
start_daemon
begin=$(calm)
result "no gate is one" "$(until_true 5 alarmed 'DNS gate is not connected.* ds-1.*systemctl start dsfw-nft-gate' || of alarms)"
took=$(calm_since "$begin")
result "within a second" "$([[ $took -lt 1500 ]] || echo "after $took ms")" # with the time that asking takes
result "and systemd hears it" "$(until_true 5 last_status 'ALARM' || tail -1 $told)"
is "the socket's mode" "$(stat -c %a $t/gate.sock)" 666
like "nobody else may be the gate" "$(setpriv --reuid 4712 --clear-groups /usr/bin/python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
print(s.recv(100))' $t/gate.sock 2>&1 | tail -1)" "^b''|reset"
result "which the log has" "$(until_true 5 logged 'turned away uid 4712' || life)"
start_gate --gate-socket $t/gate.sock
result "it takes the policy" "$(until_true 5 gate_is policy taken || cat $t/gate.log)"
is "status" "$(of gate pid) $(of gate socket) $(of alarms)" "$gate True []"

# ---- what is looked up is open -------------------------------------------------------------------

is "answers" "$(asks www.good.test,A evil.test,A,edns)" "0 11.0.0.1
3/18"
is "no byte of the other name has left" "$(grep -c evil $t/asked)" 0
probes "and rules" <<-'END'
	c1 tcp 11.0.0.1:443 = open outside 11.0.0.1:443
	c1 tcp 11.0.0.2:443 = reset
	c1 tcp 11.0.0.1:80 = reset
END
result "denied has the name behind an address" "$(until_true 5 denied_has \
	'www\.good\.test \(looked up, 11\.0\.0\.1\) +tcp/80' || cat $t/out)"
result "status counts" "$(until_true 5 gate_is networks ds-1 "{'redirected': 2, 'received': 2, 'refused': 1}" ||
	of gate)"
is "for people" "$(client status; grep '^gate: ' $t/out | sed 's/pid [0-9]*/pid N/')" \
	"gate: connected, pid N, policy taken; 2 questions, 0 answered from memory, 1 refused, 0 failed; asks 9.9.9.10"
result "denied has the refused name" "$(until_true 5 denied_has 'ds-1 .*172\.30\.1\.11.* evil\.test .*dns A .*policy' ||
	cat $t/out)"
client denied --json
is "as JSON" "$(python3 -c '
import json, sys
for line in open(sys.argv[1]):
    event = json.loads(line)
    if event["kind"] == "NAME":
        print(event["network"], event["name"], event["name_from"], event["query_type"], event["times"], event["destination"])
' $t/out)" "ds-1 evil.test question A 1 None"
client learn ds-1
like "learn says what it cannot take" "$err" '1 question for names that the DNS gate refused'
client learn ds-1 --json
like "as JSON, too" "$out" '"refused_names": ?1[,}]'
client metrics
is "metrics" "$(grep -E '^[a-z_]*gate_(connected|policy_taken|network_queries_total\{network="ds-1",verdict="(received|refused)"\}|events_total\{event="refused"\}) ' \
	$t/out | sed 's/^dockside_//; s/^dsfw_nft_//')" 'gate_connected 1
gate_policy_taken 1
gate_events_total{event="refused"} 1
gate_network_queries_total{network="ds-1",verdict="received"} 2
gate_network_queries_total{network="ds-1",verdict="refused"} 1'

# ---- other policies, and what others do to the sets ----------------------------------------------

gated '"www.good.test", "pool.good.test"'
client reload
is "a reload" "$status" 0
result "the gate takes the next policy" "$(until_true 5 gate_is policy taken || cat $t/gate.log)"
result "what was told stays" "$(told_is 'ds-1 . 11.0.0.1' || echo "the set has: $(elements ipset-web-told4)")"
nft flush set inet dockside ipset-web-told4
result "somebody empties the set: it is told again" "$(until_true 10 told_is 'ds-1 . 11.0.0.1' || echo "the set has: $(elements ipset-web-told4)")"
nft delete table inet dockside
result "somebody deletes the table: so it is, too" "$(until_true 15 told_is 'ds-1 . 11.0.0.1' || echo "the set has: $(elements ipset-web-told4)")"

# ---- audit mode, which learn takes ----------------------------------------------------------------

gated '"www.good.test", "pool.good.test"' '"mode": "audit",'
client reload
result "a network in audit mode" "$(until_true 5 gate_is policy taken || cat $t/gate.log)"
is "its gate answers every name" "$(asks more.good.test,A never-most.good.test,A)" "0 11.0.0.1
0 11.0.0.1"
probes "and opens none, which does not matter there" <<-'END'
	c1 tcp 11.0.0.1:80 = open outside 11.0.0.1:80
END
result "denied says that it was answered" "$(until_true 5 denied_has 'more\.good\.test .*dns A .*answered.*audit' || cat $t/out)"
client learn ds-1
like "learn makes rules of what followed" "$out" '"never-most\.good\.test"'
gated '"www.good.test", "pool.good.test"'
client reload
result "and back" "$(until_true 5 gate_is policy taken || cat $t/gate.log)"

# ---- who goes and comes back ---------------------------------------------------------------------

end_daemon KILL
is "the gate answers without the daemon" "$(asks www.good.test,A)" "0 11.0.0.1"
nft delete table inet dockside
start_daemon
result "the next daemon has it told again" "$(until_true 15 told_is 'ds-1 . 11.0.0.1' || echo "the set has: $(elements ipset-web-told4)")"
kill -9 "$gate"
wait "$gate" 2>/dev/null
result "a gate that died is an alarm" "$(until_true 10 alarmed 'DNS gate is not connected' || of alarms)"
start_gate --gate-socket $t/gate.sock
result "and no more, once there is another" "$(until_true 10 gate_is pid "$gate" || of gate)"
result "which takes the policy" "$(until_true 5 gate_is policy taken || of gate)"
is "and there is no alarm" "$(of alarms)" "[]"

# ---- somebody else's input rules -----------------------------------------------------------------

is "no alarm yet, though the last report of the gate is a second old" "$(asks www.good.test,A www.good.test,AAAA \
	www.good.test,A >/dev/null; of alarms)" "[]"
result "all have arrived" "$(until_true 5 gate_is networks ds-1 \
	"{'redirected': 3, 'received': 3, 'refused': 0}" || of gate)"
nsenter --net=/run/netns/c1 python3 -c '
import socket
for _ in range(3):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"none", ("8.8.8.8", 53))
with socket.create_connection(("8.8.8.8", 53)):
    pass'
result "so does what is no question" "$(until_true 5 gate_is networks ds-1 \
	"{'redirected': 7, 'received': 7, 'refused': 0}" || of gate)"
nft -f - <<-'END'
	table ip ufw {
		chain input {
			type filter hook input priority filter; policy drop;
			iifname != "ds-1" accept
		}
	}
END
for _ in 1 2 3 4; do asks www.good.test,A >/dev/null & done
result "questions that another table drops are told, with the rule" "$(until_true 30 alarmed \
	'network ds-1 does not reach the gate.*iifname .*ds-1.* th dport 5300 accept' || of alarms)"
nft delete table ip ufw

# ---- names that go, of addresses that an earlier gate has told -------------------------------------

kill -9 "$gate"
wait "$gate" 2>/dev/null
start_gate --gate-socket $t/gate.sock
result "another gate" "$(until_true 10 gate_is pid "$gate" || of gate)"
asks pool.good.test,A >/dev/null
is "the set has what the last gate told" "$(elements ipset-web-told4 | grep -c ' 11\.0\.0\.1 ')" 1
gated '"pool.good.test"'
client reload
result "a name that leaves takes along what this gate has never told" \
	"$(until_true 5 told_without 11.0.0.1 || echo "the set has: $(elements ipset-web-told4)")"
result "which the log has" "$(until_true 5 logged 'names may have left .* all addresses of the ipset web are closed' || life)"

gated '"www.good.test", "pool.good.test"'
client reload
until_true 5 gate_is policy taken
asks www.good.test,A >/dev/null
is "it comes back" "$(elements ipset-web-told4 | grep -c ' 11\.0\.0\.1 ')" 1
end_daemon TERM
kill -9 "$gate"
wait "$gate" 2>/dev/null
gated '"pool.good.test"'
start_daemon
start_gate --gate-socket $t/gate.sock
until_true 10 gate_is policy taken
result "so does one that leaves while nobody runs" \
	"$(until_true 5 told_without 11.0.0.1 || echo "the set has: $(elements ipset-web-told4)")"

# The gate is to take back what it told itself, and ends before it can.
end_daemon TERM
kill -9 "$gate"
wait "$gate" 2>/dev/null
nft delete table inet dockside
gated '"www.good.test", "pool.good.test"'
start_daemon
start_gate --gate-socket $t/gate.sock
until_true 10 gate_is policy taken
asks www.good.test,A >/dev/null
kill -STOP "$gate"
gated '"pool.good.test"'
client reload
is "a gate that hangs has taken nothing back" "$(elements ipset-web-told4 | grep -c ' 11\.0\.0\.1 ') $(of gate policy)" "1 given"
kill -9 "$gate"
wait "$gate" 2>/dev/null
result "once it has gone, the daemon does" "$(until_true 5 prints_no ' 11\.0\.0\.1 ' elements ipset-web-told4 ||
	elements ipset-web-told4)"
start_gate --gate-socket $t/gate.sock
until_true 10 gate_is policy taken

# A reload while the gate hangs, and then neither of the two is there any more to know of it.
gated '"www.good.test", "pool.good.test"'
client reload
until_true 10 gate_is policy taken
asks www.good.test,A >/dev/null
kill -STOP "$gate"
gated '"pool.good.test"'
client reload
end_daemon KILL
kill -9 "$gate"
wait "$gate" 2>/dev/null
start_daemon
start_gate --gate-socket $t/gate.sock
until_true 10 gate_is policy taken
is "so does one that leaves before both end" "$(elements ipset-web-told4 | grep -c ' 11\.0\.0\.1 ')" 0

# The kernel takes nothing back while the bridge is down, and the gate cannot tell anything.
gated '"www.good.test", "pool.good.test"'
client reload
until_true 10 gate_is policy taken
asks www.good.test,A >/dev/null
pool=$(asks pool.good.test,A | sed 's/^0 //; s/ .*//')
ip link set ds-1 down
gated '"pool.good.test"'
client reload
until_true 10 gate_is policy taken
is "so does one that leaves while the bridge is down" "$(elements ipset-web-told4 | grep -c ' 11\.0\.0\.1 ')" 0
ip link set ds-1 up
result "and the others are open again once it is up" "$(until_true 15 told_is_in "$pool" || elements ipset-web-told4)"

# Somebody takes a range out of "private".
ranges() # RANGE…
{
	gated '"never.good.test", "pool.good.test"' '' '"private": ['"$*"']'
	client reload
	until_true 10 gate_is policy taken
}
ranges '"10.0.0.0/24"'
asks never.good.test,A >/dev/null
is "an address is open by private" "$(elements ipset-web-told4 | grep -cE ' 10\.0\.0\.1( |$)')" 1
ranges
is "and by no other policy" "$(elements ipset-web-told4 | grep -cE ' 10\.0\.0\.1( |$)')" 0
ranges '"10.0.0.0/24"'
asks never.good.test,A >/dev/null
gated '"pool.good.test"'
client reload
until_true 10 gate_is policy taken
is "it goes with its name, too" "$(elements ipset-web-told4 | grep -cE ' 10\.0\.0\.1( |$)')" 0

# ---- what others put back, and what is renewed meanwhile ---------------------------------------------

# Somebody loads a dump of before, and of many more addresses, so that emptying the set takes its time; and a container does
# not stop beginning connections to what has left.
names_are() # NAMES
{
	gated "$1"
	client reload
	until_true 10 gate_is policy taken
}
names_are '"www.good.test", "pool.good.test"'
asks www.good.test,A >/dev/null
nft list table inet dockside >$t/dump
names_are '"pool.good.test"'
{
	echo 'table inet dockside; delete table inet dockside;'
	cat $t/dump
	for i in {0..99}; do
		echo "add element inet dockside ipset-web-told4 { $(printf "ds-1 . 11.3.$i.%d, " {0..255}) }"
	done
} >$t/put-back
nsenter --net=/run/netns/outside nft 'table inet deaf {
	chain prerouting { type filter hook prerouting priority raw; tcp sport 7777 drop; }
}'
nsenter --net=/run/netns/c1 python3 -c '
import socket
while True:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setblocking(False)
        s.bind(("", 7777))
        s.connect_ex(("11.0.0.1", 443))' &
knocks=$!
pids+=("$knocks")
# shellcheck disable=SC2317 # until_true calls it
watched_table()
{
	nft 'add table inet watched; delete table inet watched'
	grep -q 'delete table inet watched' "$t/monitored"
}
nft monitor tables >$t/monitored 2>&1 &
monitor=$!
pids+=("$monitor")
until_true 30 watched_table || bail "nft monitor sees nothing: $(cat $t/monitored)"
nft -f $t/put-back
result "somebody puts back what has left: it is closed again, whoever knocks" \
	"$(until_true 10 told_without 11.0.0.1 || elements ipset-web-told4 | grep -E ' 11\.[01]\.')"
is "and nothing else is left of it" "$(elements ipset-web-told4 | grep -c ' 11\.3\.')" 0
# It has 25,600 elements to read before it comes to this.
until_true 60 grep -q 'delete table inet dockside-pause' $t/monitored
is "no connection could begin while the set was emptied" "$(grep -vE 'table inet (watched|dockside)$' $t/monitored)" \
	"add table inet dockside-pause
delete table inet dockside-pause"
kill $knocks $monitor

# The kernel keeps what was told while neither runs; but not where what is known of it may be of another time.
both_anew()
{
	end_daemon KILL
	kill -9 "$gate"
	wait "$gate" 2>/dev/null
	"$@"
	start_daemon
	start_gate --gate-socket $t/gate.sock
	until_true 10 gate_is policy taken
}
# shellcheck disable=SC2317 # both_anew calls them
{
	read_only()
	{
		mount --bind "$STATE_DIRECTORY" "$STATE_DIRECTORY"
		mount -o remount,bind,ro "$STATE_DIRECTORY"
	}
	booted()
	{
		mount --bind "$t/boot-id" /proc/sys/kernel/random/boot_id
	}
}
names_are '"www.good.test", "pool.good.test"'
asks www.good.test,A >/dev/null
both_anew true
is "both start anew, and nothing is closed" "$(elements ipset-web-told4 | grep -c ' 11\.0\.0\.1 ')" 1
names_are '"pool.good.test"'
both_anew read_only
names_are '"www.good.test", "pool.good.test"'
asks www.good.test,A >/dev/null
gated '"pool.good.test"'
both_anew true
is "a name that leaves while the state directory is read-only" "$(elements ipset-web-told4 | grep -c ' 11\.0\.0\.1 ')" 0
end_daemon TERM
umount -l "$STATE_DIRECTORY"
start_daemon
names_are '"www.good.test", "pool.good.test"'
asks www.good.test,A >/dev/null
echo 1b4e28ba-2fa1-11d2-883f-0016d3cca427 >$t/boot-id
both_anew booted
is "what somebody loads at the start of the machine" "$(elements ipset-web-told4 | grep -c ' 11\.0\.0\.1 ')" 0
umount /proc/sys/kernel/random/boot_id

# The gate has not yet taken back from a set that one network no longer uses, and there is another policy.
shared() # NAMES [RULE,]
{
	local rule='{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"},'
	firewall_config <<-END
		{"dns": {"upstream": ["9.9.9.10"]}, "ipsets": {"web": [$1]}, "networks": {
			"ds-1": {"dns": {}, "egress": [${2+$rule} {"action": "drop"}]},
			"ds-2": {"dns": {}, "egress": [$rule {"action": "drop"}]}}}
	END
}
end_daemon TERM
kill -9 "$gate"
wait "$gate" 2>/dev/null
nft delete table inet dockside
shared '"*.more.test", "www.good.test"' rule
start_daemon
start_gate --gate-socket $t/gate.sock
until_true 10 gate_is policy taken
asks fill.{1..16}.more.test,A www.good.test,A >/dev/null # more than it does at once
kill -STOP "$gate"
shared '"*.more.test", "www.good.test"'
client reload
shared '"*.more.test", "www.good.test", "pool.good.test"'
client reload
kill -CONT "$gate"
until_true 10 gate_is policy taken
shared '"*.more.test", "pool.good.test"' rule
client reload
until_true 10 gate_is policy taken
result "a network that has its ipset back has none of the names that left" "$(until_true 5 prints_no ' 11\.0\.0\.1 ' \
	elements ipset-web-told4 || elements ipset-web-told4 | grep ' 11\.0\.')"
names_are '"pool.good.test"'

# ---- every address of every answer, at once ----------------------------------------------------------

lookups=${LOOKUPS:-200} # of 5 of 200 addresses each
dialled() # until the daemon has reloaded three times
{
	local i
	for ((i = 0; i < 20; i++)); do
		nsenter --net=/run/netns/c1 python3 "$here/gate.py" dial 8.8.8.8 "$lookups" 443 pool.good.test,A >$t/dialled 2>&1
		grep -qx "asked $lookups addresses $((5 * lookups)) refused 0 failed 0" $t/dialled || cat $t/dialled
		[[ $(wc -l <$t/reloads) -lt 3 ]] || return
	done
}
: >$t/reloads
while sleep 0.2; do
	client reload
	((status)) || echo
done >$t/reloads &
reloads=$!
result "$lookups look-ups, each address dialled at once, while the daemon reloads" "$(dialled)"
kill $reloads
wait $reloads 2>/dev/null
comment <<<"it reloaded $(wc -l <$t/reloads) times meanwhile"
is "it did reload" "$(($(wc -l <$t/reloads) >= 3))" 1
end_daemon TERM
is "the socket goes with the daemon" "$([[ -e $t/gate.sock ]] && echo there)" ""
stop_peers
finish
