#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Lines of a script that libnftables or the kernel refuses: the error names the reason, the line, and the entry of the
# configuration for which we made it. TAP.
# shellcheck source=tests/netns/lib.sh
source "$(dirname "$0")/lib.sh"

probe=$(realpath "${TOP_BUILDDIR:-$here/../..}")/tests/netns/load_probe

is 'a script that is right' "$("$probe" 'add table inet dockside' \
	'add chain inet dockside ds-prod-OUT')" ok
is 'the kernel refuses a rule' "$("$probe" \
	'add rule inet dockside ds-prod-OUT counter accept' \
	'add rule inet dockside ds-prod-OUT counter goto ds-prod-ING')" \
	'load ruleset: Could not process rule: No such file or directory: "add rule inet dockside ds-prod-OUT counter goto ds-prod-ING", made for egress[1] of network ds-prod (firewall.json:2:1)'
is 'libnftables refuses a rule' "$("$probe" \
	'add rule inet dockside ds-prod-OUT counter accept' '' \
	'add rule inet dockside ds-prod-OUT tcp dport 80,443 accept')" \
	'load ruleset: Basetype of type internet network service is not bitmask: "add rule inet dockside ds-prod-OUT tcp dport 80,443 accept", made for egress[2] of network ds-prod (firewall.json:3:1)'
is 'nothing of a refused script stays' "$(nft -s list chain inet dockside ds-prod-OUT)" \
	"$(printf 'table inet dockside {\n\tchain ds-prod-OUT {\n\t}\n}')"
long=$(printf 'x%.0s' {1..200})
is 'a long line is cut' "$("$probe" "add rule inet dockside ds-prod-OUT $long" | grep -c '…"')" 1
finish
