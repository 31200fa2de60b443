#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Networks that others make, against an Engine API that comes and goes, hangs and lies: the rules go where Docker has a
# network, and nobody makes, changes or removes it. TAP.
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
			{"name": "shop_default", "external": true},
			{"name": "fixed", "external": true, "bridge": "br-fixed"},
			{"name": "ds-a", "subnet": "172.30.1.0/24"}]}
	END
	firewall_config <<-'END'
		{"networks": {"shop_default": {"egress": [{"action": "drop"}], "host": [{"action": "drop"}]},
			"fixed": {"egress": [{"action": "drop"}]}, "ds-a": {"egress": [{"action": "drop"}]}}}
	END
}
config

# at BRIDGE: the chain that what comes by it goes to, or nothing
at()
{
	nft list map inet dockside dispatch 2>/dev/null | tr ',' '\n' | sed -nE "s/.*\"$1\"( comment \"draining\")? : goto ([^ ]+).*/\2/p"
}

is_at() # BRIDGE CHAIN
{
	[[ $(at "$1") == "$2" ]]
}

state_of() # NETWORK
{
	echo "$(of network_details "$1" state): $(of network_details "$1" reason)"
}

state_is() # NETWORK PATTERN
{
	[[ $(state_of "$1") =~ $2 ]]
}

docker_is() # STATE
{
	[[ $(of docker state) == "$1" ]]
}

# made NAME N: the bridge of the Nth network that the fake makes; it has three from the start
made()
{
	printf 'br-%.12s\n' "$(printf %s "$1$2" | sha256sum)"
}

# twice: what status or the metrics say more than once; and what is wrong with what they say
twice()
{
	client status --json
	[[ $status -le 1 && -s $t/out ]] || echo "status: $status $err"
	python3 -c 'import json, sys
def pairs(items):
	keys = [key for key, _ in items]
	print(*{key for key in keys if keys.count(key) > 1}, sep="\n", end="")
	return dict(items)
json.load(sys.stdin, object_pairs_hook=pairs)["network_details"]' <$t/out 2>&1
	client metrics
	[[ $status -eq 0 && -s $t/out ]] || echo "metrics: $status $err"
	grep -v '^#' $t/out | sed 's/ [^ ]*$//' | sort | uniq -d
}

not_judged_lines()
{
	life | grep -c 'network shop_default: .*NOT JUDGED;'
}

# ---- before Docker answers ---------------------------------------------------------------------------

start_listening
start_daemon
is "without Docker it waits" "$(state_of shop_default)" "pending: waiting for Docker, which knows which bridge this network has"
is "and nobody knows its bridge" "$(of network_details shop_default bridge) $(of network_details shop_default external)" "None True"
is "where the bridge is given, the rules are there before the network" "$(at br-fixed)" fixed-OUT
client status
is "which is no alarm" "$status $(grep -c ALARM $t/out)" "0 0"
end_daemon TERM

fake_start
fake_behaves "* / hang"
start_daemon
until_true 15 state_is shop_default "not judged"
is "where Docker hangs it is NOT JUDGED" "$(state_of shop_default)" "not judged: Docker does not answer, and it alone knows which bridge this network has"
client status
like "said, with what mends it" "$status $out" '^1 .*ALARM: network shop_default: Docker does not answer.*NOT JUDGED; to mend it: .*"bridge" in network-config'
fake_behaves
until_true 15 docker_is connected
until_true 3 state_is shop_default "pending: Docker does not have it"
is "and waits again when Docker answers" "$(state_of shop_default)" "pending: Docker does not have it"
client status --wait-networks=2
is "nobody waits for it" "$status" 0
is "nobody makes it" "$(ip -br link show type bridge | awk '{ print $1 }' | xargs)" "ds-a"

# ---- made, and made anew ---------------------------------------------------------------------------

first=$(made shop_default 5)
fake_tell create shop_default 172.18.0.0/16 ""
until_true 3 is_at "$first" shop_default-OUT
is "made, the rules are there" "$(at "$first") $(of network_details shop_default bridge)" "shop_default-OUT $first"
until_true 3 state_is shop_default enforced
is "and it is enforced" "$(state_of shop_default)" "enforced: None"
is "its subnet is Docker's" "$(nft list chain inet dockside shop_default-SRC | grep -c 'ip saddr 172.18.0.2-172.18.255.254')" 1
fake_tell remove shop_default
until_true 3 state_is shop_default pending
is "removed, it waits, and its rules stay" "$(state_of shop_default) $(at "$first")" "pending: Docker does not have it shop_default-OUT"
fake_tell create shop_default 172.19.0.0/16 br-other
until_true 3 is_at br-other shop_default-OUT
is "made anew on another bridge" "$(at br-other) $(at "$first")" "shop_default-OUT "
until_true 3 state_is shop_default enforced

# The event alone, while Docker does not answer any question.
fake_tell remove shop_default
until_true 3 state_is shop_default pending
next=$(made shop_default 7)
ip link add "$next" type bridge && ip addr add 172.20.0.1/16 dev "$next" && ip link set "$next" up
fake_behaves "GET /networks hang"
fake_tell create shop_default 172.20.0.0/16 ""
until_true 3 is_at "$next" shop_default-OUT
is "Docker's event is enough" "$(at "$next") $(nft list chain inet dockside shop_default-SRC | grep -c 'ip saddr 172.20.0.2-172.20.255.254')" "shop_default-OUT 1"
fake_behaves
until_true 15 docker_is connected
until_true 3 state_is shop_default enforced
is "then it is enforced" "$(state_of shop_default)" "enforced: None"

# An answer that Docker has made up before the event, and that comes after it.
fake_behaves "GET /networks stale"
fake_tell create other 172.29.0.0/16 ""
# shellcheck disable=SC2317 # until_true calls it
listing()
{
	grep -q "^GET .*/networks$" "$fake_log"
}
until_true 3 listing
sleep 0.3 # the log is written before the rules are read
fake_behaves
fake_tell remove shop_default
fake_tell create shop_default 172.23.0.0/16 br-newer
until_true 3 is_at br-newer shop_default-OUT
# shellcheck disable=SC2317 # until_true calls it
old_has_come()
{
	grep -q "^GET .*/containers/json" "$fake_log"
}
is "it is there before the old answer comes" "$(at br-newer) $(old_has_come || echo before)" "shop_default-OUT before"
until_true 8 old_has_come
until_true 5 state_is shop_default enforced
is "an old answer does not count" "$(life | grep -c "shop_default is on bridge $next") $(at br-newer)" "1 shop_default-OUT"
fake_tell remove other

# One from before it was removed: the network is not there again, and the next one's rules need no new answer.
said=$(not_judged_lines)
fake_behaves "GET /networks stale"
fake_tell create other 172.29.0.0/16 ""
until_true 3 listing
sleep 0.3 # as above
fake_tell remove shop_default
# shellcheck disable=SC2317 # until_true calls it
old_list_has_come()
{
	[[ $(awk '/^GET .*\/networks$/ { asked = 1 } asked && /^GET .*\/containers\/json/' "$fake_log") ]]
}
until_true 8 old_list_has_come
fake_behaves "GET /networks hang"
next=$(made shop_default 11)
ip link add "$next" type bridge && ip addr add 172.24.0.1/16 dev "$next" && ip link set "$next" up
fake_tell create shop_default 172.24.0.0/16 ""
until_true 3 is_at "$next" shop_default-OUT
is "an old answer does not bring back what is gone" "$(at "$next") $(($(not_judged_lines) - said))" "shop_default-OUT 0"
fake_behaves
until_true 15 docker_is connected
until_true 8 state_is shop_default enforced
fake_tell remove other

# Clients that ask without end, so that one is always waiting.
cat >$t/asks.py <<'END'
import os, socket, sys

while not os.path.exists(sys.argv[2]):
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(sys.argv[1])
            s.sendall(b'{"action": "metrics"}\n')
            while s.recv(65536):
                pass
    except OSError:
        pass
END
asks=()
for i in {1..24}; do
	python3 $t/asks.py $socket $t/enough &
	asks+=("$!")
done
late=
for i in 1 2 3 4; do
	fake_tell remove shop_default
	fake_tell create shop_default 172.26.0.0/16 br-busy$i
	until_true 2 is_at br-busy$i shop_default-OUT || late+=" $i"
done
: >$t/enough
wait "${asks[@]}"
is "clients without end do not keep Docker's events waiting" "$late" ""

fake_tell remove shop_default
fake_tell create shop_default 10.200.1.0/31 br-tiny
until_true 3 is_at br-tiny shop_default-OUT
is "a network of two addresses has its rules" \
	"$(at br-tiny) $(nft list chain inet dockside shop_default-SRC | grep -c 'ip saddr 10\.200\.')" "shop_default-OUT 0"

# ---- what cannot be ----------------------------------------------------------------------------------

fake_tell remove shop_default
fake_tell create shop_default 172.18.0.0/16 "" macvlan
until_true 3 state_is shop_default "not judged"
is "another driver" "$(state_of shop_default)" "not judged: its driver is macvlan in Docker, bridge in the configuration"
fake_tell remove shop_default
fake_tell create shop_default 172.18.0.0/16 ds-a
until_true 3 state_is shop_default "not judged"
is "a bridge that is another network's" "$(state_of shop_default)" "not judged: its bridge in Docker, ds-a, is network ds-a's"
fake_tell remove shop_default
fake_tell create shop_default 172.18.0.0/16 BASE.x
until_true 3 state_is shop_default "not judged: rules"
is "a name that rules cannot have" "$(state_of shop_default)" "not judged: rules cannot go by the name of its bridge in Docker, BASE.x"
fake_tell remove shop_default
fake_tell create fixed 172.21.0.0/16 br-wrong
until_true 3 state_is fixed "not judged"
is "another bridge than the one that is given" "$(state_of fixed)" "not judged: its bridge is br-wrong in Docker, br-fixed in the configuration"
fake_tell remove fixed
fake_tell create shop_default 172.18.0.0/16 br-shop
until_true 3 state_is shop_default enforced

# ---- its bridge is another network's ---------------------------------------------------------------------

fake_tell remove shop_default
until_true 3 state_is shop_default pending
is "while nobody else has the bridge the rules stay there" "$(at br-shop)" shop_default-OUT
fake_tell create depot 172.25.0.0/16 br-shop
until_true 3 is_at br-shop ""
is "a network of which the files know nothing gets rid of them" \
	"$(at br-shop) $(of network_details shop_default bridge) $(state_of shop_default)" " None pending: Docker does not have it"
is "which is said" "$(life | grep -c 'bridge br-shop, where external network shop_default was, is another network.s now')" 1
client set-network depot --network '{"external": true}' --firewall '{"egress": [{"action": "drop"}]}'
until_true 3 state_is depot enforced
is "and has its own, where the files have it" "$status $(at br-shop) $(state_of depot)" "0 depot-OUT enforced: None"
fake_tell remove depot
until_true 3 state_is depot pending
fake_tell create shop_default 172.18.0.0/16 br-shop
until_true 3 state_is shop_default enforced
is "it may come back" "$(at br-shop) $(state_of depot)" "shop_default-OUT pending: Docker does not have it"
client remove-network depot

# Its bridge goes before Docker says so, as when it is removed; but its last container has left.
fake_behaves
fake_tell connect shop_default a 02:42:ac:12:00:02 172.18.0.2
until_true 5 old_has_come
sleep 0.3 # the answer, too
fake_behaves "GET /networks hang"
fake_tell disconnect shop_default a
until_true 5 listing
ip link del br-shop
until_true 5 state_is shop_default '^(pending|not judged)'
is "no container is attached, and nothing is NOT JUDGED" "$(state_of shop_default)" \
	"pending: Docker has it, and the kernel has no interface br-shop"
ip link add br-shop type bridge
fake_behaves
until_true 15 docker_is connected
until_true 8 state_is shop_default enforced

# ---- draining, and restarts ---------------------------------------------------------------------------

fake_tell connect shop_default a 02:42:ac:12:00:02 172.18.0.2
until_true 3 prints '^1$' of network_details shop_default containers
client remove-network shop_default
like "taken out while somebody is there" "$status $(of network_details shop_default state) $(at br-shop)" "^0 draining shop_default-OUT"
end_daemon KILL
nft flush ruleset
start_daemon
is "after a crash it drains still" "$(of network_details shop_default state) $(at br-shop)" "draining shop_default-OUT"
client set-network shop_default --network '{"external": true}' --firewall '{"egress": [{"action": "drop"}]}'
until_true 3 state_is shop_default enforced
is "put in again" "$status $(state_of shop_default) $(at br-shop)" "0 enforced: None shop_default-OUT"

# On another bridge, as one that the files give, while its containers are where it was.
client remove-network shop_default
is "taken out again" "$status $(of network_details shop_default state)" "0 draining"
began=$(calm)
client set-network shop_default --network '{"external": true, "bridge": "br-2nd"}' --firewall '{"egress": [{"action": "drop"}]}'
like "it is answered at once that Docker has it elsewhere" "$status $(($(calm_since "$began") <= 3000)) $(state_of shop_default)" \
	"^1 1 not judged: its bridge is br-shop in Docker, br-2nd in"
began=$(calm)
client reload
is "so is a reload" "$status $(($(calm_since "$began") <= 3000))" "1 1"
is "each has a name of its own" "$(of network_details shop_default.br-shop state) $(at br-shop) $(at br-2nd)" \
	"draining shop_default.br-shop-OUT shop_default-OUT"
is "so that nothing is said twice" "$(twice)" ""
client remove-network shop_default
is "taken out, that one is gone, and the other drains on" \
	"$status $(until_true 5 is_at br-2nd "" && at br-shop) $(of network_details shop_default state)" "0 shop_default-OUT draining"
fake_tell disconnect shop_default a
until_true 6 is_at br-shop ""
is "until its last container has left" "$(at br-shop)" ""
client set-network shop_default --network '{"external": true}' --firewall '{"egress": [{"action": "drop"}]}'
until_true 3 state_is shop_default enforced
is "and it can be put in" "$status $(at br-shop)" "0 shop_default-OUT"

# The same while no daemon is at work.
fake_tell connect shop_default a 02:42:ac:12:00:02 172.18.0.2
end_daemon TERM
network_config <<<'{"networks": [{"name": "shop_default", "external": true, "bridge": "br-typo"}]}'
firewall_config <<<'{"networks": {"shop_default": {"egress": [{"action": "drop"}]}}}'
start_daemon
is "a bridge that the files give while its containers are elsewhere: these keep their policy" \
	"$(of network_details shop_default.br-shop state) $(at br-shop) $(at br-typo)" "draining shop_default.br-shop-OUT shop_default-OUT"
end_daemon TERM
fake_tell disconnect shop_default a
config
start_daemon
until_true 3 state_is shop_default enforced
is "until it is corrected" "$(state_of shop_default) $(at br-shop) $(at br-typo)" "enforced: None shop_default-OUT "

# An address that the dockside container cannot have there.
client set-network shop_default --network '{"external": true, "dockside_ip": "10.9.9.9"}'
until_true 3 prints 10.9.9.9 of network_details shop_default docker_message
outside='network shop_default: dockside_ip is 10.9.9.9, which is outside the subnet that the network has in Docker, 172.18.0.0/16: the rules exempt no container'
client status
is "status says that dockside_ip is nobody's" "$status $(grep -c "^$outside" $t/out) $(of network_details shop_default docker)" "0 1 differs"
is "and the log" "$(life | grep -c "$outside")" 1
end_daemon TERM
dsfw apply
is "and apply" "$status $(grep -c "^warning: $outside" $t/err)" "0 1"
config
start_daemon
until_true 3 prints present of network_details shop_default docker
is "until it is corrected" "$(of network_details shop_default docker_message)" None

end_daemon KILL
nft flush ruleset
fake_stop
start_daemon
is "after a crash, and without Docker, the rules are where it was" "$(at br-shop) $(state_of shop_default)" "shop_default-OUT enforced: None"
end_daemon TERM
echo "nonsense" >"$STATE_DIRECTORY/external.json"
nft flush ruleset
start_daemon
is "a damaged record is put aside" "$(at br-shop)$(logged 'external.json.*damaged.*where external networks are is not known' && echo said)" "said"
fake_start
fake_tell create shop_default 172.18.0.0/16 br-shop
until_true 15 state_is shop_default enforced
end_daemon TERM

# ---- without a daemon -----------------------------------------------------------------------------------

: >$fake_log
RESET=1 dsfw apply
is "RESET=1 makes ours anew, not theirs" "$status $(grep -c '^DELETE' $fake_log) $(grep -c '^POST .*networks/create' $fake_log) $(at br-shop)" "0 1 1 shop_default-OUT"

# Its bridge is another network's, where somebody is: nothing of ours drains there.
fake_tell remove shop_default
fake_tell create depot 172.25.0.0/16 br-shop
fake_tell connect depot b 02:42:ac:19:00:02 172.25.0.2
dsfw apply
is "a bridge that is another network's now is left alone" "$status $(at br-shop) $(grep -c 'no longer configured' $t/err)" "0  0"
like "which is said" "$err" "network shop_default: its rules are not in force .*: Docker does not have it"
fake_tell disconnect depot b
fake_tell remove depot

# Docker is asked once, whoever wants to know: where they are, and who is attached to what drains; then once more, when
# all is in force.
fake_tell connect ds-a b 02:42:ac:1e:01:02 172.30.1.2
network_config <<<'{"networks": [{"name": "shop_default", "external": true}]}'
firewall_config <<<'{"networks": {"shop_default": {"egress": [{"action": "drop"}]}}}'
: >$fake_log
dsfw apply
like "something drains" "$status $err" "^0 .*bridge ds-a is no longer configured; its policy stays, as containers are attached: b"
is "Docker is asked once for its networks before the rules, and once after" \
	"$(grep -c '/networks$' $fake_log) $(grep -c '/version$' $fake_log)" "2 2"
fake_tell disconnect ds-a b
config
dsfw apply

# Why its rules are not there.
fake_tell create shop_default 172.25.0.0/16 ds-a
dsfw apply
like "apply says whose bridge it has" "$status $err" \
	"^1 .*network shop_default: its rules are not in force until apply runs again, or the daemon: its bridge in Docker, ds-a, is network ds-a's"
fake_tell remove shop_default
ip link add ds-a type bridge # which went with it
fake_tell create shop_default 172.26.0.0/16 "" macvlan
dsfw apply
like "or which driver" "$status $err" "^1 .*network shop_default: its rules are not in force .*: its driver is macvlan in Docker"
fake_tell remove shop_default
rm -f "$STATE_DIRECTORY/external.json"
dsfw teardown
dsfw apply
like "apply says whose rules are not there" "$status $err" \
	"^0 .*network shop_default: its rules are not in force until apply runs again, or the daemon: Docker does not have it"
dsfw check --kernel
like "so does check" "$status $err" "network shop_default: its rules are not checked by the kernel"
fake_stop
dsfw apply
like "apply without Docker" "$status $err" "external networks are taken to be where they were last.*shop_default: its rules are not in force .*: only Docker knows"
finish
