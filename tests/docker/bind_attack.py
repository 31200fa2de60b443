#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Forges frames on a bridge port and looks at what arrives, see bind.sh.

usage: bind_attack.py NAME MAC IPV4 IPV6 known|unknown|legitimate COMMAND...

COMMAND is frames.c at that port, as a container's process: NAME is its network namespace, MAC, IPV4 and IPV6 are its
own addresses. "unknown": Docker knows no such container, and any address of the subnet may be its own. "legitimate": what every
container has to send, in place of what is forged. Prints
"FAMILY PROBE COUNT": how many of the probe's frames arrived where they should not; sessions and injections count 1.
"""
import ctypes
import os
import queue
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time

import packet as p

LIBC = ctypes.CDLL(None, use_errno=True)
BRIDGE = "ds-a"
C2 = {"mac": "02:00:00:00:01:12", 4: "172.30.1.12", 6: "fd77:1::12"}
DOCKSIDE = {"mac": "02:00:00:00:01:02", 4: "172.30.1.2", 6: "fd77:1::2"}
GATEWAY = {4: "172.30.1.1", 6: "fd77:1::1"}
GOOD = {4: "198.51.100.1", 6: "2001:db8:51::1"}
EVIL = {4: "203.0.113.66", 6: "2001:db8:bad::66"}
FREE = {4: "172.30.1.77", 6: "fd77:1::77"}      # nobody's
FOREIGN_MAC = "02:00:00:00:01:77"
UNSEEN_MAC = "02:00:00:00:01:78"    # which no frame is from, so that the bridge floods what is for it
SETTLE = 0.3    # seconds; what arrives does within a few ms, see the controls
COPIES = 3
MARKER = re.compile(rb"forged-\d{5}\.")


def in_namespace(name, make):
    """Returns what make() returns when a thread that is in the namespace calls it."""
    made = []

    def run():
        if name != "host":
            with open(f"/run/netns/{name}", encoding="ascii") as there:
                if LIBC.setns(there.fileno(), 0x40000000):
                    raise OSError(ctypes.get_errno(), f"setns {name}")
        made.append(make())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return made[0]


def raw_socket(name, device):
    def make():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)    # SO_RCVBUFFORCE
        s.bind((device, 3))
        return s
    return in_namespace(name, make)


class Witness:
    def __init__(self, name, device):
        self.name, self.socket = name, raw_socket(name, device)

    def frames(self, outgoing=False):
        """All that have arrived."""
        while select.select([self.socket], [], [], 0)[0]:
            data, where = self.socket.recvfrom(65535)
            if (where[2] == 4) == outgoing:
                yield data

    def forget(self):
        for _ in self.frames():
            pass


class Port:
    """frames.c at the attacker's port."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.answers, self.heard = queue.Queue(), queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()
        if self.answers.get(timeout=30) != "ready":
            sys.exit("frames does not start")

    def listen(self):
        for line in self.process.stdout:
            if line.startswith("< "):
                self.heard.put(bytes.fromhex(line[2:]))
            else:
                self.answers.put(line.strip())
        self.answers.put("ended")

    def send(self, frame):
        self.process.stdin.write(frame.hex() + "\n")
        answer = self.answers.get(timeout=10)
        if answer != "sent":
            sys.exit(f"frames: {answer}: {frame.hex()}")

    def wait_for(self, wanted, seconds=0.4):
        """The first frame of those that arrive for which wanted(frame) says something, and that."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                said = wanted(self.heard.get(timeout=left))
            except queue.Empty:
                return None
            if said:
                return said
        return None


class Lab:
    def __init__(self, name, me, command, known):
        self.me, self.known = me, known
        with open(f"/sys/class/net/{BRIDGE}/address", encoding="ascii") as f:
            self.gateway_mac = f.read().strip()
        self.name = name
        self.witness = {w.name: w for w in (Witness("c2", "eth0"), Witness("dockside", "eth0"), Witness("host", BRIDGE),
                                            Witness("outside", "up0"))}
        self.mended = {who: raw_socket(who, "eth0") for who in ("c2", "dockside")}
        self.port = Port(command)
        self.serial = 0

    def heal(self):
        """The bridge and the neighbours know again who is where: its owners say so."""
        for who, its in (("c2", C2), ("dockside", DOCKSIDE)):
            self.mended[who].send(p.ether(its["mac"], p.BROADCAST, p.arp(
                1, (its["mac"], its[4]), (p.BROADCAST, its[4]), bytes(18)), p.ARP))

    def mark(self):
        self.serial += 1
        return f"forged-{self.serial:05}.".encode()    # as MARKER

    def arrive(self, make, where):
        """Counts the frames of make(marker) that arrive at a witness."""
        return self.arrive_all([("", "", make, where)])[0][2]

    def arrive_all(self, probes):
        """The same of many (family, probe, make, where), one after the other: (family, probe, count) of each. It waits
        once, at the end, for frames that do not arrive."""
        counts = {}
        for family, probe, make, where in probes:
            marker = self.mark()
            frame = make(marker)
            counts[marker] = [family, probe, where, 0]
            for _ in range(COPIES):
                self.heal()
                self.port.send(frame)
            self.collect(counts)
        end = time.monotonic() + SETTLE
        while (left := end - time.monotonic()) > 0 and any(count[3] < COPIES for count in counts.values()):
            select.select([w.socket for w in self.witness.values()], [], [], left)
            self.collect(counts)
        self.heal()
        return [(family, probe, min(count, COPIES)) for family, probe, _, count in counts.values()]

    def collect(self, counts):
        for name, witness in self.witness.items():
            for frame in witness.frames():
                for marker in MARKER.findall(frame):
                    if name in counts.get(marker, ((), (), ()))[2]:
                        counts[marker][3] += 1


def sources(lab, v):
    """(name, make, where): who a packet to an allowed destination is from. v: 4 or 6"""
    me, gateway = lab.me, lab.gateway_mac

    def out(source, ether):
        return lambda marker: p.ether(ether, gateway, p.udp(source, GOOD[v], (5000, 53), marker))
    yield "nobody's MAC", out(me[v], FOREIGN_MAC), ["outside"]
    yield "neighbour's MAC", out(me[v], C2["mac"]), ["outside"]
    yield "dockside's MAC", out(me[v], DOCKSIDE["mac"]), ["outside"]
    yield "nobody's address", out(FREE[v], me["mac"]), ["outside"]
    yield "neighbour's address", out(C2[v], me["mac"]), ["outside"]
    yield "dockside's address", out(DOCKSIDE[v], me["mac"]), ["outside"]
    yield "neighbour's address and MAC", out(C2[v], C2["mac"]), ["outside"]
    yield "dockside's address and MAC", out(DOCKSIDE[v], DOCKSIDE["mac"]), ["outside"]
    yield "gateway's address", out(GATEWAY[v], me["mac"]), ["outside", "host"]
    for tag in (0x8100, 0x88A8):
        yield f"neighbour's address behind a tag {tag:#x}", lambda marker, tag=tag: p.ether(
            me["mac"], C2["mac"], p.udp(DOCKSIDE[v], C2[v], (5000, 53), marker), tags=[(tag, 0)]), ["c2"]
    for tags in ((0x8100, 0x8100), (0x88A8, 0x8100), (0x88A8, 0x88A8), (0x8100, 0x8100, 0x8100)):
        yield "tags " + " ".join(map(hex, tags)), lambda marker, tags=tags: p.ether(
            me["mac"], C2["mac"], p.udp(me[v], C2[v], (5000, 53), marker), tags=[(tag, 0) for tag in tags]), ["c2"]
    dhcp = (67, 68) if v == 4 else (547, 546)
    yield "DHCP answer", lambda marker: p.ether(me["mac"], C2["mac"], p.udp(
        me[v], C2[v], dhcp, b"\2\1\6\0" + marker)), ["c2"]


def arps(lab):
    me, c2 = lab.me["mac"], C2["mac"]
    mine, his, docksides, gateways = lab.me[4], C2[4], DOCKSIDE[4], GATEWAY[4]

    def answer(sender, address, source=me, target=c2):
        return lambda marker: p.ether(source, target, p.arp(2, (sender, address), (c2, his), marker), p.ARP)

    def announcement(sender, address, operation=1, source=me):
        return lambda marker: p.ether(source, p.BROADCAST, p.arp(
            operation, (sender, address), (p.BROADCAST, address), marker), p.ARP)
    yield "answer: gateway's address", answer(me, gateways), ["c2"]
    yield "answer: dockside's address", answer(me, docksides), ["c2"]
    yield "answer: nobody's address", answer(me, FREE[4]), ["c2"]
    yield "answer: neighbour's MAC", answer(c2, mine), ["c2"]
    yield "answer: nobody's MAC", answer(FOREIGN_MAC, mine), ["c2"]
    yield "answer: dockside's address and MAC", answer(DOCKSIDE["mac"], docksides), ["c2"]
    yield "answer: all of dockside", answer(DOCKSIDE["mac"], docksides, DOCKSIDE["mac"]), ["c2"]
    yield "announcement: gateway's address", announcement(me, gateways), ["c2", "dockside"]
    yield "announcement: neighbour's address", announcement(me, his), ["dockside"]
    yield "announcement as an answer", announcement(me, docksides, 2), ["c2"]
    yield "announcement: neighbour's MAC", announcement(c2, mine), ["dockside"]
    yield "question: neighbour's address", lambda marker: p.ether(me, p.BROADCAST, p.arp(
        1, (me, his), (p.BROADCAST, docksides), marker), p.ARP), ["dockside"]
    for code, name in ((3, "reverse question"), (4, "reverse answer"), (9, "inverse answer")):
        yield f"{name}: dockside's address", lambda marker, code=code: p.ether(me, c2, p.arp(
            code, (me, docksides), (c2, his), marker), p.ARP), ["c2"]


def neighbours(lab):
    me, mine, c2 = lab.me["mac"], lab.me[6], C2["mac"]
    fe80, his_fe80 = p.link_local(me), p.link_local(c2)

    def advert(source, target, claimed=me):
        return lambda marker: p.ether(me, c2, p.icmp6(source, C2[6], 136, struct.pack("!I", 0x20000000) +
                                                      p.packed(target) + p.own_link(2, claimed) + p.nd_option(marker)))
    yield "advertisement: gateway's address", advert(mine, GATEWAY[6]), ["c2"]
    yield "advertisement: dockside's address", advert(mine, DOCKSIDE[6]), ["c2"]
    yield "advertisement: dockside's address, from fe80", advert(fe80, DOCKSIDE[6]), ["c2"]
    yield "advertisement: nobody's address", advert(fe80, FREE[6]), ["c2"]
    yield "advertisement: all of dockside", advert(DOCKSIDE[6], DOCKSIDE[6]), ["c2"]
    yield "advertisement to all: neighbour's address", lambda marker: p.ether(me, "33:33:00:00:00:01", p.icmp6(
        mine, "ff02::1", 136, struct.pack("!I", 0x20000000) + p.packed(C2[6]) + p.own_link(2, me) +
        p.nd_option(marker))), ["dockside"]
    for name, source in (("own", fe80), ("gateway's", None)):
        source = source or p.link_local(lab.gateway_mac)
        yield f"router advertisement, {name} source", lambda marker, source=source: p.ether(
            me, "33:33:00:00:00:01", p.icmp6(source, "ff02::1", 134, struct.pack("!BBHII", 64, 8, 0, 0, 0) +
                                             p.own_link(1, me) + p.nd_option(marker))), ["c2", "dockside"]
        yield f"redirect, {name} source", lambda marker, source=source: p.ether(me, c2, p.icmp6(
            source, C2[6], 137, bytes(4) + p.packed(fe80) + p.packed(GOOD[6]) + p.nd_option(marker))), ["c2"]
    # An extension header before it, so that who looks at the next header only sees none of it.
    pad = bytes([p.ICMP6, 0, 1, 4, 0, 0, 0, 0])
    yield "router advertisement behind options", lambda marker: p.ether(me, "33:33:00:00:00:01", p.icmp6(
        fe80, "ff02::1", 134, struct.pack("!BBHII", 64, 8, 0, 0, 0) + p.nd_option(marker), options=pad)), ["c2"]
    yield "advertisement behind options", lambda marker: p.ether(me, c2, p.icmp6(
        mine, C2[6], 136, struct.pack("!I", 0x20000000) + p.packed(GATEWAY[6]) + p.own_link(2, me) +
        p.nd_option(marker), options=pad)), ["c2"]
    yield "solicitation: neighbour's fe80", lambda marker: p.ether(me, p.solicited(DOCKSIDE[6])[1], p.icmp6(
        his_fe80, p.solicited(DOCKSIDE[6])[0], 135, bytes(4) + p.packed(DOCKSIDE[6]) + p.own_link(1, me) +
        p.nd_option(marker))), ["dockside"]
    yield "solicitation: neighbour's address", lambda marker: p.ether(me, p.solicited(DOCKSIDE[6])[1], p.icmp6(
        C2[6], p.solicited(DOCKSIDE[6])[0], 135, bytes(4) + p.packed(DOCKSIDE[6]) + p.own_link(1, me) +
        p.nd_option(marker))), ["dockside"]


def ethertypes(lab):
    for kind in (0x88B5, 0x88CC, 0x8847, 0x8848, 0x8863, 0x8864, 0x22F0, 0x9000, 0x9100, 0x888E, 0x0842, 0x86DE, 40, 4):
        for name, target in (("neighbour", C2["mac"]), ("all", p.BROADCAST)):
            yield f"{kind:#06x} to {name}", lambda marker, kind=kind, target=target: p.ether(
                lab.me["mac"], target, marker.ljust(60, b"\0"), kind), ["c2"]
    yield "0x88b5 behind a tag", lambda marker: p.ether(
        lab.me["mac"], C2["mac"], marker.ljust(60, b"\0"), 0x88B5, [(0x8100, 0)]), ["c2"]


def legitimate(lab):
    me, mine, mine6, fe80 = lab.me["mac"], lab.me[4], lab.me[6], p.link_local(lab.me["mac"])
    gateway, all_nodes = lab.gateway_mac, "33:33:00:00:00:01"
    everybody = ["host"]
    yield "DHCP question", lambda marker: p.ether(me, p.BROADCAST, p.udp(
        "0.0.0.0", "255.255.255.255", (68, 67), b"\1\1\6\0" + marker)), everybody
    yield "DHCPv6 question", lambda marker: p.ether(me, "33:33:00:01:00:02", p.udp(
        fe80, "ff02::1:2", (546, 547), b"\1\0\0\0" + marker)), everybody
    yield "ARP probe", lambda marker: p.ether(me, p.BROADCAST, p.arp(
        1, (me, "0.0.0.0"), ("00:00:00:00:00:00", mine), marker), p.ARP), everybody
    yield "ARP announcement", lambda marker: p.ether(me, p.BROADCAST, p.arp(
        1, (me, mine), ("00:00:00:00:00:00", mine), marker), p.ARP), ["host", "c2"]
    yield "ARP question", lambda marker: p.ether(me, p.BROADCAST, p.arp(
        1, (me, mine), ("00:00:00:00:00:00", C2[4]), marker), p.ARP), ["c2"]
    yield "ARP answer", lambda marker: p.ether(me, C2["mac"], p.arp(
        2, (me, mine), (C2["mac"], C2[4]), marker), p.ARP), ["c2"]
    yield "duplicate address detection", lambda marker: p.ether(me, p.solicited(mine6)[1], p.icmp6(
        "::", p.solicited(mine6)[0], 135, bytes(4) + p.packed(mine6) + p.nd_option(marker))), everybody
    for name, source in (("address", mine6), ("fe80", fe80)):
        yield f"neighbour solicitation, {name}", lambda marker, source=source: p.ether(
            me, p.solicited(C2[6])[1], p.icmp6(source, p.solicited(C2[6])[0], 135, bytes(4) + p.packed(C2[6]) +
                                               p.own_link(1, me) + p.nd_option(marker))), ["c2"]
        yield f"neighbour advertisement, {name}", lambda marker, source=source: p.ether(
            me, C2["mac"], p.icmp6(source, C2[6], 136, struct.pack("!I", 0x60000000) + p.packed(source) +
                                   p.own_link(2, me) + p.nd_option(marker))), ["c2"]
    yield "unsolicited advertisement", lambda marker: p.ether(me, all_nodes, p.icmp6(
        mine6, "ff02::1", 136, struct.pack("!I", 0x20000000) + p.packed(mine6) + p.own_link(2, me) +
        p.nd_option(marker))), ["host", "c2"]
    yield "router solicitation", lambda marker: p.ether(me, "33:33:00:00:00:02", p.icmp6(
        fe80, "ff02::2", 133, bytes(4) + p.own_link(1, me) + p.nd_option(marker))), everybody
    alert = bytes([p.ICMP6, 0, 5, 2, 0, 0, 1, 0])
    for name, source in (("no address", "::"), ("fe80", fe80)):
        group = p.packed(p.solicited(mine6)[0])
        yield f"MLD report, {name}", lambda marker, source=source, group=group: p.ether(
            me, "33:33:00:00:00:16", p.icmp6(source, "ff02::16", 143, struct.pack("!HHBBH", 0, 1, 4, 0, 0) + group + marker,
                                             ttl=1, options=alert)), everybody
    for v, source in ((4, mine), (6, mine6)):
        yield f"IPv{v} packet to an allowed destination", lambda marker, v=v, source=source: p.ether(
            me, gateway, p.udp(source, GOOD[v], (5000, 53), marker)), ["outside"]
        yield f"IPv{v} packet behind a tag of priority", lambda marker, v=v, source=source: p.ether(
            me, gateway, p.udp(source, GOOD[v], (5000, 53), marker), tags=[(0x8100, 0)]), ["outside"]


# ---- connections ---------------------------------------------------------------------------------


def serve(name, address, port):
    """Answers what it is told."""
    def make():
        s = socket.socket(p.family(address), socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(20)
        return s
    listener = in_namespace(name, make)

    def answer():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=lambda: connection.send(b"answer to " + connection.recv(1000)),
                             daemon=True).start()
    threading.Thread(target=answer, daemon=True).start()


def tcp_part(frame, source, target, ports):
    """(sequence, acknowledgement, flags, data) of such a segment, or None"""
    at = 54 if ":" in source else 34
    addresses = frame[22:54] if ":" in source else frame[26:34]
    if frame[12:14] != struct.pack("!H", p.IPV6 if ":" in source else p.IPV4) or len(frame) < at + 20 or \
            addresses != p.packed(source) + p.packed(target) or frame[at:at + 4] != struct.pack("!HH", *ports):
        return None
    seq, ack, offset, flags = struct.unpack("!IIBB", frame[at + 4:at + 14])
    end = 54 + struct.unpack("!H", frame[18:20])[0] if ":" in source else 14 + struct.unpack("!H", frame[16:18])[0]
    return seq, ack, flags, frame[at + (offset >> 4) * 4:end]


def session(lab, identity, v, target, port, target_mac):
    """1 if a client made by hand, with that identity, is answered by a server."""
    for _ in range(3):
        sport, marker = 20000 + lab.serial, lab.mark()
        mine, ports = identity[v], (sport, port)

        def send(numbers, flags, data=b""):
            lab.port.send(p.ether(identity["mac"], target_mac, p.tcp(mine, target, ports, numbers, flags, data)))

        def answer(frame):
            return tcp_part(frame, target, mine, ports[::-1])
        # The bridge learns where the identity is from any frame of it, whoever it is for.
        send((100, 0), p.SYN)
        said = lab.port.wait_for(lambda f: (a := answer(f)) and a[2] & 18 == 18 and a)
        if not said:
            continue
        send((101, said[0] + 1), p.ACK)
        send((101, said[0] + 1), p.ACK | p.PSH, marker)
        if lab.port.wait_for(lambda f: (a := answer(f)) and b"answer to " + marker in a[3]):
            return 1
    return 0


def connection(lab, client, source, server, address, port):
    """A real one: its two sockets and the next numbers of the client."""
    def make(name):
        def inner():
            s = socket.socket(p.family(address), socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, port) if name == server else (source, 0))
            s.settimeout(5)
            return s
        return in_namespace(name, inner)
    listener = make(server)
    listener.listen(1)
    here = make(client)
    here.connect((address, port))
    there, _ = listener.accept()
    listener.close()
    ports = (here.getsockname()[1], port)
    sniff = raw_socket(client, "eth0")
    here.send(b"first")
    there.settimeout(5)
    there.recv(10)
    time.sleep(0.05)
    numbers = None
    while select.select([sniff], [], [], 0)[0]:
        part = tcp_part(sniff.recv(65535), source, address, ports)
        if part and part[3] == b"first":
            numbers = (part[0] + 5, part[1])
    sniff.close()
    if not numbers:
        sys.exit("a connection's numbers were not seen")
    return here, there, ports, numbers


def injection(lab, v, ether, client, its, server, address, port, target_mac):
    """1 if the server reads what the attacker writes as the client."""
    here, there, ports, numbers = connection(lab, client, its[v], server, address, port)
    marker = lab.mark()
    for _ in range(COPIES):
        lab.port.send(p.ether(ether, target_mac, p.tcp(its[v], address, ports, numbers, p.ACK | p.PSH, marker)))
    there.settimeout(0.4)
    try:
        got = there.recv(1000)
    except TimeoutError:
        got = b""
    here.close()
    there.close()
    lab.heal()
    return int(marker in got)


def steering(lab, v):
    """Answers of a connection that the dockside container has with the attacker, sent to others' MAC addresses."""
    me = lab.me
    here, there, ports, (acked, sequence) = connection(lab, "dockside", DOCKSIDE[v], lab.name, me[v], 80)
    for name, target in (("neighbour's MAC", C2["mac"]), ("broadcast", p.BROADCAST),
                         ("multicast", "01:00:5e:00:00:fb" if v == 4 else "33:33:00:00:00:fb"),
                         ("unseen MAC", UNSEEN_MAC)):
        def make(marker, target=target):
            return p.ether(me["mac"], target, p.tcp(me[v], DOCKSIDE[v], ports[::-1], (sequence, acked),
                                                    p.ACK | p.PSH, marker))
        yield f"steering to {name}", lab.arrive(make, ["c2"])
    here.close()
    there.close()


def prepare(lab):
    """Servers, and neighbours that nobody need ask for."""
    for v in (4, 6):
        serve("outside", EVIL[v], 80)
        serve("c2", C2[v], 80)
        serve("host", GATEWAY[v], 22)
        for who, address, ether, device in ((None, DOCKSIDE[v], DOCKSIDE["mac"], BRIDGE), (None, C2[v], C2["mac"], BRIDGE),
                                            ("c2", DOCKSIDE[v], DOCKSIDE["mac"], "eth0"),
                                            ("c2", GATEWAY[v], lab.gateway_mac, "eth0"),
                                            ("dockside", GATEWAY[v], lab.gateway_mac, "eth0"),
                                            ("dockside", C2[v], C2["mac"], "eth0"),
                                            ("dockside", lab.me[v], lab.me["mac"], "eth0"),
                                            (lab.name, DOCKSIDE[v], DOCKSIDE["mac"], "eth0")):
            subprocess.run(["ip", *(["-n", who] if who else []), "neigh", "replace", address, "lladdr", ether,
                            "dev", device, "nud", "permanent"], check=True)


def connections(lab, v):
    for what, identity in (("dockside's", DOCKSIDE), ("neighbour's", C2)):
        yield f"{what} identity: session with a denied destination", \
            session(lab, identity, v, EVIL[v], 80, lab.gateway_mac)
        yield f"{what} identity: session with a closed host service", \
            session(lab, identity, v, GATEWAY[v], 22, lab.gateway_mac)
        lab.heal()
    yield "dockside's identity: session with a neighbour", session(lab, DOCKSIDE, v, C2[v], 80, C2["mac"])
    lab.heal()
    for name, ether in (("own", lab.me["mac"]), ("client's", C2["mac"])):
        yield f"injection into a neighbour's connection outwards, {name} MAC", \
            injection(lab, v, ether, "c2", C2, "outside", GOOD[v], 443, lab.gateway_mac)
    yield "injection into dockside's connection with a neighbour", \
        injection(lab, v, lab.me["mac"], "dockside", DOCKSIDE, "c2", C2[v], 81, C2["mac"])
    if lab.known:
        yield from steering(lab, v)


def main():
    name, ether, address, address6, known, *command = sys.argv[1:]
    lab = Lab(name, {"mac": ether, 4: address, 6: address6}, command, known == "known")
    if known == "legitimate":
        for said in lab.arrive_all((known, *probe) for probe in legitimate(lab)):
            print(*said, sep="\t", flush=True)
        os._exit(0)
    prepare(lab)
    forged = ((family, *probe) for family, probes in (
        ("IPv4", sources(lab, 4)), ("IPv6", sources(lab, 6)), ("ARP", arps(lab)), ("ND", neighbours(lab)),
        ("EtherType", ethertypes(lab))) for probe in probes)
    # On a port that nobody knows, it may have any of nobody's.
    for said in lab.arrive_all(probe for probe in forged if lab.known or "nobody's" not in probe[1]):
        print(*said, sep="\t", flush=True)
    for v in (4, 6):
        for probe, count in connections(lab, v):
            print(f"IPv{v}", probe, count, sep="\t", flush=True)
    os._exit(0)     # servers wait for ever


if __name__ == "__main__":
    main()
