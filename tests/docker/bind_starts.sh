#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Containers start and stop while the daemon is killed and started again: a container that runs is bound at every moment,
# and in the end the sets are what Docker says. TAP.
#
# Environment: STARTS, how many (25; by hand 500); SEED, of the lot that says when the daemon is killed.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"
# shellcheck source=tests/docker/bind_lib.sh
. "$lab/bind_lib.sh"
: "${STARTS:=25}" "${SEED:=$RANDOM}"
echo "# SEED=$SEED"
RANDOM=$SEED

bind_lab "${BIND:-learn}" 198.51.100.1/32 2001:db8:51::1/128 <<'CONFIG'
{"networks": {"ds-a": {"egress": [{"proto": "udp", "ports": [53]}, {"action": "drop"}]}}}
CONFIG
until_true 10 sets_agree
is "the sets are Docker's word" "$(sets_found)" "$(sets_wanted)"
# The host knows who has sent once, and its question for these needs no answer later.
mapfile -t always < <(sets_wanted | sed -n 's/ known$//p')
is "three containers run all the time" "${#always[@]}" 3
rm -f $t/ready $t/stop
python3 "$lab/bind_watch.py" $t 02:00:00:00:01:11 172.30.1.11 fd77:1::11 "${always[@]}" -- \
	docker exec -i c1 /bin/frames eth0 >$t/watched 2>$t/watcher &
watcher=$!
until_true 10 test -e $t/ready || bail "no watcher: $(<$t/watcher)"

# A crash: no good-bye, and the next life begins at once.
crash()
{
	end_daemon KILL
	launch
	crashes=$((crashes + 1))
}
crashes=0
faults=
others=() # at most three at a time, so that addresses are used again
for ((i = 0; i < STARTS; i++)); do
	docker run -d --name "o$i" --network ds-a bb:1 >/dev/null 2>>$t/docker.err &
	start=$!
	((RANDOM % 5)) || crash
	wait $start || faults+="o$i does not start: $(tail -1 $t/docker.err)"$'\n'
	others+=("o$i")
	((RANDOM % 4)) || docker restart -t 0 "${others[0]}" >/dev/null
	((${#others[@]} < 3)) && continue
	docker rm -f "${others[0]}" >/dev/null &
	stop=$!
	((RANDOM % 8)) || crash
	wait $stop
	others=("${others[@]:1}")
done
result "$STARTS containers start" "$faults"
until_true 15 told 1 READY=1 || bail "the daemon does not become ready: $(tail $log)"
until_true 10 sets_agree
is "in the end the sets are Docker's word" "$(sets_found)" "$(sets_wanted)"
is "of so many containers" "$(sets_found | grep -c known)" $((3 + ${#others[@]}))
touch $t/stop
wait $watcher || bail "the watcher failed: $(<$t/watcher)"
comment <$t/watched
is "no container that ran was ever missing in the set" "$(grep -E '^(missing|unbound) ' $t/watched)" ""
is "no forged packet arrived" "$(awk '$1 == "forged" { print ($2 > 100), $3 }' $t/watched)" "1 0"
is "and no honest one was lost" "$(awk '$1 == "honest" { print ($2 > 30), $2 - $3 }' $t/watched)" "1 0"
echo "# the daemon was killed $crashes times"
docker rm -f "${others[@]}" >/dev/null
crash
until_true 15 told 1 READY=1
until_true 10 sets_agree
is "those that end while it is dead are in no set" "$(sets_found)" "$(sets_wanted)"
end_daemon TERM
is "a good end" "$status" 0
is "after which the sets stay" "$(sets_found)" "$(sets_wanted)"
before=$(sets_found)
dsfw apply
is "apply by hand, beside no daemon, unbinds nobody" "$status $(sets_found | diff <(echo "$before") -)" "0 "
dockerd_stop
dsfw apply
is "nor where Docker does not answer" "$status $(sets_found | diff <(echo "$before") -)" "0 "
dockerd_start
dsfw teardown
is "until teardown" "$(nft list tables | grep -c dockside)" 0
finish
