#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A request that cannot be saved changes nothing, not for a moment: what is known of names would not come
# back before DNS answers again, if it does. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

two_networks 198.51.100.1/32
start_zone
zone "web.example 198.51.100.1 ttl=60" "db.example 198.51.100.2 ttl=60"
mkdir $t/etc
files=(--network-config "$t/etc/network.json" --firewall-config "$t/etc/firewall.json")
mount -t tmpfs none $t/etc || bail "no file system for the files"
mv $t/network.json $t/etc
cat >$t/etc/firewall.json <<'END'
{"ipsets": {"web": ["web.example"], "other": []}, "networks": {"ds-1": {
	"egress": [{"to": "ipset", "ipset": "web"}, {"to": "host", "host": "db.example"}, {"action": "drop"}],
	"nat": [{"match_dport": 3306, "to_host": "db.example", "to_port": 80}]}}}
END

held()
{
	elements ipset-web-v4
	elements host-db.example-v4
	nft list map inet dockside ds-1-nat4 | grep 198.51.100
}
start_listening
start_daemon
held >$t/held
like "names have their addresses" "$(<$t/held)" "198.51.100.1 .*198.51.100.2 .*198.51.100.2 . 80"
zone "web.example fail" "db.example fail"

# refused HOW PATTERN
refused()
{
	local before after
	before=$(generation)
	client set-ipset --replace web other.example
	like "$1: a set is not changed" "$status $err" "^1 .*$2"
	client remove-network ds-1 --force
	like "$1: a network is not removed" "$status $err" "^1 .*$2"
	after=$(generation)
	is "$1: all is there, and always was" "$(held) $((after - before))" "$(<$t/held) 0"
	is "$1: nothing is left beside the files" "$(cd $t/etc && echo *)" "firewall.json network.json"
}

cp -a $t/etc/firewall.json $t/etc/network.json $t
echo "// by hand" >>$t/etc/firewall.json
echo "// by hand" >>$t/etc/network.json
refused "files that somebody has edited" "has been changed since it was read"
for one in network firewall; do
	cp -a $t/firewall.json $t/network.json $t/etc
	echo "// by hand" >>$t/etc/$one.json
	refused "$one.json alone, that somebody has edited" "$one.json has been changed since it was read"
done
cp -a $t/firewall.json $t/network.json $t/etc
mount -o remount,ro $t/etc
refused "files on a file system that is read-only" "Read-only file system"
mount -o remount,rw $t/etc
client set-ipset --replace other 203.0.113.1
is "when they can be written, they are" "$status $(grep -c 203.0.113.1 $t/etc/firewall.json)" "0 1"

end_daemon TERM
stop_peers
finish
