#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon says whether networks are judged in two cases: on a host without Docker; and after the kernel has lost the
# rules and does not take them back. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh" || exit 1
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

bridge ds-1 172.30.1.1/24 fd77:1::1/64 || bail "cannot build the network"
network_config <<<'{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24"}, {"name": "ds-2", "subnet": "172.30.2.0/24"}]}'
firewall_config <<<'{"networks": {"ds-1": {"egress": [{"action": "drop"}]}, "ds-2": {"egress": [{"action": "drop"}]}}}'

states()
{
	echo "$(of network_details ds-1 state), $(of network_details ds-2 state)"
}

start_listening
start_daemon
is "without Docker it is the kernel's bridges that count" "$(states)" "enforced, pending"
client status
is "a network that is not there is no fault" "$status $(of ready)" "0 True"
ip link add ds-2 type bridge
until_true 2 prints "enforced, enforced" states
is "until it is there" "$(states)" "enforced, enforced"
ip link del ds-2
ip link add ds-2 type veth peer name other
until_true 2 prints "not judged" states
is "no bridge is not judged" "$(states)" "enforced, not judged"
until_true 2 prints "NOT JUDGED" tail -1 $told
like "which systemd knows" "$(tail -1 $told)" "STATUS=enforcing 1 network, 0 names; NOT JUDGED: ds-2"
ip link del ds-2

# A table that another process owns: nobody else can change it.
mkfifo $t/nft && exec 7<>$t/nft
nft -i <$t/nft >$t/nft.out 2>&1 &
owner=$!
echo 'delete table inet dockside; add table inet dockside { flags owner; }' >&7
until_true 3 prints "not judged, not judged" states
is "rules that the kernel does not have" "$(states)" "not judged, not judged"
client status
like "are an alarm" "$status $out" "^1 NOT READY.*ALARM: network ds-1: the kernel does not have its rules.*NOT JUDGED"
until_true 3 prints "could not be put right" tail -1 $told
like "systemd knows" "$(tail -1 $told)" "the ruleset could not be put right"
client status
like "so does status, as an alarm" "$out" "ALARM: the kernel may lack rules of the policy, as they cannot be put back: "
client explain --from ds-1 --to 203.0.113.1 --proto tcp --port 22
like "nothing is said to be refused" "$status $out" "^1 .*NOT JUDGED.*does not have its rules"
client metrics
is "metrics" "$(grep -cxE 'dsfw_nft_ready 0|dsfw_nft_alarms 3|dsfw_nft_networks\{state="not judged"\} 2' $t/out)" 3
echo quit >&7
wait $owner
exec 7>&-
until_true 7 prints "enforced, pending" states
is "then they are put back" "$(states)" "enforced, pending"
client status
is "and all is well" "$status $(of ready)" "0 True"

# The table that binds ports: what cannot be put back is not said to be enforced, whichever rule it is.
mkfifo $t/bridge && exec 7<>$t/bridge
nft -i <$t/bridge >$t/nft.out 2>&1 &
owner=$!
echo 'delete table bridge dockside; add table bridge dockside { flags owner; }' >&7
until_true 3 prints "could not be put right" tail -1 $told
client status
like "where the table that binds ports is somebody else's" "$status $out" \
	"^1 NOT READY.*ALARM: network ds-1: the kernel may lack some of its rules until they are put back.*NOT JUDGED.*ALARM: the kernel may lack rules of the policy, as they cannot be put back: "
client metrics
is "metrics say so, too" "$(grep -cxE 'dsfw_nft_ready 0|dsfw_nft_alarms 3' $t/out) $(states)" "2 not judged, not judged"
client explain --from ds-1 --to 203.0.113.1 --proto tcp --port 22
like "and explain" "$status $out" "^1 .*NOT JUDGED.*the kernel may lack some of its rules"
like "and systemd" "$(tail -1 $told)" "STATUS=enforcing 0 networks,.*; the ruleset could not be put right; 1 ALARM"
echo quit >&7
wait $owner
exec 7>&-
until_true 7 prints True of ready
client status
is "until it is put back" "$status $(nft list chain bridge dockside bind | grep -c '@bindings4')" "0 1"
end_daemon TERM
finish
