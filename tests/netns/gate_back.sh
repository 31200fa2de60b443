#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A DNS gate takes back what has left, and once more, also where something else is to be done before it has come to that. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/gate_lib.sh
. "$(dirname "$0")/gate_lib.sh"

# br-b has both lists.
send_policy() # GENERATION NAMES-OF-ONE NAMES-OF-TWO
{
	document 9.9.9.10 "$2" "$3" "$1" | sed 's/"br-b", "lists": \[2\]/"br-b", "lists": [1, 2]/' >"$t/sent.$1"
	give sealed "$1"
}
gave=0
give() # sealed|retell|none GENERATION: of a policy that was sent
{
	gave=$((gave + 1))
	printf 'policy %s %s\n' "$t/sent.$2" "$1" >&"$to_daemon"
}
# shellcheck disable=SC2317 # until_true calls it
taken() # GENERATION
{
	grep -q "\"taken\",\"generation\":\"g-$1\"" "$t/reports"
}
# shellcheck disable=SC2317 # until_true calls it
sent() # HOW-MANY policies
{
	[[ $(grep -c '^sent ' "$t/reports") -ge $1 ]]
}

# After the first tell that takes back an address of the set `once`, a packet is simulated that has found it before.
nft -f - <<-'END'
	add set inet dockside once { type ipv4_addr; flags dynamic; size 16; }
	flush chain inet dockside untell-one
	add rule inet dockside untell-one meta nfproto ipv4 delete @one-told4 { oifname . ip daddr }
	add rule inet dockside untell-one ip daddr @once update @one-told4 { oifname . ip daddr timeout 3900s } delete @once { ip daddr }
	add rule inet dockside untell-one counter drop
END
mapfile -t fills < <(seq 100 | sed 's/.*/fill.x&.test/')
all=$(printf '"%s"\n' "${fills[@]}" | paste -sd,)
mkfifo $t/to-daemon
: >$t/reports
chmod 1777 $t
exec {to_daemon}<>$t/to-daemon
python3 "$here/gate.py" daemon $t/gate.sock $t/reports <$t/to-daemon &
pids+=("$!")
"$DSFW_NFT" gate --user $uid --gate-socket $t/gate.sock 2>$t/gate.log &
gate=$!
pids+=("$gate")
until_true 10 grep -q connected $t/reports || bail "no connection: $(<$t/gate.log)"

# takes_back NAME LAST-GENERATION COMMAND…: one address leaves br-a and thousands br-b; what COMMAND does comes next
takes_back()
{
	send_policy "$1-1" '"www.good.test"' "$all"
	until_true 10 taken "$1-1" || bail "no policy: $(tail -3 $t/reports)"
	asks a1 www.good.test,A >/dev/null
	asks b1 "${fills[@]/%/,A}" >/dev/null
	local before
	before=$(elements one-told4 | grep -c 'br-a . 11\.0\.0\.1 ')
	nft add element inet dockside once '{ 11.0.0.1 }'
	kill -STOP "$gate"
	send_policy "$1-2" '' ''
	"${@:3}"
	until_true 5 sent $gave || bail "not sent: $(tail -3 $t/reports)"
	kill -CONT "$gate"
	until_true 20 taken "$2" || bail "no policy: $(tail -3 $t/reports)"
	is "$1: the address was open, was put in again, and is closed" "$before $(nft list set inet dockside once | grep -c 11.0.0.1) $(
		elements one-told4 | xargs)" "1 0 "
}
# shellcheck disable=SC2317 # takes_back calls it
another()
{
	send_policy another '' '"other.test"'
}
takes_back alone alone-2 true
takes_back between another another
takes_back again again-2 give retell again-2
takes_back unread unread-2 give none unread-2
is "what it says to have taken is what it could read" \
	"$(sed -nE 's/.*"taken","generation":"g-unread-2","serial":([0-9]+).*/\1/p' $t/reports)" \
	"$(sed -nE 's,^sent ([0-9]+) .*/sent\.unread-2$,\1,p' $t/reports | head -1)"
finish
