#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Raw packets from containers, for forged.sh, which builds the network.

forge.py SCENARIO sends the scenario's packets and prints a line for each that arrived where it must not, or
did not arrive where it must. Each packet has a marker of its own. A packet is seen in a namespace when a frame with
its marker enters there (so a quote in an ICMP error counts), and on the host when the input hook let it through.
`forge.py SCENARIO -v` prints all packets.
"""
import ctypes
import itertools
import select
import socket
import struct
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
SYN, ACK, PSH = 2, 16, 8
SO_RCVBUFFORCE = 33

# The containers and hosts that forged.sh builds. Each has an IPv4 and an IPv6 address.
ADDRESSES = {
    "a": ("172.30.1.11", "fd77:1::11"), "b": ("172.30.1.12", "fd77:1::12"), "d": ("172.30.1.2", "fd77:1::2"),
    "u": ("172.30.2.11", "fd77:2::11"), "d2": ("172.30.2.2", "fd77:2::2"), "m": ("172.30.3.11", "fd77:3::11"),
    "ds-a": ("172.30.1.1", "fd77:1::1"), "ds-b": ("172.30.2.1", "fd77:2::1"),
    "uplink": ("192.0.2.1", "2001:db8:ffff::1"),
    "allowed": ("198.51.100.53", "2001:db8:51::53"), "denied": ("203.0.113.66", "2001:db8:113::66"),
}
BRIDGE_OF = {"a": "ds-a", "b": "ds-a", "d": "ds-a", "u": "ds-b", "m": "ds-c"}
CONTAINERS = ["a", "b", "d", "u", "m"]


# ---- packets ---------------------------------------------------------------------------------------


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def is6(address):
    return ":" in address


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if is6(address) else socket.AF_INET, address)


def with_sum(src, dst, proto, segment, at, length=None):
    """The segment with the transport checksum at that offset."""
    length = len(segment) if length is None else length
    pseudo = packed(src) + packed(dst) + struct.pack("!II", length, proto)
    value = checksum(pseudo + segment) or 0xFFFF
    return segment[:at] + struct.pack("!H", value) + segment[at + 2:]


def ip(src, dst, proto, body, ttl=64):
    if is6(src):
        return struct.pack("!IHBB", 6 << 28, len(body), proto, ttl) + packed(src) + packed(dst) + body
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, ttl, proto, 0) + packed(src) + packed(dst)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def udp(src, dst, sport, dport, data, ttl=64, length=None):
    size = 8 + len(data)
    segment = struct.pack("!HHHH", sport, dport, size if length is None else length, 0) + data
    return ip(src, dst, UDP, with_sum(src, dst, UDP, segment, 6, size), ttl)


def tcp(src, dst, sport, dport, flags, data=b"", seq=1, ttl=64):
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq, 1, 0x50, flags, 65535, 0, 0) + data
    return ip(src, dst, TCP, with_sum(src, dst, TCP, segment, 16), ttl)


def icmp(src, dst, kind, code, data, rest=bytes(4), ttl=64):
    segment = struct.pack("!BBH", kind, code, 0) + rest + data
    if is6(src):
        return ip(src, dst, ICMP6, with_sum(src, dst, ICMP6, segment, 2), ttl)
    return ip(src, dst, ICMP, segment[:2] + struct.pack("!H", checksum(segment)) + segment[4:], ttl)


def echo(src, dst, data, ident=7, ttl=64):
    return icmp(src, dst, 128 if is6(src) else 8, 0, data, struct.pack("!HH", ident, 1), ttl)


# ICMP errors: type, code, and the word before the quote
ERRORS4 = {"unreachable": (3, 3, bytes(4)), "too big": (3, 4, struct.pack("!HH", 0, 1280)),
           "time exceeded": (11, 0, bytes(4)), "parameter problem": (12, 0, bytes(4))}
ERRORS6 = {"unreachable": (1, 4, bytes(4)), "too big": (2, 0, struct.pack("!I", 1280)),
           "time exceeded": (3, 0, bytes(4)), "parameter problem": (4, 0, bytes(4))}


def error(name, src, dst, quote, data):
    kind, code, rest = (ERRORS6 if is6(src) else ERRORS4)[name]
    return icmp(src, dst, kind, code, quote + data, rest)


def first_fragment(src, dst, ident, data):
    """Makes the first fragment of a UDP datagram whose other fragments nobody sends."""
    body = struct.pack("!HHHH", 4000, 53, 2000, 0) + data
    body += bytes(-len(body) % 8)
    if is6(src):
        return ip(src, dst, 44, struct.pack("!BBHI", UDP, 0, 1, ident) + body)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), ident, 0x2000, 64, UDP, 0) + packed(src) + packed(dst)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def with_option(src, dst, header, data):
    """UDP behind a hop-by-hop (0) or destination (60) header with an option that nobody knows: 0x80 asks for an
    ICMP error even of a packet to a group."""
    behind = udp(src, dst, 4000, 53, data)[40:]
    return ip(src, dst, header, struct.pack("!BBBB", UDP, 0, 0x80, 4) + bytes(4) + behind)


def with_jumbo(src, dst, data):
    """UDP behind a hop-by-hop header with a jumbo payload option that is too small to be one."""
    behind = udp(src, dst, 4000, 53, data)[40:]
    return ip(src, dst, 0, struct.pack("!BBBBI", UDP, 0, 0xC2, 4, 10) + behind)


# ---- sockets in namespaces -------------------------------------------------------------------------


class Lab:
    def __init__(self):
        self.home = open("/proc/self/ns/net")
        self.serial = itertools.count(1)
        self.probes, self.seen, self.keep = [], {}, []
        self.sniffers = {}
        for who in CONTAINERS + ["outside"]:
            s = self.open_in(who, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
            self.sniffers[s] = who
        for family, protos in ((socket.AF_INET, (TCP, UDP, ICMP)), (socket.AF_INET6, (TCP, UDP, ICMP6))):
            for proto in protos:
                self.sniffers[self.open_in("host", family, socket.SOCK_RAW, proto)] = "host"
        self.senders, self.macs = {}, {}
        for who in CONTAINERS:
            s = self.open_in(who, socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("eth0", 0))
            self.senders[who], self.macs[who] = s, s.getsockname()[4]
        for bridge in set(BRIDGE_OF.values()):
            with open(f"/sys/class/net/{bridge}/address") as f:
                self.macs[bridge] = bytes.fromhex(f.read().strip().replace(":", ""))

    def open_in(self, namespace, *args):
        if namespace == "host":
            return socket.socket(*args)
        with open(f"/run/netns/{namespace}") as there:
            if LIBC.setns(there.fileno(), 0x40000000):
                raise OSError(ctypes.get_errno(), f"setns {namespace}")
            try:
                return socket.socket(*args)
            finally:
                LIBC.setns(self.home.fileno(), 0x40000000)

    def marker(self):
        return b"<forged %04d>" % next(self.serial)

    def try_(self, what, sender, make, *arrives, to=None, tags=()):
        """Sends the packet that make(MARKER) gives, in a frame to `to` (a container, a bridge, or a MAC), the
        sender's bridge unless given, with VLAN tags; it is to arrive there and nowhere else."""
        marker = self.marker()
        packet = make(marker * 2)
        frame = self.macs.get(to or BRIDGE_OF[sender], to) + self.macs[sender]
        frame += b"".join(struct.pack("!HH", tag, 0) for tag in tags)
        frame += (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet
        try:
            self.senders[sender].send(frame)
        except OSError as e:
            sys.exit(f"{what}: {e}")
        self.probes.append((marker, what, set(arrives), sender))
        self.collect(0)

    def collect(self, seconds):
        """Until nothing has come for so long."""
        while ready := select.select(list(self.sniffers), [], [], seconds)[0]:
            for s in ready:
                data, address = s.recvfrom(65535)
                if s.family == socket.AF_PACKET and address[2] in (3, 4):
                    continue  # for another host's MAC; our own
                at = -1
                while (at := data.find(b"<forged ", at + 1)) >= 0:
                    self.seen.setdefault(data[at:at + 13], set()).add(self.sniffers[s])

    def judge(self, verbose):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and any(
                not want <= self.seen.get(marker, set()) for marker, _, want, _ in self.probes):
            self.collect(0.1)
        self.collect(0.3)
        for marker, what, want, sender in self.probes:
            got = self.seen.get(marker, set())
            got = got if sender in want else got - {sender}  # answers, errors and redirects
            if got != want or verbose:
                print(f"{what}: seen by {', '.join(sorted(got)) or 'nobody'}; "
                      f"wanted {', '.join(sorted(want)) or 'nobody'}")
        if not self.probes:
            print("no packet was sent")

    # ---- connections that are open while others attack

    def server(self, who, address, port, kind=socket.SOCK_STREAM):
        s = self.open_in(who, socket.AF_INET6 if is6(address) else socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        if kind == socket.SOCK_STREAM:
            s.listen(8)
        s.settimeout(5)
        self.keep.append(s)
        return s

    def client(self, who, address, port, to, to_port, kind=socket.SOCK_STREAM):
        """A connection that the other side has answered."""
        s = self.open_in(who, socket.AF_INET6 if is6(address) else socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.settimeout(5)
        try:
            s.connect((to, to_port))
        except OSError as e:
            sys.exit(f"{who} {address}:{port} to {to}:{to_port}: {e}")
        self.keep.append(s)
        return s

    def udp_flow(self, who, address, port, server, to, to_port):
        """One that both sides have sent in."""
        s = self.client(who, address, port, to, to_port, socket.SOCK_DGRAM)
        s.send(b"question")
        _, peer = server.recvfrom(100)
        server.sendto(b"answer", peer)
        s.recv(100)
        return s


# ---- scenarios -------------------------------------------------------------------------------------


def both():
    """Per family: what it is called, and the addresses by name."""
    for family, name in enumerate(("IPv4", "IPv6")):
        yield name, {who: pair[family] for who, pair in ADDRESSES.items()}


def open_flows(lab, at, port):
    """An outsider's connection to dockside's published port, and dockside's to its neighbours. The port is the
    scenario's own: a connection before may still be in TIME_WAIT."""
    lab.server("d", at["d"], 443)
    lab.client("outside", at["denied"], port, at["uplink"], 443)
    lab.server("b", at["b"], 80)
    lab.client("d", at["d"], port, at["b"], 80)
    lab.server("u", at["u"], 80)
    lab.client("d", at["d2"], port, at["u"], 80)


def control(lab, name, at):
    """A packet that the policy allows, and one that it refuses, so that a scenario shows both."""
    lab.try_(f"{name}: allowed UDP", "a", lambda m: udp(at["a"], at["allowed"], 4000, 53, m), "outside")
    lab.try_(f"{name}: denied UDP", "a", lambda m: udp(at["a"], at["denied"], 4000, 53, m))


def errors(lab):
    for name, at in both():
        open_flows(lab, at, 1001)
        published = tcp(at["denied"], at["d"], 1001, 443, ACK)
        lateral = tcp(at["b"], at["d"], 80, 1001, ACK)
        across = tcp(at["u"], at["d2"], 80, 1001, ACK)
        for kind in ERRORS4:
            def make(src, dst, quote):
                return lambda m: error(kind, at[src], at[dst], quote, m)
            lab.try_(f"{name} {kind} to a denied destination, about its connection with dockside", "a",
                     make("a", "denied", published))
            lab.try_(f"{name} {kind} to an allowed one, about that", "a", make("a", "allowed", published))
            lab.try_(f"{name} {kind} to a neighbour, about dockside's connection", "a", make("a", "b", lateral), to="b")
            lab.try_(f"{name} {kind} to a neighbour through the gateway", "a", make("a", "b", lateral))
            lab.try_(f"{name} {kind} to another network, about dockside's connection", "a", make("a", "u", across))
            lab.try_(f"{name} {kind} from another network", "u", make("u", "b", lateral))
            # These have the same conntrack state, but nobody's policy is against them.
            lab.try_(f"{name} {kind} from an unmanaged network", "m", make("m", "b", lateral), "b")
            lab.try_(f"{name} {kind} from dockside", "d", make("d", "denied", published), "outside")
        control(lab, name, at)


def forged(lab):
    """Sources of others, to what answers or quotes: with hop limit 1, and to the host."""
    for name, at in both():
        open_flows(lab, at, 1002)
        host_udp = lab.server("host", "::" if is6(at["a"]) else "0.0.0.0", 5353, socket.SOCK_DGRAM)
        lab.udp_flow("outside", at["denied"], 5000, host_udp, at["uplink"], 5353)
        ping = lab.open_in("outside", socket.AF_INET6 if is6(at["a"]) else socket.AF_INET, socket.SOCK_RAW,
                          ICMP6 if is6(at["a"]) else ICMP)
        ping.bind((at["denied"], 0))
        ping.sendto(echo(at["denied"], at["uplink"], b"open", 99)[40 if is6(at["a"]) else 20:], (at["uplink"], 0))
        for container, others in (("a", ("denied", "allowed", "u", "m", "ds-b", "uplink")),
                                  ("u", ("denied", "allowed", "a", "m", "ds-a", "uplink"))):
            for other in others:
                def say(what):
                    return f"{name}: {what} from {container} as {other}"
                lab.try_(say("hop limit 1, UDP"), container,
                         lambda m: udp(at[other], at["allowed"], 4000, 53, m, ttl=1))
                lab.try_(say("hop limit 1, TCP"), container,
                         lambda m: tcp(at[other], at["allowed"], 4000, 443, SYN, m, ttl=1))
                lab.try_(say("UDP to the host"), container, lambda m: udp(at[other], at["uplink"], 4000, 5353, m))
                lab.try_(say("echo to the host"), container, lambda m: echo(at[other], at["uplink"], m))
                lab.try_(say("echo to the bridge"), container,
                         lambda m: echo(at[other], at[BRIDGE_OF[container]], m))
                lab.try_(say("allowed UDP"), container, lambda m: udp(at[other], at["allowed"], 4000, 53, m))
                lab.try_(say("UDP to a closed port"), container, lambda m: udp(at[other], at["uplink"], 4000, 9, m))
            # of connections that conntrack knows
            lab.try_(f"{name}: segment of the published connection from {container}", container,
                     lambda m: tcp(at["denied"], at["uplink"], 1002, 443, ACK | PSH, m))
            lab.try_(f"{name}: the same with hop limit 1", container,
                     lambda m: tcp(at["denied"], at["uplink"], 1002, 443, ACK | PSH, m, ttl=1))
            lab.try_(f"{name}: echo of the open flow from {container}", container,
                     lambda m: echo(at["denied"], at["uplink"], m, ident=99))
            lab.try_(f"{name}: UDP of the open flow from {container}", container,
                     lambda m: udp(at["denied"], at["uplink"], 5000, 5353, m))
        lab.try_(f"{name}: answer in another network's connection, hop limit 1", "a",
                 lambda m: tcp(at["u"], at["d2"], 80, 1002, ACK | PSH, m, ttl=1))
        # The same kinds with one's own address
        lab.try_(f"{name}: hop limit 1, UDP", "a", lambda m: udp(at["a"], at["allowed"], 4001, 53, m, ttl=1), "a")
        lab.try_(f"{name}: hop limit 1, TCP", "u",
                 lambda m: tcp(at["u"], at["allowed"], 4001, 443, SYN, m, ttl=1), "u")
        lab.try_(f"{name}: UDP to the host", "a", lambda m: udp(at["a"], at["uplink"], 4001, 5353, m), "host")
        lab.try_(f"{name}: echo to the host", "a", lambda m: echo(at["a"], at["uplink"], m), "host", "a")
        lab.try_(f"{name}: echo to the host", "u", lambda m: echo(at["u"], at["uplink"], m), "host", "u")
        control(lab, name, at)


def gateway(lab):
    """The host's own addresses as a source."""
    for name, at in both():
        for other in ("ds-a", "ds-b", "uplink"):
            lab.try_(f"{name}: UDP to the host as {other}", "a", lambda m: udp(at[other], at["ds-a"], 4000, 5353, m))
            lab.try_(f"{name}: echo to the host as {other}", "a", lambda m: echo(at[other], at["uplink"], m))
            lab.try_(f"{name}: allowed UDP as {other}", "a", lambda m: udp(at[other], at["allowed"], 4000, 53, m))
            lab.try_(f"{name}: hop limit 1 as {other}", "a", lambda m: udp(at[other], at["allowed"], 4000, 53, m, ttl=1))
            lab.try_(f"{name}: to a neighbour as {other}", "a", lambda m: udp(at[other], at["b"], 4000, 53, m), to="b")
        for own in ("127.0.0.1", "127.0.0.2") if name == "IPv4" else ("::1", "::"):
            lab.try_(f"{name}: UDP to the host as {own}", "a", lambda m: udp(own, at["ds-a"], 4000, 5353, m))
            lab.try_(f"{name}: allowed UDP as {own}", "a", lambda m: udp(own, at["allowed"], 4000, 53, m))
        control(lab, name, at)


def bridge_addresses(lab):
    """Sources that no container has on a bridge: its broadcast address; the host's, in its flows with a neighbour."""
    for name, at in both():
        server = lab.server("b", at["b"], 7000, socket.SOCK_DGRAM)
        lab.udp_flow("host", at["ds-a"], 7001, server, at["b"], 7000)
        lab.try_(f"{name}: UDP of the host's flow to a neighbour", "a",
                 lambda m: udp(at["ds-a"], at["b"], 7001, 7000, m), to="b")
        lab.try_(f"{name}: the same through the gateway", "a", lambda m: udp(at["ds-a"], at["b"], 7001, 7000, m))
        control(lab, name, at)
    at = list(both())[0][1]
    for broadcast in ("172.30.1.255", "10.99.8.255"):
        lab.try_(f"hop limit 1 as {broadcast}", "a", lambda m: udp(broadcast, at["allowed"], 4000, 53, m, ttl=1))
        lab.try_(f"UDP to the host as {broadcast}", "a", lambda m: udp(broadcast, at["uplink"], 4000, 5353, m))
        lab.try_(f"echo to the host as {broadcast}", "a", lambda m: echo(broadcast, at["uplink"], m))


def early(lab):
    """Packets that the host answers before a chain at priority raw has seen them: fragments whose others never come,
    faulty hop-by-hop options in frames that br_netfilter does not look into."""
    ident = 1000
    for name, at in both():
        for other in ("denied", "u", "uplink", "ds-b"):
            for to in ("uplink", "ds-a", "allowed", "b"):
                ident += 1
                lab.try_(f"{name}: lone fragment to {to} as {other}", "a",
                         lambda m: first_fragment(at[other], at[to], ident, m))
        lab.try_(f"{name}: lone fragment to the host", "a", lambda m: first_fragment(at["a"], at["ds-a"], 9, m), "a")
    for tags in ((), (0x8100,), (0x88A8,), (0x8100, 0x8100), (0x88A8, 0x8100)):
        for other in ("denied", "u", "ds-a"):
            for to in ("uplink", "allowed"):
                lab.try_(f"hop-by-hop option to {to} as {other}, {len(tags)} tags", "a",
                         lambda m: with_option(at[other], at[to], 0, m), tags=tags)
                lab.try_(f"jumbo option to {to} as {other}, {len(tags)} tags", "a",
                         lambda m: with_jumbo(at[other], at[to], m), tags=tags)
                lab.try_(f"destination option to {to} as {other}, {len(tags)} tags", "a",
                         lambda m: with_option(at[other], at[to], 60, m), tags=tags)
    lab.try_("destination option, allowed", "a", lambda m: with_option(at["a"], at["allowed"], 60, m), "outside")
    lab.collect(1.5)


def reserved_macs(lab):
    """Frames to 01:80:c2:00:00:02 and up, but the bridge's group address, enter the host by the port, not by the
    bridge (802.1D's reserved addresses), where no rule on the bridge's name sees them."""
    for last in range(0x10):
        to = bytes.fromhex("0180c20000%02x" % last)
        for name, at in both():
            def say(what):
                return f"{name}: {what} at reserved address {last:02x}"
            lab.try_(say("closed port of the host"), "a", lambda m: udp(at["a"], at["uplink"], 4000, 5354, m), to=to)
            lab.try_(say("closed TCP port of the host"), "a",
                     lambda m: tcp(at["a"], at["uplink"], 4000, 22, SYN, m), to=to)
            lab.try_(say("echo as a denied destination"), "a", lambda m: echo(at["denied"], at["uplink"], m), to=to)
            lab.try_(say("echo as another network's"), "a", lambda m: echo(at["u"], at["uplink"], m), to=to)
            lab.try_(say("denied UDP"), "a", lambda m: udp(at["a"], at["denied"], 4000, 53, m), to=to)
            lab.try_(say("UDP to a neighbour"), "a", lambda m: udp(at["a"], at["b"], 4000, 53, m), to=to)
            if name == "IPv6":
                port = link_local_of("v-a")
                lab.try_(say("hop-by-hop option"), "a", lambda m: with_option(at["denied"], at["uplink"], 0, m), to=to)
                lab.try_(say("the port's own address"), "a", lambda m: udp(at["a"], port, 4000, 5354, m), to=to)
                lab.try_(say("to all nodes"), "a", lambda m: udp(at["a"], "ff02::1", 4000, 5354, m), to=to)
                lab.try_(say("router advertisement"), "a",
                         lambda m: icmp("fe80::bad", "ff02::1", 134, 0, m, ttl=255), to=to)
            else:
                lab.try_(say("loopback"), "a", lambda m: udp(at["a"], "127.0.0.1", 4000, 5353, m), to=to)
    for name, at in both():
        lab.try_(f"{name}: echo to the host", "a", lambda m: echo(at["a"], at["uplink"], m), "host", "a")


def host_flows(lab):
    """ICMP errors to the host about its flows with others, and router advertisements where it listens to them."""
    for name, at in both():
        server = lab.server("outside", at["denied"], 8888, socket.SOCK_DGRAM)
        lab.udp_flow("host", at["uplink"], 8001, server, at["denied"], 8888)
        quote = udp(at["uplink"], at["denied"], 8001, 8888, b"")
        server = lab.server("a", at["a"], 8888, socket.SOCK_DGRAM)
        lab.udp_flow("host", at["ds-a"], 8002, server, at["a"], 8888)
        own = udp(at["ds-a"], at["a"], 8002, 8888, b"")
        for kind in ERRORS4:
            lab.try_(f"{name}: {kind} about the host's flow with a denied destination", "a",
                     lambda m: error(kind, at["a"], at["uplink"], quote, m))
            lab.try_(f"{name}: {kind} about its flow with the container", "a",
                     lambda m: error(kind, at["a"], at["ds-a"], own, m), "host")
    all_nodes = bytes.fromhex("333300000001")
    for container in ("a", "u"):
        lab.try_(f"router advertisement from {container}", container,
                 lambda m: icmp("fe80::bad", "ff02::1", 134, 0, bytes(8) + m, ttl=255), to=all_nodes)
        lab.try_(f"redirect from {container}", container,
                 lambda m: icmp("fe80::bad", at[BRIDGE_OF[container]], 137, 0, bytes(32) + m, ttl=255))


def host_rules(lab):
    """a's network has host rules, u's none."""
    for name, at in both():
        for to in ("ds-a", "ds-b", "uplink"):
            lab.try_(f"{name}: closed port of {to}", "a", lambda m: udp(at["a"], at[to], 4000, 5354, m))
            lab.try_(f"{name}: open port of {to}", "a", lambda m: udp(at["a"], at[to], 4000, 5353, m), "host")
            if name == "IPv6":
                lab.try_(f"UDP of length 0 to a closed port of {to}", "a",
                         lambda m: udp(at["a"], at[to], 4002, 5354, m, length=0))
                lab.try_(f"UDP of length 0 to an open port of {to}", "a",
                         lambda m: udp(at["a"], at[to], 4002, 5353, m, length=0))
        dhcp = 547 if name == "IPv6" else 67
        for to, arrives in (("ds-a", ["host"]), ("ds-b", []), ("uplink", [])):
            lab.try_(f"{name}: DHCP to {to}", "a", lambda m: udp(at["a"], at[to], dhcp + 1, dhcp, m), *arrives)
    group, all_ones = bytes.fromhex("333300010002"), b"\xff" * 6
    link_local = link_local_of("ds-a")
    server = lab.server("host", "::", 547, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                      packed("ff02::1:2") + struct.pack("@I", socket.if_nametoindex("ds-a")))
    lab.try_("DHCPv6 to all servers", "a", lambda m: udp("fe80::1234", "ff02::1:2", 546, 547, m), "host", to=group)
    lab.try_("DHCPv6 to the bridge's link-local address", "a", lambda m: udp("fd77:1::11", link_local, 546, 547, m), "host")
    lab.try_("another port of that", "a", lambda m: udp("fd77:1::11", link_local, 546, 548, m))
    for src, dst in (("0.0.0.0", "255.255.255.255"), ("172.30.1.11", "255.255.255.255"), ("172.30.1.11", "172.30.1.255")):
        lab.try_(f"DHCP from {src} to {dst}", "a", lambda m: udp(src, dst, 68, 67, m), "host", to=all_ones)
        lab.try_(f"another port from {src} to {dst}", "a", lambda m: udp(src, dst, 68, 69, m), to=all_ones)


def link_local_of(interface):
    with open("/proc/net/if_inet6") as f:
        for line in f:
            address, _, _, scope, _, name = line.split()
            if name == interface and scope == "20":
                return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address))
    sys.exit(f"{interface} has no link-local address")


def untracked(lab):
    """ICMPv6 that conntrack keeps no record of, between containers and to a host with host rules."""
    at = list(both())[1][1]
    multicast = bytes.fromhex("333300000001")
    passes = {135, 136}                     # neighbour solicitation and advertisement
    to_all = passes | {131, 132, 143}       # listeners' reports
    for kind in range(130, 154):
        def make(dst):
            return lambda m: icmp(at["a"], dst, kind, 0, bytes(16) + m, ttl=255)
        lab.try_(f"type {kind} to a neighbour", "a", make(at["b"]), *["b"] * (kind in passes), to="b")
        lab.try_(f"type {kind} to a neighbour, through the gateway", "a", make(at["b"]), *["b"] * (kind in passes))
        lab.try_(f"type {kind} to all nodes", "a", make("ff02::1"), *["b", "d", "host"] * (kind in to_all), to=multicast)
        lab.try_(f"type {kind} to the host", "a", make(at["ds-a"]), *["host"] * (kind in passes))
        lab.try_(f"type {kind} to a denied destination", "a", make(at["denied"]))
        lab.try_(f"type {kind} to another network", "a", make(at["u"]))
    advert = struct.pack("!BBHII", 64, 0x08, 1800, 0, 0)[1:]
    lab.try_("a router advertisement of high preference", "a",
             lambda m: icmp("fe80::bad", "ff02::1", 134, 0, advert[3:] + m, advert[:4], ttl=255), to=multicast)
    lab.try_("a redirect", "a", lambda m: icmp("fe80::bad", at["b"], 137, 0, packed(at["a"]) * 2 + m, ttl=255), to="b")


def notrack(lab):
    """An administrator's rule makes udp/53 untracked."""
    for name, at in both():
        lab.try_(f"{name}: untracked to a neighbour", "a", lambda m: udp(at["a"], at["b"], 4000, 53, m), to="b")
        lab.try_(f"{name}: untracked, port 53 to any of a neighbour", "a",
                 lambda m: udp(at["a"], at["b"], 53, 80, m), to="b")
        lab.try_(f"{name}: untracked to a denied destination", "a", lambda m: udp(at["a"], at["denied"], 4000, 53, m))
        lab.try_(f"{name}: untracked, from port 53 to that", "a", lambda m: udp(at["a"], at["denied"], 53, 4000, m))
        lab.try_(f"{name}: untracked to another network", "a", lambda m: udp(at["a"], at["u"], 4000, 53, m))
        lab.try_(f"{name}: untracked to the host", "a", lambda m: udp(at["a"], at["uplink"], 4000, 53, m))
        lab.try_(f"{name}: untracked, from port 53 to the host", "a", lambda m: udp(at["a"], at["uplink"], 53, 5354, m))
        lab.try_(f"{name}: untracked, allowed", "a", lambda m: udp(at["a"], at["allowed"], 4000, 53, m), "outside")
        lab.try_(f"{name}: untracked to an open port of the host", "a",
                 lambda m: udp(at["a"], at["uplink"], 53, 5353, m), "host")


def loopback(lab):
    """route_localnet is on: a's network has a host rule that allows the ports, u's has no host rules."""
    at = list(both())[0][1]
    for container, closed in (("a", False), ("u", True)):
        for dst in ("127.0.0.1", "127.0.0.53", "127.255.255.254"):
            for src in (at[container], "127.0.0.1", at["denied"], at["ds-a"], "0.0.0.0"):
                lab.try_(f"UDP to {dst} from {container} as {src}", container, lambda m: udp(src, dst, 4000, 5353, m))
                lab.try_(f"TCP to {dst} from {container} as {src}", container,
                         lambda m: tcp(src, dst, 4000, 8080, SYN, m))
                lab.try_(f"DHCP to {dst} from {container} as {src}", container, lambda m: udp(src, dst, 68, 67, m))
            lab.try_(f"echo to {dst} from {container}", container, lambda m: echo(at[container], dst, m))
        lab.try_(f"UDP to the host from {container}", container,
                 lambda m: udp(at[container], at["uplink"], 4000, 5353, m), "host")
        lab.try_(f"TCP to the host from {container}", container,
                 lambda m: tcp(at[container], at["uplink"], 4000, 8080, SYN, m), "host")
        lab.try_(f"another port from {container}", container,
                 lambda m: udp(at[container], at["uplink"], 4000, 5354, m), *["host"] * closed)


def inward(lab):
    """Packets that a container needs have to come in, and routers' errors about its own connections, too."""
    for name, at in both():
        v6 = is6(at["a"])
        server = lab.server("outside", at["allowed"], 53, socket.SOCK_DGRAM)
        lab.udp_flow("a", at["a"], 4010, server, at["allowed"], 53)
        wire = lab.open_in("outside", socket.AF_PACKET, socket.SOCK_RAW)
        wire.bind(("up0", 0))
        with open("/sys/class/net/up0/address") as f:
            to = bytes.fromhex(f.read().strip().replace(":", ""))
        quote = udp(at["a"], at["allowed"], 4010, 53, b"")
        if not v6:  # as the uplink has it, behind Docker's masquerade
            quote = udp(at["uplink"], at["allowed"], 4010, 53, b"")
        dst = at["a"] if v6 else at["uplink"]
        for kind in ERRORS4:
            marker = lab.marker()
            packet = error(kind, at["allowed"], dst, quote, marker * 2)
            wire.send(to + wire.getsockname()[4] + (b"\x86\xdd" if v6 else b"\x08\x00") + packet)
            lab.probes.append((marker, f"{name}: {kind} to a container", {"a"}, "outside"))
        # an extra subnet behind a container, another address on its interface, a second subnet on the bridge
        for extra in ("fd99:9::1", "fd77:1::77", "fd99:8::5") if v6 else ("10.99.9.1", "172.30.1.77", "10.99.8.5"):
            lab.try_(f"{name}: allowed UDP from {extra}", "b", lambda m: udp(extra, at["allowed"], 4000, 53, m), "outside")
            lab.try_(f"{name}: denied UDP from {extra}", "b", lambda m: udp(extra, at["denied"], 4000, 53, m))
            lab.try_(f"{name}: {extra} from another bridge", "u", lambda m: udp(extra, at["allowed"], 4000, 53, m))
        if not v6:  # what a DHCP server answers to who has no address yet
            offer = lab.open_in("host", socket.AF_INET, socket.SOCK_DGRAM)
            offer.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            offer.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"ds-a")
            offer.bind(("0.0.0.0", 67))
            marker = lab.marker()
            offer.sendto(marker, ("255.255.255.255", 68))
            lab.probes.append((marker, "a DHCP answer", {"a", "b", "d"}, "host"))
        lab.try_(f"{name}: hairpin to the published port", "u",
                 lambda m: tcp(at["u"], at["uplink"], 4020, 443, SYN, m), "d")
        big = lab.client("a", at["a"], 4030, at["allowed"], 53, socket.SOCK_DGRAM)
        marker = lab.marker()
        big.send(bytes(3000) + marker)
        lab.probes.append((marker, f"{name}: the last fragment of a datagram", {"outside"}, "a"))


def dockside(lab):
    """The dockside container has its default route over ds-a and answers for its address on ds-b."""
    for name, at in both():
        lab.server("d", at["d2"], 443)
        c = lab.client("outside", at["denied"], 2345, at["uplink"], 8443)
        c.close()
        lab.try_(f"{name}: as dockside's other address, from where dockside is not", "m",
                 lambda m: echo(at["m"], at["allowed"], m), "outside")


def refused(lab):
    """One forged packet each, for what tells of it."""
    for name, at in both():
        lab.try_(f"{name}: as a denied destination", "a", lambda m: echo(at["denied"], at["uplink"], m))


SCENARIOS = {f.__name__: f for f in (errors, forged, gateway, bridge_addresses, early, reserved_macs, host_flows, host_rules,
                                     untracked, notrack, loopback, inward, dockside, refused)}

if __name__ == "__main__":
    the_lab = Lab()
    SCENARIOS[sys.argv[1]](the_lab)
    the_lab.judge("-v" in sys.argv[2:])
