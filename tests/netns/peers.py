#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sockets in all of a test's network namespaces, driven by lib.sh.

Commands come on standard input; what they have to say goes to standard output.

  serve NAMESPACE tcp|udp PORT...   answers there on every address, saying who it is
  dns FILE [NAMESPACE ADDRESS]      answers on 127.0.0.1:53 of the host, or there, from lines "ADDRESS
                                    NAME", read at each question; the address "fail" is a server failure
  FROM KIND DST[:PORT] = VERDICT    a probe; "go" sends all since the last and reports surprises
  hold NAME FROM tcp|udp DST:PORT   opens a flow and keeps it
  alive NAME                        "alive" if it still carries data both ways, else "dead"
  end                               says "."

FROM and NAMESPACE are namespaces of `ip netns`, or `host`. KIND is tcp, udp, icmp (of the
destination's family), icmp/TYPE, or tcp/FLAG[+FLAG...] for a single segment ("null": none). A verdict
may be given in part, from its beginning:

  open WHO ADDRESS:PORT   the answer came from there (icmp: open)
  reset                   TCP only
  unreachable             an ICMP error
  seen WHO                it arrived, but no answer did
  silence

`peers.py generation` prints the ruleset's generation.
"""
import asyncio
import ctypes
import errno
import itertools
import os
import re
import socket
import struct
import sys

PATIENCE, LIFE, SILENCE = 15.0, 4.0, 0.3   # seconds to wait for an answer, for that of a flow which may be dead, and for none
MARK = b"dsfw-probe:"
FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "null": 0}
ICMP_ID = b"ds"
ANSWERS = {8: 0, 13: 14, 128: 129}      # ICMP requests that kernels answer, and how
LIBC = ctypes.CDLL(None, use_errno=True)


def show(address, port):
    address = address.removeprefix("::ffff:")
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Peers:
    def __init__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.serial = itertools.count(1)
        self.seen, self.answered = {}, set()
        self.news = asyncio.Event()
        self.watched, self.held, self.queue, self.tasks = set(), {}, [], set()

    def socket(self, namespace, *args):
        """A socket of that namespace, which it stays in."""
        if namespace == "host":
            return socket.socket(*args)
        there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            if LIBC.setns(there, 0x40000000):
                raise OSError(ctypes.get_errno(), f"setns {namespace}")
            return socket.socket(*args)
        finally:
            LIBC.setns(self.home, 0x40000000)
            os.close(there)

    # ---- answering

    async def serve(self, namespace, kind, *ports):
        for port in map(int, ports):
            s = self.socket(namespace, socket.AF_INET6,
                            socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.setblocking(False)
            if kind == "tcp":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("::", port))
                await asyncio.start_server(
                    lambda r, w, who=namespace: self.on_connection(who, r, w), sock=s)
            else:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
                s.bind(("::", port))
                asyncio.get_running_loop().add_reader(s, self.on_datagram, namespace, s)

    async def on_connection(self, who, reader, writer):
        self.tasks.add(asyncio.current_task())
        try:
            address, port = writer.get_extra_info("sockname")[:2]
            writer.write(f"{who} {show(address, port)}\n".encode())
            while data := await reader.read(4096):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()
            self.tasks.discard(asyncio.current_task())

    def on_datagram(self, who, s):
        data, extra, _, peer = s.recvmsg(2048, 256)
        self.note(who, data)
        to = extra[0][2][:16]
        where = show(socket.inet_ntop(socket.AF_INET6, to), s.getsockname()[1])
        try:        # from the address that it was sent to
            s.sendmsg([f"{who} {where}".encode()],
                      [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, to + bytes(4))], 0, peer)
        except OSError:
            pass    # a broadcast address

    def note(self, who, data):
        if found := re.search(MARK + rb"(\d+);", data):
            self.seen[int(found[1])] = who
            self.news.set()

    def watch(self, namespace):
        """Notes marked packets that raw sockets of the namespace see. A name may get another one."""
        which = namespace if namespace == "host" else os.stat(f"/run/netns/{namespace}").st_ino
        if which in self.watched:
            return
        self.watched.add(which)
        for family, proto in ((socket.AF_INET, socket.IPPROTO_TCP),
                              (socket.AF_INET6, socket.IPPROTO_TCP),
                              (socket.AF_INET, socket.IPPROTO_ICMP),
                              (socket.AF_INET6, socket.IPPROTO_ICMPV6)):
            s = self.socket(namespace, family, socket.SOCK_RAW, proto)
            s.setblocking(False)
            asyncio.get_running_loop().add_reader(s, self.on_raw, namespace, s, family, proto)

    def on_raw(self, who, s, family, proto):
        data = s.recv(4096)
        if family == socket.AF_INET:
            data = data[(data[0] & 15) * 4:]
        if proto == socket.IPPROTO_TCP:
            self.note(who, data)
            return
        probe = self.raw.get(struct.unpack_from("!H", data, 6)[0])
        if not probe or data[4:6] != ICMP_ID:
            return
        if who == probe.source and data[0] == ANSWERS.get(probe.icmp_type):
            self.answered.add(probe.serial)
            self.news.set()
        elif data[0] == probe.icmp_type:
            self.note(who, data)

    # ---- DNS

    async def dns(self, path, namespace="host", address="127.0.0.1"):
        s = self.socket(namespace, socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, 53))
        s.setblocking(False)
        asyncio.get_running_loop().add_reader(s, self.on_question, s, path)

    def on_question(self, s, path):
        data, peer = s.recvfrom(4096)
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode())
            at += 1 + data[at]
        kind = struct.unpack_from("!H", data, at + 1)[0]
        name = ".".join(labels).lower()
        with open(path, encoding="ascii") as f:
            known = [line.split()[0] for line in f if name in line.split()[1:]]
        code = 2 if "fail" in known else 0 if known else 3
        wanted = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        addresses = [socket.inet_pton(wanted, a) for a in known
                     if a not in ("fail", "none") and family_of(a) == wanted]
        answer = struct.pack("!HHHHHH", struct.unpack_from("!H", data)[0], 0x8580 | code, 1,
                             len(addresses), 0, 0) + data[12:at + 5]
        for address in addresses:
            answer += struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(address)) + address
        s.sendto(answer, peer)

    # ---- asking

    async def go(self):
        probes, self.queue = self.queue, []
        self.raw = {p.serial: p for p in probes if p.is_raw}
        for name in ["host", *os.listdir("/run/netns")] if self.raw else []:
            self.watch(name)
        verdicts = await asyncio.gather(*(p.verdict(self) for p in probes))
        return [f"{p.text}: wanted {p.want}, got {got}" for p, got in zip(probes, verdicts)
                if got.split()[:len(p.want.split())] != p.want.split()]

    async def hold(self, name, source, kind, where):
        probe = Probe(f"{source} {kind} {where}", 0)
        s = probe.connecting(self)
        try:
            got = await asyncio.wait_for(probe.greet(s), PATIENCE)
        except (OSError, asyncio.TimeoutError) as e:
            s.close()
            return [f"not opened: {e!r}"]
        self.held[name] = s
        return [got]

    async def alive(self, name):
        loop, s = asyncio.get_running_loop(), self.held.get(name)
        if not s:
            return ["never opened"]
        try:
            await loop.sock_sendall(s, b"still there?\n")
            return ["alive" if await asyncio.wait_for(loop.sock_recv(s, 256), LIFE) else "dead"]
        except (OSError, asyncio.TimeoutError):
            return ["dead"]

    async def obey(self, line):
        command, *args = line.split()
        if command == "end":
            return ["."]
        if command in ("serve", "dns", "go", "hold", "alive"):
            return await getattr(self, command)(*args)
        self.queue.append(Probe(line, next(self.serial)))
        return None

    async def run(self):
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := (await reader.readline()).decode().strip():
            try:
                answer = await self.obey(line)
            except Exception as e:      # whatever it is, the test has to hear of it
                answer = [f"{line}: {e!r}"]
            for text in answer or []:
                print(text, flush=True)
        os._exit(0)     # in the middle of whatever goes on


class Probe:
    TEXT = re.compile(r"(\S+) (tcp|udp|icmp)(?:/(\S+))? (\S+)(?: = (.+))?")

    def __init__(self, text, serial):
        found = self.TEXT.fullmatch(" ".join(text.split()))
        if not found:
            raise ValueError("no command and no probe")
        self.serial, self.text = serial, text.partition("=")[0].strip()
        self.source, self.kind, self.detail, target, self.want = found.groups()
        self.address, self.port = target, 0
        if self.kind != "icmp":
            address, _, port = target.rpartition(":")
            self.address, self.port = address.strip("[]"), int(port)
        self.family = family_of(self.address)
        self.is_raw = self.kind == "icmp" or bool(self.detail)

    @property
    def payload(self):
        return MARK + b"%d;" % self.serial

    def connecting(self, peers):
        kind = socket.SOCK_STREAM if self.kind == "tcp" else socket.SOCK_DGRAM
        s = peers.socket(self.source, self.family, kind)
        s.setblocking(False)
        return s

    async def greet(self, s):
        loop = asyncio.get_running_loop()
        if self.kind == "udp":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        await loop.sock_connect(s, (self.address, self.port))
        if self.kind == "udp":
            await loop.sock_sendall(s, self.payload)
        return "open " + (await loop.sock_recv(s, 256)).decode().strip()

    async def verdict(self, peers):
        want = self.want.split()[0]
        patience = SILENCE if want == "silence" or (want == "seen" and not self.is_raw) else PATIENCE
        try:
            if self.is_raw:
                return await self.raw_verdict(peers, patience)
            with self.connecting(peers) as s:
                return await asyncio.wait_for(self.greet(s), patience)
        except asyncio.TimeoutError:
            if want == "seen":
                await self.arrival(peers)
            return self.unanswered(peers)
        except ConnectionError:
            return "reset"
        except OSError as e:
            if e.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES):
                return "unreachable"
            return f"error {e!r}"

    async def arrival(self, peers):
        for _ in range(int(PATIENCE / SILENCE)):
            if self.serial in peers.seen:
                return
            await asyncio.sleep(SILENCE)

    def unanswered(self, peers):
        who = peers.seen.get(self.serial)
        return f"seen {who}" if who else "silence"

    async def raw_verdict(self, peers, patience):
        loop = asyncio.get_running_loop()
        self.send(peers)
        deadline = loop.time() + patience
        while self.serial not in peers.answered:
            if self.want.startswith("seen") and self.serial in peers.seen:
                return self.unanswered(peers)
            peers.news.clear()
            try:
                await asyncio.wait_for(peers.news.wait(), deadline - loop.time())
            except asyncio.TimeoutError:
                return self.unanswered(peers)
        return "open"

    def source_address(self, peers):
        with peers.socket(self.source, self.family, socket.SOCK_DGRAM) as s:
            s.connect((self.address, 9))
            return s.getsockname()[0]

    def send(self, peers):
        v4 = self.family == socket.AF_INET
        proto = socket.IPPROTO_TCP if self.kind == "tcp" else \
            socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6
        with peers.socket(self.source, self.family, socket.SOCK_RAW, proto) as s:
            if self.kind == "tcp":
                packet = self.segment(self.source_address(peers))
            else:
                packet = self.icmp(v4)
            s.sendto(packet, (self.address, 0))

    @property
    def icmp_type(self):
        return int(self.detail) if self.detail else 8 if self.family == socket.AF_INET else 128

    def icmp(self, v4):
        rest = ICMP_ID + struct.pack("!H", self.serial) + self.payload
        # of ICMPv6 the kernel fills it in
        check = checksum(struct.pack("!BBH", self.icmp_type, 0, 0) + rest) if v4 else 0
        return struct.pack("!BBH", self.icmp_type, 0, check) + rest

    def segment(self, source):
        flags = sum(FLAGS[f] for f in self.detail.split("+"))
        ends = socket.inet_pton(self.family, source) + socket.inet_pton(self.family, self.address)

        def packed(check):
            return struct.pack("!HHIIBBHHH", 20000 + self.serial % 10000, self.port, 1000, 2000,
                               0x50, flags, 8192, check, 0) + self.payload
        length = len(packed(0))
        return packed(checksum(ends + struct.pack("!HH", socket.IPPROTO_TCP, length) + packed(0)))


def generation():
    """NFT_MSG_GETGEN: struct nlmsghdr, struct nfgenmsg; the answer has NFTA_GEN_ID, big-endian."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
        s.sendto(struct.pack("=IHHIIBBH", 20, 10 << 8 | 16, 1, 1, 0, 0, 0, 0), (0, 0))
        data = s.recv(4096)
        at = 20
        while at < len(data):
            length, kind = struct.unpack_from("=HH", data, at)
            if kind & 0x3FFF == 1:
                return struct.unpack_from("!I", data, at + 4)[0]
            at += (length + 3) & ~3
    raise SystemExit("no generation")


if __name__ == "__main__":
    if sys.argv[1:] == ["generation"]:
        print(generation())
    else:
        asyncio.run(Peers().run())
