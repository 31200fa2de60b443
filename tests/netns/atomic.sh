#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# No instant between two policies: what both deny never passes, what both allow always does, and an
# open flow does not stand still, while applies go on all the time. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

loads=200
attempts=10000

build_network()
{
	outside 198.51.100.1/32 198.51.100.2/32 || return
	bridge ds-a 172.30.1.1/24 fd77:1::1/64 && bridge ds-b 172.30.2.1/24 fd77:2::1/64 &&
		container dev ds-a 172.30.1.11 fd77:1::11
}
build_network || bail "cannot build the network"
start_peers
ask "serve outside tcp 80 443"

network_config <<'END'
{"networks": [
	{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"},
	{"name": "ds-b", "subnet": "172.30.2.0/24"}
]}
END
# Both deny 198.51.100.1:443, by other rules, and allow 198.51.100.2:80; all chains and most sets differ.
cat >$t/policy.0 <<'END'
{"ipsets": {"good": ["198.51.100.2", "203.0.113.0/24"]},
"networks": {
	"ds-a": {"egress": [{"proto": "tcp", "ports": [80, 8080], "to": "ipset", "ipset": "good"},
		{"action": "drop"}], "host": [{"proto": "tcp", "ports": [22]}]},
	"ds-b": {"egress": [{"action": "drop"}]}}}
END
cat >$t/policy.1 <<'END'
{"ipsets": {"good": ["198.51.100.2", "198.51.100.3", "192.0.2.0/24"]},
"networks": {
	"ds-a": {"egress": [{"action": "drop", "proto": "tcp", "ports": [443], "cidr": "198.51.100.1/32"},
		{"proto": "udp", "ports": [53]}, {"to": "ipset", "ipset": "good"},
		{"action": "drop", "proto": "tcp"}],
		"nat": [{"match_dport": 3306, "to_ip": "198.51.100.2", "to_port": 80}]}}}
END
for i in 0 1; do
	firewall_config <$t/policy.$i
	dsfw compile
	[[ $status -eq 0 ]] || bail "cannot compile: $err"
	cp "$t/out" "$t/policy.$i.nft"
done

flood_pid=
start_flood() # MINIMUM
{
	rm -f $t/ready $t/enough $t/stop
	python3 "$here/flood.py" dev outside 198.51.100.1:443 198.51.100.2:80 $t "$1" >$t/flood 2>&1 &
	flood_pid=$!
	until_true 10 test -e $t/ready || bail "no flood: $(<$t/flood)"
}

# Ends the flood; its results (denied, reset and so on) become variables.
end_flood()
{
	touch $t/stop
	wait "$flood_pid"
	denied='' reset='' answered='' seen='' allowed='' opened='' refused='' gap=''
	local word
	for word in $(<$t/flood); do
		[[ $word == *=* ]] && declare -g "$word"
	done
}

judge() # DESCRIPTION
{
	is "$1: nothing that is denied gets through" "$answered answered, $seen arrived" \
		"0 answered, 0 arrived"
	result "$1: at least $attempts were tried, and nearly all reset" "$(
		[[ ${denied:-0} -ge $attempts && $((reset * 100)) -ge $((denied * 95)) ]] || cat $t/flood
	)"
	is "$1: everything allowed gets through" "$opened opened, $refused refused" \
		"$allowed opened, 0 refused"
	result "$1: an open flow never stands still for a second" "$(
		[[ $gap != broken && ${gap:-9999} -le 1000 ]] || cat $t/flood
	)"
	comment <$t/flood
}

firewall_config <$t/policy.0
dsfw apply
is "apply" "$status" 0
start_flood $attempts
faults=
for ((i = 1; i <= loads || i < 5000; i++)); do
	cp $t/policy.$((i % 2)) $t/firewall.json
	dsfw apply
	[[ $status -eq 0 && $out == "applied: "* ]] || faults+="$(status_fault 0)"
	[[ $i -lt $loads || ! -e $t/enough ]] || break
done
end_flood
result "$i applies" "$faults"
judge "applies"

start_flood $attempts
faults=
for ((i = 1; i <= loads || i < 5000; i++)); do
	nft -f $t/policy.$((i % 2)).nft || faults+="nft -f fails"
	[[ $i -lt $loads || ! -e $t/enough ]] || break
done
end_flood
result "$i loads by nft -f" "$faults"
judge "nft -f"

# It would have been seen.
nsenter --net=/run/netns/outside nft 'table inet arrived { chain input {
	type filter hook input priority -10; ip daddr 198.51.100.1 tcp dport 443 counter; }; }'
# shellcheck disable=SC2317 # until_true calls it
some_arrived()
{
	nsenter --net=/run/netns/outside nft list table inet arrived | matches 'packets [1-9][0-9]'
}
start_flood 1000
until_true 10 test -e $t/enough
nft delete table inet dockside
until_true 10 some_arrived
nft -f $t/policy.0.nft
end_flood
result "without a table for a moment, packets do get through" \
	"$([[ $answered -gt 0 && $seen -gt 0 ]] || cat $t/flood)"
stop_peers
finish
