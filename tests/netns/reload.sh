#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An apply leaves alone open connections, counters, sets, and everything if nothing is new; addresses come and go with
# their names. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

build_network()
{
	outside 198.51.100.1/32 198.51.100.2/32 2001:db8:51::1/128 || return
	for number in 1 2; do
		bridge "ds-$number" "172.30.$number.1/24" "fd77:$number::1/64" &&
			container "c$number" "ds-$number" "172.30.$number.11" "fd77:$number::11" || return
	done
	bridge ds-3 172.30.3.1/24 fd77:3::1/64
}
build_network || bail "cannot build the network"
network_config <<'END'
{"networks": [
	{"name": "ds-1", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"},
	{"name": "ds-2", "subnet": "172.30.2.0/24", "subnet6": "fd77:2::/64"},
	{"name": "ds-3", "subnet": "172.30.3.0/24", "subnet6": "fd77:3::/64"}
]}
END
start_peers
ask "serve outside tcp 80 443" "serve outside udp 53"

# apply WANTED: which has to say that, an extended regular expression; IPSET_STALE_TTL is taken over
apply()
{
	dsfw apply
	if [[ $status -ne 0 || ! $out =~ ^$1 ]]; then
		result "apply" "$(printf 'exit status %s, wanted 0 and "%s"; got:\n%s\n%s\n' \
			"$status" "$1" "$out" "$err")"
	fi
}
applied="applied: "
nothing="nothing to change"

# ---- connections and counters --------------------------------------------------------------------

open_policy='{"networks": {
	"ds-1": {"egress": [{"proto": "tcp"}, {"proto": "udp"}, {"action": "drop"}]},
	"ds-2": {"egress": [{"proto": "tcp", "ports": [80]}, {"action": "drop"}]}
}}'
closed_policy='{"networks": {
	"ds-1": {"egress": [{"action": "drop"}]},
	"ds-2": {"egress": [{"proto": "tcp", "ports": [80]}, {"action": "drop"}]}
}}'
# The counters of a network's egress rules, and the whole with handles
counters()
{
	nft list chain inet dockside "$1-OUT" | grep -o 'counter packets [0-9]*' | awk '{ print $3 }' | xargs
}
handles()
{
	nft -a -s list table inet dockside | sed '/^\tset fingerprint /,/^\t}/d'
}

policy <<<"$open_policy"
for flow in "tcp4 c1 tcp 198.51.100.1:80" "tcp6 c1 tcp [2001:db8:51::1]:80" \
	"udp4 c1 udp 198.51.100.1:53" "udp6 c1 udp [2001:db8:51::1]:53"; do
	like "open ${flow%% *}" "$(ask "hold $flow")" "^open outside"
done
probes "some packets for the counters" <<-'END'
	c2 tcp 198.51.100.1:80 = open
	c2 tcp 198.51.100.2:80 = open
	c2 tcp 198.51.100.1:443 = reset
END
before=$(counters ds-2)
is "which are counted" "$before" "0 2 1"

policy <<<"$closed_policy"
is "an apply for one network leaves another's counters" "$(counters ds-2)" "$before"
probes "new connections are refused" <<-'END'
	c1 tcp 198.51.100.1:80 = reset
	c1 tcp [2001:db8:51::1]:80 = reset
	c1 udp 198.51.100.1:53 = silence
	c1 udp [2001:db8:51::1]:53 = silence
END
is "open ones go on" "$(ask "alive tcp4" "alive tcp6" "alive udp4" "alive udp6" | xargs)" \
	"alive alive alive alive"

policy <<'END'
{"networks": {"ds-1": {"nat": [
	{"match_dport": 443, "to_ip": "198.51.100.1", "to_port": 80},
	{"match_dport": 444, "to_ip": "2001:db8:51::1", "to_port": 80},
	{"proto": "udp", "match_dport": 5353, "to_ip": "2001:db8:51::1", "to_port": 53}]}}}
END
for flow in "nat4 c1 tcp 198.51.100.2:443" "nat6 c1 tcp [2001:db8:51::2]:444" \
	"natudp c1 udp [2001:db8:51::2]:5353"; do
	like "open ${flow%% *}, redirected" "$(ask "hold $flow")" "^open outside"
done
policy <<<"$closed_policy"
is "redirected ones go on without the network's last nat rules" \
	"$(ask "alive nat4" "alive nat6" "alive natudp" | xargs)" "alive alive alive"
probes "while new ones are not redirected" <<-'END'
	c2 tcp 198.51.100.1:80 = open outside 198.51.100.1:80
	c2 tcp [2001:db8:51::1]:444 = reset
	c1 udp [2001:db8:51::2]:5353 = silence
END
firewall_config <<<"$closed_policy"
apply "$nothing"
dsfw diff
is "which is no difference" "$status $out" "0 no differences"

# ---- nothing to change ---------------------------------------------------------------------------

hosts "198.51.100.1 one.example" "2001:db8:51::1 one.example" "198.51.100.2 two.example"
firewall_config <<'END'
{"ipsets": {"s": ["one.example", "two.example", "203.0.113.0/24", "203.0.113.128/25", "10.0.0.1",
	"2001:db8::/32"]},
"networks": {
	"ds-1": {"egress": [{"proto": "tcp", "ports": [80, "443-445", 444], "to": "ipset", "ipset": "s"},
			{"proto": "icmp", "type": "echo-request"}, {"proto": "icmp", "type": "13/0"},
			{"action": "drop", "proto": "udp", "ports": ["1-65535"], "comment": "it's \\ ünï"},
			{"action": "drop", "to": "host", "host": "nowhere.example"}, {"action": "drop"}],
		"nat": [{"match_dport": 3306, "to_host": "one.example", "to_port": 80},
			{"proto": "udp", "match_dport": 3306, "to_ip": "2001:db8:51::1", "to_port": 53}],
		"host": [{"proto": "udp", "ports": [53, 123]}, {"action": "drop"}]},
	"ds-2": {"egress": [], "nat": []}, "ds-3": {"host": [{"proto": "udp"}]}}}
END
apply "$applied"
is "networks without rules keep none" "$(nft list chains inet | grep -c 'ds-2')" 0
before=$(generation)
apply "$nothing"
is "a second apply is no transaction" "$(generation)" "$before"
dsfw diff
is "and there are no differences" "$status $out" "0 no differences"

dsfw compile --resolve
cp "$t/out" "$t/resolved.nft"
listing >$t/listing.before
nft delete table inet dockside
nft -f $t/resolved.nft
is "compile --resolve makes what apply made" "$(listing | diff $t/listing.before - | head -20)" ""
handles >$t/handles
# Not only of table inet; apply binds the dockside container's addresses, too.
apply "$nothing|rules as wanted, now recorded as ours|applied: [0-9]+ managed networks; changed 0 chains, 0 sets, "
is "an apply over what nft -f loaded touches nothing" "$(handles | diff $t/handles - | head -20)" ""
before=$(generation)
apply "$nothing"
is "and the next is no transaction" "$(generation)" "$before"

dsfw compile
nft -f $t/out
is "a script without addresses empties sets" "$(elements ipset-s-v4)" "10.0.0.1"
apply "$applied.* 0 chains"
is "and apply fills them" "$(elements ipset-s-v4 | xargs)" \
	"10.0.0.1 198.51.100.1 comment one.example 198.51.100.2 comment two.example"

# ---- names ---------------------------------------------------------------------------------------

echo "nameserver 127.0.0.1" >$t/resolv.conf
hosts
# dns LINE…: "ADDRESS NAME…"; others do not exist
dns()
{
	printf '%s\n' "$@" >$t/dns
}
dns
ask "dns $t/dns"
v4=ipset-s-v4
names_policy='{"ipsets": {"s": ["a.example", "b.example"], "u": ["10.0.0.1", "10.0.0.2"]},
"networks": {"ds-1": {"egress": [{"to": "ipset", "ipset": "s"}, {"to": "ipset", "ipset": "u"}],
	"nat": [{"match_dport": 25, "to_host": "a.example", "to_port": 80}]}}}'
export IPSET_STALE_TTL=77

firewall_config <<<"$names_policy"
apply "$applied"
is "a name without an address" "$(elements $v4)$(elements ipset-s-v6)$(nft list map inet dockside \
	ds-1-nat4 | grep elements)" ""
like "is warned of" "$err" "warning: a.example: no address"
dns "10.1.0.1 a.example" "10.1.0.2 a.example" "2001:db8::1 a.example" "10.1.0.2 b.example"
apply "$applied.* 0 chains, 0 sets, 5 elements"
a1="10.1.0.1 comment a.example"
a2="10.1.0.2 comment a.example b.example"
is "addresses are permanent" "$(elements $v4)" "$a1
$a2"
is "of both families" "$(elements ipset-s-v6)" "2001:db8::1 comment a.example"
nat_target()
{
	nft list map inet dockside ds-1-nat4 | sed -nE 's/.* : ([0-9.]+) \. ([0-9]+).*/\1:\2/p'
}
is "NAT goes to the lowest" "$(nat_target)" 10.1.0.1:80

# addresses: those in the set, without comments; then the NAT target
addresses()
{
	elements $v4 | sed 's/ comment .*//' | xargs echo -n
	echo " $(nat_target)"
}
dns "10.1.0.2 b.example"
dsfw apply
is "a name that no longer exists keeps its addresses" "$status $(addresses)" \
	"0 10.1.0.1 10.1.0.2 10.1.0.1:80"
dns "fail a.example" "10.1.0.2 b.example"
dsfw apply
is "a server failure loses none" "$status $(addresses)" "0 10.1.0.1 10.1.0.2 10.1.0.1:80"
apply "$nothing"
dns "fail a.example" "10.1.0.4 b.example"
apply "$applied"
is "nor one that another name has lost" "$(addresses)" "10.1.0.1 10.1.0.2 10.1.0.4 10.1.0.1:80"
firewall_config <<<"${names_policy/', "b.example"'/}"
apply "$applied"
is "but what is only the other's goes with it" "$(addresses)" "10.1.0.1 10.1.0.2 10.1.0.1:80"
firewall_config <<<"$names_policy"
dns "10.1.0.1 a.example" "2001:db8::1 a.example" "10.1.0.2 b.example"
apply "$applied"

dns "10.1.0.3 a.example" "2001:db8::1 a.example" "10.1.0.2 b.example"
apply "$applied"
is "an address that DNS stopped returning ages" \
	"$(elements $v4)" "10.1.0.1 timeout 1m17s comment a.example
10.1.0.2 comment b.example
10.1.0.3 comment a.example"
is "NAT follows" "$(nat_target)" 10.1.0.3:80
# Nothing else has a timeout. Of 77 seconds there are fewer left, and not too few for a busy machine.
has_aged()
{
	[[ $(nft list set inet dockside "$v4") =~ ' expires '(1m)?([0-9]+)s ]] &&
		[[ $((${BASH_REMATCH[1]:+60} + BASH_REMATCH[2])) -lt 77 ]]
}
until_true 5 has_aged || result "time passes" "$(nft list set inet dockside "$v4")"
before=$(generation)
apply "$nothing"
is "its time does not begin anew" "$(has_aged && generation)" "$before"
firewall_config <<<"${names_policy/'"ipsets"'/'"comment": "x", "ipsets"'}"
apply "$nothing"
sed -i 's/"nat"/"host": [{"proto": "udp"}], "nat"/' $t/firewall.json
apply "$applied"
is "nor when rules change" "$(has_aged && elements $v4 | head -1)" \
	"10.1.0.1 timeout 1m17s comment a.example"

dns "fail a.example" "10.1.0.2 b.example"
apply "$applied"
is "a failing name renews what ages" "$(elements $v4 | head -1)" "$a1"
dns "10.1.0.3 a.example" "10.1.0.2 b.example"
apply "$applied"
dns "10.1.0.1 a.example" "10.1.0.3 a.example" "10.1.0.2 b.example"
apply "$applied"
is "an address that DNS returns again is permanent again" "$(elements $v4 | head -1)" "$a1"

export IPSET_STALE_TTL=1
dns "10.1.0.3 a.example" "10.1.0.2 b.example"
apply "$applied"
# shellcheck disable=SC2317
gone()
{
	[[ $(elements "$v4") != *10.1.0.1* ]]
}
is "what has aged goes by itself" "$(until_true 5 gone && elements $v4)" \
	"10.1.0.2 comment b.example
10.1.0.3 comment a.example"
apply "$nothing"
unset IPSET_STALE_TTL

# From here on of a.example there is 10.1.0.3, of b.example 10.1.0.2.
firewall_config <<<"${names_policy/'"a.example", '/}"
apply "$applied"
is "a name deleted from the configuration goes at once" "$(elements $v4)" "10.1.0.2 comment b.example"
firewall_config <<<"${names_policy/', "10.0.0.2"'/}"
apply "$applied"
is "so does an address" "$(elements ipset-u-v4)" 10.0.0.1
firewall_config <<<"${names_policy/'"10.0.0.1", "10.0.0.2"'/}"
apply "$applied"
is "and the last one" "$(elements ipset-u-v4)" ""

hosts "10.1.0.8 b.example" "10.1.0.9 b.example"
firewall_config <<<"$names_policy"
apply "$applied"
is "/etc/hosts goes before DNS" "$(elements $v4)" "10.1.0.3 comment a.example
10.1.0.8 comment b.example
10.1.0.9 comment b.example"
hosts "10.1.0.9 b.example"
apply "$applied"
is "what is deleted there goes at once" "$(elements $v4)" "10.1.0.3 comment a.example
10.1.0.9 comment b.example"

dsfw diff
is "after all this there are no differences" "$status $out" "0 no differences"
stop_peers
finish
