#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that are refused, each to a port of its own, and what is told of them when.

usage: refused.py send SENT RATE COUNT FIRST-PORT FROM:PROTO:ADDRESS...     from namespaces, in turn
       refused.py hear HEARD        standard input's JSON lines, with the time when each came, by calm.py
       refused.py judge SENT HEARD WANTED      prints what is wrong

A line of WANTED is "FROM PROTO ADDRESS KEY=VALUE...": what the events of such connections have to say.
"""
import ctypes
import json
import os
import socket
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../netns"))
from calm import calm  # noqa: E402  # pylint: disable=wrong-import-position

LIBC = ctypes.CDLL(None, use_errno=True)
PATIENCE_MS = 1000


def enter(path):
    with open(path, "rb") as f:
        if LIBC.setns(f.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), path)


def connect(source, proto, address, port):
    """The socket, which must live until the answer has come."""
    enter(f"/run/netns/{source}")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
    s.setblocking(False)
    s.connect_ex((address, port))
    if proto == "udp":
        s.send(b"x")
    return s


def send(path, rate, count, first, targets):
    start, sockets = time.monotonic(), []
    with open(path, "w", encoding="ascii") as sent:
        for i in range(count):
            target = targets[i % len(targets)].split(":", 2)
            now = round(calm() * 1000)
            sockets.append(connect(*target, first + i))
            print(*target, first + i, now, file=sent)
            time.sleep(max(0, start + (i + 1) / rate - time.monotonic()))
    print(f"{count / (time.monotonic() - start):.0f}")


def hear(path):
    with open(path, "w", encoding="utf-8", buffering=1) as heard:
        for line in sys.stdin:
            event = json.loads(line)
            event["heard_ms"] = round(calm() * 1000)
            print(json.dumps(event), file=heard)


def faults(where, sent_ms, events, wanted):
    if len(events) != 1:
        yield f"{where}: {len(events)} events"
    for event in events:
        for key, value in wanted.items():
            if str(event.get(key)) != value:
                yield f"{where}: {key} is {event.get(key)}, wanted {value}"
        if event["heard_ms"] - sent_ms > PATIENCE_MS:
            yield f"{where}: heard of after {event['heard_ms'] - sent_ms} ms"


def judge(sent_path, heard_path, wanted_path):
    wanted, events, found, slowest = {}, {}, [], 0
    with open(wanted_path, encoding="utf-8") as lines:
        for line in lines:
            source, proto, address, *items = line.split()
            wanted[source, proto, address] = dict(item.split("=", 1) for item in items)
    with open(heard_path, encoding="utf-8") as lines:
        for event in map(json.loads, lines):
            events.setdefault(event.get("port"), []).append(event)
    with open(sent_path, encoding="ascii") as lines:
        for source, proto, address, port, sent_ms in map(str.split, lines):
            heard = events.pop(int(port), [])
            slowest = max([slowest] + [event["heard_ms"] - int(sent_ms) for event in heard])
            found += faults(f"{source} {proto} {address}:{port}", int(sent_ms), heard,
                            wanted[source, proto, address] | {"protocol": proto, "destination": address})
    found += [f"an event of something else: {event}" for those in events.values() for event in those]
    print(*found[:20], sep="\n", end="\n" * bool(found))
    print(f"slowest {slowest} ms", file=sys.stderr)


def main():
    verb, *args = sys.argv[1:]
    if verb == "send":
        send(args[0], float(args[1]), int(args[2]), int(args[3]), args[4:])
    elif verb == "hear":
        hear(args[0])
    else:
        judge(*args)


main()
