#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# allow, deny and the members of ipsets, of a daemon: what a container can reach then, what the file says, what is
# said of the name; and when nothing changes. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

two_networks 198.51.100.1/32 198.51.100.2/32 198.51.100.3/32
firewall_config <<'END'
// what the networks may reach
{
    "ipsets": {
        "web": [
            "github.example", // Ann
            "pypi.example"    // Bob
        ],
        "mirrors": ["mirror.example"]
    },
    "networks": {
        "ds-1": {
            "egress": [
                {"action": "drop", "to": "cidr", "cidr": "198.51.100.3/32"}, // never
                {"proto": "udp", "ports": [53]},
                {"proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web"},
                {"proto": "tcp", "ports": [80], "to": "ipset", "ipset": "mirrors"},

                // nothing else
                {"action": "drop"}
            ]
        },
        "ds-2": {"egress": [{"proto": "udp", "ports": [53]}, {"to": "ipset", "ipset": "mirrors"}, {"action": "drop"}]}
    }
}
END
start_zone
zone "github.example 198.51.100.1 ttl=60" "pypi.example 198.51.100.1 ttl=60" "mirror.example 198.51.100.1 ttl=60" \
	"new.example 198.51.100.2 ttl=60" "half.example 198.51.100.2 198.51.100.3 ttl=60"
start_listening
start_daemon
cp $t/firewall.json $t/before.json

# changed: what the file has now and did not before (>), and the other way round (<)
changed()
{
	diff $t/before.json $t/firewall.json | grep '^[<>]' | sed 's/^\([<>]\) */\1 /'
}

# ---- allow ---------------------------------------------------------------------------------------

probes "before, it is refused" <<<"c1 tcp 198.51.100.2:80 = reset"
client allow ds-1 new.example:80
is "allow says what it did, and what DNS says" "$status $out $err" \
	"0 ds-1 may reach new.example on tcp/80: egress[4] is new
new.example: 198.51.100.2 "
is "the rule is there, and nothing else has changed" "$(changed)" \
	'> {"proto": "tcp", "ports": [80], "to": "host", "host": "new.example"},'
probes "its packets pass when the answer is there" <<<"c1 tcp 198.51.100.2:80 = open"
client allow DS-1 new.example:443
is "a port more" "$status $(changed)" \
	'0 > {"proto": "tcp", "ports": [80, 443], "to": "host", "host": "new.example"},'
client allow ds-1 new.example
is "nothing to do" "$status $out $err" \
	"0 ds-1 could reach new.example on tcp/443 before, by egress[4]: nothing changed
new.example: 198.51.100.2 "
client deny ds-1 new.example
is "deny takes it out" "$status $out $err" "0 egress[4], which allowed new.example, is gone "
is "and the file is what it was, letter for letter" "$(changed)" ""
probes "it is refused again" <<<"c1 tcp 198.51.100.2:80 = reset"

client allow ds-1 gihtub.example
is "a name that is none is kept, and said" "$status $out $err" \
	"0 ds-1 may reach gihtub.example on tcp/443: it is in ipset web now, which egress[2] allows \
warning: gihtub.example: no such name, kept as asked; did you mean github.example?"
is "in the list of the network, behind Bob's" "$(changed)" '< "pypi.example"    // Bob
> "pypi.example",    // Bob
> "gihtub.example"'
client deny ds-1 gihtub.exampel
is "deny has a hint, too" "$status $out" \
	"0 no rule lets ds-1 reach gihtub.exampel by that name: nothing changed; did you mean \"gihtub.example\"?"
client deny ds-1 gihtub.example
is "out of the list again" "$status $out $(changed)" "0 gihtub.example is no longer in ipset web "

client allow ds-1 half.example:80
is "an address that an earlier rule refuses is named" "$status $err" \
	"0 warning: 198.51.100.3 of half.example is refused by egress[0] (198.51.100.3/32)"
client deny ds-1 half.example

# ---- deny ----------------------------------------------------------------------------------------

client deny ds-1 mirror.example
is "a name of a shared ipset is dropped before it; its address is another name's, too, which is said" \
	"$status $out $err" "1 egress[3] drops mirror.example now, as the rule behind it allows ipset mirrors, \
which has it and is used by other rules, too
mirror.example: 198.51.100.1 warning: 198.51.100.1 of mirror.example is allowed still, by egress[2] (ipset web)"
is "one rule more" "$(changed)" '> {"action": "drop", "to": "host", "host": "mirror.example"},'
probes "and nothing of it on the port that was allowed" <<<"c1 tcp 198.51.100.1:80 = reset"
client allow ds-1 mirror.example:80
is "allow takes that rule out" "$status $out $(changed)" \
	"0 ds-1 may reach mirror.example on tcp/80: the rule that dropped it is gone
mirror.example: 198.51.100.1 "

# ---- ipsets --------------------------------------------------------------------------------------

client set-ipset web pypi.example
like "set-ipset does not lose members by mistake" "$status $err" \
	'^1 error: ipset "web" would lose 1 member: github.example; give --replace if that is meant'
is "nothing has changed" "$(changed)" ""
client add-ipset web Pypi.example new.example
is "add-ipset adds" "$status $out $(changed)" '0 enforced and saved < "pypi.example"    // Bob
> "pypi.example",    // Bob
> "new.example"'
client del-ipset web new.exmaple
like "del-ipset knows its members" "$status $err" \
	'^1 error: ipset "web" does not have "new.exmaple": nothing changed; did you mean "new.example"\?'
client del-ipset web new.example
is "del-ipset takes out" "$status $out $(changed)" "0 enforced and saved "
client set-ipset --replace web pypi.example
is "set-ipset --replace replaces" "$status $out $(changed)" '0 enforced and saved < "github.example", // Ann'
client set-ipset web pypi.example github.example
is "and set-ipset adds to the end" "$status $(changed)" '0 < "github.example", // Ann
< "pypi.example"    // Bob
> "pypi.example",    // Bob
> "github.example"'

# ---- refused -------------------------------------------------------------------------------------

cp $t/firewall.json $t/before.json
client allow ds-3 new.example
like "another network" "$status $err" '^1 error: no network "ds-3" is configured'
client allow ds-1 'a b'
like "no name" "$status $err" '^1 .*"to" must be a hostname, a wildcard, an address or a network'
is "that changes nothing" "$(changed)" ""
echo '// by hand' >>$t/firewall.json
client allow ds-1 new.example:22
like "a file that somebody has edited meanwhile" "$status $err" "^1 error: allow: .*changed"
is "is left alone" "$(changed)" "> // by hand"
client reload
client allow ds-1 new.example:22
is "after a reload it goes" "$status $(changed)" \
	'0 > {"proto": "tcp", "ports": [22], "to": "host", "host": "new.example"},
> // by hand'
is "a user other than root cannot" "$(setpriv --reuid 4321 --clear-groups "$DSFW_NFT" deny --socket $socket \
	ds-1 new.example >/dev/null 2>&1 || echo no)" no

end_daemon TERM
stop_peers
finish
