#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ten mistakes that a new operator makes: the program answers each in one line, which says what to do. TAP.
# shellcheck disable=SC2317 # until_true calls them
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh" || exit 1
# shellcheck source=tests/docker/fake_lib.sh
. "$(dirname "$0")/fake_lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

bridge ds-web 172.20.1.1/24 2001:db8:1::1/64 || bail "cannot set up the network"

networks()
{
	network_config <<<'{"networks": [{"name": "ds-web", "subnet": "172.20.1.0/24"}]}'
}
dns='{"proto": "udp", "ports": [53]}' https='{"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"}'
drop='{"action": "drop"}' name=github.example network=ds-web
# rules EGRESS [HOST]: of $network, with $name in an ipset
rules()
{
	firewall_config <<-END
		{"ipsets": {"web": ["$name"]},
		"networks": {"$network": {"egress": [$1], "host": [${2-$drop}]}}}
	END
}
good_files()
{
	networks
	rules "$dns, $https, $drop"
}

# answered MISTAKE STATUS PATTERN: by the last command. It says one thing, in one line, that has the pattern; what comes
# besides is the place in the file, or the table of the status.
answered()
{
	local got
	got=$(printf '%s\n' "$out" "$err" | grep -E '^([^ ]*: )?((error|warning|note|ALARM)\b|files: [^c])' |
		grep -v 'note: .* is here$')
	like "$1" "$status $(grep -c . <<<"$got") $got" "^$2 1 .*$3"
}

good_files
dsfw check
is "without a mistake there is nothing to say" "$status $err" "0 "

network=ds-wbe rules "$drop"
dsfw check
answered "a network that is not there" 3 'error: there is no network "ds-wbe" in network-config; did you mean "ds-web"\?'
network=shop rules "$drop"
dsfw check
answered "two files out of step" 3 \
	'error: there is no network "shop" in network-config; the two files belong together: add it to the list there, or take its rules out'
rules "$https, $drop"
dsfw check
answered "no rule for DNS" 0 'warning: .*nothing allows DNS; write before it \{"proto": "udp", "ports": \[53\], '
firewall_config <<<"{\"ipsets\": {\"web\": [\"$name\"]}, \"networks\": {\"ds-web\": {\"egress\": [$dns, $https, $drop]}}}"
dsfw check
answered "no host rules" 0 'note: .*without "host" rules .*; "host": \[\{"action": "drop"\}\] closes it'
name='*.example.com' rules "$dns, $https, $drop"
dsfw check
answered "a wildcard without a gate" 3 \
	'error: the wildcard "\*\.example\.com" cannot be looked up; .*; "dns": \{\} beside the "egress" of ds-web turns its gate on'
rules "$dns, ${https/443/\"https\"}, $drop"
dsfw check
answered "a port as a word" 3 'error: .*found "https"; https is port 443: write 443, without quotes'

# ---- of a daemon ---------------------------------------------------------------------------------

good_files
start_zone
zone "github.example 198.51.100.1 ttl=60"
fake_start
start_listening
start_daemon
# state_is NETWORK STATE
state_is()
{
	[[ $(of network_details "$1" state) == "$2" ]]
}
until_true 5 state_is ds-web enforced || bail "it is not enforced: $(life)"
client status
is "without a mistake all is well" "$status $(grep -c ^ALARM $t/out)" "0 0"

client allow ds-web gihtub.example
answered "a typo in a name" 0 'warning: gihtub\.example: no such name, kept as asked; did you mean github\.example\?'
client deny ds-web gihtub.example

echo >>$t/firewall.json
client status
answered "a reload that was forgotten" 0 'files: .*firewall\.json changed since what runs was read: reload enforces that'
client allow ds-web one.example
answered "an edit while the daemon runs" 1 \
	'error: allow: .*firewall\.json .*changed since .*reload'
client reload
is "after a reload all is well" "$status" 0

fake_tell remove ds-web
fake_tell create ds-web 172.20.1.0/24 br-0123456789ab
until_true 5 state_is ds-web "not judged"
client status
answered "another bridge than the files have" 1 \
	'ALARM: network ds-web: .*br-0123456789ab.* NOT JUDGED; to mend it: '
fake_stop
end_daemon TERM
finish
