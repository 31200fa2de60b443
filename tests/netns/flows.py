#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps TCP flows open, and opens new ones one after the other.

usage: flows.py NAMESPACE ADDRESS:PORT FLOWS DIRECTORY

The server echoes, and greets first. Once all flows are open it makes the file "open" in the directory; it
ends when "close" is there. Then each flow has to carry data once more, and one line of NAME=NUMBER is
printed: flows, and of these broken; echoes of them; new connections, and of these refused (any error
but a time-out) and unanswered (within PATIENCE, by when a lost SYN has been sent again); slowest, of the
new ones, in ms.
"""
import ctypes
import os
import socket
import sys
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PATIENCE = 20.0
PAUSE = 0.004                           # seconds from one new flow to the next


def enter(namespace):
    fd = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if LIBC.setns(fd, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


def dial(where):
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(PATIENCE)
    try:
        s.connect(where)
        if not s.recv(256):
            raise ConnectionError("closed")
    except BaseException:
        s.close()
        raise
    return s


class Flows:
    def __init__(self, where, count):
        self.open = [dial(where) for _ in range(count)]
        self.broken = set()
        self.echoes = 0
        self.stop = threading.Event()

    def echo(self, i):
        if i in self.broken:
            return
        try:
            self.open[i].sendall(b"x")
            if self.open[i].recv(64) != b"x":
                raise ConnectionError("closed")
            self.echoes += 1
        except OSError as e:
            print(f"flow {i}: {e!r}", file=sys.stderr)
            self.broken.add(i)

    def all(self):
        for i in range(len(self.open)):
            self.echo(i)

    def run(self):
        while self.open and not self.stop.is_set():
            self.all()
            self.stop.wait(4)   # what breaks one breaks it for good


def main():
    namespace, where, count, directory = sys.argv[1:]
    address, _, port = where.rpartition(":")
    where = address.strip("[]"), int(port)
    enter(namespace)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as f:
        f.write("2000 65000")
    with open("/proc/sys/net/ipv4/tcp_tw_reuse", "w", encoding="ascii") as f:
        f.write("1")
    flows = Flows(where, int(count))
    thread = threading.Thread(target=flows.run)
    thread.start()
    with open(os.path.join(directory, "open"), "w", encoding="ascii"):
        pass
    close = os.path.join(directory, "close")
    new = refused = unanswered = 0
    slowest = 0.0
    while new % 20 or not os.path.exists(close):
        begin = time.monotonic()
        new += 1
        try:
            dial(where).close()
        except TimeoutError:
            unanswered += 1
        except OSError as e:
            print(f"new: {e!r}", file=sys.stderr)
            refused += 1
        slowest = max(slowest, time.monotonic() - begin)
        time.sleep(PAUSE)
    flows.stop.set()
    thread.join()
    flows.all()
    print(f"flows={len(flows.open)} broken={len(flows.broken)} echoes={flows.echoes} new={new} "
          f"refused={refused} unanswered={unanswered} slowest={round(slowest * 1000)}")


main()
