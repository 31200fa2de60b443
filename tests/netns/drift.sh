#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `diff` names every change that somebody makes to the table by hand, and `apply` puts it right. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

network_config <<'END'
{"networks": [
	{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "dockside_ip": "172.30.1.2",
	 "dockside_mac": "02:00:00:00:01:02"},
	{"name": "1st", "subnet": "172.30.2.0/24"}
]}
END
firewall_config <<'END'
{"ipsets": {"s": ["one.example", "198.51.100.2", "2001:db8::2", "203.0.113.0/24", "2001:db8:1::/48"]},
"networks": {
	"ds-a": {"egress": [{"proto": "tcp", "ports": [80, "443-445"], "to": "ipset", "ipset": "s"},
			{"proto": "icmp", "to": "ip", "ip": "198.51.100.9"},
			{"action": "drop", "proto": "tcp", "ports": [22]}, {"action": "drop"}],
		"nat": [{"match_dport": 3306, "to_ip": "198.51.100.3", "to_port": 13306},
			{"match_dport": 5432, "to_host": "one.example", "to_port": 15432}],
		"host": [{"proto": "tcp", "ports": [22]}, {"action": "drop"}]},
	"1st": {"egress": [{"to": "host", "host": "one.example"}]}}}
END
hosts "198.51.100.1 one.example" "2001:db8::1 one.example"
nft 'table inet other { chain forward { type filter hook forward priority 0; policy accept;
	counter
	}
	set s { type ipv4_addr; elements = { 192.0.2.1 }; }
}'
nft -s list table inet other >$t/other

dsfw apply
is "apply" "$status" 0
listing >$t/wanted
wanted=$(<$t/wanted)
[[ $(wc -l <$t/wanted) -gt 15 ]] || bail "no table to work on: $(<$t/wanted)"
nft -s list table inet dockside >$t/table.nft

# The faults of a change that has been made: it was none, it is not found, not named, not put right
drift_faults() # NAME STATUS OF THE CHANGE
{
	[[ $2 -eq 0 ]] || echo "nft failed: $(<$t/nft.err)"
	[[ $(listing 2>/dev/null) != "$wanted" ]] || echo "it changed nothing"
	dsfw diff
	[[ $status -eq 1 ]] || status_fault 1
	# Before the apply, or a second diff's output would be looked at.
	[[ $out == *"$1"* ]] || printf '"%s" is not in\n%s\n' "$1" "$out"
	dsfw apply
	[[ $status -eq 0 ]] || status_fault 0
	listing >$t/now
	[[ $(<$t/now) == "$wanted" ]] || diff $t/wanted $t/now | head -20
	dsfw diff
	[[ $status -eq 0 && $out == "no differences" ]] || status_fault "0 in the end"
}

# drift DESCRIPTION NAME COMMANDS: nft's commands, after which diff has to name that
drift()
{
	nft "$3" 2>$t/nft.err
	result "$1" "$(drift_faults "$2" $?)"
}

# ---- rules ---------------------------------------------------------------------------------------

T="inet dockside"

# rules CHAIN: "HANDLE RULE", one a line
rules()
{
	nft -a -s list chain inet dockside "$1" |
		sed -nE 's/^\t\t(.*) # handle ([0-9]+)$/\2 \1/p' | grep -v ' type .* hook '
}

other_verdict()
{
	sed -E 's/ (accept|continue)\b/ drop/; t; s/\b(drop|reject with tcp reset|goto [^ ]+)/accept/; t
		s/iifname vmap @[a-z-]+/iifname "x" accept/; t; s/^dnat .*/accept/; t
		s/( log prefix .*)/\1 drop/' <<<"$1"
}

mapfile -t chains < <(nft list table inet dockside | sed -nE 's/^\tchain ([^ ]+) .*/\1/p')
for chain in "${chains[@]}"; do
	mapfile -t before < <(rules "$chain")
	for i in "${!before[@]}"; do
		# Handles change whenever the chain is put right.
		mapfile -t now < <(rules "$chain")
		handle=${now[i]%% *}
		rule=${now[i]#* }
		drift "$chain rule $i deleted" "chain $chain" "delete rule $T $chain handle $handle"
		mapfile -t now < <(rules "$chain")
		handle=${now[i]%% *}
		drift "$chain rule $i with another verdict: $rule" "chain $chain" \
			"replace rule $T $chain handle $handle $(other_verdict "$rule")"
		[[ $i -gt 0 ]] || continue
		mapfile -t now < <(rules "$chain")
		drift "$chain rule $i moved up" "chain $chain" "delete rule $T $chain handle ${now[i]%% *}
			insert rule $T $chain handle ${now[i - 1]%% *} $rule"
	done
done

# Rules that only report packets are as we mean them, too.
log_rule() # CHANGE: what makes another of a log statement, as sed has it
{
	local rule
	mapfile -t rule < <(rules ds-a-ING | grep ' log prefix ')
	echo "replace rule $T ds-a-ING handle ${rule[0]%% *} $(sed -E "$1" <<<"${rule[0]#* }")"
}
for change in 's/group [0-9]+/group 7/' 's/prefix "dsfw/prefix "dsfx/' 's/snaplen [0-9]+/snaplen 64/' \
	's/limit name [^ ]+/limit rate 7\/second/' 's/limit name [^ ]+ //' 's/counter name [^ ]+/counter/' \
	's/counter name [^ ]+/counter name "ds-a-OUT-denied"/' 's/counter name [^ ]+ (.*)/\1/'; do
	drift "log statement: $change" "chain ds-a-ING" "$(log_rule "$change")"
done
# So is the limit that all of a network's have, which nobody can change while they use it.
log_users=$(nft list table "$T" | awk '/chain/ { chain = $2 } /limit name "ds-a-log"/ { print chain }' | sort -u |
	sed "s/.*/flush chain $T &/")
for rate in "rate 100/second burst 400 packets" "rate 200/minute burst 400 packets" "rate 200/second burst 5 packets" \
	"rate over 200/second burst 400 packets" "rate 200 bytes/second burst 400 bytes"; do
	drift "the limit: $rate" "limit ds-a-log: made anew" "$log_users
		delete limit $T ds-a-log
		add limit $T ds-a-log { $rate; }"
done
drift "the limit is gone" "limit ds-a-log: new" "$log_users
	delete limit $T ds-a-log"
drift "a counter is gone" "counter ds-a-ING-denied: new" "flush chain $T ds-a-ING
	delete counter $T ds-a-ING-denied"
drift "another's limit" "limit mine: removed" "add limit $T mine { rate 1/second; }"

chain=ds-a-OUT
# at PATTERN: the handle of the rule in the chain
at()
{
	rules "$chain" | grep -F -- "$1" | head -1 | cut -d ' ' -f 1
}
drift "a rule added" "+ " "add rule $T $chain accept
	flush chain $T ds-a-ING"
drift "a rule inserted" "- accept" "insert rule $T $chain accept"
drift "a rule added in the middle" '- ip daddr 192.0.2.1 accept' \
	"add rule $T $chain position $(at 'comment "egress[0]"') ip daddr 192.0.2.1 accept"
drift "a rule twice" "chain $chain" \
	"add rule $T $chain position $(at 'egress[2]') tcp dport 22 counter reject with tcp reset comment \"egress[2]\""
drift "the same with another port" "- tcp dport 23" \
	"replace rule $T $chain handle $(at 'egress[2]') tcp dport 23 counter reject with tcp reset comment \"egress[2]\""
drift "the same with a range of ports" "chain $chain" \
	"replace rule $T $chain handle $(at 'egress[2]') tcp dport 22-23 counter reject with tcp reset comment \"egress[2]\""
drift "the same of another protocol" "chain $chain" \
	"replace rule $T $chain handle $(at 'egress[2]') udp dport 22 counter drop comment \"egress[2]\""
drift "the same without its counter" "chain $chain" \
	"replace rule $T $chain handle $(at 'egress[2]') tcp dport 22 reject with tcp reset comment \"egress[2]\""
drift "the same with another comment" "chain $chain" \
	"replace rule $T $chain handle $(at 'egress[2]') tcp dport 22 counter reject with tcp reset comment \"egress[3]\""
drift "the same without a comment" "chain $chain" \
	"replace rule $T $chain handle $(at 'egress[2]') tcp dport 22 counter reject with tcp reset"
drift "the same with one more match" "chain $chain" \
	"replace rule $T $chain handle $(at 'egress[2]') tcp dport 22 meta mark 1 counter reject with tcp reset comment \"egress[2]\""
drift "the same with another kind of reject" "chain $chain" \
	"replace rule $T $chain handle $(at 'egress[2]') tcp dport 22 counter reject comment \"egress[2]\""
drift "the same with an anonymous set" "chain $chain" \
	"replace rule $T $chain handle $(at 'egress[2]') tcp dport { 22, 23 } counter reject with tcp reset comment \"egress[2]\""
drift "the same of another set" "chain $chain" \
	"replace rule $T $chain handle $(at '@ipset-s-v4') ip daddr @host-one.example-v4 tcp dport @ports_80_443-445 counter ct label set 127 accept comment \"egress[0]\""
drift "the same of the set's complement" "chain $chain" \
	"replace rule $T $chain handle $(at '@ipset-s-v4') ip daddr != @ipset-s-v4 tcp dport @ports_80_443-445 counter ct label set 127 accept comment \"egress[0]\""
drift "the same of another MAC address" "chain $chain" \
	"replace rule $T $chain handle $(at 'ether saddr') ip saddr 172.30.1.2 ether saddr 02:00:00:00:01:03 counter ct label set 127 accept comment \"dockside container\""
drift "the same of another prefix" "chain $chain" \
	"replace rule $T $chain handle $(at 'ether saddr') ip saddr 172.30.1.0/30 ether saddr 02:00:00:00:01:02 counter ct label set 127 accept comment \"dockside container\""
drift "the same without the label" "chain $chain" \
	"replace rule $T $chain handle $(at '@ipset-s-v4') ip daddr @ipset-s-v4 tcp dport @ports_80_443-445 counter accept comment \"egress[0]\""
drift "the same with another label" "chain $chain" \
	"replace rule $T $chain handle $(at '@ipset-s-v4') ip daddr @ipset-s-v4 tcp dport @ports_80_443-445 counter ct label set 126 accept comment \"egress[0]\""
drift "the same with a limit" "chain $chain" \
	"replace rule $T $chain handle $(at 'egress[2]') tcp dport 22 limit rate 1/second counter reject with tcp reset comment \"egress[2]\""
drift "conntrack states" "chain forward" \
	"replace rule $T forward handle $(chain=forward at 'ct state') ct state established,related,new counter accept"

# ---- chains --------------------------------------------------------------------------------------

for chain in "${chains[@]}"; do
	drift "$chain flushed" "chain $chain" "flush chain $T $chain"
done
drift "a chain added" "chain mine" "add chain $T mine"
drift "a chain added, with rules that go around in it" "chain mine" "add chain $T mine
	add chain $T yours
	add rule $T mine tcp dport { 1, 2 } jump yours
	add rule $T yours counter accept
	insert rule $T ds-a-OUT jump mine"
drift "a base chain added" "chain mine" \
	"add chain $T mine { type filter hook forward priority -500; policy drop; }"
drift "a NAT chain added" "chain mine" \
	"add chain $T mine { type nat hook postrouting priority srcnat; }
	add rule $T mine masquerade"
drift "chains deleted" "chain ds-a-ING" "delete element $T dispatch { \"ds-a\" }
	flush chain $T ds-a-OUT
	delete chain $T ds-a-OUT
	delete chain $T ds-a-ING"
drift "a base chain deleted" "chain forward" "delete chain $T forward"
drift "its policy changed" "chain forward" "chain $T forward { policy drop; }"
base="udp sport 53 ct direction reply oifname @lookups limit rate 300/second burst 300 packets log prefix \"dsfw-dns\" group 20 snaplen 1500
	add rule $T forward ct state established,related meta mark set meta mark | 0x10000000 counter accept
	add rule $T forward meta mark set meta mark | 0x10000000 iifname vmap @dispatch
	add rule $T forward meta mark set meta mark & 0xefffffff continue comment \"from no managed network\""
for spec in "type filter hook forward priority filter" "type filter hook forward priority filter - 2" \
	"type filter hook output priority filter - 1" "type filter hook input priority filter - 1" \
	"type route hook output priority filter - 1" "type filter hook ingress device lo priority 0"; do
	drift "a base chain with $spec" "chain forward" "delete chain $T forward
		add chain $T forward { $spec; policy accept; }
		$([[ $spec == *ingress* ]] || echo "add rule $T forward $base")"
done
drift "a regular chain instead" "chain forward" "delete chain $T forward
	add chain $T forward
	add rule $T forward $base"

# ---- sets and maps -------------------------------------------------------------------------------

# redo DESCRIPTION NAME SED-SCRIPT: deletes the table and loads it as edited
redo()
{
	{ echo "delete table $T"; sed -E "$3" $t/table.nft; } >$t/edited.nft
	nft -f $t/edited.nft 2>$t/nft.err
	result "$1" "$(drift_faults "$2" $?)"
}

redo "a base chain instead of a regular one" "chain _1st-OUT" \
	'/chain _1st-OUT /s/$/\n\t\ttype filter hook output priority 0; policy accept;/
	s/"1st" : goto _1st-OUT,//'

# content SET: its elements, one a line: "KEY | REST"
content()
{
	nft -s list table inet dockside | sed -nE "/^\t(set|map) $1 \{/,/^\t\}/p" | tr -d '\n' |
		sed -nE 's/.*elements = \{ (.*) \}.*/\1/p' | tr ',' '\n' |
		sed -E 's/[[:space:]]+/ /g; s/^ | $//g; s/^(("[^"]*"|[^ ]+)( \. [^ ]+)?)/\1 |/'
}
mapfile -t sets < <(nft list table inet dockside | sed -nE 's/^\t(set|map) ([^ ]+) .*/\2/p' |
	grep -v '^fingerprint$')
for set in "${sets[@]}"; do
	mapfile -t elements < <(content "$set")
	for element in "${elements[@]}"; do
		key=${element%% |*}
		rest=${element#* | }
		[[ $element == *"| "* ]] || rest=
		data=${rest##*: }
		drift "$set: $key deleted" " $set:" "delete element $T $set { $key }"
		case $set in
		dispatch*)
			drift "$set: $key goes elsewhere" " $set:" "delete element $T $set { $key }
				add element $T $set { $key : goto refuse }"
			drift "$set: $key jumps" " $set:" "delete element $T $set { $key }
				add element $T $set { $key : jump ${data#goto } }"
			drift "$set: $key accepts" " $set:" "delete element $T $set { $key }
				add element $T $set { $key : accept }"
			;;
		*-nat[46])
			drift "$set: $key to another port" " $set:" "delete element $T $set { $key }
				add element $T $set { $key ${rest% : *} : ${data% . *} . 1 }"
			drift "$set: $key without a comment" " $set:" "delete element $T $set { $key }
				add element $T $set { $key : $data }"
			;;
		*-v[46])
			drift "$set: $key with a timeout" " $set:" "delete element $T $set { $key }
				add element $T $set { $key timeout 1h $rest }"
			drift "$set: $key with another comment" " $set:" "delete element $T $set { $key }
				add element $T $set { $key comment \"x\" }"
			;;
		esac
	done
done
for added in "dispatch|\"eth0\" : goto ds-a-OUT" "dispatch-host|\"eth0\" : goto ds-a-HOST" \
	"ds-a-nat4|udp . 53 : 192.0.2.1 . 53" "ds-a-nat6|tcp . 53 : 2001:db8::9 . 53" \
	"ipset-s-v4|192.0.2.1" "ipset-s-v4|192.0.2.1 timeout 1h comment \"someone.example\"" \
	"ipset-s-v6|2001:db8::9" "ipset-s-net4|192.0.2.0/24" "ipset-s-net4|192.0.2.1" \
	"ipset-s-net6|2001:db8:2::/48" "ports_80_443-445|8080" "ports_80_443-445|0-79" \
	"host-one.example-v4|192.0.2.1"; do
	drift "${added%%|*}: ${added#*|} added" " ${added%%|*}:" \
		"add element $T ${added%%|*} { ${added#*|} }"
done
drift "a prefix narrowed" " ipset-s-net4:" "delete element $T ipset-s-net4 { 203.0.113.0/24 }
	add element $T ipset-s-net4 { 203.0.113.0/25 }"
drift "a range narrowed" " ports_80_443-445:" "delete element $T ports_80_443-445 { 443-445 }
	add element $T ports_80_443-445 { 443-444 }"
drift "a NAT target changed" " ds-a-nat4:" "delete element $T ds-a-nat4 { tcp . 3306 }
	add element $T ds-a-nat4 { tcp . 3306 comment \"nat[0]\" : 192.0.2.66 . 13306 }"
for set in "${sets[@]}"; do
	[[ -n $(content "$set") ]] || continue
	case $set in
	dispatch* | *-nat[46]) drift "$set flushed" " $set:" "flush map $T $set" ;;
	*) drift "$set flushed" " $set:" "flush set $T $set" ;;
	esac
done
drift "a set added" "set mine" "add set $T mine { type ipv4_addr; flags timeout; }
	add element $T mine { 192.0.2.1 }"
drift "a map added, and used" " mine: removed" "add map $T mine { type ipv4_addr : verdict; }
	add element $T mine { 192.0.2.1 : goto refuse }
	insert rule $T ds-a-OUT ip daddr vmap @mine"
redo "a set whose elements time out" " ipset-s-v4:" \
	'/set ipset-s-v4 /,/\}/s/flags timeout/flags timeout; timeout 1h/'
redo "a set without timeouts" " ipset-s-v4:" '/set ipset-s-v4 /,/\}/s/flags timeout//'
redo "a set without intervals" " ipset-s-net4:" \
	'/set ipset-s-net4 /,/\}/{ s/flags interval//; s/203.0.113.0.24/203.0.113.0/ }'
redo "a set with intervals" " ipset-s-v6:" \
	'/set ipset-s-v6 /,/\}/s/flags timeout/flags interval,timeout/'
redo "a set that is full" " ipset-s-v4:" '/set ipset-s-v4 /,/\}/s/flags timeout/flags timeout; size 2/'
redo "a set that nobody may change" " ports_80_443-445:" \
	'/set ports_80_443-445 /,/\}/s/flags interval/flags constant,interval/'
redo "a map without counters" " ds-a-nat4:" \
	'/map ds-a-nat4 /,/\t\}/s/^\t\tcounter$//; s/ counter (comment "(one.example: )?nat)/ \1/'

# ---- the table -----------------------------------------------------------------------------------

drift "a counter added" "counter mine" "add counter $T mine"
drift "a counter added, and used" "counter mine" "add counter $T mine
	insert rule $T ds-a-OUT counter name mine"
drift "a quota added" "quota mine" "add quota $T mine { over 1 mbytes; }"
drift "a limit added" "limit mine" "add limit $T mine { rate 1/second; }"
flowtable="add flowtable $T mine { hook ingress priority 0; devices = { lo }; }"
if nft -c "$flowtable" 2>/dev/null; then
	drift "a flowtable added" "flowtable mine" "$flowtable"
	drift "a flowtable added, and used" "flowtable mine" "$flowtable
		insert rule $T forward flow add @mine"
fi
drift "the table put to sleep" "dormant" "table $T { flags dormant; }"
drift "the table flushed" "chain ds-a-OUT" "flush table $T"
drift "the table deleted" "table $T: new" "delete table $T"
drift "everything at once" "chain mine" "flush chain $T ds-a-OUT
	add chain $T mine
	add set $T yours { type inet_service; }
	add counter $T counts
	flush map $T dispatch
	add element $T ipset-s-v4 { 192.0.2.1 }
	table $T { flags dormant; }"
is "another table has been left alone" "$(nft -s list table inet other | diff $t/other -)" ""
drift "everything deleted" "table $T: new" "flush ruleset"
nft "flush set $T fingerprint"
dsfw diff
is "the program's notes lost are no difference" "$status $out" "0 no differences"
drift "with the notes lost, too" "chain ds-a-OUT" "flush set $T fingerprint
	flush chain $T ds-a-OUT"
drift "with wrong notes" "chain ds-a-OUT" "flush set $T fingerprint
	add element $T fingerprint { \"ds-a\" comment \"OUT=0000000000000000\" }
	flush chain $T ds-a-OUT"

# ---- settings ------------------------------------------------------------------------------------

for setting in call-iptables call-ip6tables filter-vlan-tagged; do
	file=/proc/sys/net/bridge/bridge-nf-$setting
	echo 0 >$file
	dsfw diff
	like "$file" "$status $out" "^1 .*$setting"
	dsfw apply
	is "is set again" "$status $(<$file)" "0 1"
done
finish
