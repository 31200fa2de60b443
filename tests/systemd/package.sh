#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The Debian package and its unit as somebody with systemd meets them: installed, started, reloaded, killed,
# hanging, at boot, upgraded, removed. TAP.
# shellcheck disable=SC2016,SC2317 # what others expand; functions that until_true calls
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

unit=dsfw-nft.service
socket=/run/dockside/firewall.sock
etc=/etc/dockside
drop_ins=/etc/systemd/system/$unit.d
fake=$here/../docker/fake_docker.py

# ---- what systemd knows ----------------------------------------------------------------------------

show() # PROPERTY
{
	systemctl show -P "$1" $unit
}

state_is() # STATE
{
	[[ "$(show ActiveState)" == "$1" ]]
}

# By systemd, once
restarted()
{
	state_is active && [[ "$(show NRestarts)" == 1 ]]
}

# journal_mark: `journal` begins here
journal_mark()
{
	journalctl --sync
	cursor=$(journalctl -n 1 --show-cursor -o cat | sed -n 's/^-- cursor: //p')
}

# journal: "PRIORITY MESSAGE" of the unit's lines, without those of systemd itself
journal()
{
	journalctl --sync
	journalctl -u $unit --after-cursor "$cursor" -o json | python3 -c 'import json, sys
for entry in map(json.loads, sys.stdin):
    if entry["SYSLOG_IDENTIFIER"] == "dsfw-nft":
        print(entry["PRIORITY"], entry["MESSAGE"])'
}

journal_has() # PATTERN
{
	journal | matches "$1"
}

# drop_in LINE…: of [Service], in place of what there was; none: as shipped
drop_in()
{
	rm -rf $drop_ins
	if [[ $# -gt 0 ]]; then
		mkdir -p $drop_ins && printf '%s\n' '[Service]' "$@" >$drop_ins/test.conf
	fi
	systemctl daemon-reload
}

# ctl COMMAND [ARGUMENT…]: systemctl on the unit; $status, $err
ctl()
{
	systemctl "$1" "${@:2}" $unit >$t/out 2>$t/err
	status=$?
	out=$(<$t/out)
	err=$(<$t/err)
}

# started: (re)starts it, which has to work
started()
{
	ctl restart
	[[ $status -eq 0 ]] || bail "it does not start: $err $(journal)"
	pid=$(show MainPID)
}

# The table's handle, and its rules: another handle would be another table.
table()
{
	nft -a list table inet dockside 2>&1 | head -1
	listing
}

# in_unit COMMAND…: sees the file systems as the daemon does
in_unit()
{
	nsenter -t "$pid" --mount --root --wd "$@"
}

policy_files()
{
	cat >$etc/network-config.json <<-'CONFIG'
		{"networks": [ // of the first day
			{"name": "ds-a", "subnet": "172.30.1.0/24"}]}
	CONFIG
	cat >$etc/firewall-config.json <<-'CONFIG'
		{"ipsets": {"s": ["198.51.100.2", "one.example"]},
		"networks": {"ds-a": {"egress": [{"to": "ipset", "ipset": "s"}, {"action": "drop"}]}}}
	CONFIG
}

docker_unit() # [EXEC-START-PRE]
{
	cat >/etc/systemd/system/docker.service <<-UNIT
		[Service]
		ExecStartPre=$1
		ExecStart=python3 $fake serve /run/docker.sock /test/fake.rules /run/fake.log
		[Install]
		WantedBy=multi-user.target
	UNIT
	: >/test/fake.rules
	systemctl daemon-reload
}

# ---- installed, and not yet configured -------------------------------------------------------------

installed()
{
	like "it installs" "$(dpkg -i /test/package.deb 2>&1 && echo "done")" 'done$'
	is "and does nothing yet" "$(systemctl is-enabled $unit) $(systemctl is-active $unit)" "disabled inactive"
	is "systemd has nothing to say about the unit" "$(systemd-analyze verify --man=no $unit 2>&1 | grep -v '^$')" ""
	like "it is confined" "$(systemd-analyze security --no-pager --threshold=20 $unit 2>&1 &&
		echo "below 2.0")" 'below 2.0$'
	journal_mark
	ctl start
	is "without a configuration it does not start, nor try again and again" \
		"$status $(show SubState) $(show ConditionResult) $(show NRestarts)" "0 dead no 0"
	policy_files
	rm $etc/network-config.json
	ctl start
	is "without one of the files it fails" "$status $(show SubState)" "1 auto-restart"
	ctl stop
	is "and says why, once each" "$(journal)" \
		"3 $etc/network-config.json: cannot read: No such file or directory; dsfw-nft init writes both files; or copy an \
example, such as /usr/share/doc/dsfw-nft/examples/minimal/network-config.json
3 the last accepted configuration cannot be enforced either: there is no /var/lib/dsfw-nft/last-good
3 daemon: the configuration has errors"
	is "where it would keep it" "$(stat -c '%a %U' /var/lib/dsfw-nft)" "700 root"
	policy_files
	sed -i 's/"drop"/"dorp"/; s/"ipset":/"ipste":/' $etc/firewall-config.json
	journal_mark
	ctl start
	until_true 15 journal_has ' daemon: '
	is "of a bad configuration it says each fault, once" "$(journal | sed '/ daemon: /q')" \
"3 $etc/firewall-config.json:2:50: unknown key \"ipste\"; an egress rule may have action, proto, ports, type, comment, \
to, cidr, ip, host and ipset; did you mean \"ipset\"?
3 $etc/firewall-config.json:2:76: \"action\" must be \"allow\" or \"drop\", found \"dorp\"; did you mean \"drop\"?
3 the last accepted configuration cannot be enforced either: there is no /var/lib/dsfw-nft/last-good
3 daemon: the configuration has errors"
	journal_mark
	policy_files
	until_true 10 state_is active
	is "and starts when that has been put right" "$(show ActiveState)" active
}


# ---- running ---------------------------------------------------------------------------------------

dns_is_dead()
{
	start_zone
	zone "one.example silent"
}

running()
{
	local before took
	{
		outside 198.51.100.1/32 && bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 &&
			container a1 ds-a 172.30.1.10 2001:db8:1::10 02:42:ac:1e:01:0a
	} || bail "cannot set up the network"
	ctl stop
	nft delete table inet dockside
	dns_is_dead
	journal_mark
	before=$(calm)
	started
	took=$(calm_since "$before")
	result "with DNS dead it is ready within 5 s" "$([[ $took -lt 8000 ]] || echo "after $took ms")"
	is "and enforces" "$(elements ipset-s-v4) $(until_true 5 journal_has '^6 ready$' && echo ready)" "198.51.100.2 ready"
	zone "one.example 198.51.100.1"
	is "systemd knows what" "$(show StatusText)" "enforcing 1 network, 1 name"
	ctl status
	like "and shows it" "$status $out" '^0 .*Status: "enforcing 1 network, 1 name"'
	is "apply beside it is refused" "$(dsfw-nft apply 2>&1 | grep -c "the daemon (pid $pid) is running")" 1
	like "no Docker is a warning" "$(journal)" $'\n4 [^\n]*there is no such socket: Docker is not installed'
	is "who may come near the socket" "$(stat -c '%a %U %G' /run/dockside $socket | xargs)" \
		"751 root root 660 root root"
	is "it has one capability" "$(sed -n 's/^Cap\(Eff\|Prm\|Bnd\|Amb\|Inh\):\t*//p' /proc/"$pid"/status | sort -u | xargs)" \
		"0000000000000000 0000000000001000"
	is "and writes where it has to" "$(in_unit bash -c 'for path in /usr /etc /etc/dockside /run /var/log \
		/var/log/dsfw-nft /var/lib /var/lib/dsfw-nft /proc/sys/kernel/hostname /proc/sys/net/ipv4/ip_forward /proc/sys/fs/file-max \
		/proc/sys/fs/inotify/max_user_watches; do [[ ! -w $path ]] || echo $path; done' | xargs)" \
		"/etc/dockside /run /var/log/dsfw-nft /var/lib/dsfw-nft /proc/sys/net/ipv4/ip_forward /proc/sys/fs/inotify/max_user_watches"
	docker_unit true
	systemctl start docker
	until_true 15 docker_has '^POST .*/networks/create'
	like "it finds Docker, and makes the network" "$(</run/fake.log)" 'POST [^ ]*/networks/create'
}

docker_has() # PATTERN, of a request
{
	grep -qsE "$1" /run/fake.log
}

# A packet that is refused, as `denied` tells it
refuse()
{
	python3 "$here/denied.py" try 50 1 "a1:udp:198.51.100.9:$1" >/dev/null
	until_true 15 refused "$1"
}
refused()
{
	grep -qE "ds-a .*198.51.100.9 +udp/$1" <<<"$(dsfw-nft denied 2>/dev/null)"
}
turned_on()
{
	[[ $(</proc/sys/net/bridge/bridge-nf-filter-vlan-tagged) == 1 ]]
}
repaired()
{
	listing 2>/dev/null | cmp -s "$t/wanted" -
}

docker_answers()
{
	client status --json
	[[ $out == *'"docker":{"state":"connected"'* ]]
}

# exercise HOW: everything that it does at run time, in the unit as it is now
exercise()
{
	journal_mark
	policy_files
	rm -f $etc/*.orig
	started
	chmod 640 $etc/firewall-config.json
	ctl reload
	is "$1: it reloads" "$status $(journal_has '^6 reloaded$' && echo said)" "0 said"
	client set-network ds-b --network '{"subnet": "172.30.2.0/24"}' --firewall '{"egress": [{"action": "drop"}]}'
	is "$1: it saves both files" "$status $err$(grep -c ds-b $etc/{network,firewall}-config.json | sed 's/.*://' | xargs) $(
		stat -c %a $etc/firewall-config.json) $(grep -c 'first day' $etc/network-config.json.orig)" "0 1 1 640 1"
	client refresh
	is "$1: it asks DNS" "$status $(elements ipset-s-v4 | sed 's/ .*//' | xargs)" "0 198.51.100.1 198.51.100.2"
	refuse 1001
	is "$1: it hears what is refused" "$(refused 1001 && echo yes)" yes
	like "$1: metrics" "$(dsfw-nft metrics)" 'dsfw_nft_ready 1'
	[[ $1 == "as shipped" ]] ||
		like "$1: metrics over HTTP" "$(python3 "$here/scrapers.py" 127.0.0.1 9853 metrics 2>&1)" 'dsfw_nft_ready 1'
	like "$1: explain" "$(dsfw-nft explain --from ds-a --to 203.0.113.9 --proto tcp --port 22)" REFUSED
	client reconcile
	is "$1: reconcile" "$status" 0
	listing >$t/wanted
	nft flush ruleset
	until_true 15 repaired
	is "$1: it repairs" "$?" 0
	# As somebody who has no configuration by hand; the whole of it, as one request.
	client remove-network ds-b
	is "$1: it takes a network away" "$status $(grep -c ds-b $etc/network-config.json)" "0 0"
	until_true 15 docker_answers
	like "$1: Docker answers" "$out" '"docker":\{"state":"connected"'
	is "$1: without a complaint" "$(journal | grep -E '^[0-3] |ermitted|ermission denied|Read-only|no such socket')" ""
	is "$1: and is the same process all the time" "$(show MainPID) $(show NRestarts)" "$pid 0"
}

failed_twice()
{
	[[ $(journal | grep -c '^3 reload: ') -eq 2 ]]
}

reloading()
{
	local before
	policy_files
	started
	table >$t/before
	journal_mark
	sed -i 's/"drop"/"dorp"/' $etc/firewall-config.json
	ctl reload
	is "a reload of a bad configuration fails" "$status $(show ActiveState) $(show NRestarts)" "1 active 0"
	# The gate may come only now.
	is "with each line as an error" "$(journal | sed '/^6 the DNS gate /d; / Docker /d; s/^. socket: .*//; s/^\(.\) .*dorp.*/\1 dorp/' | sort | xargs)" \
		"3 dorp 3 dorp 3 reload: the configuration has errors, keeping the running one"
	is "the status says so" "$(show StatusText)" \
		"enforcing 1 network, 1 name; the last change of the configuration failed"
	systemctl kill -s HUP $unit
	until_true 15 failed_twice
	is "by signal, too" "$(show ActiveState) $(show MainPID)" "active $pid"
	is "what runs is untouched" "$(table | diff $t/before -)" ""
	policy_files
	ctl reload
	is "then all is well again" "$status $(show StatusText)" "0 enforcing 1 network, 1 name"

	# br_netfilter may come when the daemon runs already: then there was nothing that a mount could be made of.
	in_unit umount /proc/sys/net/bridge 2>/dev/null
	echo 0 >/proc/sys/net/bridge/bridge-nf-filter-vlan-tagged
	until_true 20 turned_on
	result "settings that come after it are made" "$(turned_on || journal)"
}

monitored() # TABLE
{
	grep -q "delete table $1" "$t/monitor"
}

# Records the deletions that the kernel was asked for, from `monitor_begin` on. A table of its own shows that it
# looks.
monitor_begin()
{
	nft monitor >$t/monitor & # "destroy" alone is no longer in its grammar (1.1)
	monitor=$!
	until_true 15 eval 'nft add table ip first; nft delete table ip first; monitored "ip first"'
}
monitor_end()
{
	nft add table ip last && nft delete table ip last
	until_true 15 monitored "ip last" || echo "the monitor saw nothing"
	kill "$monitor"
	wait "$monitor" 2>/dev/null
	grep -E 'delete (table|chain|rule|set|map) inet dockside( |$)' $t/monitor
}

restarting()
{
	local inode
	monitor_begin
	table >$t/before
	inode=$(stat -c %i /run/dockside)
	ctl restart
	is "a restart leaves the table as it was" "$status $(table | diff $t/before -)" "0 "
	pid=$(show MainPID)
	kill -KILL "$pid"
	until_true 2 state_is activating
	is "so does kill -9" "$(table | diff $t/before -)" ""
	until_true 10 state_is active
	is "after which another starts" "$(show ActiveState) $(show NRestarts) $(table | diff $t/before -)" "active 1 "
	ctl stop
	is "a stop leaves the rules" "$status $(systemctl is-failed $unit) $(table | head -1 | diff <(head -1 $t/before) -)" \
		"0 inactive "
	is "nothing of it was taken away in all that time" "$(monitor_end)" ""
	is "and neither socket nor lock" "$(ls /run/dockside /run/dsfw-nft.* 2>/dev/null)" "/run/dockside:"
	started
	is "the socket's directory is still the same" "$(stat -c %i /run/dockside)" "$inode"
	systemctl kill $unit
	until_true 15 state_is inactive
	is "whoever ends it has ended it" "$(systemctl is-active $unit) $(show NRestarts)" "inactive 0"

	drop_in WatchdogSec=10
	started
	kill -STOP "$pid"
	until_true 30 restarted
	is "one that hangs is killed, and another started" "$(show ActiveState) $(show NRestarts)" "active 1"
}

# ---- drop-ins --------------------------------------------------------------------------------------

dropped_in()
{
	local lines
	mapfile -t lines < <(dpkg-deb --fsys-tarfile /test/package.deb |
		tar -xO ./usr/share/man/man8/dsfw-nft.8.gz | zcat |
		sed -n '/^\[Service\]$/,/^\.Ed$/ { /^\[/d; /^\./d; s/\\e$/\\/; p }')
	rm -rf /var/log/dsfw-nft
	policy_files
	journal_mark
	drop_in "${lines[@]}"
	started
	refuse 1002
	like "the manual's drop-in: --denied-log has its place" "$(cat /var/log/dsfw-nft/denied.log)" '"port":1002'
	is "which is root's" "$(stat -c '%a %U' /var/log/dsfw-nft /var/log/dsfw-nft/denied.log | xargs)" "750 root 600 root"
	is "nobody complains" "$(journal | grep '^[0-3] ')" ""
	if type -p logrotate >/dev/null; then
		logrotate -f -s /run/logrotate.status /etc/logrotate.d/dsfw-nft >$t/err 2>&1
		refuse 1003
		is "it is rotated" "$(cat $t/err; cd /var/log/dsfw-nft && grep -c '"port":1002' denied.log.1
			grep -c '"port":100[23]' denied.log; stat -c %a denied.log.1)" "1
1
600"
	fi
	like "a group may ask for the status" "$(setpriv --reuid=65534 --regid=adm --clear-groups dsfw-nft status 2>&1)" \
		'^ready: 1 network'
	is "others may not" "$(setpriv --reuid=65534 --regid=65534 --clear-groups dsfw-nft status >/dev/null 2>&1
		echo $?)" 1
	client set-ipset --replace s 192.0.2.1
	is "and files are saved still" "$status $err$(elements ipset-s-v4)" "0 192.0.2.1"

	# The unit's comment has these lines for files of somebody else.
	mapfile -t lines < <(sed -n 's/^#\t//p' /lib/systemd/system/$unit)
	rm $etc/*
	policy_files
	chown 1000:adm $etc/firewall-config.json
	chmod 640 $etc/firewall-config.json
	drop_in "${lines[@]}"
	started
	client set-ipset --replace s 192.0.2.1
	is "the unit's drop-in: files of another owner are saved" \
		"$status $err$(stat -c '%u %G %a' $etc/firewall-config.json)" "0 1000 adm 640"

	install -d -m 700 -o 1000 /run/user/1000
	drop_in Environment=DOCKER_HOST=unix:///run/user/1000/docker.sock
	rm $etc/*
	policy_files
	journal_mark
	started
	like "a rootless Docker is out of reach, which is said" "$(journal)" \
		$'\n4 [^\n]*Docker at /run/user/1000/docker.sock: [^\n]*rules stay in force'

	install -d /srv/dockside
	mv $etc/*-config.json /srv/dockside/
	drop_in ExecStart= "ExecStart=/usr/sbin/dsfw-nft daemon --socket $socket \
--network-config /srv/dockside/network-config.json --firewall-config /srv/dockside/firewall-config.json"
	started
	client set-ipset --replace s 192.0.2.1
	is "files elsewhere are not saved" "$status $(grep -c 'Read-only file system' <<<"$err")" "1 1"
	printf 'ReadWritePaths=/srv/dockside\n' >>$drop_ins/test.conf
	systemctl daemon-reload
	started
	client set-ipset --replace s 192.0.2.1
	is "but where ReadWritePaths= has them" "$status $err" "0 "
	drop_in
}

# ---- the next boot, and the end --------------------------------------------------------------------

enabled()
{
	policy_files
	docker_unit "sh -c 'nft list table inet dockside >/run/docker-saw'"
	printf '[Socket]\nListenStream=/run/docker.sock\n[Install]\nWantedBy=sockets.target\n' \
		>/etc/systemd/system/docker.socket
	systemctl -q enable docker.socket docker.service $unit
	is "it can be enabled" "$(systemctl is-enabled $unit)" enabled
}

booted()
{
	cursor=
	is "it is started at boot" "$(show ActiveState) $(show NRestarts)" "active 0"
	like "before Docker, which finds the rules" "$(</run/docker-saw)" 'ds-a-OUT'
	until_true 15 docker_answers
	like "whose socket is there before: it does not wait for that for long" \
		"$out $(($(show ActiveEnterTimestampMonotonic) - $(show InactiveExitTimestampMonotonic)))" \
		'"docker":\{"state":"connected".* [0-3]?[0-9]{1,7}$'
}

removed()
{
	pid=$(show MainPID)
	table >$t/before
	like "an upgrade" "$(dpkg -i /test/package.deb 2>&1 && echo "done")" 'done$'
	is "restarts what runs, which is invisible" \
		"$(show ActiveState) $(($(show MainPID) != pid)) $(table | diff $t/before -)" "active 1 "
	like "removing it" "$(dpkg -r dsfw-nft 2>&1 && echo "done")" 'done$'
	is "stops it, and leaves the rules" "$(systemctl is-active $unit) $(table | head -1 | diff <(head -1 $t/before) -)" \
		"inactive "
	like "purging it" "$(dpkg -P dsfw-nft 2>&1 && echo "done")" 'done$'
	is "leaves the configuration" "$(find /etc /usr /var /run -xdev -name '*dsfw-nft*' ! -path '/var/cache/*'
		ls -d /run/dockside 2>/dev/null; ls $etc)" "firewall-config.json
network-config.json"
}

echo 1 >/proc/sys/net/ipv4/ip_forward
if [[ $boot -eq 1 ]]; then
	installed
	running
	exercise "as shipped"
	# Not EPERM, which may be overlooked: whoever calls what the filter has not is killed.
	drop_in SystemCallErrorNumber= Environment=DOCKSIDE_METRICS_LISTEN=127.0.0.1:9853
	exercise "system calls"
	drop_in
	reloading
	restarting
	dropped_in
	enabled
	reboot_host
fi
booted
removed
finish
