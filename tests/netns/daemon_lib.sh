# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced after lib.sh by the tests of `dsfw-nft daemon`: starts it, listens to what it tells systemd,
# ends it in several ways. Its log is $t/log, that of all its lives; what it told is $t/told, see
# notify.py.

socket=$t/socket
told=$t/told
log=$t/log
daemon_pid=

# shellcheck disable=SC2034 # for those who source this
files=(--network-config "$t/network.json" --firewall-config "$t/firewall.json")

start_listening()
{
	: >$told
	: >$log
	python3 "$here/notify.py" $t/notify $told &
	until_true 5 test -S $t/notify || bail "no listener"
}

# seconds: of CLOCK_BOOTTIME, with three decimals
seconds()
{
	local up
	read -r up _ </proc/uptime # the same clock, in hundredths
	echo "${up}0"
}

# monotonic: seconds of CLOCK_MONOTONIC
monotonic()
{
	python3 -c 'import time; print(time.monotonic())'
}

# told COUNT LINE: it has told that at least so often since the start of its life
told()
{
	[[ $(tail -n +"$((told_before + 1))" $told | grep -c " $2\$") -ge $1 ]]
}

# logged PATTERN: an extended regular expression, in what it logged in this life
logged()
{
	life | grep -qE "$1"
}

# life: what it logged in this life
life()
{
	tail -n +"$((log_before + 1))" $log
}

# launch [NAME=VALUE…]: starts it without waiting for anything
launch()
{
	told_before=$(wc -l <$told)
	log_before=$(wc -l <$log)
	launched=$(monotonic)
	env NOTIFY_SOCKET=$t/notify "$@" \
		"$DSFW_NFT" daemon "${files[@]}" --socket $socket >>$log 2>&1 &
	daemon_pid=$!
}

# start_daemon [NAME=VALUE…]: and waits until it is ready
start_daemon()
{
	launch "$@"
	until_true 15 told 1 READY=1 || bail "the daemon does not become ready: $(tail $log)"
}

# end_daemon SIGNAL: $status, which is 0 after a good end
end_daemon()
{
	kill "-$1" "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	status=$?
	daemon_pid=
}

# client COMMAND [OPTION…]: $status, $out, $err
client()
{
	timeout 20 "$DSFW_NFT" "$1" --socket $socket "${@:2}" >$t/out 2>$t/err
	status=$?
	out=$(<$t/out)
	err=$(<$t/err)
}

# drift KEY: of status: repairs, limited, message
drift()
{
	client status --json
	python3 -c 'import json, sys; print(json.load(sys.stdin)["drift"][sys.argv[1]])' "$1" <$t/out
}
