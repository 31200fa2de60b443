#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `denied` shows to people: refused packets at once while following, the last lines, repeats as one line, columns as wide as what is in
# them, one container, and a summary. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

{
	outside 198.51.100.1/32 && bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 &&
		container a1 ds-a 172.30.1.10 2001:db8:1::10 && container a2 ds-a 172.30.1.11 2001:db8:1::11
} || bail "cannot set up the network"
hosts "198.51.100.1 one.example"
network_config <<<'{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"}]}'
firewall_config <<<'{"networks": {"ds-a": {"egress": [
	{"proto": "tcp", "ports": [443], "to": "host", "host": "one.example"},
	{"action": "drop"}]}}}'
start_listening
start_daemon

# ---- how soon ------------------------------------------------------------------------------------

measured=$(nsenter --net=/run/netns/a1 python3 "$here/latency.py" "$DSFW_NFT" $socket 30 198.51.100.1 2>&1)
comment <<<"$measured"
result "who follows sees a refused packet within 50 ms" \
	"$([[ $measured =~ ^median\ ([0-9]+)\ ms && ${BASH_REMATCH[1]} -le 50 ]] || echo "$measured")"

# ---- lines ---------------------------------------------------------------------------------------

end_daemon TERM
long=a-name-that-takes-much-room.of-a-destination.example
hosts "198.51.100.1 $long"
sed -i "s/one.example/$long/" $t/firewall.json
start_daemon
try() # COUNT TARGET…
{
	python3 "$here/denied.py" try 100 "$@" >/dev/null
}
# shellcheck disable=SC2317 # until_true calls it
have() # COUNT
{
	[[ $("$DSFW_NFT" denied --socket "$socket" --json | wc -l) -ge $1 ]]
}
try 8 a1:udp:198.51.100.1:123
try 2 a2:tcp:203.0.113.7:25 a1:udp:198.51.100.1:9
until_true 5 have 10

# table: without times, and as one blank
table()
{
	sed -E '/packets in all$/d; s/^[0-9: -]{8,19}  //; s/  +/ | /g' $t/out
}
rule="egress[1] ($t/firewall.json:3)"
client denied
is "repeats are one line, columns as wide as what is in them" "$(table)" "TIME | NETWORK | FROM | TO | PROTOCOL | RULE
ds-a | 172.30.1.10 | $long (198.51.100.1) | udp/123 ×8 | $rule
ds-a | 172.30.1.11 | 203.0.113.7 | tcp/25 | $rule
ds-a | 172.30.1.10 | $long (198.51.100.1) | udp/9 | $rule"
client denied --tail 2
is "the last lines" "$(table | sed -n '2,3s/ | egress.*//p')" "ds-a | 172.30.1.11 | 203.0.113.7 | tcp/25
ds-a | 172.30.1.10 | $long (198.51.100.1) | udp/9"
client denied --tail 3 --json
is "the last events" "$(grep -o '"port":[0-9]*' $t/out | xargs)" "port:123 port:25 port:9"
client denied --summary
is "by destination" "$(sed -E '/packets in all$/d; s/20[0-9-]+ [0-9:]+/T/g; s/^ +//; s/  +/ | /g' $t/out)" \
	"COUNT | FIRST | LAST | NETWORK | TO | PROTOCOL | RULE
8 | T | T | ds-a | $long (198.51.100.1) | udp/123 | $rule
1 | T | T | ds-a | $long (198.51.100.1) | udp/9 | $rule
1 | T | T | ds-a | 203.0.113.7 | tcp/25 | $rule"
client denied --summary --json
is "as JSON" "$(python3 -c 'import json, sys
for s in map(json.loads, sys.stdin):
	print(s["count"], s["name"] and len(s["name"]), s["address"], s["protocol"], s["rule"], s["line"], s["last_ms"] >= s["first_ms"])' \
	<$t/out)" "8 ${#long} 198.51.100.1 udp/123 egress[1] 3 True
1 ${#long} 198.51.100.1 udp/9 egress[1] 3 True
1 None 203.0.113.7 tcp/25 egress[1] 3 True"
client denied --summary --follow
is "which does not go on" "$status" 2

# screen COLUMNS: what a terminal of that width shows
screen()
{
	NO_COLOR=1 timeout 20 script -qec "stty cols $1; $DSFW_NFT denied --socket $socket" /dev/null </dev/null | tr -d '\r' >$t/screen
}
for columns in 80 100 130 150 180; do
	screen $columns
	result "$columns columns are enough" "$([[ $(wc -L <$t/screen) -le $columns ]] || cat $t/screen)"
done
screen 110
is "the address goes before the name is cut" "$(grep -c "$long  " $t/screen) $(grep -c 198.51.100.1 $t/screen)" "2 0"
screen 90
is "which then keeps its beginning" "$(grep -c 'a-name-that-takes-much' $t/screen)" 2

# ---- following -----------------------------------------------------------------------------------

timeout 60 "$DSFW_NFT" denied --socket $socket --follow --tail 1 >$t/followed 2>&1 &
follower=$!
# shellcheck disable=SC2317 # until_true calls it
shows() # PATTERN
{
	grep -qE "$1" "$t"/followed
}
until_true 5 shows 'udp/9 '
is "it begins with the last line" "$(grep -c egress $t/followed)" 1
try 1 a1:udp:198.51.100.1:77
until_true 5 shows 'udp/77 '
try 5 a1:udp:198.51.100.1:77
until_true 5 have 16
result "repeats come as one line, now and then" "$(until_true 15 shows 'udp/77 ×5' || cat $t/followed)"
is "and not before" "$(grep -c 'udp/77' $t/followed)" 2
kill "$follower"
end_daemon TERM
finish
