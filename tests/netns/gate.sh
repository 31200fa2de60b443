#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The DNS gate's process, with the rules written by hand: allowed names open their addresses before the answer comes,
# names that are not allowed send nothing, lies open nothing, and a restart with held sockets loses nothing.
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"

uid=4711
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null' EXIT

in_net() # NAMESPACE COMMAND…
{
	nsenter --net=/run/netns/"$1" "${@:2}"
}

gate_py() # NAMESPACE COMMAND…
{
	in_net "$1" python3 "$here/gate.py" "${@:2}" 2>&1
}

# asks NAMESPACE QUESTION…: what the gate answers, a line each
asks()
{
	gate_py "$1" ask 8.8.8.8 "${@:2}"
}

rules()
{
	nft -f - <<-END
		table inet dockside {
			set dns-gate { type ifname; elements = { "br-a", "br-b" }; }
			set dns-never4 { type ipv4_addr; flags interval; auto-merge
				elements = { 0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16,
					172.16.0.0/12, 192.0.0.0/24, 192.0.2.0/24, 192.168.0.0/16, 198.18.0.0/15,
					198.51.100.0/24, 203.0.113.0/24, 224.0.0.0/3 }
			}
			set dns-never6 { type ipv6_addr; flags interval; auto-merge
				elements = { ::/8, 64:ff9b::/96, 64:ff9b:1::/48, 100::/64, 2001::/23, 2001:db8::/32,
					2002::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8 }
			}
			set dns-private4 { type ifname . ipv4_addr; flags interval; elements = { "br-b" . 10.9.0.0/16 }; }
			set one-told4 { type ifname . ipv4_addr; flags dynamic,timeout; size ${1:-65536}; }
			set one-told6 { type ifname . ipv6_addr; flags dynamic,timeout; size ${1:-65536}; }
			set two-told4 { type ifname . ipv4_addr; flags dynamic,timeout; size 65536; }
			set two-told6 { type ifname . ipv6_addr; flags dynamic,timeout; size 65536; }
			chain prerouting-dns { type nat hook prerouting priority dstnat - 1; policy accept
				iifname @dns-gate meta l4proto { tcp, udp } th dport 53 counter redirect to :5300
			}
			chain input { type filter hook input priority filter - 1; policy accept
				meta l4proto { tcp, udp } th dport 5300 iifname @dns-gate ct status dnat counter accept
				meta l4proto { tcp, udp } th dport 5300 counter drop
			}
			chain forward { type filter hook forward priority filter - 1; policy accept
				iifname @dns-gate meta l4proto { tcp, udp } th dport { 53, 853 } counter drop
				ct state established accept
				iifname . ip daddr @one-told4 tcp dport 443 update @one-told4 { iifname . ip daddr timeout 3900s } counter accept
				iifname . ip6 daddr @one-told6 tcp dport 443 update @one-told6 { iifname . ip6 daddr timeout 3900s } counter accept
				iifname @dns-gate tcp dport 1-65535 counter reject with tcp reset
				iifname @dns-gate counter drop
			}
			chain dns-told { type filter hook output priority raw - 1; policy accept
				meta skuid $uid udp sport 5301 goto dns-tell
			}
			chain dns-tell {
				meta nfproto ipv4 fib daddr type != unicast counter goto dns-refuse
				meta nfproto ipv6 fib saddr type { local, broadcast, anycast, multicast } counter goto dns-refuse
				ip daddr @dns-never4 oifname . ip daddr != @dns-private4 counter goto dns-refuse
				ip6 saddr @dns-never6 counter goto dns-refuse
				udp dport vmap { 1 : goto tell-one, 32769 : goto untell-one, 2 : goto tell-two, 32770 : goto untell-two }
				goto dns-refuse
			}
			chain tell-one {
				update @one-told4 { oifname . ip daddr timeout 3900s } counter drop
				update @one-told6 { oifname . ip6 saddr timeout 3900s } counter drop
				goto dns-refuse
			}
			chain untell-one {
				meta nfproto ipv4 delete @one-told4 { oifname . ip daddr } counter drop
				meta nfproto ipv6 delete @one-told6 { oifname . ip6 saddr } counter drop
			}
			chain tell-two {
				update @two-told4 { oifname . ip daddr timeout 3900s } counter drop
				update @two-told6 { oifname . ip6 saddr timeout 3900s } counter drop
				goto dns-refuse
			}
			chain untell-two {
				meta nfproto ipv4 delete @two-told4 { oifname . ip daddr } counter drop
				meta nfproto ipv6 delete @two-told6 { oifname . ip6 saddr } counter drop
			}
			chain dns-refuse { meta nfproto ipv4 counter reject with icmp type admin-prohibited; counter drop; }
		}
	END
}

# document SERVER NAMES-OF-ONE NAMES-OF-TWO: standard output
document()
{
	cat <<-END
		{"version": 1, "generation": "g-${4:-1}", "upstream": ["$1"],
		 "lists": [{"slot": 1, "set": "one", "names": [$2]}, {"slot": 2, "set": "two", "names": [$3]},
			{"slot": 0, "set": "", "names": ["*.corp.test"]}],
		 "networks": [
			{"name": "ds-a", "bridge": "br-a", "lists": [0, 1, 2], "ipv6": true, "life": 3900, "types": ["MX", "SRV", "TXT"],
			 "private": [], "size": ${5:-65536}, "audit": false},
			{"name": "ds-b", "bridge": "br-b", "lists": [2], "ipv6": false, "life": 3900, "types": [],
			 "private": ["10.9.0.0/16"], "size": 65536, "audit": ${6:-false}}]}
	END
}

# set_policy…: document's arguments; takes it by SIGHUP
set_policy()
{
	document "$@" >$t/policy.new && mv $t/policy.new $t/policy
	kill -HUP "$gate"
	until_true 5 grep -q "policy g-${4:-1} taken" $t/gate.log || result "policy ${4:-1}" "$(tail -n 3 $t/gate.log)"
}

start_gate()
{
	$DSFW_NFT gate --user $uid --policy $t/policy "$@" 2>$t/gate.log &
	gate=$!
	pids+=("$gate")
	until_true 5 grep -q 'taken' $t/gate.log || bail "the gate does not start: $(<$t/gate.log)"
}

upstream() # ADDRESS
{
	in_net outside python3 "$here/gate.py" serve "$1" $t/asked 2>$t/upstream.log &
	pids+=("$!")
	until_true 5 prints "${1//./\\.}:53" in_net outside ss -Hlun || bail "no name server"
}

# What was asked since the last time, one name a line, sorted.
asked()
{
	sort -u $t/asked
	: >$t/asked
}

outside 9.9.9.9/32 9.9.9.10/32 || bail "outside"
ip -n outside route add local 11.0.0.0/8 dev lo
ip -n outside route add local 2a00::/16 dev lo
bridge br-a 10.1.0.1/24 fd00:a::1/64 && bridge br-b 10.2.0.1/24 fd00:b::1/64 || bail "bridges"
container a1 br-a 10.1.0.2 fd00:a::2 && container b1 br-b 10.2.0.2 fd00:b::2 || bail "containers"
in_net outside python3 -c '
import socket
s = socket.create_server(("::", 443), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1000)
while True:
    s.accept()[0].close()' &
pids+=("$!")
: >$t/asked
rules
upstream 9.9.9.10
cat >$t/dnsmasq.conf <<-END
	no-resolv
	no-hosts
	listen-address=9.9.9.9
	bind-interfaces
	user=root
	pid-file=
	local=/test/
	host-record=www.test,11.3.0.1,2a00:1:3::1,60
	host-record=short.test,11.3.0.2,1
	host-record=bare.test,11.3.0.3,60
	address=/wild.test/11.3.0.4
	cname=alias.test,www.test,60
	host-record=ten.corp.test,10.9.0.5,60
	host-record=eleven.corp.test,10.8.0.5,60
	log-queries
END
in_net outside dnsmasq -k -C $t/dnsmasq.conf --log-facility=$t/dnsmasq.log &
pids+=("$!")
until_true 5 prints '9\.9\.9\.9:53' in_net outside ss -Hlun || bail "no dnsmasq"

# ---- allowed names -------------------------------------------------------------------------------

document 9.9.9.9 '"www.test", "alias.test", "short.test", "*.wild.test", "nothing.test"' '"*.wild.test"' >$t/policy
start_gate
is "names of the policy, and their addresses" "$(asks a1 www.test,A www.test,AAAA alias.test,A x.y.wild.test,A \
	www.test,A,tcp www.test,A,edns www.test,A,case WWW.TEST,A www.test,A,plain)" "0 11.3.0.1
0 2a00:1:3::1
0 11.3.0.1
0 11.3.0.4
0 11.3.0.1
0 11.3.0.1
0 11.3.0.1
0 11.3.0.1
0 11.3.0.1"
is "over IPv6" "$(gate_py a1 ask 2a00:9::9 www.test,A www.test,AAAA,tcp)" "0 11.3.0.1
0 2a00:1:3::1"
is "what was told" "$(elements one-told4; elements one-told6; elements two-told4)" "br-a . 11.3.0.1 timeout 1h5m
br-a . 11.3.0.4 timeout 1h5m
br-a . 2a00:1:3::1 timeout 1h5m
br-a . 11.3.0.4 timeout 1h5m"
is "by 300 connections at once to what the answers name" "$(gate_py a1 dial 8.8.8.8 100 443 www.test,A www.test,AAAA \
	alias.test,A,tcp)" "asked 100 addresses 100 refused 0 failed 0"
is "another network does not get it" "$(gate_py b1 dial 8.8.8.8 1 443 ten.corp.test,A; asks b1 www.test,A)" \
	"asked 1 addresses 1 refused 1 failed 0
3"
is "a private address that the network may have, and one that it may not" \
	"$(asks b1 ten.corp.test,A eleven.corp.test,A; asks a1 ten.corp.test,A)" "0 10.9.0.5
0
0"

# ---- names that are not allowed ------------------------------------------------------------------

set_policy 9.9.9.10 '"www.good.test", "alias.good.test", "*.wild.test"' '' 2
long=$(printf 'x%.0s' $(seq 63))
is "names that are not allowed do not exist, at once" "$(asks a1 evil.test,A,fast evil.test,A,edns,fast EVIL.test,A,fast \
	evil.test,A,tcp,fast evil.test,AAAA,fast evil.test,TXT,fast evil.test,ANY,fast evil.test,HTTPS,fast \
	wild.test,A,fast a.www.good.test,A,fast www.good.test.search.local,A,fast good.test,A,fast test,A,fast \
	target.forbidden.test,A,fast 1.0.0.11.in-addr.arpa,PTR,fast use-application-dns.net,A,fast "$long.$long.test,A,fast" \
	'*.wild.test,A,fast' 'a b.wild.test,A,fast' "$(printf 'a\001.wild.test'),A,fast" evil.test,65,do,fast \
	evil.test,DS,fast 2>&1 | sort | uniq -c | xargs)" "20 3 2 3/18"
is "refused questions say why" "$(asks a1 evil.test,A,edns)" "3/18"
is "nothing of them went to a name server" "$(asked)" ""
is "types that are not in the policy: no data; all types: refused" "$(asks a1 www.good.test,HTTPS www.good.test,SVCB \
	www.good.test,CAA www.good.test,PTR www.good.test,ANY www.good.test,AXFR,tcp www.good.test,0)" "0
0
0
0
5
5
5"
is "nothing of these went out, either" "$(asked)" ""
is "no AAAA where the network has no IPv6" "$(asks b1 x.corp.test,AAAA)" "0"
is "nothing of that either" "$(asked)" ""
is "types of the policy" "$(asks a1 www.good.test,TXT www.good.test,MX www.good.test,SRV)" "0 0568656c6c6f05776f726c64
0 10 mail.www.good.test
0 1 2 443 srv.test.test"
is "an alias to a name that is not allowed: its addresses, under the name that was asked" \
	"$(asks a1 alias.good.test,A target.forbidden.test,A)" "0 11.0.0.1
3"
is "the questions that went out" "$(asked)" "udp alias.good.test A
udp www.good.test MX
udp www.good.test SRV
udp www.good.test TXT"

# ---- messages that are no questions --------------------------------------------------------------

head=000101000001
question=0377777704676f6f6404746573740000010001
is "malformed: refused or dropped" "$(gate_py a1 raw 8.8.8.8 ${head}000000000000 ${head}00000000${question}00 \
	0001010000020000000000$question 000181000001000000000000$question ${head}000000000000${question:0:30} \
	${head}000000000000c00c00010001 000129000001000000000000$question ${head}000000000001$question \
	${head}00000000${question/00010001/00010003} 0001 ${head}0000000000ff$question \
	000103000001000000000000$question)" "00018181
00018181
00018181
-
00018181
00018181
00018184
00018181
00018181
-
00018181
00018181"
is "TCP: too long, too short, nothing at all" "$(in_net a1 python3 - <<'END'
import socket
for head in (b"\xff\xff" + b"x" * 600, b"\0\1x", b"\0\0", b""):
    s = socket.create_connection(("8.8.8.8", 53), 8)
    s.sendall(head)
    if not head:
        s.shutdown(socket.SHUT_WR)
    try:
        print(s.recv(10))
    except ConnectionResetError:
        print(b"")
END
)" "b''
b''
b''
b''"
is "TCP: several questions in one piece" "$(in_net a1 python3 - <<'END'
import socket
q = b"\0\1\1\0\0\1\0\0\0\0\0\0\3www\4good\4test\0\0\1\0\1"
piece = len(q).to_bytes(2, "big") + q
s = socket.create_connection(("8.8.8.8", 53), 8)
s.sendall(piece * 20 + piece[:7])
s.sendall(piece[7:])
got = b""
while len(got) < 21 * (2 + len(q) + 16):
    got += s.recv(10000)
print(len(got), got.count(bytes([11, 0, 0, 1])))
END
)" "$((21 * (2 + 31 + 16))) 21"
: >$t/asked

# ---- name servers that lie -----------------------------------------------------------------------

names='"*.lies.test"'
set_policy 9.9.9.10 "$names" '' 3
is "addresses that no name opens are left out" "$(asks a1 never.lies.test,A,edns never.lies.test,AAAA,edns \
	never-most.lies.test,A never-most.lies.test,AAAA)" "0/18
0/18
0 11.0.0.1
0 2a00:1::1"
is "addresses of another name, aliases in a circle, malformed answers" "$(asks a1 stranger.lies.test,A circle.lies.test,A \
	broken.lies.test,A servfail.lies.test,A nowhere.lies.test,A)" "0
2
2
2
3"
is "forged answers" "$(asks a1 spoofed.lies.test,A spoofed.lies.test,AAAA)" "0 11.0.0.1
0 2a00:1::1"
is "a server that does not keep the letters' case is asked over TCP" "$(asks a1 lower.lies.test,A; asked |
	grep lower)" "0 11.0.0.1
tcp lower.lies.test A
udp lower.lies.test A"
is "an answer that is too long: over TCP; and no more than 28 and 16 addresses go out, all of them told" \
	"$(asks a1 huge.lies.test,A huge.lies.test,A,tcp huge.lies.test,AAAA | awk '{ print NF - 1 }' | xargs
	gate_py a1 dial 8.8.8.8 1 443 huge.lies.test,A,tcp)" "28 28 16
asked 1 addresses 28 refused 0 failed 0"
is "noise" "$(for i in $(seq 15); do asks a1 "r$i.lies.test,A" "random.$i.lies.test,A" & done | sort | uniq -c |
	sed 's/^ *//')" "15 0 11.0.0.1
15 2"
is "a silent server: SERVFAIL, in the end" "$(asks a1 silent.lies.test,A)" "2"
is "no private address is in the sets" "$(elements one-told4; elements one-told6 | grep -v '2a00:1:2::' |
	grep -v '2a00:1::')" "$(elements one-told4 | grep '11\.')"
is "5 of 200 addresses at a time, each dialled at once" "$(gate_py a1 dial 8.8.8.8 400 443 pool.lies.test,A \
	pool.lies.test,AAAA)" "asked 400 addresses 2000 refused 0 failed 0"
is "questions are as a resolver asks" "$(grep BAD $t/asked)" ""

# ---- a gate that lies ----------------------------------------------------------------------------

index=$(<"/sys/class/net/br-a/ifindex")
before=$(elements one-told4; elements one-told6)
never="127.0.0.1 10.0.0.1 10.1.0.2 169.254.169.254 192.168.1.1 100.64.0.1 224.0.0.1 240.0.0.1 255.255.255.255 10.1.0.255
	fe80::1 fc00::1 fd00:a::2 64:ff9b::a00:1 2002:a00:1::1 2001:db8::1 ::1"
kill "$gate"
wait "$gate"
for address in $never; do
	gate_py a1 true >/dev/null
	python3 "$here/gate.py" lie $uid "$index" 1 "$address"
done >$t/lies 2>&1
is "tells by hand of addresses that no name opens: none gets in" "$(elements one-told4; elements one-told6)" "$before"
is "the same by another user" "$(python3 "$here/gate.py" lie 4712 "$index" 1 11.77.0.1 2>&1
	elements one-told4 | grep '11\.77')" "11.77.0.1 sent"
is "the same by the gate's user, of an address that may be open" "$(python3 "$here/gate.py" lie $uid "$index" 1 11.77.0.1
	elements one-told4 | grep '11\.77')" "11.77.0.1 EPERM
br-a . 11.77.0.1 timeout 1h5m"

# ---- policies ------------------------------------------------------------------------------------

start_gate
set_policy 9.9.9.10 '"www.good.test", "both.good.test"' '"both.good.test"' 4
asks a1 www.good.test,A both.good.test,A www.good.test,AAAA >/dev/null
nft delete element inet dockside one-told4 '{ "br-a" . 11.77.0.1 }'
set_policy 9.9.9.10 '"both.good.test"' '"both.good.test"' 5
is "a name is gone, another has its address still" "$(elements one-told4 | grep -c '11\.0\.0\.1 ')" 1
result "one that no other has is taken back" "$(until_true 3 prints_no '2a00:1::1 ' elements one-told6 || elements one-told6)"
set_policy 9.9.9.10 '"both.good.test"' '"x.test"' 6
result "from one set and not from the other" "$(until_true 3 prints_no '11\.0\.0\.1 ' elements two-told4 || elements two-told4
	prints '11\.0\.0\.1 ' elements one-told4 || echo gone)"
set_policy 9.9.9.10 '"both.good.test"' '"both.good.test"' 7
result "a set that has the name now is told without a question" \
	"$(until_true 3 prints '11\.0\.0\.1 ' elements two-told4 || elements two-told4)"
for bad in '' '{' '[]' '{"version": 2}' "$(document 9.9.9.9 '"Upper.test"' '')" "$(document 9.9.9.9 '"*.test"' '')" \
	"$(document 9.9.9.9 '"a.*.test"' '')" "$(document 9.9.9.9 '' '' | sed 's/"slot": 2/"slot": 1/')" \
	"$(document dns.test '' '')" "$(document 9.9.9.9 '' '' | sed 's/\[0, 1, 2\]/[0, 9]/')" \
	"$(document 9.9.9.9 '' '' | sed 's/"life": 3900/"life": 3900, "limit": 1/')" \
	"$(document 9.9.9.9 '' '' | sed 's/br-b/br-a/')" "$(document 9.9.9.9 '"x.test"' '"x.test"').."; do
	printf '%s' "$bad" >$t/policy
	: >$t/gate.log
	kill -HUP "$gate"
	until_true 5 grep -q 'was not taken' $t/gate.log || echo "taken: $bad"
done >$t/bad
is "faulty policies change nothing" "$(<$t/bad)$(asks a1 both.good.test,A)" "0 11.0.0.1"
document 9.9.9.10 '"*.good.test"' '' 8 28 >$t/policy
set_policy 9.9.9.10 '"*.good.test"' '' 8 28
is "a network that has no room for more addresses" "$(asks a1 fill.good.test,A fill.good.test,A,edns |
	awk '{ print $1, NF - 1 }')" "0 28
2/0 0"

finish
