#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon with many names at name servers that limit what they are asked: at once, and a minute (as Pi-hole does,
# where refused questions count, too). All names resolve, and the server is asked less than it allows. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

bridge ds-1 172.30.1.1/24 fd77:1::1/64 || bail "cannot build the network"
network_config <<<'{"networks": [{"name": "ds-1", "subnet": "172.30.1.0/24"}]}'
start_zone
start_listening

# many N: a policy with so many names
many()
{
	firewall_config <<<'{"ipsets": {"many": ['"$(seq -f '"n%.0f.example"' "$1" | paste -sd,)"']},
		"networks": {"ds-1": {"egress": [{"to": "ipset", "ipset": "many"}, {"action": "drop"}]}}}'
	mapfile -t lines < <(for ((i = 1; i <= $1; i++)); do
		echo "n$i.example 10.3.$((i / 250)).$((i % 250 + 1)) ttl=$2"
	done)
}

# shellcheck disable=SC2317 # not unreachable
resolved() # N
{
	[[ $(elements ipset-many-v4 | grep -c '^10\.3\.') -eq $1 ]]
}

# asked FROM TO: so many questions in these seconds after the first one
asked()
{
	awk -v from="$1" -v to="$2" 'NR == 1 { begin = $1 } $3 ~ /[?!]/ && $1 - begin >= from && $1 - begin < to { n++ }
		END { print n + 0 }' $t/answers
}

many 400 60
zone "@ at_once=150 delay=0.5 log" "${lines[@]}"
: >$t/answers
launch
until_true 15 resolved 400
is "400 names, half a second each, 150 at once" "$(elements ipset-many-v4 | grep -c '^10\.3\.')" 400
is "none is refused" "$(grep -c '!' $t/answers)" 0
end_daemon TERM
nft delete table inet dockside

# The server counts by the minute since its start.
kill %?zone.py
wait %?zone.py 2>/dev/null
start_zone
many 600 60
zone "@ per_minute=1000 log" "${lines[@]}"
: >$t/answers
launch
until_true 100 resolved 600
is "600 names at a server that takes 1,000 questions a minute" "$(elements ipset-many-v4 | grep -c '^10\.3\.')" 600
sleep_until "$(awk '{ print $1; exit }' $t/answers)" 181
comment <<<"asked in the first three minutes: $(asked 0 60), $(asked 60 120), $(asked 120 180)"
result "it is asked less than that in the end" "$([[ $(asked 120 180) -le 1000 ]] || asked 120 180)"
is "and refuses none any more" "$(awk 'NR == 1 { begin = $1 } $1 - begin >= 120 && /!/' $t/answers | wc -l)" 0
is "all names have their addresses still" "$(elements ipset-many-v4 | grep -c '^10\.3\.')" 600
like "the log says so" "$(life | grep DNS:)" 'name server 127\.0\.0\.1 (limits questions|refuses)'
client status
like "and so does status" "$(grep ^dns: <<<"$out")" 'dns: name server 127\.0\.0\.1 limits questions, and is asked [0-9]+ a minute'
end_daemon TERM
is "the daemon ends" "$status" 0
finish
