#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Hostile requests by the socket cost nobody else anything, change nothing by half, and leave nothing behind in the
# daemon. TAP.
#
# Environment: FLOOD, the number of requests of the flood (25000); FLOOD_SLACK, the KiB of memory
# that it may cost (512, which is 21 bytes for each).
# shellcheck disable=SC2016,SC2086,SC2317 # requests are no expansions; functions are called by others
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh" || exit 1
# shellcheck source=tests/netns/hostile_lib.sh
. "$here/hostile_lib.sh" || exit 1

network_config <<'JSON'
{"networks": [
	{"name": "ds-a", "subnet": "172.30.1.0/24", "dockside_ip": "172.30.1.2"},
	{"name": "ds-b", "subnet": "172.30.2.0/24"}
]}
JSON
firewall_config <<'JSON'
{"ipsets": {"s": ["one.example", "198.51.100.2", "203.0.113.0/24"], "unused": ["198.51.100.9"]},
"networks": {
	"ds-a": {"egress": [{"proto": "tcp", "ports": [80, 443], "to": "ipset", "ipset": "s"},
			{"action": "drop"}], "nat": [{"match_dport": 25, "to_ip": "198.51.100.3", "to_port": 25}]},
	"ds-b": {"egress": [{"to": "host", "host": "one.example"}, {"action": "drop", "proto": "udp"}]}}}
JSON
mkdir $t/first
hosts "198.51.100.1 one.example" "2001:db8::1 one.example"

hostile()
{
	python3 "$here/hostile.py" $socket "$daemon" "$@" 2>$t/hostile.err
	sed 's/^/# /' $t/hostile.err >&2
}

# The policy and its files, all of it, and what saves leave beside these.
dir=$t
state()
{
	listing
	cat $dir/network.json $dir/firewall.json
	find $dir -maxdepth 1 -name '*.json*' | sort
}

unchanged()
{
	state | diff $t/state - | head -20
	daemon_faults
}

ulimit -n 4096
start_daemon
until_true 5 prints 198.51.100.1 elements ipset-s-v4 || bail "no addresses: $(<$t/log)"
state >$t/state
read -ra scenarios < <(hostile list)
[[ ${#scenarios[@]} -gt 0 ]] || bail "no scenarios"
for scenario in "${scenarios[@]}"; do
	result "others are answered meanwhile: $scenario" "$(hostile "$scenario")"
	result "and nothing has changed" "$(unchanged)"
done

# ---- many ----------------------------------------------------------------------------------------

result "a flood of requests costs no memory and no descriptors" \
	"$(hostile flood "${FLOOD:-25000}" "${FLOOD_SLACK:-512}")"
result "and changes nothing" "$(unchanged)"

# ---- requests that are not what they seem --------------------------------------------------------

# The policy in the kernel is the files', and nothing is left of a save.
consistent()
{
	daemon_faults
	dsfw check
	status_fault 0
	differences
	nft list tables | grep -vE '^table (inet|bridge) dockside$'
	ls $t/*.dsfw* 2>/dev/null
}

cp $t/network.json $t/firewall.json $t/first
back_again()
{
	cp $t/first/* $t
	client reload
	[[ $status -eq 0 ]] || result "back again" "$(status_fault 0)"
}

# refused DESCRIPTION: the request on standard input is, and nothing changes
refused()
{
	local answer faults=
	answer=$(hostile ask)
	[[ $answer == '{"status":"error",'* ]] || faults="it is answered ${answer:0:300}
"
	result "refused: $1" "$faults$(unchanged)"
	[[ -z $faults ]] || back_again
}

# done_well DESCRIPTION: the request on standard input is done, all of it
done_well()
{
	local answer faults=
	answer=$(tr -d '\n' | hostile ask)
	[[ $answer == '{"status":"ok"'* ]] || faults="it is answered ${answer:0:300}
"
	result "done: $1" "$faults$(consistent)"
	back_again
}

inject='x } ; flush ruleset ; #'
for name in "$inject" '' '../../etc/passwd' '@s' 's"' $'s\\u0000t' 's\nflush ruleset' \
	'аbc' '$HOME' "$(printf 'x%.0s' {1..32})" "$(printf 'x%.0s' {1..70000})"; do
	shown=${name:0:40}
	refused "an ipset called ${shown//\\/}" <<<'{"action":"set-ipset","name":"'"${name//\"/\\\"}"'","hostnames":["192.0.2.1"]}'
	refused "a network called ${shown//\\/}" <<<'{"action":"set-network","name":"'"${name//\"/\\\"}"'","network":{"subnet":"10.7.0.0/24"},"firewall":{"egress":[{"action":"drop"}]}}'
	[[ -z $name ]] ||
		refused "a host called ${shown//\\/}" <<<'{"action":"set-ipset","name":"s","hostnames":["'"${name//\"/\\\"} y"'"]}'
done
for member in '"1.2.3.4/33"' '"1.2.3.4 }"' '"::1/129"' '"1.2.3.4:80"' 5 null '{}' '["a.example"]' '"a..b"' \
	'"*"' '"192.0.2.1 - 192.0.2.9"' '"\"; drop"'; do
	refused "a member $member" <<<'{"action":"set-ipset","name":"s","hostnames":["a.example",'"$member"']}'
done
for rule in '{"proto":"tcp; drop"}' '{"ports":[80]}' '{"proto":"tcp","ports":["80; accept"]}' \
	'{"to":"ipset","ipset":"s }"}' '{"to":"ipset","ipset":"none"}' '{"to":"cidr","cidr":"0.0.0.0/0 accept"}' \
	'{"proto":"icmp","type":"echo-request counter accept"}' '{"action":"accept"}' '{"comment":"a\nb"}' \
	'{"proto":"tcp","ports":[0]}' '{"proto":"tcp","ports":[1e3]}' '{"to":"ip","ip":"::ffff:1.2.3.4 "}'; do
	refused "a rule $rule" <<<'{"action":"set-network","name":"ds-a","firewall":{"egress":['"$rule"']}}'
done
refused "a bridge that somebody else's interface is" \
	<<<'{"action":"set-network","name":"lo","network":{"subnet":"10.8.0.0/24","dockside_ip":"10.8.0.2"}}'
refused "a network twice but for its case" \
	<<<'{"action":"set-network","name":"DS-A","network":{"subnet":"10.8.0.0/24"}}'
refused "another subnet" <<<'{"action":"set-network","name":"ds-a","network":{"subnet":"10.8.0.0/24"}}'
refused "a set that is in use" <<<'{"action":"remove-ipset","name":"s"}'
refused "nothing at all" <<<'{"action":"apply","network_config":{},"firewall_config":{}}'
refused "rules of no network" \
	<<<'{"action":"apply","network_config":{"networks":[]},"firewall_config":{"networks":{"x":{}}}}'

done_well "a comment that looks like nft" <<<'{"action":"set-network","name":"ds-a","firewall":{"egress":[
{"comment":"\" ; flush ruleset ; { } # \\ $x @y"},{"action":"drop","comment":"'"$(printf 'ä%.0s' {1..3000})"'"}]}}'
done_well "names that are nft's own words" <<<'{"action":"apply","network_config":{"networks":[
{"name":"drop","subnet":"10.1.0.0/24"},{"name":"1","subnet":"10.2.0.0/24"},{"name":"forward","subnet":"10.3.0.0/24"}]},
"firewall_config":{"ipsets":{"-x":["192.0.2.1"],"inet":["192.0.2.0/24"],"..":["::1"]},"networks":{
"drop":{"egress":[{"to":"ipset","ipset":"-x"},{"action":"drop"}]},"1":{"egress":[{"to":"ipset","ipset":"inet"}]},
"forward":{"egress":[{"to":"ipset","ipset":".."}],"host":[{"action":"drop"}]}}}}'
python3 -c '
import json
print(json.dumps({"action": "set-ipset", "name": "s", "hostnames":
	["10.%d.%d.%d" % (i >> 16, i >> 8 & 255, i & 255) for i in range(50000)]}))' >$t/request
done_well "a set of 50,000 addresses" <$t/request

# ---- names that nobody knows ---------------------------------------------------------------------

# A request waits for the names that the daemon asks now, not for those of later requests.
echo "nameserver 127.0.0.1" >$t/resolv.conf
hostile impatient &
impatient=$!
until_true 5 prints . ss -Hlun "sport = :53"
firewall_config <<<'{"networks":{"ds-a":{"egress":[{"to":"host","host":"silent.example"},{"action":"drop"}]}}}'
begin=$(calm)
client reload
is "a reload is answered when its names have had their time" \
	"$status $(($(calm_since "$begin") < 9000))" "0 1"
asked=$(grep -c 'socket: set-network' $t/log)
asked_again()
{
	[[ $(grep -c 'socket: set-network' $t/log) -gt $asked ]]
}
timeout 60 "$DSFW_NFT" set-network ds-a --socket $socket \
	--firewall '{"egress":[{"to":"host","host":"unheard.example"}]}' >$t/out.waiting 2>&1 &
waiting=$!
until_true 5 asked_again
begin=$(calm)
client set-network ds-a --firewall '{"egress":[{"action":"drop"}]}'
is "and one without names is not held up by names that are no longer of interest" \
	"$status $(($(calm_since "$begin") < 3000))" "0 1"
wait $waiting
is "the one with names is answered, too" "$? $(<$t/out.waiting)" "0 enforced and saved"
wait $impatient
back_again
: >$t/resolv.conf

# ---- a full disk ---------------------------------------------------------------------------------

# A file system for the files that holds them and not much more.
mkdir $t/small
mount -t tmpfs -o size=64k,nr_inodes=20 none $t/small || bail "no small file system"
stopped_well "the daemon stops, and has lost nothing"
cp $t/network.json $t/firewall.json $t/small
files=(--network-config "$t/small/network.json" --firewall-config "$t/small/firewall.json")
start_daemon
dir=$t/small
head -c 60000 /dev/zero >$t/small/ballast 2>/dev/null
state >$t/state
python3 -c '
import json
print(json.dumps({"action": "set-ipset", "name": "s", "hostnames": ["10.0.%d.%d" % (i >> 8, i & 255) for i in range(3000)]}))' >$t/request
refused "a set of 3,000 addresses that the disk does not hold" <$t/request
refused "a second time" <$t/request
for i in {1..15}; do
	: 2>/dev/null >"$t/small/file$i" || break
done
state >$t/state
refused "a change for which the file system has no names" \
	<<<'{"action":"set-ipset","name":"s","hostnames":["192.0.2.7"]}'
mount -o remount,ro $t/small
refused "a change on a file system that is read-only" \
	<<<'{"action":"set-ipset","name":"s","hostnames":["192.0.2.7"]}'
mount -o remount,rw $t/small
rm $t/small/file* $t/small/ballast
answer=$(hostile ask <<<'{"action":"set-ipset","name":"s","hostnames":["192.0.2.7"]}')
is "when there is room again, it is done" "$answer $(elements ipset-s-v4)" \
	'{"status":"ok","message":"enforced and saved"} 192.0.2.7'
stopped_well "the daemon stops, and has lost nothing there"

# ---- a large host --------------------------------------------------------------------------------

# A client that floods the daemon with questions that take long waits itself; others do not.
python3 "$here/../bench/generate.py" 1000 20 $t/large || bail "no configuration"
files=(--network-config "$t/large/network-config.json" --firewall-config "$t/large/firewall-config.json")
start_daemon
for scenario in thousand_askers no_reader; do
	result "others are answered meanwhile, with 1,000 networks: $scenario" \
		"$(hostile "$scenario"; daemon_faults)"
done
stopped_well "the large one stops"
finish
