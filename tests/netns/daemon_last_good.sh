#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Files with errors when the daemon starts and the kernel holds nothing, as after a boot: the last accepted
# pair is enforced, loudly, until a reload finds good ones; whatever happened to the daemon before. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

state=$STATE_DIRECTORY
two_networks 198.51.100.1/32 198.51.100.2/32 198.51.100.3/32
mkdir $t/etc
cp $t/network.json $t/etc
files=(--network-config "$t/etc/network.json" --firewall-config "$t/etc/firewall.json")

# allow ADDRESS: the files do that, and nothing else
allow()
{
	cp $t/network.json $t/etc/network.json
	cat >$t/etc/firewall.json <<-END
		{"ipsets": {"web": ["$1"]}, "networks": {"ds-1": {"egress": [
			{"proto": "tcp", "ports": [80], "to": "ipset", "ipset": "web"}, {"action": "drop"}]}}}
	END
}

# spoil: the files have errors
spoil()
{
	echo '{"networks": {"ds-1": {"egres": []}}}' >$t/etc/firewall.json
}

# boot: nothing is in the kernel
boot()
{
	nft flush ruleset
}

# allowed: the addresses that can be reached
allowed()
{
	elements ipset-web-v4 2>/dev/null | tr '\n' ' '
}

# ends: $ended, the exit status of a daemon that does not stay
ends()
{
	launch
	wait "$daemon_pid"
	ended=$?
}

start_listening

# ---- as after a boot -----------------------------------------------------------------------------

allow 198.51.100.1
spoil
ends
is "without a last accepted pair it ends" "$ended" 3
like "and says that there is none" "$(life)" "egres.*the last accepted configuration cannot be enforced either: there is no"

allow 198.51.100.1
start_daemon
is "an accepted pair is kept, for root alone" "$(stat -c '%a %U' $state $state/last-good)" "700 root
600 root"
client status
like "status says that all is well" "$out" $'\nfiles: current\n'
end_daemon TERM

boot
spoil
start_daemon
probes "files with errors, and the last accepted ones are enforced" <<-'END'
	c1 tcp 198.51.100.1:80 = open outside
	c1 tcp 198.51.100.2:80 = reset
END
client status
like "status sounds the alarm" "$out" "ALARM: since 20[0-9: -]* UTC the last accepted configuration, of 20[0-9: -]* UTC, is enforced instead"
like "and says since when" "$out" $'\nfiles: faulty: .*etc/firewall.json:1:24: unknown key "egres".*\nenforced: the last accepted configuration, since [0-9]+ s ago'
like "systemd is told" "$(tail -n +"$((told_before + 1))" $told)" "STATUS=.*LAST ACCEPTED configuration, as the files have errors; 1 ALARM"
like "the log has it as an error" "$(life)" "error: ALARM: since 20"
client metrics
like "the metrics have it" "$out" $'\ndsfw_nft_alarms 1\n'
client set-ipset --replace web 198.51.100.2
like "a change of what is not in the files is refused" "$status $err" "^1 .*correct the files and reload"
client reload
like "a reload that finds errors lists them" "$status $err" '^1 .*unknown key "egres"'
is "and changes nothing" "$(allowed)" "198.51.100.1 "

allow 198.51.100.2
client reload
is "a good reload is enforced" "$status $(allowed)" "0 198.51.100.2 "
client status
is "and ends the alarm" "$(grep -cE 'ALARM|last accepted' <<<"$out")" 0
like "the log has that" "$(life)" "files are enforced again"
client metrics
like "the metrics, too" "$out" $'\ndsfw_nft_alarms 0\n'

# ---- the files that are missing; a pair of the socket --------------------------------------------

client set-ipset --replace web 198.51.100.3
is "a set is changed by request" "$status" 0
end_daemon KILL
boot
mv $t/etc $t/etc.away
start_daemon
is "without the files' directory: each accepted pair is the last good one" "$(allowed)" "198.51.100.3 "
mv $t/etc.away $t/etc
rm $t/etc/firewall.json
end_daemon TERM
boot
start_daemon
is "without one of the files: the same" "$(allowed)" "198.51.100.3 "
python3 - $t >$t/request <<'END'
import json, sys
t = sys.argv[1]
print(json.dumps({"action": "apply", "network_config": json.load(open(t + "/network.json")), "firewall_config": {
    "ipsets": {"web": ["198.51.100.3"]}, "networks": {"ds-1": {"egress": [
        {"proto": "tcp", "ports": [80], "to": "ipset", "ipset": "web"}, {"action": "drop"}]}}}}))
END
python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(open(sys.argv[2], "rb").read())
print(s.makefile().readline())' $socket $t/request >$t/out
like "apply replaces the files, also where it changes nothing that runs" "$(<$t/out)$(<$t/etc/firewall.json)" \
	'"status":"ok".*198.51.100.3'
client status
like "and they are current then" "$out" $'\nfiles: current\n'
is "and the alarm is over" "$(grep -c ALARM <<<"$out")" 0

# ---- the files differ from what runs -------------------------------------------------------------

allow 198.51.100.1
client status
like "an edited file is told" "$out" $'\nfiles: edited: .*/etc/firewall.json changed since'
echo >>$t/etc/network.json
client status
like "as drift" "$out" $'\ndrift: the files are not what runs: edited\n'
like "so are two" "$out" $'\nfiles: edited: .*/etc/network.json and .*firewall.json changed since'
spoil
client status
like "so are files with errors" "$out" $'\nfiles: faulty: .*firewall.json:1:24'
client reload
allow 198.51.100.1
client reload
client status
like "a reload ends both" "$out" $'\nfiles: current\n.*\ndrift: none\n'
end_daemon TERM

# ---- kill -9 at any instant ----------------------------------------------------------------------

# storm: changes one set as fast as it goes
storm()
{
	local i
	for ((i = 0; ; i++)); do
		"$DSFW_NFT" set-ipset --replace web "198.51.100.$((i % 3 + 1))" --socket $socket || return
	done
}

rounds=0 good=0
for after in 0.01 0.03 0.05 0.08 0.13 0.21 0.34 0.55; do
	allow 198.51.100.1
	start_daemon
	storm >$t/storm 2>&1 &
	sleep $after
	end_daemon KILL
	wait $!
	boot
	spoil
	start_daemon
	[[ $(allowed) =~ ^198\.51\.100\.[123]\ $ ]] && ((good++))
	((rounds++))
	end_daemon KILL
done
is "killed while it saves: there is a pair to enforce, and no half of one" "$good of $rounds" "8 of 8"

# ---- a pair that is not to be used ---------------------------------------------------------------

boot
spoil
cp -a $state/last-good $t/last-good
sed -i 's/198.51.100/203.0.113/' $state/last-good
ends
is "an edited pair is not enforced" "$ended" 3
like "and that is said" "$(life)" "last-good is not as it was written, by its checksum: it is not used"
head -c -1 $t/last-good >$state/last-good
ends
is "nor is a torn one" "$ended" 3
ln -sf $t/last-good $state/last-good
ends
is "nor one behind a symbolic link" "$ended" 3
like "which is said, too" "$(life)" "last-good is a symbolic link: it is not used"
mv $t/last-good $state/last-good
chown 1234 $state
ends
is "nor one in somebody else's directory" "$ended" 3
like "with words" "$(life)" "$state belongs to uid 1234, not to uid 0: it is not used"

# ---- a state directory that cannot be used -------------------------------------------------------

allow 198.51.100.2
start_daemon
is "somebody else's directory does not stop enforcement" "$(allowed)" "198.51.100.2 "
client status
like "status says so" "$out" $'\nthe accepted configuration is not kept: .*belongs to uid 1234'
client reload
client reload
is "the log does once" "$(life | grep -c "is not kept")" 1
chown 0 $state
client reload
like "it is kept when that is mended" "$(life)" "is kept in $state again"
end_daemon TERM

rm -r $state
mkdir -m 700 $state
mount -t tmpfs -o size=16k,mode=700 none $state
start_daemon
mount -o remount,ro $state
allow 198.51.100.3
client reload
is "on a read-only file system a reload is enforced" "$status $(allowed)" "0 198.51.100.3 "
client status
like "and status says what is not kept" "$out" "not kept: .*Read-only file system"
mount -o remount,rw $state
dd if=/dev/zero of=$state/full bs=1k count=64 2>/dev/null
allow 198.51.100.1
client reload
is "on a full disk, too" "$status $(allowed)" "0 198.51.100.1 "
client status
like "with its reason" "$out" "not kept: .*No space left on device"
end_daemon KILL
boot
spoil
start_daemon
is "the pair that was kept before is whole" "$(allowed)" "198.51.100.2 "

# ---- two daemons ---------------------------------------------------------------------------------

cat >$t/other.json <<<'{"networks": []}'
echo '{}' >$t/other-firewall.json
: >$t/other.log
nsenter --net=/run/netns/outside "$DSFW_NFT" daemon --network-config $t/other.json \
	--firewall-config $t/other-firewall.json >$t/other.log 2>&1 &
other=$!
until_true 10 grep -q 'ready$' $t/other.log
like "a second daemon is told that the directory has one" "$(<$t/other.log)" \
	"another daemon uses the state directory $state: give each its own"
kill $other
wait $other
end_daemon TERM
umount $state

stop_peers
finish
