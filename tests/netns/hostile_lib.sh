# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced after lib.sh by the tests that are rough with a running daemon.

socket=$t/socket
# shellcheck disable=SC2034 # for those who source this
files=(--network-config "$t/network.json" --firewall-config "$t/firewall.json")
daemon=
export IPSET_STALE_TTL=300

# shellcheck disable=SC2119,SC2120 # its arguments are not the script's
# start_daemon [COMMAND…]: by way of a command that execs its arguments. $daemon, the process.
start_daemon()
{
	: >$t/log
	# exec: it is the program that is killed, not a shell around it.
	(exec "$@" "$DSFW_NFT" daemon "${files[@]}" --socket $socket) >>$t/log 2>&1 &
	daemon=$!
	until_true 30 is_up
	kill -0 $daemon 2>/dev/null || bail "the daemon does not become ready: $(<$t/log)"
}

# Ready, or no more.
is_up()
{
	grep -q '^ready$' $t/log || ! kill -0 "$daemon" 2>/dev/null
}

# stop_daemon: $status
stop_daemon()
{
	kill "$daemon"
	wait "$daemon" 2>/dev/null
	status=$?
}

# client ACTION [ARGUMENT…]: $status, $out, $err
client()
{
	timeout 60 "$DSFW_NFT" "$1" --socket $socket "${@:2}" >$t/out 2>$t/err
	status=$?
	out=$(<$t/out)
	err=$(<$t/err)
}

# Prints the complaints of sanitizers and assertions.
complaints()
{
	grep -aE -A20 'ERROR: [A-Z][A-Za-z]*Sanitizer|runtime error|Assertion' $t/log | head -40
}

daemon_faults()
{
	kill -0 "$daemon" 2>/dev/null || echo "the daemon has ended: $(tail -3 $t/log)"
	complaints
}

# stopped_well DESCRIPTION: stops the daemon; leaks are found at the end
stopped_well()
{
	local faults
	stop_daemon
	faults=$(complaints)
	[[ $status -eq 0 ]] || faults+="exit status $status: $(tail -3 $t/log)"
	result "$1" "$faults"
}

# differences: what `diff` finds
differences()
{
	dsfw diff
	[[ $status -eq 0 && $out == "no differences" ]] || head -20 <<<"$out$err"
}
