#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# kill -9 at exact instants, right before a system call: of `apply`, of a reload, of requests that save, of a
# refresh, of a start and of a repair. The kernel holds the old policy or the new one, to the last element;
# each file is the old or the new one; what both policies refuse never passes; the next start has one pair of
# files, makes the kernel what they say, and leaves nothing lying about. TAP.
#
# A run that nobody kills tells which calls each action makes. Those that change something outside the process
# are all instants; of the others so many, drawn by lot, that there are enough.
#
# Environment: KILLS, how many (200); EFFECTS_SHARE=N: an Nth of the instants that change something, drawn by lot, too;
# SEED, of the lot.
# shellcheck disable=SC2086,SC2317 # functions are called by others
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh" || exit 1
# shellcheck source=tests/netns/hostile_lib.sh
. "$here/hostile_lib.sh" || exit 1

kills=${KILLS:-200}
seed=${SEED:-$RANDOM}
echo "# SEED=$seed"
type -p strace >/dev/null || bail "no strace"
exec 2>/dev/null

etc=$t/etc
files=(--network-config "$etc/network.json" --firewall-config "$etc/firewall.json")
mkdir -p $etc $t/policy.{0,1} $t/state.{0,1}

# ---- a host, and two policies --------------------------------------------------------------------

# As Docker does; refused is all that the shim sees unmarked.
docker_tables()
{
	iptables-nft -P FORWARD DROP && iptables-nft -N DOCKER-USER && iptables-nft -A DOCKER-USER -j RETURN &&
		iptables-nft -A FORWARD -j DOCKER-USER && iptables-nft -A FORWARD -j ACCEPT
}
{
	outside 198.51.100.{1,2}/32 && bridge ds-1 10.0.1.1/24 2001:db8:1::1/64 &&
		container c1 ds-1 10.0.1.11 2001:db8:1::11 && container c2 ds-1 10.0.1.12 2001:db8:1::12 &&
		docker_tables && nsenter --net=/run/netns/outside nft 'table inet seen {
			counter u53 { }
			counter u98 { }
			chain input {
				type filter hook input priority -10
				udp dport 53 counter name u53
				udp dport 98 counter name u98
			}
		}'
} || bail "cannot set up the network"

# They differ in the networks that there are, in rules, sets, NAT and names; both refuse all but 53, 80 and 443.
python3 - $t <<'PY' || bail "no policies"
import json
import sys
for policy in (0, 1):
    count = 3 + policy
    networks = [{"name": f"ds-{i}", "subnet": f"10.0.{i}.0/24"} for i in range(1, count + 1)]
    rules = {f"ds-{i}": {"egress": [
        {"proto": "tcp", "ports": [80 + 363 * policy, 8080 + policy], "to": "ipset", "ipset": "s"},
        {"proto": "udp", "ports": [53], "comment": f"policy {policy}"},
        {"proto": "tcp", "ports": [53], "to": "host", "host": "one.example"},
        {"action": "drop"}], "nat": [{"match_dport": 25, "to_ip": f"198.51.100.{policy}", "to_port": 25}],
        "host": [{"action": "drop", "proto": "tcp", "ports": [22 + policy]}]}
        for i in range(1, count + 1)}
    members = [f"192.0.2.{i + 50 * policy}" for i in range(60)] + ["198.51.100.1"]
    firewall = {"ipsets": {"s": members + ["two.example"]}, "networks": rules}
    for name, value in (("network", {"networks": networks}), ("firewall", firewall)):
        with open(f"{sys.argv[1]}/policy.{policy}/{name}.json", "w", encoding="ascii") as out:
            json.dump(value, out)
PY

# names 0 or 1: what they resolve to
names()
{
	hosts "198.51.100.$((1 + 10 * $1)) one.example" "198.51.100.2 two.example" \
		"2001:db8::$((2 + $1)) two.example"
}

# ---- what there is -------------------------------------------------------------------------------

# ruleset: the whole of it, an object a line, but for counts and remaining lifetimes
ruleset()
{
	nft -s list ruleset | awk '
		{ gsub(/ expires [0-9a-z]+/, "") }
		/^table / { table = $2 " " $3; object = ""; next }
		/^\t(chain|set|map|counter) / { object = "" }
		/^}/ { next }
		{ gsub(/[ \t]+/, " "); object = object $0 }
		/^ }/ { print table ":" object; object = "" }' | sort
}

# policy_in RULESET: without our notes of what was loaded, which are written after it
policy_in()
{
	grep -vE '^(inet|bridge) dockside: set fingerprint ' "$1"
}

# held: 0 or 1, the state that the kernel is in, or the differences from both
held()
{
	local i
	ruleset >$t/ruleset
	policy_in $t/ruleset >$t/policy
	for i in 0 1; do
		! cmp -s $t/policy $t/state.$i/policy || { echo $i && return; }
	done
	echo "neither state:"
	for i in 0 1; do
		diff $t/state.$i/policy $t/policy | grep '^[<>]' | cut -c 1-300 | sed "s/^</< of $i:/"
	done
}

# file NAME: 0 or 1, or "neither"; "both" where they do not differ
file()
{
	local is=neither i
	cmp -s $t/state.0/"$1" $t/state.1/"$1" && cmp -s $etc/"$1" $t/state.0/"$1" && echo both && return
	for i in 0 1; do
		! cmp -s $etc/"$1" $t/state.$i/"$1" || is=$i
	done
	echo $is
}

# pair: whose files there are, as pair; or what they are
pair()
{
	case "$(file network.json) $(file firewall.json)" in
	"0 0" | "both 0" | "0 both") echo 0 ;;
	"1 1" | "both 1" | "1 both") echo 1 ;;
	"both both") echo both ;;
	*) echo "network-config: $(file network.json), firewall-config: $(file firewall.json)" ;;
	esac
}

# note STATE: that this is it
note()
{
	cp $etc/{network,firewall}.json $t/state."$1"
	ruleset >$t/state."$1"/ruleset
	policy_in $t/state."$1"/ruleset >$t/state."$1"/policy
}

put_files() # STATE
{
	local name
	for name in network firewall; do
		cp $t/state."$1"/$name.json $t/$name.new && mv $t/$name.new $etc/$name.json
	done
}

# ---- the actions: from one state to the other ----------------------------------------------------

# do_ACTION STATE begins it, with $subject, the process that is to be killed, under strace.
subject=
trace=()

is_over() # PID
{
	[[ $(awk '/^State:/ { print $2 }' /proc/"$1"/status) == [ZX]* ]] || [[ ! -e /proc/$1 ]]
}

is_traced()
{
	is_over $subject || [[ $(awk '/^TracerPid:/ { print $2 }' /proc/$subject/status) != 0 ]]
}

attach()
{
	subject=$daemon
	strace -f -q -o $t/trace "${trace[@]}" -p $subject &
	until_true 10 is_traced || bail "the daemon cannot be traced"
}

# launch COMMAND…: it is our child, strace is not
launch()
{
	: >$t/log
	strace -D -f -q -o $t/trace "${trace[@]}" "$DSFW_NFT" "$@" "${files[@]}" >>$t/log 2>&1 &
	subject=$!
}

do_reload()
{
	put_files "$1"
	attach
	client reload
}

do_save() # by a request that changes both files
{
	attach
	client set-network ds-2 --network "{\"dockside_ip\": \"10.0.2.$((8 + $1))\"}" \
		--firewall "{\"egress\": [{\"proto\": \"tcp\", \"ports\": [$((80 + $1))]}, {\"action\": \"drop\"}]}"
}

do_first_save() # which keeps the files of before
{
	rm -f $etc/*.orig
	do_save "$1"
}

do_refresh()
{
	names "$1"
	attach
	client refresh
}

do_repair() # to state 1; 0 is that of the damage
{
	attach
	nft delete table inet dockside
	until_true 10 is_repaired
}
is_repaired()
{
	is_over $subject || [[ $(held) == 1 ]]
}

do_start()
{
	kill -9 $daemon
	wait $daemon
	put_files "$1"
	launch daemon --socket $socket
	daemon=$subject
	until_true 30 is_up
}

do_apply()
{
	put_files "$1"
	launch apply
	wait $subject
}

do_first_apply() # to state 1; 0 is that without anything of ours
{
	"$DSFW_NFT" teardown >$t/out
	do_apply 1
}

# end_subject: fails if it had to be killed here, not having come to the instant
end_subject()
{
	local left came=0
	for ((left = 25; left > 0; left--)); do
		! is_over $subject || break
		sleep 0.01
	done
	is_over $subject || came=1
	kill -9 $subject
	wait $subject
	until_true 10 grep -q '+++' $t/trace || bail "strace does not end: $action ${trace[*]} $(<$t/log) $(tail -3 $t/trace | cut -c 1-200)"
	[[ $action != *apply ]] || grep -q 'killed by' $t/trace || came=1
	return $came
}

# next_start: as every one; its faults
next_start()
{
	if [[ $action != *apply ]]; then
		start_daemon
	elif ! "$DSFW_NFT" apply "${files[@]}" >$t/log 2>&1; then
		echo "the next apply: $(<$t/log)"
	fi
	complaints
}

# ---- instants ------------------------------------------------------------------------------------

# These calls change something outside the process, unless they write to the log. (The script for libnftables goes to
# a file without a name.)
effects='sendmsg|fsync|ftruncate|rename.*|link.*|unlink.*|fchmod.*|fchown.*|flock|mkdir.*|bind|listen|write'
others='sendto,recvmsg,recvfrom,openat,close,fcntl,connect,accept4'
traced="$others,sendmsg,fsync,ftruncate,?rename,?renameat,renameat2,?link,linkat,?unlink,unlinkat"
traced+=",fchmod,fchown,flock,?mkdir,mkdirat,bind,listen,write"

# instants: the system calls of the trace: "NAME NUMBER effect|other", the number among those of its name
instants()
{
	awk -v effects="^($effects)\$" '
		{ sub(/^[0-9]+ +/, "") }
		match($0, /^[a-z0-9_]+\(/) {
			name = substr($0, 1, RLENGTH - 1)
			effect = name ~ effects && !/^write\([12],/ || /^openat\(.*O_CREAT/ || /BATCH_BEGIN/
			print name, ++n[name], effect ? "effect" : "other"
		}' $t/trace
}

# by_lot: the lines, in an order that the seed decides
by_lot()
{
	awk -v seed="$seed" 'BEGIN { srand(seed) } { print rand(), $0 }' | sort -n | cut -d ' ' -f 2-
}

# choose: those that have an effect, and of the others as many as make it $share
choose()
{
	local more effects
	effects=$(grep -c effect $t/instants)
	effects=$(((effects + ${EFFECTS_SHARE:-1} - 1) / ${EFFECTS_SHARE:-1}))
	more=$((share - effects))
	grep effect $t/instants | by_lot | head -n $effects
	[[ $more -le 0 ]] || grep other $t/instants | by_lot | head -n $more
}

# one_way: only a start, or somebody else, can lead on from state 1
one_way()
{
	[[ $action == repair || $action == first_apply ]]
}

# begin ACTION: learns its two states and the system calls on the way
begin()
{
	local i
	action=$1
	trace=(-e "trace=$traced")
	[[ $action != @(reload|start|apply) ]] || policies
	for i in 1 0 1 0; do
		if one_way; then
			i=1
		fi
		do_"$action" $i
		end_subject
		[[ $i == 0 ]] || instants >$t/instants
		note $i
		next_start >/dev/null
	done
	if one_way; then
		[[ $action == repair ]] || "$DSFW_NFT" teardown >$t/out
		note 0
		[[ $action != repair ]] || sed -i '/^inet dockside/d' $t/state.0/{policy,ruleset}
	fi
	now=0
	! cmp -s $t/state.0/policy $t/state.1/policy || bail "$action changes nothing: $(cat $t/out $t/err $t/log)"
	grep -q 'sendmsg\|sendto' $t/instants || bail "$action sends nothing: $(<$t/trace)"
}

# held_faults: what is wrong with what there is now
held_faults()
{
	local name before=$refused_seen
	complaints
	# Without any policy it passes.
	[[ $action == first_apply && $found == 0 ]] || refused_seen=$(seen 98)
	[[ $refused_seen == "$before" ]] || echo "what both policies refuse passes"
	[[ $found == [01] ]] || echo "the kernel has $found"
	for name in network firewall; do
		[[ $(file $name.json) != neither ]] || echo "$name.json is neither file: $(head -c 300 $etc/$name.json)"
	done
}

# start_faults: what is wrong after the next start, which is in state $now
start_faults()
{
	local stray
	[[ $now == [01] ]] || echo "after the next start $now"
	ruleset >$t/ruleset
	cmp -s $t/ruleset $t/state."$now"/ruleset || {
		echo "the files are of state $now; what is of the kernel's alone has >"
		diff $t/state."$now"/ruleset $t/ruleset | grep '^[<>]' | cut -c 1-300
	}
	stray=$(cd $etc && find . -type f ! -name network.json ! -name firewall.json ! -name '*.json.orig')
	[[ -z $stray ]] || echo "left after the next start: $stray"
	[[ $action != first_save ]] || orig_faults
}

# orig_faults: what the first save keeps is the file of before
orig_faults()
{
	local name
	for name in network firewall; do
		if [[ ! -e $etc/$name.json.orig ]]; then
			[[ $now != "$to" ]] || echo "no $name.json.orig"
		elif ! cmp -s $etc/$name.json.orig $t/state.$((1 - to))/$name.json; then
			echo "$name.json.orig is not the old file"
		fi
	done
}

# one CALL NUMBER: kills right before it
one()
{
	to=$((1 - now))
	trace=(-e "trace=$1" -e "inject=$1:signal=SIGKILL:when=$2")
	do_"$action" $to
	end_subject || late=$((late + 1))
	found=$(held)
	[[ $found != "$to" ]] || changed=$((changed + 1))
	held_faults >$t/fault
	next_start >>$t/fault # in this shell, whose child it is
	now=$(pair)
	[[ $now != both ]] || now=$to
	start_faults >>$t/fault
	[[ ! -s $t/fault ]] || {
		echo "killed before $1 number $2, on the way to state $to:"
		cat $t/fault
	} >>$t/faults
	! one_way || now=0
	[[ $now == [01] ]] || bail "no way on: $(<$t/faults)"
}

# kill_in ACTION
kill_in()
{
	local call number tried=0 late=0 changed=0
	begin "$1"
	choose >$t/chosen
	: >$t/faults
	while read -r -u 9 call number _; do
		tried=$((tried + 1))
		one "$call" "$number"
		[[ $(wc -l <$t/faults) -lt 20 ]] || break
	done 9<$t/chosen
	killed=$((killed + tried - late))
	result "killed in $1: old or new, and the next start converges" "$(head -40 $t/faults)"
	echo "# $1: $tried times, $changed of them after the kernel's change; $late came too late"
}
policies()
{
	local i
	for i in 0 1; do
		cp $t/policy."$i"/*.json $t/state."$i"
	done
}

# ---- what both policies refuse -------------------------------------------------------------------

# seen PORT: how many datagrams to it have come out, a new one from c1 among them
seen()
{
	nsenter --net=/run/netns/c1 bash -c "echo >/dev/udp/198.51.100.1/$1"
	nsenter --net=/run/netns/outside nft list counter inet seen u"$1" | sed -nE 's/.*packets ([0-9]+).*/\1/p'
}

# And all the time.

stream_begin()
{
	python3 "$here/../docker/stream.py" $t control=c1,udp,198.51.100.2:53,outside \
		udp=c1,udp,198.51.100.1:99,outside tcp=c1,tcp,198.51.100.2:99,outside \
		lateral=c1,udp,10.0.1.12:99,c2 >$t/stream 2>&1 &
	stream_pid=$!
	until_true 10 test -e $t/ready || bail "no stream: $(<$t/stream)"
}

stream_end()
{
	touch $t/stop
	wait $stream_pid || bail "the stream failed: $(<$t/stream)"
	result "what both policies refuse never passes" "$(awk '
		$2 < 100 { print $1 ": only " $2 " tries" }
		($1 == "control") != ($3 > 0) { print $1 ": " $3 " of " $2 " arrived" }
		END { if (NR != 4) print "no stream" }' $t/stream)"
	comment <$t/stream
}

killed=0
refused_seen=0
share=$((kills / 7))
cp $t/policy.0/*.json $etc
names 0
start_daemon
is "what both allow passes" "$(seen 53)" 1
stream_begin
for action in reload save first_save refresh start; do
	kill_in $action
done
kill_in repair
stream_end
stop_daemon
kill_in apply
kill_in first_apply
result "that is $kills times" "$([[ $killed -ge $kills ]] || echo "$killed")"
finish
