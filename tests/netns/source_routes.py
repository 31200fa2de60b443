#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that name their own way: to the host, and from there to where the policy does not let them.

usage: source_routes.py hear INTERFACE      prints "from HOST to HOST WORD" of each packet whose payload is "probe WORD"
       source_routes.py send4 HOST TO WORD  by a loose source route (RFC 791)
       source_routes.py send6 FROM HOST HOST-MAC TO WORD    by a segment routing header (RFC 8754), on eth0

Before it sends, it asks the host's UDP port 53, so that its packet belongs to a connection that the rules know.
"""
import re
import socket
import struct
import sys

PORT = 40000


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def hear(interface):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as s:
        s.bind((interface, 3))
        print("ready", flush=True)
        while True:
            frame = s.recv(2048)
            six = frame[12:14] == b"\x86\xdd"
            if found := re.search(rb"probe (\w+)", frame):
                source, to = (frame[22:38], frame[38:54]) if six else (frame[26:30], frame[30:34])
                family = socket.AF_INET6 if six else socket.AF_INET
                print("from", socket.inet_ntop(family, source), "to", socket.inet_ntop(family, to), found[1].decode(),
                      flush=True)


def asked(family, host):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind(("", PORT))
    s.settimeout(10)
    s.sendto(b"question", (host, 53))
    s.recv(100)
    return s


def send4(host, to, word):
    with asked(socket.AF_INET, host) as s:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([131, 7, 4]) + packed(host) + b"\0")
        s.sendto(b"probe " + word.encode(), (to, 53))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF


def send6(me, host, mac, to, word):
    payload = b"probe " + word.encode()
    payload += b"\0" * (len(payload) % 2)
    size = 8 + len(payload)
    pseudo = packed(me) + packed(host) + struct.pack("!II", size, socket.IPPROTO_UDP)
    check = checksum(pseudo + struct.pack("!HHHH", PORT, 53, size, 0) + payload)
    routing = bytes([socket.IPPROTO_UDP, 4, 4, 1, 1, 0, 0, 0]) + packed(to) + packed(host)
    header = struct.pack("!IHBB", 0x60000000, len(routing) + size, socket.IPPROTO_ROUTING, 64) + packed(me) + packed(host)
    with asked(socket.AF_INET6, host), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
        s.bind(("eth0", 0))
        s.send(bytes.fromhex(mac.replace(":", "")) + s.getsockname()[4] + b"\x86\xdd" + header + routing +
               struct.pack("!HHHH", PORT, 53, size, check) + payload)


{"hear": hear, "send4": send4, "send6": send6}[sys.argv[1]](*sys.argv[2:])
