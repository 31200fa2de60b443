#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel gives real packets the verdicts of a policy, network by network. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

# Networks: ds-a is a plain one, the others have names that are words of nft's language or start with
# a digit. Container CN of network number N has address 172.30.N.(10+C) and fd77:N::(10+C).
build_network()
{
	local number=1 name net=() host
	for host in {1..9}; do
		net+=("198.51.100.$host/32" "2001:db8:51::$host/128")
	done
	outside "${net[@]}" 203.0.113.1/32 203.0.113.17/32 2001:db8:113::1/128 || return
	for name in ds-a ip drop 1st free; do
		bridge "$name" "172.30.$number.1/24" "fd77:$number::1/64" || return
		for host in 1 2; do
			container "$name.$host" "$name" "172.30.$number.1$host" \
				"fd77:$number::1$host" "02:00:00:00:0$number:1$host" || return
		done
		number=$((number + 1))
	done
}
build_network || bail "cannot build the network"

network_config <<'END'
{"networks": [
	{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"},
	{"name": "ip", "subnet": "172.30.2.0/24", "subnet6": "fd77:2::/64"},
	{"name": "drop", "subnet": "172.30.3.0/24", "subnet6": "fd77:3::/64"},
	{"name": "1st", "subnet": "172.30.4.0/24", "subnet6": "fd77:4::/64"},
	{"name": "free", "subnet": "172.30.5.0/24", "subnet6": "fd77:5::/64"}
]}
END
hosts "198.51.100.3 one.example" "2001:db8:51::3 one.example" \
	"198.51.100.4 two.example" "198.51.100.5 two.example" "2001:db8:51::5 two.example"

start_peers
tcp=(22 25 80 443 1000 1005 1006 3306 5000 8080 13306)
ask "serve outside tcp ${tcp[*]}" "serve outside udp 53 67 123 5353"
ask "serve host tcp 22 80" "serve host udp 53 67 547"
for container in ds-a.2 ip.1 ip.2 drop.2 1st.2 free.2; do
	ask "serve $container tcp 80 443" "serve $container udp 53"
done

# ---- without us ----------------------------------------------------------------------------------

# The probes below mean something only if all of this works.
probes "without a policy everything passes" <<-'END'
	ds-a.1 tcp 198.51.100.1:80 = open outside 198.51.100.1:80
	ds-a.1 tcp [2001:db8:51::1]:80 = open outside [2001:db8:51::1]:80
	ds-a.1 udp 198.51.100.1:53 = open outside 198.51.100.1:53
	ds-a.1 udp [2001:db8:51::1]:53 = open outside [2001:db8:51::1]:53
	ds-a.1 icmp 198.51.100.1 = open
	ds-a.1 icmp 2001:db8:51::1 = open
	ds-a.1 icmp/13 198.51.100.1 = open
	ds-a.1 icmp/0 198.51.100.1 = seen outside
	ds-a.1 icmp/139 2001:db8:51::3 = seen outside	# node information query
	ds-a.1 icmp/135 2001:db8:51::3 = seen outside	# neighbour solicitation, to where there is none
	ds-a.1 tcp/fin 198.51.100.1:80 = seen outside
	ds-a.1 tcp/null [2001:db8:51::1]:80 = seen outside
	ds-a.1 tcp 172.30.1.12:80 = open ds-a.2
	ds-a.1 tcp [fd77:1::12]:80 = open ds-a.2
	ds-a.1 udp 172.30.1.12:53 = open ds-a.2
	ds-a.1 tcp/fin 172.30.1.12:80 = seen ds-a.2
	ds-a.1 tcp 192.0.2.1:22 = open host 192.0.2.1:22
END

# ---- egress --------------------------------------------------------------------------------------

policy <<'END'
{"ipsets": {
	"mixed": ["two.example", "198.51.100.6", "203.0.113.0/28", "2001:db8:51::6", "2001:db8:113::/64"]
},
"networks": {
	"ds-a": {"egress": [
		{"proto": "tcp", "ports": [80], "to": "ip", "ip": "198.51.100.1"},
		{"proto": "tcp", "ports": [443, "1000-1005"], "to": "ip", "ip": "2001:db8:51::1"},
		{"action": "drop", "proto": "tcp", "ports": [22], "to": "cidr", "cidr": "198.51.100.2/32"},
		{"proto": "tcp", "ports": [22, 25], "to": "cidr", "cidr": "198.51.100.0/30"},
		{"proto": "tcp", "ports": [80], "to": "host", "host": "one.example"},
		{"proto": "udp", "ports": [53], "to": "host", "host": "one.example"},
		{"proto": "tcp", "ports": ["1000-1005", 80, 443], "to": "ipset", "ipset": "mixed"},
		{"proto": "udp", "ports": [123], "to": "ipset", "ipset": "mixed"},
		{"proto": "icmp", "to": "cidr", "cidr": "198.51.100.0/24"},
		{"proto": "icmp", "to": "host", "host": "one.example"},
		{"proto": "tcp", "to": "ip", "ip": "198.51.100.8"},
		{"to": "ip", "ip": "198.51.100.9"},
		{"action": "drop"}
	]},
	"ip": {"egress": [
		{"action": "drop", "proto": "udp", "ports": [53]},
		{"action": "drop", "proto": "icmp"},
		{"action": "drop", "cidr": "198.51.100.1/32"}
	]}
}}
END

probes "egress: address, prefix, ports, first match" <<-'END'
	ds-a.1 tcp 198.51.100.1:80 = open outside 198.51.100.1:80
	ds-a.1 tcp 198.51.100.1:443 = reset
	ds-a.1 tcp 198.51.100.1:1000 = reset
	ds-a.1 tcp [2001:db8:51::1]:443 = open outside
	ds-a.1 tcp [2001:db8:51::1]:1000 = open outside
	ds-a.1 tcp [2001:db8:51::1]:1005 = open outside
	ds-a.1 tcp [2001:db8:51::1]:1006 = reset
	ds-a.1 tcp [2001:db8:51::1]:80 = reset
	ds-a.1 tcp 198.51.100.2:22 = reset		# the drop before the allow
	ds-a.1 tcp 198.51.100.2:25 = open outside
	ds-a.1 tcp 198.51.100.3:22 = open outside
	ds-a.1 tcp 198.51.100.4:22 = reset		# beyond the prefix
	ds-a.1 tcp 198.51.100.8:5000 = open outside	# all ports
	ds-a.1 udp 198.51.100.8:53 = silence		# but TCP only
	ds-a.1 tcp 198.51.100.9:5000 = open outside	# all protocols
	ds-a.1 udp 198.51.100.9:53 = open outside
END
probes "egress: names and ipsets, both families" <<-'END'
	ds-a.1 tcp 198.51.100.3:80 = open outside
	ds-a.1 tcp [2001:db8:51::3]:80 = open outside
	ds-a.1 tcp [2001:db8:51::4]:80 = reset
	ds-a.1 udp 198.51.100.3:53 = open outside
	ds-a.1 udp [2001:db8:51::3]:53 = open outside
	ds-a.1 udp 198.51.100.4:53 = silence
	ds-a.1 udp [2001:db8:51::4]:53 = silence
	ds-a.1 tcp 198.51.100.4:80 = open outside
	ds-a.1 tcp 198.51.100.5:443 = open outside
	ds-a.1 tcp [2001:db8:51::5]:1000 = open outside
	ds-a.1 tcp 198.51.100.6:1005 = open outside
	ds-a.1 tcp 198.51.100.6:1006 = reset
	ds-a.1 tcp [2001:db8:51::6]:80 = open outside
	ds-a.1 tcp 203.0.113.1:80 = open outside
	ds-a.1 tcp 203.0.113.17:80 = reset
	ds-a.1 tcp [2001:db8:113::1]:80 = open outside
	ds-a.1 tcp 198.51.100.7:80 = reset
	ds-a.1 tcp [2001:db8:51::7]:80 = reset
	ds-a.1 udp 203.0.113.1:123 = open outside
	ds-a.1 udp 203.0.113.1:53 = silence
END
probes "egress: ICMP" <<-'END'
	ds-a.1 icmp 198.51.100.1 = open
	ds-a.1 icmp/13 198.51.100.1 = silence		# echo-request is the default
	ds-a.1 icmp 203.0.113.1 = silence
	ds-a.1 icmp 2001:db8:51::3 = open
	ds-a.1 icmp/139 2001:db8:51::3 = silence
	ds-a.1 icmp 2001:db8:51::1 = silence
END
# A container that may send such a message may put anything into it, and send it to anywhere.
probes "egress: neighbour discovery is of the bridge, not of the world" <<-'END'
	ds-a.1 icmp/133 2001:db8:51::3 = silence
	ds-a.1 icmp/135 2001:db8:51::3 = silence
	ds-a.1 icmp/136 2001:db8:51::6 = silence
	ds-a.1 icmp/143 2001:db8:51::1 = silence
	ds-a.1 icmp/135 fd77:2::11 = silence
	ds-a.1 icmp/135 fd77:1::12 = seen ds-a.2
	ip.1 icmp/135 2001:db8:51::2 = seen outside	# no rule forbids it
END
probes "egress: what is part of no connection goes nowhere" <<-'END'
	ds-a.1 tcp/fin 198.51.100.1:80 = silence
	ds-a.1 tcp/null 198.51.100.1:80 = silence
	ds-a.1 tcp/rst 198.51.100.1:80 = silence
	ds-a.1 tcp/syn+fin 198.51.100.1:80 = silence
	ds-a.1 tcp/fin [2001:db8:51::1]:443 = silence
	ds-a.1 tcp/null [2001:db8:51::1]:443 = silence
	ds-a.1 icmp/0 198.51.100.1 = silence
	ip.1 tcp/fin 198.51.100.2:80 = silence
	ds-a.1 tcp/fin 172.30.1.12:80 = silence
	ds-a.1 tcp/fin [fd77:1::12]:80 = silence
END
probes "egress: without a terminal drop the rest passes, by a network's own rules" <<-'END'
	ip.1 tcp 198.51.100.1:80 = reset		# a drop of all protocols, too, resets TCP
	ip.1 udp 198.51.100.1:123 = silence
	ip.1 tcp 198.51.100.2:80 = open outside
	ip.1 udp 198.51.100.2:53 = silence
	ip.1 udp [2001:db8:51::2]:53 = silence
	ip.1 udp 198.51.100.2:123 = open outside
	ip.1 tcp [2001:db8:51::1]:80 = open outside
	ip.1 icmp 198.51.100.2 = silence
	ip.1 icmp 2001:db8:51::2 = silence
	ip.1 icmp/13 198.51.100.2 = open
END
probes "unmanaged networks are left alone" <<-'END'
	free.1 tcp 198.51.100.7:80 = open outside
	free.1 udp 198.51.100.7:53 = open outside
	free.1 icmp 2001:db8:51::7 = open
	free.1 tcp/fin 198.51.100.7:80 = seen outside
	free.1 tcp 172.30.5.12:80 = open free.2
	free.1 udp [fd77:5::12]:53 = open free.2
	free.1 tcp/fin 172.30.5.12:80 = seen free.2
	free.1 tcp 192.0.2.1:22 = open host
END
probes "the host's services are not judged without host rules" <<-'END'
	ds-a.1 tcp 192.0.2.1:22 = open host
	ds-a.1 udp [fd77:1::1]:53 = open host
	ds-a.1 icmp 172.30.1.1 = open
END
probes "what comes from elsewhere is not our business" <<-'END'
	outside tcp 172.30.1.12:80 = open ds-a.2
	host tcp 172.30.1.12:80 = open ds-a.2
END

# An allow of ours does not overrule a later chain of Docker's, a drop is final.
nft 'table inet docker { chain forward { type filter hook forward priority filter; policy accept;
	tcp dport 5000 drop
	tcp dport { 80, 443 } accept
	}
}'
probes "allow is Docker's to judge, drop is final" <<-'END'
	ds-a.1 tcp 198.51.100.9:5000 = silence
	ds-a.1 tcp 198.51.100.1:80 = open outside
	ds-a.1 tcp 198.51.100.1:443 = reset
END
nft delete table inet docker

# ---- containers among themselves -----------------------------------------------------------------

# Container 1 of ds-a takes on identities; its neighbour 2 is asked. 1st knows dockside by its
# address alone, drop by its MAC address alone, ip has nothing.
cp $t/network.json $t/network.plain.json
network_config <<'END'
{"networks": [
	{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "dockside_ip": "172.30.1.2",
	 "dockside_ip6": "fd77:1::2", "dockside_mac": "02:00:00:00:01:02"},
	{"name": "ip", "subnet": "172.30.2.0/24", "subnet6": "fd77:2::/64"},
	{"name": "drop", "subnet": "172.30.3.0/24", "subnet6": "fd77:3::/64",
	 "dockside_mac": "02:00:00:00:03:11"},
	{"name": "1st", "subnet": "172.30.4.0/24", "subnet6": "fd77:4::/64", "dockside_ip": "172.30.4.11",
	 "dockside_egress": "policed"},
	{"name": "free", "subnet": "172.30.5.0/24", "subnet6": "fd77:5::/64"}
]}
END
policy <<'END'
{"networks": {
	"ds-a": {"egress": [{"action": "drop"}]},
	"ip": {"egress": [{"proto": "tcp"}]},
	"drop": {"egress": [{"action": "drop"}]},
	"1st": {"egress": [{"action": "drop", "proto": "tcp"}]}
}}
END
# identity MAC ADDRESS ADDRESS6: ds-a.1 becomes that, at a port of another name, as a container that Docker starts
port=v-ds-a.1
identity()
{
	local next=w-ds-a.1
	[[ $port == v-* ]] || next=v-ds-a.1
	ip link set $port down
	ip link set $port name $next
	ip link set $next up
	port=$next
	nsenter --net=/run/netns/ds-a.1 ip link set eth0 address "$1"
	ip -n ds-a.1 addr flush dev eth0 scope global
	ip -n ds-a.1 addr add "$2/24" dev eth0
	ip -n ds-a.1 addr add "$3/64" dev eth0 nodad
	ip -n ds-a.1 route replace default via 172.30.1.1
	ip -n ds-a.1 route replace default via fd77:1::1
	ip neigh flush dev ds-a
	ip -n ds-a.2 neigh flush dev eth0
	dsfw apply
}

probes "a neighbour gets nothing" <<-'END'
	ds-a.1 tcp 172.30.1.12:80 = silence
	ds-a.1 tcp [fd77:1::12]:80 = silence
	ds-a.1 udp 172.30.1.12:53 = silence
	ds-a.1 udp [fd77:1::12]:53 = silence
	ds-a.1 icmp 172.30.1.12 = silence
	ds-a.1 icmp fd77:1::12 = silence
	ip.1 tcp 172.30.2.12:80 = silence		# whatever egress allows
	ip.1 tcp [fd77:2::12]:80 = silence
END
ip -n ds-a.1 neigh flush dev eth0
probes "neighbour discovery works" <<-'END'
	ds-a.1 icmp fd77:1::1 = open
	ds-a.1 icmp 172.30.1.1 = open
	ds-a.1 icmp fd77:1::12 = silence
	ds-a.1 icmp 172.30.1.12 = silence
END
is "and made entries" "$(ip -n ds-a.1 neigh show | awk '/lladdr/ && !/^fe80/ { print $1 }' | sort | xargs)" \
	"172.30.1.1 172.30.1.12 fd77:1::1 fd77:1::12"

identity 02:00:00:00:01:02 172.30.1.2 fd77:1::2
probes "the dockside container may open TCP, and its egress is exempt" <<-'END'
	ds-a.1 tcp 172.30.1.12:80 = open ds-a.2
	ds-a.1 tcp [fd77:1::12]:80 = open ds-a.2
	ds-a.1 udp 172.30.1.12:53 = silence
	ds-a.1 udp [fd77:1::12]:53 = silence
	ds-a.1 icmp 172.30.1.12 = silence
	ds-a.1 tcp/fin 172.30.1.12:80 = silence
	ds-a.1 tcp 198.51.100.1:80 = open outside
	ds-a.1 udp 198.51.100.1:53 = open outside
	ds-a.1 icmp 2001:db8:51::1 = open
END
probes "but its neighbours may not" <<-'END'
	ds-a.2 tcp 172.30.1.2:80 = silence
	ds-a.2 tcp 198.51.100.1:80 = reset
END
identity 02:00:00:00:01:02 172.30.1.14 fd77:1::14
probes "its MAC address alone is not enough: the port is bound" <<-'END'
	ds-a.1 tcp 172.30.1.12:80 = silence
	ds-a.1 tcp [fd77:1::12]:80 = silence
	ds-a.1 tcp 198.51.100.1:80 = silence
	ds-a.1 udp [2001:db8:51::1]:53 = silence
END
identity 02:00:00:00:01:11 172.30.1.2 fd77:1::2
probes "its address alone is not enough: it is somebody's" <<-'END'
	ds-a.1 tcp 172.30.1.12:80 = silence
	ds-a.1 tcp [fd77:1::12]:80 = silence
	ds-a.1 tcp 198.51.100.1:80 = silence
	ds-a.1 udp [2001:db8:51::1]:53 = silence
END
probes "a network that knows it by its MAC address alone, or by its address" <<-'END'
	drop.1 tcp 172.30.3.12:80 = open drop.2
	drop.1 tcp [fd77:3::12]:80 = open drop.2
	drop.1 udp [fd77:3::12]:53 = silence
	drop.1 tcp [2001:db8:51::1]:80 = open outside
	drop.2 tcp [2001:db8:51::1]:80 = reset
	1st.1 tcp 172.30.4.12:80 = open 1st.2
	1st.1 tcp [fd77:4::12]:80 = silence		# has no IPv6 identity
END
probes "a policed dockside container is" <<-'END'
	1st.1 tcp 198.51.100.1:80 = reset
	1st.1 udp 198.51.100.1:53 = open outside
	1st.1 tcp/fin 198.51.100.2:80 = silence
END

# ---- the host's services -------------------------------------------------------------------------

identity 02:00:00:00:01:11 172.30.1.11 fd77:1::11
policy <<'END'
{"networks": {
	"drop": {"host": [{"proto": "tcp", "ports": [22]}, {"proto": "icmp"}, {"action": "drop"}]},
	"1st": {"host": [{"action": "drop", "proto": "tcp", "ports": [22]}]}
}}
END
probes "host rules" <<-'END'
	drop.2 tcp 172.30.3.1:22 = open host
	drop.2 tcp 192.0.2.1:22 = open host
	drop.2 tcp 192.0.2.1:80 = reset
	drop.2 tcp [fd77:3::1]:22 = open host
	drop.2 tcp [2001:db8:ffff::1]:80 = reset
	drop.2 udp 172.30.3.1:53 = silence
	drop.2 udp [fd77:3::1]:53 = silence
	drop.2 icmp fd77:3::1 = open
	drop.2 icmp/13 172.30.3.1 = silence
	drop.2 tcp 198.51.100.1:80 = open outside	# this is egress
	drop.1 tcp 192.0.2.1:80 = open host		# dockside
	drop.1 udp [fd77:3::1]:53 = open host
	1st.2 tcp 192.0.2.1:22 = reset
	1st.2 tcp 192.0.2.1:80 = open host
	1st.1 tcp 192.0.2.1:22 = reset			# dockside, policed
	ds-a.2 tcp 192.0.2.1:80 = open host
	free.2 tcp 192.0.2.1:80 = open host
	outside tcp 192.0.2.1:80 = open host
END
probes "DHCP is not a service of the host's" <<-'END'
	drop.2 udp 172.30.3.1:67 = open host
	drop.2 udp 255.255.255.255:67 = seen host
	drop.2 udp [fd77:3::1]:547 = open host
END
ip -n drop.2 neigh flush dev eth0
probes "nor is neighbour discovery" <<-'END'
	drop.2 tcp [fd77:3::1]:22 = open host
	drop.2 tcp [2001:db8:51::1]:80 = open outside
END

# ---- NAT -----------------------------------------------------------------------------------------

cp $t/network.plain.json $t/network.json
policy <<'END'
{"networks": {
	"ds-a": {
		"egress": [{"proto": "tcp", "ports": [13306], "to": "ip", "ip": "198.51.100.3"},
			{"proto": "tcp", "ports": [8080], "to": "ip", "ip": "172.30.5.12"},
			{"action": "drop", "proto": "tcp"}],
		"nat": [{"match_dport": 3306, "to_ip": "198.51.100.3", "to_port": 13306},
			{"match_dport": 25, "to_ip": "198.51.100.4", "to_port": 25},
			{"proto": "udp", "match_dport": 53, "to_ip": "198.51.100.5", "to_port": 5353}]},
	"1st": {"nat": [{"match_dport": 3306, "to_host": "one.example", "to_port": 443},
			{"match_dport": 80, "to_ip": "2001:db8:51::7", "to_port": 443},
			{"proto": "udp", "match_dport": 123, "to_host": "two.example", "to_port": 53},
			{"match_dport": 5000, "to_host": "nowhere.example", "to_port": 80}]}
}}
END
probes "NAT, and egress sees what comes of it" <<-'END'
	ds-a.1 tcp 198.51.100.1:3306 = open outside 198.51.100.3:13306
	ds-a.1 tcp 203.0.113.1:3306 = open outside 198.51.100.3:13306
	ds-a.1 tcp 172.30.1.1:3306 = open outside 198.51.100.3:13306
	ds-a.1 tcp 198.51.100.3:13306 = open outside 198.51.100.3:13306
	ds-a.1 tcp 198.51.100.4:13306 = reset
	ds-a.1 udp 198.51.100.1:53 = open outside 198.51.100.5:5353
	ds-a.1 udp [2001:db8:51::1]:53 = open outside [2001:db8:51::1]:53
	ds-a.1 udp 198.51.100.1:123 = open outside 198.51.100.1:123
	1st.1 tcp 198.51.100.1:3306 = open outside 198.51.100.3:443
	1st.1 tcp [2001:db8:51::1]:3306 = open outside [2001:db8:51::3]:443
	1st.1 tcp [2001:db8:51::1]:80 = open outside [2001:db8:51::7]:443
	1st.1 tcp 198.51.100.1:80 = open outside 198.51.100.1:80
	1st.1 udp 198.51.100.1:123 = open outside 198.51.100.4:53	# the lowest address
	1st.1 udp [2001:db8:51::1]:123 = open outside [2001:db8:51::5]:53
	1st.1 udp 198.51.100.1:53 = open outside 198.51.100.1:53
	1st.1 tcp 198.51.100.1:5000 = open outside 198.51.100.1:5000
	drop.1 tcp 198.51.100.1:3306 = open outside 198.51.100.1:3306
	free.1 tcp 198.51.100.1:3306 = open outside 198.51.100.1:3306
END
# Docker's DNAT of a published port.
nft 'table ip docker { chain prerouting { type nat hook prerouting priority dstnat; policy accept;
	fib daddr type local tcp dport 3306 dnat to 172.30.5.12:80
	}
}'
probes "Docker's own NAT goes first" <<-'END'
	1st.1 tcp 192.0.2.1:3306 = open free.2 172.30.5.12:80
	1st.1 tcp 198.51.100.1:3306 = open outside 198.51.100.3:443
	outside tcp 192.0.2.1:3306 = open free.2 172.30.5.12:80
END
nft delete table ip docker

policy <<'END'
{"networks": {"1st": {"nat": [{"match_dport": 3306, "to_ip": "198.51.100.8", "to_port": 443}]}}}
END
probes "NAT rules that go take effect at once, as do changed ones" <<-'END'
	ds-a.1 tcp 198.51.100.1:3306 = open outside 198.51.100.1:3306
	1st.1 tcp 198.51.100.1:3306 = open outside 198.51.100.8:443
	1st.1 tcp [2001:db8:51::1]:3306 = open outside [2001:db8:51::1]:3306
END

stop_peers
finish
