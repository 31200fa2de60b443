#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# From init to a refused packet, beside a real dockerd: the files that it writes confine a network that others made and one
# of its own, names of presets resolve and are reached, and nothing else is. TAP.
# shellcheck disable=SC2317 # until_true calls it
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

# Names of presets are at addresses that the gate may open.
outside 198.51.100.53/32 11.0.0.10/32 11.0.0.9/32 203.0.113.9/32 || bail "cannot build the network"
start_dnsmasq 198.51.100.53 <<'CONFIG'
host-record=registry.npmjs.org,11.0.0.10
host-record=other.npmjs.org,11.0.0.10
host-record=pypi.org,11.0.0.9
host-record=files.pythonhosted.org,11.0.0.9
host-record=more.example,11.0.0.9
CONFIG
echo "nameserver 198.51.100.53" >$t/resolv.conf
nsenter --net=/run/netns/outside python3 "$lab/serve.py" 22 443 &
python3 "$lab/serve.py" 8080 &
{
	cp /etc/passwd $t/passwd && echo dsfw-gate:x:4711:4711::/nonexistent:/usr/sbin/nologin >>$t/passwd &&
		mount --bind $t/passwd /etc/passwd && chmod 1777 $t
} || bail "no user dsfw-gate"
dockerd_start
busybox_image || bail "no image"
docker network create shop_default >/dev/null

# init [OPTION…]: $status, $out, $err, and the files are those of dsfw and the daemon
init()
{
	rm -rf $t/conf
	"$DSFW_NFT" init --directory $t/conf "$@" >$t/out 2>$t/err </dev/null
	status=$?
	out=$(<$t/out)
	err=$(<$t/err)
	cp $t/conf/network-config.json $t/network.json
	cp $t/conf/firewall-config.json $t/firewall.json
}

# reaches ADDRESS|NAME PORT: yes or no, by a container of $network. Without an answer it tries three times: a busy machine
# can take the seconds of one.
reaches()
{
	local tries answer
	for tries in 1 2 3; do
		answer=$(docker run --rm --network "$network" bb:1 sh -c "nc -w 3 $1 $2 </dev/null" 2>$t/reaches) && [[ $answer == here ]] && echo yes && return
		! grep -q 'refused\|bad address' $t/reaches || break
	done
	echo "no"
	echo "# $1 $2, try $tries: $answer $(<$t/reaches)" >&2
}

# begin: the daemon, and the gate if it is not there yet
gate=
begin()
{
	start_daemon
	if [[ -z $gate ]]; then
		"$DSFW_NFT" gate --user dsfw-gate --gate-socket $t/gate.sock 2>$t/gate.log &
		gate=$!
	fi
	until_true 10 prints taken of gate policy || bail "the gate has no policy: $(<$t/gate.log)"
	until_true 15 prints enforced of network_details "$network" state
}

# look_up NAME: its address, by a container of $network
look_up()
{
	docker run --rm --network "$network" bb:1 timeout 10 nslookup "$1" 2>&1 | sed -n '/^Name:/,$ s/^Address[^:]*:[[:space:]]*//p' | sort -u
}

# ---- a network that others made ---------------------------------------------------------------------

network=shop_default
gateway=$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' shop_default)
is "without rules all is reached" "$(reaches 203.0.113.9 22) $(reaches registry.npmjs.org 443) $(reaches "$gateway" 8080)" "yes yes yes"
init --yes --preset npm
like "init finds it" "$status $err$(<$t/network.json)" '^0 .*"name": "shop_default", "external": true'
is "and gives it a gate" "$(grep -c '"dns": {}' $t/firewall.json)" 1
is "check" "$("$DSFW_NFT" check "${files[@]}" 2>&1)" "ok: 1 network, 1 of them managed, 3 rules, 1 ipset"
files+=(--gate-socket "$t/gate.sock")
start_listening
begin
is "the rules are in force" "$(of network_details shop_default state)" enforced
is "a name of the preset is reached" "$(reaches registry.npmjs.org 443)" yes
is "on its port only" "$(reaches registry.npmjs.org 22)" no
is "but not without its name" "$(reaches 11.0.0.9 443)" no
is "another name is not" "$(reaches pypi.org 443) $(reaches 203.0.113.9 22)" "no no"
is "nor is the host" "$(reaches "$gateway" 8080)" no
until_true 5 prints '203.0.113.9.* tcp/22 +egress\[1\]' "$DSFW_NFT" denied --socket $socket
like "denied shows the packet and the rule that init wrote" "$("$DSFW_NFT" denied --socket $socket)" 'shop_default .*203.0.113.9\)? +tcp/22 +egress\[1\] '

# ---- what users do next -----------------------------------------------------------------------------

client set-ipset allowlist preset:npm preset:pypi more.example
is "set-ipset takes presets" "$status" 0
is "the file keeps their names" "$(sed 's|//.*||' $t/firewall.json | tr -d ' \n' | grep -o '"allowlist":\[[^]]*\]')" '"allowlist":["preset:npm","preset:pypi","more.example"]'
is "and its names are reached" "$(reaches pypi.org 443) $(reaches more.example 443)" "yes yes"
client explain --from shop_default --to files.pythonhosted.org --proto tcp --port 443
like "explain knows them" "$status $out" "^0 .*files.pythonhosted.org"
client set-ipset allowlist preset:nmp --replace
like "a preset that is not there" "$status $err" '^1 .*there is no preset "nmp"; did you mean "npm"\?'
is "the policy is as before" "$(reaches pypi.org 443) $(reaches registry.npmjs.org 443)" "yes yes"
end_daemon TERM
dsfw teardown
docker network rm shop_default >/dev/null

# ---- a new one --------------------------------------------------------------------------------------

init --yes --preset npm
like "Docker has no network of its own" "$status $(<$t/network.json)" '^0 .*"name": "ds-agents", "subnet": "172.31.0.0/24"'
network=ds-agents
begin
result "the daemon has it made" "$(until_true 10 logged 'network ds-agents: created in Docker' || life)"
is "with the same rules" "$(reaches registry.npmjs.org 443) $(reaches pypi.org 443) $(reaches 203.0.113.9 22)" "yes no no"
end_daemon TERM

# ---- Docker's default network -----------------------------------------------------------------------

init --yes --network bridge --preset npm
network=bridge
begin
is "docker0" "$status $(nft list map inet dockside dispatch | grep -o '"docker0" : goto [^ ,]*')" '0 "docker0" : goto bridge-OUT'
is "its containers are confined, too" "$(reaches registry.npmjs.org 443) $(reaches pypi.org 443) $(reaches 203.0.113.9 443)" "yes no no"
end_daemon TERM

# ---- systemd-resolved -------------------------------------------------------------------------------

mkdir -p /run/systemd/resolve
echo "nameserver 198.51.100.53" >/run/systemd/resolve/resolv.conf
echo "nameserver 127.0.0.53" >$t/resolv.conf
dockerd_restart TERM
network=bridge
init --yes --network bridge --preset npm
is "containers of the default network never ask it" "$status $err $(grep -c '"dns": {}' $t/firewall.json)" "0  1"
begin
is "but the gate" "$(look_up registry.npmjs.org) $(look_up pypi.org)" "11.0.0.10 "
end_daemon TERM
sed 's/^listen-address=.*/listen-address=127.0.0.53/; s/11\.0\.0\.10$/198.51.100.77/' $t/dnsmasq.conf >$t/stub.conf
dnsmasq -k -C $t/stub.conf >$t/stub.log 2>&1 &
until_true 5 prints 198.51.100.77 busybox nslookup registry.npmjs.org 127.0.0.53 || bail "no stub: $(<$t/stub.log)"
network=ds-agents
init --yes --network ds-agents --preset npm
like "those of others ask itself, as init warns" "$status $err" "^0 warning: Docker asks the name server 127.0.0.53 from the host itself"
dsfw apply
is "apply does so" "$status" 0
result "past the rules" "$(until_true 15 prints '^198\.51\.100\.77$' look_up registry.npmjs.org || look_up registry.npmjs.org)"
like "as it warns, too" "$err" "warning: ds-agents: containers can send any name to the outside"
dockerd_stop
finish
