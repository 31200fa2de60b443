#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Between a policy that is given to the DNS gate and its answer "taken" there may come a bridge that goes and is back, a
# daemon that does not read, a refusal, another daemon. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=tests/netns/gate_daemon_lib.sh
. "$(dirname "$0")/gate_daemon_lib.sh"
# shellcheck source=tests/netns/gate_pose_lib.sh
. "$(dirname "$0")/gate_pose_lib.sh"
container c2 ds-2 172.30.2.11 fd77:2::11 || bail "no container"
files+=(--gate-user "$uid" --gate-socket "$t/gate.sock")
mapfile -t fills < <(seq 250 | sed 's/.*/fill.x&.test/')
many=$(printf '"%s"\n' "${fills[@]}" | paste -sd,)

web='{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"}'
configure() # NAMES-OF-WEB [RULE-OF-DS-2]
{
	firewall_config <<-END
		{"dns": {"upstream": ["9.9.9.10"]}, "ipsets": {"web": [$1], "many": [$many]}, "networks": {
			"ds-1": {"dns": {}, "egress": [$web, {"proto": "tcp", "ports": [8443], "to": "ipset", "ipset": "many"}, {"action": "drop"}]},
			"ds-2": {${2:+"\"dns\": {}, "} "egress": [${2:+$2, }{"action": "drop"}]}}}
	END
}
start_both()
{
	: >$t/gate.log
	start_gate --gate-socket $t/gate.sock
	start_daemon
	until_true 10 policy_is taken || bail "no gate: $(<$t/gate.log)"
}
end_both()
{
	kill -CONT "$gate"
	end_daemon TERM
	kill -9 "$gate"
	wait "$gate" 2>/dev/null
}
is_open() # NETWORK
{
	elements ipset-web-told4 | grep -c "$1 . 11\.0\.0\.1 "
}
asks_2()
{
	nsenter --net=/run/netns/c2 python3 "$here/gate.py" ask 8.8.8.8 "$@" 2>&1
}
# said TIMES: whether the gate has said so often that it has taken a policy
# shellcheck disable=SC2317 # until_true calls it
said()
{
	[[ $(grep -c ' taken$' "$t/gate.log") -ge $1 ]]
}

# ---- the bridge of a network that leaves ------------------------------------------------------------

configure '"www.good.test", "pool.good.test"' "$web"
start_both
asks www.good.test,A >/dev/null
asks_2 www.good.test,A >/dev/null
before=$(is_open ds-2)
ip link set v-c2 nomaster
ip link del ds-2
kill -STOP "$gate"
configure '"pool.good.test"'
client reload
configure '"pool.good.test", "other.test"'
# It takes back ds-1's at once, and once more after 100 ms; before that it has not taken the policy.
kill -CONT "$gate"
sleep 0.03
kill -STOP "$gate"
{
	bridge ds-2 172.30.2.1/24 fd77:2::1/64 && ip link set v-c2 master ds-2
} || bail "no bridge"
client reload
kill -CONT "$gate"
until_true 10 policy_is taken || bail "not taken: $(<$t/gate.log)"
is "it is back before the next policy is taken: its addresses are closed" "$before $(is_open ds-2)" "1 0"
end_both

# ---- a daemon that does not read --------------------------------------------------------------------

configure '"www.good.test", "pool.good.test"'
start_both
asks www.good.test,A >/dev/null
kill -STOP "$gate"
configure '"pool.good.test"'
client reload
kill -STOP "$daemon_pid"
# Each has an answer of 28 addresses, of which the gate reports.
nsenter --net=/run/netns/c1 python3 -c '
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("8.8.8.8", 53))
for i, name in enumerate(sys.argv[1:]):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    s.send(struct.pack(">6H", i, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1))' "${fills[@]}"
kill -CONT "$gate"
# shellcheck disable=SC2317 # until_true calls it
fills_told()
{
	[[ $(elements ipset-many-told4 | wc -l) -ge 6000 ]]
}
result "the gate answers meanwhile" "$(until_true 20 fills_told || elements ipset-many-told4 | wc -l)"
sleep 0.5 # by then it would have said that it has taken the policy
kill -CONT "$daemon_pid"
result "the daemon hears in the end that the policy is taken" "$(until_true 15 policy_is taken || of gate)"
end_both

# ---- a policy that the gate does not take -------------------------------------------------------------

dsfw teardown
many='"pool.good.test"'
configure '"www.good.test", "pool.good.test"'
start_daemon
pose
until_true 15 given 1 || bail "no policy"
says taken
until_true 5 policy_is taken || bail "not taken: $(of gate)"
tells ipset-web 11.0.0.1
before=$(is_open ds-1)
configure '"pool.good.test"'
client reload
until_true 5 given 2
says refused
until_true 10 policy_is refused || bail "not refused: $(of gate)"
is "it goes on with the last one: addresses of the name that has left are closed" "$before $(is_open ds-1)" "1 0"
client status
like "and that it may open them anew is an alarm" "$out" 'ALARM: the DNS gate does not take the policy, and goes on with the last one, whose names'
exec {says}>&-
end_daemon TERM

# ---- a host whose name servers the gate does not ask ---------------------------------------------------

cp $t/resolv.conf $t/resolv.before
echo "nameserver fe80::1%lo" >$t/resolv.conf
dsfw teardown
firewall_config <<'END'
{"networks": {"ds-1": {"dns": {}, "egress": [{"to": "host", "host": "www.good.test"}, {"action": "drop"}]},
	"ds-2": {"egress": [{"action": "drop"}]}}}
END
start_both
is "the policy is taken, and no name is answered" "$(asks www.good.test,A)" 2
result "which is an alarm" "$(until_true 15 alarmed 'DNS gate has no name server to ask' || of alarms)"
end_both
cp $t/resolv.before $t/resolv.conf

# ---- another daemon ---------------------------------------------------------------------------------

# All that the fills have is taken back, so that the first daemon hears nothing before it is killed.
configure '"www.good.test", "pool.good.test"'
dsfw compile --gate-document --output $t/older
many='"pool.good.test"'
configure '"pool.good.test"'
: >$t/gate.log
start_gate --policy $t/older --gate-socket $t/gate.sock
until_true 5 said 1 || bail "no gate: $(<$t/gate.log)"
dsfw apply --gate-user $uid --gate-socket $t/none.sock
asks "${fills[@]/%/,A}" www.good.test,A >/dev/null
kill -STOP "$gate"
start_daemon
kill -CONT "$gate"
until_true 10 logged 'DNS gate is connected'
kill -STOP "$gate"
had=$(grep -c ' taken$' $t/gate.log)
end_daemon KILL
launch
until_true 20 prints 'gate\.sock' ss -Hxl
kill -STOP "$daemon_pid"
kill -CONT "$gate"
until_true 2 said $((had + 1)) # it is not to
kill -STOP "$gate"
kill -CONT "$daemon_pid"
until_true 15 told 1 READY=1 || bail "no daemon: $(life)"
sleep 0.5
is "a gate that has read nothing of it has taken nothing" "$(of gate policy)" given
kill -CONT "$gate"
result "then it has" "$(until_true 10 policy_is taken || of gate)"
end_both
stop_peers
finish
