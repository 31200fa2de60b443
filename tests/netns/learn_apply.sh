#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# learn --apply adds rules for what was refused, when the user agrees, where they have an effect; learn --json says the
# same to programs. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

two_networks 198.51.100.1/32 198.51.100.2/32
hosts "198.51.100.1 one.example"
firewall_config <<'CONFIG'
{"ipsets": {"spare": ["one.example"]},
"networks": {"ds-1": {"mode": "enforce", "egress": [
	{"_comment": "metadata"},
	{"action": "drop", "to": "cidr", "cidr": "198.51.100.2/32"},
	{"proto": "tcp", "ports": [22], "to": "host", "host": "one.example"}, // for Ann
	{"action": "drop"}], /* the rest */
	"nat": [{"match_dport": 99, "to_ip": "198.51.100.1", "to_port": 80}]}}}
CONFIG
start_listening
start_daemon

# shellcheck disable=SC2317 # until_true calls it
have() # COUNT
{
	[[ $("$DSFW_NFT" denied --socket "$socket" --json | wc -l) -ge $1 ]]
}
# rules: of ds-1 in the file, each on a line
rules()
{
	python3 -c 'import json, re, sys
text = re.sub(r"//.*|/\*.*?\*/", "", sys.stdin.read())
print(*map(json.dumps, json.loads(text)["networks"]["ds-1"]["egress"]), sep="\n")' <$t/firewall.json
}
# learn OPTION…: with the files
learn()
{
	client learn ds-1 "${files[@]}" "$@"
}

learn --apply --yes
is "there is nothing yet" "$status $out" "0 nothing to add"
probes "packets are refused" <<-'END'
	c1 tcp 198.51.100.1:80 = reset
	c1 tcp 198.51.100.1:443 = reset
	c1 tcp 198.51.100.2:80 = reset
END
until_true 5 have 3
before=$(<$t/firewall.json)
learn --apply </dev/null
like "without a terminal somebody has to agree" "$status $err" '^2 .*--yes agrees beforehand'
learn --json --apply
is "programs do not apply" "$status" 2

learn --json
is "as JSON" "$(python3 - "$here/../../doc/schema/learn.schema.json" $t/out <<'END'
import json, sys
a = json.load(open(sys.argv[2]))
try:
    import jsonschema
    jsonschema.Draft202012Validator(json.load(open(sys.argv[1]))).validate(a)
except ImportError:
    pass
print(a["network"], [(f["destination"], f["ports"]) for f in a["flows"]], len(a["firewall_config"]["networks"]["ds-1"]["egress"]))
END
)" "ds-1 [('one.example', [80, 443]), ('198.51.100.2', [80])] 2"

# at_terminal ANSWER: learn --apply, by somebody who types that
at_terminal()
{
	timeout 30 script -qec "$DSFW_NFT learn ds-1 ${files[*]} --socket $socket --apply" /dev/null <<<"$1" 2>&1 | tr -d '\r' >$t/screen
}
at_terminal n
like "it shows the rules and asks" "$(<$t/screen)" \
	'\+ egress: \{"proto":"tcp","ports":\[80,443\],"to":"host","host":"one.example"\}  // [0-9]+ packets.*Add these rules to ds-1.*nothing was changed'
is "and does nothing where the answer is no" "$(<$t/firewall.json)" "$before"
at_terminal y
like "where it is yes, it does" "$(<$t/screen)" 'enforced and saved'
is "in front of the rule that drops all, behind others" "$(rules)" '{"_comment": "metadata"}
{"action": "drop", "to": "cidr", "cidr": "198.51.100.2/32"}
{"proto": "tcp", "ports": [22], "to": "host", "host": "one.example"}
{"proto": "tcp", "ports": [80, 443], "to": "host", "host": "one.example"}
{"proto": "tcp", "ports": [80], "to": "ip", "ip": "198.51.100.2"}
{"action": "drop"}'
is "comments stay, and the other lines" "$(diff <(echo "$before") $t/firewall.json | grep -c '^<') $(grep -oE '// for Ann|/\* the rest' $t/firewall.json |
	xargs)" "0 // for Ann /* the rest"
is "the rest of the network stays" "$(python3 -c 'import json, re, sys
n = json.loads(re.sub(r"//.*|/\*.*?\*/", "", sys.stdin.read()))["networks"]["ds-1"]
print(n["mode"], n["nat"][0]["match_dport"])' <$t/firewall.json)" "enforce 99"
probes "it is allowed now, and the earlier drop stays" <<-'END'
	c1 tcp 198.51.100.1:80 = open outside
	c1 tcp 198.51.100.1:443 = open outside
	c1 tcp 198.51.100.2:80 = reset
END
end_daemon TERM
stop_peers
finish
