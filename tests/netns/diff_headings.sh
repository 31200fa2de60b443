#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `diff` says by headings whose chains, sets and objects differ, in both tables. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

network_config <<'END'
{"networks": [
	{"name": "ds-A", "subnet": "172.30.1.0/24", "subnet6": "fd77:1::/64", "dockside_ip": "172.30.1.2",
	 "extra": ["10.9.0.0/16", "fd99::/64", "02:00:00:00:00:99"]},
	{"name": "1st", "subnet": "172.30.2.0/24"}
]}
END
firewall_config <<'END'
{"networks": {"1st": {"egress": [{"action": "drop"}], "nat": [{"match_dport": 80, "to_ip": "198.51.100.3", "to_port": 81}],
	"host": [{"action": "drop"}]}}}
END

# under HEADING TABLE: the names there, sorted
under()
{
	awk -v heading="  $1" -v table="table $2:" '/^table / { there = index($0, table) == 1; is = 0 }
		/^  [^ ]/ { is = $0 == heading } there && is && /^    (chain|set|map|limit|counter) / { sub(":$", "", $2); print $2 }' <<<"$out" |
		LC_ALL=C sort | tr '\n' ' '
}

dsfw diff
is "everything is new" "$status" 1
is "of a network: in the bridge table" "$(under 'network ds-A' 'bridge dockside')" \
	"ds-a-EXTRA ds-a-EXTRATO ds-a-UNBOUND ds-a-UNBOUNDTO ds-a-extra-macs ds-a-extra-targets ds-a-extra4 ds-a-extra6 "
is "of one whose name begins with a digit" "$(under 'network 1st' 'bridge dockside')" \
	"_1st-UNBOUND _1st-UNBOUNDTO "
is "in the other table" "$(under 'network 1st' 'inet dockside')" \
	"_1st-HOST _1st-HOST-denied _1st-ING _1st-ING-denied _1st-NAT _1st-OUT _1st-OUT-denied _1st-SRC _1st-SRC-denied _1st-log \
_1st-nat4 "
like "of no network" " $(under 'shared by all networks' 'bridge dockside')" " _-BIND-denied .* _-log _-strange-denied .* bind bind-output bind-to .* known .* strange strict .*"
is "there is no other heading" "$(grep '^  [^ ]' <<<"$out" | sort -u)" "  network 1st
  network ds-A
  shared by all networks"
finish
