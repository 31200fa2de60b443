#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A port that is bound to its container loses nothing that the container has a right to send: what every host sends,
# flows while networks come and go, published ports, other addresses after a restart, and the first packets. TAP.
#
# Environment: FIRSTS, how many containers send something as the first thing that they do (25; by hand 500); UPS, how
# often containers go and come with each other's addresses (5).
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"
# shellcheck source=tests/docker/bind_lib.sh
. "$lab/bind_lib.sh"
: "${FIRSTS:=25}" "${UPS:=5}"

bind_lab off 198.51.100.{1,2,9}/32 2001:db8:51::1/128 <<'CONFIG'
{"networks": {"ds-a": {
	"egress": [{"proto": "tcp", "ports": [25, 80, 443]}, {"proto": "udp", "ports": [53]}, {"proto": "icmp"},
		{"action": "drop"}],
	"nat": [{"match_dport": 25, "to_ip": "198.51.100.2", "to_port": 25}]}}}
CONFIG
docker network create --subnet 172.30.9.0/24 plain >/dev/null || bail "no network"
start_peers
ask "serve outside tcp 443 25" "serve outside udp 53" "serve c1 tcp 80" "serve c2 tcp 80"
mkdir -p $t/www && echo hello >$t/www/index.html
nsenter --net=/run/netns/outside busybox httpd -f -p '[::]:80' -h $t/www &

# frames DESCRIPTION: what every container sends arrives, all of it
frames()
{
	timeout 120 python3 "$lab/bind_attack.py" c1 02:00:00:00:01:11 172.30.1.11 fd77:1::11 legitimate \
		docker exec -i c1 /bin/frames eth0 >$t/frames.out 2>$t/frames.err || cat $t/frames.err
	result "$1: what every container sends arrives" "$(awk -F '\t' '{ n++ } $3 < 3 { print $2 ": " $3 " of 3" }
		END { if (n < 15) print "only " n " probes" }' $t/frames.out)"
}

passes() # DESCRIPTION
{
	probes "$1: connections" <<-'PROBES'
		c1 tcp 198.51.100.1:443 = open outside
		c1 udp 198.51.100.1:53 = open outside
		c1 icmp 198.51.100.1 = open
		c1 icmp 172.30.1.1 = open
		c1 tcp [2001:db8:51::1]:443 = open outside
		c1 udp [2001:db8:51::1]:53 = open outside
		c1 icmp fd77:1::1 = open
		c1 tcp 198.51.100.9:25 = open outside 198.51.100.2:25
		outside tcp 192.0.2.1:8080 = open c1
		c2 tcp 192.0.2.1:8080 = open c1
		c1 tcp 192.0.2.1:8080 = open c1
		dockside tcp 172.30.1.11:80 = open c1
		dockside tcp [fd77:1::12]:80 = open c2
	PROBES
}

# restarted NAME: is a container with another address now
restarted()
{
	container_bind "$1" && ask "serve $1 tcp 80"
}

# swap: two containers take each other's addresses, as with `docker compose down; up`
swap()
{
	local a=$((21 + $1 % 2)) b=$((22 - $1 % 2))
	docker rm -f s1 s2 >/dev/null 2>&1
	container_run s1 ds-a 172.30.1.$a fd77:1::$a - && container_run s2 ds-a 172.30.1.$b fd77:1::$b -
}
# swap_all DESCRIPTION: after each of the swaps both send, as soon as they are there
swap_all()
{
	local i fault=
	for ((i = 0; i < UPS; i++)); do
		swap $i || fault+="no containers"$'\n'
		fault+=$(ask "s1 udp 198.51.100.1:53 = open outside" "s2 tcp 198.51.100.1:443 = open outside" \
			"s1 tcp [2001:db8:51::1]:443 = open outside" "s2 icmp fd77:1::1 = open" go)
	done
	result "$1: $UPS times the addresses are swapped" "$fault"
	docker rm -f s1 s2 >/dev/null
}

# flows DESCRIPTION: connections stay while the container joins and leaves other networks, and others come and go
flows()
{
	local i alive=
	ask "hold out c1 tcp 198.51.100.1:443" "hold out6 c1 tcp [2001:db8:51::1]:443" \
		"hold in outside tcp 192.0.2.1:8080" "hold near dockside tcp 172.30.1.11:80" >/dev/null
	for ((i = 0; i < UPS; i++)); do
		docker network connect plain c1
		alive+=$(ask "alive out" "alive out6" "alive in" "alive near" | xargs)$'\n'
		docker run -d --name other --network ds-a bb:1 >/dev/null
		docker network disconnect plain c1
		alive+=$(ask "alive out" "alive out6" "alive in" "alive near" | xargs)$'\n'
		docker rm -f other >/dev/null
	done
	is "$1: flows stay while networks are joined and left" "$(sort -u <<<"${alive%$'\n'}")" "alive alive alive alive"
}

# firsts DESCRIPTION: what a container does first works, at once: a lost packet would be repeated after a second
firsts()
{
	local i
	# shellcheck disable=SC2016 # the container's shell
	for ((i = 0; i < FIRSTS; i++)); do
		docker run --rm --network ds-a bb:1 sh -c 'up() { cut -d " " -f 1 /proc/uptime | tr -d .; }
			get() { printf "GET / HTTP/1.0\r\n\r\n" | nc -w 15 $1 80 | tail -1; }
			a=$(up); get 198.51.100.1; b=$(up)
			again=$(grep "^Tcp: [0-9]" /proc/net/snmp | cut -d " " -f 13)
			get 2001:db8:51::1; c=$(up); echo "$((b - a)) $((c - b)) $again"' 2>&1 | xargs
	done >$t/firsts
	result "$1: the first thing of $FIRSTS containers works" "$(grep -vE '^hello hello [0-9]+ [0-9]+ [0-9]+$' $t/firsts)"
	# It took its time, and something was sent twice.
	is "$1: and no packet is lost on IPv4" "$(awk '$3 > 90 && $5' $t/firsts)" ""
	awk '{ if ($3 > four) four = $3; if ($4 > six) six = $4 }
		END { print "longest: IPv4 " four "0 ms, IPv6 " six "0 ms" }' $t/firsts | comment
}

address_of() # CONTAINER
{
	docker inspect -f '{{(index .NetworkSettings.Networks "ds-a").IPAddress}}' "$1"
}

# other_address DESCRIPTION: a container that gets another address when it starts again
other_address()
{
	local before after
	docker run -d --name mover --network ds-a bb:1 >/dev/null
	before=$(address_of mover)
	docker stop -t 0 mover >/dev/null
	docker run -d --name heir --network ds-a --ip "$before" bb:1 >/dev/null
	docker start mover >/dev/null
	after=$(address_of mover)
	container_bind mover && container_bind heir
	is "$1: a container has another address after its restart" "$([[ $before != "$after" ]] && echo yes)" yes
	probes "$1: it sends from that, and the heir from the old one" <<-'PROBES'
		mover udp 198.51.100.1:53 = open outside
		heir udp 198.51.100.1:53 = open outside
		mover tcp [2001:db8:51::1]:443 = open outside
	PROBES
	docker rm -f mover heir >/dev/null
}

all() # DESCRIPTION
{
	frames "$1"
	passes "$1"
	flows "$1"
	other_address "$1"
	swap_all "$1"
	firsts "$1"
}

all off
for bind in learn strict; do
	end_daemon TERM
	bind_config $bind
	start_daemon
	until_true 10 sets_agree
	is "$bind: the sets are Docker's word" "$(sets_found)" "$(sets_wanted)"
	all $bind
	# In strict, what a port sends before its container is known may be.
	# A frame for a MAC address that the bridge does not know goes to all ports, and is for none of these.
	[[ $bind == strict ]] || is "nothing of all that was refused by the binding" \
		"$(nft list table bridge dockside 2>&1 | grep -E 'counter packets [1-9].* drop|Error' |
			grep -v 'the bridge sends it to all')" ""
done
stop_peers
finish
