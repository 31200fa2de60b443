#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Both tables, inet dockside and bridge dockside, go through one engine: what changes in both goes in one transaction,
# both are compared, repaired and removed, and a container that starts or stops changes elements and nothing else. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

bind_engine_probe=${TOP_BUILDDIR:-$here/../..}/tests/netns/bind_engine_probe
[[ -x $bind_engine_probe ]] || bail "no program at $bind_engine_probe: make check TESTS="

bridge br0 172.20.0.1/24 fd00::1/64 || bail "cannot build the network"
network_config <<<'{"networks": [{"name": "br0", "subnet": "172.20.0.0/24"}]}'
config() # PORT
{
	firewall_config <<<'{"networks": {"br0": {"egress": [{"proto": "tcp", "ports": ['"$1"']},
		{"action": "drop"}]}}}'
}
config 80

ruleset()
{
	nft -s list ruleset
}
tables()
{
	nft list tables | grep dockside | xargs
}
both="table inet dockside table bridge dockside"

# ---- commands --------------------------------------------------------------------------------------

before=$(generation)
dsfw apply
is "apply loads both tables" "$status $(tables)" "0 $both"
is "in one transaction; another one records the rules of both" "$(($(generation) - before))" 2
is "each has its records" \
	"$(nft list set inet dockside fingerprint | grep -c 'OUT=') $(nft list set bridge dockside fingerprint | grep -c 'bind=')" "1 1"
is "the chain is hooked ahead of all others" \
	"$(nft list chain bridge dockside bind | grep -o 'hook prerouting priority dstnat - 10; policy accept')" \
	"hook prerouting priority dstnat - 10; policy accept"
dsfw diff
is "then nothing differs" "$status $out" "0 no differences"
before=$(generation)
dsfw apply
is "and nothing is written again" "$status $(($(generation) - before))" "0 0"
dsfw compile
is "compile prints both, inet first" "$(grep -o '^table .* {$' $t/out | xargs)" \
	"table inet dockside { table bridge dockside {"
ruleset >$t/wanted
dsfw compile
nft -f $t/out
dsfw diff
is "nft loads what compile prints" "$status $out" "0 no differences"
dsfw check --kernel
like "check --kernel knows both" "$status $out" "^0 ok:"

nft delete table bridge dockside
dsfw diff
like "diff shows a table that is missing" "$status $out" "^1 table bridge dockside: new.*chain bind: new"
dsfw apply
is "apply puts it back" "$status $(ruleset | diff $t/wanted -)" "0 "
nft flush chain bridge dockside bind
nft 'add chain bridge dockside mine; add rule bridge dockside mine drop'
dsfw diff
like "diff shows rules of others, and what they took" "$status $out" \
	"^1 table bridge dockside.*chain bind: changed.*chain mine: removed.*- drop"
dsfw apply
is "apply undoes both" "$status $(ruleset | diff $t/wanted -)" "0 "
nft 'delete chain bridge dockside bind
	add chain bridge dockside bind { type filter hook prerouting priority -300; policy accept; }'
dsfw diff
like "diff shows a wrong priority" "$status $out" "chain bind: made anew \(wrong hook, priority or policy\)"
dsfw apply
is "apply makes it anew, at the end of the table" "$status $(ruleset | sort | diff <(sort $t/wanted) -)" "0 "

# ---- all or nothing --------------------------------------------------------------------------------

# full FAMILY HOOK: no other chain has a place in this hook, of which the kernel gives out 1024; some of them are taken
full()
{
	local i n=1024

	until {
		echo "add table $1 full"
		for ((i = 0; i < n; i++)); do
			echo "add chain $1 full c$i { type filter hook $2 priority 100; policy accept; }"
		done
	} | nft -f - 2>/dev/null; do
		((--n > 1000)) || bail "cannot fill a hook"
	done
}
nft delete table bridge dockside
full bridge prerouting
ruleset >$t/before
config 81
dsfw apply
like "where the kernel refuses one table, apply fails" "$status $err" \
	"^1 .*error: apply: load ruleset: .*Argument list too long"
is "the other one, which changes as well, stays as it was" "$(ruleset | diff $t/before -)" ""
nft delete table bridge full
dsfw apply
is "once it has place, both change" \
	"$status $(tables) $(nft list chain inet dockside br0-OUT | grep -c 'dport 81')" "0 $both 1"

nft flush ruleset
full inet input
ruleset >$t/before
dsfw apply
like "the same the other way round" "$status $err" "^1 .*Argument list too long"
is "nothing of either table is there" "$(ruleset | diff $t/before -)" ""
nft flush ruleset
dsfw apply
is "and then both" "$status $(tables)" "0 $both"

# ---- an owner --------------------------------------------------------------------------------------

nft delete table bridge dockside
coproc OWNER { nft -i; }
echo 'add table bridge dockside { flags owner; }' >&"${OWNER[1]}"
until_true 5 prints 'table bridge dockside' nft list tables || bail "no table with an owner"
dsfw apply
like "a table that another process owns is said to be its own" "$status $err" \
	"^1 .*table bridge dockside is owned by another process"
# shellcheck disable=SC2154 # bash sets it
kill "$OWNER_PID"
until_true 5 prints_no 'table bridge dockside' nft list tables || bail "the table stays"
dsfw apply
is "once the owner is gone" "$status $(tables)" "0 $both"

# ---- ports -----------------------------------------------------------------------------------------

coproc PROBE { "$bind_engine_probe" $t/network.json $t/firewall.json 2>$t/times; }
# shellcheck disable=SC2153
probe_pid=$PROBE_PID # bash forgets it when that ends
# probe LINE…: the answer to the last one
# shellcheck disable=SC2154
probe()
{
	local line

	printf '%s\n' "$@" >&"${PROBE[1]}"
	read -r -t 20 line <&"${PROBE[0]}" && echo "$line"
}
elements() # SET
{
	nft list set bridge dockside "$1" | tr -s '\n\t ' ' ' | sed -n 's/.*elements = { \([^}]*\) }.*/\1/p'
}
a="port veth1 br0 02:42:ac:14:00:02 172.20.0.2 fd00::2"
b="port veth2 br0 02:42:ac:14:00:03 172.20.0.3 fd00::3"

nft add element bridge dockside macs '{ "old" . 02:42:00:00:00:01 }'
is "while nobody was asked who is on which port, what is bound stays bound" \
	"$(probe again) $(elements macs | grep -c old)" "ok 0 1"
# and the rules change, as somebody follows the ports from now on
is "the first answer is compared with what is there" "$(probe "$a" tell)" "ok 2"
is "and has its elements, and no others" "$(elements ports), $(elements macs), $(elements addrs4), $(elements addrs6)" \
	'"veth1" comment "veth1", "veth1" . 02:42:ac:14:00:02, "veth1" . 172.20.0.2, "veth1" . fd00::2, '\
'"veth1" . fe80::42:acff:fe14:2'
nft -a -t list table bridge dockside >$t/rules
is "a container starts: one transaction" "$(probe "$a" "$b" tell) $(elements addrs4)" \
	'ok 1 "veth1" . 172.20.0.2, "veth2" . 172.20.0.3'
is "it gets another address, the first one stops" "$(probe "${b/172.20.0.3/172.20.0.4}" tell) $(elements addrs4)" \
	'ok 1 "veth2" . 172.20.0.4'
is "nothing new: none" "$(probe "${b/172.20.0.3/172.20.0.4}" tell)" "ok 0"
is "no rule was made anew for that" "$(nft -a -t list table bridge dockside | diff $t/rules -)" ""

nft delete element bridge dockside macs '{ "veth2" . 02:42:ac:14:00:03 }'
is "an element that somebody deletes comes back" "$(probe again) $(elements macs)" \
	'ok 1 "veth2" . 02:42:ac:14:00:03'
nft add element bridge dockside addrs4 '{ "veth2" . 172.20.0.1 }'
is "one that somebody adds goes" "$(probe again) $(elements addrs4)" 'ok 1 "veth2" . 172.20.0.4'
nft flush ruleset
is "both tables come back in one transaction, and another one records them" \
	"$(probe again) $(tables) $(elements macs)" "ok 2 $both \"veth2\" . 02:42:ac:14:00:03"
nft delete table bridge dockside
like "what cannot be told to a table that is gone is an error" "$(probe "$a" tell)" \
	"^bind ports: set .*No such file or directory"
is "after which everything is compared" "$(probe again) $(elements ports)" 'ok 2 "veth1" comment "veth1"'
lines=()
for ((i = 0; i < 200; i++)); do
	lines+=("port p$i br0 02:42:ac:14:01:$(printf %02x "$i") 172.20.0.$((i + 20)) fd00::$(printf %x $((i + 20)))")
done
probe "${lines[@]}" tell >/dev/null
is "200 ports" "$(nft list set bridge dockside ports | grep -o '"p[0-9]*" comment' | wc -l)" 200
probe "${lines[@]}" "$a" tell >/dev/null
echo "# one more of them took $(tail -1 $t/times)"

is "without the bridge family the table is left out" "$(probe no-bridge again)" "ok 1"
is "and the other one stays" "$(tables)" "table inet dockside"
eval "exec ${PROBE[1]}>&-"
wait "$probe_pid"

# ---- the daemon ------------------------------------------------------------------------------------

start_listening
start_daemon
is "the daemon makes both" "$(tables)" "$both"
# shellcheck disable=SC2317 # what others call
put_back() # NUMBER TABLES
{
	[[ $(life | grep -c 'put back') -ge $1 && $(tables) == "$2" ]]
}
nft delete table bridge dockside
until_true 5 put_back 1 "$both"
like "it puts back table bridge dockside, and says so" "$(life | grep 'put back' | tail -1)" \
	"nft \(pid [0-9]+\) deleted the table bridge dockside; put back [0-9]+ chains"
nft flush ruleset
until_true 5 put_back 2 "$both"
like "both after flush ruleset" "$(life | grep 'put back' | tail -1)" \
	"deleted the table inet dockside deleted the table bridge dockside; put back"
nft add rule bridge dockside bind drop
until_true 5 put_back 3 "$both"
like "a rule of somebody else in it goes" "$(life | grep 'put back' | tail -1)" \
	"changed chain \"bind\" of bridge dockside; put back 1 chains"
is "and the rules are right again" "$(nft list chain bridge dockside bind | grep -c drop)" 0
is "these were three repairs" "$(drift repairs)" 3
before=$(generation)
nft 'add table bridge other; add chain bridge other c; delete table bridge other'
dsfw diff
is "another table of the family is not ours" "$status $(drift repairs)" "0 3"
end_daemon TERM
is "the daemon ends, and both stay" "$status $(tables)" "0 $both"

# ---- teardown --------------------------------------------------------------------------------------

before=$(generation)
dsfw teardown
is "teardown removes both" "$status ${out//$'\n'/ }" \
	"0 removed table inet dockside removed table bridge dockside"
is "in one transaction" "$(($(generation) - before)) $(tables)" "1 "
dsfw teardown
is "and then nothing" "$status $out" "0 nothing to remove"
finish
