#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A refused packet becomes an event with the right network and rule; a flood of them costs the daemon little, and it
# counts all of them. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

{
	outside 198.51.100.1/32 198.51.100.2/32 203.0.113.1/32 2001:db8:100::1/128 &&
		bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 && bridge ds-b 172.30.2.1/24 2001:db8:2::1/64 &&
		container a1 ds-a 172.30.1.10 2001:db8:1::10 && container a2 ds-a 172.30.1.11 2001:db8:1::11 &&
		container b1 ds-b 172.30.2.10 2001:db8:2::10
} || bail "cannot set up the network"

hosts "198.51.100.2 one.example"
network_config <<'JSON'
{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "2001:db8:1::/64"},
	{"name": "ds-b", "subnet": "172.30.2.0/24"}]}
JSON
rules_of_a='{"action": "drop", "proto": "udp", "to": "cidr", "cidr": "203.0.113.0/24"}'
write_rules() # RULES-OF-A
{
	firewall_config <<-JSON
		{"networks": {
			"ds-a": {"egress": [
				{"proto": "tcp", "ports": [80], "to": "host", "host": "one.example"},
				$1,
				{"action": "drop"}
			]},
			"ds-b": {"host": [
				{"proto": "tcp", "ports": [53]},
				{"action": "drop"}
			]}
		}}
	JSON
}
write_rules "$rules_of_a"
files+=(--denied-log "$t/denied.log")

# events FILE: asks the daemon for all of them
events()
{
	timeout 20 "$DSFW_NFT" denied --socket $socket --json "${@:2}" >"$1" 2>$t/err
}
count()
{
	python3 "$here/denied.py" judge "$@"
}
# shellcheck disable=SC2317 # until_true calls it
have() # FILE COUNT
{
	events "$1" && [[ $(wc -l <"$1") -ge $2 ]]
}
# packets: of ds-a that rules have refused, events or not
packets()
{
	sleep 0.5 # the kernel collects for a tenth of a second
	client metrics
	awk '$1 == "dsfw_nft_denied_packets_total{network=\"ds-a\"}" { print $2 }' <<<"$out"
}
# recorded: events of all networks, since the daemon's start
recorded()
{
	client metrics
	awk '$1 == "dsfw_nft_denied_events_total" { print $2 }' <<<"$out"
}

start_listening
start_daemon

# ---- each is told of -----------------------------------------------------------------------------

is "1,000 refused connections at 100 a second" "$(python3 "$here/denied.py" try 100 1000 \
	a1:tcp:198.51.100.2:443 a1:udp:203.0.113.1:123 b1:udp:192.0.2.1:161 a1:udp:172.30.1.11:22 \
	a1:udp:2001:db8:100::1:53)" "answered 0 reset 200 neither 800"
until_true 5 have $t/events 1000
is "are 1,000 events" "$(wc -l <$t/events)" 1000
line_of() # TEXT: in the file
{
	grep -n "$1" $t/firewall.json | cut -d : -f 1
}
where=(file="$t/firewall.json")
is "of the last rule" "$(count $t/events network=ds-a kind=OUT rule='egress[2]' "${where[@]}" \
	line="$(line_of '{"action": "drop"}$' | head -1)" source=172.30.1.10 destination=198.51.100.2 \
	name=one.example protocol=tcp port=443 verdict=refused)" 200
is "over IPv6" "$(count $t/events network=ds-a kind=OUT rule='egress[2]' source=2001:db8:1::10 \
	destination=2001:db8:100::1 protocol=udp port=53 name=None)" 200
is "of one in the middle" "$(count $t/events network=ds-a kind=OUT rule='egress[1]' "${where[@]}" \
	line="$(line_of 203.0.113)" destination=203.0.113.1 protocol=udp port=123)" 200
is "to the host" "$(count $t/events network=ds-b kind=HOST rule='host[1]' source=172.30.2.10 \
	destination=192.0.2.1 protocol=udp port=161)" 200
is "between containers, by no rule of the file" "$(count $t/events network=ds-a kind=ING rule=- file=None \
	source=172.30.1.10 destination=172.30.1.11 protocol=udp port=22)" 200
is "each has a number of its own" "$(grep -o '"seq":[0-9]*' $t/events | sort -u | wc -l)" 1000
is "the file has the same, but for what a rule does now" "$(sed 's/,"dropped_by":"[^"]*"}$/}/' $t/events | cmp - $t/denied.log 2>&1)" ""
events $t/of_b --network ds-b
is "those of one network" "$(count $t/of_b network=ds-b) $(wc -l <$t/of_b)" "200 200"
events $t/none --since 0s
is "none since now" "$(wc -l <$t/none)" 0
client denied --network ds-b
like "for people" "$out" "ds-b +172.30.2.10 +192.0.2.1 +udp/161 ×200 +host\[1\] \($t/firewall.json:[0-9]+\)"

client denied --network DS-B
is "in letters of either case" "$(tail -n +2 $t/out | grep -c 'ds-b .*udp/161 ×200')" 1
is "in the end how many there were in all" "$(tail -n 1 $t/out | xargs)" "… ds-b 200 packets in all"
client denied --network ds-c
like "a network that does not exist" "$status $out$err" \
	'^1 error: denied: no network "ds-c" is configured; did you mean'
NO_COLOR=1 timeout 20 script -qec "stty cols 76; $DSFW_NFT denied --socket $socket" /dev/null </dev/null | tr -d '\r' >$t/narrow
is "a terminal is not too narrow for it" "$(wc -l <$t/narrow) $([[ $(wc -L <$t/narrow) -le 76 ]] || wc -L <$t/narrow)" \
	"8 " # five lines of repeats, the titles, and the packets of two networks
is "and has the rule's line in it" "$(grep -cE 'egress\[[0-9]+\]:[0-9]+$' $t/narrow)" \
	"$(grep -cE 'egress\[[0-9]+\] \(' <<<"$(client denied; echo "$out")")"

# ---- over a reload -------------------------------------------------------------------------------

mv $t/denied.log $t/denied.old
write_rules '{"action": "drop", "proto": "udp", "to": "cidr", "cidr": "198.51.100.0/24"}'
kill -STOP "$daemon_pid"
python3 "$here/denied.py" try 100 3 a1:udp:203.0.113.1:123 >/dev/null
sleep 0.3
kill -HUP "$daemon_pid"
kill -CONT "$daemon_pid"
until_true 10 logged '^reloaded' || bail "no reload"
until_true 5 have $t/events 1003
is "what came before is of the rule that there was" \
	"$(count $t/events rule='egress[1]' destination=203.0.113.1) $(count $t/events rule='egress[1]')" "203 203"
is "two more" "$(python3 "$here/denied.py" try 100 2 a1:udp:198.51.100.1:7)" \
	"answered 0 reset 0 neither 2"
until_true 5 have $t/events 1005
is "the new one is told" "$(count $t/events rule='egress[1]' destination=198.51.100.1)" 2
is "the file was opened anew" "$(wc -l <$t/denied.log)" 5

# ---- following -----------------------------------------------------------------------------------

timeout 120 "$DSFW_NFT" denied --socket $socket --json --follow --network ds-b >$t/followed 2>&1 &
follower=$!
# shellcheck disable=SC2317 # until_true calls it
followed() # COUNT
{
	[[ $(wc -l <"$t/followed") -ge $1 ]]
}
until_true 5 followed 200
python3 "$here/denied.py" try 100 7 b1:udp:192.0.2.1:162 >/dev/null
until_true 5 followed 207
is "what comes while following" "$(wc -l <$t/followed) $(count $t/followed port=162)" "207 7"
before_follow=$(life | grep -c 'socket: denied')
end_daemon TERM
until_true 5 grep -q waiting $t/followed
start_daemon
python3 "$here/denied.py" try 100 3 b1:udp:192.0.2.1:163 >/dev/null
until_true 5 followed 211
kill "$follower"
is "who follows waits for a daemon that restarts" "$(count <(grep seq $t/followed) port=163) $(grep -c waiting $t/followed)" "3 1"
is "who follows does not fill the log" "$([[ $before_follow -lt 30 ]] && echo yes)" yes

# ---- a flood -------------------------------------------------------------------------------------

# ticks: of the daemon's processor time, in hundredths of a second
ticks()
{
	cut -d ' ' -f 14,15 /proc/"$daemon_pid"/stat | tr ' ' +
}
events=$(recorded)
counted=$(packets)
before=$(($(ticks)))
began=$(monotonic)
sent=$(python3 "$here/denied.py" flood 4 a1:udp:198.51.100.1:9)
sleep 0.3
took=$(awk -v began="$began" -v now="$(monotonic)" 'BEGIN { printf "%d", now - began + 1 }')
share=$(awk -v ticks=$(($(ticks) - before)) -v began="$began" -v now="$(monotonic)" \
	'BEGIN { printf "%.1f", ticks / (now - began) }')
comment <<<"$sent packets refused in 4 s; the daemon took $share % of a processor"
result "a flood takes less than 20 % of a processor" \
	"$(awk -v share="$share" 'BEGIN { if (share >= 20) print share " %" }')"
events=$(($(recorded) - events))
counted=$(($(packets) - counted))
comment <<<"$counted packets, $events events"
is "what was sent is counted" "$counted" "$sent"
result "no more than the limit of the network lets through" \
	"$([[ $events -le $((400 + 200 * took)) ]] || echo "$events events")"
client denied
is "for people, the number" "$(tail -n 2 <<<"$out" | head -n 1 | tr -d , | xargs)" "… ds-a $(packets) packets in all"
result "most of it is no event" "$([[ $events -lt $((sent / 2)) ]] || echo "$events of $sent")"
result "the memory is bounded" "$(events $t/events; [[ $(wc -l <$t/events) -le 4096 ]] || wc -l <$t/events)"
client status
is "the daemon still answers" "$status" 0

# ---- what is counted is right whatever happens meanwhile ------------------------------------------

# flooded SECONDS TARGET…: floods in the background, as $flooder; `wait` for it, $t/sent has the number
flooded()
{
	python3 "$here/denied.py" flood "$@" >$t/sent &
	flooder=$!
}
before=$(packets)
timeout 60 "$DSFW_NFT" denied --socket $socket --follow --network ds-a >$t/followed 2>&1 &
follower=$!
flooded 3 a1:udp:198.51.100.1:9
statuses=
for port in 1 2 3 4 5 6; do
	sleep 0.3
	write_rules "{\"action\": \"drop\", \"proto\": \"udp\", \"ports\": [9, $port], \"to\": \"cidr\", \"cidr\": \"198.51.100.0/24\"}"
	client reload
	statuses+=$status
done
wait "$flooder"
is "reloads during a flood" "$statuses" 000000
is "not one is missing" "$(($(packets) - before))" "$(<$t/sent)"
# shellcheck disable=SC2317 # until_true calls it
followed_more()
{
	[[ $(grep -c '^… .*ds-a .* packets in all$' "$t"/followed) -ge 2 ]]
}
until_true 15 followed_more
kill "$follower"
wait "$follower" 2>/dev/null
result "who follows is told, now and then" "$(until_true 0 followed_more || cat $t/followed | tail -n 3)"

targets=()
rules=
for ((i = 1; i <= 50; i++)); do
	targets+=("a1:udp:198.51.100.1:$((1000 + i))")
	rules+="${rules:+, }{\"action\": \"drop\", \"proto\": \"udp\", \"ports\": [$((1000 + i))]}"
done
write_rules "$rules"
client reload
sleep 2.1 # a calm: so many at once again
before=$(recorded)
began=$(monotonic)
flooded 2 "${targets[@]}"
wait "$flooder"
took=$(awk -v began="$began" -v now="$(monotonic)" 'BEGIN { print now - began }')
sleep 0.5
events=$(recorded)
comment <<<"50 rules refused $(<$t/sent) packets in $took s: $((events - before)) events"
result "fifty rules have no more than one has" "$(awk -v n=$((events - before)) -v s="$took" \
	'BEGIN { if (n < 400 || n > 410 + 200 * s) print n " events" }')"

# Another's rule fills the queue while the daemon is not there to read it.
lost()
{
	client metrics
	awk '$1 == "dsfw_nft_denied_lost_total" { print $2 }' <<<"$out"
}
is "nothing was lost" "$(lost)" 0
nft 'add table inet other
	add chain inet other forward { type filter hook forward priority -10; }
	add rule inet other forward udp dport 4444 log prefix "other" group 20 snaplen 128 drop'
kill -STOP "$daemon_pid"
flooded 1 a1:udp:198.51.100.1:4444
wait "$flooder"
python3 "$here/denied.py" try 100 5 a1:udp:198.51.100.1:1001 >/dev/null
sleep 0.3
kill -CONT "$daemon_pid"
until_true 5 logged 'warning: more packets were refused than could be reported'
nft delete table inet other
python3 "$here/denied.py" try 100 1 a1:udp:198.51.100.1:1001 >/dev/null
sleep 0.5
lost=$(lost)
result "what was lost is counted" "$([[ $lost -gt 0 && $lost -le $(($(<$t/sent) + 5)) ]] || echo "$lost of $(<$t/sent)")"
is "the daemon goes on" "$(life | grep -c 'reported any more')" 0
write_rules '{"action": "drop", "proto": "udp", "to": "cidr", "cidr": "198.51.100.0/24"}'
client reload

# The kernel has not sent on these packets yet when the rules are rewritten: most events say that their rules are
# older.
write_rules "$rules_of_a"
kill -STOP "$daemon_pid"
python3 "$here/denied.py" try 100 3 a1:udp:198.51.100.1:10 >/dev/null
kill -HUP "$daemon_pid"
kill -CONT "$daemon_pid"
# told_of_older: how many, of whichever rule may be named
told_of_older()
{
	events $t/events --since 10m
	echo $(($(count $t/events port=10 rule=None) + $(count $t/events port=10 rule='egress[1]')))
}
until_true 5 prints '^3$' told_of_older
is "an older rule is not taken for another" "$(told_of_older)" 3
comment <<<"$(count $t/events port=10 rule=None) of 3 are of older rules"
is "the daemon still knows the newer ones" "$(python3 "$here/denied.py" try 100 2 a1:udp:203.0.113.1:11)" \
	"answered 0 reset 0 neither 2"
told_of_newer()
{
	events $t/events --since 10m
	count $t/events port=11 rule='egress[1]'
}
until_true 5 prints '^2$' told_of_newer
is "which are told of" "$(told_of_newer)" 2

# ---- who answers is no daemon ---------------------------------------------------------------------

python3 - $t/other <<-'PYTHON' &
	import os, socket, sys
	s = socket.socket(socket.AF_UNIX)
	s.bind(sys.argv[1] + ".new")
	s.listen()
	os.rename(sys.argv[1] + ".new", sys.argv[1])
	while True:
	    c = s.accept()[0]
	    c.recv(4096)
	    c.sendall(b'{"status": "ok", "listening": true, "events": [], "next": -1, "more": true}\n')
	    c.close()
PYTHON
other=$!
until_true 5 test -S $t/other
timeout 60 "$DSFW_NFT" denied --json --socket $t/other >$t/out 2>&1
is "an answer that leads nowhere is the last" "$? $(<$t/out)" "0 "
kill "$other"

# ---- a full disk ---------------------------------------------------------------------------------

end_daemon TERM
mkdir $t/small
mount -t tmpfs -o size=8k none $t/small || bail "no small disk"
files[-1]=$t/small/denied.log
start_daemon
python3 "$here/denied.py" try 200 60 a1:udp:203.0.113.1:13 >/dev/null
until_true 5 logged '^error: write to .*denied.log: No space left' ||
	result "a full disk" "$(life)"
until_true 5 have $t/events 60
mount -o remount,size=64k $t/small
python3 "$here/denied.py" try 100 2 a1:udp:203.0.113.1:14 >/dev/null
# in_log: how many lines are torn, and how many are of port 14
in_log()
{
	python3 - $t/small/denied.log <<-'PYTHON'
		import json, sys
		torn = later = 0
		for line in open(sys.argv[1]):
		    try:
		        later += json.loads(line)["port"] == 14
		    except ValueError:
		        torn += 1
		print(torn, later)
	PYTHON
}
until_true 5 prints '^1 2$' in_log
# The line for which there was no room is lost, and no other.
is "what comes after a full disk is whole" "$(in_log)" "1 2"
files[-1]=$t/denied.log

# ---- another has the group -----------------------------------------------------------------------

end_daemon TERM
python3 "$here/denied.py" occupy 20 < <(sleep 60) >$t/occupied &
occupant=$!
until_true 5 grep -q . $t/occupied
is "another listens to the group" "$(<$t/occupied)" ready
start_daemon
like "the daemon says so, and enforces" "$(life)" 'warning: listen to nflog group 20: another program does, .*; refused packets are not reported'
client denied
like "so does who asks" "$status $err" '^0 .*not told what is refused'
kill "$occupant"
wait "$occupant" 2>/dev/null
client reload
client denied
is "a reload tries again" "$status $err" "0 "
python3 "$here/denied.py" try 100 1 a1:udp:203.0.113.1:12 >/dev/null
until_true 5 have $t/events 1
is "and it hears" "$(count $t/events port=12)" 1

# ---- without it ----------------------------------------------------------------------------------

end_daemon TERM
is "a good end" "$status" 0
files+=(--log-group none)
start_daemon
is "no log statements" "$(nft list table inet dockside | grep -cE 'log prefix|lookups')" 0
client denied
like "and it says so" "$err" 'not told what is refused'
end_daemon TERM
finish
