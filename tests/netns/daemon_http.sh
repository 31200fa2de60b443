#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `daemon --metrics-listen`: what it answers to clients of all kinds, that it is off by default, and that no client keeps the
# daemon from its work or others from their answer. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

build_network()
{
	outside && bridge ds-1 172.30.1.1/24 fd77:1::1/64
}
build_network || bail "cannot build the network"
# Many rules, so that no socket takes the whole text at once.
python3 - $t/network.json $t/firewall.json <<'PYTHON'
import json, sys
n = range(1, 121)
network = {"networks": [{"name": f"ds-{i}", "subnet": f"172.30.{i}.0/24"} for i in n]}
rules = [{"proto": "tcp", "ports": [p], "comment": f"{p} " + "c" * 100} for p in range(1, 31)]
json.dump(network, open(sys.argv[1], "w"))
json.dump({"networks": {f"ds-{i}": {"egress": rules + [{"action": "drop"}]} for i in n}}, open(sys.argv[2], "w"))
PYTHON

http() # ADDRESS WHAT
{
	timeout 60 python3 "$here/scrapers.py" "$1" 9853 "${@:2}" 2>$t/err
}

# listening: who listens on TCP
listening()
{
	ss -Hltn | awk '{ print $4 }' | sort
}

# sockets: how many the daemon has
sockets()
{
	find "/proc/$daemon_pid/fd" -lname 'socket:*' | wc -l
}

# series: without their values
series()
{
	sed -E '/^#/d; s/ [^ ]*$//' | sort
}

start_listening
start_daemon
is "it is off by default" "$(listening)" ""
end_daemon TERM

files+=(--metrics-listen 127.0.0.1:9853)
start_daemon
is "it listens there alone" "$(listening)" "127.0.0.1:9853"
is "and says where" "$(life | grep -c '^metrics: listening at 127.0.0.1:9853$') $(life | grep -c whoever)" "1 0"
before=$(sockets)
http 127.0.0.1 metrics >$t/metrics
client metrics
is "it answers with the series of dsfw-nft metrics" "$(diff <(series <$t/out) <(series <$t/metrics) | head)" ""
result "which are too many for a socket" "$([[ $(stat -c %s $t/metrics) -gt 1000000 ]] || stat -c %s $t/metrics)"
is "each request has its answer" "$(http 127.0.0.1 answers)" "HEAD: 200
1.0: 200
root: 404
path: 404
POST: 405
no Host: 400
2.0: 505
bare LF: 400
TLS: 400
NUL: 400
huge header: 431
endless line: 431
garbage: 400
cut off: 400
HEAD's body: 0
allowed: True"
is "who says nothing more is told so" "$(http 127.0.0.1 silent)" "408 in time"
is "and who drips is cut off" "$(http 127.0.0.1 dripping | cut -d ' ' -f 1)" "ended"
is "the last place costs nobody his" "$(http 127.0.0.1 full 16)" "the last one: 200
of those who stood still, 15 are served"
is "100 clients at once are all served" "$(http 127.0.0.1 many)" "200: 100"
is "a crowd that reads nothing keeps neither socket nor Prometheus waiting" "$(http 127.0.0.1 crowd $socket)" \
	"the socket answers at once
and Prometheus gets 200 in time"
comment <$t/err
is "nothing of that is in the log" "$(life | grep -c metrics)" 1
# shellcheck disable=SC2317
all_closed()
{
	[[ $(sockets) == "$before" ]]
}
result "connections end" "$(until_true 20 all_closed || ls -l "/proc/$daemon_pid/fd")"
end_daemon TERM
is "a daemon that ends takes the port along" "$status $(listening)" "0 "

# ---- where it listens ----------------------------------------------------------------------------

network_config <<<'{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24"}]}'
firewall_config <<<'{"networks": {"ds-1": {"egress": [{"action": "drop"}]}}}'
files[-1]="[fd77:1::1]:9853"
start_daemon
is "IPv6" "$(http fd77:1::1 metrics | series | head -1)" "$(series <$t/metrics | head -1)"
is "that others can reach it is a warning" \
	"$(life | grep -c '^warning: metrics: listening at \[fd77:1::1\]:9853: whoever reaches that') $(life | grep -c ' yet$')" "1 0"
end_daemon TERM

files[-1]=192.0.2.77:9853
start_daemon
is "an address that the host does not have yet is a warning" \
	"$(listening) $(life | grep -c '^warning: metrics: this host does not have the address of 192.0.2.77:9853 yet$')" \
	"192.0.2.77:9853 1"
ip addr add 192.0.2.77/24 dev up0
is "works when it comes" "$(http 192.0.2.77 metrics | series | head -1)" "$(series <$t/metrics | head -1)"
end_daemon TERM

files[-1]=127.0.0.1:9853
python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", 9853))
time.sleep(1000)' &
other=$!
# shellcheck disable=SC2317
taken()
{
	[[ $(listening) == 127.0.0.1:9853 ]]
}
until_true 5 taken || bail "no listener"
start_daemon
is "a port that is taken keeps no rule from being enforced" \
	"$(nft list chain inet dockside ds-1-OUT | grep -c 'egress\[0\]') $(life |
		grep -c '^error: metrics: 127.0.0.1:9853: listen: Address already in use; the networks are enforced all')" "1 1"
kill $other
wait $other 2>/dev/null
result "and is used when it is free" "$(until_true 20 logged '^metrics: listening at' || cat $log)"
end_daemon TERM

unset 'files[-1]' 'files[-1]'
start_daemon DOCKSIDE_METRICS_LISTEN=127.0.0.1:9854
is "the environment says where" "$(listening)" "127.0.0.1:9854"
end_daemon TERM
files+=(--metrics-listen none)
start_daemon DOCKSIDE_METRICS_LISTEN=127.0.0.1:9854
is "and the option counts more" "$(listening)" ""
end_daemon TERM
for address in localhost:9853 9853 127.0.0.1 ::1:9853; do
	"$DSFW_NFT" daemon --metrics-listen $address >$t/out 2>&1
	is "refused: $address" "$? $(grep -c 'wanted an address and a port, such as 127.0.0.1:9853' $t/out)" "2 1"
done
finish
