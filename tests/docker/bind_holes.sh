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

attack()
{
	timeout 300 python3 "$lab/bind_holes.py" c1 02:00:00:00:01:11 172.30.1.11 fd77:1::11 \
		docker exec -i c1 /bin/frames eth0 >"$t/holes.$1" 2>$t/attack.err || bail "the attack fails: $(tail -5 $t/attack.err)"
	[[ -z ${VERBOSE:-} ]] || comment <$t/attack.err
}

attack off
for bind in ${MODES:-learn}; do
	bind_config "$bind"
	end_daemon TERM
	start_daemon
	until_true 10 sets_agree
	is "\"bind\": \"$bind\": the sets are Docker's word" "$(sets_found)" "$(sets_wanted)"
	attack "$bind"
	awk -F '\t' -v mode="$bind" 'NR == FNR { off[$1 $2] = $3; next } { print "off " off[$1 $2] " " mode " " $3 "  " $1 ": " $2 }' \
		$t/holes.off "$t/holes.$bind" | comment
	# SECURITY.md has those that are known: ARP of another kind
	# than Ethernet's passes, which no kernel reads. A router's port remains one for minutes, from the time of "off".
	result "$bind: nothing arrives, nobody is harmed" \
		"$(grep -vE "^queriers	MLD query: the attacker's port|^frames	ARP with lengths 8" \
			"$t/holes.$bind" | awk -F '\t' '$3 { print $1 ": " $2 ": " $3 }')"
done
client status
grep -i raw <<<"$out" | comment
finish
