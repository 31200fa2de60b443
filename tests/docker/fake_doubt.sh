#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Docker's last word is older than the kernel's state, or the other way round: that alone makes no network NOT JUDGED, and
# none is said to be enforced meanwhile. The daemon says of one that is not judged that it is not, all the same. Against
# an Engine API that changes before it says so. TAP.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh" || exit 1
# shellcheck source=tests/docker/fake_lib.sh
. "$(dirname "$0")/fake_lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

network_config <<'END_OF'
{"networks": [{"name": "shop", "external": true}, {"name": "ds-a", "subnet": "172.30.1.0/24"}]}
END_OF
firewall_config <<'END_OF'
{"networks": {"shop": {"egress": [{"action": "drop"}]}, "ds-a": {"egress": [{"action": "drop"}]}}}
END_OF

state_of() # NETWORK
{
	echo "$(of network_details "$1" state): $(of network_details "$1" reason)"
}

state_is() # NETWORK PATTERN
{
	[[ $(state_of "$1") =~ $2 ]]
}

not_judged_lines()
{
	life | grep -c 'NOT JUDGED;'
}

# states NETWORK MS: those that it has, one after the other, for so long or until it is NOT JUDGED
states()
{
	local from state=
	from=$(calm)
	while [[ $state != "not judged"* ]] && (($(calm_since "$from") < $2)); do
		state=$(state_of "$1")
		echo "$state"
	done | uniq | tee $t/states | cut -d : -f 1 | uniq | xargs
}

# asked PATH: since fake_behaves; a pattern
asked()
{
	grep -qE "^GET (/v1\.[0-9]+)?$1" "$fake_log"
}

# shop_at BRIDGE: with a container, as Docker and the daemon have it
shop_at()
{
	fake_tell create shop 172.18.0.0/16 "$1"
	gateway_on "$1"
	until_true 3 state_is shop enforced
	fake_tell connect shop c 02:42:ac:12:00:02 172.18.0.2
	until_true 3 prints '^1$' of network_details shop containers
	sleep 1 # the list of who is where, which is asked for half a second after the event
}

# Docker gives a bridge its address, which the fake does not.
gateway_on() # BRIDGE
{
	ip addr add 172.18.0.1/16 dev "$1" && ip link set "$1" up
}

fake_start
start_listening
start_daemon
until_true 5 state_is ds-a enforced

# ---- the kernel is ahead of Docker's word ----------------------------------------------------------------

shop_at br-1
said=$(not_judged_lines)
fake_tell mute
fake_tell disconnect shop c
fake_tell remove shop
seen=$(states shop 800)
fake_tell unmute
like "its container and its bridge are gone before Docker says so: it waits" "$seen" '^(enforced )?pending$'
until_true 3 state_is shop "pending: Docker does not have it"
is "and nothing is NOT JUDGED" "$(state_of shop) $(($(not_judged_lines) - said))" "pending: Docker does not have it 0"

shop_at br-1
said=$(not_judged_lines)
fake_tell mute
fake_tell disconnect shop c
fake_tell remove shop
fake_tell create shop 172.18.0.0/16 br-2
gateway_on br-2
until_true 3 state_is shop 'pending|not judged|enforced: .*br-2'
sleep 0.5
fake_tell unmute
until_true 3 prints '^br-2$' of network_details shop bridge
until_true 3 state_is shop enforced
is "its address is on another bridge, of which Docker says nothing yet" \
	"$(state_of shop) $(of network_details shop bridge) $(($(not_judged_lines) - said))" "enforced: None br-2 0"

# ---- Docker's list is ahead of its events, and of the rules -------------------------------------------------

fake_tell remove shop
until_true 3 state_is shop pending
said=$(not_judged_lines)
fake_behaves "GET /networks/ hang" "GET /networks slow"
fake_tell create other 172.29.0.0/16 ""
until_true 3 asked '/networks$'
fake_tell create shop 172.18.0.0/16 br-3
until_true 8 state_is shop enforced
is "its rules are to go where Docker's list has it already" "$(state_of shop) $(($(not_judged_lines) - said))" "enforced: None 0"
fake_behaves
fake_tell remove other
gateway_on br-3
fake_tell connect shop c 02:42:ac:12:00:02 172.18.0.2
until_true 5 prints '^1$' of network_details shop containers
sleep 1

# ---- what is not judged ----------------------------------------------------------------------------------------

rename_link() # FROM TO
{
	ip link set "$1" down && ip link set "$1" name "$2" && ip link set "$2" up
}

# told_within MS DESCRIPTION REASON: since $began
told_within()
{
	until_true 5 state_is shop "not judged"
	took=$(calm_since "$began")
	is "$2: said within $1 ms" "$((took <= $1)) $(state_of shop)" "1 not judged: $3"
	echo "# $2: $took ms"
	client status
	is "$2: the exit status" "$status" 1
}

began=$(calm)
rename_link br-3 foo
told_within 1000 "renamed" "its gateway's address is on bridge foo, and the rules are for br-3"
rename_link foo br-3
until_true 3 state_is shop enforced
began=$(calm)
ip link del br-3
told_within 1000 "removed" "1 container is attached, and the kernel has no interface br-3, which is its bridge in Docker"
ip link add br-3 type bridge
gateway_on br-3
until_true 3 state_is shop enforced

# A client that asks meanwhile gets the answer that counts.
rename_link br-3 foo
client reload
like "a reload waits until it is known" "$status $err" "^1 .*network shop: its gateway's address is on bridge foo"
rename_link foo br-3
until_true 3 state_is shop enforced

# Docker does not answer.
fake_behaves "GET /networks hang"
began=$(calm)
rename_link br-3 foo
seen=$(states shop 5000)
took=$(calm_since "$began")
like "where Docker does not answer it is not said to be enforced until it is NOT JUDGED" "$seen" '^(enforced )?pending not judged$'
like "but why it is not known" "$(<$t/states)" \
	"pending: its gateway's address is on bridge foo, and the rules are for br-3; Docker is asked again"
is "that takes 3 seconds at most" "$((took <= 3000))" 1
echo "# $took ms"
client status
is "and then the exit status says so, too" "$status" 1
said=$(not_judged_lines)
sleep 1
is "it is said once" "$(($(not_judged_lines) - said)) $(state_of shop)" "0 not judged: its gateway's address is on bridge foo, and the rules are for br-3"
rename_link foo br-3
until_true 3 state_is shop enforced
is "and taken back when it is judged" "$(life | grep 'NOT JUDGED' | tail -1)" "network shop: its packets are no longer NOT JUDGED: it is enforced now"
end_daemon TERM
finish
