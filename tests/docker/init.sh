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

outside 198.51.100.53/32 198.51.100.10/32 203.0.113.9/32 || bail "cannot build the network"
start_dnsmasq 198.51.100.53 <<'CONFIG'
host-record=registry.npmjs.org,198.51.100.10
host-record=pypi.org,203.0.113.9
host-record=files.pythonhosted.org,203.0.113.9
host-record=more.example,203.0.113.9
CONFIG
echo "nameserver 198.51.100.53" >$t/resolv.conf
nsenter --net=/run/netns/outside python3 "$lab/serve.py" 22 443 &
python3 "$lab/serve.py" 8080 &
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

# reaches ADDRESS|NAME PORT: yes or no, by a container of $network
reaches()
{
	[[ $(docker run --rm --network "$network" bb:1 sh -c "nc -w 3 $1 $2 </dev/null" 2>/dev/null) == here ]] && echo yes || echo no
}

# look_up NAME: its address, by a container of $network
look_up()
{
	docker run --rm --network "$network" bb:1 timeout 4 nslookup "$1" 2>&1 | sed -n '/^Name:/,$ s/^Address[^:]*:[[:space:]]*//p' | sort -u
}

# ---- a network that others made ---------------------------------------------------------------------

network=shop_default
gateway=$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' shop_default)
is "without rules all is reached" "$(reaches 203.0.113.9 22) $(reaches registry.npmjs.org 443) $(reaches "$gateway" 8080)" "yes yes yes"
init --yes --preset npm
like "init finds it" "$status $err$(<$t/network.json)" '^0 .*"name": "shop_default", "external": true'
is "and the name server that containers ask" "$(grep -c '"ip": "198.51.100.53"' $t/firewall.json)" 2
is "check" "$("$DSFW_NFT" check "${files[@]}" 2>&1)" "ok: 1 network, 1 of them managed, 5 rules, 1 ipset"
start_listening
start_daemon
until_true 15 prints enforced of network_details shop_default state
is "the rules are in force" "$(of network_details shop_default state)" enforced
until_true 10 prints 198.51.100.10 elements ipset-allowlist-v4
is "a name of the preset is reached" "$(reaches registry.npmjs.org 443)" yes
is "on its port only" "$(reaches registry.npmjs.org 22)" no
is "another name is not" "$(reaches pypi.org 443) $(reaches 203.0.113.9 22)" "no no"
is "nor is the host" "$(reaches "$gateway" 8080)" no
until_true 5 prints '203.0.113.9.* tcp/22 +egress\[3\]' "$DSFW_NFT" denied --socket $socket
like "denied shows the packet and the rule that init wrote" "$("$DSFW_NFT" denied --socket $socket)" 'shop_default .*203.0.113.9\)? +tcp/22 +egress\[3\] '

# ---- what users do next -----------------------------------------------------------------------------

client set-ipset allowlist preset:npm preset:pypi more.example
is "set-ipset takes presets" "$status" 0
is "the file keeps their names" "$(sed 's|//.*||' $t/firewall.json | tr -d ' \n' | grep -o '"allowlist":\[[^]]*\]')" '"allowlist":["preset:npm","preset:pypi","more.example"]'
until_true 10 prints 203.0.113.9 elements ipset-allowlist-v4
is "and its names are reached" "$(reaches pypi.org 443) $(reaches more.example 443)" "yes yes"
client explain --from shop_default --to files.pythonhosted.org --proto tcp --port 443
like "explain knows them" "$status $out" "^0 .*files.pythonhosted.org"
client set-ipset allowlist preset:nmp --replace
like "a preset that is not there" "$status $err" '^1 .*there is no preset "nmp"; did you mean "npm"\?'
client status
like "the policy is as before" "$status $out" '^0 .*pypi.org'
end_daemon TERM
dsfw teardown
docker network rm shop_default >/dev/null

# ---- a new one --------------------------------------------------------------------------------------

init --yes --preset npm
like "Docker has no network of its own" "$status $(<$t/network.json)" '^0 .*"name": "ds-agents", "subnet": "172.31.0.0/24"'
dsfw apply
like "apply has it made" "$status $out" "^0 .*network ds-agents: created in Docker"
network=ds-agents
is "with the same rules" "$(reaches registry.npmjs.org 443) $(reaches pypi.org 443) $(reaches 203.0.113.9 22)" "yes no no"

# ---- Docker's default network -----------------------------------------------------------------------

init --yes --network bridge --preset npm
dsfw apply
is "docker0" "$status $(nft list map inet dockside dispatch | grep -o '"docker0" : goto [^ ,]*')" '0 "docker0" : goto bridge-OUT'
network=bridge
is "its containers are confined, too" "$(reaches 198.51.100.10 443) $(reaches 203.0.113.9 443)" "yes no"
# ---- systemd-resolved -------------------------------------------------------------------------------

mkdir -p /run/systemd/resolve
echo "nameserver 198.51.100.53" >/run/systemd/resolve/resolv.conf
echo "nameserver 127.0.0.53" >$t/resolv.conf
dockerd_restart TERM
network=bridge
init --yes --network bridge --preset npm
is "containers of the default network ask the servers behind it" "$status $err $(grep -c '"ip": "198.51.100.53"' $t/firewall.json)" "0  2"
dsfw apply
is "by the rules" "$status $(look_up registry.npmjs.org)" "0 198.51.100.10"
sed -i 's/198.51.100.53/198.51.100.54/' $t/firewall.json
dsfw apply
is "and not without" "$status $(look_up registry.npmjs.org)" "0 "
sed 's/^listen-address=.*/listen-address=127.0.0.53/; s/198\.51\.100\.10$/198.51.100.77/' $t/dnsmasq.conf >$t/stub.conf
dnsmasq -k -C $t/stub.conf >$t/stub.log 2>&1 &
until_true 5 prints 198.51.100.77 busybox nslookup registry.npmjs.org 127.0.0.53 || bail "no stub: $(<$t/stub.log)"
network=ds-agents
init --yes --network ds-agents --preset npm
like "those of others ask itself, as init warns" "$status $err" "^0 warning: Docker asks the name server 127.0.0.53 from the host itself"
dsfw apply
is "past the rules" "$status $(look_up registry.npmjs.org)" "0 198.51.100.77"
like "as apply warns, too" "$err" "warning: ds-agents: containers can send any name to the outside"
dockerd_stop
finish
