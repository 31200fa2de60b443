#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon knows who is on which port, by the kernel's word and that of a fake Docker: containers that start, a Docker
# that tells nothing by itself, one that hangs, and the daemon's own restart. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh" || exit 1
# shellcheck source=tests/docker/fake_lib.sh
. "$(dirname "$0")/fake_lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 || bail "cannot set up the network"
network_config <<<'{"networks": [{"name": "ds-A", "subnet": "172.30.1.0/24"}]}'
firewall_config <<<'{"networks": {"ds-A": {"egress": [{"action": "drop"}]}}}'

# ports: how many are known, and what is said of others
ports()
{
	client status --json
	python3 -c 'import json, sys
network = json.load(open(sys.argv[1]))["network_details"]["ds-A"]
print(network["known_port_count"], *network["unknown_ports"], sep="; ")' $t/out 2>&1
}
# ports_are DESCRIPTION WANTED
ports_are()
{
	until_true 15 same "$2"
	is "$1" "$(ports)" "$2"
}
# shellcheck disable=SC2317 # until_true calls it
same()
{
	[[ $(ports) == "$1" ]]
}
value() # METRIC [LABELS]: of ds-A
{
	client metrics
	sed -n "s/^dsfw_nft_$1{network=\"ds-A\"${2:-}} //p" $t/out
}
# start NAME NUMBER: as Docker does, which names a container before its end is up
start()
{
	fake_tell connect ds-A "$1" "02:42:ac:1e:01:0$2" "172.30.1.$2"
	container "$1" ds-a "172.30.1.$2" "2001:db8:1::$2" "02:42:ac:1e:01:0$2" || bail "no container $1"
}

fake_start
start_listening
start_daemon
ports_are "nobody is there" "0"
start a 2
ports_are "one starts" "1"
fake_tell drop b CAP_NET_RAW
start b 3
ports_are "and another" "2"
like "the log says who is where" "$(<$log)" "port v-a of network ds-A: container a, 02:42:ac:1e:01:02, 172\.30\.1\.2(
|$)"
# shellcheck disable=SC2317 # until_true calls it
one_has()
{
	[[ $(value net_raw_containers) == 1 ]]
}
net_raw()
{
	client status
	grep NET_RAW $t/out
}
until_true 5 one_has
is "one of them has NET_RAW" "$(net_raw)" "network ds-A: a has the capability NET_RAW and can make packets of any \
kind; where it is not needed, take it away: cap_drop: [NET_RAW]"
is "metrics" "$(value net_raw_containers) $(value ports ',state="known"') $(value ports ',state="unknown"')" "1 2 0"
container x ds-a 172.30.1.9 2001:db8:1::9 02:42:ac:1e:01:09 || bail "no container x"
ports_are "one that is not Docker's" \
	"2; v-x: Docker gave its MAC address to no container of the network"
fake_tell connect ds-A late 02:42:ac:1e:01:09 172.30.1.9
ports_are "it does not become one" \
	"2; v-x: it had its MAC address before Docker gave that to a container"
like "nor silently" "$(<$log)" "warning: port v-x of network ds-A, MAC address 02:42:ac:1e:01:09: it had its MAC address"
ip link del v-x
fake_tell disconnect ds-A late
ports_are "it goes" "2"
is "Docker was asked once for each container" "$(grep -c '^GET .*/containers/[0-9a-f]*/json' $fake_log) $(
	grep '^GET .*/containers/[0-9a-f]*/json' $fake_log | sort -u | wc -l)" "3 3"

fake_behaves "GET /networks/ hang"
start c 4
ports_are "while Docker hangs, what is known stays" "2; v-c: Docker has not answered since it came up"
like "a command that asks once has its answer in time" \
	"$(timeout 30 "${TOP_BUILDDIR:-$here/../..}/tests/netns/ports_probe" ask "$fake" $t/network.json $t/firewall.json 2>&1)" \
	"v-a ds-a -: Docker has not answered since it came up"
fake_behaves
fake_tell disconnect ds-A b
ip link del v-b
ports_are "then it answers" "2"

end_daemon TERM
start d 5
start_daemon
ports_are "after a restart of the daemon" "3"
fake_stop
ip link del v-d
ports_are "Docker is gone, and so is a port" "2"
start e 6
ports_are "and another comes up" "2; v-e: Docker has not answered since it came up"
long="network ds-A: the container of port v-e is not known for 10 s: Docker has not answered since it came up"
until_true 20 grep -q "$long" $log
is "which the log says once" "$(grep -c "$long" $log)" 1
end_daemon TERM
finish
