#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tries again and again what a policy denies, from containers, and looks at what arrives.

usage: stream.py DIRECTORY PROBE...      PROBE: NAME=FROM,tcp|udp,ADDRESS:PORT,WITNESS

FROM and WITNESS are namespaces in /run/netns. Each probe is sent 50 times a second: a TCP connection's
first SYN, which is not repeated, or a datagram. It makes the file "ready" in the directory when everything
has been sent once, and ends when "stop" is there. Then each probe has a line

  NAME TRIED ARRIVED MS

of numbers: how many were sent; how many of them the witness saw; within how many calm ms, from the last that did
not arrive before the first that did, to the last that did. Every probe has a port of its own, since the
witness cannot know it by its source after masquerading. A namespace may be replaced by one of the same name,
and what cannot be sent meanwhile was not tried. FROM "-": somebody else sends it; TRIED is "-".
"""
import ctypes
import itertools
import os
import re
import socket
import sys
import threading
import time

sys.path.append(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../netns"))
from calm import calm  # noqa: E402  # pylint: disable=wrong-import-position

LIBC = ctypes.CDLL(None, use_errno=True)
INTERVAL = 0.02
SETTLE = 0.3            # seconds for the last packets to arrive
SYN, ACK = 2, 16


class Probe:
    def __init__(self, text):
        self.name, _, rest = text.partition("=")
        self.source, self.kind, target, self.witness = rest.split(",")
        address, _, port = target.rpartition(":")
        self.where = address.strip("[]"), int(port)
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sent, self.arrived = [], []

    def send(self, pending):
        kind = socket.SOCK_STREAM if self.kind == "tcp" else socket.SOCK_DGRAM
        s = socket.socket(self.family, kind)
        s.setblocking(False)
        now, sent = time.monotonic(), calm()
        try:
            if self.kind == "udp":
                s.sendto(b"x", self.where)
                s.close()
            else:
                s.connect_ex(self.where)    # a refusal is an answer, too
                pending.append((now + 0.5, s))      # before the SYN is repeated
        except OSError:     # no route: the container is being restarted
            s.close()
            return
        self.sent.append(sent)

    def report(self):
        tried = "-" if self.source == "-" else len(self.sent)
        if not self.arrived:
            return f"{self.name} {tried} 0 0"
        before = [at for at in self.sent if at < self.arrived[0]]
        begin = before[-1] if before else self.arrived[0]
        # The packet sent right before an arrival is the one that arrived.
        if len(before) > 1:
            begin = before[-2]
        return (f"{self.name} {tried} {len(self.arrived)} "
                f"{round((self.arrived[-1] - begin) * 1000)}")


class Namespace:
    """For one thread, which is in it."""
    def __init__(self, name):
        self.path, self.inode = f"/run/netns/{name}", None

    def enter(self):
        """False: it is not there, or not for us."""
        try:
            inode = os.stat(self.path).st_ino
            if inode == self.inode:
                return True
            with open(self.path, "rb") as f:
                if LIBC.setns(f.fileno(), 0x40000000):
                    return False    # a file that nothing has been mounted on yet
            self.inode = inode
            return True
        except OSError:
            return False


def fire(name, probes, stop):
    namespace, pending = Namespace(name), []
    due = time.monotonic()
    for probe in itertools.cycle(probes):       # each at a moment of its own
        if stop.is_set():
            break
        if namespace.enter():
            probe.send(pending)
        while pending and pending[0][0] < time.monotonic():
            pending.pop(0)[1].close()
        due = max(due + INTERVAL / len(probes), time.monotonic() - 1)
        time.sleep(max(0.0, due - time.monotonic()))
    for _, s in pending:
        s.close()


def listen(name, probes, family):
    """Sees what arrives for TCP ports whether or not somebody listens; UDP likewise."""
    def watch(proto, ports, port_of):
        with socket.socket(family, socket.SOCK_RAW, proto) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            ready.release()
            while True:
                data = s.recv(4096)
                if family == socket.AF_INET:
                    data = data[(data[0] & 15) * 4:]
                if probe := ports.get(port_of(data)):
                    probe.arrived.append(calm())

    def port_of_syn(data):
        return int.from_bytes(data[2:4], "big") if data[13] & (SYN | ACK) == SYN else None

    def port_of_datagram(data):
        return int.from_bytes(data[2:4], "big")

    def of(kind):
        return {p.where[1]: p for p in probes if p.kind == kind}

    def run(*args):
        if not Namespace(name).enter():
            raise SystemExit(f"no namespace {name}")
        watch(*args)

    for args in ((socket.IPPROTO_TCP, of("tcp"), port_of_syn),
                 (socket.IPPROTO_UDP, of("udp"), port_of_datagram)):
        threading.Thread(target=run, args=args, daemon=True).start()
        if not ready.acquire(timeout=5):
            raise SystemExit(f"cannot watch {name}")


ready = threading.Semaphore(0)


def grouped(probes, key):
    groups = {}
    for probe in probes:
        groups.setdefault(key(probe), []).append(probe)
    return groups.items()


def main():
    directory, *texts = sys.argv[1:]
    probes = [Probe(text) for text in texts]
    for text in texts:
        if not re.fullmatch(r"\w+=[\w-]+,(tcp|udp),\S+:\d+,[\w-]+", text):
            sys.exit(f"no probe: {text}")
    for (name, family), those in grouped(probes, lambda p: (p.witness, p.family)):
        listen(name, those, family)
    stop = threading.Event()
    threads = [threading.Thread(target=fire, args=(name, those, stop))
               for name, those in grouped(probes, lambda p: p.source) if name != "-"]
    for thread in threads:
        thread.start()
    while not all(probe.sent or probe.source == "-" for probe in probes):
        time.sleep(0.01)
    with open(os.path.join(directory, "ready"), "w", encoding="ascii"):
        pass
    while not os.path.exists(os.path.join(directory, "stop")):
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    time.sleep(SETTLE)
    for probe in probes:
        print(probe.report())


main()
