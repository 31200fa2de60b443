#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With apply alone a container that restarts goes on with its own addresses. TAP.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"
# shellcheck source=tests/docker/bind_lib.sh
. "$lab/bind_lib.sh"

holes_lab
bind_config learn
end_daemon TERM
start_daemon
until_true 10 sets_agree
reaches()
{
	is "$1: c2 reaches its gateway" "$(until_true 10 docker exec c2 ping -c 1 -W 1 172.30.1.1 >/dev/null 2>&1; echo $?)" 0
}
nsenter --net=/run/netns/c1 python3 -c 'import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
s.bind(("eth0", 0))
me = bytes.fromhex("020000000111")
tail = socket.inet_aton("172.30.1.12")
s.send(b"\xff" * 6 + me + bytes.fromhex("08060001080006040001") + me + tail + bytes(6) + tail + bytes(18))
ip = bytes.fromhex("4500001c0001000040110000") + tail + socket.inet_aton("172.30.1.1")
s.send(bytes.fromhex("0200000001ff") + me + b"\x08\0" + ip + bytes.fromhex("1388003500080000"))'
sleep 0.5
nft list chain bridge dockside not-own | comment
client denied
comment <<<"$out"
reaches "the daemon runs"
docker restart -t 0 c2 >/dev/null
sleep 0.5
reaches "the daemon runs, c2 has restarted"
end_daemon TERM
docker restart -t 0 c2 >/dev/null
sleep 0.5
# SECURITY.md: its addresses are still those of its old port.
docker exec c2 ping -c 1 -W 1 172.30.1.1 >/dev/null 2>&1
is "the daemon has stopped, c2 has restarted: c2 waits for a daemon, or apply" $? 1
dsfw apply
reaches "apply, without a daemon"
docker restart -t 0 c2 >/dev/null
sleep 0.5
reaches "apply, without a daemon, c2 has restarted"
finish
