#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The gate's life: the private socket to the daemon, what it reports, its limits, name servers that fail, restarts with
# held sockets, privileges.
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/gate_lib.sh
. "$here/gate_lib.sh"

# reported REGEX: whether the gate has
# shellcheck disable=SC2317 # until_true calls it
reported()
{
	grep -qE "$1" "$t/reports"
}

send_policy() # ARGUMENT-OF-DAEMON DOCUMENT…
{
	document "${@:2}" >$t/sent
	printf 'policy %s %s\n' $t/sent "$1" >&"$to_daemon"
}

# ---- privileges ----------------------------------------------------------------------------------

like "root has to say who" "$($DSFW_NFT gate --policy /dev/null 2>&1; echo $?)" \
	'gate: the gate does not run as root: --user dsfw-gate.*[[:space:]]1$'
like "a user that does not exist" "$($DSFW_NFT gate --policy /dev/null --user nonesuch 2>&1; echo $?)" \
	'there is no user nonesuch: adduser .*[[:space:]]1$'
like "no policy from anywhere" "$($DSFW_NFT gate 2>&1; echo $?)" 'there is no policy to answer by.*[[:space:]]2$'

# ---- the private socket --------------------------------------------------------------------------

mkfifo $t/to-daemon
: >$t/reports
chmod 1777 $t
$DSFW_NFT gate --user $uid --gate-socket $t/gate.sock 2>$t/gate.log &
gate=$!
pids+=("$gate")
is "no privileges are left" "$(until_true 5 grep -q 'answers nothing' $t/gate.log
	sed -nE 's/^(Uid|Gid|Groups|CapEff|CapPrm|CapInh|CapAmb|NoNewPrivs):\s*/\1 /p' "/proc/$gate/status" | tr -s '\t ' ' ' |
	sed 's/ $//')" "Uid $uid $uid $uid $uid
Gid $uid $uid $uid $uid
Groups $uid
CapInh 0000000000000000
CapPrm 0000000000000000
CapEff 0000000000000000
CapAmb 0000000000000000
NoNewPrivs 1"
is "before the first policy: SERVFAIL" "$(asks a1 www.good.test,A,edns)" "2/14"
exec {to_daemon}<>$t/to-daemon
python3 "$here/gate.py" daemon $t/gate.sock $t/reports <$t/to-daemon &
daemon=$!
pids+=("$daemon")
result "the gate connects once the daemon is there" "$(until_true 5 reported connected || cat $t/gate.log)"
send_policy sealed 9.9.9.10 '"www.good.test", "never.good.test", "*.wild.test"' '' one
result "a policy is taken, and that is said" "$(until_true 5 reported '"type":"taken","generation":"g-one"' ||
	cat $t/reports)"
is "it is in force" "$(asks a1 www.good.test,A evil.test,A)" "0 11.0.0.1
3"
for how in seals two none; do
	: >$t/reports
	send_policy $how 9.9.9.10 '"other.test"' '' "$how"
	result "a policy that is not what it has to be ($how)" "$(until_true 5 reported '"type":"refused"' ||
		cat $t/reports)"
done
echo '{"version": 1}' >$t/sent
: >$t/reports
printf 'policy %s\n' $t/sent >&"$to_daemon"
result "a faulty one: what, and where" "$(until_true 5 reported '"refused",.*line 1, column 1: no \\"generation\\"' ||
	cat $t/reports)"
is "the last good one is in force" "$(asks a1 www.good.test,A)" "0 11.0.0.1"

# An address that a packet renews while it is taken back is taken back once more, after 100 ms: not before that is all closed.
ms_to_taken() # NAMES GENERATION
{
	local begin=${EPOCHREALTIME/./}
	send_policy sealed 9.9.9.10 "$1" '' "$2"
	timeout 10 grep -qm 1 "\"taken\",\"generation\":\"g-$2\"" < <(exec tail -f $t/reports)
	echo $(((${EPOCHREALTIME/./} - begin) / 1000))
}
took=$(ms_to_taken '"never.good.test", "*.wild.test"' less)
is "a policy that closes an address is taken when it is closed for good" "$((took >= 100))" 1
echo "# after $took ms, one that opens after $(ms_to_taken '"www.good.test", "never.good.test", "*.wild.test"' one) ms"

# ---- reports -------------------------------------------------------------------------------------

: >$t/reports
asks a1 worse.test,A worse.test,A 'Ev"il.test,TXT' never.good.test,A www.good.test,AAAA >/dev/null
result "refusals, folded" "$(until_true 5 reported \
	'"refusal","network":"ds-a","client":"10.1.0.2","name":"worse.test","qtype":"A","why":"not in the policy","times":[12]' ||
	cat $t/reports)"
result "with strange bytes" "$(until_true 5 reported '"name":"ev\\\\034il.test","qtype":"TXT"' || cat $t/reports)"
result "what was told" "$(until_true 5 reported '"told","network":"ds-a","name":"www.good.test","addresses":\["2a00:1::1"\]' ||
	cat $t/reports)"
result "an alarm" "$(until_true 5 reported '"alarm","network":"ds-a","name":"never.good.test"' || cat $t/reports)"
result "the state" "$(until_true 5 reported "\"state\",\"pid\":$gate,\"queries\":[0-9]+,.*\"upstream\":\[\{\"address\":\"9.9.9.10\",\"ok\":true.*\"ds-a\":\{\"received\":" ||
	cat $t/reports)"
is "reports are JSON" "$(python3 -c 'import json, sys
for line in open(sys.argv[1]):
    json.loads(line)' $t/reports 2>&1)" ""

# ---- limits --------------------------------------------------------------------------------------

sleep 1 # for a full burst
: >$t/asked
mapfile -t new < <(seq -f 'n%g.wild.test,A' 600)
is "new names that only a pattern allows are rationed" "$(gate_py a1 together 8.8.8.8 "${new[@]}" |
	sort | uniq -c | awk '$2 == 0 { answered = $1 } $2 == 2 { limited = $1 }
	END { print answered + limited, (answered >= 200 && limited > 0 ? "limited" : answered) }')" "600 limited"
is "names that were asked before are not" "$(asks a1 n1.wild.test,A n1.wild.test,AAAA n2.wild.test,A | cut -c 1 | xargs)" \
	"0 0 0"
: >$t/asked
for _ in $(seq 20); do
	asks a1 silent.wild.test,A &
done >/dev/null
until_true 5 grep -q silent $t/asked
sleep 0.3
result "equal questions that wait are one question, perhaps put again" "$([[ $(grep -c silent $t/asked) -le 3 ]] ||
	grep -c silent $t/asked)"
is "meanwhile others are answered" "$(asks a1 www.good.test,A,fast)" "0 11.0.0.1"

# ---- audit ---------------------------------------------------------------------------------------

: >$t/reports
send_policy sealed 9.9.9.10 '"www.good.test"' '' audit 65536 true
until_true 5 reported 'g-audit'
is "audit: everything is answered" "$(asks b1 anything.test,A use-application-dns.net,A)" "0 11.0.0.1
3"
is "opens nothing" "$(elements one-told4 | grep br-b)" ""
# In a second that had many refusals before it, it may be one that the report leaves out.
# shellcheck disable=SC2317 # until_true calls it
recorded()
{
	reported '"ds-b",.*"name":"anything.test","qtype":"A","why":"not in the policy, and' ||
		{ asks b1 anything.test,A >/dev/null && return 1; }
}
result "and is recorded" "$(until_true 5 recorded || cat $t/reports)"

# ---- name servers that fail ----------------------------------------------------------------------

send_policy sealed '9.9.9.11", "9.9.9.10' '"*.good.test"' '' dead
until_true 5 reported 'g-dead'
ip -n outside addr add 9.9.9.11/32 dev lo # nobody listens, and that is said
in_net outside nft insert rule inet mute output ip saddr 9.9.9.11 accept
is "a name server where nobody listens: the other one answers" "$(asks a1 a1.good.test,A a2.good.test,A a3.good.test,A,fast)" \
	"0 11.0.0.1
0 11.0.0.1
0 11.0.0.1"
result "is said" "$(until_true 5 reported '"address":"9.9.9.11","ok":false,"why":"Connection refused"' || cat $t/reports)"
send_policy sealed '9.9.9.12", "9.9.9.10' '"*.good.test"' '' silent
until_true 5 reported 'g-silent'
ip -n outside addr add 9.9.9.12/32 dev lo
in_net outside nft 'add chain inet mute in { type filter hook input priority 1; }; add rule inet mute in ip daddr 9.9.9.12 drop'
is "a silent one: the other one answers, and after a few is asked first" \
	"$(asks a1 b1.good.test,A b2.good.test,A b3.good.test,A b4.good.test,A,fast)" "0 11.0.0.1
0 11.0.0.1
0 11.0.0.1
0 11.0.0.1"

ip -n outside addr add 9.9.9.13/32 dev lo
upstream 9.9.9.13
in_net outside nft add rule inet mute in ip daddr 9.9.9.13 tcp dport 53 drop
send_policy sealed '9.9.9.13", "9.9.9.10' '"*.good.test"' '' no-tcp
until_true 5 reported 'g-no-tcp'
is "an answer that is too long, and no TCP at the first name server: the second one's" \
	"$(asks a1 huge.good.test,A | awk '{ print $1, NF - 1 }')" "0 28"
send_policy sealed 9.9.9.13 '"*.good.test"' '' no-case
until_true 5 reported 'g-no-case'
is "letters in another case, and no TCP: the gate does not do without them" "$(asks a1 lower.good.test,A)" 2

# ---- the daemon goes -----------------------------------------------------------------------------

kill "$daemon"
wait "$daemon"
result "the daemon goes: that is said" "$(until_true 5 grep -q 'the daemon has gone' $t/gate.log || cat $t/gate.log)"
is "and the gate goes on" "$(asks a1 c1.good.test,A)" "0 11.0.0.1"
rm $t/gate.sock
sleep 100 | python3 "$here/gate.py" daemon $t/gate.sock /dev/null 4713 &
pids+=("$!")
result "a stranger in its place is not believed" "$(until_true 5 grep -q 'neither root nor' $t/gate.log || cat $t/gate.log)"
kill "$gate"
wait "$gate"
is "SIGTERM: exit status" "$?" 0

# ---- restarts with held sockets ------------------------------------------------------------------

document 9.9.9.10 '"*.good.test"' '' held >$t/policy
python3 "$here/gate.py" hold 5300 "$DSFW_NFT" gate --user $uid --policy $t/policy 2>$t/gate.log &
holder=$!
pids+=("$holder")
until_true 5 grep -q 'taken' $t/gate.log
asks a1 www.good.test,A >/dev/null
gate_py a1 steady 8.8.8.8 2000 $t/begun $t/enough >$t/steady &
steady=$!
until_true 5 test -e $t/begun || bail "no question is answered: $(<$t/gate.log)"
for signal in KILL TERM KILL KILL TERM; do
	sleep 0.4
	kill -$signal "$(<"/proc/$holder/task/$holder/children")" 2>/dev/null
done
touch $t/enough
wait "$steady"
is "they were asked while that happened" "$?" 0
read -r questions lost <$t/steady
comment <<<"$questions questions, $lost lost"
# A gate that is killed loses what it has read and not yet answered: 64 at most (BUNCH of gate_udp.c). Without held sockets
# it would be what is asked until the next one listens.
result "kill -9 and restarts: of at least 1,000 questions, hardly any is lost" \
	"$([[ $questions -ge 1000 && $lost -le 192 ]] || cat $t/steady)"
is "there were several starts" "$(($(grep -c taken $t/gate.log) >= 4))" 1
kill "$holder"
wait "$holder" 2>/dev/null

finish
