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
fake_tell remove shop_default
rm -f "$STATE_DIRECTORY/external.json"
dsfw teardown
dsfw apply
like "apply says whose rules are not there" "$status $err" "^0 .*network shop_default: its rules are not in force until apply runs again"
dsfw check --kernel
like "so does check" "$status $err" "network shop_default: its rules are not checked by the kernel"
fake_stop
dsfw apply
like "apply without Docker" "$status $err" "external networks are taken to be where they were last"
finish
