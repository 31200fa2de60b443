#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Frames that are not their port's own, in `denied` and in the metrics: with the container behind the port, whoever's address
# they have, and that address. By a fake Docker. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh" || exit 1
# shellcheck source=tests/docker/fake_lib.sh
. "$(dirname "$0")/fake_lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

a=02:42:ac:1e:01:0a b=02:42:ac:1e:01:0b x=02:42:ac:1e:01:0c
bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 || bail "cannot set up the network"
network_config <<<'{"networks": [{"name": "ds-A", "subnet": "172.30.1.0/24", "subnet6": "2001:db8:1::/64"}]}'
firewall_config <<<'{"networks": {"ds-A": {"egress": [{"action": "drop"}]}}}'
fake_start
start_listening
start_daemon
# shellcheck disable=SC2317 # until_true calls it
known() # COUNT
{
	client status --json
	grep -q "\"known_port_count\":$1[,}]" "$t/out"
}
start() # NAME NAMESPACE ADDRESS MAC
{
	fake_tell connect ds-A "$1" "$4" "172.30.1.$3"
	container "$2" ds-a "172.30.1.$3" "2001:db8:1::$3" "$4" || bail "no container $1"
}
start web-1 n1 10 $a
start web-2 n2 11 $b
container n3 ds-a 172.30.1.12 2001:db8:1::12 $x || bail "no third port"
until_true 10 known 2 || bail "the ports are not known: $(life)"

is "status: how the network is bound" "$(of network_details ds-A bind) $(of network_details ds-A bound)" "learn True"

# events: as "CONTAINER INTERFACE > TO-CONTAINER: PROTOCOL KIND PRETENDED REASON"
# shellcheck disable=SC2317 # has() calls it
events()
{
	timeout 20 "$DSFW_NFT" denied --socket "$socket" --json | python3 -c 'import json, sys
for e in map(json.loads, sys.stdin):
    if "interface" in e:
        to = " > " + str(e["to_container"]) if "to_container" in e else ""
        print("{container} {interface}{0}: {protocol} {network} {kind} {pretended} {reason}".format(to, **e))'
}
# shellcheck disable=SC2317 # until_true calls it
has()
{
	events >"$t/events"
	grep -qxF -- "$1" "$t/events"
}
# tells DESCRIPTION NAMESPACE MAC TO-MAC PROBE EVENT
tells()
{
	python3 "$docker_tests/fake_bound.py" "${@:2:4}" || bail "cannot send $5"
	until_true 10 has "$6"
	is "$1" "$(grep -xF -- "$6" "$t/events" || cat "$t/events")" "$6"
}
tells "another's address in ARP" n1 $a $b arp=172.30.1.11 \
	"web-1 v-n1: arp ds-A BIND 172.30.1.11 not the container's address in ARP"
tells "another's MAC address in ARP" n1 $a $b arp-mac=$b \
	"web-1 v-n1: arp ds-A BIND $b not the container's MAC address in ARP"
tells "another's address" n1 $a $b ip=172.30.1.11 "web-1 v-n1: udp ds-A BIND 172.30.1.11 not the container's address"
tells "another's MAC address" n1 $b $a ip=172.30.1.10 "web-1 v-n1: udp ds-A BIND $b not the container's MAC address"
tells "a neighbour advertisement" n1 $a $b na=2001:db8:1::77 \
	"web-1 v-n1: icmpv6 ds-A BIND 2001:db8:1::77 neighbour advertisement of an address that is not the container's"
tells "a router advertisement, whoever it is from" n1 $a $b ra "web-1 v-n1: icmpv6 ds-A BIND None router advertisement"
tells "another EtherType, with nothing in it" n1 $a $b type=0x88cc \
	"web-1 v-n1: 0x88cc ds-A BIND None neither IP nor ARP, or with more than one VLAN tag"
tells "to the wrong container" n1 $a $b to=172.30.1.77 \
	"web-1 v-n1 > web-2: udp ds-A BINDTO 172.30.1.77 not for the container of this port"
tells "somebody's address, from a port that nobody knows" n3 $x $b arp=172.30.1.11 \
	"None v-n3: arp ds-A strange 172.30.1.11 address of somebody else in ARP"
tells "no address of the network, from such a port" n3 $x $b ip=203.0.113.9 \
	"None v-n3: udp ds-A UNBOUND 203.0.113.9 not an address of the network"

# The kernel waits a tenth of a second for more to report.
start web-4 n4 14 02:42:ac:1e:01:0e
until_true 10 known 3 || bail "the port of web-4 is not known: $(life)"
python3 "$docker_tests/fake_bound.py" n4 02:42:ac:1e:01:0e $b ip=172.30.1.11
ip link del v-n4
fake_tell disconnect ds-A web-4
wanted="web-4 v-n4: udp ds-A BIND 172.30.1.11 not the container's address"
until_true 10 has "$wanted"
is "a container that ends at once after it" "$(grep -xF -- "$wanted" "$t/events" || cat "$t/events")" "$wanted"

client denied --network ds-a
like "for people: the container, and who it pretended to be" "$out" \
	"ds-A +web-1 \(172\.30\.1\.11\) +172\.30\.1\.2 +arp +not the container's addres"
like "for people: the port of a container that is not known" "$out" "ds-A +v-n3 \(203\.0\.113\.9\) +198\.51\.100\.1 +udp/53"
client denied
like "how many there were on the ports of all networks" "$out" 'on ports +11 packets in all'
client denied --container web-2
is "of a container: what was for it, if another one is on the port" "$(grep -c 'not for the container of this port (web-2)' "$t/out")" 1
client denied --container web-1 --summary
like "summed up: the reason is the rule" "$out" \
	" 1 +[0-9: -]+ ds-A +172\.30\.1\.2 +arp +not the container's address in ARP"
client denied --summary --json
is "summed up for programs" "$(python3 -c 'import json, sys
print(*["{count} {address} {reason} {to_container}".format(**e) for e in map(json.loads, sys.stdin) if e.get("to_container")])' \
	<"$t/out")" "1 172.30.1.77 not for the container of this port web-2"
client learn --network ds-A
is "no rule is learnt from forged frames" "$(grep -c 203.0.113.9 "$t/out")" 0

client explain --from web-1 --to 203.0.113.9
like "explain: a container's own source, and its port" "$status $out" \
	"^4 tcp from 172\.30\.1\.10 \(web-1, $a\) .*: bound: source 172\.30\.1\.10 is container web-1's on port v-n1, and "
client explain --from web-1 --to web-2
like "explain: and that of the other container" "$status $out" "^4 .* is container web-1's on port v-n1, .* is container web-2's"
client explain --from ds-A --src 172.30.1.11 --mac $a --to 203.0.113.9
like "explain: another's source is refused" "$status $out" "^4 .*dropped: source 172\.30\.1\.11 is container web-2's"

client metrics
port_denied() # KIND
{
	sed -n "s/^dsfw_nft_port_denied_packets_total{kind=\"$1\"} //p" $t/out
}
is "metrics: from a known port" "$(port_denied BIND)" 8
is "metrics: from an unknown port" "$(port_denied UNBOUND)" 1
is "metrics: to a known port" "$(port_denied BINDTO)" 1
is "metrics: somebody's, from another port" "$(port_denied strange)" 1
end_daemon TERM
is "a good end" "$status" 0
finish
