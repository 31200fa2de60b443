#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon and what somebody has told the kernel by packets: no reload, repair or restart loses it, and it is no drift.
# TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

probe=${TOP_BUILDDIR:-$here/../..}/tests/netns/gate_probe
[[ -x $probe ]] || bail "no gate_probe"
uid=4242

two_networks 8.8.4.{1..9}/32 2a00:51::1/128
start_listening

gated() # [RULE,]
{
	firewall_config <<-END
		{"ipsets": {"web": ["api.example", "*.example.com"]}, "networks": {
			"ds-1": {"dns": {}, "egress": [${1:-} {"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"},
						       {"action": "drop"}]},
			"ds-2": {"egress": [{"action": "drop"}]}}}
	END
}
told_to_kernel()
{
	elements ipset-web-told4 | sed -E 's/ timeout [0-9a-z]+//'
}
tell() # ADDRESS…
{
	TAG=$tag "$probe" $uid ds-1 "$(nft list map inet dockside dns-tell | tr ',{' '\n' |
		sed -nE 's/^ *([0-9]+) : goto ipset-web-tell.*/\1/p')" "$@" | comment
}

# ---- the gate's user -----------------------------------------------------------------------------

firewall_config <<<'{"networks": {"ds-1": {"egress": [{"action": "drop"}]}}}'
start_daemon
gated
client reload
like "a reload with a gate and without its user fails" "$status $err" '^1 .*no user dsfw-gate'
is "and changes nothing" "$(nft list ruleset | grep -c dns-tell)" 0
end_daemon TERM
files+=(--gate-user "$uid")
# Once, to know the tag that the names have: apply writes it down.
written_down()
{
	nft list set inet dockside dns-tags | sed -nE 's/.*elements = \{ (0x[0-9a-f]+) .*/\1/p'
}
dsfw apply --gate-user "$uid"
tag=$(written_down)
nft delete table inet dockside
start_daemon
is "with it the daemon starts" "$(nft list table inet dockside | grep -c 'udp sport 5301 meta skuid 4242')" 1

# ---- what was told -------------------------------------------------------------------------------

tell 8.8.4.1 8.8.4.2
wanted=$'ds-1 . 8.8.4.1\nds-1 . 8.8.4.2'
is "addresses are told" "$(told_to_kernel)" "$wanted"
client reload
is "a reload of the same files" "$status $(told_to_kernel)" "0 $wanted"
gated '{"proto": "udp", "ports": [123]},'
client reload
is "of other rules" "$status $(told_to_kernel)" "0 $wanted"
gated '{"to": "host", "host": "*.pool.example.net"},'
client reload
is "of another list" "$status $(told_to_kernel)" "0 $wanted"
client reconcile
like "a comparison finds nothing" "$status $out" '^0 '
is "there was no repair" "$(drift repairs)" 0
nft flush chain inet dockside dns-tell
nft flush chain inet dockside ds-1-OUT
# shellcheck disable=SC2317 # until_true calls it, and back
repaired()
{
	[[ $(drift repairs) -ge 1 && $(nft list chain inet dockside dns-tell | grep -c dns-never4) == 1 &&
		$(nft list chain inet dockside ds-1-OUT | grep -c told4) -ge 1 ]]
}
until_true 10 repaired || echo "# $(drift message)"
is "a repair" "$(told_to_kernel)" "$wanted"
tell 8.8.4.3
wanted+=$'\nds-1 . 8.8.4.3'
is "and tells are taken" "$(told_to_kernel)" "$wanted"
probes "what was told is open" <<-'END'
	c1 tcp 8.8.4.3:443 = open outside 8.8.4.3:443
	c1 tcp 8.8.4.4:443 = reset
END
end_daemon TERM
files+=(--gate-socket "$t/gate.sock")
start_daemon
"$DSFW_NFT" gate --user $uid --gate-socket "$t/gate.sock" 2>$t/gate.log & # which takes the policy
gate=$!
result "a gate takes the policy" "$(until_true 10 logged 'has taken the policy' || life)"
kill $gate
wait $gate
tag=$(written_down) # another one, as there is another list
tell 8.8.4.{1..3}
end_daemon KILL
start_daemon
is "a daemon that died, and another" "$(told_to_kernel)" "$wanted"
end_daemon TERM
is "one that stops" "$status $(told_to_kernel)" "0 $wanted"
start_daemon
is "and its successor" "$(told_to_kernel)" "$wanted"
is "nobody looks up the names" "$(logged 'api\.example' && echo said)" ""
nft delete table inet dockside
# shellcheck disable=SC2317
back()
{
	nft list set inet dockside ipset-web-told4 >/dev/null 2>&1
}
until_true 10 back
is "the table was deleted: nothing is told any more" "$(told_to_kernel)" ""
end_daemon TERM

# ---- allow ---------------------------------------------------------------------------------------

start_zone
# zones NAME…: the zone, and these are asked for at the time
zones()
{
	zone "@ log" "new.example 8.8.4.5 2a00:51::1 ttl=60" "inside.example 10.1.2.3" "open.example 8.8.4.6" \
		"part.example 10.1.2.3 8.8.4.7" "cut.example silent" "apk.example.corp.example 8.8.4.8"
	: >$t/answers
}
questions()
{
	sed -nE 's/^[0-9.]+ ([^ ]+ \?.*)/\1/p' $t/answers | sort | xargs
}
gated
hosts "8.8.4.9 local.example"
start_daemon
zones
client allow ds-1 apl.example
is "a name that is none is said at once, as where there is no gate" "$status $out $err" \
	"0 ds-1 may reach apl.example on tcp/443: it is in ipset web now, which egress[0] allows \
warning: apl.example: no such name, kept as asked; did you mean api.example?"
is "it is asked for once" "$(questions)" "apl.example ?A apl.example ?AAAA"
client deny ds-1 apl.example
zones
client allow ds-1 new.example:80
like "one that has addresses" "$status $out $err" $'^0 .*\nnew\\.example: 8\\.8\\.4\\.5, 2a00:51::1 $'
is "is asked for once, too" "$(questions)" "new.example ?A new.example ?AAAA"
is "no set has them" "$(nft list table inet dockside | grep -c '8\.8\.4\.5')" 0
client status --json
is "and nobody follows it" "$(grep -c '8\.8\.4\.5' <<<"$out")" 0
client allow ds-1 nwe.example:80
like "names of rules are remembered for hints" "$err" 'nwe\.example: no such name, kept as asked; did you mean new\.example\?'
client allow ds-1 inside.example
like "addresses that the gate opens to nobody" "$status $err" \
	'^0 warning: inside\.example: the gate opens none of its addresses: 10\.1\.2\.3 is [a-z ]*private.*, kept as asked$'
client allow ds-1 part.example
like "the others count" "$status $out $err" $'^0 .*\npart\\.example: 8\\.8\\.4\\.7 $'
client allow ds-1 local.example
like "it is asked for as the gate asks, without /etc/hosts" "$status $err" '^0 warning: local\.example: no such name, kept as asked'
cp $t/resolv.conf $t/resolv.before
echo "search corp.example" >>$t/resolv.conf
client allow ds-1 apk.example
like "and without search domains" "$status $err" '^0 warning: apk\.example: no such name, kept as asked'
zones
client allow ds-1 "*.pool.example"
like "a wildcard is not looked up" "$status $err $(questions)" '^0  $'
client allow ds-1 8.8.4.4
like "nor is an address" "$status $err $(questions)" '^0  $'
client allow ds-1 cut.example
like "a server that is silent" "$status $err" '^0 warning: cut\.example: Timeout while contacting DNS servers, kept as asked'
client allow ds-2 open.example
like "without a gate as before" "$status $out" $'^0 .*\nopen\\.example: 8\\.8\\.4\\.6$'
# The gate's servers count where the policy has some.
firewall_config <<<'{"dns": {"upstream": ["127.0.0.1"]}, "networks": {
	"ds-1": {"dns": {}, "egress": [{"action": "drop"}]}, "ds-2": {"egress": [{"action": "drop"}]}}}'
echo "nameserver 127.0.0.77" >$t/resolv.conf
client reload
client allow ds-1 new.example
like "the servers are the gate's" "$status $out $err" $'^0 .*\nnew\\.example: 8\\.8\\.4\\.5, 2a00:51::1 $'
end_daemon TERM
stop_peers
finish
