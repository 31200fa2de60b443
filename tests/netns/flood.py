#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens TCP connections as fast as it can, most to where that is denied, and keeps one open flow busy.

usage: flood.py NAMESPACE SERVER-NAMESPACE DENIED:PORT ALLOWED:PORT DIRECTORY MINIMUM

Its SYNs are bare packets from ever new ports, so that each is a new connection. It makes the file
"ready" in the directory when it has begun, "enough" after so many denied attempts, and ends when
"stop" is there. Then it prints when allowed attempts were made that nobody answered, and one line of NAME=NUMBER: denied, and of these reset, answered, seen at the
server; allowed, and of these answered and reset; gap: the longest that the flow stood still, in ms
that no process waited for a processor, or "broken".
"""
import ctypes
import os
import select
import socket
import struct
import sys
import time

from calm import calm

SYN, RST, ACK = 2, 4, 16
PAUSE = 0.0005                          # seconds from one denied attempt to the next
OTHERS = 10                             # denied attempts for one that is allowed, and a step of the open flow
LIBC = ctypes.CDLL(None, use_errno=True)


def open_in(namespace, *args):
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if LIBC.setns(there, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")
    s = socket.socket(*args)
    LIBC.setns(home, 0x40000000)
    os.close(there)
    os.close(home)
    return s


def raw_in(namespace):
    s = open_in(namespace, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)
    s.setblocking(False)
    return s


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


class Target:
    def __init__(self, where, namespace, source, flow_port):
        address, port = where.split(":")
        self.address, self.port = address, int(port)
        self.packed = socket.inet_aton(address)
        self.ends = socket.inet_aton(source) + self.packed + struct.pack("!HH", 6, 20)
        self.sent = self.reset = self.seen = 0
        self.opened = set()     # the numbers of those that were answered, perhaps more than once
        self.when = []
        self.flow_port = flow_port  # a SYN from there would be part of the flow
        self.next = 0
        self.raw = raw_in(namespace)
        self.raw.connect((self.address, 0))     # hears nobody else

    def syn(self):
        self.next += 1
        source_port = 1024 + (self.flow_port - 1024 + self.next) % 64000
        parts = [source_port, self.port, self.next, 0, 0x50, SYN, 8192, 0, 0]
        parts[7] = checksum(self.ends + struct.pack("!HHIIBBHHH", *parts))
        self.sent += 1
        self.when.append(time.monotonic())
        self.raw.send(struct.pack("!HHIIBBHHH", *parts))

    @property
    def answered(self):
        return len(self.opened)

    def on_answer(self, port, _, flags, acknowledged):
        if port == self.port:
            self.reset += bool(flags & RST)
            if flags & (SYN | ACK) == SYN | ACK:
                self.opened.add(acknowledged - 1)

    def on_arrival(self, _, port, flags, __):
        if port == self.port and flags & SYN:
            self.seen += 1


def drain(raw, handle):
    while True:
        try:
            packet = raw.recv(256)
        except BlockingIOError:
            return
        head = (packet[0] & 15) * 4
        source_port, port, _, acknowledged = struct.unpack_from("!HHII", packet, head)
        handle(source_port, port, packet[head + 13], acknowledged)


def main():
    namespace, server, denied, allowed, directory, minimum = sys.argv[1:]
    with open_in(namespace, socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((denied.split(":")[0], 9))
        source = s.getsockname()[0]
    flow = open_in(namespace, socket.AF_INET, socket.SOCK_STREAM)
    address, port = allowed.split(":")
    flow.connect((address, int(port)))
    flow.recv(256)
    flow.setblocking(False)
    flow_port = flow.getsockname()[1]
    denied, allowed = (Target(where, namespace, source, flow_port) for where in (denied, allowed))
    watch = raw_in(server)
    watch.bind((denied.address, 0))

    def hear():
        for target in (denied, allowed):
            drain(target.raw, target.on_answer)
        drain(watch, denied.on_arrival)

    def path(name):
        return os.path.join(directory, name)

    gap, last, waiting, broken = 0.0, calm(), False, False
    open(path("ready"), "w").close()
    while denied.sent % (2 * OTHERS) or not os.path.exists(path("stop")):
        denied.syn()
        if denied.sent % OTHERS == 0:
            allowed.syn()
            try:
                if not waiting:
                    flow.send(b"x")
                    waiting = True
                else:
                    broken |= not flow.recv(16)
                    waiting = False
                    now = calm()
                    gap, last = max(gap, now - last), now
            except BlockingIOError:
                pass
            except OSError:
                broken = True
        hear()
        if denied.sent == int(minimum):
            open(path("enough"), "w").close()
        time.sleep(PAUSE)
    gap = max(gap, calm() - last)
    deadline = time.monotonic() + 1     # for what is still under way
    while time.monotonic() < deadline and \
            (allowed.answered < allowed.sent or denied.reset < denied.sent):
        select.select([denied.raw, allowed.raw], [], [], 0.05)
        hear()
    for number, when in enumerate(allowed.when, 1):
        if number not in allowed.opened:
            print(f"unanswered: {number} of {allowed.sent}, {when - allowed.when[0]:.3f} s after the first, "
                  f"{allowed.when[-1] - when:.3f} s before the last")
    print(f"denied={denied.sent} reset={denied.reset} answered={denied.answered} seen={denied.seen} "
          f"allowed={allowed.sent} opened={allowed.answered} refused={allowed.reset} "
          f"gap={'broken' if broken else round(gap * 1000)}")


main()
