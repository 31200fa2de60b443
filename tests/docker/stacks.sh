#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The complete Compose stacks of the examples, by the letter, with Compose and a real dockerd: `up` starts the policy, then
# the containers that wait for it; what the files allow passes, and nothing else. TAP.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/docker/image_lib.sh
. "$lab/image_lib.sh"
# shellcheck disable=SC2034 # stack_lib.sh reads it
dockerd_options=()
# shellcheck source=tests/docker/stack_lib.sh
. "$lab/stack_lib.sh"

program_image || bail "no image"

# ---- agents ------------------------------------------------------------------------------------------

stack_up compose-agents agent-1 agent-2
waited_for_it agent-1
listens agent-2 || bail "agent-2 does not listen"
agents_are_confined "agents"
until_true 5 refused_by_name
result "agents: denied has container, name and rule" "$(refused_by_name || policy denied)"
status_is_good
is "agents: the agents have no NET_RAW" "$(docker exec "${id[agent-1]}" ping -c 1 -W 1 172.20.8.1 2>&1 | grep -c 'permission denied')" 1
compose down >$t/down 2>&1 || result "agents: down" "$(<$t/down)"
stack_up compose-agents agent-1 agent-2
listens agent-2 || bail "agent-2 does not listen"
agents_are_confined "agents, down and up"

# That it was the policy
docker stop "${id[dsfw-nft]}" >/dev/null
docker run --rm --network host --cap-drop ALL --cap-add NET_ADMIN dsfw-nft teardown >$t/out 2>&1 || bail "$(<$t/out)"
is "without it all of this is reached" "$(reaches agent-1 api.model.example 80) $(reaches agent-1 example.com 443) $(
	reaches agent-2 203.0.113.9 22) $(reaches agent-1 172.20.8.1 8081) $(
	reaches agent-1 "$(address_of agent-2 agents)" 8000)" "yes yes yes yes yes"
compose down -v >$t/down 2>&1 || result "agents: down" "$(<$t/down)"

# ---- the dockside container, and workspaces ----------------------------------------------------------

stack_up compose-dockside dockside workspace-prod workspace-clone
waited_for_it dockside
waited_for_it workspace-prod
is "the dockside container has its MAC address" "$(docker exec "${id[dockside]}" ip -o link | grep -c ' 02:00:00:00:00:02 ')" 1
for service in dockside workspace-prod workspace-clone; do
	listens $service || bail "$service does not listen"
done
prod=$(address_of workspace-prod ds-prod)
clone=$(address_of workspace-clone ds-clone)
is "it reaches the workspaces of both networks" "$(reaches dockside "$prod" 8000) $(reaches dockside "$clone" 8000)" "yes yes"
is "and what the rules refuse" "$(reaches dockside 203.0.113.9 22)" yes
is "workspaces do not reach it" "$(reaches workspace-prod 172.20.3.2 8000) $(reaches workspace-clone 172.20.2.2 8000)" "silence silence"
is "production reaches the web" "$(reaches workspace-prod example.com 80)" yes
is "and its database, but that is refused" "$(reaches workspace-prod example.com 3306 mysql) $(
	reaches workspace-prod 203.0.113.9 22)" "no no"
is "MySQL is the clone" "$(reaches workspace-clone example.com 3306 clone)" yes
is "which reaches nothing else" "$(reaches workspace-clone example.com 80) $(reaches workspace-clone 203.0.113.9 22)" "no no"
is "nor the other network" "$(reaches workspace-clone "$prod" 8000)" "$([[ $(apart) == reset ]] && echo no || echo silence)"
status_is_good
compose down -v >$t/down 2>&1 || result "dockside: down" "$(<$t/down)"
finish
