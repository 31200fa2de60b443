#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A network that is removed while containers are attached keeps its last policy until they have
# left, over a restart and a kill, too. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

build_network()
{
	local number
	outside 198.51.100.1/32 198.51.100.2/32 || return
	for number in 1 2; do
		bridge "ds-$number" "172.30.$number.1/24" "fd77:$number::1/64" &&
			container "c$number" "ds-$number" "172.30.$number.11" "fd77:$number::11" || return
	done
	container c3 ds-1 172.30.1.12 fd77:1::12
}
build_network || bail "cannot build the network"
hosts "198.51.100.2 two.example"

both()
{
	network_config <<-'END'
		{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24"},
			{"name": "ds-2", "subnet": "172.30.2.0/24"}]}
	END
	firewall_config <<-'END'
		{"networks": {
			"ds-1": {"egress": [{"proto": "tcp", "ports": [80, 81], "to": "host", "host": "two.example"},
				{"action": "drop"}], "host": [{"proto": "tcp", "ports": [80]}, {"action": "drop"}],
				"nat": [{"match_dport": 82, "to_host": "two.example", "to_port": 80}]},
			"ds-2": {"egress": [{"action": "drop"}],
				"nat": [{"match_dport": 82, "to_ip": "198.51.100.1", "to_port": 80}]}}}
	END
}

start_peers
ask "serve outside tcp 80 81 82" "serve host tcp 22 80" "serve c3 tcp 80"

# state BRIDGE: its state in status, or nothing
state()
{
	client status --json
	python3 -c 'import json, sys
print(json.load(sys.stdin)["network_details"].get(sys.argv[1], {}).get("state", ""))' "$1" <$t/out
}

policed() # DESCRIPTION
{
	probes "$1" <<-'END'
		c1 tcp 198.51.100.2:80 = open outside 198.51.100.2:80
		c1 tcp 198.51.100.2:81 = open outside 198.51.100.2:81
		c1 tcp 198.51.100.1:82 = open outside 198.51.100.2:80
		c1 tcp 198.51.100.1:80 = reset
		c1 tcp 172.30.1.12:80 = silence
		c1 tcp 172.30.1.1:22 = reset
		c1 tcp 172.30.1.1:80 = open host 172.30.1.1:80
	END
}

# explained DESCRIPTION PATTERN OPTION…: what explain says of a packet of ds-1
explained()
{
	client explain --from ds-1 "${@:3}"
	like "$1" "$status $(tr '\n' ' ' <<<"$out$err")" "$2"
}

# metric PATTERN: the values of ds-1's series, or of what needs no network
metric()
{
	client metrics
	grep -E "^dsfw_nft_$1" <<<"$out" | sed 's/.* //' | xargs
}
refused='network_packets_total\{network="ds-1",verdict="refused"\}'

# recorded KEY=VALUE…: how many events of ds-1 are so
recorded()
{
	sleep 0.3 # the kernel collects for a tenth of a second
	client denied --network ds-1 --json
	cp $t/out $t/events
	python3 "$here/denied.py" judge $t/events network=ds-1 "$@"
}

# attributed DESCRIPTION: ten packets that are refused are of ds-1 and its rules
attributed()
{
	local all out_ ing counted
	counted=$(metric 'denied_packets_total\{network="ds-1"')
	all=$(metric "$refused") out_=$(recorded rule='egress[1]' kind=OUT) ing=$(recorded rule=- kind=ING)
	python3 "$here/denied.py" try 50 10 c1:udp:198.51.100.1:9 c1:udp:172.30.1.12:9 >/dev/null
	is "$1: events" "$(($(recorded rule='egress[1]' kind=OUT) - out_)) $(($(recorded rule=- kind=ING) - ing))" "5 5"
	is "$1: metrics" "$(($(metric "$refused") - all))" 10
	is "$1: counted in all" "$(($(metric 'denied_packets_total\{network="ds-1"') - counted))" 10
	is "$1: it drains, as the metrics say" "$(metric 'network_draining\{network="ds-1"\}')" 1
}

drains='note: the network is draining'

explains() # DESCRIPTION
{
	explained "$1: allowed" "^0 .*: let pass .*egress\[0\] \(no longer configured\) .*$drains" \
		--to 198.51.100.2 --proto tcp --port 81
	explained "$1: by a name" "^0 .*: let pass .*two.example.*$drains" --to two.example --proto tcp --port 80
	explained "$1: refused" "^4 .*: REFUSED with a reset .*egress\[1\] .*$drains" --to 198.51.100.1 --proto tcp --port 80
	explained "$1: between containers" "^4 .*: DROPPED .*$drains" --to 172.30.1.12 --proto tcp --port 80
	explained "$1: redirected" "^0 .*: let pass .*nat\[0\].*becomes 198.51.100.2 port 80 .*$drains" \
		--to 198.51.100.1 --proto tcp --port 82
	explained "$1: to the host" "^4 .*: REFUSED with a reset .*host\[1\] .*$drains" --to host --proto tcp --port 22
}

# kept: what draining.json is: there, only root's
kept()
{
	stat -c '%a %F' $STATE_DIRECTORY/draining.json 2>/dev/null
}

# closed DESCRIPTION: nothing of ds-1 passes, and status says why
closed()
{
	is "$1: its state" "$(state ds-1) $(client status; grep -c 'network ds-1: its policy is lost' $t/out)" "draining 1"
	# There is no Docker here: c1's port is not known, and nobody knows the subnet, so that it may not even ask by ARP.
	probes "$1: it is closed, not open" <<-'END'
		c1 tcp 198.51.100.2:80 = silence
		c1 tcp 198.51.100.1:80 = silence
		c1 tcp 172.30.1.12:80 = silence
		c1 tcp 172.30.1.1:80 = silence
	END
	client reconcile --json
	is "$1: which is no drift" "$out" \
		'{"status":"ok","removed_chains":[],"removed_ipsets":[],"repaired":[],"docker_orphans":[]}'
}

# reboot: the daemon is killed, and the table is gone with the kernel
reboot()
{
	end_daemon KILL
	nft flush ruleset
	start_daemon IPSET_STALE_TTL=10
}

open_again() # DESCRIPTION
{
	probes "$1" <<-'END'
		c1 tcp 198.51.100.1:80 = open outside 198.51.100.1:80
		c1 tcp 172.30.1.1:22 = open host 172.30.1.1:22
	END
}

both
start_listening
start_daemon IPSET_STALE_TTL=10
policed "a network that is configured"

client remove-network ds-1
is "it is removed" "$status" 0
like "and drains" "$out" "containers are attached"
is "as status says" "$(state ds-1)" draining
is "the files are without it" "$(grep -c ds-1 $t/network.json $t/firewall.json | xargs)" \
	"$t/network.json:0 $t/firewall.json:0"
policed "its policy stays"
attributed "a network that drains"
is "the metrics have its rules" "$(metric 'rule_packets_total\{network="ds-1",chain="OUT",rule="egress\[' | wc -w)" 2
is "and those that nobody has configured" "$(metric 'rule_packets_total\{network="ds-1",chain="(OUT|ING)",rule="built-in"' | wc -w)" 3
is "its state" "$(metric 'networks\{state="draining"\}')" 1
explains "explain goes by the policy that is in force"
is "its policy is kept" "$(kept)" "600 regular file"
client explain --from ds-1 --to 198.51.100.1 --proto tcp --port 80 --json
is "for programs" "$(python3 -c 'import json, sys; print(json.load(sys.stdin)["draining"])' <<<"$out")" True
client explain --from ds-2 --to 198.51.100.1 --proto tcp --port 80
is "another does not" "$status $(grep -c draining <<<"$out")" "4 0"
client remove-network ds-2
is "the next one drains, too" "$status $(state ds-2)" "0 draining"
policed "what both need stays"
sleep 11 # longer than the stale time: nobody asks for its name any more
policed "its names do not run out"

is "nothing differs then" "$(client reconcile --json; echo "$out")" \
	'{"status":"ok","removed_chains":[],"removed_ipsets":[],"repaired":[],"docker_orphans":[]}'
nft flush ruleset
until_true 3 nft list chain inet dockside ds-1-OUT >/dev/null 2>&1
policed "it is put back when somebody deletes the table"
nft insert rule inet dockside ds-1-OUT accept
until_true 3 prints_no $'\n[[:space:]]*accept' nft list chain inet dockside ds-1-OUT
policed "and when somebody adds a rule"

end_daemon TERM
start_daemon IPSET_STALE_TTL=10
is "over a restart" "$(state ds-1) $(state ds-2)" "draining draining"
end_daemon KILL
start_daemon IPSET_STALE_TTL=10
is "over a kill" "$(state ds-1) $(state ds-2)" "draining draining"
policed "with all that it had"
client reconcile --json
is "it is no drift" "$out" \
	'{"status":"ok","removed_chains":[],"removed_ipsets":[],"repaired":[],"docker_orphans":[]}'

attributed "after a kill"
explains "explain after a kill"
reboot
is "over a loss of the table, as in a reboot" "$(state ds-1) $(state ds-2)" "draining draining"
policed "with all that it had, too"
explains "explain after that"
attributed "after that"
client denied --network ds-1
like "denied says that no file has the rule" "$out" 'egress\[1\] \(no longer configured\)'

ip link set v-c2 nomaster
is "when its last container has left" "$(until_true 5 prints '^$' state ds-2; state ds-2)" ""
is "its chains go" "$(until_true 5 prints_no ds-2 nft list ruleset; nft list ruleset |
	grep -c ds-2)" 0
policed "the other's do not"

client remove-network ds-1 --force
is "force releases at once" "$status $(nft list ruleset | grep -c ds-1)" "0 0"
open_again "it is Docker's alone"

both
client reload
is "configured again" "$status $(state ds-1)" "0 enforced"
policed "it is enforced again"
client remove-network ds-1
is "removed again" "$(state ds-1)" draining
both
client reload
is "a draining network that is configured drains no more" "$(state ds-1)" enforced
network_config <<<'{"networks": []}'
firewall_config <<<'{}'
client reload
is "files that no longer have it are obeyed at once" "$status $(nft list ruleset | grep -c ds-1)" "0 0"

is "nothing drains, nothing is kept" "$(kept)" ""

# The files win where they say something else now, and the draining network keeps its own.
both
client reload
client remove-network ds-1
network_config <<-'END'
	{"networks": [{"name": "ds-3", "subnet": "172.30.1.0/24", "dockside_ip": "172.30.1.2"}]}
END
firewall_config <<-'END'
	{"networks": {"ds-3": {"egress": [{"to": "all"}]}}}
END
client reload
is "a network of the same subnet is configured" "$status $(state ds-1) $(state ds-3)" "0 draining pending"
policed "it takes nothing from the one that drains"
reboot
policed "nor after a restart"
dsfw diff
like "diff sees no difference" "$status $out" "^0 no differences"

# A file that is damaged: nobody knows what the policy was.
end_daemon KILL
sed -i 's/198.51/198.52/; s/egress/egresx/' $STATE_DIRECTORY/draining.json
start_daemon IPSET_STALE_TTL=10
like "what is damaged is said" "$(life)" 'draining\.json is not as it was written.*draining\.json\.damaged.*CLOSED'
like "with what becomes of the network" "$(life)" 'with bridge ds-1 is not configured, and its policy is lost'
is "and is kept beside the new one" "$(grep -c egresx $STATE_DIRECTORY/draining.json.damaged) $(kept)" "1 600 regular file"
closed "a damaged draining.json"
nft flush ruleset
until_true 3 prints ds-1 nft list map inet dockside dispatch
closed "after somebody has deleted the table"
reboot
closed "after a reboot"
explained "explain says that it is" "^1 .*no longer configured, and its policy is lost: everything from it is refused" \
	--to 198.51.100.1 --proto tcp --port 80
client remove-network ds-1 --force
open_again "until it is released"

# As the version before had it: the mark in the kernel alone.
both
client reload
client remove-network ds-1
end_daemon KILL
rm $STATE_DIRECTORY/draining.json
start_daemon IPSET_STALE_TTL=10
closed "a network that only the kernel knows"
client remove-network ds-1 --force

# A directory that cannot be used: as long as the daemon runs, it knows.
end_daemon TERM
chmod go+w $STATE_DIRECTORY
both
start_daemon IPSET_STALE_TTL=10
client remove-network ds-1
like "what cannot be kept is said" "$(life)" 'others than its owner can write .*draining are not kept'
client status
like "as an alarm" "$status $out" "^1 .*ALARM: the policies of networks that are draining are not kept, so that after a reboot"
policed "it drains all the same"
end_daemon KILL
start_daemon IPSET_STALE_TTL=10
closed "after a restart without what was not kept"
chmod go-w $STATE_DIRECTORY
both
client reload
is "which ends when the files have it again" "$status $(state ds-1)" "0 enforced"
policed "with what they say"
client remove-network ds-1
is "and it can be kept now" "$(kept) $(of alarms)" "600 regular file []"
end_daemon TERM
dsfw teardown
is "teardown forgets it" "$status $(kept)" "0 "

stop_peers
finish
