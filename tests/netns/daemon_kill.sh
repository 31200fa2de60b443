#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# kill -9 at any instant of a reload, of a request that saves, of a refresh and of `apply`: the kernel
# holds the old policy or the new one, the files are one pair or the other, and the next start makes
# the kernel what the files say. TAP.
#
# Environment: KILLS, how often each is killed (50); SEED, of the instants.
# shellcheck disable=SC2016,SC2086,SC2317 # functions are called by others
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh" || exit 1
# shellcheck source=tests/netns/hostile_lib.sh
. "$here/hostile_lib.sh" || exit 1

kills=${KILLS:-50}
seed=${SEED:-$RANDOM}
RANDOM=$seed
echo "# SEED=$seed"
exec 2>/dev/null # where the shell tells of each child that is killed

# Two policies that differ in the networks that there are, and in rules, sets, and names.
python3 - $t <<'PY' || bail "no policies"
import json
import os
import sys
for policy in (0, 1):
    networks = [{"name": f"ds-{i}", "subnet": f"10.0.{i}.0/24"} for i in range(20 + 5 * policy)]
    rules = {f"ds-{i}": {"egress": [
        {"proto": "tcp", "ports": [80 + policy, 443], "to": "ipset", "ipset": "s"},
        {"proto": "udp", "ports": [53], "to": "host", "host": "one.example"},
        {"action": "drop"}], "nat": [{"match_dport": 25, "to_ip": f"198.51.100.{policy}", "to_port": 25}]}
        for i in range(20 + 5 * policy)}
    members = [f"192.0.2.{i + 50 * policy}" for i in range(100)]
    firewall = {"ipsets": {"s": members + ["two.example"]}, "networks": rules}
    directory = f"{sys.argv[1]}/policy.{policy}"
    os.mkdir(directory)
    request = {"action": "apply", "network_config": {"networks": networks}, "firewall_config": firewall}
    for name, value in (("network", request["network_config"]), ("firewall", firewall), ("request", request)):
        with open(f"{directory}/{name}.json", "w", encoding="ascii") as out:
            json.dump(value, out)
PY
old_names=("198.51.100.1 one.example" "198.51.100.2 two.example" "2001:db8::2 two.example")
new_names=("198.51.100.11 one.example" "198.51.100.2 two.example" "198.51.100.12 two.example")
hosts "${old_names[@]}"

send() # FILE: a request, and its answer
{
	python3 "$here/hostile.py" $socket 0 ask <"$1"
}

# The files as the daemon writes them, with which everything is compared.
cp $t/policy.0/{network,firewall}.json $t
start_daemon
for i in 1 0; do
	answer=$(send $t/policy.$i/request.json)
	[[ $answer == '{"status":"ok"'* ]] || bail "cannot apply policy $i: $answer"
	cp $t/network.json $t/firewall.json $t/policy.$i
done

# ---- what there is -------------------------------------------------------------------------------

# holds: the policy that the kernel holds, or the differences from both
holds()
{
	local files=() i found all=
	for i in 0 1; do
		files=(--network-config "$t/policy.$i/network.json" --firewall-config "$t/policy.$i/firewall.json")
		timeout 60 "$DSFW_NFT" diff "${files[@]}" >$t/diff.$i 2>&1
		# ~: the times that the addresses of names have
		found=$(grep -E '^ +[-+] |^ +chain |: (new|removed|made anew)|: removed$|^error' $t/diff.$i)
		[[ -n $found ]] || { echo $i && return; }
		all+="not policy $i: $(head -5 <<<"$found")
"
	done
	echo "$all"
}

# pair: whose files there are
pair()
{
	local i
	for i in 0 1; do
		cmp -s $t/network.json $t/policy.$i/network.json &&
			cmp -s $t/firewall.json $t/policy.$i/firewall.json && echo $i && return
	done
	echo "of neither: $(md5sum $t/*.json $t/policy.*/*.json)"
}

# ---- killing -------------------------------------------------------------------------------------

milliseconds()
{
	local now=${EPOCHREALTIME/[.,]/}
	echo $((now / 1000))
}

# kill_at MILLISECONDS PID
kill_at()
{
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
	kill -9 "$2" 2>/dev/null
}

# took COMMAND…: the milliseconds that it takes when nobody kills it
took()
{
	local start
	start=$(milliseconds)
	"$@" >/dev/null || bail "cannot $*"
	echo $(($(milliseconds) - start + 1))
}

# restart_faults: the next start is as every start, and makes the kernel what the files say
restart_faults()
{
	local of
	start_daemon
	complaints
	of=$(pair)
	[[ $of == [01] ]] || echo "after the restart the files are $of"
	[[ $(holds) == "$of" ]] || echo "the files are of policy $of, and the kernel holds $(holds)"
	ls $t/*.dsfw* 2>/dev/null
}

# one_kill DELAY TO COMMAND…: the faults of killing the daemon while it does that
one_kill()
{
	local delay=$1 found asker
	"${@:3}" >$t/out 2>&1 &
	asker=$!
	kill_at "$delay" "$daemon"
	wait "$daemon" "$asker"
	complaints
	found=$(holds)
	[[ $found == [01] ]] || echo "after $delay ms the kernel holds
$found"
	echo "$found $2" >>$t/found
	dsfw check
	[[ $status -eq 0 || -e $t/network.json.dsfw-commit ]] || echo "after $delay ms: $(status_fault 0)"
}

count_found() # DESCRIPTION
{
	awk -v what="$1" '{ if ($1 == $2) new++; else old++ }
		END { printf "# %s: killed %d times before the change, %d times after it\n", what, old, new }' $t/found
	: >$t/found
}

reload_to() # POLICY
{
	cp $t/policy."$1"/{network,firewall}.json $t
	timeout 30 "$DSFW_NFT" reload --socket $socket
}

apply_to() # POLICY
{
	send $t/policy."$1"/request.json
}

for how in reload_to apply_to; do
	# The client of apply_to takes its time before it asks.
	early=$([[ $how == reload_to ]] && echo 0 || echo 40)
	time=$(took $how 1)
	took $how 0 >/dev/null
	: >$t/faults
	for ((i = 0; i < kills; i++)); do
		to=$((1 - $(pair)))
		# In this shell, whose children they are.
		one_kill $((early + RANDOM % (time - early + time / 4))) $to $how $to >$t/faults
		restart_faults >>$t/faults
		[[ ! -s $t/faults ]] || break
	done
	result "kill -9 in ${how%_to}: old or new, files too, and the next start converges" "$(<$t/faults)"
	count_found "$how"
done

# Requests that change one file.
took apply_to 0 >/dev/null
members=(192.0.{2,3}.{1..100} two.example)
edit_to() # 0 or 1
{
	timeout 30 "$DSFW_NFT" set-ipset --socket $socket s "${members[@]:$((100 * $1))}"
}
cp -r $t/policy.0 $t/policy.0.all
cp -r $t/policy.1 $t/policy.1.all
for i in 1 0; do
	time=$(took edit_to $i)
	cp $t/network.json $t/firewall.json $t/policy.$i
done
: >$t/faults
for ((i = 0; i < kills; i++)); do
	to=$((1 - $(pair)))
	one_kill $((RANDOM % (time + time / 4))) $to edit_to $to >$t/faults
	restart_faults >>$t/faults
	[[ ! -s $t/faults ]] || break
done
result "kill -9 in set-ipset: old or new, files too, and the next start converges" "$(<$t/faults)"
count_found set-ipset

# ---- refresh -------------------------------------------------------------------------------------

# names_held: those of the addresses of names that tell old from new
names_held()
{
	{
		elements ipset-s-v4
		elements ipset-s-v6
		elements host-one.example-v4
	} | grep example | cut -d ' ' -f 1 | xargs
}
refresh_to() # 0 or 1
{
	if [[ $1 == 0 ]]; then
		hosts "${old_names[@]}"
	else
		hosts "${new_names[@]}"
	fi
	timeout 30 "$DSFW_NFT" refresh --socket $socket
}
took refresh_to 1 >/dev/null
held[1]=$(names_held)
time=$(took refresh_to 0)
held[0]=$(names_held)
[[ ${held[0]} != "${held[1]}" ]] || bail "names make no difference: ${held[0]}"
faults=
now=0
for ((i = 0; i < kills; i++)); do
	refresh_to $((1 - now)) >$t/out 2>&1 &
	asker=$!
	kill_at $((RANDOM % (time + time / 4))) "$daemon"
	wait "$daemon" "$asker"
	faults+=$(complaints)
	found=$(names_held)
	[[ $found == "${held[0]}" || $found == "${held[1]}" ]] || faults+="the sets hold $found
"
	echo "$([[ $found == "${held[1 - now]}" ]] && echo 1) 1" >>$t/found
	now=$((1 - now))
	start_daemon
	until_true 5 eval '[[ $(names_held) == "${held[now]}" ]]' || faults+="after the restart they hold $(names_held)
"
	[[ -z $faults ]] || break
done
result "kill -9 in refresh: the old addresses or the new, and the next start has the new" "$faults"
count_found refresh
stopped_well "the daemon stops"

# ---- apply ---------------------------------------------------------------------------------------

cp $t/policy.0.all/* $t/policy.0
cp $t/policy.1.all/* $t/policy.1
one_shot() # POLICY: in place of this process
{
	exec "$DSFW_NFT" apply --network-config "$t/policy.$1/network.json" \
		--firewall-config "$t/policy.$1/firewall.json" >$t/out 2>&1
}
hosts "${old_names[@]}"
(one_shot 1) || bail "cannot apply: $(<$t/out)"
start=$(milliseconds)
(one_shot 0) || bail "cannot apply: $(<$t/out)"
time=$(($(milliseconds) - start + 1))
faults=
now=0
for ((i = 0; i < kills; i++)); do
	(one_shot $((1 - now))) &
	pid=$!
	kill_at $((RANDOM % time)) $pid
	wait $pid
	found=$(holds)
	[[ $found == [01] ]] || faults+="the kernel holds $found
"
	echo "$found $((1 - now))" >>$t/found 
	now=$((1 - now))
	(one_shot $now) || faults+="the next apply: $(<$t/out)
"
	[[ $(holds) == "$now" ]] || faults+="the next apply makes $(holds)
"
	[[ -z $faults ]] || break
done
result "kill -9 in apply: old or new, and the next apply converges" "$faults"
count_found apply
finish
