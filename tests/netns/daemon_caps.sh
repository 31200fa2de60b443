#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon needs no more than what scripts/dsfw-nft.service leaves it: that capability, and those
# places to write to. TAP.
# shellcheck disable=SC2016 # what others expand
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh" || exit 1
# shellcheck source=tests/netns/hostile_lib.sh
. "$here/hostile_lib.sh" || exit 1

if ! type -p setpriv >/dev/null; then
	echo "1..0 # SKIP no setpriv (Debian package util-linux)"
	exit 0
fi
unit=$here/../../scripts/dsfw-nft.service

# unit_value KEY: all that the unit says of it
unit_value()
{
	sed -n "s/^$1=//p" "$unit" | xargs
}
read -ra capabilities < <(unit_value CapabilityBoundingSet | tr '[:upper:]' '[:lower:]')
read -ra writable < <(unit_value ReadWritePaths)
[[ ${#capabilities[@]} -gt 0 && ${#writable[@]} -gt 0 ]] || bail "nothing in $unit"
bounding=-all
for capability in "${capabilities[@]}"; do
	bounding+=,+${capability#cap_}
done

# As ProtectSystem=strict and ProtectKernelTunables=yes have it; /run is a file system of its own here.
cat >$t/confine <<-SCRIPT
	mount --bind /proc/sys /proc/sys
	for path in ${writable[*]#-}; do
		[ \$path = /run ] || [ ! -e \$path ] || mount --bind \$path \$path || exit
	done
	mount -o remount,bind,ro /proc/sys && mount -o remount,bind,ro / || exit
	exec setpriv --bounding-set=$bounding --inh-caps=-all --no-new-privs "\$@"
SCRIPT
[[ " ${writable[*]#-} " == *" /run "* ]] || bail "the unit leaves no place for the lock"

mkdir $t/etc
cat >$t/etc/network.json <<'JSON'
{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"}]} // of the first day
JSON
cat >$t/etc/firewall.json <<'JSON'
{"ipsets": {"s": ["198.51.100.2", "one.example"]},
"networks": {"ds-a": {"egress": [{"to": "ipset", "ipset": "s"}, {"action": "drop"}]}}}
JSON
chmod 640 $t/etc/firewall.json
hosts "198.51.100.1 one.example"
files=(--network-config "$t/etc/network.json" --firewall-config "$t/etc/firewall.json")
bridged=/proc/sys/net/bridge/bridge-nf-call-iptables
[[ ! -e $bridged ]] || echo 0 >$bridged

start_daemon unshare --mount --propagation private bash $t/confine
is "it has what the unit leaves it and nothing else" \
	"$(sed -n 's/^Cap\(Eff\|Prm\|Bnd\):\t*//p' /proc/"$daemon"/status | sort -u)" \
	"$(setpriv --bounding-set="$bounding" sed -n 's/^CapBnd:\t*//p' /proc/self/status)"
is "it cannot write elsewhere" "$(nsenter --mount=/proc/"$daemon"/ns/mnt sh -c 'for path in /usr /etc \
	/proc/sys/kernel/hostname /proc/sys/fs/file-max; do [ ! -w $path ] || echo $path; done')" ""
is "it starts, and enforces" "$(elements ipset-s-v4)" "198.51.100.1 timeout 5m comment one.example
198.51.100.2"
[[ ! -e $bridged ]] || is "packets of bridges are made to pass the rules" "$(<$bridged)" 1
is "limits are raised" "$(($(</proc/sys/fs/inotify/max_user_watches) >= 524288))" 1

sed -i 's/198.51.100.2/198.51.100.3/' $t/etc/firewall.json
client reload
is "it reloads" "$status $(elements ipset-s-v4 | tail -1)" "0 198.51.100.3"
kill -HUP "$daemon"
until_true 5 grep -q '^reloaded$' $t/log
is "by signal, too" "$?" 0
client set-ipset --replace s 192.0.2.1
is "it saves, and keeps the mode" "$status $err$(elements ipset-s-v4) $(stat -c %a $t/etc/firewall.json)" \
	"0 192.0.2.1 640"
client set-network ds-b --network '{"subnet": "172.30.2.0/24"}' --firewall '{"egress": [{"action": "drop"}]}'
is "both files, and keeps the one with comments" \
	"$status $(grep -c ds-b $t/etc/network.json) $(grep -c 'first day' $t/etc/network.json.orig)" "0 1 1"
listing >$t/wanted
nft flush ruleset
until_true 5 eval 'listing 2>/dev/null | cmp -s $t/wanted -'
is "it repairs" "$?" 0
client reconcile
is "it reconciles" "$status" 0
is "it does it all without a complaint" "$(grep -E 'ermitted|denied|Read-only' $t/log)" ""
client denied
is "it hears what is refused" "$status $err" "0 "

if [[ " ${capabilities[*]} " != *" cap_chown "* ]]; then
	chgrp 12345 $t/etc/firewall.json
	cp -a $t/etc $t/etc.before
	client set-ipset --replace s 192.0.2.2
	is "what it cannot save with its group it does not enforce, and says so" \
		"$status $(elements ipset-s-v4) $(grep -c 'not permitted' $t/err)" "1 192.0.2.1 1"
	is "the files are as they were" "$(diff -r $t/etc.before $t/etc; stat -c %g $t/etc/firewall.json)" 12345
fi
stopped_well "it stops"
is "and leaves the rules" "$(listing | diff $t/wanted -)" ""
finish
