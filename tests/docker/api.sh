#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# apply and the daemon make the networks of a real dockerd, and know who is attached. TAP.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

config()
{
	network_config <<-'END'
		{"networks": [
			{"name": "ds-A", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "dockside_ip": "172.30.1.2"},
			{"name": "ds-b", "subnet": "172.30.2.0/24", "gateway_ip": "172.30.2.9"}]}
	END
	firewall_config <<<'{"networks": {"ds-A": {"egress": [{"action": "drop"}]}, "ds-b": {"egress": [{"action": "drop"}]}}}'
}
config

shows() # VALUE PATH…
{
	[[ $(of "${@:2}") == "$1" ]]
}

said()
{
	cat "$t/err" "$t/out" | grep -E 'Docker|network ' | grep -v '^applied: ' | grep -v ': note: ' | sed 's/^\(warning\|error\): //'
}

gone() # BRIDGE
{
	! nft list chain inet dockside "$1-OUT" >/dev/null 2>&1
}

run() # NAME NETWORK ADDRESS
{
	docker run -d --name "$1" --network "$2" --ip "$3" bb:1 /bin/busybox sleep 1000 >/dev/null
}

dockerd_start
busybox_image || bail "no image"

# ---- apply -------------------------------------------------------------------------------------

dsfw apply
is "apply makes the networks" "$status $(said)" "0 network ds-A: created in Docker
network ds-b: created in Docker"
is "as configured" "$(docker network inspect -f '{{.Driver}} {{.EnableIPv6}} {{range .IPAM.Config}}{{.Subnet}} {{.Gateway}} {{end}}' ds-A ds-b)" \
	"bridge true 172.30.1.0/24 172.30.1.1 fd77:1::/64  
bridge false 172.30.2.0/24 172.30.2.9 "
is "with their options" "$(docker network inspect -f '{{range $key, $value := .Options}}{{$key}}={{$value}}
{{end}}' ds-A)" "com.docker.network.bridge.enable_icc=true
com.docker.network.bridge.enable_ip_masquerade=true
com.docker.network.bridge.host_binding_ipv4=0.0.0.0
com.docker.network.bridge.name=ds-a
com.docker.network.driver.mtu=1500"
dsfw apply
like "a second time there is nothing to do" "$status $(said)" "^0 nothing to change in Docker [^ ]*: 2 networks$"
docker network rm ds-b >/dev/null
docker network create --subnet 172.30.77.0/24 ds-b >/dev/null
dsfw apply
like "what differs is reported" "$status $(said)" "^1 network ds-b: its bridge is br-.*NOT JUDGED.*its subnet is 172.30.77.0/24 in Docker"
run c1 ds-A 172.30.1.11 || bail "no container"
cp $t/network.json $t/network.all
cp $t/firewall.json $t/firewall.all
network_config <<<'{"networks": [{"name": "ds-b", "subnet": "172.30.2.0/24", "gateway_ip": "172.30.2.9"}]}'
firewall_config <<<'{"networks": {"ds-b": {"egress": [{"action": "drop"}]}}}'
dsfw apply
like "apply without a network that has containers keeps its policy" "$status $(said)" \
	"network with bridge ds-a is no longer configured; its policy stays, as containers are attached: c1"
like "and marks it" "$(nft list map inet dockside dispatch)" '"ds-a" comment "draining" : goto ds-a-OUT'
dsfw diff
like "which diff knows, too: no difference but the network that is not judged" "$status $out" \
	"^1 networks.*network ds-b: its bridge is br-[^;]*NOT JUDGED"
is "in no table" "$(grep -c '^table' $t/out)" 0
docker stop -t 0 c1 >/dev/null
dsfw apply
is "when they have left, it goes" "$(nft list ruleset | grep -c 'chain ds-a-')" 0
cp $t/network.all $t/network.json
cp $t/firewall.all $t/firewall.json
docker start c1 >/dev/null
dsfw apply
RESET=1 dsfw apply
like "RESET=1 recreates what Docker lets go" "$status $(said)" \
	"^1 network ds-A: remove it: .* has active endpoints .*network ds-b: created in Docker"
docker rm -f c1 >/dev/null
docker network rm ds-A >/dev/null
docker network create --subnet 172.30.1.0/24 -o com.docker.network.bridge.name=taken taken >/dev/null
dsfw apply
like "what Docker refuses is a failure, in its words" "$status $(said)" "^1 network ds-A: create it: .*[Pp]ool overlaps"
docker network rm taken >/dev/null
dsfw teardown
is "teardown leaves Docker's networks" "$status $(docker network ls -q -f name=ds-b | wc -l)" "0 1"

# ---- the daemon --------------------------------------------------------------------------------

start_listening
start_daemon
is "the daemon makes what is missing" "$(of network_details ds-A docker) $(of network_details ds-b docker)" "present present"
is "and knows Docker" "$(of docker version)" "$(docker version -f '{{.Server.Version}}')"
until_true 5 shows True docker events
run c1 ds-A 172.30.1.11 || bail "no container"
run dockside ds-A 172.30.1.2 || bail "no container"
until_true 3 shows 2 network_details ds-A containers
is "and who is attached" "$(of network_details ds-A containers)" 2
docker network create ds-orphan >/dev/null
client reconcile --json
like "an orphan is found" "$out" '"docker_orphans":\["ds-orphan"\]'
docker network rm ds-b >/dev/null
until_true 3 shows absent network_details ds-b docker
sleep 1
is "a network that is removed by hand stays so" "$(of network_details ds-b docker)" absent
client set-network ds-c --network '{"subnet": "172.30.3.0/24"}'
is "set-network answers when the network is there" "$status $(docker network inspect -f '{{.Name}}' ds-c ds-b | xargs)" "0 ds-c ds-b"
client remove-network ds-b
like "a network without containers goes at once" "$status $out" "^0 enforced and saved"
client remove-network ds-A
like "one with containers drains" "$status $out" "^0 saved; containers are attached"
docker restart -t 0 c1 >/dev/null
sleep 1
is "a container that is restarted has not left" "$(of network_details ds-A state)" draining
docker stop -t 0 c1 >/dev/null
until_true 5 gone ds-a
is "until only the dockside container is left" "$(of network_details ds-A state)" ""
config
client reload
is "configured again" "$status $(of network_details ds-A docker)" "0 present"
docker start c1 >/dev/null
until_true 3 shows 2 network_details ds-A containers
network_config <<<'{"networks": [{"name": "ds-b", "subnet": "172.30.2.0/24", "gateway_ip": "172.30.2.9"}]}'
firewall_config <<<'{"networks": {"ds-b": {"egress": [{"action": "drop"}]}}}'
client reload
is "who edits the files does not open a network with containers either" "$status $(of network_details ds-A state)" \
	"0 draining"
like "its policy stays" "$(nft list map inet dockside dispatch)" '"ds-a" comment "draining" : goto ds-a-OUT'
docker stop -t 0 c1 >/dev/null
until_true 5 gone ds-a
is "until they have left" "$(of network_details ds-A state)" ""
config
client reload

before=$(life | wc -l)
# shellcheck disable=SC2119 # without options
dockerd_restart
until_true 15 shows connected docker state
like "a restart of Docker makes one line" "$(life | tail -n +$((before + 1)) | grep -v 'put back\|by uid\|networks are not made')" \
	"^Docker [^ ]* \($(docker_speaks)\) answers again, after [0-9]+ s$"
is "and nobody has left" "$(until_true 5 shows 1 network_details ds-A containers; of network_details ds-A containers)" 1

kill -STOP "$dockerd_pid"
client remove-network ds-A
like "while Docker hangs a network drains" "$status $out" "^0 saved; containers are attached"
kill -CONT "$dockerd_pid"
docker rm -f dockside >/dev/null
until_true 40 gone ds-a
is "until Docker speaks again" "$(of network_details ds-A state)" ""
end_daemon TERM
is "it ends" "$status" 0

finish
