#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# teardown leaves nothing of ours and everything else, whatever state it finds. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

build_network()
{
	outside 198.51.100.1/32 && bridge ds-a 172.30.1.1/24 fd77:1::1/64 &&
		container dev ds-a 172.30.1.11 fd77:1::11
}
build_network || bail "cannot build the network"
start_peers
ask "serve outside tcp 80"
good_config()
{
	network_config <<<'{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"}]}'
	firewall_config <<<'{"ipsets": {"s": ["198.51.100.9"]}, "networks": {"ds-a": {
		"egress": [{"to": "ipset", "ipset": "s"}, {"action": "drop"}],
		"nat": [{"match_dport": 25, "to_ip": "198.51.100.2", "to_port": 80}],
		"host": [{"action": "drop"}]}}}'
}
good_config
nft 'table inet other { chain forward { type filter hook forward priority 0; policy accept;
	counter
	}
}
table ip dockside { chain mine {
	accept
	}
}'
nft -s list ruleset >$t/before

# torn_down DESCRIPTION: once it has something to do, and once nothing
torn_down()
{
	dsfw teardown
	is "$1" "$status $out $err" "0 removed table inet dockside
removed table bridge dockside "
	is "$1: nothing of ours is left, and the rest as it was" \
		"$(nft -s list ruleset | diff $t/before -)" ""
	local before
	before=$(generation)
	dsfw teardown
	is "$1: once more" "$status $out $err" "0 nothing to remove "
	is "$1: no transaction" "$(generation)" "$before"
}

dsfw apply
is "apply" "$status" 0
probes "it is enforced" <<<"dev tcp 198.51.100.1:80 = reset"
torn_down "teardown"
probes "it no longer is" <<<"dev tcp 198.51.100.1:80 = open outside 198.51.100.1:80"

dsfw apply
echo '{"networks": [{"name": ' >$t/network.json
echo 'no JSON at all' >$t/firewall.json
torn_down "with broken files"

good_config
dsfw apply
rm $t/network.json $t/firewall.json
torn_down "without files"

good_config
dsfw apply
nft 'table inet dockside { flags dormant; }'
torn_down "a table that sleeps"

dsfw apply
nft 'add counter inet dockside mine
	add chain inet dockside mine { type filter hook output priority 0; policy accept; }
	add rule inet dockside mine counter name mine
	add rule inet dockside mine tcp dport { 1, 2 } counter'
torn_down "a table that somebody has added to"

dsfw compile
nft -f $t/out
torn_down "a table that nft -f has loaded"

dsfw apply
is "and apply works again" "$status" 0
probes "as before" <<<"dev tcp 198.51.100.1:80 = reset"
stop_peers
finish
