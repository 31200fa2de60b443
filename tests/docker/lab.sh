#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The Docker host that the other tests stand on is as they believe. TAP.
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"

outside 198.51.100.1/32 2001:db8:51::1/128 || bail "cannot build the network"
is "it is alone in its network namespace" "$(ip -o link | awk '{ print $2 }' | sort | xargs)" \
	"lo: up0@if2:"
dockerd_start
busybox_image || bail "no image"
docker network create --subnet 172.30.1.0/24 --ipv6 --subnet fd77:1::/64 \
	-o com.docker.network.bridge.name=ds-a ds-a >/dev/null
container_run c1 ds-a 172.30.1.11 fd77:1::11 02:00:00:00:01:11 8080:80
is "a container has the address and the MAC that were asked for" "$(ip -n c1 -br addr show eth0 | awk '{ print $3, $4 }') \
$(ip -n c1 -br link show eth0 | awk '{ print $3 }')" "172.30.1.11/24 fd77:1::11/64 02:00:00:00:01:11"
container_run c2 ds-a 172.30.1.12 fd77:1::12 - || bail "no second container"
start_peers
ask "serve outside tcp 80" "serve outside udp 53" "serve c1 tcp 80" "serve c2 tcp 80"

# packets DESCRIPTION
packets()
{
	probes "$1" <<-'PROBES'
		c1 tcp 198.51.100.1:80 = open outside 198.51.100.1:80
		c1 udp 198.51.100.1:53 = open outside 198.51.100.1:53
		c1 tcp [2001:db8:51::1]:80 = open outside
		c1 icmp 198.51.100.1 = open
		c1 tcp 172.30.1.12:80 = open c2
		outside tcp 192.0.2.1:8080 = open c1 172.30.1.11:80
		c2 tcp 198.51.100.1:81 = silence	# nobody there, and endpoints are mute
	PROBES
}
packets "packets pass"
like "iptables is what nf_tables has" "$(iptables -V)" nf_tables
like "Docker's rules are here" "$(iptables -S FORWARD)" '-A FORWARD -j DOCKER-USER'
ask "hold flow c1 tcp 198.51.100.1:80" >/dev/null
for signal in TERM KILL; do
	dockerd_restart $signal
	is "containers go on over the restart of dockerd after $signal" \
		"$(docker ps --format '{{.Names}}' | sort | xargs) $(ask "alive flow")" "c1 c2 alive"
	packets "packets pass after that, too"
done
docker restart c1 >/dev/null && container_bind c1 && ask "serve c1 tcp 80"
packets "after the restart of a container, too"
dockerd_stop
dockerd_start --ip6tables=false
is "dockerd takes other options" "$(docker info -f '{{.ServerVersion}}' | wc -l)" 1
is "nothing is written elsewhere" "$(touch /usr/x /etc/x /var/lib/x 2>&1 | grep -c Read-only)" 3
stop_peers
finish
