#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Things in our table that nft's language cannot say, or that are tied to each other so that they
# cannot be taken away one by one: none of them gets into a script, none of them keeps apply from
# putting the table right, and nothing outside the table changes. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

network_config <<<'{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"}]}'
policy <<<'{"ipsets": {"s": ["198.51.100.2", "203.0.113.0/24"]}, "networks": {"ds-a": {"egress": [
	{"proto": "tcp", "ports": [80, 443], "to": "ipset", "ipset": "s"}, {"action": "drop"}]}}}'
wanted=$(listing)
nft add table ip canary

# put_right DESCRIPTION: after something has been put into the table
put_right()
{
	local faults=
	dsfw diff
	[[ $status -eq 1 ]] || faults+="diff ends with $status: $out $err"$'\n'
	dsfw apply
	[[ $status -eq 0 ]] || faults+="apply ends with $status: $err"$'\n'
	[[ $(listing) == "$wanted" ]] || faults+="$(diff <(echo "$wanted") <(listing))"$'\n'
	[[ $(nft list tables | sort | xargs) == "table bridge dockside table inet dockside table ip canary" ]] ||
		faults+="tables: $(nft list tables | xargs)"$'\n'
	dsfw apply
	[[ $out == "nothing to change"* ]] || faults+="apply once more: $out $err"$'\n'
	result "$1" "${faults%$'\n'}"
}

for name in 'x y' '0x' accept 'x; delete table ip canary' 'x\ndelete table ip canary\nadd table ip pwned' \
	'a"b' 'a{' '#' '\xff'; do
	for kind in chain set counter; do
		python3 "$here/foreign.py" $kind "$name" || bail "cannot make $kind $name"
		put_right "a $kind called $name"
	done
done
# A name that sorts right behind one of ours and goes on with a script.
python3 "$here/foreign.py" set 'fingerprint\ndelete table ip canary' || bail "cannot make a set"
put_right "a set called like one of ours and more"
for name in 'a"b' 'ab\x00c' 'eth*' 'a b' '\xff'; do
	python3 "$here/foreign.py" key "$name" || bail "cannot make an element $name"
	put_right "a dispatch element $name"
done

# tied DESCRIPTION SCRIPT
tied()
{
	nft "$2" || bail "nft refuses: $2"
	put_right "$1"
}
tied "a map of another type that goes to a chain" 'add chain inet dockside evil
	add map inet dockside m { type ipv4_addr : verdict; elements = { 192.0.2.1 : jump evil } }'
tied "a map with intervals that goes to a chain" 'add chain inet dockside evil
	add map inet dockside m { type ifname : verdict; flags interval; elements = { "a*" : goto evil } }'
tied "chains that go to each other, and a map to them" 'add chain inet dockside a
	add chain inet dockside b
	add rule inet dockside a goto b
	add map inet dockside m { type mark : verdict; elements = { 1 : goto a, 2 : goto b } }
	insert rule inet dockside ds-a-OUT meta mark vmap @m'
tied "an anonymous map to a chain" 'add chain inet dockside a
	insert rule inet dockside ds-a-OUT tcp dport vmap { 1 : goto a, 2 : accept }'
tied "a rule that uses a limit of ours, in a chain of its own" 'add chain inet dockside evil
	add rule inet dockside evil limit name "ds-a-log"'
tied "objects that rules use" 'add counter inet dockside c
	add quota inet dockside q { 10 mbytes }
	add ct helper inet dockside h { type "ftp" protocol tcp; l3proto ip; }
	insert rule inet dockside ds-a-OUT counter name c quota name q'
# A set that limits what its elements do.
nft 'flush chain inet dockside ds-a-OUT; delete set inet dockside ipset-s-v4
	add set inet dockside ipset-s-v4 { type ipv4_addr; flags timeout,dynamic; limit rate 1/hour; }'
put_right "a set of ours with a limit"
nft 'flush chain inet dockside ds-a-OUT; delete set inet dockside ports_80_443
	add set inet dockside ports_80_443 { type inet_service; counter; }'
put_right "a set of ours that counts"
for statement in "" "limit rate 100/second burst 201 packets;" "limit rate 100 bytes/second burst 200 bytes;" \
	"limit rate over 100/second burst 200 packets;" "quota 1 mbytes;"; do
	nft "flush chain inet dockside forward; delete set inet dockside lookups
		add set inet dockside lookups { type ifname; $statement }"
	put_right "a limit of ours that is another: '$statement'"
done
nft 'delete element inet dockside lookups { "ds-a" }
	add element inet dockside lookups { "ds-a" limit rate 1/hour }'
put_right "an element with a limit of its own"

finish
