#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS packets for the tests of what containers look up.

usage: lookups.py say FROM TO NAME ADDRESS     a reply that nobody asked for, or a question's answer in form
                                               only; FROM, TO: NAMESPACE:ADDRESS:PORT
       lookups.py ask FROM TO NAME ADDRESS     TO answers with it what FROM has asked
       lookups.py garble FROM TO COUNT         TO answers a question with noise, so many times
       lookups.py flood SECONDS FROM TO        TO answers one question with a new name and as many addresses
                                               as fit, as fast as it goes; prints how often
"""
import ctypes
import os
import socket
import struct
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)


def open_at(place):
    """A UDP socket, and its address."""
    namespace, rest = place.split(":", 1)
    address, port = rest.rsplit(":", 1)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if LIBC.setns(there, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    LIBC.setns(HOME, 0x40000000)
    os.close(there)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, int(port)))
    s.settimeout(5)
    return s, (address, int(port))


def reply(name, addresses):
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    message = struct.pack(">HHHHHH", 7, 0x8180, 1, len(addresses), 0, 0) + question + struct.pack(">HH", 1, 1)
    for address in addresses:
        message += struct.pack(">HHHIH", 0xc00c, 1, 1, 60, 4) + address
    return message


def connected(asker, server):
    """Their sockets, once a question of the one has reached the other."""
    (a, _), (b, to) = open_at(asker), open_at(server)
    a.sendto(b"?", to)
    return a, b, b.recvfrom(100)[1]


def say(sender, receiver, name, address):
    (a, _), (_, to) = open_at(sender), open_at(receiver)
    a.sendto(reply(name, [socket.inet_aton(address)]), to)


def ask(asker, server, name, address):
    a, b, to = connected(asker, server)
    b.sendto(reply(name, [socket.inet_aton(address)]), to)
    a.recv(4096)


def garble(asker, server, count):
    a, b, to = connected(asker, server)
    for _ in range(count):
        b.sendto(os.urandom(40), to)
        a.recv(4096)


def flood(seconds, asker, server):
    _, b, to = connected(asker, server)
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for _ in range(16):
            sent += 1
            b.sendto(reply(f"n{sent}.flood.example", [struct.pack(">I", 0x0b000000 + 80 * sent + i)
                                                      for i in range(80)]), to)
    print(sent)


def main():
    what, arguments = sys.argv[1], sys.argv[2:]
    if what == "say":
        say(*arguments)
    elif what == "ask":
        ask(*arguments)
    elif what == "garble":
        garble(*arguments[:2], int(arguments[2]))
    elif what == "flood":
        flood(float(arguments[0]), *arguments[1:])


main()
