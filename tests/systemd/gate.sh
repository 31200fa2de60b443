#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The DNS gate's units and those of the daemon, out of the Debian package and together: its user, its confinement, restarts
# of either, upgrade, removal. TAP.
# shellcheck disable=SC2317 # functions that until_true calls
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

units="dsfw-nft.service dsfw-nft-gate.service dsfw-nft-gate.socket"
gate_unit=dsfw-nft-gate.service
socket=/run/dockside/firewall.sock
etc=/etc/dockside
drop_ins=/etc/systemd/system/$gate_unit.d

show() # PROPERTY [UNIT]
{
	systemctl show -P "$1" "${2:-$gate_unit}"
}
states()
{
	local unit
	for unit in $units; do
		show ActiveState "$unit"
	done | xargs
}
states_are() # STATES
{
	[[ "$(states)" == "$1" ]]
}
process() # FIELD…: of the gate's /proc/PID/status
{
	local field
	for field in "$@"; do
		sed -n "s/^$field:[[:space:]]*//p" "/proc/$(show MainPID)/status"
	done | tr -s '\t ' ' ' | xargs
}
asks() # QUESTION…
{
	nsenter --net=/run/netns/a1 python3 "$here/gate.py" ask 8.8.8.8 "$@" 2>&1
}
# The sockets that systemd holds, by their inodes
held()
{
	ss -Hlnut -e 'sport = 5300' | grep -o 'ino:[0-9]*' | sort | xargs
}

# steady COMMAND…: how many questions of a resolver are not answered while that runs, 1,000 being asked a second, from
# before its begin until after its end
steady()
{
	local asker asked lost
	rm -f $t/begun $t/enough
	nsenter --net=/run/netns/a1 python3 "$here/gate.py" steady 8.8.8.8 1000 $t/begun $t/enough >$t/steady 2>&1 &
	asker=$!
	if ! until_true 5 test -e $t/begun; then
		kill "$asker"
		echo "no question is answered"
		return
	fi
	"$@"
	sleep 0.5
	touch $t/enough
	wait "$asker" || cat $t/steady
	read -r asked lost <$t/steady
	[[ $asked -ge 200 ]] || echo "only this was asked: $asked"
	echo "$lost"
}

policy_files() # NAMES
{
	echo '{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "2001:db8:1::/64"}]}' >$etc/network-config.json
	cat >$etc/firewall-config.json <<-CONFIG
		{"dns": {"upstream": ["9.9.9.10"]}, "ipsets": {"web": [$1]}, "networks": {"ds-a": {"dns": {}, "egress": [
			{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"}, {"action": "drop"}]}}}
	CONFIG
}

# ---- installed ---------------------------------------------------------------------------------------

installed()
{
	getent passwd dsfw-gate >/dev/null && userdel dsfw-gate
	like "it installs" "$(dpkg -i /test/package.deb 2>&1 && echo "done")" 'done$'
	like "and makes the gate's user" "$(getent passwd dsfw-gate)" '^dsfw-gate:[^:]*:[1-9][0-9]{2}:[1-9][0-9]*:[^:]*:/nonexistent:/usr/sbin/nologin$'
	is "nothing runs yet" "$(for unit in $units; do systemctl is-enabled "$unit"; done | xargs) $(states)" \
		"disabled disabled disabled inactive inactive inactive"
	# shellcheck disable=SC2086 # words
	is "systemd has nothing to say about the units" "$(systemd-analyze verify --man=no $units 2>&1 | grep -v '^$')" ""
	systemd-analyze security --no-pager $gate_unit 2>&1 | tail -n 1 | comment
	like "the gate is confined" "$(systemd-analyze security --no-pager --threshold=15 $gate_unit 2>&1 && echo "below 1.5")" 'below 1.5$'
}

# ---- three commands suffice ----------------------------------------------------------------------------

world()
{
	{
		outside 9.9.9.10/32 && ip -n outside route add local 11.0.0.0/8 dev lo &&
			ip -n outside route add local 2a00::/16 dev lo &&
			bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 && container a1 ds-a 172.30.1.10 2001:db8:1::10
	} || bail "cannot set up the network"
	nsenter --net=/run/netns/outside python3 "$here/gate.py" serve 9.9.9.10 $t/asked 2>$t/upstream.log &
	until_true 5 prints '9\.9\.9\.10:53' nsenter --net=/run/netns/outside ss -Hlun || bail "no name server"
	nsenter --net=/run/netns/outside python3 "$here/../docker/serve.py" 443 &
}

started()
{
	policy_files '"www.good.test"'
	is "the daemon is enabled and started" "$(systemctl -q enable --now dsfw-nft.service 2>&1)" ""
	until_true 10 states_are "active active active" || true
	is "and the gate with it" "$(states) $(systemctl is-enabled $gate_unit)" "active active active disabled"
	result "which has its policy" "$(until_true 10 policy_is taken || of gate)"
	is "there is no alarm" "$(of alarms)" "[]"
	is "names are answered" "$(asks www.good.test,A evil.test,A www.good.test,A,tcp)" "0 11.0.0.1
3
0 11.0.0.1"
	is "and reached by the first packet" "$(nsenter --net=/run/netns/a1 python3 "$here/gate.py" dial 8.8.8.8 4 443 \
		www.good.test,{A,AAAA})" "asked 4 addresses 4 refused 0 failed 0"
	is "no other name has left" "$(grep -c evil $t/asked)" 0
}

confined()
{
	local id
	id="$(id -u dsfw-gate)"
	is "its weight and the daemon's are above others' 100" "$(show CPUWeight) $(show CPUWeight dsfw-nft.service)" "300 300"
	is "it runs as its user" "$(process Uid Gid)" "$id $id $id $id $(id -g dsfw-gate | sed 's/.*/& & & &/')"
	is "without capabilities, and can get none" "$(process CapInh CapPrm CapEff CapBnd CapAmb | tr ' ' '\n' | sort -u | xargs) \
$(process NoNewPrivs)" "0000000000000000 1"
	is "with a filter of system calls" "$(process Seccomp)" 2
	is "it listens by systemd's sockets, UDP and TCP, of both families" "$(held | wc -w)" 4
	journal_is_clean "nobody complains"
}
journal_is_clean() # DESCRIPTION
{
	journalctl --sync
	is "$1" "$(journalctl -q -u $gate_unit -p 3 -o cat)" ""
}

# The filter kills now who makes other calls; EPERM may be overlooked.
system_calls()
{
	mkdir -p $drop_ins && printf '[Service]\nSystemCallErrorNumber=\n' >$drop_ins/test.conf
	systemctl daemon-reload
	systemctl restart $gate_unit
	result "with a filter that kills, it takes its policy" "$(until_true 10 policy_is taken || of gate)"
	policy_files '"www.good.test", "*.wild.test", "pool.good.test"'
	client reload
	until_true 10 policy_is taken
	is "and answers all kinds of questions" "$(asks www.good.test,A,tcp any.wild.test,AAAA,edns www.good.test,ANY,tcp huge.wild.test,A |
		cut -c 1 | xargs)" "0 0 5 0"
	systemctl restart dsfw-nft.service
	result "after a restart of the daemon, too" "$(until_true 10 policy_is taken || of gate)"
	is "which knows whose addresses are open: nothing was closed" \
		"$(journalctl -q -u dsfw-nft.service -o cat | grep -c 'closed until it tells them again')" 0
	sleep 2 # in which it reports
	is "and was not killed" "$(show NRestarts) $(show ActiveState)" "0 active"
	rm -r $drop_ins
	systemctl daemon-reload
	systemctl restart $gate_unit
	until_true 10 policy_is taken
}

# ---- restarts ------------------------------------------------------------------------------------------

restart_thrice()
{
	for _ in 1 2 3; do
		systemctl restart "$1"
		sleep 0.2
	done
}
kill_it()
{
	local pid
	pid=$(show MainPID)
	kill -KILL "$pid"
}
stop_daemon()
{
	systemctl stop dsfw-nft.service
	sleep 0.3
	systemctl start dsfw-nft.service
}
upgrade()
{
	dpkg -i /test/package.deb >"$t/upgrade" 2>&1
}
came_back()
{
	[[ $(show NRestarts) == 1 && $(show ActiveState) == active ]]
}

restarts()
{
	local before pid
	before=$(held)
	asks www.good.test,A >/dev/null
	is "restarts of the gate lose no question" "$(steady restart_thrice $gate_unit)" 0
	is "its sockets are the same" "$(held)" "$before"
	systemctl reset-failed $gate_unit
	# It loses what it has read and not yet answered (BUNCH of gate_udp.c).
	result "kill -9 loses hardly any" "$(lost=$(steady kill_it)
		[[ $lost =~ ^[0-9]+$ && $lost -le 64 ]] || echo "$lost")"
	result "after which another runs" "$(until_true 5 came_back || states)"
	is "by the same sockets" "$(held)" "$before"
	is "restarts of the daemon lose none" "$(steady restart_thrice dsfw-nft.service)" 0
	is "nor does its stop and start" "$(steady stop_daemon) $(states)" "0 active active active"
	pid=$(show MainPID)
	is "nor an upgrade" "$(steady upgrade) $(states)" "0 active active active"
	is "which restarts the gate by the same sockets" "$(($(show MainPID) != pid)) $(held)" "1 $before"
	result "and it has its policy" "$(until_true 10 policy_is taken || of gate)"

	systemctl stop $gate_unit 2>/dev/null # its socket could start it, says systemd
	result "one that was stopped is an alarm, with the command" "$(until_true 5 alarmed 'not connected.*systemctl start dsfw-nft-gate' ||
		of alarms)"
	asks www.good.test,A >/dev/null # the sockets start it
	result "a question starts it" "$(until_true 10 policy_is taken || states)"
	systemctl stop dsfw-nft-gate.socket $gate_unit
	is "with its sockets stopped names fail" "$(timeout 20 nsenter --net=/run/netns/a1 python3 "$here/gate.py" ask 8.8.8.8 www.good.test,A)" \
		"failed: [Errno 111] Connection refused"
	systemctl start dsfw-nft-gate
	result "and the alarm's command mends that" "$(until_true 10 policy_is taken || states)"
	is "names are answered" "$(asks www.good.test,A)" "0 11.0.0.1"

	mkdir -p $drop_ins && printf '[Service]\nUser=nobody-of-that-name\n' >$drop_ins/test.conf
	systemctl daemon-reload
	systemctl restart $gate_unit 2>/dev/null
	sleep 1 # in which it does not try again
	is "without its user it fails once" "$(show ActiveState) $(show ExecMainStatus) $(show NRestarts)" "failed 217 0"
	rm -r $drop_ins
	systemctl daemon-reload
	systemctl reset-failed $gate_unit
	systemctl start $gate_unit
	until_true 10 policy_is taken
}

# ---- the next boot, and the end --------------------------------------------------------------------------

booted()
{
	until_true 20 states_are "active active active" || true
	is "at boot the daemon brings the gate" "$(states)" "active active active"
	result "which has its policy" "$(until_true 10 policy_is taken || of gate)"
}

removed()
{
	like "removing it" "$(dpkg -r dsfw-nft 2>&1 && echo "done")" 'done$'
	is "stops all" "$(for unit in $units; do systemctl is-active "$unit"; done | sort -u | xargs) $(held)" "inactive "
	is "and leaves the rules" "$(nft list map inet dockside dispatch-gate | grep -c '"ds-a" : goto')" 1
	like "purging it" "$(dpkg -P dsfw-nft 2>&1 && echo "done")" 'done$'
	is "leaves nothing but the configuration" "$(find /etc /usr /var /run -xdev -name '*dsfw-*' ! -path '/var/cache/*'; ls $etc)" \
		"firewall-config.json
network-config.json"
	# The rules that stay have its number: nobody else must get it.
	is "and the gate's user, locked" "$(getent passwd dsfw-gate | cut -d : -f 1) $(getent shadow dsfw-gate | cut -d : -f 2 | cut -c 1)" \
		"dsfw-gate !"
}

echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
if [[ $boot -eq 1 ]]; then
	installed
	world
	started
	confined
	system_calls
	restarts
	reboot_host
fi
booted
removed
finish
