#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The program says once, where it belongs, what is wrong with a new operator's first steps, and what to do. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

bridge ds-web 172.20.1.1/24 2001:db8:1::1/64 || bail "cannot set up the network"
start_listening

# ---- the files are missing -----------------------------------------------------------------------

launch
wait "$daemon_pid"
is "without files the daemon ends" "$?" 3
is "and says so of each of them, once" "$(life | grep -oE '[a-z]*\.json: .*No such file' | sort | xargs)" \
	"firewall.json: error: cannot read: No such file network.json: error: cannot read: No such file"
is "and which example to copy" "$(life | grep -oE 'dsfw-nft init writes both files; or copy an example, such as .*/examples/minimal/[a-z-]*.json' |
	grep -oE '[a-z-]*\.json' | sort | xargs)" "firewall-config.json network-config.json"
dsfw check
is "so does check" "$status $(grep -cE 'json: error: .*copy an example' <<<"$err")" "3 2"
"$DSFW_NFT" daemon --network-config $t/nowhere/network.json --firewall-config $t/nowhere/firewall.json >$t/out 2>&1
is "nor their directory: the daemon says the same" "$? $(grep -cE 'json: error: .*copy an example' $t/out) $(
	grep -c 'directory of' $t/out)" "3 2 0"

cat >$t/bad.json <<<'{"networks": {"ds-web": {"egress": [{"action": "dorp"}]}}}'
network_config <<<'{"networks": [{"name": "ds-web", "subnet": "172.20.1.0/24"}]}'
cp $t/bad.json $t/firewall.json
launch
wait "$daemon_pid"
is "a fault is said once, too" "$? $(life | grep -c dorp)" "3 2" # the second is the line of the file

# ---- what is open still is said by check ---------------------------------------------------------

firewall_config <<<'{"ipsets": {"s": ["192.0.2.1"]},
"networks": {"ds-web": {"egress": [{"to": "ipset", "ipset": "s"},
	{"action": "drop"}]}}}'
dsfw check
is "check notes that the host is open" "$status $(grep -c 'note: default deny' <<<"$err")" "0 1"
for command in diff apply; do
	dsfw $command
	is "$command does not repeat it" "$(grep -c 'note: ' <<<"$err")" 0
done

# ---- changes through the socket ------------------------------------------------------------------

start_daemon
# where: the file and line of the rule that refuses
where()
{
	client explain --from ds-web --to 203.0.113.9 --proto tcp --port 22
	grep -oE 'egress\[1\] at .*' <<<"$out"
}
is "a rule's place" "$(where)" "egress[1] at $t/firewall.json:3:2"
client set-ipset s 192.0.2.1 192.0.2.2
is "a change is saved" "$status$err" 0
is "and the rule's place is in the file again" "$(where)" \
	"egress[1] at $t/firewall.json:$(grep -n '"drop"' $t/firewall.json | cut -d : -f 1):$(awk -F '{' \
		'/"drop"/ { print length($1) + 1 }' $t/firewall.json)"

echo >>$t/firewall.json
client set-ipset s 192.0.2.3 --replace
is "a change is refused while the file has been edited" "$status $(grep -c 'firewall.json' <<<"$err")" "1 1"
is "which is no news of the last reload" "$(of reload result)" ok
is "the log has it" "$(life | grep -c '^warning: set-ipset: .*what ran before runs on')" 1
client reload
is "a reload" "$status" 0
client set-ipset s 192.0.2.3 --replace
is "and the change is made" "$status" 0
is "the log does not have who only looks" "$(life | grep -cE 'socket: (explain|status)') $(life | grep -c 'socket: set-ipset')" "0 3"
end_daemon TERM

# ---- without a word about the socket -------------------------------------------------------------

"$DSFW_NFT" daemon "${files[@]}" >$t/default.log 2>&1 &
daemon_pid=$!
result "the daemon listens where the commands look" "$(until_true 10 timeout 5 "$DSFW_NFT" refresh >$t/out 2>&1 || cat $t/default.log)"
is "in a directory of its own" "$(stat -c '%a %U' /run/dockside /run/dockside/firewall.sock | xargs)" "750 root 660 root"
end_daemon TERM
"$DSFW_NFT" daemon "${files[@]}" --socket none >$t/default.log 2>&1 &
daemon_pid=$!
until_true 10 grep -q ^ready $t/default.log
"$DSFW_NFT" refresh >$t/out 2>&1
is "or nowhere" "$?" 1
end_daemon TERM
finish
