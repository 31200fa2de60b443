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
before_daemon=() # a command that execs its arguments

# shellcheck disable=SC2034 # for those who source this
files=(--network-config "$t/network.json" --firewall-config "$t/firewall.json")

# two_networks ADDRESS...: ds-1, in which c1 is, and ds-2, and outside has the addresses and serves ports 80 and 443.
two_networks()
{
	outside "$@" && bridge ds-1 172.30.1.1/24 fd77:1::1/64 && bridge ds-2 172.30.2.1/24 fd77:2::1/64 &&
		container c1 ds-1 172.30.1.11 fd77:1::11 || bail "cannot build the network"
	start_peers
	ask "serve outside tcp 80 443"
	network_config <<-'END'
		{"networks": [
			{"name": "ds-1", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"},
			{"name": "ds-2", "subnet": "172.30.2.0/24"}
		]}
	END
}

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
	grep -qE -- "$1" < <(life)
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
	launched_calm=$(calm)
	(
		exec env NOTIFY_SOCKET=$t/notify WATCHDOG_PID=$BASHPID "$@" \
			"${before_daemon[@]}" "$DSFW_NFT" daemon "${files[@]}" --socket $socket >>$log 2>&1
	) &
	daemon_pid=$!
}

# shellcheck disable=SC2120
# start_daemon [NAME=VALUE…]: and waits until it is ready, which is so after $ready_after calm milliseconds
start_daemon()
{
	launch "$@"
	until_true 15 told 1 READY=1 || bail "the daemon does not become ready: $(tail $log)"
	# shellcheck disable=SC2034 # for those who source this
	ready_after=$(calm_since "$launched_calm")
}

# end_daemon SIGNAL: $status, which is 0 after a good end
end_daemon()
{
	kill "-$1" "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	status=$?
	daemon_pid=
}

# message PATTERN: the number and time of the last message with such a line, in this life
message()
{
	tail -n +"$((told_before + 1))" $told | grep -E "^[0-9]+ [0-9.]+ $1" | tail -1 | cut -d ' ' -f 1,2
}

# client COMMAND [OPTION…]: $status, $out, $err
client()
{
	timeout 20 "$DSFW_NFT" "$1" --socket $socket "${@:2}" >$t/out 2>$t/err
	status=$?
	out=$(<$t/out)
	err=$(<$t/err)
}

# of PATH…: a value of status
of()
{
	client status --json
	python3 -c 'import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1:]:
	value = value.get(key, {})
print(value if value != {} else "")' "$@" <$t/out
}

# policy_is STATE: the one that the DNS gate has
# shellcheck disable=SC2317 # until_true calls it
policy_is()
{
	[[ $(of gate policy) == "$1" ]]
}

# alarmed PATTERN: some alarm of status
# shellcheck disable=SC2317 # until_true calls it
alarmed()
{
	of alarms | matches "$1"
}

# drift KEY: of status: repairs, limited, message
drift()
{
	client status --json
	python3 -c 'import json, sys; print(json.load(sys.stdin)["drift"][sys.argv[1]])' "$1" <$t/out
}

# ---- names ---------------------------------------------------------------------------------------

# zone LINE…: what the DNS server answers, see zone.py; takes the place of what it answered so far
zone()
{
	printf '%s\n' "$@" >$t/zone.new && mv $t/zone.new $t/zone
}

server_is_up()
{
	ss -Hlun 'sport = :53' | matches .
}

start_zone()
{
	echo "nameserver 127.0.0.1" >$t/resolv.conf
	zone
	: >$t/answers
	python3 "$here/zone.py" serve $t/zone $t/answers 2>$t/server &
	until_true 5 server_is_up || bail "no DNS server: $(<$t/server)"
}

dnsmasq_is_up()
{
	nsenter --net=/run/netns/outside ss -Hlun 'sport = :53' | matches .
}

# start_dnsmasq ADDRESS…: `outside`, with the lines of its configuration on standard input; $dnsmasq is its pid
start_dnsmasq()
{
	echo "nameserver $1" >$t/resolv.conf
	{
		printf '%s\n' no-resolv no-hosts bind-interfaces user=root group=root pid-file= local-ttl=60 \
			cache-size=0 local=/example/
		printf 'listen-address=%s\n' "$@"
		cat
	} >$t/dnsmasq.conf
	nsenter --net=/run/netns/outside dnsmasq -k -C $t/dnsmasq.conf >$t/dnsmasq.log 2>&1 &
	# shellcheck disable=SC2034 # for those who source this
	dnsmasq=$!
	until_true 5 dnsmasq_is_up || bail "no DNS server: $(<$t/dnsmasq.log)"
}

# watch SET…: from now on; the log is $t/watched
watch()
{
	python3 "$here/zone.py" watch $t/watched $t/stop "$@" 2>$t/watcher &
	watcher=$!
}

end_watch()
{
	touch $t/stop
	wait "$watcher" || bail "the watcher failed: $(<$t/watcher)"
	tail -1 $t/watched |
		awk '{ print "the watcher looked " $3 " times, its longest pause was " $4 " ms" }' | comment
}

# judge DESCRIPTION: assertions on standard input, see zone.py
judge()
{
	result "$1" "$(python3 "$here/zone.py" judge $t/answers $t/watched 2>&1)"
}

# plus SECONDS MORE
plus()
{
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a + b }'
}

# sleep_until MOMENT SECONDS: so long after it
sleep_until()
{
	sleep "$(awk -v now="$(seconds)" -v at="$1" -v wait="$2" 'BEGIN {
		print now < at + wait ? at + wait - now : 0 }')"
}
