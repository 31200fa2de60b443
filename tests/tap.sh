# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced by the scripts that are tests: what they say, as TAP.
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

finish()
{
	echo "1..$n"
	exit "$failed"
}
