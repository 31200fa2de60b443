# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced after gate_daemon_lib.sh by the tests of `apply` beside a DNS gate.

# shellcheck disable=SC2034 # for those who source this
{
	all='"www.good.test", "late.good.test", "pool.good.test"' # the first two have the address 11.0.0.1
	one='"pool.good.test"'
}
gated() # NAMES [RULE,]
{
	local rule='{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"},'
	firewall_config <<-END
		{"dns": {"upstream": ["9.9.9.10"]}, "ipsets": {"web": [$1]}, "networks": {
			"ds-1": {"dns": {}, "egress": [${2-$rule} {"action": "drop"}]},
			"ds-2": {"egress": [{"action": "drop"}]}}}
	END
}
kill_gate()
{
	kill -9 "$gate"
	wait "$gate" 2>/dev/null
}
apply() # [OPTION…]
{
	dsfw apply --gate-user $uid --gate-socket $t/gate.sock "$@"
}
# begin_apply: one that waits for a name server where nobody is, with the names $one; it is $applying
begin_apply()
{
	hosts
	echo "nameserver 192.0.2.77" >$t/resolv.conf
	firewall_config <<-END
		{"dns": {"upstream": ["9.9.9.10"]}, "ipsets": {"web": [$one]}, "networks": {
			"ds-1": {"dns": {}, "egress": [{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"}, {"action": "drop"}]},
			"ds-2": {"egress": [{"proto": "tcp", "ports": [443], "to": "host", "host": "slow.example"}, {"action": "drop"}]}}}
	END
	"$DSFW_NFT" apply "${files[@]}" >$t/out 2>&1 &
	applying=$!
	until_true 5 prints '192\.0\.2\.77:53' ss -Hun || bail "apply asks nobody: $(<$t/out)"
}
is_open()
{
	elements ipset-web-told4 | sed -nE 's/^ds-1 \. ([0-9.]+) .*/\1/p' | xargs
}
# The number of policies whose addresses the kernel has, as it says. nft 1.0.6 and 1.1.3 differ in the order of a tag's bytes.
policies()
{
	nft -j list set inet dockside dns-tags | python3 -c 'import json, sys
tags = next(entry["set"] for entry in json.load(sys.stdin)["nftables"] if "set" in entry).get("elem", ())
print(len({min(tag, int.from_bytes(tag.to_bytes(4, "little"), "big")) for tag in tags}))'
}
json() # KEY…: of the last apply's object
{
	python3 -c 'import json, sys
answer = json.load(open(sys.argv[1]))
print(*(answer.get(key) for key in sys.argv[2:]))' $t/out "$@"
}
