#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon soon puts back all that others do to the table, with a line in the log that says who did it and what. A
# comment says how soon, as seen by a tight poller. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

two_networks 198.51.100.{1..2}/32 2001:db8:51::1/128
hosts "198.51.100.1 one.example" "2001:db8:51::1 one.example"
firewall_config <<'CONFIG'
{"ipsets": {"s": ["one.example", "10.0.0.1", "203.0.113.0/24"]},
"networks": {
	"ds-1": {"egress": [{"proto": "tcp", "ports": [80, 8080], "to": "ipset", "ipset": "s"},
			{"proto": "udp", "ports": [53]}, {"action": "drop"}],
		"nat": [{"match_dport": 3306, "to_host": "one.example", "to_port": 80},
			{"match_dport": 3307, "to_ip": "198.51.100.1", "to_port": 80}],
		"host": [{"proto": "udp", "ports": [53]}, {"action": "drop"}]},
	"ds-2": {"egress": [{"action": "drop"}]}}}
CONFIG
start_listening
start_daemon

in_force()
{
	probes "$1" <<-'PROBES'
		c1 tcp 198.51.100.1:80 = open outside
		c1 tcp [2001:db8:51::1]:80 = open outside
		c1 tcp 198.51.100.2:3306 = open outside 198.51.100.1:80
		c1 tcp 198.51.100.1:443 = reset
		c1 tcp 198.51.100.2:80 = reset
	PROBES
}
in_force "the policy is in force"

# A fresh daemon may repair ten times at once.
repairs=0
renew_daemon()
{
	end_daemon TERM
	is "the daemon ends" "$status" 0
	start_daemon
	repairs=0
}

# repaired DESCRIPTION LOG SCRIPT: what the nft script does is undone, the log names it (an extended
# regular expression), and it counts as one repair
repaired()
{
	[[ $repairs -lt 9 ]] || renew_daemon
	local count faults took
	count=$(life | grep -c 'put back')
	faults=$(python3 "$here/healing.py" <<<"$3" 2>&1 >$t/took)
	took=$(<$t/took)
	until_true 1 logged_more "$count" || faults+=$'\nnothing is logged'
	life | grep 'put back' | tail -1 | matches "warning: nft \(pid [0-9]+\).*$2.*; put back " ||
		faults+=$'\nlogged: '$(life | tail -1)$'\nwanted: '"$2"
	repairs=$((repairs + 1))
	# It logs before it counts.
	until_true 2 counted $repairs || faults+=$'\nrepairs: '"$(drift repairs), wanted $repairs"
	result "$1" "$faults"
	echo "# right again within $took ms"
	echo "$took" >>$t/times
}
# shellcheck disable=SC2317
logged_more() # COUNT
{
	[[ $(life | grep -c 'put back') -gt $1 ]]
}

# shellcheck disable=SC2317
counted() # REPAIRS
{
	[[ $(drift repairs) == "$1" ]]
}

handle() # CHAIN PATTERN: of its first rule like that
{
	nft -a list chain inet dockside "$1" | sed -nE "/$2/s/.* # handle //p" | head -1
}
table="inet dockside"

repaired "flush ruleset" 'deleted the table' "flush ruleset"
in_force "after that, too"
repaired "delete table" 'deleted the table' "delete table $table"
repaired "delete table and an empty one in its place" 'table' "delete table $table; add table $table"
repaired "flush table" 'changed chain "ds-1-OUT"' "flush table $table"
repaired "flush chain" 'changed chain "ds-1-OUT"' "flush chain $table ds-1-OUT"
repaired "delete rule" 'changed chain "ds-1-OUT"' \
	"delete rule $table ds-1-OUT handle $(handle ds-1-OUT 'egress\[2\]')"
repaired "insert rule" 'changed chain "ds-1-OUT"' "insert rule $table ds-1-OUT accept"
repaired "add rule to a base chain" 'changed chain "forward"' "add rule $table forward accept"
repaired "replace rule" 'changed chain "refuse"' \
	"replace rule $table refuse handle $(handle refuse drop) accept"
repaired "delete a rule and a chain" 'deleted chain "ds-1-HOST"' \
	"delete element $table dispatch-host { \"ds-1\" }; delete chain $table ds-1-HOST"
repaired "add chain" 'changed chain "strange"' \
	"add chain $table strange { type filter hook forward priority -300; policy drop; }"
repaired "other priority" 'deleted chain "forward"' "delete chain $table forward
	add chain $table forward { type filter hook forward priority 100; }
	add rule $table forward udp sport 53 ct direction reply oifname @lookups limit rate 300/second burst 300 packets log prefix \"dsfw-dns\" group 20 snaplen 1500
	add rule $table forward ct state established,related meta mark set meta mark | 0x10000000 counter accept
	add rule $table forward meta mark set meta mark | 0x10000000 iifname vmap @dispatch
	add rule $table forward meta mark set meta mark & 0xefffffff continue comment \"from no managed network\""
repaired "other policy" 'changed chain "forward"' \
	"add chain $table forward { type filter hook forward priority filter - 1; policy drop; }"
repaired "dormant table" 'declared the table anew' "add table $table { flags dormant; }"
in_force "after those, too"
repaired "delete an address of a name" 'changed set "ipset-s-v4"' \
	"delete element $table ipset-s-v4 { 198.51.100.1 }"
repaired "delete a literal" 'changed set "ipset-s-v4"' "delete element $table ipset-s-v4 { 10.0.0.1 }"
repaired "delete a CIDR" 'changed set "ipset-s-net4"' \
	"delete element $table ipset-s-net4 { 203.0.113.0/24 }"
repaired "add an address" 'changed set "ipset-s-v4"' "add element $table ipset-s-v4 { 198.51.100.2 }"
repaired "add an address for a day in the name of one" 'changed set "ipset-s-v4"' \
	"add element $table ipset-s-v4 { 198.51.100.2 timeout 1d comment \"one.example\" }"
repaired "an address with a longer timeout" 'changed set "ipset-s-v4"' \
	"delete element $table ipset-s-v4 { 198.51.100.1 }
	add element $table ipset-s-v4 { 198.51.100.1 timeout 30d comment \"one.example\" }"
repaired "add a CIDR" 'changed set "ipset-s-net4"' "add element $table ipset-s-net4 { 198.51.100.0/24 }"
repaired "flush set" 'changed set "ipset-s-v6"' "flush set $table ipset-s-v6"
repaired "change a NAT target" 'changed set "ds-1-nat4"' "delete element $table ds-1-nat4 { tcp . 3307 }
	add element $table ds-1-nat4 { tcp . 3307 : 198.51.100.2 . 443 }"
repaired "change a NAT target that is a name" 'changed set "ds-1-nat4"' \
	"delete element $table ds-1-nat4 { tcp . 3306 }
	add element $table ds-1-nat4 { tcp . 3306 : 198.51.100.2 . 443 }"
repaired "take a network out of the dispatch" 'changed set "dispatch"' \
	"delete element $table dispatch { \"ds-1\" }"
repaired "dispatch a network to another's chain" 'changed set "dispatch"' \
	"delete element $table dispatch { \"ds-2\" }; add element $table dispatch { \"ds-2\" : goto ds-1-OUT }"
repaired "add a set" 'changed set "strange"' "add set $table strange { type ipv4_addr; }"
repaired "add a counter" 'changed object "strange"' "add counter $table strange"
repaired "add a limit" 'changed object "strange"' "add limit $table strange { rate 1/second; }"
log_users=$(nft list table "$table" | awk '/chain/ { chain = $2 } /limit name "ds-1-log"/ { print chain }' | sort -u |
	sed "s/.*/flush chain $table &/")
repaired "change the limit of a network's log statements" 'object "ds-1-log"' "$log_users
	delete limit $table ds-1-log
	add limit $table ds-1-log { rate 1/second; }"
in_force "after all these, too"
sort -n $t/times | awk '{ a[NR] = $1 } END { printf "of %d repairs, in ms: median %d, slowest %d\n",
	NR, a[int((NR + 1) / 2)], a[NR] }' | comment

# ---- what is none of that ------------------------------------------------------------------------

renew_daemon
before=$(life | wc -l)
for i in {1..5}; do
	client refresh
	sed -i "s/^{/{\"comment\": \"$i\", /; s/\"comment\": \"$((i - 1))\", //" $t/firewall.json
	sed -i "s/\\[53\\]\\|\\[53, 5[0-9]*\\]/[53, $((54 + i))]/" $t/firewall.json
	client reload
	[[ $status -eq 0 ]] || result "reload" "$out$err"
	hosts "198.51.100.1 one.example" "198.51.100.1$i one.example" "2001:db8:51::1 one.example"
done
changed=$(life | tail -n +$((before + 1)) | grep -c '^changed [1-9]')
is "our own transactions" "$changed" 5
nft add table inet other
nft add chain inet other dockside
nft delete table inet other
nft add table ip dockside
nft delete table ip dockside
nft add element "$table" ipset-s-v4 '{ 10.0.0.1 }' # is there
client status
is "nor what changes nothing" "$status $(drift repairs) $(life | grep -c 'put back')" "0 0 0"
# The daemon looks at the hosts file once a second: it has yet to notice the last edit.
# shellcheck disable=SC2317
last_edit_is_in_force()
{
	nft list set "$table" ipset-s-v4 | matches '198\.51\.100\.15 ' &&
		nft list map "$table" ds-1-nat4 | matches 'tcp \. 3306 .*: 198\.51\.100\.1 \. 80'
}
until_true 5 last_edit_is_in_force || bail "the last edit of the hosts file does not come into force"
client status # answered only after what the daemon was doing
before=$(generation)
sleep 1.5 # time for another look at the file
client status
is "when nothing happens, nothing is committed" "$(generation)" "$before"

# ---- floods --------------------------------------------------------------------------------------

# 20,000 rules in a table of another, in transactions of every size
{
	echo "add table ip foreign"
	for chain in {1..20}; do
		echo "add chain ip foreign c$chain"
		for i in {1..1000}; do
			echo "add rule ip foreign c$chain ip saddr 10.$chain.$((i / 250)).$((i % 250)) counter"
		done
	done
} >$t/foreign.nft
nft -f $t/foreign.nft || bail "cannot load foreign rules"
for _ in {1..20}; do
	nft 'flush chain ip foreign c1; delete chain ip foreign c1; add chain ip foreign c1'
done
repaired "amid 20,000 foreign rules" 'changed chain "ds-1-OUT"' "flush chain $table ds-1-OUT"
nft delete table ip foreign
repaired "after their end" 'changed chain "ds-1-OUT"' "flush chain $table ds-1-OUT"
for i in {1..2000}; do
	echo "add rule inet dockside ds-1-OUT ip daddr 10.0.0.1 counter comment \"number $i\""
done >$t/many.nft
repaired "2,000 rules at once in ours" 'changed chain "ds-1-OUT"' "$(<$t/many.nft)"

# Twelve quick ones
renew_daemon
# put_back COUNT: so many so far
# shellcheck disable=SC2317
put_back()
{
	[[ $(life | grep -c 'put back') -ge $1 ]]
}
faults=
for i in {1..10}; do
	last=$(monotonic)
	nft flush chain "$table" ds-1-OUT
	until_true 2 put_back "$i" || faults+="repair $i is late"
done
result "ten in a row are repaired at once" "$faults"
until_true 5 prints 'STATUS=.*somebody keeps changing' tail -n +$((told_before + 1)) $told
is "and then it says that it will be slower" \
	"$(life | grep -c '^error: somebody keeps changing our tables: 10 repairs')" 1
is "to status, too" "$(drift limited)" True
is "and to systemd" "$(tail -n +$((told_before + 1)) $told | grep -c 'STATUS=.*somebody keeps changing')" 1
# slow NUMBER: the next one comes 5 s after the one before, and is announced
slow()
{
	local begin begin_calm took took_calm
	begin=$last
	last=$(monotonic)
	begin_calm=$(calm)
	nft insert rule "$table" ds-1-OUT accept
	until_true 2 prints "not judged" of network_details ds-1 state
	is "while number $1 waits nothing is enforced" "$(of network_details ds-1 state) $(of ready)" "not judged False"
	until_true 8 put_back "$1"
	took_calm=$(calm_since "$begin_calm")
	took=$(awk -v a="$begin" -v b="$(monotonic)" 'BEGIN { printf "%d", (b - a) * 1000 }')
	until_true 5 prints "somebody keeps changing our tables: $1 repairs" life
	result "number $1 waits until 5 s have passed" "$(
		[[ $took -ge 5000 && $took_calm -lt 6000 ]] || echo "took $took ms"
		life | matches "somebody keeps changing our tables: $1 repairs" || life | tail -3
	)"
	echo "# took $took ms"
}
slow 11
slow 12
in_force "and right it is"

# Docker's tables may be changed all the time: our own need not wait for that.
end_daemon TERM
{
	iptables -N DOCKER-USER && iptables -A FORWARD -j DOCKER-USER && iptables -A FORWARD -j ACCEPT
} || bail "no DOCKER-USER"
start_daemon
for i in {1..10}; do
	iptables -I DOCKER-USER -p tcp --dport "$i" -j RETURN
	until_true 5 put_back "$i"
done
is "the shim is put back ten times" "$(life | grep -c 'put back the shim')" 10
like "and then it says that it will be slower" "$(life)" "somebody keeps changing the shim in Docker's tables: 10 repairs"
iptables -I DOCKER-USER -p tcp --dport 11 -j RETURN
is "that alone does not make a network doubtful" "$(of network_details ds-1 state) $(drift limited)" "enforced True"
before=$(calm)
nft flush chain "$table" ds-1-OUT
until_true 8 put_back 11
took=$(calm_since "$before")
result "our own rules are put back at once" "$([[ $took -lt 2500 ]] || echo "after $took ms")"
in_force "and right they are"
end_daemon TERM
nft delete table ip filter
start_daemon

# A thousand, as fast as they come
begin=$SECONDS
for i in {1..1000}; do
	printf '%s\n' "flush chain $table ds-1-OUT" "flush ruleset" "add rule $table forward accept" |
		sed -n "$((i % 3 + 1))p" | nft -f - 2>/dev/null
done
# shellcheck disable=SC2317
right()
{
	nft list chain "$table" ds-1-OUT 2>/dev/null | matches 'egress\[2\]' &&
		! nft list chain "$table" forward | matches '^[[:space:]]*accept'
}
result "1,000 in a row are outlived" "$(until_true 7 right || nft list table "$table")"
in_force "after them, too"
# Twelve, one at once if the minute of those is over, and one in 5 s.
most=$((13 + (SECONDS - begin) / 5 + 1))
count=$(drift repairs)
result "with few repairs" "$([[ $count -le $most ]] || echo "$count, wanted at most $most")"
client reconcile --json
like "and no difference" "$out" '"repaired": ?\[\]'
# Up to three lines a repair: thirteen of them where the machine is quick.
result "the log stays short" "$(life | awk -v most=$((21 + 3 * count)) 'length > 1000 || NR > most')"
end_daemon TERM
is "the daemon ends well" "$status" 0
stop_peers
finish
