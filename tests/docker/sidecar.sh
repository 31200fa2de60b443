#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The program in a container, as scripts/Dockerfile and the docker-compose.yml of the examples have it. There is
# no registry for `docker build`: the image has the program and the libraries of this machine, or, with
# $SIDECAR_TREE, that directory's content and the program. TAP.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/docker/sidecar_lib.sh
. "$lab/sidecar_lib.sh"

examples=$lab/../../rulesets
bridged=/proc/sys/net/bridge

outside 198.51.100.{10,11}/32 2001:db8:100::20/128 || bail "cannot build the network"
hosts "198.51.100.10 api.model.example" "2001:db8:100::20 code.example.com"
echo "nameserver 192.0.2.2" >$t/resolv.conf
: >$t/names
dockerd_start
ln -s "$docker_dir/docker.sock" /run/docker.sock

sidecar_image || bail "no image"
busybox_image || bail "no image of busybox"
echo "# the image has $(($(docker image inspect -f '{{.Size}}' dsfw-nft) / 1000000)) MB"

# sidecar_run EXAMPLE: as its docker-compose.yml says, on a copy of its configuration
sidecar_run()
{
	local options
	mkdir -p "$t/$1" && cp "$examples/$1/"*.json "$t/$1" || return
	mapfile -t options < <(python3 "$lab/compose.py" "$examples/$1/docker-compose.yml" "$t/$1")
	docker run -d --name sidecar "${options[@]}" >/dev/null
}
# Ready, or not running.
sidecar_is_settled()
{
	[[ $(inside status --json 2>/dev/null) == *'"ready":true'* ||
		$(docker inspect -f '{{.State.Running}}' sidecar) != true ]]
}
inside() # COMMAND [OPTION…]
{
	docker exec sidecar dsfw-nft "$@"
}
on_the_host() # COMMAND [OPTION…]
{
	"$DSFW_NFT" "$@" --socket /run/dockside/firewall.sock
}
settings()
{
	cat $bridged/bridge-nf-{call-iptables,call-ip6tables,filter-vlan-tagged} | xargs
}

# ---- with all that it can do ---------------------------------------------------------------------

for setting in $bridged/bridge-nf-{call-iptables,call-ip6tables,filter-vlan-tagged}; do
	echo 0 >"$setting"
done
sidecar_run ai-sandbox || bail "it does not start"
until_true 20 sidecar_is_settled
is "it becomes ready" "$(inside status --json 2>&1 | grep -o '"ready":[a-z]*')" '"ready":true'
docker logs sidecar 2>&1 | comment
is "it has made the host's settings" "$(settings)" "1 1 1"
is "status answers on the host as inside" "$(on_the_host status 2>&1 | head -1)" "$(inside status 2>&1 | head -1)"
pid=$(docker inspect -f '{{.State.Pid}}' sidecar)
is "it has one capability" "$(sed -n 's/^Cap\(Prm\|Eff\|Bnd\):\t*//p' "/proc/$pid/status" | sort -u)" \
	0000000000001000
like "and cannot get another one" "$(grep NoNewPrivs "/proc/$pid/status")" '1$'
is "its root is read-only" "$(docker exec sidecar touch /x 2>&1 | grep -c Read-only)" 1
network_made ds-agents 172.20.2.0/24 172.20.2.1 2001:db8:2::/64

run_agents()
{
	container_run agent-1 ds-agents 172.20.2.11 2001:db8:2::11 - &&
		container_run agent-2 ds-agents 172.20.2.12 2001:db8:2::12 -
}
run_agents || bail "no containers"
start_peers
ask "dns $t/names outside 192.0.2.2" "serve outside tcp 443" "serve agent-2 tcp 8000"
enforced()
{
	probes "$1: the policy is in force" <<-'PROBES'
		agent-1 tcp 198.51.100.10:443 = open outside
		agent-1 tcp [2001:db8:100::20]:443 = open outside
		agent-1 tcp 198.51.100.11:443 = reset
		agent-1 tcp 172.20.2.12:8000 = silence
	PROBES
}
enforced "at first"

inside set-ipset --replace allowlist api.model.example code.example.com 198.51.100.11 >/dev/null
is "what is set inside is saved on the host" "$? $(grep -c 198.51.100.11 $t/ai-sandbox/firewall-config.json)" "0 1"
on_the_host set-ipset --replace allowlist api.model.example code.example.com >/dev/null
is "and from the host as well" "$? $(grep -c 198.51.100.11 $t/ai-sandbox/firewall-config.json)" "0 0"
nft delete table inet dockside
until_true 5 eval 'nft list chain inet dockside ds-agents-OUT >/dev/null 2>&1'
enforced "after the deletion of the table"
docker kill -s KILL sidecar >/dev/null
docker start sidecar >/dev/null
until_true 20 sidecar_is_settled
enforced "after kill and start of the container"
dockerd_restart TERM
is "it outlives dockerd's restart" "$(on_the_host status --json 2>&1 | grep -o '"ready":[a-z]*')" '"ready":true'
enforced "then"
docker stop sidecar >/dev/null
is "it ends well" "$(docker inspect -f '{{.State.ExitCode}}' sidecar)" 0
enforced "after its end"
docker rm -f sidecar >/dev/null
docker run --rm --network host --cap-drop ALL --cap-add NET_ADMIN dsfw-nft teardown >$t/out 2>&1
is "teardown in a container" "$? $(nft list tables | grep -c dockside)" "0 0"

# ---- with no more than it needs ------------------------------------------------------------------

echo 0 >$bridged/bridge-nf-filter-vlan-tagged
make_network ds-web 172.20.1.0/24 172.20.1.1 || bail "no network"
container_run web ds-web 172.20.1.11 - - || bail "no container"
ask "serve outside tcp 81"
docker rm -f agent-2 >/dev/null
sidecar_run minimal || bail "it does not start"
until_true 20 prints ds-web inside status --json
like "where the host lacks a setting it says so" "$(inside status --json 2>&1)" '"ready":false.*filter-vlan-tagged'
echo 1 >$bridged/bridge-nf-filter-vlan-tagged
until_true 20 sidecar_is_settled
is "with the host's settings it becomes ready" "$(on_the_host status --json | grep -o '"ready":[a-z]*')" \
	'"ready":true'
probes "it enforces" <<-'PROBES'
	web tcp 198.51.100.10:443 = open outside
	web tcp 198.51.100.10:81 = reset
PROBES
is "it cannot change a setting" "$(docker exec sidecar sh -c \
	'echo 0 >/proc/sys/net/bridge/bridge-nf-filter-vlan-tagged' 2>&1 | grep -c Read-only)" 1
docker stop sidecar >/dev/null
is "it ends well" "$(docker inspect -f '{{.State.ExitCode}}' sidecar)" 0
stop_peers
finish
