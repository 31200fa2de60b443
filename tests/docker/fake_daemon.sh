#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon and Docker's networks, against an Engine API that comes and goes, hangs and lies. TAP.
# shellcheck disable=SC2317 # until_true calls them
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh" || exit 1
# shellcheck source=tests/docker/fake_lib.sh
. "$(dirname "$0")/fake_lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

config()
{
	network_config <<-'END'
		{"networks": [
			{"name": "ds-A", "subnet": "172.30.1.0/24", "dockside_ip": "172.30.1.2",
				"dockside_mac": "02:42:ac:1e:01:02"},
			{"name": "ds-b", "subnet": "172.30.2.0/24"}]}
	END
	firewall_config <<<'{"networks": {"ds-A": {"egress": [{"action": "drop"}]}, "ds-b": {"egress": [{"action": "drop"}]}}}'
}
config

docker_is() # STATE
{
	[[ $(of docker state) == "$1" ]]
}

network_is() # NAME STATE
{
	[[ $(of network_details "$1" docker) == "$2" ]]
}

has() # NAME CONTAINERS
{
	[[ $(of network_details "$1" containers) == "$2" ]]
}

drains() # BRIDGE
{
	[[ $(of network_details "$1" state) == draining ]]
}

chains_are_gone() # BRIDGE
{
	! nft list chain inet dockside "$1-OUT" >/dev/null 2>&1
}

ready_within() # MILLISECONDS, calm ones
{
	[[ $ready_after -le $1 ]] && echo "in time" || echo "$ready_after ms"
}

start_listening

# ---- no Docker, then one --------------------------------------------------------------------------

start_daemon
is "without Docker it is ready at once" "$(ready_within 1500)" "in time"
is "and says so" "$(of docker state) $(of network_details ds-A docker)" "absent unknown"
like "once" "$(life | grep -c 'no such socket')" '^1$'
client status --wait-networks=0
like "it has no networks" "$status $err" "^1 error: status: not all networks are there after 0 s: network ds-A is unknown in Docker"
client status --wait-networks=x
is "a wait that makes no sense" "$status" 2
sleep 4 # long enough to be tried less and less often
fake_start
began=$(calm)
client status --wait-networks=60
took=$(calm_since "$began")
is "who waits for its networks has them within a second" "$status $out $((took <= 1500))" "0  1"
echo "# $took ms"
is "when Docker comes" "$(of docker state) $(of docker version) $(of docker backend)" "connected 99.1 iptables"
is "the networks are made" "$(of network_details ds-A docker) $(of network_details ds-b docker)" "present present"
like "in words" "$(client status; echo "$out")" "docker: connected, version 99.1, API 1.50, firewall backend iptables"
until_true 5 prints '^True$' of docker events

# ---- events ----------------------------------------------------------------------------------------

fake_tell connect ds-A c1 02:42:ac:1e:01:0b 172.30.1.11
until_true 3 has ds-A 1
is "who is attached is known" "$(of network_details ds-A containers)" 1
fake_tell connect ds-A dockside 92:01:02:03:04:05 172.30.1.2
until_true 3 network_is ds-A differs
is "a dockside container with another MAC address than dockside_mac is in the log, once" \
	"$(life | grep -cE '^(<4>|warning: )?network ds-A: dockside_mac is 02:42:ac:1e:01:02, but dockside, .* 92:01:02:03:04:05: ')" 1
like "and in status" "$(of network_details ds-A docker) $(client status; echo "$out")" \
	$'^differs .*\nnetwork ds-A: dockside_mac is 02:42:ac:1e:01:02, but dockside, [^\n]*; start it with'
fake_tell disconnect ds-A dockside
fake_tell connect ds-A dockside 02:42:ac:1e:01:02 172.30.1.2
until_true 3 network_is ds-A present
fake_tell disconnect ds-A dockside
fake_tell connect ds-A web 02:42:ac:1e:01:77 172.30.1.2
fake_tell connect ds-A dockside 02:42:ac:1e:01:02 172.30.1.9
until_true 3 prints 'given to web' of network_details ds-A docker_message
like "status says that another container has its address" "$(of network_details ds-A docker_message)" \
	'^network ds-A: dockside, the container with dockside_mac .*, does not have the address 172.30.1.2, which Docker has given to web: '
fake_tell disconnect ds-A web
fake_tell disconnect ds-A dockside
fake_tell connect ds-A dockside 02:42:ac:1e:01:02 172.30.1.2
until_true 3 network_is ds-A present
is "with that MAC address all is well" "$(of network_details ds-A docker) $(of network_details ds-A containers)" "present 2"
fake_tell remove ds-b
until_true 3 network_is ds-b absent
is "a network that somebody removes" "$(of network_details ds-b docker)" absent
is "is in the log" "$(life | grep -c 'network ds-b was removed from Docker by somebody')" 1
: >"$fake_log"
fake_tell create other 10.9.0.0/16 ""
until_true 3 grep -q networks "$fake_log"
sleep 0.5
is "and left so" "$(grep -c POST $fake_log)" 0
client reload
is "until a reload, which answers when it is made" "$status $(of network_details ds-b docker)" "0 present"

fake_tell create ds-orphan 10.8.0.0/16 ""
client reconcile --json
like "an orphan is found at once" "$out" '"docker_orphans":\["ds-orphan"\]'

# ---- draining ----------------------------------------------------------------------------------------

client remove-network ds-b
like "a network without containers goes at once" "$status $out" "^0 enforced and saved"
is "with its chains" "$(chains_are_gone ds-b && echo gone)" gone
is "and stays in Docker" "$(client reconcile --json; grep -o '"docker_orphans.*' <<<"$out")" \
	'"docker_orphans":["ds-b","ds-orphan"]}'
client remove-network ds-A
like "one with containers drains" "$status $out" "^0 saved; containers are attached"
sleep 1.5
is "as long as they are attached" "$(of network_details ds-A state)" draining
fake_tell disconnect ds-A c1
until_true 3 chains_are_gone ds-a
is "the dockside container does not count" "$(of network_details ds-A state)" ""
config
client reload
fake_behaves "GET /networks/ hang"
client remove-network ds-A
like "while Docker hangs, nothing is known" "$status $out" "^0 saved; containers are attached"
is "and it drains" "$(of network_details ds-A state)" draining
# It is asked again every second, and answers other questions, upon which it is connected.
result "status says so" "$(until_true 8 docker_is failing || of docker state)"
fake_behaves
until_true 15 chains_are_gone ds-a
is "until Docker says that nobody is attached" "$(of network_details ds-A state)" ""
config
client reload
until_true 5 has ds-A 0
fake_behaves "GET /networks/ hang"
network_config <<<'{"networks": [{"name": "ds-b", "subnet": "172.30.2.0/24"}]}'
firewall_config <<<'{"networks": {"ds-b": {"egress": [{"action": "drop"}]}}}'
client reload
is "taken out of the files while Docker hangs, it drains as well" "$status $(of network_details ds-A state)" "0 draining"
fake_behaves
until_true 15 chains_are_gone ds-a
is "until Docker says so" "$(of network_details ds-A state)" ""
is "what was said of the hanging" "$(life | grep -c 'no answer within 5 s')" 0
config
client reload

# Names that are other networks' bridges, and bridges that differ by case.
network_config <<'END'
{"networks": [
	{"name": "web1", "bridge": "br-Web", "subnet": "172.30.5.0/24"},
	{"name": "web2", "bridge": "br-web", "subnet": "172.30.6.0/24"},
	{"name": "mine", "bridge": "web", "subnet": "172.30.7.0/24"},
	{"name": "web", "bridge": "br1", "subnet": "172.30.8.0/24"}]}
END
named='{"networks": {"web1": {"egress": [{"action": "drop"}]}, "web2": {"egress": [{"action": "drop"}]},
	"mine": {"egress": [{"action": "drop"}]}, "web": {"egress": [{"action": "drop"}]}}}'
firewall_config <<<"$named"
cp $t/network.json $t/named.json
client reload
number=5
for name in web1 web2 mine; do
	fake_tell connect $name c-$name 02:42:ac:1e:0$number:02 172.30.$number.2
	until_true 3 has $name 1
	number=$((number + 1))
done
# draining: the bridges that have rules and are draining, and their chains
draining()
{
	nft list map inet dockside dispatch | tr ',' '\n' |
		sed -nE 's/.*"([^"]+)" comment "draining" : goto ([^ ]+).*/\1=\2/p' | sort | xargs
}
all="br-Web=web1-OUT br-web=web2-OUT web=mine-OUT"
for name in web1 web2 mine; do
	client remove-network $name
	like "$name drains" "$status $out" "^0 saved; containers are attached"
done
is "each on its bridge" "$(draining)" "$all"
client remove-network web --force
is "a network's name is no bridge" "$status $out $(draining)" "0 enforced and saved $all"
client remove-network web2 --force
is "a draining one is let go by its name" "$status $out $(draining)" "0 released br-Web=web1-OUT web=mine-OUT"
client remove-network br-web --force
like "what is gone is gone" "$status $err" '^1 .*there is no network "br-web"'
client remove-network br-Web --force
is "or by its bridge" "$status $out $(draining)" "0 released web=mine-OUT"
cp $t/named.json $t/network.json
firewall_config <<<"$named"
client reload
network_config <<<'{"networks": []}'
firewall_config <<<'{}'
client reload
is "by the files, too" "$status $(draining)" "0 $all"
for name in web1 web2 mine; do
	fake_tell disconnect $name c-$name
done
nobody_drains()
{
	[[ ! $(draining) ]]
}
until_true 6 nobody_drains
is "until all have left" "$(draining)" ""
config
client reload

# ---- a restart ---------------------------------------------------------------------------------------

before=$(life | wc -l)
sleep 3.5 # long enough to be taken for stable
fake_stop
until_true 4 docker_is absent
is "Docker is gone" "$(of docker state)" absent
fake_start
until_true 8 docker_is connected
until_true 8 network_is ds-b present
is "a restart of Docker makes one line, but for what it has lost" \
	"$(life | tail -n +$((before + 1)) | grep -cv 'created in Docker\|by uid')" 1
like "which is" "$(life | tail -n +$((before + 1)))" "Docker 99.1 .* answers again, after [0-9]+ s"

end_daemon TERM
client status --wait-networks=0
like "without a daemon" "$status $err" "^1 error: status: not all networks are there after 0 s: .*$socket"
start_daemon

# ---- bad ones ----------------------------------------------------------------------------------------

end_daemon TERM
is "it ends" "$status" 0
fake_behaves "* / hang"
start_daemon
is "while Docker hangs it is ready all the same" "$(ready_within 4000)" "in time"
is "with its rules" "$(nft list chain inet dockside ds-a-OUT | grep -c 'goto refuse')" 1
began=$(calm)
client status
is "and answers" "$status $(($(calm_since "$began") <= 1000))" "0 1"
end_daemon TERM
is "and ends" "$status" 0
for how in hang close garbage headers flood broken lines noise 500; do
	fake_behaves "GET /events $how"
	start_daemon
	until_true 8 network_is ds-b present
	sleep 0.3
	client reconcile
	is "events: $how" "$status $(of network_details ds-b docker) $(life | grep -c '^error')" "0 present 0"
	end_daemon TERM
	is "events: $how: it ends" "$status" 0
done
fake_behaves "POST /networks/create 500"
fake_tell remove ds-b
start_daemon
until_true 5 prints "says Docker" of network_details ds-b docker_message
like "what Docker refuses" "$(of network_details ds-b docker_message)" "says Docker"
is "is in the log once" "$(sleep 1; life | grep -c 'says Docker')" 1
end_daemon TERM
fake_behaves
fake_tell create ds-b 172.31.0.0/16 ds-b
start_daemon RESET=1
made_anew()
{
	life | grep -c 'removed from Docker, to be created anew'
}
until_true 5 prints '^2$' made_anew
is "RESET=1 makes them anew" "$(made_anew)" 2
until_true 5 network_is ds-b present

# ---- requests and files --------------------------------------------------------------------------

echo "// by hand" >>$t/firewall.json
client set-network ds-new --network '{"subnet": "172.30.9.0/24"}' --firewall '{"egress": [{"action": "drop"}]}'
like "what cannot be saved" "$status $err" "^1 .*has been changed since it was read"
is "makes no network" "$(client reconcile --json; grep -o '"docker_orphans.*' <<<"$out")" \
	'"docker_orphans":[]}'

# While no daemon looks they are taken out of the files.
fake_tell connect ds-A c1 02:42:ac:1e:01:0b 172.30.1.11
end_daemon TERM
network_config <<<'{"networks": []}'
firewall_config <<<'{}'
start_daemon
until_true 3 chains_are_gone ds-b
is "at the start, too, one without containers goes" "$(chains_are_gone ds-b && echo gone)" gone
sleep 1.5
is "and one with containers drains" "$(of network_details ds-A state) $(nft list chain inet dockside ds-a-OUT |
	grep -c 'goto refuse')" "draining 1"
end_daemon TERM
fake_behaves "* / hang"
start_daemon
sleep 1.5
is "over another start, and when Docker does not say" "$(of network_details ds-A state)" draining
fake_behaves
fake_tell disconnect ds-A c1
until_true 30 chains_are_gone ds-a
is "until they have left" "$(of network_details ds-A state)" ""
config
client reload
end_daemon TERM
fake_stop
network_config <<<'{"networks": []}'
firewall_config <<<'{}'
start_daemon
is "where no Docker runs, the files are obeyed" "$(chains_are_gone ds-a && chains_are_gone ds-b && echo gone)" gone
end_daemon TERM

finish
