#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Beside a real dockerd: every kind of packet, allowed and denied, before and after everything that dockerd,
# its users and other programs do to the host's rules; and, while that happens, what is denied, tried all the
# time. TAP; comments tell how much got through.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

# ---- the host, its networks, the policy ----------------------------------------------------------

outside 198.51.100.{1,2,3,9,101,102}/32 2001:db8:51::{1,2}/128 || bail "cannot build the network"
echo "nameserver 192.0.2.2" >$t/resolv.conf
cat >$t/names <<'END'
198.51.100.1 allowed.example
2001:db8:51::1 allowed.example
198.51.100.3 api.example
198.51.100.2 other.example
END
network_config <<'CONFIG'
{"networks": [
	{"name": "ds-One", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "dockside_ip": "172.30.1.2",
		"dockside_ip6": "fd77:1::2", "dockside_mac": "02:00:00:00:01:02"},
	{"name": "ds-two", "subnet": "172.30.2.0/24", "dockside_ip": "172.30.2.2",
		"dockside_mac": "02:42:ac:1e:02:02", "dockside_egress": "policed"}
]}
CONFIG
firewall_config <<'CONFIG'
{"ipsets": {"allowlist": ["allowed.example"]},
"networks": {
	"ds-One": {
		"egress": [
			{"proto": "udp", "ports": [53], "to": "ip", "ip": "192.0.2.2"},
			{"proto": "tcp", "ports": [80, 9000], "to": "ipset", "ipset": "allowlist"},
			{"proto": "tcp", "ports": [443], "to": "host", "host": "api.example"},
			{"proto": "udp", "ports": ["5000-5010"], "cidr": "198.51.100.0/30", "to": "cidr"},
			{"proto": "icmp", "to": "ip", "ip": "198.51.100.1"},
			{"proto": "tcp", "ports": [3307], "to": "ip", "ip": "198.51.100.9"},
			{"action": "drop"}],
		"nat": [{"match_dport": 3306, "to_ip": "198.51.100.9", "to_port": 3307}],
		"host": [{"proto": "udp", "ports": [5353]}, {"action": "drop"}]},
	"ds-two": {"egress": [{"proto": "tcp", "ports": [80], "to": "ip", "ip": "198.51.100.101"},
		{"action": "drop"}]}}}
CONFIG
dockerd_start
busybox_image || bail "no image"
docker network create --subnet 172.30.3.0/24 --ipv6 --subnet fd77:3::/64 \
	-o com.docker.network.bridge.name=plain plain >/dev/null || bail "no network"
start_peers
ask "dns $t/names outside 192.0.2.2" "serve outside tcp 80 81 443 3306 3307" "serve outside udp 81 5005" \
	"serve host tcp 22" "serve host udp 5353 5354"
start_listening
start_daemon
network_made ds-One 172.30.1.0/24 172.30.1.1 fd77:1::/64
network_made ds-two 172.30.2.0/24 172.30.2.1

make_containers()
{
	container_run dockside ds-One 172.30.1.2 fd77:1::2 02:00:00:00:01:02 ds-two=172.30.2.2=02:42:ac:1e:02:02 &&
		container_run dev1a ds-One 172.30.1.11 fd77:1::11 02:00:00:00:01:11 8080:80 &&
		container_run dev1b ds-One 172.30.1.12 fd77:1::12 - &&
		container_run dev2a ds-two 172.30.2.11 - - 8082:80 &&
		container_run dev2b ds-two 172.30.2.12 - - &&
		container_run plain1 plain 172.30.3.11 fd77:3::11 - 8083:80 &&
		container_run plain2 plain 172.30.3.12 fd77:3::12 -
}
make_containers || bail "no containers"

# dockside goes to these by way of ds-two; a container forgets its routes when it restarts
dockside_routes()
{
	ip -n dockside route add 198.51.100.101 via 172.30.2.1 &&
		ip -n dockside route add 198.51.100.102 via 172.30.2.1
}
dockside_routes || bail "no routes"
serve() # CONTAINER…
{
	local container
	for container in "$@"; do
		ask "serve $container tcp 80 81" "serve $container udp 81"
	done
}
serve dockside dev1a dev1b dev2a dev2b plain1 plain2

# ---- every kind of packet ------------------------------------------------------------------------

cat >$t/probes <<PROBES
	# egress
	dev1a tcp 198.51.100.1:80 = open outside 198.51.100.1:80
	dev1b tcp 198.51.100.3:443 = open outside
	dev1a udp 198.51.100.2:5005 = open outside
	dev1a icmp 198.51.100.1 = open
	dev1a tcp 198.51.100.2:80 = reset
	dev1a tcp 198.51.100.1:81 = reset
	dev1a tcp 198.51.100.1:443 = reset
	dev1a udp 198.51.100.1:81 = silence
	dev1a icmp 198.51.100.2 = silence
	dev2a tcp 198.51.100.101:80 = open outside
	dev2a tcp 198.51.100.1:80 = reset
	dev2b udp 198.51.100.1:81 = silence
	# IPv6
	dev1a tcp [2001:db8:51::1]:80 = open outside [2001:db8:51::1]:80
	dev1a tcp [2001:db8:51::2]:80 = reset
	dev1a udp [2001:db8:51::1]:81 = silence
	# lateral
	dev1a tcp 172.30.1.12:80 = silence
	dev1b tcp 172.30.1.11:80 = silence
	dev1a udp 172.30.1.12:81 = silence
	dev1a icmp 172.30.1.12 = silence
	dev1a tcp [fd77:1::12]:80 = silence
	dev1a udp [fd77:1::12]:81 = silence
	dev1a icmp fd77:1::12 = silence
	dev2a tcp 172.30.2.12:80 = silence
	dev2a udp 172.30.2.12:81 = silence
	dev2a icmp 172.30.2.12 = silence
	# dockside to devtainers, and from them
	dockside tcp 172.30.1.11:80 = open dev1a
	dockside tcp 172.30.2.11:80 = open dev2a
	dockside tcp [fd77:1::11]:80 = open dev1a
	dockside udp 172.30.1.11:81 = silence
	dockside icmp 172.30.2.11 = silence
	dev1a tcp 172.30.1.2:80 = silence
	dev2a udp 172.30.2.2:81 = silence
	# the egress of dockside: exempt here, policed there
	dockside tcp 198.51.100.2:81 = open outside
	dockside udp 198.51.100.1:81 = open outside
	dockside tcp [2001:db8:51::2]:81 = open outside
	dockside tcp 198.51.100.101:80 = open outside
	dockside tcp 198.51.100.101:81 = reset
	dockside udp 198.51.100.102:81 = silence
	# redirected to a clone
	dev1a tcp 198.51.100.2:3306 = open outside 198.51.100.9:3307
	dev2a tcp 198.51.100.9:3307 = reset
	# services of the host
	dev1a tcp 172.30.1.1:22 = reset
	dev1b udp 172.30.1.1:5353 = open host
	dev1b udp 172.30.1.1:5354 = silence
	dev2a tcp 172.30.2.1:22 = open host
	# published ports
	outside tcp 192.0.2.1:8080 = open dev1a
	outside tcp 192.0.2.1:8082 = open dev2a
	outside tcp 192.0.2.1:8083 = open plain1
	# networks are apart from each other
	dev1a tcp 172.30.2.11:80 = $(apart)
	dev2a tcp 172.30.3.11:80 = $(apart)
	# a network that is not ours
	plain1 tcp 198.51.100.2:81 = open outside
	plain1 udp 198.51.100.2:81 = open outside
	plain1 tcp [2001:db8:51::2]:81 = open outside
	plain1 tcp 172.30.3.12:80 = open plain2
	plain1 udp 172.30.3.12:81 = open plain2
	plain1 icmp 172.30.3.12 = open
	plain1 tcp 172.30.3.1:22 = open host
PROBES

packets() # DESCRIPTION
{
	probes "$1: every verdict" <$t/probes
}

# Prints what a process in a container gets from a name by way of Docker's resolver, or the error.
# shellcheck disable=SC2016 # the container's shell expands
by_name() # CONTAINER NAME PORT
{
	docker exec "$1" sh -c '{ sleep 0.2; } | nc -w 15 "$0" "$1" 2>&1' "$2" "$3"
}

names() # DESCRIPTION
{
	is "$1: names by way of Docker's resolver" \
		"$(by_name dev1a allowed.example 80; by_name dev1b api.example 443
		by_name dev1a other.example 80; docker exec dev1a nslookup dev1b | grep -c 172.30.1.12)" \
		"outside 198.51.100.1:80
outside 198.51.100.3:443
nc: can't connect to remote host (198.51.100.2): Connection refused
1"
}

matrix() # DESCRIPTION
{
	packets "$1"
	names "$1"
}

stream()
{
	stream_begin control=dev1a,tcp,198.51.100.1:9000,outside \
		tcp=dev1a,tcp,198.51.100.2:9001,outside udp=dev1a,udp,198.51.100.2:9002,outside \
		"tcp6=dev1a,tcp,[2001:db8:51::2]:9003,outside" \
		lateral_tcp=dev1a,tcp,172.30.1.12:9004,dev1b lateral_udp=dev1a,udp,172.30.1.12:9005,dev1b \
		two=dev2a,tcp,198.51.100.2:9006,outside two_lateral=dev2a,udp,172.30.2.12:9007,dev2b \
		eager_tcp=-,tcp,198.51.100.2:9008,outside eager_udp=-,udp,198.51.100.2:9009,outside
}

# while_denied DESCRIPTION MS COMMAND…: what is denied, tried while it runs: nothing may arrive, or nothing
# later than MS after the first, by a clock that goes at half its speed on a machine that is half busy. The command has to
# succeed.
while_denied()
{
	local fault=
	stream
	sleep 0.3
	"${@:3}" >$t/event 2>&1 || fault="it fails: $(<$t/event)"
	sleep 0.5
	stream_end
	[[ -z $fault ]] || result "$1" "$fault"
	stream_result "while $1" "$2"
}

# ---- what happens to a Docker host ---------------------------------------------------------------

ask "hold flow dev1a tcp 198.51.100.1:80" >/dev/null
matrix "at first"

while_denied "dockerd restarts" 0 dockerd_restart
matrix "after dockerd's restart"
while_denied "dockerd is killed and starts" 0 dockerd_restart KILL
matrix "after dockerd's death"
is "a flow is still open" "$(ask "alive flow")" alive

other_network()
{
	docker network create --subnet 172.30.4.0/24 other && docker run --rm --network other bb:1 true &&
		docker network rm other
}
while_denied "another network comes and goes" 0 other_network
matrix "after that"

# From its first instant on.
# shellcheck disable=SC2016 # the container expands
eager='for i in 1 2 3 4 5; do timeout 1 tftp -g -r x 198.51.100.2 9009 2>/dev/null & nc -w $patience 198.51.100.2 9008; done'
new_containers()
{
	local refused=0
	for _ in 1 2 3; do
		refused=$((refused + $(docker run --rm -e patience=10 --network ds-One bb:1 sh -c "$eager" 2>&1 |
			grep -c 'Connection refused')))
	done
	echo "$refused connections were refused"
	[[ $refused -eq 15 ]]
}
while_denied "eager containers start" 0 new_containers

restart_containers()
{
	docker restart dev1a dev2a dockside && container_bind dev1a && container_bind dev2a &&
		container_bind dockside && dockside_routes
}
while_denied "containers restart" 0 restart_containers
serve dev1a dev2a dockside
matrix "after the restart of containers"

while_denied "DOCKER-USER is flushed" 0 iptables -F DOCKER-USER
matrix "after that"

restart_daemon()
{
	end_daemon KILL
	sleep 0.5
	start_daemon
}
while_denied "our daemon is killed and starts" 0 restart_daemon
matrix "after that"

while_denied "the ruleset is flushed" 500 nft flush ruleset
while_denied "dockerd restarts upon that" 0 dockerd_restart
matrix "after the loss of all rules and dockerd's restart"

# As `systemctl reload nftables` does it.
cat >$t/nftables.conf <<'END'
flush ruleset
table inet filter {
	chain input { type filter hook input priority filter; }
	chain forward { type filter hook forward priority filter; }
	chain output { type filter hook output priority filter; }
}
END
while_denied "nftables.service reloads" 500 nft -f $t/nftables.conf
while_denied "dockerd restarts upon that" 0 dockerd_restart
matrix "after nftables.service's reload and dockerd's restart"
sed -i '/flush/d; s/filter {/other {/; s/filter;/-300;/' $t/nftables.conf
while_denied "another table comes" 0 nft -f $t/nftables.conf
matrix "beside another table"

# ---- it would have been seen ---------------------------------------------------------------------

end_daemon TERM
is "the daemon ends well" "$status" 0
stream
nft flush ruleset
docker run --rm -e patience=1 --network ds-One bb:1 sh -c "$eager" >/dev/null 2>&1
sleep 0.3
stream_end
result "without any rules, all that is tried arrives" \
	"$(awk '$1 != "control" && $3 < 5 { print $1 ": " $3 " of " $2 }' $t/stream)"
is "and no verdict is as it should be, of those that deny" \
	"$(ask "$(sed -E 's/[[:space:]]*#.*//; /^$/d' $t/probes)" go | grep -cE 'wanted (reset|silence)')" \
	"$(grep -cE '= (reset|silence)' $t/probes)"
stop_peers
finish
