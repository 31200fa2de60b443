#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Allowed names that have addresses of the host, its loopback, its cloud or its other containers open none of these:
# with the daemon, while the host's addresses change, and with `apply`, in sets and NAT maps, by packets. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

export IPSET_STALE_TTL=300 IPSET_REFRESH_INTERVAL=5

two_networks 169.254.169.254/32 100.100.100.200/32 198.51.100.{1..4}/32 fd00:ec2::254/128 2001:db8:51::1/128
start_zone
zone "api.example 198.51.100.1 169.254.169.254 100.100.100.200 2001:db8:51::1 fd00:ec2::254" \
	"clone.example 169.254.169.254 198.51.100.2" \
	"more.example 172.30.2.1 172.30.2.9 127.0.0.1 224.0.0.1 255.255.255.255 198.51.100.3 64:ff9b::a9fe:a9fe fd77:1::1" \
	"bad.example 169.254.169.254 198.51.100.4"
hosts "127.0.1.1 local.example" "198.51.100.4 local.example"
cat >$t/allow.json <<'CONFIG'
{"ipsets": {"allowed": ["api.example", "more.example", "local.example"]},
"networks": {
	"ds-1": {"egress": [{"to": "ipset", "ipset": "allowed"}, {"to": "host", "host": "clone.example"}, {"action": "drop"}],
		"nat": [{"match_dport": 3306, "to_host": "clone.example", "to_port": 80}]},
	"ds-2": {"egress": [{"action": "drop", "to": "host", "host": "bad.example"}]}}}
CONFIG
firewall_config <$t/allow.json

# holds_nothing DESCRIPTION: that names never open
holds_nothing()
{
	local set found=''
	for set in ipset-allowed-v4 ipset-allowed-v6 host-clone.example-v4 host-clone.example-v6 map; do
		found+=$(if [[ $set == map ]]; then nft list map inet dockside ds-1-nat4; else elements $set; fi |
			grep -E '169\.254|100\.100\.100|172\.30\.2\.|127\.|224\.|255\.255|fd00:ec2|64:ff9b|fd77|198\.51\.100\.77')
	done
	result "$1" "$found"
}

# ---- once ----------------------------------------------------------------------------------------

"$DSFW_NFT" apply "${files[@]}" >$t/out 2>$t/err
is "apply succeeds" $? 0
holds_nothing "apply: nothing of it is in a set"
like "and warns" "$(<$t/err)" \
	'api\.example has the address 169\.254\.169\.254, a cloud.s metadata address, which no name opens'
is "of each address once" "$(grep -c 'which no name opens' $t/err)" 12
is "a rule that drops has them all" "$(elements host-bad.example-v4 | awk '{ print $1 }' | xargs)" \
	"169.254.169.254 198.51.100.4"
"$DSFW_NFT" compile --resolve "${files[@]}" >$t/out 2>$t/err
is "compile --resolve leaves them out, too" \
	"$(sed -n '/set ipset-allowed-v[46] /,/^	}/p; /map ds-1-nat4/,/^	}/p' $t/out | grep -cE '169\.254|127\.0|64:ff9b')" 0
is "and warns" "$(grep -c 'which no name opens' $t/err)" 12
"$DSFW_NFT" explain --offline "${files[@]}" --from ds-1 --to 169.254.169.254 --proto tcp --port 80 >$t/out 2>$t/err
like "explain: refused" "$(<$t/out)" 'REFUSED'
is "with the warnings" "$(grep -c 'which no name opens' $t/err)" 12

# ---- the daemon ----------------------------------------------------------------------------------

# An older version left this behind: if the daemon took it over as the name's own, it would stay.
nft 'add element inet dockside ipset-allowed-v4 { 169.254.169.254 comment "api.example" }'
start_listening
start_daemon
holds_nothing "the daemon: nothing of it is in a set, nor stays there"
probes "nor can a packet tell otherwise" <<-'PROBES'
	c1 tcp 198.51.100.1:80 = open outside
	c1 tcp 198.51.100.3:80 = open outside
	c1 tcp [2001:db8:51::1]:80 = open outside
	c1 tcp 169.254.169.254:80 = reset
	c1 tcp 100.100.100.200:80 = reset
	c1 tcp [fd00:ec2::254]:80 = reset
	c1 tcp 198.51.100.1:3306 = open outside 198.51.100.2:80
PROBES
# answered_anew: all has been, since $asked_before lines of the server's
# shellcheck disable=SC2317 # until_true calls it
answered_anew()
{
	[[ $(tail -n +$((asked_before + 1)) "$t/answers" | awk '{ print $2 }' | sort -u |
		grep -cE '^(api|more|clone|bad)\.example$') -eq 4 ]]
}
asked_before=$(wc -l <$t/answers)
until_true 15 answered_anew || bail "names are not asked again: $(tail $t/answers)"
asked_before=$(wc -l <$t/answers)
until_true 15 answered_anew # by then the daemon has looked at the answers before
is "each is logged once" "$(life | grep -c 'which no name opens')" 12
client status
is "status has an ALARM for each" "$(grep -c 'ALARM.*which no name opens' <<<"$out")" 12
client metrics
like "metrics count them" "$out" 'dsfw_nft_dns_refused_addresses\{name="more\.example"\} 7'
is "but none of a name that is only dropped" "$(grep -c 'refused_addresses{name="bad' <<<"$out")" 0

# An address of the set becomes the host's own, and goes away again.
# shellcheck disable=SC2317 # not unreachable
has()
{
	elements ipset-allowed-v4 | matches "^198\.51\.100\.3 "
}
# shellcheck disable=SC2317
has_not()
{
	! has
}
result "198.51.100.3 is allowed" "$(has || elements ipset-allowed-v4)"
ip link add own0 type veth peer name own1 && ip link set own0 up && ip addr add 198.51.100.3/32 dev own0
result "an address that the host gets is open no more" "$(until_true 2 has_not || elements ipset-allowed-v4)"
ip addr del 198.51.100.3/32 dev own0
result "and again when the host has it no more" "$(until_true 2 has || elements ipset-allowed-v4)"

# A network that becomes managed takes its subnet away from names.
zone "api.example 198.51.100.1 172.30.2.9" "clone.example 198.51.100.2" "more.example 198.51.100.3" "bad.example 198.51.100.4"
firewall_config <<'CONFIG'
{"ipsets": {"allowed": ["api.example"]},
"networks": {"ds-1": {"egress": [{"to": "ipset", "ipset": "allowed"}, {"action": "drop"}]}}}
CONFIG
client reload
# shellcheck disable=SC2317 # not unreachable
holds() # ADDRESSES
{
	[[ $(elements ipset-allowed-v4 | awk '{ print $1 }' | xargs) == "$*" ]]
}
result "private addresses are allowed" "$(until_true 8 holds 172.30.2.9 198.51.100.1 || elements ipset-allowed-v4)"
firewall_config <<'CONFIG'
{"ipsets": {"allowed": ["api.example"]},
"networks": {"ds-1": {"egress": [{"to": "ipset", "ipset": "allowed"}, {"action": "drop"}]},
	"ds-2": {"egress": [{"action": "drop"}]}}}
CONFIG
client reload
result "but not those of a managed network" "$(holds 198.51.100.1 || elements ipset-allowed-v4)"
end_daemon TERM
is "the daemon ends" "$status" 0
stop_peers
finish
