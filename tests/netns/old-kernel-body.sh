#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The program on an old kernel (6.1): what that one refuses, does not know or silently ignores. Runs in a
# virtual machine of its own that has busybox, nft, ip, dnsmasq, dsfw-nft and gate_probe, see tests/old-kernel. TAP.
# shellcheck disable=SC3043 # busybox's sh has local variables
set -u
export STATE_DIRECTORY=/tmp/state # the default lies in a directory that is not there
n=0
failed=0
for applet in cmp cut nc ping sort timeout tr; do
	ln -sf /bin/busybox /bin/$applet
done

# busybox prefers its own.
ip()
{
	/bin/ip "$@"
}

# is DESCRIPTION GOT WANTED
is()
{
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
		return
	fi
	failed=1
	echo "not ok $n - $1"
	printf 'got:\n%s\nwanted:\n%s\n' "$2" "$3" | sed 's/^/# /'
}

# dsfw COMMAND: "STATUS FIRST-LINE", the first 17 characters of that
dsfw()
{
	dsfw-nft "$1" --network-config /tmp/network.json --firewall-config /tmp/firewall.json \
		>/tmp/out 2>/tmp/err
	echo "$? $(head -c 17 /tmp/out | head -n 1)"
}

# an object a line, in no order
listing()
{
	nft -s list table inet dockside | sed '/^\tset fingerprint /,/^\t}/d; /^table/d; /^}/d
		s/ expires [0-9a-z]*//g' | awk 'BEGIN { RS = ""; FS = "\n" } { $1 = $1; sub(/ +$/, ""); print }' | sort
}

elements() # SET
{
	nft list set inet dockside "$1" | tr -d '\n\t"' | sed -n 's/.*elements = { \(.*\) }.*/\1/p' |
		tr ',' '\n' | sed 's/^ *//; s/ *$//; s/ expires [0-9a-z]*//' | sort | tr '\n' ';'
}

cat >/tmp/network.json <<'END'
{"networks": [
	{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "dockside_ip": "172.30.1.2",
	 "dockside_mac": "02:00:00:00:01:02"},
	{"name": "1st", "subnet": "172.30.2.0/24"}
]}
END
cat >/tmp/firewall.json <<'END'
{"ipsets": {"s": ["a.example", "198.51.100.2", "2001:db8::2", "203.0.113.0/24", "2001:db8:1::/48"]},
"networks": {
	"ds-a": {"egress": [{"proto": "tcp", "ports": [80, "443-445"], "to": "ipset", "ipset": "s"},
			{"proto": "icmp", "to": "ip", "ip": "198.51.100.1"},
			{"action": "drop"}],
		"nat": [{"match_dport": 3306, "to_ip": "198.51.100.2", "to_port": 80},
			{"match_dport": 5432, "to_host": "a.example", "to_port": 80}],
		"host": [{"proto": "tcp", "ports": [22]}, {"action": "drop"}]},
	"1st": {"egress": [{"to": "host", "host": "a.example"}, {"action": "drop", "proto": "udp"}]}}}
END
echo "hosts: files dns" >/etc/nsswitch.conf
echo "127.0.0.1 localhost" >/etc/hosts
: >/etc/resolv.conf
echo "# $(uname -r), $(nft --version)"

# ---- loading -------------------------------------------------------------------------------------

is compile "$(dsfw compile)" "0 #!/usr/sbin/nft -"
cp /tmp/out /tmp/script.nft
is "its script loads" "$(nft -f /tmp/script.nft 2>&1)" ""
is "twice" "$(nft -f /tmp/script.nft 2>&1)" ""
listing >/tmp/compiled
# The dockside container's addresses are bound, as apply asks the kernel who is on which port, and Docker.
dsfw apply >/dev/null
is "apply finds nothing wrong with it but elements" "$(grep -o 'changed 0 chains, 0 sets' /tmp/out)" "changed 0 chains, 0 sets"
is "and changes nothing" "$(listing | busybox diff /tmp/compiled - 2>&1)" ""
is "nor does a second apply" "$(dsfw apply)" "0 nothing to change"
is "no differences" "$(dsfw diff)" "0 no differences"
nft flush ruleset
is "apply to an empty host" "$(dsfw apply)" "0 applied: 2 manage"
is "a second one has nothing to change" "$(dsfw apply)" "0 nothing to change"
is "nothing differs" "$(dsfw diff)" "0 no differences"
is "it is what the script makes" "$(listing | busybox diff /tmp/compiled - 2>&1)" ""

# ---- elements: on this kernel, adding one that is there changes nothing, silently --------------------

set=ipset-s-v4
echo "root:x:0:0:root:/:/bin/sh" >/etc/passwd
echo "root:x:0:" >/etc/group
echo "nameserver 127.0.0.1" >/etc/resolv.conf
dns=
# name_server ADDRESS: of a.example; another one instead of the last
name_server()
{
	no_name_server
	echo "$1 a.example" >/tmp/names
	dnsmasq -k -C /dev/null -R -h -H /tmp/names -a 127.0.0.1 -z -u root -g root -x "" --local=/example/ \
		--local-ttl=60 >/tmp/dns.log 2>&1 &
	dns=$!
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		grep -q :0035 /proc/net/udp && return
		sleep 0.3
	done
	sed 's/^/# /' /tmp/dns.log
}
no_name_server()
{
	[ -z "$dns" ] || kill "$dns"
	wait
	dns=
}
name_server 198.51.100.1
is "a name that gets an address" "$(dsfw apply)" "0 applied: 2 manage"
literal="198.51.100.2;"
named="198.51.100.1 comment a.example;"
is "has it permanently" "$(elements $set)" "$named$literal"
nft "delete element inet dockside $set { 198.51.100.1 }
	add element inet dockside $set { 198.51.100.1 timeout 1h comment \"a.example\" }"
is "made temporary by hand" "$(elements $set)" "198.51.100.1 timeout 1h comment a.example;$literal"
is "which is a difference" "$(dsfw diff)" "1 table inet docksi"
is "apply" "$(dsfw apply)" "0 applied: 2 manage"
is "makes it permanent again" "$(elements $set)" "$named$literal"
is "no more to do" "$(dsfw apply)" "0 nothing to change"

name_server 198.51.100.9
is "another address" "$(dsfw apply)" "0 applied: 2 manage"
is "the old one ages" "$(elements $set)" \
	"198.51.100.1 timeout 5m comment a.example;${literal}198.51.100.9 comment a.example;"
is "no more to do now" "$(dsfw apply)" "0 nothing to change"
is "a NAT target follows" "$(nft list map inet dockside ds-a-nat4 | grep -c 198.51.100.9)" 1
no_name_server
is "a name that fails" "$(dsfw apply)" "0 applied: 2 manage"
is "keeps both" "$(elements $set)" "$named${literal}198.51.100.9 comment a.example;"
echo "198.51.100.1 a.example" >>/etc/hosts
is "/etc/hosts" "$(dsfw apply)" "0 applied: 2 manage"
is "knows only one" "$(elements $set)" "$named$literal"

# ---- drift ---------------------------------------------------------------------------------------

listing >/tmp/wanted
T="inet dockside"
# drift DESCRIPTION COMMANDS [BEGIN-OF-THE-TABLE]
drift()
{
	nft "$2" || echo "# nft failed"
	is "$1: found, put right, and then as before" \
		"$(dsfw diff), $(dsfw apply), $(dsfw diff)$(listing | busybox diff /tmp/wanted - 2>&1)" \
		"1 table ${3:-inet docksi}, 0 applied: 2 manage, 0 no differences"
}
rule() # CHAIN PATTERN: its handle
{
	nft -a list chain inet dockside "$1" | grep "$2" | head -n 1 | sed 's/.*handle //'
}
drift "a rule deleted" "delete rule $T ds-a-OUT handle $(rule ds-a-OUT 'egress\[1\]')"
drift "a rule inserted" "insert rule $T ds-a-OUT accept"
drift "a rule replaced" "replace rule $T ds-a-OUT handle $(rule ds-a-OUT 'egress\[1\]') counter ct label set 127 accept comment \"egress[1]\""
drift "a chain flushed" "flush chain $T _1st-OUT"
drift "a policy" "chain $T forward { policy drop; }"
drift "another priority" "delete chain $T forward
	add chain $T forward { type filter hook forward priority 5; }
	add rule $T forward iifname vmap @dispatch"
drift "a dispatch" "delete element $T dispatch { \"ds-a\" }
	add element $T dispatch { \"ds-a\" : goto _1st-OUT }"
drift "a NAT target" "delete element $T ds-a-nat4 { tcp . 3306 }
	add element $T ds-a-nat4 { tcp . 3306 comment \"nat[0]\" : 192.0.2.1 . 80 }"
drift "an address added" "add element $T $set { 192.0.2.1 }"
drift "an address deleted" "delete element $T $set { 198.51.100.2 }"
drift "a prefix narrowed" "delete element $T ipset-s-net4 { 203.0.113.0/24 }
	add element $T ipset-s-net4 { 203.0.113.0/25 }"
drift "a set and a chain added" "add set $T mine { type ipv4_addr; }
	add chain $T mine { type filter hook output priority 0; }
	add rule $T mine ip daddr @mine drop"
drift "asleep" "table $T { flags dormant; }"
nft flush ruleset
is "everything deleted" "$(dsfw diff), $(dsfw apply), $(dsfw diff)" \
	"1 table inet docksi, 0 applied: 2 manage, 0 no differences"

# ---- asleep --------------------------------------------------------------------------------------

# The kernel's timeouts stand still meanwhile; whoever thinks that they go on takes away what DNS would have
# to be asked for, which the network may not be back for.
name_server 198.51.100.1
IPSET_STALE_TTL=15 dsfw-nft daemon --network-config /tmp/network.json --firewall-config /tmp/firewall.json \
	>/tmp/log 2>&1 &
daemon=$!
has() # ADDRESS…: those of a.example, within 8 s
{
	for _ in 1 2 3 4 5 6 7 8; do
		got=$(elements host-a.example-v4)
		[ "$got" = "$1" ] && break
		sleep 1
	done
	echo "$got"
}
first="198.51.100.1 timeout 15s comment a.example;"
is "a daemon" "$(has "$first")" "$first"
kill "$dns"
dns=
echo deep >/sys/power/mem_sleep
echo 0 >/sys/class/rtc/rtc0/wakealarm
up=$(sed 's/\..*//' /proc/uptime)
echo +30 >/sys/class/rtc/rtc0/wakealarm
echo mem >/sys/power/state
slept=$(($(sed 's/\..*//' /proc/uptime) - up))
is "the machine sleeps" "$([ $slept -ge 25 ] && echo well || echo "$slept s")" well
is "the address of a name is still there" "$(elements host-a.example-v4)" "$first"
sleep 3
is "nor does it go then" "$(elements host-a.example-v4)" "$first"
kill $daemon
wait $daemon
is "it stops" "$? $(elements host-a.example-v4)" "0 198.51.100.1 comment a.example;"

# ---- packets -------------------------------------------------------------------------------------

build_network()
{
	local name
	for name in dev dev2 outside; do
		ip netns add $name && ip -n $name link set lo up || return
	done
	echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
	ip link add ds-a address 02:42:00:00:01:01 type bridge forward_delay 0 && ip link set ds-a up &&
		ip addr add 172.30.1.1/24 dev ds-a && ip addr add fd77:1::1/64 dev ds-a nodad &&
		ip link add up0 type veth peer name up0 netns outside && ip link set up0 up &&
		ip addr add 192.0.2.1/24 dev up0 && ip addr add 2001:db8::1/64 dev up0 nodad &&
		ip -n outside link set up0 up && ip -n outside addr add 192.0.2.2/24 dev up0 &&
		ip -n outside addr add 2001:db8::2/64 dev up0 nodad &&
		ip -n outside addr add 198.51.100.1/32 dev lo &&
		ip -n outside addr add 198.51.100.2/32 dev lo &&
		ip -n outside route add default via 192.0.2.1 &&
		ip -n outside route add default via 2001:db8::1 &&
		ip route add 198.51.100.0/24 via 192.0.2.2 || return
	for name in dev:11 dev2:12; do
		ip link add "v-${name%:*}" type veth peer name eth0 netns ${name%:*} &&
			ip link set "v-${name%:*}" master ds-a up && ip -n ${name%:*} link set eth0 up &&
			ip -n ${name%:*} addr add 172.30.1.${name#*:}/24 dev eth0 &&
			ip -n ${name%:*} addr add fd77:1::${name#*:}/64 dev eth0 nodad &&
			ip -n ${name%:*} route add default via 172.30.1.1 &&
			ip -n ${name%:*} route add default via fd77:1::1 || return
	done
}
is "a network" "$(build_network 2>&1)" ""
serve() # NAMESPACE PORT
{
	ip netns exec "$1" nc -ll -p "$2" -e echo "$1 $2" &
}
for server in "outside 80" "outside 22" "dev2 80"; do
	# shellcheck disable=SC2086
	serve $server
done
nc -ll -p 22 -e echo host 22 &
nc -ll -p 23 -e echo host 23 &
sleep 1

tcp() # ADDRESS PORT: what is said there, "reset" or "silence"
{
	ip netns exec dev timeout 6 nc "$1" "$2" </dev/null >/tmp/tcp 2>/tmp/tcp.err
	case "$? $(cat /tmp/tcp.err)" in
	0*) cat /tmp/tcp ;;
	*refused*) echo reset ;;
	*) echo silence ;;
	esac
}
echo_request() # ADDRESS
{
	ip netns exec dev ping -c 1 -W 2 "$1" >/dev/null 2>&1 && echo answered || echo silence
}
is "allowed" "$(tcp 198.51.100.2 80)" "outside 80"
is "allowed, IPv6" "$(tcp 2001:db8::2 80)" "outside 80"
is "denied" "$(tcp 198.51.100.2 22)" reset
is "denied, IPv6" "$(tcp 2001:db8::2 22)" reset
is "NAT" "$(tcp 192.0.2.2 3306)" "outside 80"
is "a neighbour" "$(tcp 172.30.1.12 80)" silence
is "a neighbour, IPv6" "$(tcp fd77:1::12 80)" silence
is "a service of the host's" "$(tcp 172.30.1.1 22)" "host 22"
is "another" "$(tcp 172.30.1.1 23)" reset
is "ping" "$(echo_request 198.51.100.1)" answered
is "ping to elsewhere" "$(echo_request 198.51.100.2)" silence

# ---- ports that are bound ------------------------------------------------------------------------

# dockside, which is known by its MAC address alone, as there is no Docker; the others are unknown ports
build_dockside()
{
	ip netns add d && ip link add v-d type veth peer name eth0 address 02:00:00:00:01:02 netns d &&
		ip link set v-d master ds-a up && ip -n d link set eth0 up &&
		ip -n d addr add 172.30.1.2/24 dev eth0 && ip -n d addr add fd77:1::2/64 dev eth0 nodad &&
		ip -n d route add default via 172.30.1.1
}
is "a dockside container" "$(build_dockside 2>&1)" ""
is "is known" "$(dsfw apply) $(nft list set bridge dockside macs | tr -d '\n\t' | grep -o 'elements = .* }')" \
	'0 applied: 2 manage elements = { "v-d" . 02:00:00:00:01:02 }'
is "with its addresses" "$(nft list set bridge dockside addrs4 | tr -d '\n\t' | grep -o 'elements = .* }') $(
	nft list set bridge dockside addrs6 | tr -d '\n\t' | grep -o 'elements = .* }')" \
	'elements = { "v-d" . 172.30.1.2 } elements = { "v-d" . fe80::ff:fe00:102 }'
is "nothing differs" "$(dsfw diff)" "0 no differences"
arp() # NAMESPACE ADDRESS: asks for the gateway as that
{
	ip -n "$1" addr add "$2/24" dev eth0 2>/dev/null
	ip netns exec "$1" busybox arping -q -f -c 2 -w 2 -I eth0 -s "$2" 172.30.1.1 && echo answered || echo silence
}
is "its own address in ARP" "$(arp d 172.30.1.2)" answered
is "a neighbour's" "$(arp d 172.30.1.11)" silence
is "an unknown port's own" "$(arp dev 172.30.1.11)" answered
is "dockside's" "$(arp dev 172.30.1.2)" silence
is "that of no host of the network" "$(arp dev 172.30.7.7)" silence
ip -n dev addr flush dev eth0 to 172.30.1.2
ip -n dev addr flush dev eth0 to 172.30.7.7
ip -n d addr flush dev eth0 to 172.30.1.11
is "each is counted" "$(nft list chain bridge dockside strange | grep -c 'packets [1-9].*drop comment "address of somebody else in ARP"') $(
	nft list chain bridge dockside not-net | grep -c 'packets [1-9].*drop comment "not an address of the network"')" "1 1"
is "packets pass as before" "$(tcp 198.51.100.2 80), $(tcp 2001:db8::2 80), $(tcp 172.30.1.1 22)" \
	"outside 80, outside 80, host 22"
drift "a bound element deleted" 'delete element bridge dockside macs { "v-d" . 02:00:00:00:01:02 }' "bridge dock"
drift "a bridge chain flushed" "flush chain bridge dockside bind" "bridge dock"
drift "the bridge table deleted" "delete table bridge dockside" "bridge dock"

# ---- what is opened while the table is gone ------------------------------------------------------

for server in "outside 444" "outside 2022" "dev2 2022"; do
	ip netns exec "${server% *}" nc -ll -p "${server#* }" -e cat &
done
dsfw-nft daemon --network-config /tmp/network.json --firewall-config /tmp/firewall.json >/tmp/log 2>&1 &
daemon=$!
logged() # PATTERN: within 10 s
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		grep -q "$1" /tmp/log && return
		sleep 1
	done
	sed 's/^/# /' /tmp/log
	return 1
}
flow() # NAME ADDRESS PORT: from dev, kept open
{
	busybox mkfifo "/tmp/$1.in"
	ip netns exec dev nc "$2" "$3" <"/tmp/$1.in" >"/tmp/$1.out" 2>/dev/null &
	sleep 1000 >"/tmp/$1.in" &
	is "$1 opens" "$(says "$1" hello)" hello
}
says() # NAME WORD: what comes back within 3 s
{
	timeout 1 sh -c "echo $2 >/tmp/$1.in"
	for _ in 1 2 3; do
		grep "$2" "/tmp/$1.out" && return
		sleep 1
	done
	echo nothing
}
logged ready
flow judged4 198.51.100.2 444
flow judged6 2001:db8::2 444
kill -STOP $daemon
nft 'flush ruleset
	table inet other { chain c { type filter hook forward priority 0; ct state new counter; }; }'
flow denied4 198.51.100.2 2022
flow denied6 2001:db8::2 2022
flow lateral4 172.30.1.12 2022
flow lateral6 fd77:1::12 2022
kill -CONT $daemon
is "the repair is followed by their end" "$(logged 'ended 4 connections' && echo said)" said
is "what was judged goes on" "$(says judged4 again) $(says judged6 again)" "again again"
is "what was not is dead" "$(says denied4 again) $(says denied6 again) $(says lateral4 again) $(says lateral6 again)" \
	"nothing nothing nothing nothing"
kill $daemon
wait $daemon
is "the daemon stops" "$?" 0
nft delete table inet other

# ---- the DNS gate --------------------------------------------------------------------------------

cp /tmp/firewall.json /tmp/firewall.before
cat >/tmp/firewall.json <<'END'
{"ipsets": {"web": ["api.example", "*.example.com"]},
"networks": {"ds-a": {"dns": {"private": ["198.51.100.0/24", "2001:db8::/32"]},
	"egress": [{"proto": "tcp", "ports": [80], "to": "ipset", "ipset": "web"}, {"action": "drop"}],
	"host": [{"proto": "tcp", "ports": [22]}, {"action": "drop"}]}}}
END
is "a gate needs its user" "$(dsfw apply) $(grep -o 'no user dsfw-gate' /tmp/err)" "1  no user dsfw-gate"
echo "dsfw-gate:x:4242:4242::/:/bin/false" >>/etc/passwd
is "with it" "$(dsfw apply)" "0 applied: 1 manage"
is "a second apply changes nothing" "$(dsfw apply), $(dsfw diff)" "0 nothing to change, 0 no differences"
nc -ll -p 5300 -e echo gate &
sleep 1
slot=$(nft list map inet dockside dns-tell | tr ',{' '\n' | sed -n 's/^ *\([0-9]*\) : goto ipset-web-tell.*/\1/p')
# As apply has written it down, so that the next one knows whose addresses these are.
TAG=$(nft list set inet dockside dns-tags | sed -n 's/.*elements = { \(0x[0-9a-f]*\).*/\1/p')
export TAG
is "questions are redirected" "$(tcp 192.0.2.2 53), $(tcp 2001:db8::2 53)" "gate, gate"
is "the gate's port and DNS over TLS are closed" "$(tcp 172.30.1.1 5300), $(tcp 198.51.100.2 853)" "silence, reset"
is "nothing is told" "$(tcp 198.51.100.2 80), $(tcp 2001:db8::2 80)" "reset, reset"
is "somebody else tells" "$(gate_probe 4243 ds-a "$slot" 198.51.100.2 >/dev/null) $(elements ipset-web-told4)" " "
is "addresses are told" "$(gate_probe 4242 ds-a "$slot" 198.51.100.2 2001:db8::2 | tr '\n' ' ')" "198.51.100.2 taken 2001:db8::2 taken "
is "and open" "$(tcp 198.51.100.2 80), $(tcp 2001:db8::2 80)" "outside 80, outside 80"
is "for their rule" "$(tcp 198.51.100.2 22)" reset
is "what no answer opens" "$(gate_probe 4242 ds-a "$slot" 127.0.0.1 169.254.169.254 10.1.2.3 172.30.1.11 192.0.2.1 | cut -d ' ' -f 2 |
	tr '\n' ' ')" "refused refused refused refused refused "
gate_probe 4242 ds-a "$slot" ::1 fd77:1::11 fe80::1 64:ff9b::10.1.2.3 >/dev/null
is "in IPv6" "$(elements ipset-web-told6)" "ds-a . 2001:db8::2 timeout 1h5m;"
left() # ADDRESS: the time that an element has left, in hours: 0 or 1
{
	nft list set inet dockside ipset-web-told4 | tr ',{' '\n' | sed -n "s/.* $1 .*expires \(1h\)\{0,1\}.*/\1/p" | grep -c 1h
}
nft 'add element inet dockside ipset-web-told4 { "ds-a" . 198.51.100.1 timeout 3900s expires 60s }'
nft 'delete element inet dockside ipset-web-told4 { "ds-a" . 198.51.100.2 }'
nft 'add element inet dockside ipset-web-told4 { "ds-a" . 198.51.100.2 timeout 3900s expires 60s }'
is "two run out soon" "$(left 198.51.100.1) $(left 198.51.100.2)" "0 0"
is "one is used" "$(tcp 198.51.100.1 80)" "outside 80"
gate_probe 4242 ds-a "$slot" 198.51.100.2 >/dev/null
is "use renews, and so does a tell" "$(left 198.51.100.1) $(left 198.51.100.2)" "1 1"
is "an address is taken back" "$(gate_probe 4242 ds-a $((slot + 32768)) 198.51.100.1) $(tcp 198.51.100.1 80)" \
	"198.51.100.1 taken reset"
sed -i 's/"ports": \[80\]/"ports": [80, 444]/' /tmp/firewall.json
is "other rules leave what was told" "$(dsfw apply) $(elements ipset-web-told4)" \
	"0 applied: 1 manage ds-a . 198.51.100.2 timeout 1h5m;"
dsfw compile >/dev/null
is "and so does a script" "$(nft -f /tmp/out 2>&1) $(elements ipset-web-told4)" " ds-a . 198.51.100.2 timeout 1h5m;"
cp /tmp/firewall.before /tmp/firewall.json
is "without the gate" "$(dsfw apply) $(tcp 192.0.2.2 53)" "0 applied: 2 manage reset"

is "teardown" "$(dsfw teardown) $(nft list ruleset)" "0 removed table ine "
is "everything passes" "$(tcp 198.51.100.2 22), $(tcp fd77:1::12 80)" "outside 22, dev2 80"
echo "1..$n"
exit $failed
