# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced by the scripts that are tests: what they say, as TAP.
export PYTHONDONTWRITEBYTECODE=1 # nothing stays in the source tree
# Debian's own programs, which scripts/packages names. A python3 of pyenv takes ten times as long to start.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
n=0
failed=0

# result DESCRIPTION FAULTS: one test, which fails if there are faults; they follow as comments
result()
{
	n=$((n + 1))
	if [[ -z ${2//$'\n'/} ]]; then
		echo "ok $n - $1"
		return
	fi
	failed=1
	echo "not ok $n - $1"
	printf '%s\n' "$2" | sed '/^$/d; s/^/# /'
}

# is DESCRIPTION GOT WANTED
is()
{
	local faults=
	[[ $2 == "$3" ]] || faults=$(printf 'got:\n%s\nwanted:\n%s\n' "$2" "$3")
	result "$1" "$faults"
}

# calm: milliseconds of a clock that stands still while processes wait for all processors, and slows down while some
# wait for one (the kernel's pressure is an average over processors). Limits of time go by it, with room for that, so that
# a busy machine breaks none. Where the kernel does not tell, it goes at a fifth of the speed. tests/netns/calm.py
# has the same clock.
calm()
{
	set_calm
	echo "$calm"
}

# set_calm: the same in $calm, without a process
set_calm()
{
	local now=${EPOCHREALTIME/[.,]/} waited=
	{ read -r _ _ _ _ waited </proc/pressure/cpu; } 2>/dev/null
	if [[ $waited == total=* ]]; then
		calm=$(((now - ${waited#total=}) / 1000))
	else
		calm=$((now / 5000))
	fi
}

# calm_since BEGIN: milliseconds since that moment of `calm`
calm_since()
{
	echo $(($(calm) - $1))
}

finish()
{
	echo "1..$n"
	exit "$failed"
}
