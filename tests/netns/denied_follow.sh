#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What `denied` shows to people: at once while following, the last lines, repeats as one line, columns as wide as what is in
# them, one container, and a summary. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"

{
	outside 198.51.100.1/32 && bridge ds-a 172.30.1.1/24 2001:db8:1::1/64 &&
		container a1 ds-a 172.30.1.10 2001:db8:1::10 && container a2 ds-a 172.30.1.11 2001:db8:1::11
} || bail "cannot set up the network"
hosts "198.51.100.1 one.example"
network_config <<<'{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"}]}'
firewall_config <<<'{"networks": {"ds-a": {"egress": [
	{"proto": "tcp", "ports": [443], "to": "host", "host": "one.example"},
	{"action": "drop"}]}}}'
start_listening
start_daemon

# ---- how soon ------------------------------------------------------------------------------------

measured=$(nsenter --net=/run/netns/a1 python3 "$here/latency.py" "$DSFW_NFT" $socket 30 198.51.100.1 2>&1)
comment <<<"$measured"
result "who follows sees a refused packet within 50 ms" \
	"$([[ $measured =~ ^median\ ([0-9]+)\ ms && ${BASH_REMATCH[1]} -le 50 ]] || echo "$measured")"
end_daemon TERM
finish
