#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A DNS gate that tells the kernel everything again goes on answering, network by network: what it answers is open. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=tests/netns/gate_daemon_lib.sh
. "$(dirname "$0")/gate_daemon_lib.sh"

container c2 ds-2 172.30.2.11 fd77:2::11 || bail "no container"
mapfile -t fills < <(seq 100 | sed 's/.*/fill.x&.test/')
firewall_config <<-END
	{"dns": {"upstream": ["9.9.9.10"]}, "ipsets": {"web": ["www.good.test"], "many": [$(printf '"%s"\n' "${fills[@]}" | paste -sd,)]}, "networks": {
		"ds-1": {"dns": {}, "egress": [{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "many"}, {"action": "drop"}]},
		"ds-2": {"dns": {}, "egress": [{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"}, {"action": "drop"}]}}}
END
dsfw compile --gate-document --output $t/policy
dsfw apply --gate-user $uid
is "apply" "$status" 0
start_gate --policy $t/policy --gate-socket $t/none.sock
until_true 5 grep -q 'taken' $t/gate.log || bail "no gate: $(<$t/gate.log)"
asks "${fills[@]/%/,A}" >/dev/null
open_in() # SET
{
	elements "ipset-$1-told4" | grep -c ' \. '
}
many=$(open_in many)
is "one network has many addresses" "$((many > 1000))" 1
dial()
{
	nsenter --net=/run/netns/c2 python3 "$here/gate.py" dial 8.8.8.8 1 443 www.good.test,A
}
is "another has one" "$(dial)" "asked 1 addresses 1 refused 0 failed 0"

# The signal comes before the question. The networks' turn is in the policy's order: the gate has the first network's
# addresses to tell when it answers the other's.
nft flush set inet dockside ipset-many-told4
nft flush set inet dockside ipset-web-told4
kill -STOP "$gate"
kill -HUP "$gate"
dial >$t/dialled &
dialling=$!
# shellcheck disable=SC2317 # until_true calls it
waits() # a question for the gate
{
	awk '$2 ~ /:14B4$/ { split($5, queue, ":"); n += queue[2] != "00000000" } END { exit !n }' /proc/net/udp
}
until_true 10 waits || bail "no question: $(cat /proc/net/udp)"
kill -CONT "$gate"
wait $dialling
is "an address that is answered meanwhile is open first" "$(<$t/dialled)" "asked 1 addresses 1 refused 0 failed 0"
# shellcheck disable=SC2317 # until_true calls it
all_open()
{
	[[ "$(open_in many) $(open_in web)" == "$many 1" ]]
}
result "in the end all are" "$(until_true 10 all_open || echo "of $many: $(open_in many), $(open_in web)")"
stop_peers
finish
