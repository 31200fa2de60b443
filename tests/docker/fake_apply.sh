#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# apply and Docker's networks, against an Engine API that hangs, lies, cuts, floods and refuses. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh"
# shellcheck source=tests/docker/fake_lib.sh
. "$(dirname "$0")/fake_lib.sh"

network_config <<'END'
{"networks": [
	{"name": "ds-A", "subnet": "172.30.1.7/24", "subnet6": "fd77:1::/64", "dockside_ip": "172.30.1.2"},
	{"name": "plain", "subnet": "172.30.2.0/24", "gateway_ip": "172.30.2.9", "mtu": 9000}]}
END
firewall_config <<<'{"networks": {"ds-A": {"egress": [{"action": "drop"}]}}}'

# said: what the last apply said of Docker, on both streams, without the notes on the policy
said()
{
	cat "$t/err" "$t/out" | grep -E 'Docker|network ' | grep -v ': note: ' | sed 's/^\(warning\|error\): //'
}

has_rules()
{
	nft list chain inet dockside ds-a-OUT >/dev/null 2>&1
}

# tolerated DESCRIPTION PATTERN: a warning, and the rules
tolerated()
{
	local faults
	nft delete table inet dockside 2>/dev/null
	dsfw apply
	faults=$(status_fault 0)
	grep -qE "^warning: .*$2" $t/err || faults+=$(printf '\nno warning like: %s\n%s' "$2" "$err")
	has_rules || faults+=$'\nno rules'
	result "$1" "$faults"
}

# ---- no Docker, and wrong ones ------------------------------------------------------------------

tolerated "no socket" "there is no such socket"
: >"$fake"
tolerated "a file that is no socket" "nothing listens there"
rm "$fake"
mkdir $t/file && DOCKER_HOST=unix://$t/hosts/x tolerated "a path below a file" "there is no such socket"
for value in tcp://127.0.0.1:2375 ssh://host unix:// unix://relative http+unix:///x \
	"unix:///$(printf 'x%.0s' {1..200})"; do
	DOCKER_HOST=$value dsfw apply
	is "DOCKER_HOST=${value:0:30} is bad usage" "$status ${err:0:22}" "2 error: DOCKER_HOST is "
done
RESET=2 dsfw apply
is "RESET=2 is bad usage" "$status" 2
DOCKER_HOST='' dsfw apply
like "an empty DOCKER_HOST is none" "$status $err" "0 .*/var/run/docker.sock"

# ---- creation -----------------------------------------------------------------------------------

fake_start
fake_stop
tolerated "a socket on which nobody listens" "nothing listens there"
fake_start
dsfw apply
is "it makes what is missing" "$status $(said)" "0 network ds-A: created in Docker
network plain: created in Docker"
is "in this order: ask, make, look" "$(cut -d' ' -f1 $fake_log | xargs)" "GET GET GET POST POST GET GET"
is "with the version that both speak" "$(sed -n 's|.*/\(v[0-9.]*\)/networks$|\1|p' $fake_log | sort -u)" v1.50
dsfw apply
is "a second time there is nothing to do" "$status $(said)" "0 nothing to change in Docker 99.1: 2 networks"
cp $t/network.json $t/both.json
cp $t/firewall.json $t/both-firewall.json
mkdir $t/broken && : >$t/broken/libcurl.so.4
network_config <<<'{"networks": [{"name": "plain", "subnet": "172.30.2.0/24"}]}'
firewall_config <<<'{}'
export LD_LIBRARY_PATH=$t/broken
dsfw apply
export -n LD_LIBRARY_PATH
like "libcurl that cannot be loaded does not mean that there is no Docker" "$status $(said)" \
	'^[0-9] .*Docker is asked by way of libcurl: .*file too short'
result "a network that the files no longer have keeps its rules then" "$(has_rules || echo "$out$err")"
mv $t/both.json $t/network.json
mv $t/both-firewall.json $t/firewall.json
dsfw apply
is "and nothing is tried" "$(grep -c POST $fake_log)" 2
cp $t/network.json $t/both.json
network_config <<<'{"networks": [{"name": "ds-A", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"}]}'
dsfw apply
is "one network is no networks" "$status $(said)" "0 nothing to change in Docker 99.1: 1 network"
mv $t/both.json $t/network.json
dsfw apply
curl_created()
{
	python3 - "$fake" "$1" <<'END'
import http.client, json, socket, sys
connection = http.client.HTTPConnection("docker")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[1])
connection.request("GET", "/networks/" + sys.argv[2])
network = json.load(connection.getresponse())
print(network["Driver"], network["EnableIPv6"], json.dumps(network["IPAM"]["Config"]))
print(*(f"{key}={value}" for key, value in sorted(network["Options"].items())), sep="\n")
END
}
is "what it makes" "$(curl_created ds-A)" 'bridge True [{"Subnet": "172.30.1.0/24", "Gateway": "172.30.1.1"}, {"Subnet": "fd77:1::/64"}]
com.docker.network.bridge.enable_icc=true
com.docker.network.bridge.enable_ip_masquerade=true
com.docker.network.bridge.host_binding_ipv4=0.0.0.0
com.docker.network.bridge.name=ds-a
com.docker.network.driver.mtu=1500'
is "with a given MTU" "$(curl_created plain | grep mtu)" com.docker.network.driver.mtu=9000

# ---- draining -----------------------------------------------------------------------------------

# without_a: an apply of files that have no ds-A any more
without_a()
{
	mv $t/network.json $t/network.all
	mv $t/firewall.json $t/firewall.all
	network_config <<<'{"networks": [{"name": "plain", "subnet": "172.30.2.0/24"}]}'
	firewall_config <<<'{"networks": {}}'
	dsfw apply
	mv $t/network.all $t/network.json
	mv $t/firewall.all $t/firewall.json
}
fake_tell connect ds-A c1 02:42:ac:1e:01:0b 172.30.1.11
without_a
like "a network with containers keeps its policy" "$status $(said)" "its policy stays, as containers are attached: c1"
fake_tell disconnect ds-A c1
fake_tell restart c1 ds-A
without_a
like "so does one whose container is about to be started again" "$status $(said) $(has_rules && echo rules)" \
	"its policy stays, as containers restart.* rules$"
fake_tell restart
fake_tell connect ds-A dockside 02:42:ac:1e:01:02 172.30.1.2
without_a
is "else it goes, the dockside container being there" "$status $(has_rules || echo no rules)" "0 no rules"
fake_tell disconnect ds-A dockside
dsfw apply

# ---- differences --------------------------------------------------------------------------------

fake_tell remove plain
fake_tell create plain 172.30.2.0/24 br-x
dsfw apply
is "another bridge of a network without policy, and another gateway" "$status $(said)" \
	"0 network plain: its bridge is br-x in Docker, plain in the configuration; RESET=1 recreates it
network plain: its gateway is 172.30.2.1 in Docker, 172.30.2.9 in the configuration; RESET=1 recreates it
network plain: its MTU is the default in Docker, 9000 in the configuration; RESET=1 recreates it"
fake_tell remove ds-A
fake_tell create ds-A 172.31.0.0/16 ""
dsfw apply
like "a network that is not judged is a failure" "$status $(said)" \
	"^1 .*bridge is br-[0-9a-f]{12} in Docker, ds-a .*NOT JUDGED.*its subnet is 172.31.0.0/16 in Docker, 172.30.1.0/24 .*its IPv6 subnet is none in Docker, fd77:1::/64"
fake_tell remove plain
fake_tell create plain 172.30.2.0/24 "" macvlan
dsfw apply
like "another driver" "$(said)" "its driver is macvlan in Docker, bridge in the configuration"

# ---- RESET --------------------------------------------------------------------------------------

RESET=1 dsfw apply
like "RESET=1 makes all anew and says what changes" "$status $(said)" \
	"^0 network ds-A: removed from Docker, to be created anew; its bridge is br-[0-9a-f]{12} in Docker, ds-a in the \
configuration; its subnet is 172.31.0.0/16 in Docker, 172.30.1.0/24 in .*
network plain: removed from Docker, to be created anew; its driver is macvlan in Docker, bridge in .*; its MTU is .*
network ds-A: created in Docker
network plain: created in Docker\$"
RESET=1 dsfw apply
is "or that nothing does" "$status $(said)" "0 network ds-A: removed from Docker, to be created anew
network plain: removed from Docker, to be created anew
network ds-A: created in Docker
network plain: created in Docker"
fake_tell connect ds-A c1 02:42:ac:1e:01:0b 172.30.1.11
RESET=1 dsfw apply
like "but for what Docker keeps" "$status $(said)" \
	"^1 network ds-A: remove it: .*network ds-A has active endpoints \(HTTP status 403\).*plain: created"
fake_tell disconnect ds-A c1
DOCKER_HOST=unix://$t/none RESET=1 dsfw apply
is "RESET=1 without a Docker is a failure" "$status" 1

# ---- refusals and races -------------------------------------------------------------------------

fake_tell remove ds-A
fake_behaves "POST /networks/create 500"
dsfw apply
like "what Docker refuses is a failure with its words, made harmless" "$status $(said)" \
	"^1 network ds-A: create it: Docker at [^:]*: no:  \[31mred   says Docker \(HTTP status 500\)"
is "without control characters" "$(tr -d '\n' <$t/err | LC_ALL=C grep -cP '[\x00-\x1f]')" 0
fake_behaves "POST /networks/create lie"
dsfw apply
like "a creation that was none is found out" "$status $(said)" "^1 network ds-A: Docker said that it made it"
fake_behaves
dsfw apply
fake_tell remove ds-A
# It is there when the second list is read: somebody else was quicker.
fake_behaves "POST /networks/create raced"
dsfw apply
like "somebody else made it meanwhile" "$(said)" "^network ds-A: its IPv6 subnet is none"

# ---- bad answers --------------------------------------------------------------------------------

fake_behaves
fake_tell remove ds-A
fake_tell create ds-A 172.30.1.0/24 ds-a
for how in close:"broke off" cut:"broke off" garbage:"does not speak HTTP" headers:"larger than any" \
	flood:"larger than any" broken:"makes no sense" types:"makes no sense" 500:"says Docker" 302:"HTTP status 302"; do
	for path in /version /networks; do
		fake_behaves "GET $path ${how%%:*}"
		tolerated "$path: ${how%%:*}" "${how#*:}"
	done
done
for how in hang drip; do
	fake_behaves "GET /networks $how"
	begin=$(calm)
	tolerated "/networks: $how" "no answer within 5 s"
	is "which takes no longer" $(($(calm_since "$begin") <= 8000)) 1
done
fake_behaves "GET /info 404"
dsfw apply
is "a Docker that does not tell its firewall" "$status" 0
fake_behaves
fake_tell about ApiVersion 1.23
tolerated "an API that is too old" "1.24 is the oldest that we speak: upgrade Docker"
fake_tell about ApiVersion 1.99
fake_tell about MinAPIVersion 1.98
tolerated "an API that is too new" "upgrade dsfw-nft"
fake_tell about MinAPIVersion 1.44
fake_behaves
dsfw apply
is "the newest that we speak, of a newer one" \
	"$(sed -n 's|.*/\(v[0-9.]*\)/networks$|\1|p' $fake_log | sort -u)" v1.51
http_proxy=http://192.0.2.1:1 ALL_PROXY=http://192.0.2.1:1 dsfw apply
is "proxies are not for it" "$status" 0
kill -STOP "$fake_pid"
python3 -c 'import socket, sys, time
s = [socket.socket(socket.AF_UNIX) for _ in range(200)]
for c in s:
    c.setblocking(False)
    try: c.connect(sys.argv[1])
    except BlockingIOError: break
print("full", flush=True)
time.sleep(60)' "$fake" >$t/filled &
filler=$!
until_true 5 grep -q full $t/filled || bail "the queue is not full"
tolerated "one whose queue is full" "does not accept connections"
kill "$filler"
chmod 600 "$fake"
cp "$DSFW_NFT" $t/dsfw-nft
chmod 755 $t $t/dsfw-nft
setpriv --reuid 65534 --clear-groups --inh-caps=+net_admin --ambient-caps=+net_admin --bounding-set=-all,+net_admin \
	env DOCKER_HOST="$DOCKER_HOST" $t/dsfw-nft apply --network-config $t/network.json --firewall-config $t/firewall.json \
	>$t/out 2>$t/err </dev/null
like "no permission" "$(<$t/err)" "no permission: run as root"
fake_stop

finish
