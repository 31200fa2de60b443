#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Daemon and DNS gate as two containers, by rulesets/compose-gate and Compose itself. TAP.
# shellcheck disable=SC2317 # until_true calls functions
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/docker/image_lib.sh
. "$lab/image_lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"
socket=/run/dockside/firewall.sock # the container's

example=$lab/../../rulesets/compose-gate
if type -p docker-compose >/dev/null; then
	compose=(docker-compose)
elif docker compose version >/dev/null 2>&1; then
	compose=(docker compose)
else
	bail "no Compose (Debian package docker-compose)"
fi

outside 9.9.9.10/32 || bail "cannot build the network"
ip -n outside route add local 11.0.0.0/8 dev lo
echo "nameserver 9.9.9.10" >$t/resolv.conf
nsenter --net=/run/netns/outside python3 "$here/gate.py" serve 9.9.9.10 $t/asked 2>$t/upstream.log &
nsenter --net=/run/netns/outside python3 "$lab/serve.py" 443 &
until_true 5 prints '9\.9\.9\.10:53' nsenter --net=/run/netns/outside ss -Hlun || bail "no name server"
dockerd_start
ln -s "$docker_dir/docker.sock" /run/docker.sock
program_image || bail "no image"
busybox_image || bail "no image of busybox"
for setting in call-iptables call-ip6tables filter-vlan-tagged; do
	echo 1 >/proc/sys/net/bridge/bridge-nf-$setting
done
cp -r "$example" $t/compose-gate || bail "no example"

compose()
{
	(cd $t/compose-gate && "${compose[@]}" --project-directory . -p stack "$@") >$t/out 2>&1
	status=$?
}
taken()
{
	policy_is taken
}
gate_is_away()
{
	[[ $(of gate connected) == False ]]
}
container_of() # SERVICE
{
	docker ps -q -f "label=com.docker.compose.service=$1" -f label=com.docker.compose.project=stack
}
reaches() # NAME
{
	docker run --rm --network ds-agents bb:1 nc -w 15 "$1" 443 </dev/null 2>&1 | tail -n 1
}

compose up -d --no-build
is "compose up" "$status $([[ $status -eq 0 ]] || cat $t/out)" "0 "
result "the gate has the daemon's policy" "$(until_true 20 taken || {
	docker logs "$(container_of dsfw-nft)"
	docker logs "$(container_of gate)"
} 2>&1)"
until_true 10 eval 'docker network inspect ds-agents >/dev/null 2>&1' || bail "no network"
is "there is no alarm" "$(of alarms)" "[]"
pid=$(docker inspect -f '{{.State.Pid}}' "$(container_of gate)")
is "the gate has a user of its own and no capability" "$(sed -nE 's/^(Uid|CapPrm|CapEff|CapBnd|NoNewPrivs):\s*/\1 /p' "/proc/$pid/status" |
	tr -s '\t ' ' ')" "Uid 4711 4711 4711 4711
CapPrm 0000000000000000
CapEff 0000000000000000
CapBnd 0000000000000000
NoNewPrivs 1"
is "an allowed name is reached" "$(reaches api.model.example)" here
is "one below a wildcard, too" "$(reaches git.code.example.com)" here
like "another one is not" "$(reaches evil.example)" "bad address 'evil.example'"
is "nor asked" "$(grep -c evil $t/asked)" 0
compose restart gate
result "after a restart of the gate" "$(until_true 10 taken || cat $t/out)"
is "names are reached" "$(reaches api.model.example)" here
compose restart dsfw-nft
result "of the daemon" "$(until_true 20 taken || cat $t/out)"
is "they are" "$(reaches git.code.example.com)" here
compose stop gate
result "a gate that was stopped is missed" "$(until_true 5 gate_is_away || of gate)"
like "and names are not answered" "$(reaches api.model.example)" "bad address|timed out"
compose down
is "compose down" "$status" 0
docker run --rm --network host --cap-drop ALL --cap-add NET_ADMIN dsfw-nft teardown >$t/out 2>&1
is "teardown in a container" "$? $(nft list tables | grep -c dockside)" "0 0"
dockerd_stop
finish
