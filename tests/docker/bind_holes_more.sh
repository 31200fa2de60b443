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
	DAEMON=$daemon_pid timeout 100 python3 "$lab/bind_holes_more.py" "$@" docker exec -i "$2" /bin/frames eth0 2>$t/attack.err ||
		echo "the attack fails: $(tail -5 $t/attack.err)"
	comment <$t/attack.err >&2
}
mine=(c1 02:00:00:00:01:11 172.30.1.11 fd77:1::11)
tries() # MODE TRY…
{
	local try
	for try in "${@:2}"; do
		attack "$try" "${mine[@]}" | sed "s/^/$1	/" | tee -a "$t/tries.$1" | comment
	done
}

tries off middle routers dad_start offline
# shellcheck disable=SC2043 # there may be more
for bind in learn; do
	bind_config $bind
	end_daemon TERM
	start_daemon
	until_true 10 sets_agree
	is "$bind: Docker's word" "$(sets_found)" "$(sets_wanted)"
	tries $bind middle routers dad_start offline
	until_true 10 sets_agree
	stranger
	sleep 1
	timeout 100 python3 "$lab/bind_holes_more.py" unknown stranger 02:00:00:00:01:99 172.30.1.99 fd77:1::99 \
		nsenter --net=/run/netns/stranger "$t/frames" eth0 2>&1 | sed "s/^/$bind, unknown	/" | tee -a "$t/tries.$bind" | comment
	ip netns del stranger
	# the rules are gone for a moment
	tries $bind flushed
	# SECURITY.md has those that are known: IPv4's multicast routers; a port that Docker does not know may say
	# that it has the host's link-local address.
	result "$bind: nothing arrives, nobody is harmed" \
		"$(grep -vE "table is there|	(IGMP|PIM)|unknown	NA of the host's fe80" "$t/tries.$bind" | awk -F '\t' '$NF != 0')"
done
finish
