#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A process with NET_RAW says where the kernel shall write a packet's checksum, which it does after all hooks: what the
# rules judged is not what leaves the host. That is so, and what holds it, see "Checksums that are still to be written" in
# doc/kernel.md. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh" || exit 1
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh" || exit 1
type -p setpriv iptables-nft >/dev/null || bail "no setpriv or iptables-nft"
"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE= -O2 -o $t/frames "$here/../docker/frames.c" || bail "cannot build frames.c"

two_networks 198.51.100.1/32 2001:db8:51::1/128
policy <<'END'
{"networks": {"ds-1": {"egress": [
	{"proto": "udp", "ports": [53], "to": "ip", "ip": "198.51.100.1"},
	{"proto": "udp", "ports": [53], "to": "ip", "ip": "2001:db8:51::1"},
	{"action": "drop"}]}}}
END

# checksums NAMESPACE|host DEVICE: the device no longer writes them itself: its kernel does, before it transmits
checksums()
{
	python3 - "$@" <<'END'
import array, ctypes, fcntl, socket, struct, sys
name, device = sys.argv[1:]
if name != "host":
    with open(f"/run/netns/{name}") as there:
        assert ctypes.CDLL(None).setns(there.fileno(), 0x40000000) == 0
command = array.array("B", struct.pack("II", 0x17, 0))      # ETHTOOL_STXCSUM
fcntl.ioctl(socket.socket(), 0x8946, struct.pack("16sP", device.encode(), command.buffer_info()[0]))
END
}
fates() # what becomes of all frames
{
	timeout 60 python3 "$here/offsets.py" $t/frames c1 2>&1 | sort
}
# all_are HONEST OTHERS: what all shall become
all_are()
{
	local v kind
	for v in IPv4 IPv6; do
		for kind in honest "honest, in segments"; do
			echo "$v $kind: $1"
		done
		for kind in port address "port, known flow" "address, known flow"; do
			echo "$v $kind: $2"
		done
	done | sort
}

checksums host up0 || bail "no ethtool"
is "what the rules judged is written to afterwards, in flows that they know as well" "$(fates)" \
	"$(all_are "as judged" written)"

# The chain comes before conntrack. The target exists for ip and ip6 only, in a table of that name.
fill() # IPTABLES FAMILY
{
	"$1" -t mangle -N FILL && "$1" -t mangle -A FILL -j CHECKSUM --checksum-fill &&
		nft "add chain $2 mangle early { type filter hook prerouting priority -310; }
			add rule $2 mangle early iifname ds-1 jump FILL" 2>&1
}
is "the target CHECKSUM" "$(fill iptables-nft ip && fill ip6tables-nft ip6)" ""
is "a checksum that is filled in before all other hooks" "$(fates)" "$(all_are "as judged" nothing)"
is "iptables has a complaint about such a chain" \
	"$(iptables-nft -t mangle -S 2>&1 | grep -c 'contains incompatible base-chains')" 1
nft "delete table ip mangle; delete table ip6 mangle"
is "without it" "$(fates | grep -c ': written$')" 8

checksums c1 eth0
is "a container whose interface does not leave them to others" "$(fates)" "$(all_are "as judged" nothing)"
stop_peers
finish
