#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A container is who it says it is: further tries of a container with Docker's default capabilities, see bind_holes.py. TAP.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"
# shellcheck source=tests/docker/bind_lib.sh
. "$lab/bind_lib.sh"

holes_lab

attack() # TRY NAME MAC IPV4 IPV6
{
	timeout 100 python3 "$lab/bind_holes_life.py" "$@" docker exec -i "$2" /bin/frames eth0 2>$t/attack.err ||
		echo "the attack fails: $(tail -5 $t/attack.err)"
}
mine=(c1 02:00:00:00:01:11 172.30.1.11 fd77:1::11)

tries() # MODE TRY…
{
	local try
	for try in "${@:2}"; do
		attack "$try" "${mine[@]}" | sed "s/^/$1	/" | tee -a "$t/tries.$1" | comment
		[[ $try != stopped ]] || { docker start c2 >/dev/null; container_bind c2; }
	done
}
# new_port MODE: a container that starts when no daemon runs
new_port()
{
	container_run c4 ds-a 172.30.1.14 fd77:1::14 02:00:00:00:01:14 &&
		give_frames c4
	attack strange c4 02:00:00:00:01:14 172.30.1.14 fd77:1::14 | sed "s/^/$1, new port, no daemon	/" | tee -a "$t/tries.$1" | comment
	docker rm -f c4 >/dev/null
}
unknown() # MODE
{
	timeout 100 python3 "$lab/bind_holes_life.py" strange stranger 02:00:00:00:01:99 172.30.1.99 fd77:1::99 \
		nsenter --net=/run/netns/stranger "$t/frames" eth0 2>&1 | sed "s/^/$1, unknown	/" | tee -a "$t/tries.$1" | comment
}

tries off stopped aged gateway_theft
new_port off
for bind in learn strict; do
	bind_config $bind
	end_daemon TERM
	start_daemon
	until_true 10 sets_agree
	[[ $bind == strict ]] || tries $bind stopped aged gateway_theft
	until_true 10 sets_agree
	is "$bind: Docker's word" "$(sets_found)" "$(sets_wanted)"
	stranger
	sleep 1
	unknown $bind
	ip netns del stranger
	end_daemon KILL
	new_port $bind
	start_daemon
	# of "learn", an address that is nobody's is allowed; and of a port that came while no daemon was there
	result "$bind: nothing arrives" "$(grep -v 'ARP, nobody\|MAC in ARP\|no daemon.*an address of no network' "$t/tries.$bind" | awk -F '\t' '$NF != 0')"
done
finish
