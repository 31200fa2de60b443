#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The socket as clients of the iptables version use it; what is said of names that do not resolve; and how
# much of the log somebody of the socket's group can fill. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

two_networks 198.51.100.1/32
firewall_config <<'END'
{"ipsets": {"web": ["web.example"], "spare": ["spare.example", "203.0.113.9", "198.51.100.0/25", "2001:db8::9"]},
"networks": {"ds-1": {"egress": [{"proto": "udp", "ports": [53]}, {"to": "ipset", "ipset": "web"}, {"action": "drop"}]}}}
END
start_zone
zone "web.example 198.51.100.1 ttl=60" "spare.example 198.51.100.200 ttl=60"
start_listening

# asked: the answer to the request on standard input, sent as it is, and nothing after it
asked()
{
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(15)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
print(s.makefile().readline(), end="")' $socket 2>&1
}

files+=(--verbose) # has the requests that only read in the log
start_daemon
is "a request may span lines" "$(
	asked <<-'END'
		{
		  "action": "set-network",
		  "name": "ds-1",
		  "network": {
		    "subnet": null,   // as it is
		    "dockside_ip": "172.30.1.2",
		    "dockside_mac": null
		  }
		}
	END
)" '{"status":"ok","message":"enforced and saved","networks":["ds-1","ds-2"]}'
is "null keeps what is there" "$(
	echo '{"action": "set-network", "name": "ds-1", "network": {"dockside_ip": null, "subnet6": null}}' | asked
) $(grep -c 172.30.1.2 $t/network.json) $(grep -c fd77:1:: $t/network.json)" \
	'{"status":"ok","message":"enforced and saved","networks":["ds-1","ds-2"]} 1 1'
like "a member that nobody knows is ignored, and named" "$(
	echo '{"action": "set-network", "name": "ds-3", "network": {"subnet": "172.30.3.0/24"}, "requestId": 7}' | asked
)" '^\{"status":"ok",.*"networks":\["ds-1","ds-2","ds-3"\],"ignored":\["requestId"\],"note":"set-network does not know, and ignored, .+requestId.+}$'
like "below that it is an error" "$(
	echo '{"action": "set-network", "name": "ds-3", "network": {"gatewy_ip": "172.30.3.1"}}' | asked
)" '"status":"error".*did you mean ."gateway_ip."'

# ---- an ipset that no rule uses ------------------------------------------------------------------

client status --json
is "an ipset that no rule uses has its addresses in status" "$(of ipsets spare)" \
	"['198.51.100.200', '203.0.113.9', '198.51.100.0/25', '2001:db8::9']"
client status
like "people see that no rule does" "$out" $'\nspare +198.51.100.200, 203.0.113.9, .* \\(no rule uses it\\)'
is "the kernel has no set of it" "$(nft list table inet dockside | grep -c spare)" 0

# ---- names that do not resolve -------------------------------------------------------------------

client set-ipset --replace spare web.example gone.example
like "set-ipset names those that do not resolve" "$status $err" \
	"^0 warning: gone.example does not resolve: .*; rules on it match nothing$"
zone "web.example fail"
client set-ipset --replace web web.example bad.example
like "which keep their addresses says so" "$err" "bad.example does not resolve: .*match nothing"
# Its last answer is younger than 5 s: it is not asked before.
until_true 15 prints 'web.example does not resolve: .*; it keeps its addresses, of which there are 1' \
	"$DSFW_NFT" reload --socket $socket || result "reload names one" "$("$DSFW_NFT" reload --socket $socket 2>&1)"
like "reload names all" "$("$DSFW_NFT" reload --socket $socket 2>&1)" "bad.example .*gone.example .*web.example"
client set-ipset --replace spare 192.0.2.7
is "a set without such names draws no word" "$status $err" "0 "
end_daemon TERM

# ---- ready ---------------------------------------------------------------------------------------

firewall_config <<'END'
{"networks": {"ds-1": {"egress": [{"to": "host", "host": "late.example"}, {"action": "drop"}]}}}
END
zone "late.example silent"
launch
until_true 10 test -S $socket
like "who finds the socket finds it ready, whatever DNS does" "$(echo '{"action": "status"}' | asked)" '"ready":true'
is "before systemd is told" "$(told 1 READY=1 && echo READY)" ""
until_true 15 told 1 READY=1
end_daemon TERM

# ---- the log -------------------------------------------------------------------------------------

start_daemon
chgrp 4321 $socket
cat >$t/flood.py <<'END'
import os, socket, sys
path, count = sys.argv[1], int(sys.argv[2])
os.setgroups([4321])
os.setgid(4321)
os.setuid(4321)
for n in range(count):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.sendall(b'{"action": "refresh"}\n' if n % 2 else b"nonsense\n")
    s.recv(4096)
    s.close()
END
chmod 755 /run $t
is "a member of the group can ask" "$(python3 $t/flood.py $socket 400 2>&1)" ""
written=$(life | grep -c 'uid 4321')
# Ten in 10 s, on a slow machine for longer than that.
result "of the many lines few are written" "$([[ $written -ge 10 && $written -le 50 ]] || echo "$written")"
client status
like "root's are, all" "$(life)" "status, asked by uid 0"
end_daemon TERM
is "the others are counted" "$(life | awk '/uid 4321: [0-9]+ more lines were not logged/ {
	sub(/.*uid 4321: /, ""); n += $1; next } /uid 4321/ { n++ } END { print n }')" 400

stop_peers
finish
