#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several applies at once, others who change the table meanwhile, and applies that are killed: the table
# is always that of one policy, and the next apply makes it right. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

network_config <<'END'
{"networks": [
	{"name": "ds-a", "subnet": "172.30.1.0/24"},
	{"name": "ds-b", "subnet": "172.30.2.0/24"}
]}
END
# Both with nat rules: the NAT chain stays in the table.
cat >$t/policy.0 <<'END'
{"ipsets": {"good": ["198.51.100.1", "203.0.113.0/24"]},
"networks": {"ds-a": {"egress": [{"proto": "tcp", "ports": [80, 443], "to": "ipset", "ipset": "good"},
	{"action": "drop"}], "nat": [{"match_dport": 25, "to_ip": "198.51.100.2", "to_port": 25}]}}}
END
cat >$t/policy.1 <<'END'
{"ipsets": {"good": ["198.51.100.2", "203.0.113.0/24"]},
"networks": {"ds-a": {"egress": [{"to": "ipset", "ipset": "good"}, {"action": "drop"}],
	"host": [{"action": "drop"}]}, "ds-b": {"egress": [{"action": "drop", "proto": "udp"}],
	"nat": [{"match_dport": 25, "to_ip": "198.51.100.3", "to_port": 25}]}}}
END

apply() # POLICY: exits with its status
{
	timeout 60 "$DSFW_NFT" apply --network-config $t/network.json --firewall-config "$t/policy.$1"
}

# which: the policy that the table is of, or what it is
which()
{
	local i
	listing 2>/dev/null >$t/now
	for i in 0 1; do
		cmp -s $t/now $t/table.$i && echo $i && return
	done
	cat $t/now
}

for i in 1 0; do
	apply $i >$t/out 2>&1 || bail "cannot apply: $(<$t/out)"
	listing >$t/table.$i
done
is "two policies" "$(which) $(cmp -s $t/table.0 $t/table.1 && echo same)" "0 "

# converges DESCRIPTION: an apply of either policy works, and then there is no difference
converges()
{
	local faults='' i
	for i in 0 1; do
		cp $t/policy.$i $t/firewall.json
		dsfw apply
		faults+=$(status_fault 0)
		[[ $(which) == "$i" ]] || faults+=$(which | diff $t/table.$i -)
		dsfw diff
		faults+=$(status_fault 0)
	done
	result "$1" "$faults"
}

# ---- a save that was interrupted ------------------------------------------------------------------

cp $t/policy.0 $t/firewall.json
echo '{' >$t/firewall.json.dsfw-new
faults=
for command in check diff compile; do
	dsfw $command
	[[ $err == *"save of the configuration files is not complete"* && $status -eq 0 ]] ||
		faults+="$command: $status $err"$'\n'
done
[[ -e $t/firewall.json.dsfw-new ]] || faults+="it was repaired"
result "check, diff and compile warn of an interrupted save, and leave it" "$faults"
dsfw apply
is "apply repairs it" "$status $(find $t -name '*.dsfw-*') $(grep -c 'warning: undid a save' <<<"$err")" "0  1"
dsfw check
is "and that is that" "$status $(grep -c 'save' <<<"$err")" "0 0"

# ---- at the same time ----------------------------------------------------------------------------

at_once() # COUNT: $statuses, each once
{
	local pids=() i
	statuses=
	for ((i = 0; i < $1; i++)); do
		apply $((i % 2)) >"$t/out.$i" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
		statuses+="$? "
	done
	statuses=$(tr ' ' '\n' <<<"$statuses" | sort -u | xargs)
}

for round in 1 2 3; do
	at_once 8
	is "round $round: 8 applies at once all work" "$statuses" 0
	like "round $round: the table is of one of them" "$(which)" "^[01]$"
done
nft delete table inet dockside
at_once 8
is "8 applies where there is no table" "$statuses" 0
like "the table is of one of them" "$(which)" "^[01]$"
converges "the next apply is a usual one"

# Somebody else who changes the table all the time, until the file is there: who kills him kills no nft that he has begun.
until [[ -e $t/enough ]]; do
	nft 'add element inet dockside ipset-good-v4 { 192.0.2.1 }'
	nft 'delete table inet dockside'
	sleep 0.05
done 2>/dev/null &
meddler=$!
statuses=
for ((i = 0; i < 10; i++)); do
	apply $((i % 2)) >$t/out 2>&1
	statuses+="$? "
done
touch $t/enough
wait "$meddler"
# It may give up, but says so.
like "with somebody who deletes the table again and again, apply works or fails" "$statuses" \
	"^([01] )+$"
converges "and when that is over, it works"

# ---- killed --------------------------------------------------------------------------------------

# Measures how long one takes, in ms; the test kills it at some time before.
start=${EPOCHREALTIME/[.,]/}
apply 0 >$t/out 2>&1
took=$(((${EPOCHREALTIME/[.,]/} - start) / 1000 + 1))
faults=
stopped=(0 0) # before the change, after it
for ((i = 0; i < 60; i++)); do
	# exec: it is the program that is killed, not a shell around it.
	(exec "$DSFW_NFT" apply --network-config $t/network.json \
		--firewall-config "$t/policy.$(((i + 1) % 2))") >$t/out 2>&1 &
	sleep "$(printf '0.%03d' $((took * i / 60)))"
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
	now=$(which)
	if [[ $now != [01] ]]; then
		faults+="after $((took * i / 60)) ms the table is
$now
"
	else
		stopped[(now + i) % 2]=$((stopped[(now + i) % 2] + 1))
	fi
	apply $(((i + 1) % 2)) >$t/out 2>&1 || faults+="the next apply: $(<$t/out)
"
	[[ $(which) == $(((i + 1) % 2)) ]] || faults+="it made $(which)
"
done
result "kill -9 leaves the old policy or the new, and the next apply works" "$faults"
echo "# ${stopped[0]} times the old, ${stopped[1]} times the new"
converges "and leaves nothing behind"
finish
