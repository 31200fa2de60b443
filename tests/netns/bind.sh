#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Table bridge dockside against raw frames: a container sends by its port what is its own, and nothing else; a known port gets
# what is for its container. Every frame arrives where the table is not loaded. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

probe=${TOP_BUILDDIR:-$here/../..}/tests/netns/bind_probe
[[ -x $probe ]] || bail "no bind_probe"

# port NAME BRIDGE MAC: a namespace, silent, behind v-NAME
port()
{
	ip netns add "$1" && ip link add "v-$1" type veth peer name eth0 address "$3" netns "$1" &&
		nsenter --net=/run/netns/"$1" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6' &&
		ip link set "v-$1" master "$2" up && ip -n "$1" link set eth0 arp off up
}

build_network()
{
	local name
	for name in ds-a ds-b br-x; do
		ip link add $name type bridge mcast_snooping 0 && ip link set $name up &&
			echo 1 >/proc/sys/net/ipv6/conf/$name/disable_ipv6 || return
	done
	port a ds-a 02:00:00:00:01:0b && port b ds-a 02:00:00:00:01:0c && port d ds-a 02:00:00:00:01:02 &&
		port x ds-a 02:00:00:00:01:20 && port n ds-a 02:00:00:00:01:21 &&
		port e br-x 02:00:00:00:01:0b && port f br-x 02:00:00:00:01:0c &&
		port k ds-b 02:00:00:00:02:0b && port l ds-b 02:00:00:00:02:0c
}
build_network || bail "cannot build the network"

# load MODE: the table with that for `bind`
load()
{
	firewall_config <<<'{"networks": {}}'
	network_config <<-END
		{"networks": [
			{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "bind": "$1",
				"dockside_ip": "172.30.1.2", "dockside_ip6": "fd77:1::2", "dockside_mac": "02:00:00:00:01:02"},
			{"name": "ds-b", "subnet": "172.30.2.0/24", "subnet6": "fd77:2::/64", "bind": "$1",
				"dockside_ip": "172.30.2.2",
				"extra": ["10.9.0.0/16", "fd99::/64", "02:00:00:00:00:99"]}
		]}
	END
	"$probe" $t/network.json $t/firewall.json 0 >$t/table <<-'END' && nft -f $t/table
		asked
		answered ds-a
		answered ds-b
		v-a ds-a a 02:00:00:00:01:0b 172.30.1.11 fd77:1::11
		v-b ds-a b 02:00:00:00:01:0c 172.30.1.12 fd77:1::12
		v-d ds-a d 02:00:00:00:01:02 172.30.1.2 fd77:1::2
		v-x ds-a - 02:00:00:00:01:20
		v-e br-x - -
		v-f br-x - -
		v-k ds-b k 02:00:00:00:02:0b 172.30.2.11 fd77:2::11
		v-l ds-b l 02:00:00:00:02:0c 172.30.2.12 fd77:2::12
	END
}

# frames DESCRIPTION TABLE MODE
frames()
{
	local faults
	faults=$(python3 "$here/bind.py" "$2" "$3" 2>$t/counts) || faults+=$(printf '\nbind.py failed')
	result "$1: $(tail -n 1 $t/counts)" "$faults"
}

frames "without the table" open learn
load learn || bail "cannot load the table"
frames "bound" bound learn
load strict || bail "cannot load the table"
frames "bound, strict" bound strict
nft delete table bridge dockside
frames "without the table again" open strict
finish
