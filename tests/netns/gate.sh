#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The DNS gate's process, with the rules written by hand: allowed names open their addresses before the answer comes,
# names that are not allowed send nothing, lies open nothing, and a restart with held sockets loses nothing.
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/netns/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/netns/gate_lib.sh
. "$here/gate_lib.sh"

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

# tells: how many packets the rule that adds addresses to a set has taken
tells()
{
	nft list chain inet dockside tell-one | sed -nE 's/.*update @one-told4.*counter packets ([0-9]+) .*/\1/p'
}

document 9.9.9.9 '"ten.corp.test", "www.test"' '' private | sed '0,/"private": \[\]/s//"private": ["10.9.0.0\/16"]/' >$t/policy
kill -HUP "$gate"
until_true 5 grep -q 'g-private taken' $t/gate.log
is "the kernel refuses what its own list does not have: SERVFAIL" "$(asks a1 ten.corp.test,A,edns www.test,A)" "2/0
0 11.3.0.1"
gate_py a1 fill 10.1.0.1
is "a container has filled the socket that hears refusals: SERVFAIL" "$(asks a1 ten.corp.test,A,edns)" "2/0"
ticks() # of a processor, that the gate has had
{
	awk '{ print $14 + $15 }' "/proc/$gate/stat"
}
before=$(ticks)
sleep 1
is "nor does it cost the gate the processor" "$(($(ticks) - before < 30))" 1
before=$(tells)
in_net a1 nft insert rule inet mute output icmp type destination-unreachable accept
gate_py a1 forge 10.1.0.1 11.3.0.1
is "a container forges refusals: they change nothing" "$(asks a1 www.test,A) $(tells)" "0 11.3.0.1 $before"
# By then the gate knows that it has told all of the answer; another policy ends that.
nft add element inet dockside dns-private4 '{ "br-a" . 10.9.0.0/16 }'
is "a private address that policy and kernel let the network have" \
	"$(asks a1 ten.corp.test,A ten.corp.test,A ten.corp.test,A)" "0 10.9.0.5
0 10.9.0.5
0 10.9.0.5"
set_policy 9.9.9.9 '"ten.corp.test", "www.test"' '' public
is "and not by the next policy" "$(asks a1 ten.corp.test,A,edns ten.corp.test,A)" "0/18
0"
nft delete element inet dockside one-told4 '{ "br-a" . 10.9.0.5 }'
nft delete element inet dockside dns-private4 '{ "br-a" . 10.9.0.0/16 }'

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
in_net outside nft 'table inet half {
	chain input { type filter hook input priority 0; udp dport 53 numgen inc mod 2 0 reject; }
}'
in_net outside nft insert rule inet mute output icmp type destination-unreachable accept
is "ICMP errors about some questions, which anybody can forge: asked again" \
	"$(asks a1 half{1..6}.lies.test,A | sort | uniq -c | xargs)" "6 0 11.0.0.1"
in_net outside nft flush chain inet half input
in_net b1 nft insert rule inet mute output icmp type destination-unreachable accept
gate_py b1 jam 10.2.0.1 4 &
jams=$!
gate_py b1 jam 10.2.0.1 4 &
sleep 0.3
is "another network's container forges errors of all kinds: tells are not lost" \
	"$(asks a1 fill.{1..150}.lies.test,A | awk '{ print NF - 1 }' | sort | uniq -c | xargs)" "150 28"
wait "$jams" $!
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
	elements one-told4 | grep ' 11\.77\.0\.1 ')" "11.77.0.1 sent"
is "the same by the gate's user, of an address that may be open" "$(python3 "$here/gate.py" lie $uid "$index" 1 11.77.0.1
	elements one-told4 | grep ' 11\.77\.0\.1 ')" "11.77.0.1 EPERM
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
is "a network that has no room for more addresses" "$(asks a1 fill.good.test,A fill.more.good.test,A,edns |
	awk '{ print $1, NF - 1 }')" "0 28
2/0 0"

finish
