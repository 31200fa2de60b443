#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# resolv.conf changes while a question to a silent server is open: the question goes to the new one, also
# if the next name to be asked is in /etc/hosts and needs no server. And /etc/hosts is a long one, as block
# lists are: nobody else waits for it, it is read when it has changed, and an edit counts within a second or so. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

bridge ds-1 172.30.1.1/24 fd77:1::1/64 || bail "cannot build the network"
hosts "198.51.100.1 static.example"
network_config <<<'{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24"}]}'
firewall_config <<'CONFIG'
{"networks": {"ds-1": {"egress": [
	{"proto": "tcp", "to": "host", "host": "static.example"},
	{"proto": "tcp", "to": "host", "host": "dynamic.example"}, {"action": "drop"}]}}}
CONFIG
start_zone
zone "dynamic.example 198.51.100.9"
nft 'table inet silence { chain input { type filter hook input priority 0;
	ip daddr 127.0.0.9 udp dport 53 counter drop; }; }'
echo "nameserver 127.0.0.9" >$t/resolv.conf
start_listening
launch

# shellcheck disable=SC2317 # not unreachable
asked()
{
	nft list chain inet silence input | matches 'packets [1-9]'
}

until_true 5 asked || bail "the silent server was not asked"
echo "nameserver 127.0.0.1" >$t/resolv.conf
until_true 5 test -S $socket || bail "no socket"
client refresh
is "refresh is answered" "$status" 0
is "by the new server" "$(elements host-dynamic.example-v4)" \
	"198.51.100.9 timeout 5m comment dynamic.example"
end_daemon TERM
start_daemon
result "with all names answered a start waits for nothing" "$([[ $ready_after -lt 3000 ]] || echo "$ready_after ms")"

{
	seq -f '0.0.0.0 blocked%.0f.example' 60000
	seq -f '198.51.100.2 n%.0f.example' 300
} >>/etc/hosts
firewall_config <<<'{"ipsets": {"many": ['"$(seq -f '"n%.0f.example"' 300 | paste -sd,)"']},
	"networks": {"ds-1": {"egress": [{"to": "ipset", "ipset": "many"}, {"action": "drop"}]}}}'
began=$(calm)
"$DSFW_NFT" reload --socket $socket >/dev/null || bail "reload"
"$DSFW_NFT" refresh --socket $socket >$t/refresh &
refresh=$!
slowest=0
while kill -0 $refresh 2>/dev/null; do
	start=$(calm)
	"$DSFW_NFT" status --socket $socket >$t/status || break
	took=$(calm_since "$start")
	[[ $took -le $slowest ]] || slowest=$took
done
wait $refresh || result "refresh is answered" "$(<$t/refresh)"
total=$(calm_since "$began")
comment <<<"all were there after $total calm ms; the slowest answer meanwhile took $slowest"
is "all names are found" "$("$DSFW_NFT" status --socket $socket | grep -cE '^ *n[0-9]+\.example .*198\.51\.100\.2')" 300
result "others are answered meanwhile" "$([[ $slowest -lt 1000 ]] || echo "after $slowest ms")"
result "and it takes no longer than a file that is read once does" "$([[ $total -lt 5000 ]] || echo "$total ms")"
# The new text has the same length, and comes within the same second.
began=$(calm)
move() # FROM TO: n7.example's line
{
	sed "s/^198\.51\.100\.$1 n7\.example\$/198.51.100.$2 n7.example/" /etc/hosts >$t/edited && cat $t/edited >/etc/hosts
}
move 2 3
# shellcheck disable=SC2317 # not unreachable
holds()
{
	elements ipset-many-v4 | matches "^$1 .*comment n7\.example$"
}
result "an edit of /etc/hosts counts within two seconds" "$(until_true 2 holds 198.51.100.3 || elements ipset-many-v4)"
move 3 4
result "and another one of the same length, right after" \
	"$(until_true 2 holds 198.51.100.4 || elements ipset-many-v4)"
comment <<<"both took $(calm_since "$began") calm ms"
is "what was there before has gone" "$(elements ipset-many-v4 | grep -c '^198\.51\.100\.3 ')" 0
end_daemon TERM
is "the daemon ends" "$status" 0
finish
