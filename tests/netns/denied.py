#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections for the tests of what is refused.

usage: denied.py try RATE COUNT TARGET…      TARGET: NAMESPACE:PROTO:ADDRESS:PORT, in turn
                                             prints how many were answered, reset, and neither
       denied.py flood SECONDS TARGET…       UDP as fast as it goes, FLOOD at least; prints how many were sent
       denied.py serve NAMESPACE PORT…       TCP servers, until its standard input ends
       denied.py occupy GROUP                listens to an nflog group, until its standard input ends
       denied.py judge FILE KEY=VALUE…       how many events in a file of JSON lines are so
"""
import ctypes
import errno
import json
import os
import select
import socket
import struct
import sys
import time

FLOOD = 20000  # packets at least, however busy the machine is: more than fit into the queue

LIBC = ctypes.CDLL(None, use_errno=True)
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)


def open_in(namespace, *args):
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if LIBC.setns(there, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")
    s = socket.socket(*args)
    LIBC.setns(HOME, 0x40000000)
    os.close(there)
    return s


def parse(target):
    namespace, proto, rest = target.split(":", 2)
    address, port = rest.rsplit(":", 1)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    return namespace, family, kind, address, int(port)


def attempt(target):
    namespace, family, kind, address, port = parse(target)
    s = open_in(namespace, family, kind | socket.SOCK_NONBLOCK)
    if kind == socket.SOCK_DGRAM:
        s.sendto(b"x", (address, port))
        s.close()
        return None
    if s.connect_ex((address, port)) not in (0, errno.EINPROGRESS):
        raise OSError("connect")
    return s


def outcome(s):
    """0, ECONNREFUSED, or None while it is undecided"""
    if not select.select([], [s], [], 0)[1]:
        return None
    return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def try_all(rate, count, targets):
    start, sockets = time.monotonic(), []
    answered = reset = 0
    for i in range(count):
        s = attempt(targets[i % len(targets)])
        if s:
            sockets.append(s)
        time.sleep(max(0, start + (i + 1) / rate - time.monotonic()))
    deadline = time.monotonic() + 4
    while sockets and time.monotonic() < deadline:
        for s in list(sockets):
            result = outcome(s)
            if result is None:
                continue
            answered += result == 0
            reset += result == errno.ECONNREFUSED
            s.close()
            sockets.remove(s)
        time.sleep(0.02)
    print(f"answered {answered} reset {reset} neither {count - answered - reset}")


def flood(seconds, targets):
    senders = []
    for target in targets:
        namespace, family, kind, address, port = parse(target)
        senders.append((open_in(namespace, family, kind).sendto, (address, port)))
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end or sent < FLOOD:
        for i in range(64):
            send, to = senders[(sent + i) % len(senders)]
            send(b"x", to)
        sent += 64
    print(sent)


def serve(namespace, ports):
    servers = []
    for port in ports:
        s = open_in(namespace, socket.AF_INET6, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("::", port))
        s.listen(512)
        servers.append(s)
    print("ready", flush=True)
    while True:
        for s in select.select(servers + [sys.stdin], [], [])[0]:
            if s is sys.stdin:
                return
            s.accept()[0].close()


def occupy(group):
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
    # NFULNL_MSG_CONFIG with NFULA_CFG_CMD = NFULNL_CFG_CMD_BIND, acknowledged
    body = struct.pack("=BBH", 0, 0, socket.htons(group)) + struct.pack("=HHBBBB", 5, 1, 1, 0, 0, 0)
    s.send(struct.pack("=IHHII", 16 + len(body), 4 << 8 | 1, 1 | 4, 1, 0) + body)
    print("ready" if struct.unpack_from("=i", s.recv(4096), 16)[0] == 0 else "refused", flush=True)
    sys.stdin.read()


def judge(path, wanted):
    wanted = dict(item.split("=", 1) for item in wanted)
    n = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            n += all(str(event.get(key)) == value for key, value in wanted.items())
    print(n)


def main():
    what, arguments = sys.argv[1], sys.argv[2:]
    if what == "try":
        try_all(float(arguments[0]), int(arguments[1]), arguments[2:])
    elif what == "flood":
        flood(float(arguments[0]), arguments[1:])
    elif what == "serve":
        serve(arguments[0], [int(port) for port in arguments[1:]])
    elif what == "occupy":
        occupy(int(arguments[0]))
    elif what == "judge":
        judge(arguments[0], arguments[1:])


main()
