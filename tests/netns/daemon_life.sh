#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon's life: what it tells systemd, starts over what is there, reloads, ends, is killed; all of it
# under open flows, new connections, and attempts that no policy allows. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

stale=12
export IPSET_STALE_TTL=$stale IPSET_REFRESH_INTERVAL=5
reloads=100

ulimit -n 4096 # for the server of so many flows, too
two_networks 198.51.100.{1..9}/32 2001:db8:51::2/128
# Both allow good.example:80 and 198.51.100.6:80 and deny 198.51.100.1:443, by other rules.
cat >$t/policy.0 <<'CONFIG'
{"ipsets": {"good": ["good.example", "nat.example", "late.example", "10.0.0.1", "198.51.100.6"]},
"networks": {
	"ds-1": {"egress": [{"proto": "tcp", "ports": [80, 8080], "to": "ipset", "ipset": "good"},
			{"action": "drop"}],
		"nat": [{"match_dport": 3306, "to_host": "nat.example", "to_port": 80}],
		"host": [{"proto": "udp", "ports": [53]}]},
	"ds-2": {"egress": [{"action": "drop"}]}}}
CONFIG
cat >$t/policy.1 <<'CONFIG'
{"ipsets": {"good": ["good.example", "nat.example", "late.example", "10.0.0.2", "198.51.100.6",
	"203.0.113.0/24"]},
"networks": {
	"ds-1": {"egress": [{"action": "drop", "proto": "tcp", "ports": [443], "cidr": "198.51.100.1/32"},
			{"proto": "udp", "ports": [53]}, {"to": "ipset", "ipset": "good"},
			{"action": "drop", "proto": "tcp"}],
		"nat": [{"match_dport": 3306, "to_host": "nat.example", "to_port": 80}]}}}
CONFIG
# use POLICY
use()
{
	cp "$t/policy.$1" $t/firewall.new && mv $t/firewall.new $t/firewall.json
}

set=ipset-good-v4
addresses()
{
	elements "$1" | sed 's/ .*//' | xargs
}
nat_target()
{
	nft list map inet dockside ds-1-nat4 | sed -nE 's/.* : ([0-9.]+) \. .*/\1/p'
}

# ---- over what apply has left --------------------------------------------------------------------

start_zone
zone "good.example 198.51.100.2 2001:db8:51::2" "nat.example 198.51.100.5" "late.example 198.51.100.3"
use 0
dsfw apply
is "apply makes addresses permanent" "$status $(elements $set | grep -c timeout)" "0 0"
watch $set ipset-good-v6
until_true 20 grep -q '2001:db8:51::2' $t/watched || bail "the watcher sees nothing"
python3 "$here/flows.py" c1 198.51.100.2:80 1000 $t >$t/flows 2>&1 &
flows=$!
python3 "$here/flood.py" c1 outside 198.51.100.1:443 198.51.100.6:80 $t 1000 >$t/flood 2>&1 &
flood=$!
until_true 20 test -e $t/open -a -e $t/ready || bail "no flows: $(cat $t/flows $t/flood)"
begin=$(seconds)

start_listening
start_daemon WATCHDOG_USEC=1000000
like "it says what it enforces" "$(message 'STATUS=enforcing 2 networks, 3 names$')" "[0-9]"
is "the daemon gives them timeouts" "$(elements $set)" "10.0.0.1
198.51.100.2 timeout 12s comment good.example
198.51.100.3 timeout 12s comment late.example
198.51.100.5 timeout 12s comment nat.example
198.51.100.6"
# An apply that takes its time has a second one wait; a daemon does not.
for command in daemon apply teardown; do
	timeout 30 "$DSFW_NFT" $command "${files[@]}" >$t/refused 2>&1
	is "$command beside it is refused at once" "$?" 1
	advice="stop it first"
	[[ $command != apply ]] || advice+=", or use dsfw-nft reload"
	is "and told by whom" "$(grep ^error $t/refused)" "error: $command: the daemon (pid $daemon_pid) is running: $advice"
done
result "it feeds the watchdog" "$(until_true 3 told 3 WATCHDOG=1 || tail $told)"

# ---- reloads -------------------------------------------------------------------------------------

# signalled SIGNAL POLICY
signalled()
{
	local ready reloading now after
	ready=$(tail -n +"$((told_before + 1))" $told | grep -c ' READY=1$')
	use "$2"
	before=$(monotonic)
	kill "-$1" "$daemon_pid"
	until_true 5 told $((ready + 1)) READY=1
	after=$(monotonic)
	reloading=$(message 'RELOADING=1$')
	now=$(tail -n +"$((told_before + 1))" $told | sed -n "s/^${reloading% *} .* MONOTONIC_USEC=//p")
	result "SIG$1 reloads and tells systemd so" "$(
		awk -v a="$before" -v b="$after" -v us="${now:-0}" -v n="${reloading% *}" \
			-v ready="$(message 'READY=1$')" 'BEGIN { split(ready, r, " ")
			exit !(a <= us / 1e6 && us / 1e6 <= b && r[1] > n) }' || tail $told
		nft list chain inet dockside ds-1-OUT | matches "$3" || nft list chain inet dockside ds-1-OUT
	)"
}
signalled HUP 1 'egress\[3\]'
signalled USR1 0 'egress\[1\]'

listing >$t/before
sed 's/"action": "drop"/"action": "dorp"/' $t/policy.1 >$t/firewall.json
before=$(generation)
client reload
is "a broken file: reload fails" "$status" 1
like "and says what, and where" "$err" "$t/firewall.json:4:33: error:.*dorp.*$t/firewall.json:6:15: error:.*dorp"
like "so does the log" "$(life | grep dorp | head -1)" "^error: $t/firewall.json:4:33: .*dorp"
reloaded=$(tail -n +"$((told_before + 1))" $told | grep -c ' READY=1$')
kill -HUP "$daemon_pid"
until_true 5 told $((reloaded + 1)) READY=1
is "a signal logs it, too" "$(life | grep -c "^error: reload: .*keeping the running one")" 1
rm $t/firewall.json
client reload
is "so does a file that is missing" "$status $(grep -c 'firewall.json' <<<"$err")" "1 1"
is "what runs is untouched" "$(listing | diff $t/before -)" ""
like "by any transaction but those of names" "$(($(generation) - before))" "^[0-4]$"
like "status knows" "$(client status --json; echo "$out")" '"reload": ?\{"result": ?"error"'
use 1
client reload
is "then the file is right again" "$status $(nft list chain inet dockside ds-1-OUT | grep -c 'egress\[3\]')" "0 1"

faults=
for ((i = 1; i <= reloads; i++)); do
	use $((i % 2))
	client reload
	[[ $status -eq 0 ]] || faults+="$out$err"
done
result "$reloads reloads" "$faults"
is "none of which needs a repair" "$(drift repairs)" 0

# An address that has aged must not come back as a permanent one at the end: the name's next answer takes its time.
sleep_until "$begin" 22
zone "good.example 198.51.100.2 2001:db8:51::2" "nat.example 198.51.100.5" \
	"late.example 198.51.100.4 delay=2.5"
# shellcheck disable=SC2317
late_is_gone()
{
	[[ $(addresses "$set") != *198.51.100.3* ]]
}
until_true 25 late_is_gone || result "late.example" "$(elements $set)"

# ---- stops and starts ----------------------------------------------------------------------------

end_daemon TERM
is "SIGTERM ends it well" "$status" 0
until_true 5 grep -q 'STOPPING=1$' $told
like "it told so" "$(message 'STOPPING=1$')" "[0-9]"
is "what it held is permanent" "$(nft list table inet dockside | grep -cE 'expires|timeout [0-9]')" 0
is "and nothing more than it held" "$(addresses $set)" \
	"10.0.0.1 198.51.100.2 198.51.100.4 198.51.100.5 198.51.100.6"

start_daemon
like "the next one takes over" "$(elements $set)" "198.51.100.2 timeout 12s comment good.example"
# An older and lower address ages, where NAT does not lead any more.
zone "good.example 198.51.100.2 2001:db8:51::2" "nat.example 198.51.100.7" \
	"late.example 198.51.100.4"
# shellcheck disable=SC2317
nat_moved()
{
	[[ $(nat_target) == 198.51.100.7 ]]
}
until_true 7 nat_moved || result "NAT" "$(nft list map inet dockside ds-1-nat4)"
zone "good.example silent" "nat.example silent" "late.example silent"
end_daemon KILL
is "after kill -9 the timeouts run on" \
	"$(nft list set inet dockside $set | grep -o 'timeout 12s expires' | uniq)" "timeout 12s expires"
launch
until_true 7 told 1 READY=1
is "with DNS dead the next daemon keeps the names' addresses" "$(addresses $set)" \
	"10.0.0.1 198.51.100.2 198.51.100.4 198.51.100.5 198.51.100.6 198.51.100.7"
is "of both families" "$(addresses ipset-good-v6)" "2001:db8:51::2"
is "and NAT goes where it went" "$(nat_target)" 198.51.100.7

# A name that is deleted while its question is open
sed 's/"good.example"/"good.example", "gone.example"/' $t/policy.0 >$t/firewall.json
zone "good.example 198.51.100.2 2001:db8:51::2" "nat.example 198.51.100.7" \
	"late.example 198.51.100.4" "gone.example silent"
kill -HUP "$daemon_pid"
until_true 5 logged '^reloaded$'
use 0
reload_begin=$(calm)
client reload
result "a reload does not wait for a name that it has deleted" "$(
	took=$(calm_since "$reload_begin")
	[[ $status -eq 0 && $took -lt 10000 ]] || echo "$status after $took ms: $out$err")"
timeout 60 env IPSET_STALE_TTL=9 "$DSFW_NFT" daemon "${files[@]}" >$t/out 2>&1
is "a stale TTL too short to be renewed in is refused" "$? $(grep -c 'IPSET_STALE_TTL is 9, wanted 10' $t/out)" "2 1"
for signal in TERM INT KILL TERM; do
	end_daemon $signal
	start_daemon
done
end=$(seconds)
touch $t/close $t/stop
wait "$flows" "$flood"
end_watch
end_daemon INT
is "SIGINT ends it well, too" "$status" 0

judge "no address was missing for a moment" <<-JUDGE
	kept $set 198.51.100.2 $begin $end
	kept ipset-good-v6 2001:db8:51::2 $begin $end
JUDGE
like "through all this no flow broke and no connection was refused" "$(tail -1 $t/flows)" \
	"flows=1000 broken=0 echoes=[0-9]{4,} new=[0-9]{4,} refused=0 unanswered=0"
allowed=$(grep -o 'allowed=[0-9]*' $t/flood)
like "and what is denied never passed, of thousands that tried" "$(tail -1 $t/flood)" \
	"denied=[0-9]{5,} reset=[0-9]{4,} answered=0 seen=0 $allowed opened=${allowed#*=} refused=0 gap=[0-9]{1,3}$"
comment <$t/flows
comment <$t/flood
stop_peers
finish
