#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The host has more addresses of a network's subnet than the gateway's: another one on the bridge, one on the
# loopback, and an IPv6 gateway that is not the subnet's first address. A container that takes one of them as its
# source gets nothing into the host's flows. The daemon follows what addresses come and go. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

build_network()
{
	outside 198.51.100.1/32 2001:db8:51::1/128 && bridge ds-1 172.30.1.1/24 fd77:1::1/64 &&
		container c1 ds-1 172.30.1.11 fd77:1::11 && container b ds-1 172.30.1.12 fd77:1::12 &&
		ip addr add 172.30.1.200/24 dev ds-1 && ip addr add fd77:1::200/64 dev ds-1 nodad &&
		ip addr add 172.30.1.201/32 dev lo
}
build_network || bail "cannot build the network"
network_config <<'CONFIG'
{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"}]}
CONFIG
policy <<'CONFIG'
{"networks": {"ds-1": {"egress": [{"action": "drop"}], "host": [{"proto": "udp", "ports": [5353]}, {"action": "drop"}]}}}
CONFIG

forge() # DESCRIPTION SCENARIO
{
	result "$1" "$(timeout 60 python3 "$here/own_sources.py" "$2" 2>&1)"
}
forge "the gateway's address" gateway
forge "another address of the bridge" bridge
forge "an address of the loopback" loopback

# knows COUNT ADDRESS: whether so many rules drop what claims to come from there
# shellcheck disable=SC2317 # until_true calls it
knows()
{
	[[ $(nft list chain inet dockside ds-1-SRC | grep -c "saddr $2 .* drop comment") -eq $1 ]]
}
start_listening
start_daemon
is "the daemon finds the rules as they must be" "$(life | grep -c 'put back\|other addresses')" 0
ip addr del fd77:1::1/64 dev ds-1
ip addr add fd77:1::fffe/64 dev ds-1 nodad || bail "cannot move the gateway"
until_true 5 knows 1 fd77:1::fffe
forge "an IPv6 gateway that is not the first address" last
ip addr del 172.30.1.201/32 dev lo
until_true 5 knows 0 172.30.1.201
is "an address that goes is free" "$(nft list chain inet dockside ds-1-SRC | grep -c 'saddr 172.30.1.201 ')" 0
is "the others are not" "$(nft list chain inet dockside ds-1-SRC | grep -c 'comment "an address of the host"')" 3
dsfw diff
is "nothing differs from what runs" "$status" 0
end_daemon TERM
is "the daemon ends well" "$status" 0
is "it is no drift" "$(life | grep -c 'put back')" 0
finish
