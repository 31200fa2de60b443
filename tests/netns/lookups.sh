#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The event of a refused packet has the name that the container looked up, by replies that crossed the bridge and
# belonged to a question of its own; a flood of replies keeps no other event out. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

{
	outside 198.51.100.53/32 198.51.100.54/32 203.0.113.1/32 2001:db8:100::53/128 &&
		bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 && bridge ds-b 172.30.2.1/24 2001:db8:2::1/64 &&
		bridge br-x 172.30.3.1/24 2001:db8:3::1/64 &&
		container a1 ds-a 172.30.1.10 2001:db8:1::10 && container a2 ds-a 172.30.1.11 2001:db8:1::11 &&
		container b1 ds-b 172.30.2.10 2001:db8:2::10 && container x1 br-x 172.30.3.10 2001:db8:3::10
} || bail "cannot set up the network"
dns=198.51.100.53
records()
{
	cat <<'CONFIG'
host-record=www.example,198.51.100.1
host-record=six.example,2001:db8:100::1
host-record=pop.cdn.example,198.51.100.2
cname=cdn.example,pop.cdn.example
cname=alias.example,cdn.example
host-record=db.example,198.51.100.3
host-record=old.example,198.51.100.4
host-record=new.example,198.51.100.4
host-record=both.example,198.51.100.5,2001:db8:100::5
CONFIG
	# Many addresses, and many names of one.
	for i in {1..40}; do echo "host-record=many.example,198.18.0.$i"; done
	for i in {1..100}; do echo "host-record=n$i.example,198.19.0.1"; done
}
start_dnsmasq $dns 2001:db8:100::53 < <(records)
echo "options edns0" >>$t/resolv.conf # or many addresses would come over TCP
hosts # but for these all names are dnsmasq's
network_config <<'JSON'
{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "2001:db8:1::/64"},
	{"name": "ds-b", "subnet": "172.30.2.0/24"}]}
JSON
firewall_config <<'JSON'
{"networks": {
	"ds-a": {"egress": [{"proto": "udp", "ports": [53]},
		{"proto": "tcp", "ports": [80], "to": "host", "host": "db.example"}, {"action": "drop"}]},
	"ds-b": {"egress": [{"proto": "udp", "ports": [53]}, {"action": "drop"}]}}}
JSON
start_listening
start_daemon

# look_up NAMESPACE NAME [DATABASE]: as a program would
look_up()
{
	nsenter --net=/run/netns/"$1" timeout 10 getent "${3:-ahostsv4}" "$2" >$t/found || echo "$2 was not found"
}
echo 1000 >$t/port
# refused NAMESPACE ADDRESS: what the event of a refused packet says of the name
refused()
{
	local port=$(($(<$t/port) + 1))
	echo $port >$t/port
	python3 "$here/denied.py" try 100 1 "$1:udp:$2:$port" >/dev/null
	until_true 5 told_of $port || echo "it is not told of"
	sed -nE 's/.*"name":("[^"]*"|null),"name_from":("[^"]*"|null).*"port":'$port',.*/\1 \2/p' $t/events
}
# shellcheck disable=SC2317 # until_true calls it
told_of()
{
	timeout 20 "$DSFW_NFT" denied --socket $socket --json >$t/events 2>$t/err
	[[ $(grep -c "\"port\":$1," $t/events) -gt 0 ]]
}
# metric NAME[{LABELS}]
metric()
{
	client metrics
	sed -nE "s/^dsfw_nft_${1//[\{\}]/\\&} //p" <<<"$out"
}

# ---- names ---------------------------------------------------------------------------------------

is "nobody looked it up" "$(refused a1 198.51.100.1)" 'null null'
is "a name" "$(look_up a1 www.example; refused a1 198.51.100.1)" '"www.example" "lookup"'
is "in capitals" "$(look_up a1 WWW.Example; refused a1 198.51.100.1)" '"www.example" "lookup"'
is "looked up by another container of the network" "$(refused a2 198.51.100.1)" '"www.example" "lookup"'
is "another network knows nothing of it" "$(refused b1 198.51.100.1)" 'null null'
is "an IPv6 address" "$(look_up a1 six.example ahostsv6; refused a1 2001:db8:100::1)" '"six.example" "lookup"'
is "an alias of an alias is the name that was asked for" \
	"$(look_up a1 alias.example; refused a1 198.51.100.2)" '"alias.example" "lookup"'
is "both families" "$(look_up a1 both.example ahosts; refused a1 198.51.100.5; refused a1 2001:db8:100::5)" \
	'"both.example" "lookup"
"both.example" "lookup"'
is "one of many addresses" "$(look_up a1 many.example; refused a1 198.18.0.17)" '"many.example" "lookup"'
is "all of which have come" "$(wc -l <$t/found)" 120
is "of several names the latest" "$(look_up a1 old.example; look_up a1 new.example; refused a1 198.51.100.4
	look_up a1 old.example; refused a1 198.51.100.4)" '"new.example" "lookup"
"old.example" "lookup"'
is "of many, too" "$(for i in {1..100}; do look_up a1 "n$i.example"; done; refused a1 198.19.0.1)" \
	'"n100.example" "lookup"'
is "a resolver that is asked over IPv6" "$(echo "nameserver 2001:db8:100::53" >$t/resolv.conf
	look_up a2 n7.example; refused a2 198.19.0.1; echo "nameserver $dns" >$t/resolv.conf)" '"n7.example" "lookup"'
until_true 10 prints . elements host-db.example-v4 || bail "no address of db.example"
is "a name of the configuration" "$(refused b1 198.51.100.3)" '"db.example" "configuration"'
is "looked up as well" "$(look_up b1 db.example; refused b1 198.51.100.3)" '"db.example" "configuration"'
client denied --network ds-b
like "for people" "$out" ' db\.example \(198\.51\.100\.3\) '
client denied --network ds-a
like "hearsay looks like it" "$out" ' www\.example \(looked up, 198\.51\.100\.1\) '

# ---- what teaches nothing ------------------------------------------------------------------------

say()
{
	python3 "$here/lookups.py" "$@"
}
is "a container's own resolver does" \
	"$(say ask a1:172.30.1.10:4000 outside:198.51.100.54:53 lie.example 198.51.100.70; refused a1 198.51.100.70)" \
	'"lie.example" "lookup"'
before=$(metric lookup_replies_total'{result="read"}')
is "no reply, from port 53" \
	"$(say say outside:198.51.100.54:53 a1:172.30.1.10:4001 evil.example 198.51.100.71; refused a1 198.51.100.71)" \
	'null null'
is "from the container's port 53" \
	"$(say say a1:172.30.1.10:53 outside:198.51.100.54:53 evil.example 198.51.100.71; refused a1 198.51.100.71)" \
	'null null'
is "its reply to who asks it" \
	"$(say ask outside:198.51.100.54:4002 a1:172.30.1.10:53 evil.example 198.51.100.71; refused a1 198.51.100.71)" \
	'null null'
is "from another port" "$(python3 - "$t" <<-'PYTHON'
		import re, sys
		path = sys.argv[1] + "/firewall.json"
		text = open(path).read().replace('"ports": [53]', '"ports": [53, 5353]')
		open(path, "w").write(text)
	PYTHON
	client reload
	say ask a1:172.30.1.10:4003 outside:198.51.100.54:5353 evil.example 198.51.100.71; refused a1 198.51.100.71)" \
	'null null'
is "an unmanaged network's" \
	"$(say ask x1:172.30.3.10:4004 outside:198.51.100.54:53 evil.example 198.51.100.71; refused a1 198.51.100.71)" \
	'null null'
is "the daemon heard of none of these" "$(metric lookup_replies_total'{result="read"}')" "$before"
say garble a1:172.30.1.10:4005 outside:198.51.100.54:53 5
until_true 5 prints '^5$' metric 'lookup_replies_total{result="malformed"}'
is "what makes no sense" "$(metric 'lookup_replies_total{result="malformed"}')" 5
is "an odd name" "$(say ask a1:172.30.1.10:4006 outside:198.51.100.54:53 $'a\e[2Jb.example' 198.51.100.72
	refused a1 198.51.100.72)" 'null null'
is "the memory has them all" "$(metric lookup_addresses)" 49

# ---- a flood -------------------------------------------------------------------------------------

look_up b1 www.example
sleep 0.3
ticks()
{
	cut -d ' ' -f 14,15 /proc/"$daemon_pid"/stat | tr ' ' +
}
rss()
{
	awk '/^RssAnon/ { print $2 }' /proc/"$daemon_pid"/status
}
before=$(($(ticks)))
rss=$(rss)
began=$(monotonic)
say flood 4 a1:172.30.1.10:4007 outside:198.51.100.54:53 >$t/sent &
flood=$!
is "refusals while a container is told 80 addresses at a time" \
	"$(python3 "$here/denied.py" try 50 150 a2:udp:203.0.113.1:7 b1:udp:203.0.113.1:7)" "answered 0 reset 0 neither 150"
look_up b1 both.example
wait $flood
sleep 0.3
share=$(awk -v ticks=$(($(ticks) - before)) -v began="$began" -v now="$(monotonic)" \
	'BEGIN { printf "%.1f", ticks / (now - began) }')
comment <<<"$(<$t/sent) replies in 4 s; the daemon took $share % of a processor and $(($(rss) - rss)) KiB more"
result "it floods" "$([[ $(<$t/sent) -gt 4000 ]] || cat $t/sent)"
told_of 7
is "all are told of" "$(grep -c '"port":7,' $t/events)" 150
result "the flood takes less than 20 % of a processor" \
	"$(awk -v share="$share" 'BEGIN { if (share >= 20) print share " %" }')"
is "the memory is full, and bounded" "$(metric lookup_addresses)" 4096
result "in KiB, too" "$([[ $(($(rss) - rss)) -lt 4096 ]] || echo "$(($(rss) - rss)) KiB")"
is "another network's names are still there" "$(refused b1 198.51.100.1)" '"www.example" "lookup"'
is "and what it looked up meanwhile" "$(refused b1 198.51.100.5)" '"both.example" "lookup"'
is "nothing was lost" "$(life | grep 'more packets')" ""

# ---- a network that goes -------------------------------------------------------------------------

client remove-network ds-b
like "ds-b drains" "$out" 'containers are attached'
is "and is still heard" "$(look_up b1 new.example; refused b1 198.51.100.4)" '"new.example" "lookup"'
end_daemon TERM
start_daemon
client status
like "over a restart" "$out" 'ds-b +draining'
is "too" "$(look_up b1 new.example; refused b1 198.51.100.4)" '"new.example" "lookup"'

end_daemon TERM
is "a good end" "$status" 0
kill "$dnsmasq"
finish
