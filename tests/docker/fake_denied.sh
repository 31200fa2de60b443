#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon reports refused packets with the container's name. It finds the container by the address that Docker
# gives it, or by its MAC address; as Docker knows it now. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh" || exit 1
# shellcheck source=tests/docker/fake_lib.sh
. "$(dirname "$0")/fake_lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

{
	outside 198.51.100.1/32 && bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 &&
		container a1 ds-a 172.30.1.10 2001:db8:1::10 02:42:ac:1e:01:0a &&
		container a2 ds-a 172.30.1.11 2001:db8:1::11 02:42:ac:1e:01:0b &&
		container a3 ds-a 172.30.1.12 2001:db8:1::12 02:42:ac:1e:01:0c
} || bail "cannot set up the network"
network_config <<<'{"networks": [{"name": "ds-A", "subnet": "172.30.1.0/24"}]}'
firewall_config <<<'{"networks": {"ds-A": {"egress": [{"action": "drop"}]}}}'

# try NAMESPACE PORT: one refused packet
try()
{
	python3 "$here/denied.py" try 50 1 "$1:udp:198.51.100.1:$2" >/dev/null
}
# container_of PORT: as the event has it
container_of()
{
	timeout 20 "$DSFW_NFT" denied --socket $socket --json |
		python3 -c 'import json, sys
print(*(e["container"] for e in map(json.loads, sys.stdin) if e.get("port") == int(sys.argv[1])))' "$1"
}
# shellcheck disable=SC2317 # until_true calls it
told_of()
{
	[[ -n $(container_of "$1") ]]
}
# shellcheck disable=SC2317 # until_true calls it
attached() # COUNT
{
	client status --json
	grep -q "\"containers\":$1" "$t/out"
}

fake_start
start_listening
start_daemon
until_true 5 attached 0 || bail "Docker was not asked: $(life)"
fake_tell connect ds-A web-1 02:42:ac:1e:01:0a 172.30.1.10
fake_tell connect ds-A odd-2 02:42:ac:1e:01:0b 172.30.1.99
until_true 5 attached 2 || bail "the containers were not seen: $(life)"

try a1 1001
until_true 5 told_of 1001
is "by the address" "$(container_of 1001)" web-1
try a2 1002
until_true 5 told_of 1002
is "by the MAC address, where another has it" "$(container_of 1002)" odd-2
try a3 1003
until_true 5 told_of 1003
is "one that Docker does not know" "$(container_of 1003)" None
client denied
like "for people" "$out" 'ds-A +web-1 \(172.30.1.10\) +198.51.100.1 +udp/1001'
client denied --container odd-2
is "of one container" "$(grep -oE 'udp/[0-9]+' <<<"$out" | xargs) $(grep -c 'packets in all' <<<"$out")" "udp/1002 0"

fake_tell disconnect ds-A web-1
until_true 5 attached 1
fake_tell connect ds-A new-1 02:42:ac:1e:01:0d 172.30.1.10
until_true 5 attached 2
try a1 1004
until_true 5 told_of 1004
is "the address has a new owner" "$(container_of 1004)" new-1

fake_stop
try a1 1005
until_true 5 told_of 1005
is "Docker is gone: it is told of all the same" "$([[ -n $(container_of 1005) ]] && echo yes)" yes
end_daemon TERM
is "a good end" "$status" 0
finish
