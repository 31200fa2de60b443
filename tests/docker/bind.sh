#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A container is who it says it is: what a real container with Docker's default capabilities forges on its port arrives
# nowhere, and all of it arrives where "bind" is "off". Then the same from a port that nobody knows. TAP.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"
# shellcheck source=tests/docker/bind_lib.sh
. "$lab/bind_lib.sh"

bind_lab off 198.51.100.1/32 203.0.113.66/32 2001:db8:51::1/128 2001:db8:bad::66/128 <<'CONFIG'
{"networks": {"ds-a": {
	"egress": [
		{"proto": "udp", "ports": [53], "to": "ip", "ip": "198.51.100.1"},
		{"proto": "udp", "ports": [53], "to": "ip", "ip": "2001:db8:51::1"},
		{"proto": "tcp", "ports": [443], "to": "ip", "ip": "198.51.100.1"},
		{"proto": "tcp", "ports": [443], "to": "ip", "ip": "2001:db8:51::1"},
		{"action": "drop"}],
	"host": [{"action": "drop"}]}}}
CONFIG
like "the attacker has Docker's default capabilities" "$(docker exec c1 grep CapEff /proc/self/status)" 00000000a80425fb$

# The sender on the stranger's port has NET_RAW alone.
stranger || bail "no port"

# attack_known, attack_unknown: lines "FAMILY PROBE COUNT", see bind_attack.py
attack_known()
{
	timeout 300 python3 "$lab/bind_attack.py" c1 02:00:00:00:01:11 172.30.1.11 fd77:1::11 known \
		docker exec -i c1 /bin/frames eth0
}
attack_unknown()
{
	timeout 300 python3 "$lab/bind_attack.py" stranger 02:00:00:00:01:99 172.30.1.99 fd77:1::99 unknown \
		nsenter --net=/run/netns/stranger setpriv --inh-caps=-all --bounding-set=-all,+net_raw "$t/frames" eth0
}
# attack WHO: into $t/attack.WHO
attack()
{
	"attack_$1" >"$t/attack.$1" 2>$t/attack.err || bail "the attack fails: $(tail -3 $t/attack.err) $(tail -1 "$t/attack.$1")"
}

# arrives_all DESCRIPTION FILE…: each probe arrived in one of the files; prints which are only in the last
arrives_all()
{
	result "$1" "$(awk -F '\t' '{ probe = $1 ": " $2; if ($3 > most[probe]) most[probe] = $3; probes[probe] }
		END { for (probe in probes) { n++; if (!most[probe]) print "does not arrive: " probe }
			if (n < 60) print "only " n " probes" }' "${@:2}" | sort)"
}
# arrives_none DESCRIPTION FILE
arrives_none()
{
	result "$1" "$(awk -F '\t' '{ n++; if ($3) print $1 ": " $2 ": " $3 " arrived" }
		END { if (n < 60) print "only " n " probes" }' "$2")"
	awk -F '\t' -v what="$1" '{ n++; if ($3) m++ } END { print what ": " m + 0 " of " n " arrived" }' "$2" | comment
}

# ---- the controls --------------------------------------------------------------------------------

for who in known unknown; do
	attack $who
	mv $t/attack.$who $t/off.$who
done
end_daemon TERM
dsfw teardown
is "without any table" "$(nft list tables | grep -c dockside)" 0
for who in known unknown; do
	attack $who
	arrives_all "every forged frame arrives where nothing binds it, from a port that is $who" $t/off.$who $t/attack.$who
	awk -F '\t' 'NR == FNR { off[$1 $2] = $3; next } !off[$1 $2] { print "refused with \"bind\": \"off\", too: " $1 ": " $2 }' \
		$t/off.$who $t/attack.$who | comment
done

# ---- bound ---------------------------------------------------------------------------------------

for bind in learn strict; do
	bind_config $bind
	start_daemon
	until_true 10 sets_agree
	is "\"bind\": \"$bind\": the sets are Docker's word" "$(sets_found)" "$(sets_wanted)"
	attack known
	arrives_none "from a container" $t/attack.known
	client denied --network ds-a
	like "the container and the address that it pretended to have are told" "$out" "c1 \(172\.30\.1\.12\)"
	attack unknown
	arrives_none "from a port that is not known" $t/attack.unknown
	end_daemon TERM
done
attack known
arrives_none "without the daemon, from a container" $t/attack.known
like "counted in the bridge table" "$(nft list table bridge dockside)" "counter packets [1-9]"

finish
