# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced by the tests of ports that are bound to their containers, after lib.sh and daemon_lib.sh.

# shellcheck disable=SC2154 # what lib.sh sets
# Where "bind" is "strict", a container that starts sooner than the daemon has had its turn loses its first packets: other
# tests beside this one must not take that turn.
# shellcheck disable=SC2034 # daemon_lib.sh reads it
before_daemon=(nice -n -15)

# build_frames: $t/frames, for any container
build_frames()
{
	"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE= -O2 -static -o "$t/frames" "$lab/frames.c"
}

# bind_config BIND [JSON]: the network ds-a, with more keys
bind_config()
{
	network_config <<-CONFIG
		{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "bind": "$1",
			"dockside_ip": "172.30.1.2", "dockside_ip6": "fd77:1::2",
			"dockside_mac": "02:00:00:00:01:02"${2:+, $2}}]}
	CONFIG
}

# bind_containers: dockside, c1 and c2 of ds-a
bind_containers()
{
	network_made ds-a 172.30.1.0/24 172.30.1.1 fd77:1::/64 &&
		container_run dockside ds-a 172.30.1.2 fd77:1::2 02:00:00:00:01:02 &&
		container_run c1 ds-a 172.30.1.11 fd77:1::11 02:00:00:00:01:11 8080:80 &&
		container_run c2 ds-a 172.30.1.12 fd77:1::12 02:00:00:00:01:12
}

# bind_lab BIND ADDRESS…: a daemon with the policy of standard input, these addresses outside, and bind_containers, of
# which c1 has $t/frames
bind_lab()
{
	build_frames || bail "cannot build frames.c (Debian packages gcc, libc6-dev)"
	outside "${@:2}" || bail "cannot build the network"
	bind_config "$1"
	firewall_config
	dockerd_start
	busybox_image || bail "no image"
	start_listening
	start_daemon
	bind_containers || bail "no containers"
	give_frames c1 || bail "no program in the container"
}

give_frames() # CONTAINER
{
	docker exec -i "$1" sh -c 'cat >/bin/frames; chmod +x /bin/frames' <"$t/frames"
}

# stranger: a port that Docker knows nothing of, and whose other end is in the network namespace stranger
stranger()
{
	ip netns add stranger && ip link add v-stranger type veth peer name eth0 address 02:00:00:00:01:99 netns stranger &&
		ip link set v-stranger master ds-a up && ip -n stranger link set lo up && ip -n stranger link set eth0 up &&
		ip -n stranger addr add 172.30.1.99/24 dev eth0 && ip -n stranger addr add fd77:1::99/64 dev eth0 nodad
}

# holes_lab: the same for an attacker, whose network allows DNS to one server, and is not bound yet
holes_lab()
{
	bind_lab off 198.51.100.1/32 203.0.113.66/32 2001:db8:51::1/128 2001:db8:bad::66/128 <<-'CONFIG'
		{"networks": {"ds-a": {
			"egress": [
				{"proto": "udp", "ports": [53], "to": "ip", "ip": "198.51.100.1"},
				{"proto": "udp", "ports": [53], "to": "ip", "ip": "2001:db8:51::1"},
				{"action": "drop"}]}}}
	CONFIG
	like "the attacker has Docker's default capabilities" "$(docker exec c1 grep CapEff /proc/self/status)" \
		00000000a80425fb$
}

# bridge_elements SET: one a line, sorted, a port's name being "PORT" and the container's MAC
bridge_elements()
{
	nft list set bridge dockside "$1" 2>/dev/null | tr -d '\n"' | sed -nE 's/.*elements = \{ (.*) \}.*/\1/p' |
		tr ',' '\n' | sed -E 's/[[:space:]]+/ /g; s/^ | $//g' | sort
}

# sets_found: "PORT MAC", "PORT ADDRESS" of the three sets, and "PORT known"
sets_found()
{
	{
		bridge_elements ports | sed 's/ comment.*//; s/$/ known/'
		for set in macs addrs4 addrs6; do
			bridge_elements $set | sed 's/ \. / /'
		done
	} | sort
}

# sets_wanted: the same, as dockerd tells it
sets_wanted()
{
	docker ps -q | xargs -r docker inspect | python3 "$lab/bind_wanted.py"
}

sets_agree()
{
	[[ $(sets_found) == "$(sets_wanted)" ]]
}
