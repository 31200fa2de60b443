#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --json of the commands that need no daemon: one object on standard output, in good times and bad, as doc/schema/ has
# it; the exit status is that of the text. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

python3 -c 'import jsonschema' 2>/dev/null || {
	echo "1..0 # SKIP no jsonschema (Debian package python3-jsonschema)"
	exit 0
}
bridge ds-1 172.30.1.1/24 fd77:1::1/64 || bail "cannot set up the network"
hosts "198.51.100.1 one.example"
good_networks='{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24"}]}'
network_config <<<"$good_networks"
good_rules()
{
	firewall_config <<-'CONFIG'
		{"ipsets": {"s": ["one.example", "203.0.113.0/24"]},
		"networks": {"ds-1": {"egress": [
			{"proto": "udp", "ports": [53]},
			{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "s"},
			{"action": "drop"}]}}}
	CONFIG
}

# as_json DESCRIPTION STATUS EXPRESSION WANTED COMMAND [OPTION…]: of the object `a`
as_json()
{
	local got
	dsfw "${@:5}" --json
	got=$(python3 - "$here/../../doc/schema/$5.schema.json" "$3" "$t/out" 2>&1 <<'END'
import json, jsonschema, sys
schema = json.load(open(sys.argv[1]))
a = json.load(open(sys.argv[3]))
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(a)
print(eval(sys.argv[2]))
END
	)
	is "$1" "$status $got" "$2 $4"
}

as_json "a missing file" 3 'a["status"], "copy an example" in a["errors"][0]["hint"]' "('error', True)" check
firewall_config <<<'{"networks": {"ds-1": {"egress": [{"action": "dorp"}]}}}'
for command in check diff apply; do
	as_json "$command, a fault" 3 '[(e["line"], e["column"], e["pointer"]) for e in a["errors"]]' \
		"[(1, 46, '/networks/ds-1/egress/0/action')]" $command
	is "which standard error does not repeat" "$err" ""
done
good_rules
as_json "check" 0 'a["message"], a["networks"], a["managed"], a["rules"], a["ipsets"], a["kernel"], len(a["notes"])' \
	"(None, 1, 1, 3, 1, False, 1)" check
as_json "check --kernel" 0 'a["kernel"]' True check --kernel
as_json "check --resolve" 0 'a["names"]' "[{'name': 'one.example', 'addresses': ['198.51.100.1'], 'error': None}]" \
	check --resolve
as_json "diff" 1 '(a["different"], [(x["table"], x["change"]) for x in a["tables"]], a["notes"],
	[y["text"] for x in a["tables"] for o in x["objects"] for y in o["lines"] if y["entry"] == "egress[0]"])' \
	"(True, [('inet dockside', 'new'), ('bridge dockside', 'new')], [], ['udp dport 53 counter ct label set 127 accept comment \"egress[0]\"'])" diff
as_json "apply" 0 'a["changed"], a["managed"], a["chains"] > 5, a["settings_changed"], a["no_bridge_family"]' \
	"(True, 1, True, True, None)" apply
as_json "apply again" 0 'a["changed"], a["chains"], a["settings_changed"], a["docker"]' "(False, 0, False, [])" apply
as_json "diff then" 0 'a["different"], a["tables"], a["settings"]' "(False, [], None)" diff
nft delete element inet dockside ipset-s-net4 '{ 203.0.113.0/24 }'
as_json "a set that has lost something" 1 '[(o["network"], o["kind"], o["name"], o["change"], o["lines"])
	for x in a["tables"] for o in x["objects"]]' \
	"[(None, 'set', 'ipset-s-net4', 'changed', [{'change': 'add', 'text': '203.0.113.0/24', 'entry': None}])]" diff
echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
as_json "a setting that is missing" 1 '"bridge-nf-call-iptables" in a["settings"]' True diff
hosts
dsfw check --resolve
like "a name without an address fails check --resolve" "$status $out$err" \
	'^1 ok: .*names with an address: 0 of 1.*warning: one.example: no address'
as_json "also as JSON" 1 'a["message"], a["names"][0]["error"] != None' "('a name has no address', True)" check --resolve
ip link del ds-1
ip link add ds-1 type veth peer name other
as_json "an interface that is no bridge" 1 'a["status"], "not a bridge" in a["message"]' "('error', True)" apply
finish
