#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A reload reads the kernel only where it must, and misses nothing that others did to the table: after
# it the kernel holds what the files say, as `diff` finds out for itself. The daemon is made to repair
# slowly first, so that what puts things right is the reload. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

table="inet dockside"
network_config <<'CONFIG'
{"networks": [
	{"name": "ds-1", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"},
	{"name": "ds-2", "subnet": "172.30.2.0/24"}
]}
CONFIG
hosts "198.51.100.1 one.example" "2001:db8:51::1 one.example" "198.51.100.3 two.example"

# config PORT [NAMES]: of the first network's second rule; the ipset's
config()
{
	local names=${2:-\"one.example\"}
	firewall_config <<-CONFIG
		{"ipsets": {"s": [$names, "10.0.0.1", "203.0.113.0/24"]},
		"networks": {
			"ds-1": {"egress": [{"proto": "tcp", "ports": [80, 8080], "to": "ipset", "ipset": "s"},
					{"proto": "udp", "ports": [$1]}, {"action": "drop"}],
				"nat": [{"match_dport": 3306, "to_host": "one.example", "to_port": 80},
					{"match_dport": 3307, "to_ip": "198.51.100.1", "to_port": 80}]},
			"ds-2": {"egress": [{"action": "drop"}, {"to": "all"}]}}}
	CONFIG
}
config 53
start_listening
start_daemon

# differences: of the kernel and the files
differences()
{
	dsfw diff
	[[ $status -eq 0 && $out == "no differences" ]] || echo "$out$err"
}

# reload_faults: reloads, and finds what is not as the files say
reload_faults()
{
	client reload
	[[ $status -eq 0 ]] || echo "$out$err"
	differences
}

# ---- what is read --------------------------------------------------------------------------------

# shellcheck disable=SC2317
tracing()
{
	[[ $(awk '$1 == "TracerPid:" { print $2 }' "/proc/$daemon_pid/status") -ne 0 ]]
}

# dumps: reloads; how many dumps of chains, rules, sets and elements the daemon asked for itself
# (libnftables asks for those that a transaction needs, from a socket of its own)
dumps()
{
	local tracer
	strace -qq -p "$daemon_pid" -e trace=sendto -o $t/strace &
	tracer=$!
	until_true 5 tracing || bail "cannot trace the daemon"
	client reload
	kill "$tracer"
	wait "$tracer" 2>/dev/null
	grep -cE 'NFT_MSG_GET(CHAIN|RULE|SET|SETELEM|TABLE|OBJ).*NLM_F_(DUMP|ACK)|NFT_MSG_GETRULE' $t/strace
}

# no_dumps DESCRIPTION: of a reload
no_dumps()
{
	local count
	if ! command -v strace >/dev/null; then
		result "$1 # SKIP no strace" ""
		return
	fi
	count=$(dumps)
	is "$1" "$count" 0
}

is "the start" "$(reload_faults)" ""
no_dumps "an identical reload reads nothing"
nft 'table ip foreign { set s { type ipv4_addr; }; chain c { ip saddr @s counter; }; }'
nft add element ip foreign s '{ 192.0.2.1 }'
no_dumps "nor does one after others changed what is theirs"
client refresh
no_dumps "nor one after addresses were renewed"
hosts "198.51.100.1 one.example" "198.51.100.2 one.example" "2001:db8:51::1 one.example" \
	"198.51.100.3 two.example"
client refresh
no_dumps "nor one after an address came"
is "and all is right" "$(reload_faults)" ""
hosts "198.51.100.2 one.example" "2001:db8:51::1 one.example" "198.51.100.3 two.example"
client refresh
is "an address went, and all is right" "$(reload_faults)" ""
like "the target of that name is another" "$(nft list map "$table" ds-1-nat4)" \
	'3306 .*: 198\.51\.100\.2 \. 80'

client reload --json
like "and warns as the first one did" "$out" '"warnings": ?\[\{"message": ?"this rule never matches'
lines=$(life | grep -c 'an earlier one matches everything')
client reload
is "in the log, too" "$(life | grep -c 'an earlier one matches everything')" $((lines + 1))

# ---- changes of the files ------------------------------------------------------------------------

config 54
is "another rule" "$(reload_faults)" ""
like "is in force" "$(nft list chain "$table" ds-1-OUT)" 'udp dport 54 '
config 55
is "and another" "$(reload_faults)" ""
like "is, too" "$(nft list chain "$table" ds-1-OUT)" 'udp dport 55 '
config '55, 56'
is "two ports" "$(reload_faults)" ""
config 55 '"one.example", "two.example"'
is "another name" "$(reload_faults)" ""
is "has its address" "$(elements ipset-s-v4 | grep -c 198.51.100.3)" 1
config 55 '"two.example"'
is "a name less" "$(reload_faults)" ""
is "lost its address" "$(elements ipset-s-v4 | grep -c 198.51.100.2)" 0
config 57 '"10.0.0.2"'
is "no name" "$(reload_faults)" ""
config 57 '"one.example"'
is "a name again, and another rule" "$(reload_faults)" ""
echo '{' >$t/firewall.json
client reload
is "faulty files are refused" "$status" 1
config 57 '"one.example"'
is "and those that run are back" "$(reload_faults)" ""
client set-ipset --replace s two.example
is "a request" "$status" 0
is "after a request" "$(reload_faults)" ""
is "it is in force" "$(elements ipset-s-v4 | grep -c 198.51.100.3)" 1
client set-ipset --replace spare 192.0.2.1
client status
is "status says of a set that no rule uses it" "$(sed -nE 's/^spare +//p' <<<"$out")" "192.0.2.1 (no rule uses it)"
client status --json
like "to programs, too" "$out" '"spare": ?\["192.0.2.1"\].*"unused_ipsets": ?\["spare"\]'
client remove-ipset nonesuch
is "what is wrong with a request stands in none of the operator's files" "$status $err" '1 error: there is no ipset "nonesuch"'
client reconcile
is "nothing differs" "$status $out" "0 nothing to repair"

# ---- changes by others ---------------------------------------------------------------------------

config 57
is "the configuration of before" "$(reload_faults)" ""
# shellcheck disable=SC2317
limited()
{
	[[ $(drift limited) == True ]]
}
# shellcheck disable=SC2317
repaired_or_limited()
{
	nft list chain "$table" ds-1-OUT | matches 'egress\[0\]' || limited
}
for _ in {1..12}; do
	nft flush chain "$table" ds-1-OUT
	until_true 3 repaired_or_limited
	limited && break
done
is "repairs are slow now" "$(drift limited)" True

if command -v strace >/dev/null; then
	is "put right before" "$(reload_faults)" ""
	# On a busy machine the next repair may be due, and come first.
	for _ in {1..5}; do
		repairs=$(drift repairs)
		nft insert rule "$table" ds-2-OUT accept
		count=$(dumps)
		[[ $(drift repairs) != "$repairs" ]] || break
	done
	result "a reload after others changed ours reads" "$([[ $count -ge 9 ]] || echo "$count dumps")"
fi

# missed DESCRIPTION SCRIPT: what the nft script did is undone by a reload of the same files, and by
# one of others
port=60
missed()
{
	local faults=
	is "put right before: $1" "$(reload_faults)" ""
	nft "$2" || faults+="the script fails"$'\n'
	faults+=$(reload_faults)
	nft "$2" || faults+="the script fails again"$'\n'
	port=$((port + 1))
	config $port
	faults+=$(reload_faults)
	result "$1" "$faults"
}

missed "a rule more" "insert rule $table ds-1-OUT accept"
missed "no rule at all" "flush chain $table ds-2-OUT"
missed "an address of a name less" "flush set $table ipset-s-v4"
missed "an address more" "add element $table ipset-s-v4 { 198.51.100.9 }"
missed "an address more, that will run out" "add element $table ipset-s-v4 { 198.51.100.9 timeout 1d }"
missed "a prefix more" "add element $table ipset-s-net4 { 198.51.100.0/24 }"
missed "a NAT target more" "add element $table ds-1-nat4 { udp . 9 : 198.51.100.9 . 9 }"
missed "no dispatch" "flush map $table dispatch"
missed "the table flushed" "flush table $table"
missed "the table gone" "delete table $table"
missed "the ruleset gone" "flush ruleset"
missed "a chain more" "add chain $table strange { type filter hook forward priority -300; policy drop; }"
missed "the table dormant" "add table $table { flags dormant; }"
missed "other fingerprints" "flush set $table fingerprint"
missed "others' rules, then ours" "add table ip foreign; insert rule $table forward accept; add table ip f2"

# ---- lost events ---------------------------------------------------------------------------------

is "put right before: lost events" "$(reload_faults)" ""
long=$(printf 'x%.0s' {1..100})
{
	echo "add table ip foreign"
	echo "add chain ip foreign c"
	echo "flush chain ip foreign c"
	for i in {1..30000}; do
		echo "add rule ip foreign c ip saddr 10.0.$((i / 250)).$((i % 250)) counter comment \"$long $i\""
	done
} >$t/foreign.nft
kill -STOP "$daemon_pid"
# More than the socket of the events keeps; what we did is nothing that it can have heard of.
for _ in {1..6}; do
	nft -f $t/foreign.nft
done
nft insert rule "$table" ds-1-OUT accept
nft delete table ip foreign
# Messages that netfilter's sockets could not take
lost=$(awk '$2 == 12 { drops += $9 } END { print drops }' /proc/net/netlink)
client reload &
asking=$!
sleep 0.2
kill -CONT "$daemon_pid"
wait "$asking"
is "after that" "$(differences)" ""
result "events were lost" "$([[ $lost -gt 0 ]] || echo "none")"
is "and again" "$(reload_faults)" ""

end_daemon TERM
is "the daemon ends well" "$status" 0
finish
