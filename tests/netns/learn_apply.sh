#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# learn --apply adds rules for what was refused, when the user agrees, where they have an effect, to the rules that the
# daemon runs by and no others; --yes leaves out what is doubtful. learn --json says the same to programs. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

two_networks 198.51.100.1/32 198.51.100.2/32 198.51.100.3/32 198.51.100.4/32
hosts "198.51.100.1 one.example" "198.51.100.4 alpha.example" "198.51.100.4 omega.example"
firewall_config <<'CONFIG'
{"ipsets": {"spare": ["one.example"]},
"networks": {"ds-1": {"mode": "enforce", "egress": [
	{"_comment": "metadata"},
	{"action": "drop", "to": "cidr", "cidr": "198.51.100.2/32"},
	{"proto": "tcp", "ports": [22], "to": "host", "host": "one.example"}, // for Ann
	{"action": "drop", "to": "host", "host": "omega.example"},
	{"proto": "tcp", "ports": [22], "to": "host", "host": "alpha.example"},
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
	c1 tcp 198.51.100.3:80 = reset
	c1 tcp 198.51.100.4:443 = reset
END
until_true 5 have 5
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
print(a["network"], *sorted((f["destination"], f["ports"], f["dropped_by"]) for f in a["flows"]), len(a["firewall_config"]["networks"]["ds-1"]["egress"]))
END
)" "ds-1 ('198.51.100.2', [80], 'egress[1]') ('198.51.100.3', [80], None) ('alpha.example', [443], None) ('one.example', [80, 443], None) 4"
learn
like "as text, what a rule drops on purpose is marked" "$out" '"198.51.100.2", "action": "allow" },? // [0-9]+ packets?, egress\[1\] drops it'

# at_terminal ANSWER [COMMAND…]: learn --apply, by somebody who types that when COMMAND has run
at_terminal()
{
	local answer=$1
	shift
	: >$t/screen
	# shellcheck disable=SC2094 # it answers when it has seen the question
	{
		until_true 10 grep -q 'y/N' $t/screen
		"$@" >&2
		echo "$answer"
	} | timeout 30 script -qefc "$DSFW_NFT learn ds-1 ${files[*]} --socket $socket --apply" /dev/null >$t/screen 2>&1
	sed -i 's/\r//' $t/screen
}
at_terminal n
like "it shows the rules and asks" "$(<$t/screen)" \
	'\+ egress: \{"proto":"tcp","ports":\[80,443\],"to":"host","host":"one.example"\}  // [0-9]+ packets.*Add these rules to ds-1.*nothing was changed'
like "those that are doubtful apart, and marked" "$(<$t/screen)" \
	'one.example.*doubtful.*\+ egress: \{[^}]*"198.51.100.3"\}  // [0-9]+ packets?; no name.*Add these'
like "what a rule drops on purpose is not among them" "$(<$t/screen)" \
	'"198.51.100.2"\} is left out: egress\[1\] drops it; to allow it on purpose: dsfw-nft allow ds-1 198.51.100.2:80.*Add these'
like "nor where it knows the address by another name than the rule does" "$(<$t/screen)" \
	'"alpha.example"\} is left out: a rule dropped it on purpose; .*: dsfw-nft allow ds-1 alpha.example:443.*Add these'
is "and does nothing where the answer is no" "$(<$t/firewall.json)" "$before"

# ---- the rules that it is added to ---------------------------------------------------------------

sed '/"cidr"/d' $t/firewall.json >$t/other.json
client learn ds-1 --network-config $t/network.json --firewall-config $t/other.json --apply --yes
like "a file that is not the daemon's is refused" "$status $err" "^1 .*error: learn: $t/other.json is not what the daemon runs by"
is "and its rules do not replace others" "$(<$t/firewall.json)" "$before"
at_terminal y "$DSFW_NFT" deny ds-1 one.example --socket "$socket"
like "so are rules from before somebody changed them" "$(<$t/screen)" "firewall.json is not the text that the new rules were made from"
is "and the change is not undone" "$(rules | grep -c one.example)" 0
echo "${before/'"_comment": "metadata"'/'"action": "drop", "to": "host", "host": "one.example"'}" >$t/firewall.json
client reload
learn --apply --yes
is "what a newer rule drops is not learnt" "$status $out $(rules | grep -c one.example)" "0 nothing to add 2"
like "which is said" "$err" '"one.example"\} is left out: egress\[0\] drops it; to allow it on purpose: dsfw-nft allow ds-1 one.example:80,443'
echo "$before" >$t/firewall.json
client reload

# ---- taken over ----------------------------------------------------------------------------------

learn --apply --yes
is "--yes adds what has a name, in front of the rule that drops all" "$status $(rules)" '0 {"_comment": "metadata"}
{"action": "drop", "to": "cidr", "cidr": "198.51.100.2/32"}
{"proto": "tcp", "ports": [22], "to": "host", "host": "one.example"}
{"action": "drop", "to": "host", "host": "omega.example"}
{"proto": "tcp", "ports": [22], "to": "host", "host": "alpha.example"}
{"proto": "tcp", "ports": [80, 443], "to": "host", "host": "one.example"}
{"action": "drop"}'
like "and says what it leaves out" "$err" \
	'"198.51.100.2"\} is left out: egress\[1\] drops it.*"198.51.100.3"\} is left out: no name.*: dsfw-nft allow ds-1 198.51.100.3:80'
at_terminal y
like "where somebody is asked and says yes, doubtful ones come, too" "$(<$t/screen)" 'enforced and saved'
is "behind the others" "$(rules | tail -n +6)" '{"proto": "tcp", "ports": [80, 443], "to": "host", "host": "one.example"}
{"proto": "tcp", "ports": [80], "to": "ip", "ip": "198.51.100.3"}
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
	c1 tcp 198.51.100.3:80 = open outside
END
end_daemon TERM
stop_peers
finish
