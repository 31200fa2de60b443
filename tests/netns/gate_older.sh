#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Conversations with name servers that are older than a network's gate: where a packet is redirected is decided by the first
# one of its connection, so that a resolver with a port of its own would go on without the gate, or be refused for ever. They
# end when the gate is turned on; and when it is turned off, those with the gate do. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

uid=4711
pids=()
trap 'kill "${pids[@]}" 2>/dev/null' EXIT

outside 9.9.9.10/32 9.9.9.11/32 2a00:53::1/128 || bail "outside"
{
	bridge ds-1 172.30.1.1/24 fd77:1::1/64 && bridge ds-2 172.30.2.1/24 fd77:2::1/64 &&
		container c1 ds-1 172.30.1.11 fd77:1::11 && container c2 ds-2 172.30.2.11 fd77:2::11 &&
		container d1 ds-1 172.30.1.2 fd77:1::2
} || bail "cannot build the network"
chmod 1777 $t
network_config <<-'END'
	{"networks": [
		{"name": "ds-1", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "dockside_ip": "172.30.1.2"},
		{"name": "ds-2", "subnet": "172.30.2.0/24"}
	]}
END

in_net() # NAMESPACE COMMAND…
{
	nsenter --net=/run/netns/"$1" "${@:2}"
}
serve() # NAMESPACE ADDRESS
{
	in_net "$1" python3 "$here/gate.py" serve "$2" "$t/asked-$2" 2>$t/server.log &
	pids+=("$!")
	until_true 5 prints "${2//./\\.}\]?:53" in_net "$1" ss -Hlun || bail "no name server"
}
serve outside 9.9.9.10
serve outside 9.9.9.11
serve outside 2a00:53::1
for port in 5353 853; do
	in_net outside python3 "$here/gate.py" keep 0.0.0.0 $port &
	pids+=("$!")
done
# Those who keep their connection to port 53 talk to a server that does so, too.
in_net outside nft 'table ip keep { chain pre { type nat hook prerouting priority dstnat; tcp dport 53 redirect to :5353; }; }'
until_true 5 prints "0\.0\.0\.0:853" in_net outside ss -Hltn || bail "no server of DNS over TLS"
touch $t/hosts-own
python3 "$here/gate.py" serve 172.30.1.1 $t/hosts-own 2>$t/server.log &
pids+=("$!")
until_true 5 prints "172\.30\.1\.1:53" ss -Hlun || bail "no name server of the host"

dns='{"proto": "udp", "ports": [53], "to": "all"}, {"proto": "tcp", "ports": [53, 853], "to": "all"}'
ungated()
{
	firewall_config <<-END
		{"networks": {"ds-1": {"egress": [$dns, {"action": "drop"}]}, "ds-2": {"egress": [$dns, {"action": "drop"}]}}}
	END
}
gated()
{
	firewall_config <<-END
		{"dns": {"upstream": ["9.9.9.10"]}, "ipsets": {"web": ["www.good.test"]}, "networks": {
			"ds-1": {"dns": {}, "egress": [{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"}, {"action": "drop"}]},
			"ds-2": {"egress": [$dns, {"action": "drop"}]}}}
	END
}

# askers NAMESPACE FILE LABEL=PROTOCOL:SERVER:PORT…
askers()
{
	nsenter --net=/run/netns/"$1" python3 "$here/gate_older.py" "$t/$2" "${@:3}" 2>"$t/$2.log" &
	asker=$!
	pids+=("$asker")
}
start_askers()
{
	askers c1 mine udp=udp:9.9.9.11:5551 six=udp:2a00:53::1:5552 host=udp:172.30.1.1:5553 tcp=tcp:9.9.9.11:0 \
		tls853=tcp:9.9.9.11:0
	own=$asker
	askers c2 others other=udp:9.9.9.11:5551
	theirs=$asker
	askers d1 dockside exempt=udp:9.9.9.11:5551
	exempt=$asker
	if ! until_true 10 verdicts_are others "other open" || ! until_true 10 verdicts_are dockside "exempt open"; then
		bail "nobody asks: $(cat $t/others.log $t/dockside.log)"
	fi
}
start_udp_askers()
{
	askers c1 mine udp=udp:9.9.9.11:5551 six=udp:2a00:53::1:5552 host=udp:172.30.1.1:5553
	own=$asker
}
stop_own()
{
	kill "$own"
	wait "$own" 2>/dev/null
	rm -f $t/mine
}
stop_askers()
{
	kill "$own" "$theirs" "$exempt"
	wait "$own" "$theirs" "$exempt" 2>/dev/null
	rm -f $t/mine $t/others $t/dockside
}
# shellcheck disable=SC2317 # until_true calls them
{
	verdicts_are() # FILE WANTED
	{
		[[ $(verdicts "$1") == "$2" ]]
	}
	others_are_open()
	{
		verdicts_are others "other open" && verdicts_are dockside "exempt open"
	}
}
verdicts() # FILE
{
	[[ ! -e $t/$1 ]] || xargs <"$t/$1"
}
# come_to WHAT WANTED: what c1's become soon
come_to()
{
	until_true 10 verdicts_are mine "$2" || true
	is "$1" "$(verdicts mine)" "$2"
}
entry() # ADDRESS: the number of a connection from there by port 5551
{
	conntrack -L -s "$1" -p udp --sport 5551 -o id 2>/dev/null | sed -n 's/.* id=//p'
}
# remember_others: their connections, which nobody may end
remember_others()
{
	before="$(entry 172.30.2.11) $(entry 172.30.1.2)"
	[[ $before =~ ^[0-9]+\ [0-9]+$ ]] || bail "not a connection of each: $before"
}
others_go_on() # DESCRIPTION
{
	until_true 10 others_are_open || true
	is "$1" "$(verdicts others) $(verdicts dockside) $(entry 172.30.2.11) $(entry 172.30.1.2)" \
		"other open exempt open $before"
}
start_gate()
{
	"$DSFW_NFT" gate --user $uid --gate-socket $t/gate.sock 2>>$t/gate.log &
	gate=$!
	pids+=("$gate")
}

open="udp open six open host open tcp open tls853 open"
through="udp refused six refused host refused tcp dead tls853 dead"
files+=(--gate-user "$uid" --gate-socket "$t/gate.sock")
ungated
start_listening
start_daemon
start_gate
start_askers
come_to "without a gate all is answered" "$open"
remember_others

# ---- on ------------------------------------------------------------------------------------------

gated
client reload
is "the gate is turned on" "$status" 0
until_true 5 policy_is taken
come_to "who asks by one socket asks the gate; connections have ended" "$through"
for log_of in asked-9.9.9.11 asked-2a00:53::1 hosts-own; do
	: >"$t/$log_of"
done
until_true 10 prints exempt.secret.test sort -u $t/asked-9.9.9.11 $t/asked-2a00:53::1 $t/hosts-own
until_true 10 prints other.secret.test sort -u $t/asked-9.9.9.11 $t/asked-2a00:53::1 $t/hosts-own
sleep 1 # in which each asks ten times
is "no other server hears of it any more, but of those whom it does not concern" \
	"$(sort -u $t/asked-9.9.9.11 $t/asked-2a00:53::1 $t/hosts-own)" "udp exempt.secret.test A
udp other.secret.test A"
others_go_on "others' conversations go on"
result "the log says it" "$(until_true 5 logged 'ended [0-9]+ conversations with name servers' || life | tail -n 5)"
kept=$(entry 172.30.1.11)
[[ $kept =~ ^[0-9]+$ ]] || bail "not one connection of c1: $kept"
client reload
is "another reload ends none" "$status $(entry 172.30.1.11)" "0 $kept"

# ---- a hole ---------------------------------------------------------------------------------------

stop_askers
conntrack -D -s 172.30.1.11 >/dev/null 2>&1
kill -STOP "$daemon_pid"
nft delete table inet dockside
start_askers
come_to "while the rules are gone all is open" "$open"
kill -CONT "$daemon_pid"
come_to "but not when they are back" "$through"

# The first packet of a connection decides: these begin while the redirection is away.
stop_askers
conntrack -D -s 172.30.1.11 >/dev/null 2>&1
conntrack -D -f ipv6 -s fd77:1::11 >/dev/null 2>&1
kill -STOP "$daemon_pid"
nft flush chain inet dockside prerouting-dns
start_udp_askers
until_true 10 test -e $t/mine
until_true 10 prints exempt.secret.test sort -u $t/asked-9.9.9.11 $t/asked-2a00:53::1 $t/hosts-own
until_true 10 prints other.secret.test sort -u $t/asked-9.9.9.11 $t/asked-2a00:53::1 $t/hosts-own
sleep 1 # in which each asks ten times
is "somebody takes away the redirection alone: nobody reaches the gate" "$(verdicts mine)" "udp dead six dead host dead"
kill -CONT "$daemon_pid"
come_to "it comes back for them, too" "udp refused six refused host refused"
stop_own

# ---- off ------------------------------------------------------------------------------------------

start_udp_askers
come_to "conversations with the gate" "udp refused six refused host refused"
ungated
client reload
come_to "become such with the servers when it is turned off" "udp open six open host open"
stop_own

# ---- a daemon that starts with a gate, and apply ---------------------------------------------------

end_daemon TERM
gated
start_askers
come_to "without a gate" "$open"
start_daemon
come_to "a daemon that begins with one ends them, too" "$through"
stop_askers
end_daemon TERM
kill "$gate"
wait "$gate" 2>/dev/null
ungated
dsfw apply --gate-user "$uid"
start_askers
come_to "without a gate" "$open"
remember_others
gated
dsfw apply --gate-user "$uid"
like "apply" "$status $err" "^0 "
come_to "apply ends them, though nobody answers here" "udp dead six dead host dead tcp dead tls853 dead"
others_go_on "and only these"
: >$t/asked-9.9.9.11
dsfw apply --gate-user "$uid"
like "a second apply changes nothing" "$out" "^nothing to change"
stop_askers
finish
