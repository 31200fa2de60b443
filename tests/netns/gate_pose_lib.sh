# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced after daemon_lib.sh by tests in which gate.py poses as the DNS gate: what the daemon gives it is lines of
# $t/given, each a number and a generation, and it says what it is told to.

pose()
{
	rm -f $t/given $t/says
	: >$t/given
	chmod 666 $t/given
	mkfifo -m 644 $t/says
	setpriv --reuid $uid --regid $uid --clear-groups /usr/bin/python3 "$here/gate.py" pose $t/gate.sock $t/given <$t/says &
	exec {says}>$t/says
}

# shellcheck disable=SC2317 # until_true calls it
given() # HOW-OFTEN
{
	[[ $(wc -l <"$t/given") -ge $1 ]]
}

# says ANSWER [SERIAL GENERATION]: of that giving, otherwise of the last one
says()
{
	local serial=${2:-} generation=${3:-}
	[[ $serial ]] || read -r serial generation < <(tail -1 $t/given)
	echo '{"type":"'"$1"'","generation":"'"$generation"'","serial":'"$serial"',"why":"as it has not answered yet"}' >&"$says"
}

tells() # LIST ADDRESS
{
	local slot
	slot=$(nft list map inet dockside dns-tell | tr ',{' '\n' | sed -nE "s/^ *([0-9]+) : goto $1-tell.*/\1/p")
	python3 "$here/gate.py" lie $uid "$(<"/sys/class/net/ds-1/ifindex")" "$slot" "$2" >/dev/null
}
