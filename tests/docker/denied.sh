#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon reports the refused packets of a real dockerd's containers within a second, with the container's name,
# its network, and the line of the rule; also where an address has a new owner. TAP.
# shellcheck disable=SC2086,SC2317 # until_true calls functions
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

outside 198.51.100.1/32 203.0.113.1/32 2001:db8:51::1/128 || bail "cannot build the network"
network_config <<'CONFIG'
{"networks": [
	{"name": "ds-A", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"},
	{"name": "ds-b", "subnet": "172.30.2.0/24"}]}
CONFIG
firewall_config <<'CONFIG'
{"networks": {
	"ds-A": {"egress": [
		{"proto": "tcp", "ports": [80]},
		{"action": "drop", "to": "cidr", "cidr": "203.0.113.0/24"},
		{"action": "drop"}]},
	"ds-b": {
		"egress": [{"action": "drop", "proto": "tcp"}, {"action": "drop"}],
		"host": [{"action": "drop"}]}}}
CONFIG
dockerd_start
busybox_image || bail "no image"
start_listening
start_daemon
{
	container_run web-a1 ds-A 172.30.1.11 fd77:1::11 - && container_run web-a2 ds-A 172.30.1.12 fd77:1::12 - &&
		container_run job_a3 ds-A 172.30.1.13 fd77:1::13 02:00:00:00:01:13 &&
		container_run b1 ds-b 172.30.2.11 - - && container_run b2 ds-b 172.30.2.12 - - &&
		container_run b3 ds-b 172.30.2.13 - -
} || bail "no containers"

rule() # NETWORK KIND ENTRY LINE
{
	echo "network=$1 kind=$2 rule=$3 file=$t/firewall.json line=$4 verdict=refused"
}
cat >$t/wanted <<END
web-a1 tcp 198.51.100.1 container=web-a1 source=172.30.1.11 $(rule ds-A OUT 'egress[2]' 5)
web-a2 udp 203.0.113.1 container=web-a2 source=172.30.1.12 $(rule ds-A OUT 'egress[1]' 4)
web-a2 tcp 2001:db8:51::1 container=web-a2 source=fd77:1::12 $(rule ds-A OUT 'egress[2]' 5)
job_a3 udp 172.30.1.11 container=job_a3 source=172.30.1.13 network=ds-A kind=ING rule=- file=None line=None
b1 tcp 198.51.100.1 container=b1 source=172.30.2.11 $(rule ds-b OUT 'egress[0]' 7)
b2 udp 192.0.2.1 container=b2 source=172.30.2.12 $(rule ds-b HOST 'host[0]' 8)
b3 udp 198.51.100.1 container=b3 source=172.30.2.13 $(rule ds-b OUT 'egress[1]' 7)
END
targets=(web-a1:tcp:198.51.100.1 b1:tcp:198.51.100.1 web-a2:udp:203.0.113.1 b2:udp:192.0.2.1
	job_a3:udp:172.30.1.11 b3:udp:198.51.100.1 web-a2:tcp:2001:db8:51::1)

# ---- a thousand ----------------------------------------------------------------------------------

start_following()
{
	"$DSFW_NFT" denied --socket $socket --json --follow --since 0s 2>$t/follower |
		python3 "$lab/refused.py" hear $t/heard 2>$t/hearing &
	until_true 5 test -e $t/heard
	until_true 5 follows
}
# shellcheck disable=SC2317 # until_true calls it
follows()
{
	ss -Hxn state established src "$socket" | matches .
}
heard() # COUNT
{
	[[ $(wc -l <$t/heard) -ge $1 ]]
}
start_following
rate=$(python3 "$lab/refused.py" send $t/sent 100 1000 20000 "${targets[@]}")
until_true 5 heard 1000
sleep 1 # for what should not come
is "1,000 refused connections are 1,000 events" "$(wc -l <$t/sent) $(wc -l <$t/heard)" "1000 1000"
result "each within a second, with network, container and line" \
	"$(python3 "$lab/refused.py" judge $t/sent $t/heard $t/wanted 2>$t/slowest)"
comment <<<"$rate connections a second; $(<$t/slowest)"

# ---- an address with a new owner -----------------------------------------------------------------

# As soon as it is there: what is refused to it must not be told of its predecessor.
: >$t/sent.all
: >$t/wanted
before=web-a1
for i in {1..8}; do
	name=heir-$i
	docker rm -f $before >/dev/null && umount "/run/netns/$before" && rm "/run/netns/$before"
	container_run $name ds-A 172.30.1.11 fd77:1::11 - || bail "no container $name"
	python3 "$lab/refused.py" send $t/sent 50 3 $((30000 + 10 * i)) $name:udp:198.51.100.1 >/dev/null
	cat $t/sent >>$t/sent.all
	echo "$name udp 198.51.100.1 container=$name source=172.30.1.11 $(rule ds-A OUT 'egress[2]' 5)" >>$t/wanted
	before=$name
done
until_true 5 heard 1024
sleep 0.5
tail -n +1001 $t/heard >$t/heard.new
result "an address with a new owner" "$(python3 "$lab/refused.py" judge $t/sent.all $t/heard.new $t/wanted 2>$t/slowest)"
client denied --network ds-A
like "for people" "$(tail -2 <<<"$out" | head -1)" "ds-A +heir-8 \(172.30.1.11\) +198.51.100.1 +udp/30082 +egress\[2\] \($t/firewall.json:5\)"
like "and how many packets there were in all" "$(tail -1 <<<"$out")" "… +ds-A +[0-9,]+ packets in all"

end_daemon TERM
is "a good end" "$status" 0
finish
