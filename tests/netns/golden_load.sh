#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every script that tests/golden/ and rulesets/ keep loads with nft -f: where there is nothing, twice,
# and over the one of every other; and apply of the same configuration agrees with it. TAP.
#
# Environment: PAIRS_SHARE=N: over the others load an Nth of the scripts alone, by chance which (1).
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

top=${TOP_SRCDIR:-$here/../..}
cases=()
gate=(--gate-user 1234) # there is no user of the gate's here
: >$t/hosts
for file in "$top"/tests/golden/*/firewall.json "$top"/rulesets/*/firewall-config.json; do
	directory=${file%/*}
	[[ -e $file && ! -e $directory/expect.err ]] || continue
	name=${directory#"$top"/}
	cp "$file" $t/firewall.json
	cp "$directory/network${file#"$directory/firewall"}" $t/network.json
	dsfw compile "${gate[@]}" --resolve # as apply does; a name that is everywhere is localhost
	if [[ $status -ne 0 ]]; then
		result "$name: compile" "$(status_fault 0)"
		continue
	fi
	cases+=("$name")
	mkdir -p "$t/case/$name"
	cp $t/network.json $t/firewall.json "$t/case/$name"
	cp $t/out "$t/case/$name/script.nft"
done
[[ ${#cases[@]} -ge 2 ]] || bail "only ${#cases[@]} scripts"

# As that of lib.sh, of both tables, but for the addresses that no port may send (apply knows who is on which port), and the
# tag that apply writes down.
listing()
{
	nft -s list ruleset | sed -E '/^\tset (fingerprint|dns-tags|bound[^ ]*) /,/^\t}/d; s/^(table|}).*//
		s/ expires [0-9a-z]+//g' | awk 'BEGIN { RS = ""; FS = "\n" } { $1 = $1; sub(/ +$/, ""); print }' | sort
}

# After compile the dockside container's addresses are nobody's; for apply they are bound, as it asks.
only_dockside_bound()
{
	[[ $status -eq 1 ]] && ! grep -qvE '^(table bridge dockside|  shared by all networks|    set bound[^ ]*: changed|      \+ .*)$' \
		<<<"$out" && grep -q '"dockside_' $t/network.json
}

load() # NAME WHAT-WAS-BEFORE
{
	nft -f "$t/case/$1/script.nft" 2>&1 || echo "$1 does not load after $2"
}

dsfw apply "${gate[@]}" # which makes the host's settings, too
for name in "${cases[@]}"; do
	cp "$t/case/$name/network.json" "$t/case/$name/firewall.json" $t
	nft flush ruleset
	faults=$(load "$name" nothing)
	listing >"$t/case/$name/wanted"
	result "$name: loads where there is nothing" "$faults"
	faults=$(
		load "$name" itself
		listing | diff "$t/case/$name/wanted" - | head -20
	)
	result "$name: loads twice" "$faults"
	faults=$(
		dsfw diff "${gate[@]}"
		only_dockside_bound || status_fault 0
		dsfw apply "${gate[@]}"
		status_fault 0
		listing | diff "$t/case/$name/wanted" - | head -20
		dsfw apply "${gate[@]}"
		[[ $out == "nothing to change"* ]] || status_fault "0, with nothing to change,"
		dsfw diff "${gate[@]}"
		status_fault 0
	)
	result "$name: apply agrees" "$faults"
	nft flush ruleset
	faults=$(
		dsfw apply "${gate[@]}"
		status_fault 0
		listing | diff "$t/case/$name/wanted" - | head -20
		dsfw diff "${gate[@]}"
		status_fault 0
	)
	result "$name: apply makes the same" "$faults"
done

# row I: the I-th before and after each that comes later. Chains and sets of a former one that the later
# one has no use for stay, but no chain with rules.
# shellcheck disable=SC2317
row()
{
	python3 "$here/load_pairs.py" "${scripts[@]:$1}"
	listing | grep '^\schain' | grep -vxFf "${scripts[$1]%/*}/wanted" |
		grep -E 'accept |drop |reject|goto|vmap|counter (accept|drop)'
}

# Equal scripts count as one.
mapfile -t scripts < <(cd $t/case && md5sum "${cases[@]/%//script.nft}" | awk '!seen[$1]++ { print $2 }')
scripts=("${scripts[@]/#/$t/case/}")
share=${PAIRS_SHARE:-1} chance=$((RANDOM % ${PAIRS_SHARE:-1})) rows=0
for ((i = chance; i < ${#scripts[@]}; i += share)); do
	rows=$((rows + 1))
done
# Rows of every fourth, in a network namespace of their own: most of the time goes to waiting.
faults=$(
	for worker in 0 1 2 3; do
		# shellcheck disable=SC2016
		unshare --net bash -c "$(declare -f listing row; declare -p here scripts share chance)"'
			for ((i = chance + $1 * share; i < ${#scripts[@]}; i += 4 * share)); do
				row "$i"
				nft flush ruleset
			done' bash $worker 2>&1 &
	done
	wait
)
result "$rows of ${#scripts[@]} load over, and under, those that come later" "$faults"

# less_nat NAME: the listing, without the NAT chain that stays once it is there, if that policy has none
less_nat()
{
	if grep -q 'chain prerouting' "$t/case/$1/wanted"; then
		listing
	else
		listing | grep -vE '^\s(chain prerouting .* vmap @dispatch-nat|map dispatch-nat \{\s+type ifname : verdict)\s+\}$'
	fi
}

# And apply makes do with what any of them has left.
faults=
before=nothing
for name in "${cases[@]}"; do
	cp "$t/case/$name/network.json" "$t/case/$name/firewall.json" $t
	dsfw apply "${gate[@]}"
	faults+=$(status_fault 0)
	faults+=$(less_nat "$name" | diff "$t/case/$name/wanted" - | head -20)
	dsfw diff "${gate[@]}"
	faults+=$(status_fault 0)
	[[ -z $faults ]] || faults+="
that was $name over $before
"
	before=$name
done
result "apply changes each into the next" "$faults"
finish
