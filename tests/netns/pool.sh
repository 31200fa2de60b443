#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A name that DNS gives others at each answer: a container's address of it that the daemon was not told is
# refused, and explain, denied and learn say that the name is allowed, and what helps. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

{
	outside 198.51.100.53/32 198.51.100.1/32 198.51.100.2/32 198.51.100.9/32 &&
		bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 && container a1 ds-a 172.30.1.10 2001:db8:1::10
} || bail "cannot set up the network"
start_dnsmasq 198.51.100.53 <<'END'
host-record=pool.example,198.51.100.2
host-record=other.example,198.51.100.9
END
hosts "198.51.100.1 pool.example" # what the daemon is told
echo "127.0.0.1 localhost" >$t/hosts.container
network_config <<<'{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"}]}'
firewall_config <<'END'
{"ipsets": {"pools": ["pool.example"]}, "networks": {"ds-a": {"egress": [
	{"_comment": "---- a separator counts ----"},
	{"proto": "udp", "ports": [53]},
	{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "pools"},
	{"action": "drop"}]}}}
END
start_listening
start_daemon

# in_container COMMAND…: with hosts of its own
in_container()
{
	nsenter --net=/run/netns/a1 unshare --mount sh -c \
		"mount --bind $t/hosts.container /etc/hosts && exec \"\$@\"" sh "$@"
}
is "the container is told another address than the daemon" \
	"$(in_container getent ahostsv4 pool.example | awk '{ print $1; exit }') $(elements ipset-pools-v4)" \
	"198.51.100.2 198.51.100.1 timeout 5m comment pool.example"
in_container getent ahostsv4 other.example >/dev/null

# try ADDRESS PORT
try()
{
	in_container timeout 10 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null
}
# shellcheck disable=SC2317 # until_true calls it
told_of()
{
	client denied --json
	[[ $out == *"\"destination\":\"$1\""*"\"port\":$2"* ]]
}
for to in "198.51.100.2 443" "198.51.100.2 25" "198.51.100.9 443"; do
	# shellcheck disable=SC2086 # two words
	try $to
	# shellcheck disable=SC2086
	until_true 5 told_of $to || bail "no event of $to"
done

# event ADDRESS PORT: the rule that allows it now
event()
{
	client denied --json
	python3 -c 'import json, sys
for line in sys.stdin:
	event = json.loads(line)
	if event["destination"] == sys.argv[1] and event["port"] == int(sys.argv[2]):
		print(event.get("allowed_by"))
		break' "$@" <<<"$out"
}
is "the event knows the rule that allows the name" "$(event 198.51.100.2 443)" "egress[2]"
is "not for another port" "$(event 198.51.100.2 25)" None
is "nor for another name" "$(event 198.51.100.9 443)" None

client explain --from ds-a --to 198.51.100.2 --proto tcp --port 443
like "explain of the address: refused, and why although the name is allowed" "$out" \
	"REFUSED.*note: the name pool.example is allowed by egress\[2\], this address is not one that the daemon knows of it, but containers of the network looked it up; what helps: "
client explain --from ds-a --to pool.example --proto tcp --port 443
like "explain of the name: one address passes" "$out" "to 198.51.100.1 port 443, [^:]*: let pass"
like "and the other is refused" "$out" "to 198.51.100.2 port 443, [^:]*: REFUSED.*pool.example is allowed by egress\[2\]"
client explain --from ds-a --to 203.0.113.77 --proto tcp --port 443
like "of an address that nobody looked up" "$out" "note: names are allowed by egress\[2\]: if this is an address of one"
client explain --from ds-a --to 203.0.113.77 --proto tcp --port 25
is "of a port that no name is allowed at there is nothing to say" "$(grep -c "allowed by" <<<"$out")" 0
client explain --from ds-a --to 198.51.100.9 --proto tcp --port 443
is "nor of a name that is not allowed" "$(grep -c "allowed by" <<<"$out")" 0

client learn ds-a
like "learn does not suggest the rule that is there" "$out" \
	"//   pool.example by egress\[2\]: [0-9]+ packet.*\"ports\": \[25\], \"to\": \"host\", \"host\": \"pool.example\""
is "nor puts its port to others" "$(grep -c '"ports": \[25, 443\]' <<<"$out")" 0
like "but the others" "$out" '"ports": \[443\], "to": "host", "host": "other.example"'

# The firewall configuration now has the rules that learn suggested.
sed -i 's/{"action": "drop"}/{"to": "host", "host": "other.example"}, {"to": "host", "host": "pool.example"}, &/' $t/firewall.json
client reload
client learn ds-a
is "with that, it has nothing to suggest any more" "$(sed '/^\/\//d' <<<"$out" | grep -c '"action"')" 0

end_daemon TERM
finish
