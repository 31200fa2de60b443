#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Raw frames from the ports of bridges, for bind.sh, which builds the network.

bind.py TABLE MODE sends every frame of the list below once, and prints a line for each that did not fare as it must. TABLE is "open"
(no table is loaded: all arrive), or "bound"; MODE is "learn" or "strict". A frame has a marker of its own at its end,
and has arrived when it was seen at another port, or at the bridge itself. An ARP request of the sender's own
follows it; when that has arrived, the frame before it has, or never will.
"""
import ctypes
import itertools
import os
import select
import socket
import struct
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
ETH_P_ALL = 3
PACKET_OUTGOING = 4
NS, NA, RS, RA, REDIRECT, MLD2 = 135, 136, 133, 134, 137, 143
IP, IP6, ARP, VLAN, VLAN_AD = 0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8

# a, b and d are known ports, x one whose container is not known, n one that is in no set; e and f are on a bridge that is
# nobody's, where e has the addresses of a, and f those of b.
MACS = {"a": "02:00:00:00:01:0b", "b": "02:00:00:00:01:0c", "d": "02:00:00:00:01:02", "x": "02:00:00:00:01:20",
        "n": "02:00:00:00:01:21", "e": "02:00:00:00:01:0b", "f": "02:00:00:00:01:0c", "k": "02:00:00:00:02:0b",
        "l": "02:00:00:00:02:0c", "gw": "02:00:00:00:01:01"}
V4 = {"a": "172.30.1.11", "b": "172.30.1.12", "d": "172.30.1.2", "x": "172.30.1.32", "n": "172.30.1.33",
      "e": "172.30.1.11", "f": "172.30.1.12", "k": "172.30.2.11", "l": "172.30.2.12", "gw": "172.30.1.1"}
V6 = {"a": "fd77:1::11", "b": "fd77:1::12", "d": "fd77:1::2", "x": "fd77:1::32", "n": "fd77:1::33",
      "e": "fd77:1::11", "f": "fd77:1::12", "k": "fd77:2::11", "l": "fd77:2::12", "gw": "fd77:1::1"}
BROADCAST = "ff:ff:ff:ff:ff:ff"
FOREIGN_MAC, FOREIGN4, FOREIGN6 = "02:00:00:00:00:77", "203.0.113.66", "2001:db8::66"
EXTRA_MAC, EXTRA4, EXTRA6 = "02:00:00:00:00:99", "10.9.0.7", "fd99::7"
MARKERS = itertools.count(1)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def link_local(name):
    m = bytearray(mac(MACS[name]))
    m[0] ^= 2
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + bytes(6) + m[:3] + b"\xff\xfe" + m[3:])


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def udp(sport, dport, data):
    return struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


# ---- frames: functions of the marker that return a protocol and what is behind it -------------------


def ip4(src, dst, sport=5000, dport=5001, proto=17, fragment=0):
    def make(marker):
        data = (udp(sport, dport, bytes(8)) if proto == 17 else struct.pack("!HHI", sport, dport, 0)) + marker
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 1, fragment, 64, proto, 0, ip(src), ip(dst))
        return IP, head[:10] + struct.pack("!H", checksum(head)) + head[12:] + data
    return make


def ip6(src, dst, sport=5000, dport=5001):
    def make(marker):
        data = udp(sport, dport, bytes(8) + marker)
        return IP6, struct.pack("!IHBB16s16s", 6 << 28, len(data), 17, 64, ip(src), ip(dst)) + data
    return make


# Headers before ICMPv6, each with what follows its first byte; the fragment is the whole packet.
OPTIONS, ROUTING, FRAGMENT = (60, bytes([0, 1, 4, 0, 0, 0, 0])), (43, bytes([0, 4, 0, 0, 0, 0, 0])), (44, bytes([0, 0, 0, 0, 0, 0, 9]))


def icmp6(src, dst, kind, target="::", hop_by_hop=False, headers=()):
    """A message of neighbour discovery, or of that shape."""
    def make(marker):
        data = struct.pack("!BBHI16s", kind, 0, 0, 0x60000000, ip(target)) + marker
        pseudo = ip(src) + ip(dst) + struct.pack("!II", len(data), 58)
        data = data[:2] + struct.pack("!H", checksum(pseudo + data)) + data[4:]
        head = 58
        if hop_by_hop:
            data, head = bytes([58, 0, 5, 2, 0, 0, 1, 0]) + data, 0
        for kind_of_header, body in reversed(headers):
            data, head = bytes([head]) + body + data, kind_of_header
        return IP6, struct.pack("!IHBB16s16s", 6 << 28, len(data), head, 255, ip(src), ip(dst)) + data
    return make


def arp(operation, sender_mac, sender, target, target_mac="00:00:00:00:00:00", hardware=1):
    def make(marker):
        return ARP, struct.pack("!HHBBH6s4s6s4s", hardware, IP, 6, 4, operation, mac(sender_mac), ip(sender),
                                mac(target_mac), ip(target)) + marker
    return make


def other(ethertype):
    return lambda marker: (ethertype, bytes(40) + marker)


def snap(make):
    """The same behind the headers of LLC and SNAP, with a length in the EtherType's place."""
    def wrap(marker):
        protocol, data = make(marker)
        data = bytes.fromhex("aaaa03000000") + struct.pack("!H", protocol) + data
        return len(data), data
    return wrap


def tagged(make, *tags, priority=0):
    """The same behind VLAN tags with the number 0, which hosts take off."""
    def tag(marker):
        protocol, data = make(marker)
        for outer in reversed(tags):
            protocol, data = outer, struct.pack("!HH", priority, protocol) + data
        return protocol, data
    return tag


# ---- what is tried ---------------------------------------------------------------------------------
# (what, sender, MAC source, MAC destination, frame, modes in which it passes where the table is loaded)

BOTH, LEARN, NONE = ("learn", "strict"), ("learn",), ()


def forged_by(s, to):
    """Frames that no port may send: of s, which has addresses of its own, to a neighbour."""
    own, dst, v4, v6 = MACS[s], MACS[to], V4[s], V6[s]
    all_nodes = "ff02::1"
    yield "IPv4 of a neighbour", own, dst, ip4(V4["d"], V4[to])
    yield "IPv4 of the gateway", own, dst, ip4(V4["gw"], V4[to])
    yield "IPv6 of a neighbour", own, dst, ip6(V6["d"], V6[to])
    yield "IPv6 of the gateway", own, dst, ip6(V6["gw"], V6[to])
    yield "link-local address of a neighbour", own, dst, ip6(link_local("d"), V6[to])
    yield "IPv4 into a neighbour's flow, behind a tag", own, dst, tagged(ip4(V4["d"], V4[to]), VLAN)
    yield "MAC of a neighbour", MACS["d"], dst, ip4(v4, V4[to])
    yield "dockside's identity, IPv4", MACS["d"], dst, ip4(V4["d"], V4[to])
    yield "dockside's identity, IPv6", MACS["d"], dst, ip6(V6["d"], V6[to])
    yield "ARP reply, foreign address", own, dst, arp(2, own, V4["d"], V4[to], MACS[to])
    yield "ARP reply, the gateway's address", own, dst, arp(2, own, V4["gw"], V4[to], MACS[to])
    yield "ARP reply, a neighbour's MAC", own, dst, arp(2, MACS["d"], v4, V4[to], MACS[to])
    yield "ARP announcement, foreign address", own, BROADCAST, arp(1, own, V4["d"], V4["d"])
    yield "ARP announcement of a neighbour", MACS["d"], BROADCAST, arp(1, MACS["d"], V4["d"], V4["d"])
    yield "ARP reply, foreign address, a tag", own, dst, tagged(arp(2, own, V4["d"], V4[to], MACS[to]), VLAN)
    yield "NA, foreign target", own, dst, icmp6(link_local(s), V6[to], NA, V6["d"])
    yield "NA, the gateway's", own, "33:33:00:00:00:01", icmp6(v6, all_nodes, NA, V6["gw"])
    yield "NA, foreign target, own source, a tag", own, dst, tagged(icmp6(v6, V6[to], NA, V6["d"]), VLAN)
    yield "NA, foreign link-local target", own, dst, icmp6(v6, V6[to], NA, link_local("d"))
    yield "NA, foreign target, no source", own, dst, icmp6("::", V6[to], NA, V6["d"])
    yield "RA", own, "33:33:00:00:00:01", icmp6(link_local(s), all_nodes, RA)
    yield "RA, a tag", own, "33:33:00:00:00:01", tagged(icmp6(link_local(s), all_nodes, RA), VLAN)
    yield "NA, foreign target, behind options", own, dst, icmp6(v6, V6[to], NA, V6["d"], hop_by_hop=True)
    for name, headers in (("options of the destination", [OPTIONS]), ("a routing header", [ROUTING]), ("a fragment header", [FRAGMENT]),
                          ("four headers", [OPTIONS, ROUTING, OPTIONS, FRAGMENT]), ("twelve headers", 12 * [OPTIONS])):
        yield f"NA, foreign target, behind {name}", own, dst, icmp6(v6, V6[to], NA, V6["d"], headers=headers)
        yield f"RA behind {name}", own, "33:33:00:00:00:01", icmp6(link_local(s), all_nodes, RA, headers=headers)
    yield "ARP reply of IEEE 802, foreign address", own, dst, arp(2, own, V4["d"], V4[to], MACS[to], hardware=6)
    for tag, priority, name in ((VLAN_AD, 0, "802.1ad"), (VLAN_AD, 0xE000, "802.1ad, priority 7"), (VLAN, 0xB000, "priority 5, DEI")):
        yield f"IPv4 of a neighbour, one tag, {name}", own, dst, tagged(ip4(V4["d"], V4[to]), tag, priority=priority)
        yield f"IPv6 of a neighbour, one tag, {name}", own, dst, tagged(ip6(V6["d"], V6[to]), tag, priority=priority)
        yield f"ARP reply, foreign address, one tag, {name}", own, dst, tagged(arp(2, own, V4["d"], V4[to], MACS[to]), tag, priority=priority)
        yield f"NA, foreign target, one tag, {name}", own, dst, tagged(icmp6(v6, V6[to], NA, V6["d"]), tag, priority=priority)
    for name, make in (("IPv4", ip4(v4, V4[to])), ("ARP", arp(2, own, v4, V4[to], MACS[to]))):
        yield f"{name} by LLC and SNAP, no EtherType", own, dst, snap(make)
        yield f"{name} by LLC and SNAP, no EtherType, a tag", own, dst, tagged(snap(make), VLAN)
    yield "RA behind options", own, "33:33:00:00:00:01", icmp6(link_local(s), all_nodes, RA, hop_by_hop=True)
    yield "redirect", own, dst, icmp6(link_local(s), V6[to], REDIRECT)
    yield "two tags", own, dst, tagged(ip4(v4, V4[to]), VLAN, VLAN)
    yield "two tags, 802.1ad", own, dst, tagged(ip4(v4, V4[to]), VLAN_AD, VLAN)
    yield "three tags", own, dst, tagged(ip6(v6, V6[to]), VLAN, VLAN, VLAN)
    yield "IPv4 from outside", own, dst, ip4(FOREIGN4, V4[to])
    yield "IPv6 from outside", own, dst, ip6(FOREIGN6, V6[to])
    for ethertype in 0x88CC, 0x8847, 0x8864, 0x88B5, 0x0040:
        yield f"EtherType {ethertype:04x}", own, dst, other(ethertype)
    yield "DHCP server", own, BROADCAST, ip4(v4, "255.255.255.255", 67, 68)
    yield "DHCP server, unicast", own, dst, ip4(v4, V4[to], 67, 68)
    yield "DHCP server, a tag", own, dst, tagged(ip4(v4, V4[to], 67, 68), VLAN)
    yield "DHCPv6 server", own, dst, ip6(link_local(s), V6[to], 547, 546)


def honest(s, to):
    """Frames that every known port may send."""
    own, dst, v4, v6, local = MACS[s], MACS[to], V4[s], V6[s], link_local(s)
    yield "IPv4", own, dst, ip4(v4, V4[to])
    yield "IPv4, ports of DHCP the other way", own, dst, ip4(v4, V4[to], 68, 67)
    yield "not UDP, but as DHCP begins", own, dst, ip4(v4, V4[to], 67, 68, proto=6)
    yield "IPv4, a fragment", own, dst, ip4(v4, V4[to], fragment=20)
    yield "IPv6", own, dst, ip6(v6, V6[to])
    yield "IPv6, link-local", own, dst, ip6(local, link_local(to))
    yield "IPv4, a tag", own, dst, tagged(ip4(v4, V4[to]), VLAN)
    yield "IPv6, a tag", own, dst, tagged(ip6(v6, V6[to]), VLAN)
    yield "broadcast", own, BROADCAST, ip4(v4, "255.255.255.255")
    yield "the subnet's broadcast", own, BROADCAST, ip4(v4, V4["gw"].rsplit(".", 1)[0] + ".255")
    yield "IPv4 multicast", own, "01:00:5e:00:00:fb", ip4(v4, "224.0.0.251", 5353, 5353)
    yield "IPv6 multicast", own, "33:33:00:00:00:fb", ip6(local, "ff02::fb", 5353, 5353)
    yield "IGMP", own, "01:00:5e:00:00:16", ip4(v4, "224.0.0.22", proto=2)
    yield "ARP request", own, BROADCAST, arp(1, own, v4, V4[to])
    yield "ARP reply", own, dst, arp(2, own, v4, V4[to], MACS[to])
    yield "ARP announcement", own, BROADCAST, arp(1, own, v4, v4)
    yield "NA", own, dst, icmp6(v6, V6[to], NA, v6)
    yield "NA, link-local", own, dst, icmp6(local, V6[to], NA, local)
    yield "NA to all", own, "33:33:00:00:00:01", icmp6(v6, "ff02::1", NA, v6)
    yield "NS", own, "33:33:ff:00:00:12", icmp6(v6, "ff02::1:ff00:12", NS, V6[to])
    yield "DHCPv6", own, "33:33:00:01:00:02", ip6(local, "ff02::1:2", 546, 547)


def waiting(s):
    """Frames of a host that has no address yet, which every port may send."""
    own, local = MACS[s], link_local(s)
    yield "DHCP client", own, BROADCAST, ip4("0.0.0.0", "255.255.255.255", 68, 67)
    yield "ARP probe", own, BROADCAST, arp(1, own, "0.0.0.0", V4[s])
    yield "DAD", own, "33:33:ff:00:00:11", icmp6("::", "ff02::1:ff00:11", NS, V6[s])
    yield "RS", own, "33:33:00:00:00:02", icmp6("::", "ff02::2", RS)
    yield "MLD from nobody", own, "33:33:00:00:00:16", icmp6("::", "ff02::16", MLD2, hop_by_hop=True)
    yield "MLD", own, "33:33:00:00:00:16", icmp6(local, "ff02::16", MLD2, hop_by_hop=True)
    yield "NS, link-local", own, "33:33:ff:00:00:12", icmp6(local, "ff02::1:ff00:12", NS, V6["b"])


def steered(s, known):
    """Packets of a flow with dockside, or with a host outside, to a neighbour."""
    own = MACS[s]
    for to in "b" if known else "ab":
        yield f"IPv4 steered to {to} by MAC", own, MACS[to], ip4(V4[s], V4["d"])
        yield f"IPv6 steered to {to} by MAC", own, MACS[to], ip6(V6[s], V6["d"])
        yield f"outward IPv4 steered to {to} by MAC", own, MACS[to], ip4(V4[s], FOREIGN4)
        yield f"IPv4 steered to {to} by MAC, a tag", own, MACS[to], tagged(ip4(V4[s], V4["d"]), VLAN)


def to_unknown(s, to):
    own, mac = MACS[s], MACS[to]
    yield f"a neighbour's IPv4 steered to {to}", own, mac, ip4(V4[s], V4["d"])
    yield f"a neighbour's IPv6 steered to {to}", own, mac, ip6(V6[s], V6["d"])
    yield f"the gateway's IPv4 steered to {to}", own, mac, ip4(V4[s], "172.30.1.1")
    yield f"outward IPv4 steered to {to}", own, mac, ip4(V4[s], FOREIGN4)


def cases():
    for what, *frame in forged_by("a", "b"):
        yield f"a: {what}", "a", *frame, NONE
    yield "a: MAC of nobody", "a", FOREIGN_MAC, MACS["b"], ip4(V4["a"], V4["b"]), NONE
    yield "a: IPv4 of nobody", "a", MACS["a"], MACS["b"], ip4("172.30.1.200", V4["b"]), NONE
    yield "a: IPv6 of nobody", "a", MACS["a"], MACS["b"], ip6("fd77:1::200", V6["b"]), NONE
    yield "a: ARP reply, MAC of nobody", "a", MACS["a"], MACS["b"], arp(2, FOREIGN_MAC, V4["a"], V4["b"]), NONE
    yield "a: NA, target of nobody", "a", MACS["a"], MACS["b"], icmp6(V6["a"], V6["b"], NA, "fd77:1::200"), NONE
    yield "a: extra of another network", "a", MACS["a"], MACS["b"], ip4(EXTRA4, V4["b"]), NONE
    for what, *frame in steered("a", True):
        yield f"a: {what}", "a", *frame, NONE
    for what, *frame in itertools.chain(honest("a", "b"), waiting("a")):
        yield f"a: {what}", "a", *frame, BOTH
    # x, whose container is not known, gets what is for the network and nobody's.
    for what, *frame in to_unknown("a", "x"):
        yield f"a: {what}", "a", *frame, NONE
    yield "a: IPv4 to x", "a", MACS["a"], MACS["x"], ip4(V4["a"], V4["x"]), LEARN
    yield "a: IPv6 to x", "a", MACS["a"], MACS["x"], ip6(V6["a"], V6["x"]), LEARN
    yield "a: ARP to x", "a", MACS["a"], MACS["x"], arp(2, MACS["a"], V4["a"], V4["x"]), BOTH
    for what, *frame in forged_by("x", "b"):
        yield f"x: {what}", "x", *frame, NONE
    for what, *frame in steered("x", False):
        yield f"x: {what}", "x", *frame, NONE
    for what, *frame in honest("x", "b"):
        yield f"x: {what}", "x", *frame, LEARN
    for what, *frame in waiting("x"):
        yield f"x: {what}", "x", *frame, BOTH
    # A port that is in no set may be a stranger's: only what is somebody's is refused.
    strange = ("RA", "redirect", "tags", "EtherType", "DHCP", "outside")
    for what, *frame in forged_by("n", "b"):
        if not any(word in what for word in strange):
            yield f"n: {what}", "n", *frame, NONE
    for what, *frame in itertools.chain(honest("n", "b"), waiting("n")):
        yield f"n: {what}", "n", *frame, BOTH
    # The other bridge has the same addresses, and is nobody's.
    for what, *frame in itertools.chain(forged_by("e", "f"), honest("e", "f"), waiting("e")):
        yield f"e: {what}", "e", *frame, BOTH
    # k and l are known ports of the network with the list of extra sources.
    own, dst = MACS["k"], MACS["l"]
    yield "k: extra IPv4", "k", own, dst, ip4(EXTRA4, V4["l"]), BOTH
    yield "k: extra IPv6", "k", own, dst, ip6(EXTRA6, V6["l"]), BOTH
    yield "l: extra MAC, own address", "l", EXTRA_MAC, own, ip4(V4["l"], V4["k"]), BOTH
    yield "l: extra MAC, extra address", "l", EXTRA_MAC, own, ip4(EXTRA4, V4["k"]), BOTH
    yield "l: ARP of an extra address", "l", EXTRA_MAC, own, arp(2, EXTRA_MAC, EXTRA4, V4["k"]), BOTH
    yield "k: NA of an extra address", "k", own, dst, icmp6(EXTRA6, V6["l"], NA, EXTRA6), BOTH
    yield "k: to an extra address", "k", own, dst, ip4(V4["k"], EXTRA4), BOTH
    yield "k: to an extra MAC", "k", own, EXTRA_MAC, ip6(V6["k"], EXTRA6), BOTH
    yield "k: not quite extra IPv4", "k", own, dst, ip4("10.10.0.7", V4["l"]), NONE
    yield "l: extra MAC, a neighbour's address", "l", EXTRA_MAC, own, ip4(V4["d"], V4["k"]), NONE
    yield "k: a neighbour's address", "k", own, dst, ip4(V4["l"], V4["l"]), NONE
    yield "k: NA of nobody", "k", own, dst, icmp6(V6["k"], V6["l"], NA, "fd77:2::200"), NONE
    yield "k: RA", "k", own, "33:33:00:00:00:01", icmp6(link_local("k"), "ff02::1", RA), NONE


# ---- sending and seeing ----------------------------------------------------------------------------


def enter(path):
    with open(path, "rb") as f:
        if LIBC.setns(f.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")


class Place:
    def __init__(self, name, interface):
        self.name = name
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.setblocking(False)

    def seen(self):
        """The markers of what has entered here."""
        while True:
            try:
                frame, address = self.socket.recvfrom(2048)
            except BlockingIOError:
                return
            at = frame.find(b"bind.py:")
            if address[2] != PACKET_OUTGOING and at >= 0:
                yield int(frame[at + 8:at + 16], 16)


def places():
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    found = {name: Place(name, name) for name in ("ds-a", "ds-b", "br-x")}
    for name in MACS:
        if name == "gw":
            continue
        enter(f"/run/netns/{name}")
        found[name] = Place(name, "eth0")
        LIBC.setns(home, 0)
    return found


def marked(src, dst, make):
    number = next(MARKERS)
    protocol, data = make(b"bind.py:%08x" % number)
    return number, mac(dst) + mac(src) + struct.pack("!H", protocol) + data


class Watch:
    def __init__(self):
        self.places = places()
        self.arrived = {}

    def look(self, wanted):
        deadline = time.monotonic() + 10
        sockets = {p.socket: p for p in self.places.values()}
        while wanted not in self.arrived:
            ready, _, _ = select.select(list(sockets), [], [], deadline - time.monotonic())
            if not ready:
                raise SystemExit("the request behind a frame did not arrive")
            for s in ready:
                for number in sockets[s].seen():
                    self.arrived.setdefault(number, set()).add(sockets[s].name)

    def try_frame(self, sender, src, dst, make):
        """Sends it, and returns the places that it arrived at."""
        number, frame = marked(src, dst, make)
        request, behind = marked(MACS[sender], BROADCAST, arp(1, MACS[sender], "0.0.0.0", V4[sender]))
        s = self.places[sender].socket
        s.send(frame)
        s.send(behind)
        self.look(request)
        for place in self.places.values():
            for seen in place.seen():
                self.arrived.setdefault(seen, set()).add(place.name)
        return self.arrived.get(number, set()) - {sender}


def main():
    table, mode = sys.argv[1:3]
    watch = Watch()
    # The bridges learn from these which MAC address is where.
    for name in MACS:
        if name != "gw":
            watch.try_frame(name, MACS[name], BROADCAST, arp(1, MACS[name], "0.0.0.0", V4[name]))
    counts = {True: 0, False: 0}
    for what, sender, src, dst, make, modes in cases():
        wanted = table == "open" or mode in modes
        counts[wanted] += 1
        arrived = watch.try_frame(sender, src, dst, make)
        if bool(arrived) != wanted:
            print(f"{what}: {'arrived at ' + ' '.join(sorted(arrived)) if arrived else 'did not arrive'}")
        if "-v" in sys.argv:
            print(f"# {what}: {' '.join(sorted(arrived)) or '-'}", file=sys.stderr)
    print(f"{counts[True]} pass, {counts[False]} do not", file=sys.stderr)


main()
