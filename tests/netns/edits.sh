#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Random edits of a daemon's files: they say what was asked for and what runs, and all else of them stays, comments,
# blanks and order, byte for byte. edits.py judges each. EDITS is their number, SEED that of the run. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

two_networks 198.51.100.1/32
edits=${EDITS:-500}
seed=${SEED:-15}

network_config <<'END'
// the networks of this host
{"networks": [ // first come, first served
  /* one
     of two */
  {"name": "ds-1", "subnet": "172.30.1.0/24"}, // Ann's

	{
		"name" : "ds-2" , // tabs here
		"subnet"
			: "172.30.2.0/24" /* Bob's */
	},  // end of ds-2

  // no more, please
]}
// end
END
firewall_config <<'END'
// what the networks may reach: "quotes", [brackets] and { braces // in a comment
{
  "_format": "hand-made /* this is no comment */ // nor is this",
  "ipsets": { /* lists */
      "web": [
          "n0.example", // Ann
          "n1.example",  "n2.example", // two of them
          // from here on: Bob
          "N3.Example." /* spelt as it came */
          // nothing more
      ],
      "tools": ["n4.example", "203.0.113.0/24", /* inside */ "n5.example"], // in one line

      "few":
        [ "n6.example"
        , "n7.example" // commas first
        , "2001:db8:7::5"
        ],
      "wide": [
          "n8.example",
          "n9.example",
      ], "spare": [], // nothing yet
  },

  "networks": {
    "ds-1": {
      "_why": "agents",
      "egress": [
        { "_comment": "---- DNS ----" },
        { "proto": "udp", "ports": [53] },
        { "proto": "tcp", "ports": [443], "to": "ipset", "ipset": "web" },   // the web

        /* tools:
           not for all */
        { "proto": "tcp", "ports": [22, "8000-8010"], "to": "ipset", "ipset": "tools", "comment": "tools" },
        { "proto": "tcp",
          "ports": [ 80, // plain
                     443 ],
          "to": "host", "host": "n10.example" }, // a rule of many lines

        // nothing else
        { "action": "drop" }, // the end
      ],
      "host": [ {"action": "drop"} ] // closed
    },
    "ds-2": {"egress": [{"to": "ipset", "ipset": "tools"},
                        {"proto": "tcp", "to": "ipset", "ipset": "few"}, // few
                        {"proto": "tcp", "ports": [80]},
                        {"action": "drop"}]} /* tight */
  },
}
// the end
END
cp $t/network.json $t/network.first
cp $t/firewall.json $t/firewall.first
start_zone
mapfile -t names < <(printf 'n%d.example 198.51.100.1 ttl=60\n' {0..10})
zone "${names[@]}" # n11.example does not exist
start_listening

# run_edits DESCRIPTION SEED COUNT
run_edits()
{
	local out
	out=$(python3 "$here/edits.py" $socket $t/network.json $t/firewall.json "$2" "$3" 2>&1)
	status=$?
	result "$1" "$([[ $status -eq 0 ]] || echo "$out")"
	[[ $status -ne 0 ]] || echo "$out"
	"$DSFW_NFT" diff "${files[@]}" >$t/out 2>&1
	status=$?
	is "$1: the kernel has what the files say" "$status" 0
	[[ $status -eq 0 ]] || comment <$t/out
}

start_daemon
run_edits "$edits random edits, seed $seed" "$seed" "$edits"
log_before=$(wc -l <$log)
client reload
is "a reload has nothing to do" "$status $(life | grep -c ' changed [0-9]')" "0 0"
end_daemon TERM

# Lines that end as on Windows.
for file in network firewall; do
	sed 's/$/\r/' $t/$file.first >$t/$file.json
done
start_daemon
run_edits "$((edits / 5)) random edits of files with carriage returns, seed $((seed + 1))" $((seed + 1)) $((edits / 5))
end_daemon TERM

stop_peers
finish
