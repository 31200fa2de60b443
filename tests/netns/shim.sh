#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The shim, our rules in the tables of iptables-nft, beside rules as Docker makes them: the second layer of safety,
# the FORWARD policy, the take-over from the iptables version and the way back. The daemon heals it all. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

build_network()
{
	outside 198.51.100.{1..2}/32 2001:db8:51::1/128 && bridge ds-1 172.30.1.1/24 fd77:1::1/64 &&
		bridge ds-2 172.30.2.1/24 fd77:2::1/64 && bridge br-3 172.30.3.1/24 fd77:3::1/64 &&
		container c1 ds-1 172.30.1.11 fd77:1::11 && container c3 br-3 172.30.3.11 fd77:3::11
}
build_network || bail "cannot build the network"
start_peers
ask "serve outside tcp 80 443"
network_config <<'CONFIG'
{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24"}, {"name": "ds-2", "subnet": "172.30.2.0/24"}]}
CONFIG
firewall_config <<'CONFIG'
{"ipsets": {"good": ["198.51.100.1", "2001:db8:51::1"]},
"networks": {
	"ds-1": {"egress": [{"proto": "tcp", "ports": [80], "to": "ipset", "ipset": "good"}, {"action": "drop"}]},
	"ds-2": {"egress": [{"action": "drop"}]}}}
CONFIG

# docker COMMAND: "start" makes its chains as Docker does (20.10 to 27), in both families; "network"
# is what it does for a network: the jump to DOCKER-USER goes away and comes back; "stop" flushes.
docker_forward()
{
	$tool -I FORWARD -j DOCKER-USER || return
	for bridge in ds-1 ds-2 br-3; do
		$tool -A FORWARD -o $bridge -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT &&
			$tool -A FORWARD -i $bridge ! -o $bridge -j ACCEPT || return
	done
}
docker()
{
	local tool
	for tool in iptables-nft ip6tables-nft; do
		case $1 in
		start)
			$tool -N DOCKER-USER && $tool -A DOCKER-USER -j RETURN &&
				docker_forward
			;;
		network)
			$tool -D FORWARD -j DOCKER-USER && $tool -I FORWARD -j DOCKER-USER
			;;
		stop)
			$tool -P FORWARD ACCEPT && $tool -F && $tool -X
			;;
		esac || return
	done
}

user_chain() # [TOOL]
{
	"${1:-iptables-nft}" -S DOCKER-USER 2>&1 | tail -n +2
}

jump="-A DOCKER-USER -j DOCKSIDE-DISPATCH"
known="-A DOCKER-USER -m conntrack --ctstate ESTABLISHED -m comment --comment \
\"dsfw-nft: the FORWARD policy was ACCEPT\" -j ACCEPT"

in_force()
{
	probes "$1" <<-'PROBES'
		c1 tcp 198.51.100.1:80 = open outside
		c1 tcp [2001:db8:51::1]:80 = open outside
		c1 tcp 198.51.100.1:443 = reset
		c1 tcp [2001:db8:51::1]:443 = reset
		c3 tcp 198.51.100.1:443 = open outside
		c3 tcp [2001:db8:51::1]:443 = open outside
	PROBES
}

closed()
{
	probes "$1" <<-'PROBES'
		c1 tcp 198.51.100.1:80 = silence
		c1 tcp [2001:db8:51::1]:80 = silence
		c1 tcp 198.51.100.1:443 = silence
		c3 tcp 198.51.100.1:443 = open outside
		c3 tcp [2001:db8:51::1]:443 = open outside
	PROBES
}

# ---- without Docker ------------------------------------------------------------------------------

dsfw apply
is "apply without Docker" "$status" 0
is "it makes no chain for Docker" "$(nft list tables | grep -cv dockside)" 0
dsfw teardown

# ---- the second layer ----------------------------------------------------------------------------

docker start || bail "no iptables"
iptables-nft -P FORWARD DROP
ip6tables-nft -P FORWARD DROP
dsfw diff
like "diff shows what is to come" "$status $out" \
	'^1 .*table ip filter.*DOCKSIDE-DISPATCH: new.*DOCKER-USER: \+ first, the jump'
dsfw apply
is "apply beside Docker" "$status" 0
is "the jump is first" "$(user_chain)" "$jump
-A DOCKER-USER -j RETURN"
is "in ip6 filter, too" "$(user_chain ip6tables-nft)" "$jump
-A DOCKER-USER -j RETURN"
dsfw diff
is "then nothing differs" "$status $out" "0 no differences"
before=$(generation)
dsfw apply
like "the second apply changes nothing" "$status $out" "^0 nothing to change"
is "not even the generation" "$(generation)" "$before"
in_force "with the shim"

for tool in iptables-nft ip6tables-nft; do
	is "$tool can read it" "$($tool -S 2>&1 >/dev/null; $tool -L 2>&1 >/dev/null)" ""
	$tool-save >$t/saved
	$tool-restore <$t/saved
	is "$tool: saved, restored, saved" "$(grep -v '^[#:]' $t/saved)" \
		"$($tool-save | grep -v '^[#:]')"
done
in_force "after save and restore"
dsfw diff
is "after save and restore nothing differs" "$status $out" "0 no differences"

nft delete table inet dockside
closed "without table inet dockside"
iptables-nft-save >$t/saved
iptables-nft-restore <$t/saved
closed "without it, after save and restore"
dsfw apply
in_force "with the table again"

nft 'table inet other { chain pre { type filter hook prerouting priority raw; iifname "ds-1" meta mark set 0x5; }
	chain post { type filter hook postrouting priority 0; iifname "ds-1" meta mark 0x00000005 counter; }; }'
in_force "beside somebody's marks"
like "a mark leaves as it came" \
	"$(nft list chain inet other post)" 'counter packets [1-9]'
nft delete table inet other
dsfw apply --mark-bit 0x2
like "another bit" "$(iptables-nft -S DOCKSIDE-DISPATCH)" '--mark 0x2/0x2'
in_force "with another bit"
dsfw apply --mark-bit 3
like "not one bit" "$status $err" '^2 .*--mark-bit is "3": wanted one bit'
dsfw apply

# heals DESCRIPTION COMMAND…
heals()
{
	"${@:2}" || bail "$1: the command fails"
	dsfw apply
	is "$1: apply" "$status $(user_chain | head -1)" "0 $jump"
	in_force "$1"
}
heals "DOCKER-USER flushed" iptables-nft -F DOCKER-USER
heals "a rule before ours" iptables-nft -I DOCKER-USER -i ds-1 -j ACCEPT
is "which stays, behind" "$(user_chain)" "$jump
-A DOCKER-USER -i ds-1 -j ACCEPT"
iptables-nft -D DOCKER-USER -i ds-1 -j ACCEPT
heals "our chain flushed" iptables-nft -F DOCKSIDE-DISPATCH
heals "a rule in our chain" iptables-nft -I DOCKSIDE-DISPATCH -j ACCEPT
heals "a rule of it deleted" iptables-nft -D DOCKSIDE-DISPATCH 2
heals "two jumps" iptables-nft -A DOCKER-USER -j DOCKSIDE-DISPATCH
is "of which one goes" "$(user_chain | grep -c DOCKSIDE)" 1

# A chain that is no longer jumped to, but still there, must not hinder anything.
nft delete table inet dockside
dsfw teardown
is "teardown without the table" "$status $(iptables-nft -S | grep -c DOCKSIDE)" "0 0"

# ---- the FORWARD policy --------------------------------------------------------------------------

dsfw apply
is "a policy that is DROP already: no rule of ours" "$(user_chain)" "$jump"
dsfw teardown
iptables-nft -P FORWARD ACCEPT
dsfw apply --forward-policy=allow-accept
is "allow-accept" "$(iptables-nft -S FORWARD | head -1) $(user_chain)" "-P FORWARD ACCEPT $jump"
dsfw apply --forward-policy=maybe
like "a third way" "$status $err" '^2 .*"maybe": wanted drop or allow-accept'
dsfw diff
like "diff shows the policy" "$status $out" '^1 .*FORWARD: policy accept becomes drop'
iptables-nft -A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT # an admin's
dsfw apply
is "drop" "$(iptables-nft -S FORWARD | head -1)
$(user_chain)" "-P FORWARD DROP
$jump
$known
-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
like "apply says so" "$err" 'the policy of ip filter FORWARD was ACCEPT and is DROP now.*--forward-policy=allow-accept'
dsfw apply
like "and then nothing" "$status $out" "^0 nothing to change"
in_force "under the policy DROP"
iptables-nft -F DOCKER-USER
dsfw apply
is "flushed: the accept comes back, as it was we who changed the policy" "$(user_chain)" "$jump
$known"
iptables-nft -A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
dsfw teardown
is "teardown gives the policy back, and leaves what is not ours" "$status $(iptables-nft -S FORWARD | head -1)
$(user_chain)" "0 -P FORWARD ACCEPT
-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
like "and says so" "$out" "gave back the policy"
iptables-nft -F DOCKER-USER

# The same of IPv6, by itself: that of IPv4 is DROP now.
policy6()
{
	echo "$(ip6tables-nft -S FORWARD | head -1), $(user_chain ip6tables-nft | grep -c 'FORWARD policy was ACCEPT')"
}
iptables-nft -P FORWARD DROP
ip6tables-nft -P FORWARD ACCEPT
dsfw diff
like "IPv6: diff shows it" "$status $out" '^1 .*table ip6 filter.*FORWARD: policy accept becomes drop'
dsfw apply --forward-policy=allow-accept
is "IPv6: allow-accept" "$status $(policy6)" "0 -P FORWARD ACCEPT, 0"
dsfw apply
is "IPv6: drop, with the accept for known connections" "$status $(policy6)" "0 -P FORWARD DROP, 1"
like "IPv6: apply says so" "$err" 'the policy of ip6 filter FORWARD was ACCEPT and is DROP now.*--forward-policy=allow-accept'
is "IPv6: nothing of IPv4's" "$(user_chain | grep -c 'FORWARD policy was ACCEPT')" 0
is "IPv6: after our jump" "$(user_chain ip6tables-nft | sed -n 1p)" "$jump"
dsfw apply
like "IPv6: and then nothing" "$status $out" "^0 nothing to change"
in_force "under both policies DROP"
ip6tables-nft -F DOCKER-USER
dsfw apply
is "IPv6: flushed, the accept comes back, as it is on record" "$(policy6)" "-P FORWARD DROP, 1"
ip6tables-nft -F DOCKER-USER
dsfw teardown
like "IPv6: teardown gives the policy back" "$status $(policy6) $out" \
	"^0 -P FORWARD ACCEPT, 0 .*gave back the policy of ip6 filter FORWARD"
is "IPv6: and leaves IPv4's" "$(iptables-nft -S FORWARD | head -1)" "-P FORWARD DROP"
ip6tables-nft -F DOCKER-USER

# Up to Docker 22 ip6 filter has no DOCKER-USER: what tells of the policy is beside it, and outlives our table.
iptables-nft -P FORWARD DROP
ip6tables-nft-save >$t/saved6
ip6tables-nft -F && ip6tables-nft -X && ip6tables-nft -N DOCKER
ip6tables-nft -P FORWARD ACCEPT
ip6tables-nft -S >$t/before
dsfw apply
is "IPv6 without DOCKER-USER: drop" "$status $(ip6tables-nft -S FORWARD | head -1)" "0 -P FORWARD DROP"
dsfw apply
like "and then nothing" "$status $out" "^0 nothing to change"
nft delete table inet dockside
dsfw teardown
is "teardown gives the policy back, whatever has become of our table" \
	"$status $(ip6tables-nft -S | diff - $t/before)" "0 "
dsfw apply
nft delete table inet dockside
dsfw apply
dsfw teardown
is "so it does after an apply that finds it changed" "$status $(ip6tables-nft -S | diff - $t/before)" "0 "
ip6tables-nft -P FORWARD DROP
dsfw apply
dsfw teardown
is "a policy that others have set stays" "$status $(ip6tables-nft -S FORWARD | head -1)" "0 -P FORWARD DROP"
ip6tables-nft-restore <$t/saved6

# ---- from the iptables version, and back ---------------------------------------------------------

iptables-nft -P FORWARD DROP
old_rules()
{
	ipset create good hash:ip timeout 300 && ipset create good--seen hash:ip timeout 300 &&
		ipset create gone hash:ip && ipset create gone--seen hash:ip && ipset create mine hash:ip &&
		ipset add good 198.51.100.1 || return
	iptables-nft-restore --noflush <<-'RULES'
		*filter
		:DOCKSIDE-DISPATCH - [0:0]
		:DOCKSIDE-DS-1-OUT - [0:0]
		:DOCKSIDE-DS-1-ING - [0:0]
		-I DOCKER-USER 1 -j DOCKSIDE-DISPATCH
		-A DOCKSIDE-DISPATCH -i ds-1 -o ds-1 -j DOCKSIDE-DS-1-ING
		-A DOCKSIDE-DISPATCH -i ds-1 -j DOCKSIDE-DS-1-OUT
		-A DOCKSIDE-DISPATCH -j RETURN
		-A DOCKSIDE-DS-1-ING -m conntrack --ctstate NEW -j DROP
		-A DOCKSIDE-DS-1-OUT -p tcp -m conntrack --ctstate NEW -m tcp --dport 80 -m set --match-set good dst -j RETURN
		-A DOCKSIDE-DS-1-OUT -p tcp -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset
		COMMIT
		*nat
		:DOCKSIDE-NAT-DS-1 - [0:0]
		-A PREROUTING -i ds-1 -j DOCKSIDE-NAT-DS-1
		-A DOCKSIDE-NAT-DS-1 -p tcp -m tcp --dport 3306 -j DNAT --to-destination 198.51.100.2:80
		COMMIT
	RULES
}
old_rules || bail "cannot load the old rules"
probes "the iptables version" <<-'PROBES'
	c1 tcp 198.51.100.1:80 = open outside
	c1 tcp 198.51.100.1:443 = reset
	c1 tcp 198.51.100.1:3306 = silence # the reset of a redirected packet is lost
PROBES
rm -f $t/ready $t/enough $t/stop
python3 "$here/flood.py" c1 outside 198.51.100.1:443 198.51.100.1:80 $t 2000 >$t/flood 2>&1 &
flood_pid=$!
until_true 10 test -e $t/ready || bail "no flood: $(<$t/flood)"
sleep 0.3
dsfw apply
is "apply takes over" "$status" 0
like "and says so" "$out" "took over from the iptables version"
until_true 10 test -e $t/enough
touch $t/stop
wait "$flood_pid"
comment <$t/flood
like "nothing denied got through meanwhile" "$(<$t/flood)" 'answered=0 .*seen=0 '
is "the old chains and jumps are gone" "$(iptables-nft -S | grep -c 'DS-1'; iptables-nft -t nat -S |
	grep -c DOCKSIDE)" "0
0"
is "its ipsets, too; one that is not its own stays" "$(ipset list -n)" mine
in_force "afterwards"
dsfw teardown
is "teardown: nothing in the way of the old program" \
	"$(iptables-nft -S | grep -c DOCKSIDE)$(iptables-nft -t nat -S | grep -c DOCKSIDE)" 00
ipset destroy mine
old_rules || result "the old rules load again" "they do not"
before=$(iptables-nft -S; iptables-nft -t nat -S; ipset list -n)
dsfw teardown
is "teardown leaves alone what is the iptables version's" \
	"$status $(iptables-nft -S; iptables-nft -t nat -S; ipset list -n)" "0 $before"
iptables-nft -N my:chain && iptables-nft -A my:chain -j DOCKSIDE-DISPATCH
dsfw apply
is "a chain that nft cannot name does not stop the take-over" \
	"$status $(user_chain | head -1) $(iptables-nft -S | grep -c 'DS-1')" "0 $jump 0"
dsfw teardown
is "nor the teardown" "$status $(user_chain | grep -c DOCKSIDE)$(nft list tables | grep -c dockside)" "0 00"
iptables-nft -F my:chain && iptables-nft -X my:chain && iptables-nft -X DOCKSIDE-DISPATCH
ipset create web hash:ip
ipset create web--seen hash:ip
dsfw apply
is "ipsets of others stay" "$(ipset list -n | sort | xargs)" "mine web web--seen"
dsfw teardown

# A packet that meets our rules while somebody deletes them, and finds the dispatch empty, does not count as judged.
arrived()
{
	nsenter --net=/run/netns/outside nft list counter inet seen discard | sed -nE 's/.*packets ([0-9]+).*/\1/p'
}
nsenter --net=/run/netns/outside nft 'table inet seen {
	counter discard { }
	chain input { type filter hook input priority 0; udp dport 9 counter name discard; }
}'
dsfw apply
python3 "$here/denied.py" flood 6 c1:udp:198.51.100.1:9 >$t/sent &
flooder=$!
deleted=0
while kill -0 $flooder 2>/dev/null; do
	nft delete table inet dockside && sleep 0.01 && dsfw apply && deleted=$((deleted + 1))
done
wait $flooder
comment <<<"$(<$t/sent) denied while the table went $deleted times"
is "nothing passes while the table goes" "$status $(arrived)" "0 0"
dsfw teardown
python3 "$here/denied.py" flood 0.1 c1:udp:198.51.100.1:9 >$t/sent
result "it would be seen" "$([[ $(arrived) -gt 0 ]] || echo "nothing of $(<$t/sent) was")"

# A shim that the kernel refuses for good must not keep the policy out.
docker stop || bail "docker stop"
nft delete table ip filter
mkfifo $t/owner
nft -i <$t/owner >/dev/null 2>&1 &
owner=$!
exec {to_owner}>$t/owner
echo 'table ip filter { flags owner; chain DOCKER-USER { }; chain FORWARD { type filter hook forward priority 0; jump DOCKER-USER; }; }' \
	>&"$to_owner"
until_true 5 nft list chain ip filter DOCKER-USER >/dev/null
dsfw apply
is "somebody owns the table: apply" "$status" 0
like "says so" "$err" "the shim in Docker's tables: .*; enforcing without it"
in_force "without the shim"
dsfw apply
is "again" "$status $out" "0 nothing to change: 2 managed networks"
dsfw teardown
exec {to_owner}>&-
wait "$owner"
docker start || bail "docker start"

# ---- the daemon ----------------------------------------------------------------------------------

docker stop
start_listening
start_daemon
is "started before Docker: no chain" "$(iptables-nft -S | grep -c DOCK)" 0

# healed DESCRIPTION PATTERN COMMAND…: soon, with a line in the log
healed()
{
	local since
	until_true 3 jump_is_first || result "$1: before" "$(user_chain)"
	log_before=$(wc -l <$log)
	"${@:3}" || bail "$1: the command fails"
	since=$(date +%s%N)
	until_true 3 jump_is_first || result "$1" "no jump: $(user_chain)"
	echo "# $1: $((($(date +%s%N) - since) / 1000000)) ms, as seen by iptables -S"
	until_true 3 logged "$2"
	result "$1: logged" "$(logged "$2" || life)"
}
# shellcheck disable=SC2317 # not unreachable
jump_is_first()
{
	[[ $(user_chain | head -1) == "$jump" && $(user_chain ip6tables-nft | head -1) == "$jump" &&
		$(iptables-nft -S FORWARD | head -1) == "-P FORWARD DROP" ]]
}

docker start
until_true 3 jump_is_first || result "Docker starts" "$(user_chain)"
in_force "Docker started after the daemon"
healed "iptables -F DOCKER-USER" 'iptables.* changed chain "DOCKER-USER" of ip filter.*put back the shim' \
	iptables-nft -F DOCKER-USER
in_force "after that"
healed "iptables -F" 'put back the shim' iptables-nft -F
tool=iptables-nft docker_forward
healed "a rule before ours" 'put back the shim' iptables-nft -I DOCKER-USER -j RETURN
healed "the policy" 'changed chain "FORWARD" of ip filter' iptables-nft -P FORWARD ACCEPT
is "it was we who changed it" "$(user_chain | grep -c 'FORWARD policy was ACCEPT')" 1
is "which is in the log" "$(logged 'the policy of ip filter FORWARD was ACCEPT and is DROP now' && echo it)" it
healed "DOCKER-USER of IPv6" 'DOCKER-USER" of ip6 filter' ip6tables-nft -F DOCKER-USER
in_force "after all of those"

repairs=$(drift repairs)
for _ in {1..20}; do
	docker network || bail "docker network"
done
client status --json
is "what Docker does to its own rules is no damage" "$(drift repairs)" "$repairs"
in_force "after Docker's own changes"
end_daemon TERM
is "the shim outlives the daemon" "$(user_chain | head -1)" "$jump"
dsfw teardown
is "teardown" "$status $(iptables-nft -S | grep -c DOCKSIDE)$(ip6tables-nft -S | grep -c DOCKSIDE)" "0 00"
stop_peers
finish
