#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# explain takes containers by their names in Docker, HOST:PORT, and tcp port 443 where nothing is said; its exit status
# is the verdict. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh" || exit 1
# shellcheck source=tests/docker/fake_lib.sh
. "$(dirname "$0")/fake_lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

{
	bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 && bridge ds-b 172.30.2.1/24 2001:db8:2::1/64
} || bail "cannot set up the network"
hosts "198.51.100.1 one.example" "198.51.100.9 web-1"
network_config <<'CONFIG'
{"networks": [
	{"name": "ds-A", "subnet": "172.30.1.0/24", "subnet6": "2001:db8:1::/64",
		"dockside_ip": "172.30.1.2", "dockside_mac": "02:42:ac:1e:01:02"},
	{"name": "ds-b", "subnet": "172.30.2.0/24"}]}
CONFIG
firewall_config <<'CONFIG'
{"networks": {
	"ds-A": {"egress": [
		{"proto": "tcp", "ports": [443], "to": "host", "host": "one.example"},
		{"proto": "tcp", "ports": [22], "to": "host", "host": "web-1"},
		{"proto": "tcp", "ports": [8443], "to": "cidr", "cidr": "2001:db8:9::/64"},
		{"action": "drop"}],
		"host": [{"action": "drop"}]},
	"ds-b": {"egress": [{"action": "drop"}]}}}
CONFIG

# shellcheck disable=SC2317 # until_true calls it
attached() # NETWORK COUNT
{
	[[ $(of network_details "$1" containers) == "$2" ]]
}
# explained DESCRIPTION STATUS PATTERN OPTION…
explained()
{
	client explain "${@:4}"
	like "$1" "$status $out$err" "^$2 $3"
}

fake_start
start_listening
start_daemon
until_true 5 attached ds-A 0 || bail "Docker was not asked: $(life)"
fake_tell connect ds-A web-1 02:42:ac:1e:01:0a 172.30.1.10
fake_tell connect ds-A both 02:42:ac:1e:01:0b 172.30.1.11
fake_tell connect ds-b both 02:42:ac:1e:02:0b 172.30.2.11
fake_tell connect ds-b db-1 02:42:ac:1e:02:0c 172.30.2.12
fake_tell connect ds-A proxy 02:42:ac:1e:01:02 172.30.1.2
until_true 5 attached ds-A 3 || bail "the containers were not seen: $(life)"
until_true 5 attached ds-b 2 || bail "the containers were not seen: $(life)"

explained "a container, and nothing said of the port: it passes" 0 \
	'tcp from 172.30.1.10 \(web-1, 02:42:ac:1e:01:0a\) to 198.51.100.1 port 443, [^:]*: let pass' \
	--from web-1 --to one.example
explained "a port in the target: it is refused" 4 'tcp from 172.30.1.10 .* to 198.51.100.1 port 80, [^:]*: REFUSED' \
	--from web-1 --to one.example:80
explained "the dockside container is exempt" 0 'tcp from 172.30.1.2 \(proxy, .*, the dockside container, to 198.51.100.1 port 80, [^:]*: let pass' \
	--from proxy --to one.example:80
explained "the Docker host" 4 'tcp from .* to 172.30.1.1 port 22, [^:]*: REFUSED' --from web-1 --to host:22
explained "IPv6 in brackets" 0 'tcp from 2001:db8:1::2 to 2001:db8:9::1 port 8443, .*let pass' \
	--from ds-a --to '[2001:db8:9::1]:8443'
explained "IPv6 without a port" 4 'tcp from 2001:db8:1::2 to 2001:db8:9::1 port 443, .*REFUSED' --from ds-a --to 2001:db8:9::1
explained "a container that has no IPv6" 1 '.*the container web-1 has no such address' --from web-1 --to 2001:db8:9::1
explained "another container of the network comes before a name" 4 \
	'tcp from 172.30.1.11 \(both, .*\) to 172.30.1.10 \(web-1\) port 22, [^:]*: DROPPED' --from both --src 172.30.1.11 --to web-1:22
explained "which is a name elsewhere" 4 'tcp from 172.30.2.12 \(db-1, .*\) to 198.51.100.9 port 22, [^:]*: REFUSED' \
	--from db-1 --to web-1:22
explained "a container of another network" 4 'tcp from 172.30.1.10 .* to 172.30.2.12 \(db-1\) port 5432, [^:]*: REFUSED' \
	--from web-1 --to db-1:5432
explained "udp has no usual port" 2 '.*need a port' --from web-1 --to one.example --proto udp
explained "but takes one in the target" 4 'udp from .* port 53, [^:]*: DROPPED' --from web-1 --to one.example:53 --proto udp
explained "a type means icmp" 4 'icmp from .* type 8 code 0, [^:]*: DROPPED' --from web-1 --to one.example --type echo-request
explained "a port, twice" 2 '.*the port stands in --to and in --port' --from web-1 --to one.example:443 --port 443
explained "one that is no number" 2 '.*the port must be a number from 1 to 65535' --from web-1 --to one.example:https
explained "a bracket that is not closed" 2 '.*the destination must be an address' --from web-1 --to '[2001:db8:9::1:443'
explained "a container on two networks" 1 '.*the container both is on several networks \(ds-A, ds-b\): say which with --src' \
	--from both --to one.example
explained "and a source" 0 'tcp from 172.30.1.11 ' --from both --src 172.30.1.11 --to one.example
explained "nobody of that name" 1 '.*no container of that name is on a network of the configuration, and no network "nobody" is' \
	--from nobody --to one.example
client explain --from web-1 --to db-1 --json
is "as JSON" "$status $(python3 -c 'import json, sys
for e in json.load(sys.stdin)["explanations"]:
	print(e["container"], e["to_container"], e["mac"], e["verdict"])' <$t/out)" "4 web-1 db-1 02:42:ac:1e:01:0a reset"
fake_stop
end_daemon TERM
finish
