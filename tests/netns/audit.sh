#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A network in audit mode: what would be refused passes and is told of, loudly; and what is learnt
# from a session lets the same session through once the rules are enforced. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

{
	outside 198.51.100.1/32 198.51.100.2/32 203.0.113.1/32 2001:db8:100::1/128 &&
		bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 && bridge ds-b 172.30.2.1/24 2001:db8:2::1/64 &&
		container a1 ds-a 172.30.1.10 2001:db8:1::10 && container a2 ds-a 172.30.1.11 2001:db8:1::11
} || bail "cannot set up the network"

hosts "198.51.100.2 one.example" "2001:db8:100::1 one.example"
network_config <<'JSON'
{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "2001:db8:1::/64"},
	{"name": "ds-b", "subnet": "172.30.2.0/24"}]}
JSON
# policy_of MODE [LEARNT]: the rules, behind those of a configuration that was learnt
policy_of()
{
	python3 - "$@" >$t/firewall.json <<-'PYTHON'
		import json, re, sys
		rules = {"mode": sys.argv[1],
		         "egress": [{"proto": "tcp", "ports": [80], "to": "host", "host": "one.example"},
		                    {"proto": "udp", "ports": [53], "to": "ip", "ip": "192.0.2.2"},
		                    {"action": "drop"}],
		         "host": [{"action": "drop"}]}
		policy = {"ipsets": {}, "networks": {"ds-a": rules, "ds-b": {"egress": [{"action": "drop"}]}}}
		if len(sys.argv) > 2:
		    learnt = json.loads(re.sub("//.*", "", open(sys.argv[2]).read()))
		    policy["ipsets"] = learnt.get("ipsets", {})
		    for key, value in learnt["networks"]["ds-a"].items():
		        rules[key] = value + rules[key]
		print(json.dumps(policy, indent=1))
	PYTHON
}
# two.example is known from a container's question alone.
session()
{
	nsenter --net=/run/netns/a1 timeout 10 getent ahostsv4 two.example >/dev/null || echo "two.example was not found"
	python3 "$here/denied.py" try 50 30 a1:tcp:198.51.100.1:443 a1:tcp:198.51.100.2:443 \
		a2:tcp:203.0.113.1:8443 a1:tcp:2001:db8:100::1:443 a1:udp:203.0.113.1:123 \
		a2:tcp:192.0.2.1:8053
}
# events FILE: all since the $known first
known=0
events()
{
	timeout 20 "$DSFW_NFT" denied --socket $socket --json 2>$t/err | tail -n +$((known + 1)) >"$1"
}
# connections FILE: how many connections these are of. One may have taken two packets, while a neighbour was looked
# for or an answer was late; and two may have the same port of theirs.
connections()
{
	python3 -c 'import json, sys
print(len({tuple(e.get(k) for k in ("protocol", "source", "source_port", "destination", "port"))
           for e in map(json.loads, sys.stdin)}))' <"$1"
}
# shellcheck disable=SC2317 # until_true calls it
have() # FILE COUNT: of connections
{
	events "$1" && [[ $(connections "$1") -ge $2 ]]
}
count()
{
	python3 "$here/denied.py" judge "$@"
}

start_dnsmasq 192.0.2.2 <<<'host-record=two.example,198.51.100.1'
mkfifo $t/hold
python3 "$here/denied.py" serve outside 443 8443 <$t/hold >$t/serving &
exec {hold}>$t/hold
until_true 5 grep -q ready $t/serving || bail "no servers outside"
python3 -c 'import socket, sys
s = socket.create_server(("", 8053))
print("ready", flush=True)
sys.stdin.read()' <$t/hold >$t/serving.here &
until_true 5 grep -q ready $t/serving.here || bail "no server here"

# ---- audit ---------------------------------------------------------------------------------------

policy_of audit
dsfw check
is "check finds no fault" "$status" 0
like "but warns" "$err" 'warning: network ds-a is in audit mode: nothing is refused'
start_listening
start_daemon
like "so does the log" "$(life)" 'warning: network ds-a is in audit mode: NOTHING IS REFUSED'
like "so does systemd" "$(message 'STATUS=enforcing 2 networks, .*; AUDIT: 1 of them refuse nothing$')" "[0-9]"
client metrics
is "and a metric" "$(grep -cE '^dsfw_nft_networks\{state="(audit|enforced)"\} 1$' $t/out)" 2
client status --json
like "status has it" "$(cat $t/out)" '"ds-a":\{[^}]*"mode":"audit"'
like "of the others, too" "$(cat $t/out)" '"ds-b":\{[^}]*"mode":"enforce"'
client status
like "for people" "$out" 'ds-a +AUDIT .*ds-b +enforced'
like "the ruleset says so" "$(nft list chain inet dockside ds-a-OUT)" 'accept comment "audit, would refuse: '
is "everything passes" "$(session)" "answered 25 reset 0 neither 5"
# shellcheck disable=SC2317 # until_true calls it
counted()
{
	nft list chain inet dockside ds-a-ING | matches 'packets 1 .*accept comment "audit'
}
python3 "$here/denied.py" try 50 1 a1:udp:172.30.1.11:7 >/dev/null
result "between containers, too" "$(until_true 5 counted || nft list chain inet dockside ds-a-ING)"
until_true 5 have $t/events 31
is "and is told of as what it is" "$(($(wc -l <$t/events) - $(count $t/events verdict=audit network=ds-a))) \
$(connections $t/events)" "0 31"
before=$(life | grep -c 'NOTHING IS REFUSED')
kill -HUP "$daemon_pid"
# shellcheck disable=SC2317 # until_true calls it
said()
{
	life | grep -c 'NOTHING IS REFUSED'
}
result "a reload says it again" "$(until_true 5 prints "^$((before + 1))\$" said || life)"

# ---- learning ------------------------------------------------------------------------------------

client learn ds-a
cp $t/out $t/learnt.json
comment <$t/learnt.json
like "what no rule can allow is said" "$err" '1 packet between containers'
client learn DS-A
is "the network is called as the files call it" "$(grep -c '"ds-a": {' $t/out)" 1
client learn ds-aa
like "one that does not exist has nothing to learn from" "$status $out$err" \
	'^1 error: learn: no network "ds-aa" is configured; did you mean ds-a\?$'
is "by name where it is known" "$(grep -c 'one.example' $t/learnt.json)" 1
is "or was looked up" "$(grep -c '"two.example".* // looked up' $t/learnt.json) $(grep -c 198.51.100 $t/learnt.json)" "1 0"
cp $t/learnt.json $t/firewall.json
dsfw check
is "it is valid" "$(status_fault 0)$(grep -v note <<<"$err" | grep -E 'error|warning')" ""
policy_of enforce $t/learnt.json
kill -HUP "$daemon_pid"
# shellcheck disable=SC2317 # until_true calls it
enforces()
{
	client status --json
	grep -qE '"ds-a":\{[^}]*"mode":"enforce"' "$t/out"
}
until_true 10 enforces || bail "the rules are not enforced: $(life | tail -5)"
# shellcheck disable=SC2317 # until_true calls it
resolved()
{
	elements ipset-learnt-ds-a-1-v4 | matches two.example
}
until_true 10 resolved || bail "two.example has no address: $(elements ipset-learnt-ds-a-1-v4)"
events $t/events
known=$(wc -l <$t/events)
is "the session passes when enforced" "$(session)" "answered 25 reset 0 neither 5"
is "each learnt rule is used" "$(nft list table inet dockside |
	grep -cE 'counter packets [1-9].* comment "(egress\[[0-2]\]|host\[0\])"')" 5
is "what was not in the session is" "$(python3 "$here/denied.py" try 50 2 a1:tcp:198.51.100.1:8443 \
	a1:tcp:203.0.113.1:443)" "answered 0 reset 2 neither 0"
until_true 5 have $t/events 2
# Events of packets that the session was refused would have come before these.
is "and told of, and nothing else" "$(count $t/events verdict=refused rule='egress[5]') $(wc -l <$t/events)" "2 2"

exec {hold}>&-
end_daemon TERM
is "a good end" "$status" 0
kill "$dnsmasq"
finish
