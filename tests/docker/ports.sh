#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ports_probe finds who is on which port from the kernel and dockerd, against what dockerd says itself: containers
# start, stop, join and leave, and dockerd restarts under them. TAP.
#
# Environment: STARTS, so many containers are started for the time that it takes (20); CHURN=yes, interfaces change all the
# while, so that both are asked at any moment of a container's start.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

ports_probe=${TOP_BUILDDIR:-$lab/../..}/tests/netns/ports_probe
[[ -x $ports_probe ]] || bail "no program at $ports_probe: make check TESTS="
: "${STARTS:=20}"

dockerd_start
busybox_image || bail "no image"
networks()
{
	make_network ds-a 172.20.1.0/24 172.20.1.1 2001:db8:1::/64 && make_network ds-b 172.20.2.0/24 172.20.2.1
}
networks || bail "no networks"
for network in a b; do
	"$ports_probe" watch "$docker_dir/docker.sock" ds-$network ds-$network $t/ports-$network \
		< <(sleep infinity) >$t/log-$network 2>&1 &
done

# found NETWORK: "CONTAINER ADDRESS… MAC" of the ports that are known, "-: …" of others
found()
{
	cut -d ' ' -f 3- $t/ports-"$1" | sort
}
# by_docker NETWORK: the same, as dockerd has it
by_docker()
{
	local format='{{range .Containers}}{{.Name}} {{.IPv4Address}} {{.IPv6Address}} {{.MacAddress}}{{"\n"}}{{end}}'
	docker network inspect -f "$format" ds-"$1" | sed -E 's,/[0-9]+,,g; s/  +/ /g; /^$/d' | sort
}
agree()
{
	[[ $(found a) == "$(by_docker a)" && $(found b) == "$(by_docker b)" ]]
}
# agree_on DESCRIPTION COUNT-A COUNT-B: the ports are those that dockerd tells, which are so many
agree_on()
{
	until_true 5 agree
	is "$1" "$(found a)
b: $(found b)" "$(by_docker a)
b: $(by_docker b)"
	is "$1: so many" "$(by_docker a | grep -c .) $(by_docker b | grep -c .)" "$2 $3"
}
run() # NAME [OPTION…]: on ds-a, if no option says another network
{
	local network=(--network ds-a)
	[[ "${*:2}" != *--network* ]] || network=()
	docker run -d --name "$1" "${network[@]}" "${@:2}" bb:1 >/dev/null || bail "no container $1"
}

until_true 5 test -e $t/ports-a -a -e $t/ports-b || bail "ports_probe: $(cat $t/log-[ab])"
agree_on "nobody" 0 0
run c1
run c2 --ip 172.20.1.22 --ip6 2001:db8:1::22
run c3 --network ds-b
agree_on "containers start" 2 1
docker network connect ds-b c1
agree_on "one joins another network" 2 2
docker network disconnect ds-a c1
agree_on "and leaves the first" 1 2
docker restart -t 0 c2 >/dev/null
agree_on "one restarts" 1 2
docker rm -f c1 >/dev/null
run c4
docker restart -t 0 c2 >/dev/null
agree_on "one takes the address of another, which restarts" 2 1
docker pause c4 >/dev/null
docker unpause c4 >/dev/null
dockerd_restart TERM
agree_on "dockerd restarts" 2 1
run c5 --cap-add NET_ADMIN
agree_on "dockerd goes on" 3 1
mac=$(by_docker a | sed -n 's/^c2 .* //p')
docker exec c5 sh -c "ip link set eth0 down; ip link set eth0 address $mac; ip link set eth0 up"
# A command without a daemon finds the same, once. Of ds-a alone, which is in its files.
echo '{"networks": [{"name": "ds-a", "subnet": "172.20.1.0/24", "subnet6": "2001:db8:1::/64"}]}' >$t/network.json
echo '{"networks": {"ds-a": {"egress": [{"action": "drop"}]}}}' >$t/firewall.json
docker restart -t 0 c5 >/dev/null
agree_on "the one with NET_ADMIN is itself again" 3 1
asked=$("$ports_probe" ask "$docker_dir/docker.sock" $t/network.json $t/firewall.json 2>&1)
is "asked once" "$(cut -d ' ' -f 3- <<<"$asked" | grep . | sort)" "$(by_docker a)"
like "asked once: dockerd has answered" "$asked" "answered ds-a"
docker exec c5 sh -c "ip link set eth0 down; ip link set eth0 address $mac; ip link set eth0 up"
docker network disconnect ds-b c3
agree_on "one with NET_ADMIN that takes the MAC address of another" 3 0
docker restart -t 0 c2 >/dev/null
agree_on "and keeps it while that one restarts" 3 0
dockerd_restart KILL
agree_on "dockerd is killed" 3 0
docker rm -f c2 c3 c4 c5 >/dev/null
agree_on "nobody is left" 0 0

# ---- what a container may do to its network ------------------------------------------------------

# caps OPTION…: what such a container has of NET_RAW and NET_ADMIN, by Docker and by the kernel, where they differ
caps()
{
	local told has
	run caps "$@"
	told=$(engine GET /containers/caps/json | "$ports_probe" caps 2>&1)
	has=0x$(sed -n 's/^CapBnd:\t*//p' "/proc/$(docker inspect -f '{{.State.Pid}}' caps)/status")
	has="$((has >> 13 & 1)) $((has >> 12 & 1))"
	[[ $told == "$has" ]] || echo "$*: told $told, has $has"
	docker rm -f caps >/dev/null
}
# Not everybody who runs this can give all capabilities.
result "NET_RAW and NET_ADMIN" "$(caps
	caps --cap-drop NET_RAW
	caps --cap-add NET_ADMIN
	caps --cap-drop ALL --cap-add NET_ADMIN
	caps --cap-drop ALL
	caps --cap-drop NET_RAW --cap-add NET_RAW)"

# ---- how soon ------------------------------------------------------------------------------------

# began NAME: starts it, and prints its name and when its process began to run, in milliseconds. Docker's own word for that,
# StartedAt, is from before there is a network, in Docker 28.
began()
{
	local file
	docker run -d --name "$1" --network ds-a bb:1 sh -c '>/tmp/began; exec sleep 100000' >/dev/null ||
		bail "no container $1"
	file=/proc/$(docker inspect -f '{{.State.Pid}}' "$1")/root/tmp/began
	until_true 10 test -e "$file"
	echo "$1 $(($(stat -c %.9Y "$file" | tr -d .) / 1000000))"
}
churn()
{
	while ip link add churn type bridge && ip link del churn; do
		sleep 0.01
	done
}
if [[ ${CHURN:-} == yes ]]; then
	churn &
	churn_pid=$!
fi
# shellcheck disable=SC2317 # until_true calls it
is_known() # CONTAINER
{
	awk -v name="$1" '$4 == name { found = 1 } END { exit !found }' "$t/log-a"
}
: >$t/started
for ((i = 0; i < STARTS; i++)); do
	began "s$i" >>$t/started
	until_true 10 is_known "s$i"
	docker rm -f "s$i" >/dev/null
done
[[ -z ${churn_pid:-} ]] || kill "$churn_pid"
agree_on "after $STARTS starts and stops" 0 0
while read -r name time; do
	known=$(awk -v name="$name" '$4 == name { print $1 }' $t/log-a)
	[[ -n $known ]] || echo "$name was never known"
	echo "after $((known - time))"
done <$t/started >$t/times
is "each was known" "$(grep -v ^after $t/times)" ""
sort -k 2n $t/times | awk '/^after/ { ms[++n] = $2 } END {
	print "known so many ms after its process began (below 0: before): least " ms[1] ", half of them " \
		ms[int((n + 1) / 2)] ", most " ms[n] ", of " n }' | comment

# ---- as the daemon tells it ----------------------------------------------------------------------

start_listening
start_daemon
run raw
run plain --cap-drop NET_RAW
# told_by_daemon: known ports, unknown ones, and who has NET_RAW, of ds-a
told_by_daemon()
{
	client status --json
	python3 -c 'import json, sys
network = json.load(open(sys.argv[1]))["network_details"]["ds-a"]
print(network["known_port_count"], network["unknown_port_count"], *network["net_raw"])' $t/out 2>&1
}
told_so()
{
	[[ $(told_by_daemon) == "$1" ]]
}
until_true 10 told_so "2 0 raw"
is "status knows both, and who has NET_RAW" "$(told_by_daemon)" "2 0 raw"
end_daemon TERM
finish
