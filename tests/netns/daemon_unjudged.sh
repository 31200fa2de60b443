#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Connections that were opened while our table was gone end after the repair, and no others do. The test holds the
# daemon (SIGSTOP) meanwhile, so that the window lasts as long as it is needed. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

two_networks 198.51.100.{1..2}/32 2001:db8:51::{1..2}/128
container c2 ds-1 172.30.1.12 fd77:1::12 || bail "cannot build c2"
container cd ds-1 172.30.1.2 fd77:1::2 || bail "cannot build cd"
container c3 ds-2 172.30.2.11 fd77:2::11 || bail "cannot build c3"
# As a host has it whose uplink is in a bridge: what comes by that is from elsewhere.
bridge br0 192.0.3.1/24 fd77:3::1/64 || bail "cannot build br0"
container beyond br0 192.0.3.2 fd77:3::2 || bail "cannot build beyond"
ask "serve outside udp 53 5353" "serve c1 tcp 7000" "serve c1 udp 7000" "serve c2 tcp 7000" "serve c2 udp 7000" \
	"serve c3 tcp 7000" "serve host tcp 22 2222" "serve host udp 53"
network_config <<'CONFIG'
{"networks": [
	{"name": "ds-1", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "dockside_ip": "172.30.1.2"},
	{"name": "ds-2", "subnet": "172.30.2.0/24"}
]}
CONFIG
firewall_config <<'CONFIG'
{"networks": {
	"ds-1": {"egress": [{"proto": "tcp", "ports": [80]}, {"proto": "udp", "ports": [53]},
		{"proto": "icmp", "type": "any"}, {"action": "drop"}]},
	"ds-2": {"egress": [{"action": "drop"}], "host": [{"proto": "tcp", "ports": [22]}, {"action": "drop"}]}}}
CONFIG
start_listening

# opens LINE…: "NAME FROM PROTOCOL TO"; all of them open, or it says which does not
opens()
{
	local line got
	for line in "$@"; do
		got=$(ask "hold $line")
		[[ $got == open* ]] || echo "$line: $got"
	done
}

# are STATE NAME…: those that are not
are()
{
	local name got
	for name in "${@:2}"; do
		got=$(ask "alive $name")
		[[ $got == "$1" ]] || echo "$name is $got, wanted $1"
	done
}

# value PATTERN: of a metric
value()
{
	client metrics
	sed -n "s/^dsfw_nft_$1 //p" $t/out
}

# As Docker has it: what leaves is masqueraded, a port is published.
nat='table ip nat {
	chain pre {
		type nat hook prerouting priority dstnat
		iifname != "ds-1" ip daddr { 192.0.2.1, 192.0.3.1 } tcp dport 8080 dnat to 172.30.1.11:7000
	}
	chain output {
		type nat hook output priority -100;
		ip daddr 192.0.2.1 tcp dport 8080 dnat to 172.30.1.11:7000
	}
	chain post {
		type nat hook postrouting priority srcnat
		ip saddr 172.30.0.0/16 oifname "up0" masquerade
	}
}'

# gone: our table is, and connections are tracked all the same
gone()
{
	kill -STOP "$daemon_pid"
	nft 'flush ruleset
		table inet other {
			chain c { type filter hook forward priority 0; ct state new counter; }
			chain in { type filter hook input priority 0; ct state new counter; }
		}
		'"$nat"
}

# ended PATTERN: the daemon goes on, and within a second it says so
ended()
{
	local begin took
	begin=$(calm)
	kill -CONT "$daemon_pid"
	until_true 5 logged "$1" || life | tail -5
	took=$(calm_since "$begin")
	((took < 1000)) || echo "it took $took ms"
}

# ---- what a rule has accepted stays, as does what none judges -----------------------------------

cat >$t/judged <<'FLOWS'
tcp4 c1 tcp 198.51.100.1:80
tcp6 c1 tcp [2001:db8:51::1]:80
udp4 c1 udp 198.51.100.1:53
udp6 c1 udp [2001:db8:51::1]:53
dockside cd tcp 198.51.100.1:443
lateral cd tcp 172.30.1.11:7000
host c3 tcp 172.30.2.1:22
FLOWS
cat >$t/inward <<'FLOWS'
in4 outside tcp 172.30.1.11:7000
in6 outside tcp [fd77:1::11]:7000
in-udp outside udp 172.30.1.11:7000
from-host host tcp 172.30.1.11:7000
published outside tcp 192.0.2.1:8080
published-from-host host tcp 192.0.2.1:8080
by-bridge beyond tcp [fd77:1::11]:7000
published-by-bridge beyond tcp 192.0.3.1:8080
FLOWS
cat >$t/elsewhere <<'FLOWS'
to-host c1 tcp 172.30.1.1:2222
to-host-udp c1 udp 172.30.1.1:53
to-uplink c1 tcp 192.0.2.1:2222
own outside tcp 192.0.2.1:2222
FLOWS
cat >$t/unjudged <<'FLOWS'
tcp4 c1 tcp 198.51.100.2:443
tcp6 c1 tcp [2001:db8:51::2]:443
udp4 c1 udp 198.51.100.2:5353
udp6 c1 udp [2001:db8:51::2]:5353
lateral4 c1 tcp 172.30.1.12:7000
lateral6 c1 tcp [fd77:1::12]:7000
lateral-udp c2 udp 172.30.1.11:7000
across c1 tcp 172.30.2.11:7000
back c3 tcp 172.30.1.11:7000
published c3 tcp 192.0.2.1:8080
host c3 tcp 172.30.2.1:2222
FLOWS
cat >$t/allowed <<'FLOWS'
tcp c1 tcp 198.51.100.2:80
host c3 tcp 192.0.2.1:22
dockside cd tcp 198.51.100.2:443
FLOWS
prefixed() # PREFIX FILE
{
	sed "s/^/$1-/" "$2"
}
mapfile -t judged < <(prefixed j $t/judged)
mapfile -t before < <(prefixed b $t/inward; prefixed b $t/elsewhere)
mapfile -t inward < <(prefixed d $t/inward)
mapfile -t during < <(prefixed d $t/elsewhere)
mapfile -t allowed < <(prefixed a $t/allowed)
mapfile -t unjudged < <(prefixed u $t/unjudged)
n_to_end=$((${#unjudged[@]} + ${#allowed[@]} + ${#inward[@]} + 1)) # and the one before the first start

# Before the first start a rule has judged nothing.
nft "table inet other { chain c { type filter hook forward priority 0; ct state new counter; }; }
	$nat"
result "before the first start" "$(opens "early c1 tcp 198.51.100.1:443")"
start_daemon
is "that stays open" "$(are alive early)" ""
result "with the rules" "$(opens "${judged[@]}" "${before[@]}")"
gone
result "all is open while the table is gone" "$(opens "${unjudged[@]}" "${allowed[@]}" "${during[@]}" "${inward[@]}")"
# Nobody can tell who has opened what goes into a network while nobody looked: a container forges sources.
result "the repair is followed by their end" "$(ended "warning: ended $n_to_end connections that were opened without our rules")"
is "the log says so after the repair" "$(life | grep -oE "put back|ended $n_to_end" | xargs)" "put back ended $n_to_end"
result "what was judged is alive" "$(are alive "${judged[@]%% *}")"
result "what no rule judges is alive" "$(are alive "${before[@]%% *}" "${during[@]%% *}")"
# Docker has the last word on it again, and lets it pass here.
result "what is sent into a network next is judged, too" "$(are alive "${inward[@]%% *}")"
result "what should have been judged is dead" "$(are dead "${unjudged[@]%% *}")"
result "the next packet of others is judged, and allowed" "$(are alive "${allowed[@]%% *}")"
is "dead, too, is what is older than the first start" "$(are dead early)" ""
is "status says how many" "$(drift ended)" "$n_to_end"
client status
like "in words, too" "$out" 'drift: repaired 1 time, last [^:]*, ended '"$n_to_end"' connections opened meanwhile: '
is "a metric" "$(value unjudged_connections_ended_total)" "$n_to_end"
probes "the policy is in force" <<'PROBES'
	c1 tcp 198.51.100.1:80 = open outside
	c1 tcp 198.51.100.2:443 = reset
	c1 tcp 172.30.1.12:7000 = silence
PROBES

# ---- other ways of taking the rules away ---------------------------------------------------------

# opened DESCRIPTION SCRIPT: what nft's script does lets connections through, which end
opened()
{
	local count
	count=$(life | grep -c 'put back')
	kill -STOP "$daemon_pid"
	nft "$2"
	result "$1: opens" "$(opens "${three[@]}")"
	kill -CONT "$daemon_pid"
	until_true 5 ends_again "$count"
	result "$1: ends" "$(are dead one two three; are alive "${judged[@]%% *}")"
}
# shellcheck disable=SC2317
ends_again() # COUNT
{
	[[ $(life | grep -c 'ended [0-9]* connections that were opened') -gt $1 ]]
}
table="inet dockside"
three=("one c1 tcp 198.51.100.2:443" "two c1 tcp 172.30.2.11:7000" "three c2 tcp 172.30.1.11:7000")
end_daemon TERM
is "the daemon ends" "$status" 0
start_daemon
opened "delete table" "delete table $table"
opened "flush chain forward" "flush chain $table forward"
opened "a network out of the dispatch" "delete element $table dispatch { \"ds-1\" }"
opened "a rule in front" "insert rule $table ds-1-OUT accept"
opened "dormant" "add table $table { flags dormant; }"

# A reload may be the one that puts the table back.
gone
result "before a reload: opens" "$(opens "${three[@]}")"
kill -HUP "$daemon_pid"
kill -CONT "$daemon_pid"
until_true 5 logged reloaded
until_true 5 ends_again 5
result "a reload: ends" "$(are dead one two three; are alive "${judged[@]%% *}")"

# So may a daemon that is told to stop.
gone
result "before the end: opens" "$(opens "${three[@]}")"
kill -TERM "$daemon_pid"
end_daemon CONT
is "the daemon ends well" "$status" 0
result "a daemon that stops: ends" "$(are dead one two three; are alive "${judged[@]%% *}")"

# ---- who is refused vouches for nobody -----------------------------------------------------------

# Connections that are tracked and labelled by the table's own rules, while `forward` lets all pass.
start_daemon
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
nft "flush chain $table forward
	table inet other {
		chain look {
			type filter hook prerouting priority 0
			udp dport 9999 ct label 127 counter comment \"labelled\"
			udp dport 9999 counter comment \"seen\"
			tcp dport 80 ct state established ct label 127 counter comment \"control\"
		}
		chain passed {
			type filter hook postrouting priority srcnat + 50
			ct state related meta l4proto icmp counter comment \"error\"
		}
	}"
send()
{
	nsenter --net=/run/netns/c1 python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("172.30.1.11", 4000))
s.sendto(b"x", ("198.51.100.2", 9999))'
}
packets() # COMMENT
{
	nft list table inet other | sed -nE "s/.* packets ([0-9]+) .*comment \"$1\"/\\1/p"
}
send
dsfw apply
is "put back" "$status" 0
send
send
is "a refused packet leaves no label" "$(packets seen) $(packets labelled)" "3 0"
probes "an accepted one does" <<'PROBES'
	c1 tcp 198.51.100.1:80 = open outside
PROBES
result "which is seen" "$([[ $(packets control) -gt 0 ]] || nft list chain inet other look)"
nsenter --net=/run/netns/c1 python3 -c 'import socket, sys
sys.path.insert(0, sys.argv[1])
from forge import error, udp
quote = udp("198.51.100.2", "172.30.1.11", 9999, 4000, b"")
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
s.sendto(error("time exceeded", "172.30.1.11", "198.51.100.2", quote, b"x"), ("198.51.100.2", 0))' "$here"
send
is "an ICMP error that is allowed leaves none on the connection that it quotes" \
	"$(packets error) $(packets seen) $(packets labelled)" "1 4 0"
stop_peers
finish
