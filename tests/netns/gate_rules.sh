#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel's part of the DNS gate: what is redirected and refused, and what opens and stays closed when somebody
# tells addresses by packets. There is no gate here: gate_probe tells, and other programs listen at its port. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

probe=${TOP_BUILDDIR:-$here/../..}/tests/netns/gate_probe
[[ -x $probe ]] || bail "no gate_probe"
uid=4242

# Addresses that are not for documentation, as those are none that an answer opens.
build_network()
{
	outside 8.8.4.{1..9}/32 2a00:51::{1..9}/128 10.65.0.1/32 198.51.100.7/32 || return
	for i in 1 2 3; do
		name=ds-$(echo abc | cut -c $i)
		bridge "$name" "172.30.$i.1/24" "fd77:$i::1/64" &&
			container "$name.1" "$name" "172.30.$i.11" "fd77:$i::11" &&
			container "$name.9" "$name" "172.30.$i.9" "fd77:$i::9" "02:00:00:00:0$i:09" || return
	done
	ip addr add 8.8.8.99/32 dev lo && ip addr add 2a00:99::1/128 dev lo nodad
}
build_network || bail "cannot build the network"

network_config <<'END'
{"networks": [
	{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64",
	 "dockside_ip": "172.30.1.9", "dockside_ip6": "fd77:1::9", "dockside_mac": "02:00:00:00:01:09"},
	{"name": "ds-b", "subnet": "172.30.2.0/24", "subnet6": "fd77:2::/64"},
	{"name": "ds-c", "subnet": "172.30.3.0/24", "subnet6": "fd77:3::/64"}]}
END

# gated DNS-A DNS-B [EGRESS-A]: the policy, with these "dns" of two networks
gated()
{
	cat >$t/firewall.json <<-END
		{"ipsets": {"web": ["api.example", "*.example.com", "198.51.100.7"]},
		 "networks": {
			"ds-a": {${1:+\"dns\": $1,}
				 "egress": [${3:-}{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"},
					    {"to": "host", "host": "*.pool.example.net"},
					    {"action": "drop"}]},
			"ds-b": {${2:+\"dns\": $2,}
				 "egress": [{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"}, {"action": "drop"}]},
			"ds-c": {"egress": [{"proto": "udp", "ports": [53]}, {"proto": "tcp", "ports": [53]}, {"action": "drop"}]}}}
	END
}

# old: a policy without a gate, in which DNS passes
old()
{
	firewall_config <<-'END'
		{"networks": {"ds-a": {"egress": [{"proto": "udp", "ports": [53]}, {"proto": "tcp", "ports": [53, 853]},
						  {"action": "drop"}]}}}
	END
}

# slot SET: the number that tells of a list have, by the map
slot()
{
	nft list map inet dockside dns-tell | tr ',{' '\n' | sed -nE "s/^ *([0-9]+) : goto $1-tell.*/\1/p"
}

# The tag that apply has written down, as a gate has it whose policy that is.
tag()
{
	nft list set inet dockside dns-tags | sed -nE 's/.*elements = \{ (0x[0-9a-f]+).*/\1/p'
}

# tell BRIDGE LIST ADDRESS…; untell; tell_as UID …
tell_as()
{
	TAG=$(tag) "$probe" "$1" "$2" "$(slot "$3")" "${@:4}"
}
tell()
{
	tell_as $uid "$@"
}
untell()
{
	"$probe" $uid "$1" $(($(slot "$2") + 32768)) "${@:3}"
}

# told SET: its elements without times
told()
{
	elements "$1" | sed -E 's/ timeout [0-9a-z]+//'
}

start_peers
ask "serve outside tcp 53 443 853 22" "serve outside udp 53 853"
ask "serve host tcp 5300 22 53" "serve host udp 5300 53"

# ---- who tells -----------------------------------------------------------------------------------

gated '{"private": ["10.64.0.0/11"]}' '{"stale": 60}'
dsfw apply
like "a gate needs a user of its own" "$status $err" '^1 .*no user dsfw-gate.*adduser .*--gate-user'
is "and nothing is in the kernel without" "$(nft list tables | grep -c dockside)" 0
dsfw apply --gate-user root
like "who is not root" "$status $err" '^2 .*not root'
gated '' ''
dsfw apply --gate-user $uid
like "a wildcard needs a gate" "$status $err" '^3.*wildcard "\*.example.com".*"dns": \{\}'

# ---- flows that are older than the gate ----------------------------------------------------------

old
dsfw apply
is "apply, without a gate" "$status" 0
ask "hold udp53 ds-a.1 udp 8.8.4.1:53" "hold tcp53 ds-a.1 tcp 8.8.4.1:53" "hold dot ds-a.1 tcp 8.8.4.1:853" \
	"hold udp53v6 ds-a.1 udp [2a00:51::1]:53" "hold box ds-a.9 udp 8.8.4.1:53" "hold host ds-a.1 udp 172.30.1.1:53" \
	"hold hosttcp ds-a.1 tcp 172.30.2.1:53" "hold hostv6 ds-a.1 udp [fd77:1::1]:53" \
	"hold boxhost ds-a.9 udp 172.30.1.1:53" | comment
is "DNS passes" "$(ask "alive udp53" "alive tcp53" "alive dot" "alive udp53v6" | sort | uniq -c | xargs)" "4 alive"

gated '{"private": ["10.64.0.0/11"]}' '{"stale": 60}'
dsfw apply --gate-user $uid
like "apply, with a gate, says what has to run" "$status $out" '^0 .*dsfw-nft gate: dsfw-nft daemon gives it the policy, or apply'
is "connections to servers that are older end, and what is not a connection goes on to the gate" \
	"$(ask "alive tcp53" "alive dot" "alive udp53" "alive udp53v6" | xargs)" "dead dead alive alive"
is "so it is with those to a resolver of the host" "$(ask "alive hosttcp" "alive host" "alive hostv6" | xargs)" \
	"dead alive alive"
is "to nobody but the gate" "$(for family in ipv4 ipv6; do conntrack -L -f $family -p udp 2>/dev/null; done |
	sed -nE 's/.* src=[0-9a-f.:]*[.:]11 .* dport=53 .* sport=([0-9]+) .*/\1/p' | sort | uniq -c | xargs)" "4 5300"
is "not the exempt dockside container's" "$(ask "alive box" "alive boxhost" | uniq -c | xargs)" "2 alive"
dsfw apply --gate-user $uid
like "the second apply changes nothing" "$status $out" '^0 nothing to change'
dsfw diff --gate-user $uid
is "nor would another" "$status $out" "0 no differences"

# ---- questions -----------------------------------------------------------------------------------

probes "questions go to the gate, wherever they are sent" <<-'END'
	ds-a.1 udp 8.8.4.1:53 = open host 172.30.1.1:5300
	ds-a.1 tcp 8.8.4.1:53 = open host 172.30.1.1:5300
	ds-a.1 udp [2a00:51::1]:53 = open host [fd77:1::1]:5300
	ds-a.1 tcp [2a00:51::1]:53 = open host [fd77:1::1]:5300
	ds-a.1 udp 172.30.1.1:53 = open host 172.30.1.1:5300
	ds-a.1 udp 172.30.2.11:53 = open host 172.30.1.1:5300	# another network's
	ds-a.1 udp 172.30.1.9:53 = open host 172.30.1.1:5300	# the same network's, over the bridge
	ds-b.1 udp 8.8.4.1:53 = open host 172.30.2.1:5300
	ds-a.9 udp 8.8.4.1:53 = open outside 8.8.4.1:53		# the exempt dockside container
	ds-a.9 tcp [2a00:51::1]:53 = open outside [2a00:51::1]:53
	ds-a.9 udp 172.30.1.1:53 = open host 172.30.1.1:53
	ds-c.1 udp 8.8.4.1:53 = open outside 8.8.4.1:53		# no gate
END
probes "DNS over TLS is refused, and so is the gate's port" <<-'END'
	ds-a.1 tcp 8.8.4.1:853 = reset
	ds-a.1 udp 8.8.4.1:853 = silence
	ds-a.1 tcp [2a00:51::1]:853 = reset
	ds-a.1 udp 172.30.1.1:5300 = silence
	ds-a.1 tcp 172.30.1.1:5300 = silence
	ds-c.1 udp 172.30.3.1:5300 = silence
	outside udp 192.0.2.1:5300 = silence
	outside tcp [2001:db8:ffff::1]:5300 = silence
	host udp 127.0.0.1:5300 = silence
	ds-a.1 tcp 172.30.1.1:22 = open host 172.30.1.1:22	# without host rules
END

# ---- tells ---------------------------------------------------------------------------------------

probes "an address that nobody told is refused, a literal is not" <<-'END'
	ds-a.1 tcp 8.8.4.1:443 = reset
	ds-a.1 tcp [2a00:51::1]:443 = reset
	ds-a.1 tcp 198.51.100.7:443 = open outside 198.51.100.7:443
END
before=$(generation)
is "addresses are told" "$(tell ds-a ipset-web 8.8.4.1 2a00:51::1)" $'8.8.4.1 taken\n2a00:51::1 taken'
is "without a transaction" "$(generation)" "$before"
is "the kernel has them" "$(told ipset-web-told4) $(told ipset-web-told6)" "ds-a . 8.8.4.1 ds-a . 2a00:51::1"
probes "they are open to the network, for the rules on their names" <<-'END'
	ds-a.1 tcp 8.8.4.1:443 = open outside 8.8.4.1:443
	ds-a.1 tcp [2a00:51::1]:443 = open outside [2a00:51::1]:443
	ds-a.1 tcp 8.8.4.1:22 = reset
	ds-a.1 udp 8.8.4.1:853 = silence
	ds-b.1 tcp 8.8.4.1:443 = reset
	ds-b.1 tcp [2a00:51::1]:443 = reset
	ds-c.1 tcp 8.8.4.1:443 = reset
END
tell ds-a wild-pool.example.net 8.8.4.3 2a00:51::3 >/dev/null
probes "another list is another rule's" <<-'END'
	ds-a.1 tcp 8.8.4.3:22 = open outside 8.8.4.3:22
	ds-a.1 tcp [2a00:51::3]:22 = open outside [2a00:51::3]:22
	ds-a.1 tcp 8.8.4.3:853 = reset
	ds-a.1 udp 8.8.4.3:53 = open host 172.30.1.1:5300
END
is "another user's tell does nothing" "$(tell_as 4243 ds-a ipset-web 8.8.4.4 | cut -d ' ' -f 1)
$(told ipset-web-told4 | grep -c 8.8.4.4)" $'8.8.4.4\n0'
tell_as 4243 ds-a ipset-web 2a00:51::4 >/dev/null
is "not for IPv6 either" "$(told ipset-web-told6 | grep -c 51::4)" 0
is "a slot of nobody's is refused" "$(TAG=$(tag) "$probe" $uid ds-a 1 8.8.4.4)" "8.8.4.4 refused"
is "an address is taken back" "$(untell ds-a ipset-web 8.8.4.1 2a00:51::1)
$(told ipset-web-told4)$(told ipset-web-told6)" $'8.8.4.1 taken\n2a00:51::1 taken\n'
probes "and closed" <<-'END'
	ds-a.1 tcp 8.8.4.1:443 = reset
	ds-a.1 tcp [2a00:51::1]:443 = reset
END
is "one that is not there, too" "$(untell ds-a ipset-web 8.8.4.2)" "8.8.4.2 taken"

# ---- what nobody may tell ------------------------------------------------------------------------

never4=(127.0.0.1 127.8.8.8 169.254.169.254 169.254.1.1 100.100.100.200 168.63.129.16 192.0.0.192 0.1.2.3
	240.0.0.1 10.1.2.3 10.65.0.1 172.16.0.1 192.168.1.1 100.64.0.1 192.0.2.77 198.51.100.8
	203.0.113.9 198.18.0.1
	172.30.1.1 172.30.1.11 172.30.2.11 172.30.3.1 192.0.2.1 8.8.8.99)
is "the kernel refuses IPv4 addresses that no answer opens" "$(tell ds-b ipset-web "${never4[@]}")" \
	"$(printf '%s refused\n' "${never4[@]}")"
never6=(::1 ::7f00:1 ::ffff:0:127.0.0.1 64:ff9b::10.1.2.3 64:ff9b::8.8.4.4 64:ff9b:1::1 2002:a01:203::1
	fe80::1234 fd00:ec2::254 fd77:1::11 fd77:2::1 fc00::1 2001:db8::1 2001:db8:ffff::1 100::1 2a00:99::1)
tell ds-b ipset-web "${never6[@]}" 224.0.0.251 239.1.1.1 255.255.255.255 >/dev/null # the kernel drops these without a word
is "and IPv6 addresses" "$(told ipset-web-told6)" ""
is "nothing of all that is in a set" "$(told ipset-web-told4)" ""
is "what \"private\" has is taken for that network" "$(tell ds-a ipset-web 10.65.0.1)
$(told ipset-web-told4)" $'10.65.0.1 taken\nds-a . 10.65.0.1'
is "beyond it is not" "$(tell ds-a ipset-web 10.127.0.1 10.1.2.3)" $'10.127.0.1 refused\n10.1.2.3 refused'
probes "and it is open" <<-'END'
	ds-a.1 tcp 10.65.0.1:443 = open outside 10.65.0.1:443
	ds-b.1 tcp 10.65.0.1:443 = reset
END

# ---- time ----------------------------------------------------------------------------------------

tell ds-a ipset-web 8.8.4.1 2a00:51::1 >/dev/null
tell ds-b ipset-web 8.8.4.1 2a00:51::1 >/dev/null
is "each network has its own life" "$(elements ipset-web-told4 | grep 8.8.4.1)
$(elements ipset-web-told6)" 'ds-a . 8.8.4.1 timeout 1h5m
ds-b . 8.8.4.1 timeout 6m
ds-a . 2a00:51::1 timeout 1h5m
ds-b . 2a00:51::1 timeout 6m'

# left SET ADDRESS: seconds that an element of ds-a has left, or less
left()
{
	nft -j list set inet dockside "$1" | python3 -c '
import json, sys
for item in json.load(sys.stdin)["nftables"]:
    for elem in item.get("set", {}).get("elem", []):
        if elem["elem"]["val"]["concat"] == ["ds-a", sys.argv[1]]:
            print(elem["elem"]["expires"])' "$2"
}

nft add element inet dockside ipset-web-told4 '{ "ds-a" . 8.8.4.5 timeout 3900s expires 60s }'
nft add element inet dockside ipset-web-told6 '{ "ds-a" . 2a00:51::5 timeout 3900s expires 60s }'
nft add element inet dockside ipset-web-told4 '{ "ds-a" . 8.8.4.6 timeout 3900s expires 60s }'
is "these run out soon" "$(($(left ipset-web-told4 8.8.4.5) <= 60)) $(($(left ipset-web-told6 2a00:51::5) <= 60))" "1 1"
probes "one is used" <<-'END'
	ds-a.1 tcp 8.8.4.5:443 = open outside 8.8.4.5:443
	ds-a.1 tcp [2a00:51::5]:443 = open outside [2a00:51::5]:443
	ds-a.1 tcp 8.8.4.6:22 = reset
END
is "use renews it" "$(($(left ipset-web-told4 8.8.4.5) > 3600)) $(($(left ipset-web-told6 2a00:51::5) > 3600))" "1 1"
is "what another rule refused is not renewed" "$(($(left ipset-web-told4 8.8.4.6) <= 60))" 1
tell ds-a ipset-web 8.8.4.6 >/dev/null
is "another tell renews it" "$(($(left ipset-web-told4 8.8.4.6) > 3600))" 1

# ---- other changes -------------------------------------------------------------------------------

kept()
{
	told ipset-web-told4
	told ipset-web-told6
	told wild-pool.example.net-told4
}
wanted=$(kept)
dsfw diff --gate-user $uid
is "what was told is no difference" "$status $out" "0 no differences"
dsfw apply --gate-user $uid
like "and apply leaves it" "$out" '^nothing to change'
is "all of it" "$(kept)" "$wanted"
gated '{"private": ["10.64.0.0/11"]}' '{"stale": 120}' '{"proto": "udp", "ports": [123]}, '
dsfw apply --gate-user $uid
like "other rules, and another life" "$status $out" '^0 applied'
is "nothing of what was told is lost" "$(kept)" "$wanted"
dsfw compile --gate-user $uid
nft -f $t/out
is "nor by a compiled script" "$? $(kept)" "0 $wanted"
dsfw diff --gate-user $uid
is "whose rules are those of apply" "$(grep -E 'table inet|chain' <<<"$out")" ""
dsfw apply --gate-user $uid
is "nor after that" "$status $(kept)" "0 $wanted"
nft flush chain inet dockside forward
nft delete rule inet dockside dns-told handle "$(nft -a list chain inet dockside dns-told | sed -nE 's/.*skuid.* handle ([0-9]+)$/\1/p')"
dsfw apply --gate-user $uid
like "a repair" "$status $out" '^0 applied'
is "leaves it as well" "$(kept)" "$wanted"
tell ds-b ipset-web 8.8.4.7 >/dev/null
is "and tells are taken" "$(elements ipset-web-told4 | grep 4.7)" "ds-b . 8.8.4.7 timeout 7m"
probes "the rules work as before" <<-'END'
	ds-b.1 tcp 8.8.4.7:443 = open outside 8.8.4.7:443
	ds-b.1 tcp 8.8.4.8:443 = reset
	ds-a.1 udp 8.8.4.1:53 = open host 172.30.1.1:5300
END

sed -i 's/"api.example", //' $t/firewall.json
pool=$(told wild-pool.example.net-told4)
dsfw apply --gate-user $uid
like "a name that leaves an ipset closes all its addresses, as nobody knows which are its own" "$status $out" \
	'^0 .*closed all addresses of the ipset web, as names may have left'
is "and no others" "$(kept)" "$pool"
tell ds-b ipset-web 8.8.4.7 >/dev/null
dsfw apply --gate-user $uid
is "once" "$status $out $(told ipset-web-told4)" "0 nothing to change: 3 managed networks ds-b . 8.8.4.7"
rm "$STATE_DIRECTORY"/*
dsfw apply --gate-user $uid
is "without the files that were accepted last the kernel still knows whose addresses it has" \
	"$status $out $(told ipset-web-told4)" "0 nothing to change: 3 managed networks ds-b . 8.8.4.7"
TAG="" "$probe" $uid ds-b "$(slot ipset-web)" 8.8.4.6 >/dev/null
before=$(told ipset-web-told4 | wc -l)
dsfw apply --gate-user $uid
like "it was told by who does not say whose they are: all is closed" "$before $status $out $(told ipset-web-told4)" \
	'^2 0 .*closed all addresses of all names, .*with their next answers $'

# ---- the table is gone ---------------------------------------------------------------------------

nft delete table inet dockside
dsfw apply --gate-user $uid
is "after the table was deleted, addresses have to be told again" "$status $(kept)" "0 "
probes "until then they are closed" <<-'END'
	ds-b.1 tcp 8.8.4.7:443 = reset
END
tell ds-b ipset-web 8.8.4.7 >/dev/null
probes "then open" <<-'END'
	ds-b.1 tcp 8.8.4.7:443 = open outside 8.8.4.7:443
END

# A set that somebody has made anew, with elements for ever, is not ours.
nft flush chain inet dockside ds-a-OUT
nft flush chain inet dockside ds-b-OUT
nft flush chain inet dockside ipset-web-tell
nft flush chain inet dockside ipset-web-untell
nft delete set inet dockside ipset-web-told4
nft add set inet dockside ipset-web-told4 '{ type ifname . ipv4_addr; elements = { "ds-a" . 8.8.4.9 } }'
dsfw apply --gate-user $uid
is "a set of another kind is made anew" "$status $(told ipset-web-told4)" "0 "
like "with its flags" "$(nft list set inet dockside ipset-web-told4)" 'size 1048576.*flags dynamic,timeout'

# ---- without a gate ------------------------------------------------------------------------------

old
dsfw apply
is "the gate goes" "$status $(nft list ruleset | grep -cE 'dns-tell|told4|prerouting-dns|5300')" "0 0"
probes "and questions go where they are sent" <<-'END'
	ds-a.1 udp 8.8.4.1:53 = open outside 8.8.4.1:53
	ds-a.1 tcp 8.8.4.1:53 = open outside 8.8.4.1:53
END
stop_peers
finish
