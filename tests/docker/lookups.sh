#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A container looks up names by Docker's own resolver, 127.0.0.11, which asks from within the container's network. Its
# refused packets have these names, and learn prints them. Not where dockerd asks the host's loopback. TAP.
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

outside 198.51.100.53/32 198.51.100.10/32 || bail "cannot build the network"
start_dnsmasq 198.51.100.53 <<'CONFIG'
host-record=api.example,198.51.100.10
cname=www.example,cdn.example
host-record=cdn.example,198.51.100.20
CONFIG
dockerd_start
busybox_image || bail "no image"
network_config <<<'{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"}]}'
firewall_config <<'JSON'
{"networks": {"ds-a": {"mode": "audit", "egress": [
	{"proto": "udp", "ports": [53], "to": "ip", "ip": "198.51.100.53"}, {"action": "drop"}]}}}
JSON
start_listening
start_daemon
until_true 10 eval 'docker network inspect ds-a >/dev/null 2>&1' || bail "no network ds-a"

# run NAME ADDRESS [OPTION…]
run()
{
	docker run -d --name "$1" --network ds-a --ip "$2" "${@:3}" bb:1 >/dev/null && container_bind "$1"
}
# look_up CONTAINER NAME: its address
look_up()
{
	docker exec "$1" nslookup "$2" 2>&1 | sed -n '/^Name:/,$ s/^Address[^:]*:[[:space:]]*//p' | sort -u
}
# refused CONTAINER ADDRESS PORT: what the event of a packet says
refused()
{
	python3 "$here/denied.py" try 50 1 "$1:udp:$2:$3" >/dev/null
	until_true 5 told_of "$3" || echo "it is not told of"
	sed -nE 's/.*"container":"([^"]*)".*"name":("[^"]*"|null),"name_from":("[^"]*"|null).*"port":'"$3"',.*/\1 \2 \3/p' $t/events
}
# shellcheck disable=SC2317 # until_true calls it
told_of()
{
	timeout 20 "$DSFW_NFT" denied --socket "$socket" --json >"$t/events" 2>"$t/err"
	[[ $(grep -c "\"port\":$1," "$t/events") -gt 0 ]]
}

run agent 172.30.1.11 --dns 198.51.100.53 || bail "no container"
is "the container asks Docker" "$(docker exec agent grep ^nameserver /etc/resolv.conf)" "nameserver 127.0.0.11"
is "which finds the name" "$(look_up agent api.example)" 198.51.100.10
is "and so does the event" "$(refused agent 198.51.100.10 1001)" 'agent "api.example" "lookup"'
is "an alias" "$(look_up agent www.example; refused agent 198.51.100.20 1002)" '198.51.100.20
agent "www.example" "lookup"'
client learn ds-a
is "learn has the names" "$(grep -oE '"host": "[a-z.]*".*// 1 packet, looked up' <<<"$out" | cut -d '"' -f 4 | sort | xargs)" \
	"api.example www.example"

# A resolver on the host's loopback: dockerd asks it itself, and what it hears never crosses the bridge.
kill "$dnsmasq"
dnsmasq -k -C <(sed 's/^listen-address=.*/listen-address=127.0.0.1/; s/198\.51\.100\.20/198.51.100.30/' $t/dnsmasq.conf) \
	>$t/dnsmasq.log 2>&1 &
dnsmasq=$!
until_true 5 server_is_up || bail "no DNS server: $(<$t/dnsmasq.log)"
echo "nameserver 127.0.0.1" >$t/resolv.conf
run other 172.30.1.12 || bail "no second container"
is "a resolver on the host's loopback" "$(look_up other www.example)" 198.51.100.30
is "is not heard" "$(refused other 198.51.100.30 1003)" 'other null null'

docker rm -f agent other >/dev/null
end_daemon TERM
is "a good end" "$status" 0
kill "$dnsmasq"
dockerd_stop
finish
