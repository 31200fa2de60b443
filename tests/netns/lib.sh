#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced first by the scripts in this directory. Starts the script again in network, mount and pid
# namespaces of its own, where it is the Docker host: what it makes there ends with it, and nothing
# that it does reaches the machine. Scratch space is /run/t; names resolve from /run/t/hosts and
# nothing else. Namespaces of containers are made by `container`, all other hosts are in `outside`.
#
# Environment: DSFW_NFT, the program; NETNS_TEST_BOOTED: ../systemd/lib.sh has set up a host.
set -u -o pipefail
export LC_ALL=C.UTF-8
unset DOCKER_HOST RESET # the machine's Docker is not ours to change

here=$(dirname "$(realpath "$0")")
if [[ -z ${NETNS_TEST_INSIDE:-} ]]; then
	if [[ $(id -u) -ne 0 ]]; then
		echo "1..0 # SKIP needs root"
		exit 0
	fi
	program=${DSFW_NFT:-${TOP_BUILDDIR:-$here/../..}/dsfw-nft}
	DSFW_NFT=$(realpath "$program") || {
		echo "Bail out! no program at $program: set DSFW_NFT"
		exit 1
	}
	export DSFW_NFT NETNS_TEST_INSIDE=1
	exec unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
		"$0" "$@"
fi
trap 'exit 1' INT TERM HUP

# shellcheck source=tests/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"
t=/run/t
export STATE_DIRECTORY=$t/state-directory # not the machine's
peers_pid=

bail() # MESSAGE
{
	echo "Bail out! $1"
	exit 1
}

comment()
{
	sed 's/^/# /'
}

# like DESCRIPTION GOT PATTERN: an extended regular expression
like()
{
	local faults=
	[[ $2 =~ $3 ]] || faults=$(printf 'got:\n%s\nwanted something like:\n%s\n' "$2" "$3")
	result "$1" "$faults"
}

# pause SECONDS: sleeps without a process, as nobody ever writes to that pipe
exec {silence}<> <(:)
pause()
{
	read -r -t "$1" -u "$silence" _ || : # it timed out
}

# until_true SECONDS COMMAND…: polls; fails when so many calm seconds are over, or five times as many on a busy machine
until_true()
{
	local deadline=$((SECONDS + 5 * $1 + 1)) limit=$((($1 + 1) * 1000)) calm begin tries=0 pause=0.02
	shift
	set_calm
	begin=$calm
	until "$@"; do
		set_calm
		((SECONDS < deadline && calm - begin <= limit)) || return 1
		((++tries < 50)) || pause=0.05
		pause $pause
	done
}

# prints REGEX COMMAND…: whether the output of the command matches; prints_no: whether it does not
prints()
{
	[[ $("${@:2}" 2>&1) =~ $1 ]]
}
prints_no()
{
	! prints "$@"
}

# matches PATTERN: some line of standard input, all of which is read: who writes it must not fail
matches()
{
	[[ $(grep -cE -- "$1") -gt 0 ]]
}

# ---- the program ---------------------------------------------------------------------------------

# dsfw COMMAND [OPTION…]: runs the program on the two files; $status, $out, $err
dsfw()
{
	local files=(--network-config "$t/network.json" --firewall-config "$t/firewall.json")
	timeout 60 "$DSFW_NFT" "$1" "${files[@]}" "${@:2}" >$t/out 2>$t/err
	status=$?
	{ out=$(<$t/out); } 2>/dev/null # in which a NUL may be
	err=$(<$t/err)
}

# status_fault WANTED: of the last dsfw
status_fault()
{
	[[ $status == "$1" ]] || printf 'exit status %s, wanted %s\n%s\n' "$status" "$1" "$out
$err"
}

# network_config, firewall_config: from standard input
network_config()
{
	cat >$t/network.json
}

firewall_config()
{
	cat >$t/firewall.json
}

# policy: applies the firewall configuration on standard input, which has to work
policy()
{
	firewall_config
	dsfw apply
	[[ $status -eq 0 ]] || result "apply" "$(status_fault 0)"
}

# hosts LINE…: what names resolve to
# shellcheck disable=SC2120
hosts()
{
	printf '%s\n' "127.0.0.1 localhost" "$@" >$t/hosts
}

# The number of the ruleset's generation: every committed transaction adds one.
generation()
{
	python3 "$here/peers.py" generation
}

# Prints the table, an object a line, sorted, so that their order does not matter: without counts and remaining
# lifetimes, and without the program's own notes.
listing()
{
	nft -s list table inet dockside | awk '
		function end() { if (object != "") print object; object = "" }
		/^\tset fingerprint /, /^\t}/ { next }
		/^(table|})/ { next }
		/^$/ { end(); next }
		{ gsub(/ expires [0-9a-z]+/, ""); object = object (object == "" ? "" : " ") $0 }
		END { end() }' | sort
}

# elements SET: one a line, sorted, without how long they still live
elements()
{
	nft list set inet dockside "$1" | awk '{ all = all $0 }
		END {
			if (!sub(/.*elements = \{ /, "", all) || !sub(/ \}[ \t}]*$/, "", all))
				exit
			n = split(all, items, ",")
			for (i = 1; i <= n; i++) {
				gsub(/[ \t]+/, " ", items[i]); gsub(/^ | $|"/, "", items[i])
				sub(/ expires [0-9a-z]+/, "", items[i]); print items[i]
			}
		}' | sort
}

# ---- the network ---------------------------------------------------------------------------------

set_up_host()
{
	mount -t tmpfs none /run && mount -t sysfs none /sys && mkdir -p $t /run/netns || return
	# shellcheck disable=SC2119
	hosts
	: >$t/resolv.conf
	echo 'hosts: files dns' >$t/nsswitch.conf
	echo 'multi on' >$t/host.conf
	for file in hosts resolv.conf nsswitch.conf host.conf; do
		[[ -e /etc/$file ]] || continue # a mount needs something to cover
		mount --bind $t/$file /etc/$file || return
	done
	ip link set lo up
	echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
	echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter
	echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
}

# Endpoints neither reset nor refuse, so that what is reset was reset by the firewall; and they do not
# take an ICMP error about TCP (in IPv4 or IPv6 behind the error's header) for a reset.
mute()
{
	nsenter --net=/run/netns/"$1" nft 'table inet mute {
		chain output {
			type filter hook output priority 0;
			tcp flags & (rst | ack) == rst | ack drop
			icmp type destination-unreachable drop
			icmpv6 type destination-unreachable drop
		}
		chain input {
			type filter hook input priority 0;
			icmp type destination-unreachable @th,136,8 6 drop
			icmpv6 type destination-unreachable @th,112,8 6 drop
		}
	}'
}

new_namespace() # NAME
{
	ip netns add "$1" && ip -n "$1" link set lo up && mute "$1" &&
		nsenter --net=/run/netns/"$1" sh -c 'echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
			echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter
			echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
			echo 0 >/proc/sys/net/ipv6/conf/default/router_solicitations'
}

# outside ADDRESS/LENGTH…: the namespace that has all of these, behind the host's up0
outside()
{
	local address
	new_namespace outside && ip link add up0 type veth peer name up0 netns outside &&
		ip addr add 192.0.2.1/24 dev up0 && ip link set up0 up &&
		ip addr add 2001:db8:ffff::1/64 dev up0 nodad &&
		ip -n outside addr add 192.0.2.2/24 dev up0 &&
		ip -n outside addr add 2001:db8:ffff::2/64 dev up0 nodad &&
		ip -n outside link set up0 up && ip route add default via 192.0.2.2 &&
		ip route add default via 2001:db8:ffff::2 &&
		ip -n outside route add default via 192.0.2.1 &&
		ip -n outside route add default via 2001:db8:ffff::1 || return
	for address in "$@"; do
		if [[ $address == *:* ]]; then
			ip -n outside addr add "$address" dev lo nodad || return
		else
			ip -n outside addr add "$address" dev lo || return
		fi
	done
}

# bridge NAME GATEWAY/LENGTH GATEWAY6/LENGTH: with a MAC address of its own, as Docker's have. Without one a
# bridge takes the lowest of its ports', and a port that comes later changes it under its neighbours.
bridge()
{
	local mac

	mac=$(printf '02:42:%02x:%02x:%02x:%02x' $((RANDOM % 256)) $((RANDOM % 256)) $((RANDOM % 256)) $((RANDOM % 256)))
	ip link add name "$1" address "$mac" type bridge mcast_snooping 0 forward_delay 0 &&
		ip link set dev "$1" up && ip addr add "$2" dev "$1" &&
		ip addr add "$3" dev "$1" nodad
}

# container NAME BRIDGE ADDRESS ADDRESS6 [MAC]: /24 and /64, the gateways being .1 and ::1
container()
{
	new_namespace "$1" &&
		ip link add "v-$1" type veth peer name eth0 ${5:+address "$5"} netns "$1" &&
		ip link set "v-$1" master "$2" && ip link set "v-$1" up &&
		ip -n "$1" link set eth0 up && ip -n "$1" addr add "$3/24" dev eth0 &&
		ip -n "$1" addr add "$4/64" dev eth0 nodad &&
		ip -n "$1" route add default via "${3%.*}.1" &&
		ip -n "$1" route add default via "${4%::*}::1"
}

# ---- packets: peers.py has sockets in all namespaces ---------------------------------------------

start_peers()
{
	coproc PEERS { exec python3 "$here/peers.py"; }
	peers_pid=$!
	# The shell keeps its own ones from subshells.
	exec {to_peers}>&"${PEERS[1]}" {from_peers}<&"${PEERS[0]}"
	eval "exec ${PEERS[1]}>&- ${PEERS[0]}<&-"
}

stop_peers()
{
	exec {to_peers}>&- {from_peers}<&-
	wait "$peers_pid"
}

# ask LINE…: the answer of peers.py to commands
ask()
{
	local line
	printf '%s\n' "$@" end >&"$to_peers"
	while IFS= read -r -t 60 -u "$from_peers" line; do
		[[ $line != . ]] || return 0
		printf '%s\n' "$line"
	done
	echo "peers.py does not answer"
}

# probes DESCRIPTION: one test of the probes on standard input, see peers.py; # begins a comment
probes()
{
	local lines
	lines=$(sed -E 's/[[:space:]]*#.*//; s/^[[:space:]]+//; /^$/d')
	[[ -n $lines ]] || bail "no probes: $1"
	result "$1" "$(ask "$lines" go)"
}

[[ -n ${NETNS_TEST_BOOTED:-} ]] || set_up_host || bail "cannot set up a host"
