#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fake_bound.py NAMESPACE MAC TO-MAC PROBE...: sends one frame a probe by eth0 there, see fake_bound.sh.

PROBE is arp=ADDRESS, a reply by which ADDRESS is at MAC; arp-mac=MAC; ip=ADDRESS, from it; to=ADDRESS, for it, at TO-MAC;
na=ADDRESS, an advertisement of it; ra, a router advertisement; or type=NUMBER, of that EtherType, with nothing in it.
"""
import ctypes
import socket
import struct
import sys

import packet as p

SOURCE = {"02:42:ac:1e:01:0a": "172.30.1.10"}


def frame(source, target, kind, body):
    return p.mac(target) + p.mac(source) + struct.pack("!H", kind) + body


def arp(source, target, sender_mac, sender):
    return frame(source, target, p.ARP, struct.pack("!HHBBH", 1, p.IPV4, 6, 4, 2) + p.mac(sender_mac) + p.packed(sender) +
                 p.mac(target) + p.packed("172.30.1.2"))


def icmp6(source, target, body, destination="ff02::1"):
    origin = p.link_local(source)
    total = p.checksum(p.pseudo(origin, destination, p.ICMP6, len(body)) + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    return frame(source, target, p.IPV6, p.ip(origin, destination, p.ICMP6, body, 255))


def make(source, target, probe):
    kind, _, value = probe.partition("=")
    own = SOURCE.get(source, "172.30.1.66")
    if kind == "arp":
        return arp(source, target, source, value)
    if kind == "arp-mac":
        return arp(source, target, value, own)
    if kind in ("ip", "to"):
        pair = (value, "198.51.100.1") if kind == "ip" else (own, value)
        return frame(source, target, p.IPV4, p.udp(*pair, (4000, 53), b"x"))
    if kind == "na":
        return icmp6(source, target, struct.pack("!BBHI", 136, 0, 0, 0x20000000) + p.packed(value))
    if kind == "ra":
        return icmp6(source, target, struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0))
    return frame(source, target, int(value, 0), b"")


def main():
    _, name, source, target, *probes = sys.argv
    with open(f"/run/netns/{name}", encoding="ascii") as there:
        if ctypes.CDLL(None).setns(there.fileno(), 0x40000000):
            sys.exit("setns")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(("eth0", 0))
        for probe in probes:
            s.send(make(source, target, probe))


main()
