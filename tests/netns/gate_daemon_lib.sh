# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced after daemon_lib.sh by the tests of a DNS gate that takes its policy from the daemon, or from apply: ds-1 and
# ds-2, and outside the gate's name server.

uid=4711
pids=()
trap 'kill "${pids[@]}" 2>/dev/null' EXIT
two_networks 9.9.9.10/32
ip -n outside route add local 11.0.0.0/8 dev lo
start_listening
chmod 1777 $t
: >$t/asked
nsenter --net=/run/netns/outside python3 "$here/gate.py" serve 9.9.9.10 $t/asked 2>$t/upstream.log &
pids+=("$!")
until_true 5 prints '9\.9\.9\.10:53' ss -N outside -Hlun

start_gate() # OPTION…
{
	"$DSFW_NFT" gate --user $uid "$@" 2>>$t/gate.log &
	gate=$!
	pids+=("$gate")
}

asks() # QUESTION…
{
	nsenter --net=/run/netns/c1 python3 "$here/gate.py" ask 8.8.8.8 "$@" 2>&1
}
