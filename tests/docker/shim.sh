#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The second layer, in Docker's own chain: it closes managed networks when the table is gone, touches
# nothing else, and iptables and dockerd get on with it. TAP.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

outside 198.51.100.{1,2}/32 2001:db8:51::1/128 || bail "cannot build the network"
network_config <<'CONFIG'
{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64",
	"dockside_ip": "172.30.1.2"}]}
CONFIG
firewall_config <<'CONFIG'
{"networks": {"ds-a": {"egress": [{"proto": "tcp", "ports": [80]}, {"proto": "udp", "ports": [53, 81]},
	{"proto": "icmp"}, {"action": "drop"}]}}}
CONFIG
jump='-A DOCKER-USER -j DOCKSIDE-DISPATCH'

# first_rule [ip6tables]: of DOCKER-USER
first_rule()
{
	"${1:-iptables}" -S DOCKER-USER 2>&1 | grep -v '^-N' | head -1
}

is_hooked() # [ip6tables]
{
	[[ $(first_rule "$@") == "$jump" ]]
}

# ---- before Docker -------------------------------------------------------------------------------

start_listening
start_daemon
is "before Docker there are our tables and nothing else" "$(nft list tables | xargs)" "table inet dockside table bridge dockside"
dsfw apply # the lock is the daemon's: it may be refused
is "DOCKER-USER is Docker's to make" "$(nft list tables | xargs)" "table inet dockside table bridge dockside"

dockerd_start
busybox_image || bail "no image"
until_true 5 is_hooked
is "when it has come, our jump is first there" "$(first_rule)" "$jump"
is "once" "$(iptables -S | grep -c -- '-j DOCKSIDE-DISPATCH')" 1
is "beside it is what Docker itself has there" "$(iptables -S DOCKER-USER | grep -vxFe '-N DOCKER-USER' -e "$jump" |
	grep -v 'dsfw-nft: the FORWARD policy')" \
	"$(docker_user_rules)"
# Up to 27 Docker takes it away and puts it back whenever it makes a network, as it does when it starts.
first()
{
	[[ $(iptables -S FORWARD | sed -n 2p) == "-A FORWARD -j DOCKER-USER" ]]
}
result "DOCKER-USER is before everything else of FORWARD" "$(until_true 5 first || iptables -S FORWARD)"

# ---- networks ------------------------------------------------------------------------------------

make_networks()
{
	until_true 5 docker network inspect ds-a >/dev/null 2>&1 ||
		make_network ds-a 172.30.1.0/24 172.30.1.1 fd77:1::/64 || return
	docker network create --subnet 172.30.3.0/24 -o com.docker.network.bridge.name=plain plain >/dev/null &&
		container_run dockside ds-a 172.30.1.2 - - &&
		container_run c1 ds-a 172.30.1.11 fd77:1::11 - 8080:80 &&
		container_run c2 ds-a 172.30.1.12 fd77:1::12 - &&
		container_run p1 plain 172.30.3.11 - - 8083:80 &&
		container_run p2 plain 172.30.3.12 - -
}
make_networks || bail "no networks"
is "after the creation of networks the jump is first" "$(first_rule)" "$jump"
start_peers
ask "serve outside tcp 80 81" "serve outside udp 81" "serve host tcp 22"
for container in dockside c1 c2 p1 p2; do
	ask "serve $container tcp 80" "serve $container udp 81"
done

plain_works()
{
	probes "$1: other networks as always" <<-'PROBES'
		p1 tcp 198.51.100.1:80 = open outside
		p1 udp 198.51.100.2:81 = open outside
		p1 tcp 172.30.3.12:80 = open p2
		p1 udp 172.30.3.12:81 = open p2
		p1 icmp 172.30.3.12 = open
		outside tcp 192.0.2.1:8083 = open p1
		p1 tcp 172.30.3.1:22 = open host
	PROBES
}

enforced()
{
	probes "$1: the policy is in force" <<-'PROBES'
		c1 tcp 198.51.100.1:80 = open outside
		c1 udp 198.51.100.2:81 = open outside
		c1 icmp 198.51.100.1 = open
		c1 tcp [2001:db8:51::1]:80 = open outside
		c1 tcp 198.51.100.1:81 = reset
		c1 tcp [2001:db8:51::1]:81 = reset
		c1 tcp 172.30.1.12:80 = silence
		dockside tcp 172.30.1.11:80 = open c1
		outside tcp 192.0.2.1:8080 = open c1
	PROBES
	plain_works "$1"
}

closed()
{
	probes "$1: managed networks are closed" <<-'PROBES'
		c1 tcp 198.51.100.1:80 = silence
		c1 tcp 198.51.100.1:81 = silence
		c1 udp 198.51.100.2:81 = silence
		c1 icmp 198.51.100.1 = silence
		c1 tcp 172.30.1.12:80 = silence
		c1 udp 172.30.1.12:81 = silence
		c1 icmp 172.30.1.12 = silence
	PROBES
	plain_works "$1"
}
enforced "at first"

# ---- iptables and Docker -------------------------------------------------------------------------

# iptables_works DESCRIPTION
iptables_works()
{
	local command fault=
	for command in "iptables -S" "iptables -L -n -v" "iptables -S DOCKSIDE-DISPATCH" iptables-save \
		"ip6tables -S" ip6tables-save "iptables -C DOCKER-USER -j DOCKSIDE-DISPATCH"; do
		$command >$t/out 2>&1 || fault+="$command: $(tail -2 $t/out)"$'\n'
		! grep -iq incompatible $t/out || fault+="$command"$'\n'
	done
	grep -qxF -- "$jump" <<<"$(iptables-save 2>/dev/null)" || fault+="iptables-save omits the jump"$'\n'
	result "$1: iptables works" "${fault%$'\n'}"
}
iptables_works "with the jump"

# Compares the rules that iptables prints before and after it has read them back.
save_and_restore()
{
	iptables-save -t filter | grep -v '^#\|^:' >$t/before
	iptables-save >$t/saved && iptables-restore <$t/saved || return
	iptables-save -t filter | grep -v '^#\|^:' >$t/after
	cmp $t/before $t/after
}
is "iptables-save | iptables-restore" "$(save_and_restore 2>&1 && echo same)" same
enforced "after iptables-save | iptables-restore"
is "the jump is there" "$(first_rule)" "$jump"

docker_works()
{
	docker network create --subnet 172.30.4.0/24 other &&
		docker run --rm --network other -p 8084:80 bb:1 true && docker network rm other
}
is "docker network create, run -p, network rm" "$(docker_works >$t/out 2>&1 || cat $t/out)" ""
is "the jump stays first" "$(first_rule)" "$jump"
dockerd_restart TERM
enforced "after dockerd's restart"
is "the jump is still first" "$(first_rule)" "$jump"
is "dockerd has no complaint about iptables" "$(grep -iE 'level=(error|fatal).*iptables' "$dockerd_log")" ""

# ---- taken away ----------------------------------------------------------------------------------

# shellcheck disable=SC2317 # until_true calls it
is_put_back()
{
	is_hooked && iptables -S DOCKSIDE-DISPATCH 2>/dev/null | cmp -s "$t/wanted" -
}

for script in 'flush chain ip filter DOCKER-USER' 'insert rule ip filter DOCKER-USER return' \
	'flush chain ip filter DOCKSIDE-DISPATCH' \
	'flush chain ip filter DOCKER-USER; flush chain ip filter DOCKSIDE-DISPATCH;
		delete chain ip filter DOCKSIDE-DISPATCH'; do
	iptables -S DOCKSIDE-DISPATCH >$t/wanted 2>/dev/null
	nft "$script" 2>&1 | comment
	until_true 5 is_put_back
	is "put back after: ${script//$'\n'/}" "$(first_rule) $(iptables -S DOCKSIDE-DISPATCH 2>&1 | cmp $t/wanted -)" \
		"$jump "
done
iptables -F DOCKER-USER
until_true 2 is_hooked
is "after iptables -F DOCKER-USER, too" "$(first_rule)" "$jump"

# ---- without the table ---------------------------------------------------------------------------

ask "hold flow c1 tcp 198.51.100.1:80" >/dev/null
end_daemon TERM
is "the daemon ends well" "$status" 0
enforced "without the daemon"
nft delete table inet dockside
closed "without daemon and table"
is "open flows stand still, too" "$(ask "alive flow")" dead
iptables_works "without the table"
is "iptables-save | iptables-restore" "$(save_and_restore 2>&1 && echo same)" same
closed "after that"
docker_works >/dev/null 2>&1
closed "after docker network create and rm"
dockerd_restart TERM
closed "after dockerd's restart"

start_daemon
enforced "when the daemon is back"

# A packet's proof is our own: other bits are left alone, and nobody else's word counts.
nft 'table inet marks {
	chain early { type filter hook prerouting priority raw; iifname "ds-a" meta mark set meta mark | 0x10000003; }
	chain late { type filter hook forward priority filter + 10; iifname "ds-a" meta mark & 0x3 == 0x3 counter; }
}'
enforced "with other marks"
like "other bits of the mark stay" "$(nft list chain inet marks late)" 'counter packets [1-9]'
end_daemon TERM
nft delete table inet marks
nft delete table inet dockside
closed "once more without daemon and table"
start_daemon

# ---- the policy of FORWARD -----------------------------------------------------------------------

# policy_becomes DESCRIPTION POLICY
policy_becomes()
{
	until_true 2 has_policy "$2"
	is "$1" "$(forward_policy)" "-P FORWARD $2"
}
forward_policy()
{
	iptables -S FORWARD | head -1
}
has_policy() # POLICY
{
	[[ $(forward_policy) == "-P FORWARD $1" ]]
}

# Docker sets DROP only where it has turned forwarding on itself, which is not so here.
policy_becomes "Docker left ACCEPT: it is DROP" DROP
iptables -P FORWARD ACCEPT
policy_becomes "and becomes DROP again" DROP
# This Docker has its rules in ip6 filter, and no DOCKER-USER.
has_policy6() # POLICY
{
	[[ $(ip6tables -S FORWARD | head -1) == "-P FORWARD $1" ]]
}
ip6tables -P FORWARD ACCEPT
until_true 2 has_policy6 DROP
is "that of IPv6 becomes DROP, too" "$(ip6tables -S FORWARD | head -1)" "-P FORWARD DROP"
ask "hold flow p1 tcp 198.51.100.1:80" "hold managed c1 tcp 198.51.100.1:80" >/dev/null
enforced "then"
iptables_works "then"
is "open flows go on" "$(ask "alive flow" "alive managed" | xargs)" "alive alive"
end_daemon TERM
dsfw teardown
is "teardown gives ACCEPT back" "$status $(forward_policy)" "0 -P FORWARD ACCEPT"
is "also of IPv6" "$(ip6tables -S FORWARD | head -1)" "-P FORWARD ACCEPT"
is "and leaves nothing" "$(nft list ruleset 2>/dev/null | grep -ciE 'dockside')" 0
is "Docker has what it had there" "$(iptables -S DOCKER-USER | xargs)" "$( (echo "-N DOCKER-USER"; docker_user_rules) | xargs)"
plain_works "after teardown"

# Ready, or no more.
is_settled()
{
	told 1 READY=1 || ! kill -0 "$daemon_pid" 2>/dev/null
}
files+=(--forward-policy=allow-accept)
launch
until_true 15 is_settled
is "where ACCEPT may stay it does" "$(told 1 READY=1 && echo ready) $(forward_policy)" \
	"ready -P FORWARD ACCEPT"
is_hooked iptables && enforced "then"
end_daemon TERM 2>/dev/null
unset 'files[-1]'

iptables -P FORWARD DROP
start_daemon
end_daemon TERM
dsfw teardown
is "a DROP of others stays after teardown" "$status $(forward_policy)" "0 -P FORWARD DROP"

# ---- IPv6, where Docker has DOCKER-USER since 23.0 -----------------------------------------------

ip6tables -N DOCKER-USER
ip6tables -A DOCKER-USER -j RETURN
ip6tables -I FORWARD -j DOCKER-USER
start_daemon
until_true 2 is_hooked ip6tables
is "our jump is in that of IPv6, too" "$(first_rule ip6tables)" "$jump"
end_daemon TERM
nft delete table inet dockside
probes "without daemon and table IPv6 is closed, too" <<-'PROBES'
	c1 tcp [2001:db8:51::1]:80 = silence
	c1 tcp [fd77:1::12]:80 = silence
PROBES
start_daemon
enforced "with IPv6"
end_daemon TERM
dsfw teardown
is "teardown leaves nothing" "$status $(nft list ruleset 2>/dev/null | grep -ciE 'dockside')" "0 0"
stop_peers
finish
