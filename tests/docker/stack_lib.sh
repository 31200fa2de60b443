# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced after lib.sh by scripts that run the Compose stacks of the examples: dockerd, an image busybox, names and servers
# for the packets of the containers. The image dsfw-nft is for the script to make.
# shellcheck disable=SC2317 # what others call

# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

type -p docker-compose >/dev/null || bail "no docker-compose (Debian package docker-compose)"
outside 192.0.2.53/32 198.51.100.{10,30}/32 203.0.113.9/32 || bail "cannot build the network"
start_dnsmasq 192.0.2.53 <<'CONFIG'
host-record=api.model.example,198.51.100.10
host-record=code.example.com,198.51.100.10
host-record=clone-db.example.com,198.51.100.30
host-record=example.com,203.0.113.9
CONFIG
nsenter --net=/run/netns/outside python3 "$lab/serve.py" 22 80 443 3306=mysql 198.51.100.30:13306=clone &
python3 "$lab/serve.py" 8081 & # of the host
dockerd_start "${dockerd_options[@]}"
ln -s "$docker_dir/docker.sock" /run/docker.sock
busybox_image || bail "no image of busybox"
docker tag bb:1 busybox || bail "no image of busybox"
export DOCKSIDE_IMAGE=busybox # in place of nginx

compose() # COMMAND…: in the stack's directory
{
	(cd "$t/$stack" && docker-compose "$@")
}

# stack_up NAME SERVICE…: `docker compose up -d` on a copy of it; $id of each service
declare -A id
stack_up()
{
	stack=$1
	[[ -d $t/$stack ]] || cp -r "$lab/../../rulesets/$stack" $t/ || bail "no stack $stack"
	for setting in /proc/sys/net/bridge/bridge-nf-{call-iptables,call-ip6tables,filter-vlan-tagged}; do
		echo 0 >"$setting"
	done
	compose up -d >$t/up 2>&1
	status=$?
	result "$stack: up" "$([[ $status -eq 0 ]] || { cat $t/up; compose logs; docker ps -a; } 2>&1)"
	find_containers "${@:2}"
	begin_policy=$(docker inspect -f '{{.State.StartedAt}}' "${id[dsfw-nft]}")
}

find_containers() # SERVICE…
{
	local service
	for service in dsfw-nft "$@"; do
		id[$service]=$(compose ps -q "$service") && [[ -n ${id[$service]} ]] || bail "$stack: no container of $service"
	done
}

# reaches SERVICE HOST PORT [WORD]: yes, no (by a reset), silence, or what else it gets
reaches()
{
	local answer
	answer=$(docker exec "${id[$1]}" sh -c 'nc -w 6 "$0" "$1" </dev/null 2>&1' "$2" "$3")
	case $answer in
	"${4:-here}") echo yes ;;
	*'Connection refused') echo no ;;
	*'timed out') echo silence ;;
	*) echo "$answer" ;;
	esac
}

# listens SERVICE: at port 8000, with "here"
listens()
{
	docker exec -d "${id[$1]}" nc -ll -p 8000 -e echo here &&
		until_true 5 prints :8000 docker exec "${id[$1]}" netstat -ltn
}

address_of() # SERVICE NETWORK
{
	docker inspect -f "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}" "${id[$1]}"
}

policy() # COMMAND [OPTION…]
{
	docker exec "${id[dsfw-nft]}" dsfw-nft "$@"
}

status_is_good()
{
	is "$stack: status has nothing to complain about" "$(policy status >$t/out 2>&1; echo $?
		grep -E 'ALARM|NOT JUDGED|NET_RAW|warning' $t/out)" 0
}

# Others have started when the policy was there, and healthy.
waited_for_it() # SERVICE
{
	local started
	started=$(docker inspect -f '{{.State.StartedAt}}' "${id[$1]}")
	is "$stack: $1 waited for the policy" "$([[ $started > $begin_policy ]] && echo yes) $(
		docker inspect -f '{{.State.Health.Status}}' "${id[dsfw-nft]}")" "yes healthy"
}

agents_are_confined() # WHEN
{
	is "$1: what the list has is reached, by name" "$(reaches agent-1 api.model.example 443) $(
		reaches agent-2 code.example.com 443)" "yes yes"
	is "$1: nothing else is" "$(reaches agent-1 api.model.example 80) $(reaches agent-1 example.com 443) $(
		reaches agent-2 203.0.113.9 22)" "no no no"
	is "$1: nor the host" "$(reaches agent-1 172.20.8.1 8081)" no
	is "$1: nor another agent" "$(reaches agent-1 "$(address_of agent-2 agents)" 8000)" silence
}

refused_by_name()
{
	policy denied | grep -E ' agents .*agent-1.* example\.com .*203\.0\.113\.9.* tcp/443 +egress\[3\]' >/dev/null
}
