#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tags by which the kernel knows whose names' addresses it has: none gets lost, and nobody trusts anything else. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=tests/netns/gate_daemon_lib.sh
. "$(dirname "$0")/gate_daemon_lib.sh"
# shellcheck source=tests/netns/gate_apply_lib.sh
. "$(dirname "$0")/gate_apply_lib.sh"
files+=(--gate-user "$uid" --gate-socket "$t/gate.sock")

# ---- while sets are emptied ----------------------------------------------------------------------

# flood SLOT: as a gate would, tells 4,000 addresses, each with a tag of its own, in a second or more
flood()
{
	python3 - "$uid" "$1" "$(<$t/ifindex)" 3<&- <<-'END'
		import os, socket, struct, sys, time
		uid, slot, ifindex = map(int, sys.argv[1:])
		os.setgroups([])
		os.setresgid(uid, uid, uid)
		os.setresuid(uid, uid, uid)
		teller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		teller.bind(("", 5301))
		way = [(socket.IPPROTO_IP, 8, struct.pack("=i4s4s", ifindex, bytes(4), bytes(4)))]  # IP_PKTINFO
		for i in range(4000):
		    try:
		        teller.sendmsg([struct.pack("!I", 0x01000000 + i)], way, 0, (f"11.9.{i >> 8}.{i & 255}", slot))
		    except PermissionError:
		        pass  # the kernel has taken it
		    time.sleep(0.0002)
	END
}

# lost: how many addresses are open, "all" or "some" of the 4,000, and how many of them without their tag
lost()
{
	python3 - <<-'END'
		import json, subprocess
		def elements(name):
		    said = subprocess.run(["nft", "-j", "list", "set", "inet", "dockside", name], capture_output=True, check=True)
		    return next(part["set"] for part in json.loads(said.stdout)["nftables"] if "set" in part).get("elem", [])
		def number(element):
		    address = element["elem"]["val"]["concat"][1].split(".")
		    return int(address[2]) * 256 + int(address[3])
		tags = set(elements("dns-tags"))
		tags |= {int.from_bytes(tag.to_bytes(4, "little"), "big") for tag in tags}
		told = [number(element) for element in elements("ipset-web-told4")]
		print("all" if len(told) == 4000 else "some" if told else "none", sum(0x01000000 + i not in tags for i in told))
	END
}

# shellcheck disable=SC2317 # until_true calls it
some_are_open()
{
	[[ $(is_open) ]]
}

cat /sys/class/net/ds-1/ifindex >$t/ifindex
gated "$all"
start_daemon
for i in 1 2 3; do
	slot=$(nft list map inet dockside dns-tell | tr ',{' '\n' | sed -nE 's/^ *([0-9]+) : goto ipset-web-tell.*/\1/p')
	flood "$slot" &
	flooding=$!
	until_true 10 some_are_open || bail "nothing is told"
	gated "$one"
	client reload
	wait $flooding
	is "sets are emptied while somebody tells, time $i: what stays has its tag" "$status $(lost)" "0 some 0"
	gated "$all"
	client reload
done
end_daemon TERM

# ---- a gate that the daemon never saw ---------------------------------------------------------------

nft delete table inet dockside
rm -rf "${STATE_DIRECTORY:?}"
gated "$all"
dsfw compile --gate-document --output $t/older
start_daemon
start_gate --policy $t/older --gate-socket $t/elsewhere.sock
until_true 5 grep -q 'taken' $t/gate.log || bail "no gate: $(<$t/gate.log)"
asks www.good.test,A >/dev/null
before=$(is_open)
kill_gate
start_gate --gate-socket $t/gate.sock
until_true 10 policy_is taken || bail "no gate: $(<$t/gate.log)"
gated "$one"
client reload
until_true 10 policy_is taken
is "it had the same names: what it has opened is closed with them" "$before $status $(is_open)" "11.0.0.1 0 "

# ---- names come, while containers ask ---------------------------------------------------------------

end_daemon TERM
kill_gate
names=$all
for i in {1..900}; do names+=", \"pool.x$i.test\""; done
gated "$names"
start_gate --gate-socket $t/gate.sock
start_daemon
until_true 10 policy_is taken || bail "no gate: $(<$t/gate.log)"
kill_gate
start_gate --gate-socket $t/gate.sock # from now on one gate may not know what the other has told
until_true 10 logged 'the DNS gate has gone'
until_true 10 policy_is taken || bail "no gate: $(<$t/gate.log)"
for i in {1..6}; do
	questions=()
	for k in {1..150}; do questions+=("pool.x$((i * 150 - 150 + k)).test,A"); done
	asks "${questions[@]}" >/dev/null &
	asking=$!
	names+=", \"new$i.good.test\""
	gated "$names"
	client reload
	wait $asking
	until_true 10 policy_is taken
done
before=$(is_open | wc -w)
is "the kernel has addresses of one policy" "$((before > 100)) $(policies)" "1 1"
end_daemon TERM
kill_gate
start_daemon
start_gate --gate-socket $t/gate.sock
until_true 10 policy_is taken || bail "no gate: $(<$t/gate.log)"
is "daemon and gate start anew: none is closed" "$(is_open | wc -w)" "$before"
end_daemon TERM
kill_gate

# ---- a machine that starts ----------------------------------------------------------------------------

gated "$all"
# shellcheck disable=SC2119 # others give it options
apply
start_gate --policy $t/older
until_true 5 grep -q 'taken' $t/gate.log || bail "no gate: $(<$t/gate.log)"
asks www.good.test,A >/dev/null
nft list ruleset >$t/dump
before=$(is_open | grep -cw '11\.0\.0\.1')
kill_gate
nft flush ruleset
hosts
echo "nameserver 192.0.2.77" >$t/resolv.conf # nobody is there
firewall_config <<-END
	{"dns": {"upstream": ["9.9.9.10"]}, "ipsets": {"web": [$one]}, "networks": {
		"ds-1": {"dns": {}, "egress": [{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"}, {"action": "drop"}]},
		"ds-2": {"egress": [{"proto": "tcp", "ports": [443], "to": "host", "host": "slow.example"}, {"action": "drop"}]}}}
END
"$DSFW_NFT" apply "${files[@]}" >$t/out 2>&1 &
applying=$!
until_true 5 prints '192\.0\.2\.77:53' ss -Hun || bail "apply asks nobody: $(<$t/out)"
nft -f $t/dump
wait "$applying"
is "somebody loads a dump while apply resolves names" "$before $? $(is_open)" "1 0 "
stop_peers
finish
