#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every example of README.md, CONTRIBUTING.md, doc/ and the manual pages, as its mark says (see examples.py):
#
#   run                  a script of the shell that has to succeed, where rulesets/ai-sandbox is in force
#   daemon, request      the same beside a daemon; requests to its socket, one a line
#   output COMMAND       what the command prints has these lines
#   same-as DIRECTORY    members of a firewall-config that compile to DIRECTORY/ruleset.nft
#   network-config, firewall-config   a file, checked with the last one of the other kind
#   egress, nat, host    a list of such rules
#   members              members of a firewall-config, checked with the last network-config
#   first-steps          tests/docker/first_steps.sh runs it
#   newcomer             tests/systemd/newcomer.sh runs it
#   not, WHY             it cannot be tried
#
# A block without a mark is a failure. So is a metric that doc/metrics.md does not have, or has and the program has
# not. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

top=$here/../..
sandbox=$top/rulesets/ai-sandbox
socket=/run/dockside/firewall.sock

# A copy of /etc that can be written to, and the program in the search path.
set_up()
{
	cp -a /etc $t/etc && mkdir -p $t/etc/dockside $t/bin $t/blocks /run/dockside &&
		cp "$sandbox"/*-config.json $t/etc/dockside/ && mount --bind $t/etc /etc &&
		ln -s "$DSFW_NFT" $t/bin/dsfw-nft || return
	printf '%s\n' "198.51.100.10 api.model.example" "2001:db8:100::20 code.example.com" >>/etc/hosts
	outside 203.0.113.9/32 && bridge ds-agents 172.20.2.1/24 2001:db8:2::1/64 &&
		container c1 ds-agents 172.20.2.11 2001:db8:2::11 || return
	PATH=$t/bin:/usr/sbin:/usr/bin:/sbin:/bin
	export PATH t
	dsfw-nft apply >$t/out 2>&1 || { comment <$t/out; return 1; }
	cp /etc/dockside/*.json $t/
}

# shellcheck disable=SC2317 # reached by the examples
# Within examples: ends by itself, and has something to see.
nft()
{
	if [[ $* == "monitor trace" ]]; then
		(sleep 0.5; nsenter --net=/run/netns/c1 timeout 1 bash -c 'exec 3<>/dev/tcp/203.0.113.9/443' 2>/dev/null) &
		timeout 3 nft monitor trace >"$t/trace" || true
	else
		command nft "$@"
	fi
}
export -f nft

# succeeds COMMAND…: its output, if it fails
succeeds()
{
	timeout 30 "$@" >$t/out 2>&1 || { echo "exit status $?"; cat $t/out; }
}

# quiet: the faults and warnings of the two files
quiet()
{
	succeeds dsfw-nft check --network-config $t/network-config.json \
		--firewall-config $t/firewall-config.json
	grep -E ': (error|warning): ' $t/out
}

# beside_daemon COMMAND…
beside_daemon()
{
	local daemon
	dsfw-nft daemon --socket $socket 2>$t/log &
	daemon=$!
	until_true 10 test -S $socket || { cat $t/log; return; }
	"$@"
	kill $daemon
	wait $daemon || cat $t/log
}

same_as() # TEXT DIRECTORY
{
	{ echo '{'; cat "$1"; echo '}'; } >$t/fragment.json
	dsfw-nft compile --network-config "$top/$2/network-config.json" --firewall-config $t/fragment.json \
		2>&1 >$t/out |
		grep -E '(^|: )(error|warning): '
	diff "$top/$2/ruleset.nft" $t/out
}

rules() # KIND TEXT
{
	printf '{"networks": {"ds-agents": {"%s": [%s]}}}' "$1" "$(<"$2")" >$t/firewall-config.json
	quiet
}

faults() # TEXT KIND [ARGUMENT]
{
	case $2 in
	run) succeeds bash -e "$1" ;;
	daemon) beside_daemon succeeds bash -e "$1" ;;
	request) beside_daemon python3 "$here/examples.py" ask $socket "$1" ;;
	output)
		bash -c "${*:3}" >$t/shown 2>&1
		python3 "$here/examples.py" shown "$1" $t/shown
		;;
	same-as) same_as "$1" "$3" ;;
	network-config | firewall-config)
		cp "$1" "$t/$2.json"
		[[ $2 == network-config ]] || quiet
		;;
	members)
		{ echo '{'; cat "$1"; echo '}'; } >$t/firewall-config.json
		quiet
		;;
	egress | nat | host) rules "$2" "$1" ;;
	*) echo "it has no mark that is known, such as: test: run" ;;
	esac
}

# Metrics are the words in the first column that have no capitals.
# shellcheck disable=SC2016,SC2317 # Markdown; beside_daemon calls it
documented_metrics()
{
	sed -nE 's/^\| (`[^|]*) \|.*/\1/p' "$top/doc/metrics.md" | grep -oE '`[a-z_]+`' | tr -d '`'
}

# shellcheck disable=SC2086,SC2317
metrics_faults()
{
	local name
	dsfw-nft metrics >$t/metrics || return
	sed -nE 's/^# TYPE dsfw_nft_([a-z_]+) .*/\1/p' $t/metrics | sort | comm -23 - <(documented_metrics | sort) |
		sed 's/^/doc\/metrics.md has no /'
	# Some are absent where nothing has happened.
	for name in $(documented_metrics); do
		grep -qaF "$name" "$DSFW_NFT" || echo "doc/metrics.md has $name, the program has not"
	done
}

set_up || bail "cannot set up the host"
cd $t || exit 1
python3 "$here/examples.py" blocks $t/blocks "$top"/{README,CONTRIBUTING}.md "$top"/doc/*.md "$top"/man/dsfw-nft.{8,conf.5} ||
	bail "cannot read the documents"
for block in "$t"/blocks/*.text; do
	IFS=$'\t' read -r place mark <"${block%.text}.mark"
	if [[ $mark == "not, "* || $mark == first-steps* || $mark == newcomer* ]]; then
		comment <<<"$place: ${mark}"
		continue
	fi
	read -ra words <<<"${mark:-none}"
	result "$place: ${mark:-no mark}" "$(faults "$block" "${words[@]}")"
done
result "every metric is in doc/metrics.md, and no other" "$(beside_daemon metrics_faults)"
finish
