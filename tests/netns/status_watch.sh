#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `status --watch` on terminals of several sizes: what it shows of a daemon at work, that it keeps trying when that goes away,
# and that it leaves the terminal as it was, however it ends. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

export TERM=xterm
ulimit -c 0 # for the signals that leave a core
unset NO_COLOR

build_network()
{
	outside 198.51.100.{1..3}/32 && bridge ds-agents 172.30.1.1/24 fd77:1::1/64 &&
		container c1 ds-agents 172.30.1.11 fd77:1::11
}
build_network || bail "cannot build the network"
start_peers
ask "serve outside tcp 80 443"
network_config <<'CONFIG'
{"networks": [
	{"name": "ds-agents", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64"},
	{"name": "ds-other", "subnet": "172.30.2.0/24"}
]}
CONFIG
firewall_config <<'CONFIG'
{"networks": {"ds-agents": {"egress": [
	{"proto": "tcp", "ports": [80], "to": "host", "host": "good.example"},
	{"action": "drop", "to": "host", "host": "bad.example"},
	{"action": "drop"}]}}}
CONFIG
start_zone
zone "good.example 198.51.100.1" "bad.example fail"
start_listening
start_daemon

# on_screen SIZE STEP… -- [OPTION…]: see screen.py
on_screen()
{
	local steps=()
	while [[ $1 != -- ]]; do
		steps+=("$1")
		shift
	done
	timeout 300 python3 "$here/screen.py" "${steps[@]}" -- "$DSFW_NFT" status --watch --interval 1 \
		--socket $socket "${@:2}" 2>&1
}

# traffic: one connection that passes and two that are refused, about three times a second
traffic()
{
	while [[ ! -e $t/quiet ]]; do
		ask "c1 tcp 198.51.100.1:80 = open outside" "c1 tcp 198.51.100.2:443 = reset" \
			"c1 tcp 198.51.100.3:443 = reset" go
		sleep 0.1
	done
}
traffic >$t/traffic 2>&1 &

# Numbers and times are not the same each time.
steady()
{
	sed -E 's/[0-9]{2}:[0-9]{2}:[0-9]{2}/hh:mm:ss/g; s/[0-9.]+\/s/N\/s/g; s/ ×[0-9]+/ ×N/g; s/dsfw-nft [0-9.]+/dsfw-nft V/;
		s/ +/ /g; s/ $//'
}

on_screen 80x24 "wait:s passed" "wait:×" "gone: 0/s" show colours key:q end -- >$t/screen
steady <$t/screen | grep -vE '^(docker:| )' | comment
is "rates, alarms, refusals and names" "$(steady <$t/screen | grep -E '^(dsfw|ALARM|NETWORK|TIME|NAME|bad)')" \
	"dsfw-nft V ready 2 networks, N/s passed, N/s refused hh:mm:ss
ALARM: ds-agents: egress[1] at /run/t/firewall.json:3:2 lets pass what goes to
NETWORK STATE CONTAINERS PORTS PASSED/s BYTES/s REFUSED/s BYTES/s
TIME NETWORK FROM REFUSED TO PROTOCOL RULE
NAME WITHOUT ADDRESS WHY
bad.example never answered: DNS server returned general failure"
like "a network's line has its rates" "$(grep '^ds-agents' $t/screen)" \
	'^ds-agents  enforced +-    0/1 +[0-9.]+ +[0-9.]+ k?B +[0-9.]+ +[0-9.]+ k?B$'
like "refused packets have their rule" "$(grep tcp/443 $t/screen | head -1)" \
	'ds-agents +172.30.1.11 +198.51.100.[23] +tcp/443 ×[0-9]+ +egress\[2\]:4$'
is "in colour; q ends it, and the terminal is as it was" "$(tail -2 $t/screen)" "in colour
exit status 0; left behind: nothing"

# ---- sizes ---------------------------------------------------------------------------------------

is "the page follows the terminal's size" "$(on_screen 80x24 wait:RULE size:120x40 wait:RULE size:40x10 "wait:… and" \
	size:200x60 wait:RULE key:q end --)" "exit status 0; left behind: nothing"
for size in 1x1 5x3 20x5 79x24 81x24 120x30; do
	is "$size: nothing scrolls or is too long" "$(on_screen $size wait: key:q end --)" \
		"exit status 0; left behind: nothing"
done
is "NO_COLOR" "$(NO_COLOR=1 on_screen 80x24 wait:NETWORK colours key:q end -- | head -1)" "plain"

# ---- ends ----------------------------------------------------------------------------------------

for signal in INT TERM HUP QUIT ABRT SEGV; do
	is "SIG$signal" "$(on_screen 80x24 wait:NETWORK signal:$signal end -- | tail -1)" "SIG$signal; left behind: nothing"
done
is "^C" "$(on_screen 80x24 wait:NETWORK "key:"$'\003' end -- | tail -1)" "SIGINT; left behind: nothing"
is "^Z and back" "$(on_screen 80x24 wait:NETWORK signal:TSTP stopped signal:CONT wait:NETWORK key:q end --)" \
	"stopped; left behind: nothing
exit status 0; left behind: nothing"

# As a person does with a shell: between `bg` and `fg` the terminal is the shell's, and no page comes there.
cat >$t/shell <<'SHELL'
set -m
"$@"
printf '\033[H\033[Jin the background'
bg >/dev/null
sleep 1.5
printf ' for a while'
read -r
fg >/dev/null
SHELL
is "^Z, bg and fg" "$(timeout 120 python3 "$here/screen.py" 80x24 wait:NETWORK "key:"$'\032' "wait:for a while" \
	"left:after bg" show "key:"$'\n' wait:NETWORK key:q end -- bash $t/shell "$DSFW_NFT" status --watch --interval 1 \
	--socket $socket 2>&1)" \
	"after bg; left behind: nothing
in the background for a while
exit status 0; left behind: nothing"

# ---- the daemon goes away ------------------------------------------------------------------------

touch $t/quiet
wait $! 2>/dev/null
# shellcheck disable=SC2317
is_lost()
{
	[[ -e $t/lost ]]
}
on_screen 100x24 wait:NETWORK "run:touch $t/seen" "wait:NO ANSWER" show "run:touch $t/lost" "wait:  ready  " show key:q end -- >$t/screen &
watcher=$!
until_true 20 test -e $t/seen || bail "no page"
end_daemon TERM
until_true 20 is_lost || bail "the page does not say that the daemon is gone: $(<$t/screen)"
start_daemon
wait $watcher
like "it says so, and when the rest is of" "$(head -3 $t/screen | tr '\n' ' ')" \
	'^dsfw-nft  NO ANSWER .*no daemon answers at .*; trying +again; what *follows is of [0-9:]{8}'
is "without rates" "$(grep -m1 '^ds-agents' $t/screen | tr -s ' ')" "ds-agents enforced - 0/1 - - - -"
like "and goes on when it is back" "$(tail -1 $t/screen) $(grep -c '  ready  ' $t/screen)" '^exit status 0; left behind: nothing 1$'
like "so does one that began without it" "$(on_screen 80x24 "wait:NO ANSWER" show key:q end -- --socket $t/nonesuch | tr '\n' ' ')" \
	'^dsfw-nft  NO ANSWER .*no daemon answers at /run/t/nonesuch: No such file or directory.*exit status 0; left behind: nothing'

# ---- no terminal ---------------------------------------------------------------------------------

# shellcheck disable=SC2317
pages_follow()
{
	[[ $(grep -c '^dsfw-nft .* ready ' $t/pages) -ge 2 ]]
}
"$DSFW_NFT" status --watch --interval 1 --socket $socket >$t/pages &
watcher=$!
until_true 20 pages_follow || true
kill $watcher
wait $watcher 2>/dev/null
is "elsewhere page follows page, without escapes" "$(pages_follow && echo pages) $(grep -c $'\033' $t/pages)" "pages 0"
is "nor on a terminal that has none" "$(TERM=dumb on_screen 200x24 wait:ready signal:INT end -- | tail -1)" \
	"SIGINT; left behind: nothing"
is "a reader that goes ends it" "$(timeout 30 "$DSFW_NFT" status --watch --interval 1 --socket $socket | head -1 | cut -d ' ' -f 1)" dsfw-nft
timeout 30 "$DSFW_NFT" status --watch --interval 1 --socket $socket >/dev/full 2>$t/err
is "what cannot be written, too" "$? $(<$t/err)" "1 error: status: write the page: No space left on device"
for wrong in "--watch --json" "--watch --interval 0" "--watch --interval x"; do
	# shellcheck disable=SC2086 # words
	timeout 30 "$DSFW_NFT" status $wrong --socket $socket >$t/out 2>&1
	is "refused: $wrong" $? 2
done
end_daemon TERM
finish
