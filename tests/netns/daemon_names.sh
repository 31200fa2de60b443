#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon keeps sets true to DNS: what comes, is renewed, ages and survives outages; with a DNS server
# that misbehaves, seen by a watcher that looks at the sets all the time, and by packets. All
# names go through their trouble at the same time, as kernel timeouts take the time that they take. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

stale=10
interval=5 # also the least time between two questions
export IPSET_STALE_TTL=$stale IPSET_REFRESH_INTERVAL=$interval

v4=(198.51.100.{1..20}/32)
v6=(2001:db8:51::{1..7}/128)
build_network()
{
	outside "${v4[@]}" "${v6[@]}" && bridge ds-1 172.30.1.1/24 fd77:1::1/64 &&
		container c1 ds-1 172.30.1.11 fd77:1::11
}
build_network || bail "cannot build the network"
start_peers
ask "serve outside tcp 80"
network_config <<'CONFIG'
{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"}]}
CONFIG

start_zone

# ---- everything at once --------------------------------------------------------------------------

burst=(burst{1..20}.example)
quoted_burst=$(printf '"%s",' "${burst[@]}")
firewall_config <<CONFIG
{"ipsets": {
	"steady": ["steady.example"], "leaving": ["leaving.example"], "dead": ["dead.example"],
	"failing": ["failing.example"], "missing": ["missing.example"], "local": ["local.example"],
	"half": ["half4.example", "half6.example"], "shared": ["one.example", "two.example"], "rotating": ["rotating.example"],
	"burst": [${quoted_burst%,}],
	"fixed": ["10.0.0.1", "10.0.0.2", "2001:db8:9::1", "203.0.113.0/24", "2001:db8:a::/48"],
	"mixed": ["198.51.100.1", "steady.example"]},
"networks": {"ds-1": {
	"egress": [$(printf '{"to": "ipset", "ipset": "%s"},' steady leaving dead failing missing local \
	half shared rotating burst fixed mixed) {"to": "host", "host": "target.example"}, {"action": "drop"}],
	"nat": [{"match_dport": 3306, "to_host": "target.example", "to_port": 80}]}}}
CONFIG
# These names stay as they are
constant=(
	"steady.example 198.51.100.1 2001:db8:51::1 ttl=1"
	"rotating.example $(echo 10.2.0.{1..50}) rotate=5 ttl=1"
)
for i in "${!burst[@]}"; do # answers spread over the interval
	constant+=("${burst[i]} 198.51.100.20 delay=$(printf '%d.%03d' $((i * 130 / 1000)) $((i * 130 % 1000)))")
done
zone "${constant[@]}" "leaving.example 198.51.100.2 198.51.100.3 2001:db8:51::2 2001:db8:51::3" \
	"dead.example 198.51.100.4 2001:db8:51::4" "failing.example 198.51.100.5" \
	"missing.example 198.51.100.6" "one.example 198.51.100.8" "two.example 198.51.100.8" \
	"target.example 198.51.100.9 2001:db8:51::7" "half4.example 198.51.100.10 2001:db8:51::5" \
	"half6.example 198.51.100.11 2001:db8:51::6"
hosts "198.51.100.7 local.example"

sets=()
for name in steady leaving dead failing missing local half shared rotating burst fixed mixed; do
	sets+=("ipset-$name-v4" "ipset-$name-v6")
done
sets+=(ipset-fixed-net4 ipset-fixed-net6 host-target.example-v4 host-target.example-v6)
watch "${sets[@]}"
start_listening
start_daemon
python3 "$here/flows.py" c1 198.51.100.20:80 3 $t >$t/flows 2>&1 &
flows=$!
until_true 5 test -e $t/open || bail "no flows: $(<$t/flows)"
begin=$(seconds)

probes "addresses of DNS, /etc/hosts, both families and NAT" <<-'PROBES'
	c1 tcp 198.51.100.1:80 = open outside
	c1 tcp [2001:db8:51::1]:80 = open outside
	c1 tcp 198.51.100.3:80 = open outside
	c1 tcp [2001:db8:51::3]:80 = open outside
	c1 tcp 198.51.100.4:80 = open outside
	c1 tcp [2001:db8:51::4]:80 = open outside
	c1 tcp 198.51.100.5:80 = open outside
	c1 tcp 198.51.100.6:80 = open outside
	c1 tcp 198.51.100.7:80 = open outside
	c1 tcp 198.51.100.8:80 = open outside
	c1 tcp 198.51.100.9:80 = open outside
	c1 tcp 198.51.100.1:3306 = open outside 198.51.100.9:80
	c1 tcp 198.51.100.14:80 = reset
	c1 tcp 198.51.100.17:80 = reset
	c1 tcp 198.51.100.19:80 = reset
PROBES

# shellcheck disable=SC2317
renewed() # SET ADDRESS: since then
{
	grep -q "$1 ^ $2 " "$t/watched"
}
until_true 8 renewed ipset-steady-v4 198.51.100.1 || result "renewal" "$(<$t/watched)"
until_true 8 renewed ipset-dead-v6 2001:db8:51::4 || result "renewal" "$(<$t/watched)"

# Trouble
change=$(seconds)
zone "${constant[@]}" "leaving.example 198.51.100.2 2001:db8:51::2" "dead.example silent" \
	"failing.example fail" "one.example 198.51.100.18" "two.example 198.51.100.8" \
	"target.example 198.51.100.19 AAAA=fail" "half4.example 198.51.100.10 AAAA=silent" \
	"half6.example 2001:db8:51::6 A=fail"
hosts "198.51.100.17 local.example"

# shellcheck disable=SC2317
gone() # SET ADDRESS
{
	! prints "^$2 " elements "$1"
}
sleep_until "$change" $((interval + 1))
until_true 10 prints '^198.51.100.17 ' elements ipset-local-v4
until_true 10 prints '^198.51.100.19 ' elements host-target.example-v4
until_true 10 prints '^198.51.100.18 ' elements ipset-shared-v4
until_true 10 gone ipset-local-v4 198.51.100.7
probes "a change of /etc/hosts, NAT target and host rule after one interval" <<-'PROBES'
	c1 tcp 198.51.100.17:80 = open outside
	c1 tcp 198.51.100.7:80 = reset
	c1 tcp 198.51.100.1:3306 = open outside 198.51.100.19:80
	c1 tcp 198.51.100.19:80 = open outside
	c1 tcp 198.51.100.18:80 = open outside
	c1 tcp 198.51.100.8:80 = open outside
PROBES
sleep_until "$change" $((stale + 2))
until_true 10 gone ipset-leaving-v4 198.51.100.3
until_true 10 gone ipset-leaving-v6 2001:db8:51::3
until_true 10 gone host-target.example-v4 198.51.100.9
probes "what DNS stopped returning has gone, what fails has not" <<-'PROBES'
	c1 tcp 198.51.100.2:80 = open outside
	c1 tcp 198.51.100.3:80 = reset
	c1 tcp [2001:db8:51::2]:80 = open outside
	c1 tcp [2001:db8:51::3]:80 = reset
	c1 tcp 198.51.100.4:80 = open outside
	c1 tcp 198.51.100.5:80 = open outside
	c1 tcp 198.51.100.6:80 = open outside
	c1 tcp 198.51.100.8:80 = open outside
	c1 tcp 198.51.100.9:80 = reset
PROBES
until_true 10 prints 'missing.example: .*, keeping its addresses' life
until_true 10 prints 'dead.example: .*, keeping its addresses' life
until_true 10 prints 'half4.example: IPv6: .*, keeping its IPv6' life
is "one warning for each name that fails" \
	"$(life | grep -oE '[a-z]*\.example: .*, keeping its addresses' | sed 's/:.*//' | sort | xargs)" \
	"dead.example failing.example missing.example"
# The others may do so for a moment, as their families are not always asked at the same time.
is "and for each that fails in one family, which it names" \
	"$(life | grep -oE '(half.|target)\.example: IPv.: .*, keeping its IPv. addresses' |
		sed -E 's/(IPv.): .*, keeping/\1 keeping/' | sort)" \
	"half4.example: IPv6 keeping its IPv6 addresses
half6.example: IPv4 keeping its IPv4 addresses
target.example: IPv6 keeping its IPv6 addresses"
client status
like "status names the family" "$out" "half4.example +[0-9]+ s ago \(now IPv6: [^)]*\)"
second=$(seconds)
zone "${constant[@]}" "leaving.example 198.51.100.2 2001:db8:51::2" "dead.example silent" \
	"failing.example fail" "one.example 198.51.100.18" "two.example 198.51.100.18" \
	"target.example 198.51.100.19 AAAA=fail" "half4.example 198.51.100.10 AAAA=silent" \
	"half6.example 2001:db8:51::6 A=fail"

sleep_until "$begin" 22
touch $t/close
wait "$flows"
like "connections to an address that is renewed all the time: none refused" "$(tail -1 $t/flows)" \
	"flows=3 broken=0 echoes=[0-9]+ new=[0-9]{3,} refused=0 unanswered=0"
comment <$t/flows

sleep_until "$change" $((3 * stale))
probes "an outage of three times the stale TTL costs no address" <<-'PROBES'
	c1 tcp 198.51.100.4:80 = open outside
	c1 tcp [2001:db8:51::4]:80 = open outside
	c1 tcp 198.51.100.5:80 = open outside
	c1 tcp 198.51.100.6:80 = open outside
	c1 tcp 198.51.100.8:80 = reset
	c1 tcp [2001:db8:51::5]:80 = open outside
	c1 tcp 198.51.100.10:80 = open outside
	c1 tcp 198.51.100.11:80 = open outside
	c1 tcp [2001:db8:51::6]:3306 = open outside [2001:db8:51::7]:80
PROBES
back=$(seconds)
zone "${constant[@]}" "leaving.example 198.51.100.2 2001:db8:51::2" "dead.example 198.51.100.14" \
	"failing.example 198.51.100.15" "missing.example 198.51.100.16" "one.example 198.51.100.18" \
	"two.example 198.51.100.18" "target.example 198.51.100.19" "half4.example 198.51.100.10" \
	"half6.example 2001:db8:51::6"
after=$((interval + 4 + stale)) # DNS may take 4 s to fail once more
sleep_until "$back" $after
probes "after it, others take their place" <<-'PROBES'
	c1 tcp 198.51.100.4:80 = reset
	c1 tcp [2001:db8:51::4]:80 = reset
	c1 tcp 198.51.100.5:80 = reset
	c1 tcp 198.51.100.6:80 = reset
	c1 tcp 198.51.100.14:80 = open outside
	c1 tcp 198.51.100.15:80 = open outside
	c1 tcp 198.51.100.16:80 = open outside
PROBES
end=$(seconds)
end_watch

judge "what DNS goes on returning never goes, and is renewed" <<-JUDGE
	kept ipset-steady-v4 198.51.100.1 $begin $end
	kept ipset-steady-v6 2001:db8:51::1 $begin $end
	renewed ipset-steady-v4 198.51.100.1 $begin $end 6
	renewed ipset-steady-v6 2001:db8:51::1 $begin $end 6
	kept ipset-burst-v4 198.51.100.20 $begin $end
	renewed ipset-burst-v4 198.51.100.20 $begin $(plus "$begin" 20) 40
	true steady.example ipset-steady-v4 $stale 1
JUDGE
judge "with the stale TTL as timeout" <<-JUDGE
	timed ipset-steady-v4 ${stale}000
	timed ipset-steady-v6 ${stale}000
	timed ipset-leaving-v4 ${stale}000
	timed ipset-dead-v6 ${stale}000
	timed ipset-local-v4 ${stale}000
	timed host-target.example-v4 ${stale}000
JUDGE
judge "literals and CIDRs have none" <<-JUDGE
	permanent ipset-fixed-v4
	permanent ipset-fixed-v6
	permanent ipset-fixed-net4
	permanent ipset-fixed-net6
	permanent ipset-mixed-v4
	timed ipset-mixed-v6 ${stale}000
JUDGE
judge "what DNS stopped returning goes after the stale TTL and not before" <<-JUDGE
	true leaving.example ipset-leaving-v4 $stale 1
	true leaving.example ipset-leaving-v6 $stale 1
	left ipset-leaving-v4 198.51.100.3 $(plus "$change" 4) $(plus "$change" $((stale + 1)))
	left ipset-leaving-v6 2001:db8:51::3 $(plus "$change" 4) $(plus "$change" $((stale + 1)))
	left host-target.example-v4 198.51.100.9 $(plus "$change" 4) $(plus "$change" $((stale + 1)))
JUDGE
judge "what /etc/hosts loses goes at once" <<-JUDGE
	left ipset-local-v4 198.51.100.7 $change $(plus "$change" $((interval + 1)))
JUDGE
judge "an address of two names lives as long as either has it" <<-JUDGE
	kept ipset-shared-v4 198.51.100.8 $begin $(plus "$second" 4)
	left ipset-shared-v4 198.51.100.8 $(plus "$second" 4) $(plus "$second" $((stale + 1)))
JUDGE
judge "silence, server failures and NXDOMAIN cost no address, and the old ones age afterwards" <<-JUDGE
	kept ipset-dead-v4 198.51.100.4 $begin $back
	kept ipset-dead-v6 2001:db8:51::4 $begin $back
	renewed ipset-dead-v4 198.51.100.4 $change $back 3
	left ipset-dead-v4 198.51.100.4 $back $(plus "$back" "$after")
	left ipset-dead-v6 2001:db8:51::4 $back $(plus "$back" "$after")
	kept ipset-failing-v4 198.51.100.5 $begin $(plus "$back" 4)
	left ipset-failing-v4 198.51.100.5 $(plus "$back" 4) $(plus "$back" $((stale + 1)))
	kept ipset-missing-v4 198.51.100.6 $begin $(plus "$back" 4)
	left ipset-missing-v4 198.51.100.6 $(plus "$back" 4) $(plus "$back" $((stale + 1)))
	kept ipset-dead-v4 198.51.100.14 $(plus "$back" $((interval + 5))) $end
JUDGE
judge "an outage of one family, while the other answers, costs no address either" <<-JUDGE
	kept ipset-half-v6 2001:db8:51::5 $begin $back
	kept ipset-half-v4 198.51.100.10 $begin $end
	kept ipset-half-v4 198.51.100.11 $begin $back
	kept ipset-half-v6 2001:db8:51::6 $begin $end
	kept host-target.example-v6 2001:db8:51::7 $begin $back
	left ipset-half-v6 2001:db8:51::5 $back $(plus "$back" "$after")
	left ipset-half-v4 198.51.100.11 $back $(plus "$back" "$after")
JUDGE
judge "a rotating zone: none missing, none too long" <<-JUDGE
	given rotating.example 50
	true rotating.example ipset-rotating-v4 $stale 1
JUDGE

is "the daemon repairs nothing meanwhile" "$(drift repairs)" 0
end_daemon TERM
is "it ends well" "$status $(grep -c '^error' $log)" "0 0"
is "and what it holds is permanent" "$(nft list table inet dockside | grep -cE 'expires|timeout [0-9]')" 0

# ---- many names ----------------------------------------------------------------------------------

mapfile -t lines < <(printf 'n%s.example silent\n' {1..1000})
zone "${lines[@]}"
firewall_config <<CONFIG
{"ipsets": {"many": [$(printf '"n%s.example",' {1..999}) "n1000.example", "198.51.100.1"]},
"networks": {"ds-1": {"egress": [{"to": "ipset", "ipset": "many"}, {"action": "drop"}]}}}
CONFIG
nft delete table inet dockside
launch
# shellcheck disable=SC2317
in_force()
{
	nft list chain inet dockside ds-1-OUT >"$t/out" 2>&1
}
until_true 5 in_force || result "rules" "$(<$t/out)"
enforced=$(monotonic)
probes "rules are in force long before DNS has answered for 1,000 names" <<-'PROBES'
	c1 tcp 198.51.100.1:80 = open outside
	c1 tcp 198.51.100.2:80 = reset
PROBES
until_true 10 told 1 READY=1
took_calm=$(calm_since "$launched_calm")
ready=$(message READY=1 | cut -d ' ' -f 2)
is "when the daemon is not yet ready" "$(awk -v a="$enforced" -v b="$ready" 'BEGIN { print (a < b) }')" 1
took=$(awk -v a="$launched" -v b="$ready" 'BEGIN { printf "%d", (b - a) * 1000 }')
result "it is ready after 5 s" "$([[ $took -gt 4000 && $took_calm -lt 6000 ]] || echo "after $took ms")"
mapfile -t lines < <(for i in {1..1000}; do
	echo "n$i.example 10.3.$((i / 250)).$((i % 250 + 1))"
done)
zone "${lines[@]}"
# shellcheck disable=SC2317
all_there()
{
	[[ $(elements ipset-many-v4 | grep -c '^10\.3\.') -eq 1000 ]]
}
until_true 25 all_there
is "and they fill in when DNS answers" "$(elements ipset-many-v4 | grep -c '^10\.3\.')" 1000
end_daemon TERM
is "it ends well, too" "$status" 0
stop_peers
finish
