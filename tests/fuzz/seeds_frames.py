#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes seeds for fuzz_frames.c, a file each, to the directory: by default corpus/fuzz_frames beside this file.

Each is a kind of frame that table bridge dockside refuses, with the match of the rule that does.
"""
import os
import socket
import struct
import sys

MAC, OTHER, GROUP = bytes.fromhex("02000000010b"), bytes.fromhex("02000000010c"), bytes.fromhex("333300000001")
V4, OTHER4 = socket.inet_aton("172.30.1.11"), socket.inet_aton("172.30.1.12")
V6, OTHER6 = (socket.inet_pton(socket.AF_INET6, a) for a in ("fd77:1::11", "fd77:1::12"))
IP, IP6, ARP, VLAN, VLAN_AD = 0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8
ICMP6, HOP_BY_HOP, ROUTING, FRAGMENT, OPTIONS = 58, 0, 43, 44, 60
SET, PREFIX, ICMP, PROTOCOL, UNICAST, NONE = range(6)
ETHER_SADDR, ETHER_DADDR, ARP_MAC, ARP_SENDER, ARP_TARGET, SADDR, SADDR6, DADDR, DADDR6, ND_TARGET = range(10)
BIND, UNBOUND, STRANGE, BINDTO, UNBOUNDTO = range(5)


def ether(protocol, payload, *tags, to=OTHER):
    for tag in reversed(tags):
        payload, protocol = struct.pack("!HH", 0, protocol) + payload, tag
    return to + MAC + struct.pack("!H", protocol) + payload


def ip4(proto, data, options=b"", fragment=0):
    return struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(data), 1, fragment, 64, proto, 0) + \
        V4 + OTHER4 + options + data


def ip6(proto, data):
    return struct.pack("!IHBB", 6 << 28, len(data), proto, 255) + V6 + OTHER6 + data


def arp(head="0001080006040001"):
    return bytes.fromhex(head) + MAC + V4 + OTHER + OTHER4


def advert(kind=136):
    return struct.pack("!BBHI", kind, 0, 0, 0x60000000) + OTHER6 + b"\2\1" + MAC


def extension(following, data=b""):
    return bytes([following, len(data) // 8]) + bytes(6) + data


UDP = struct.pack("!HHHH", 67, 68, 16, 0) + bytes(8)
SEEDS = {
    "arp": (SET, ARP_SENDER, BIND, ether(ARP, arp())),
    "arp-mac": (SET, ARP_MAC, STRANGE, ether(ARP, arp())),
    "arp-tagged": (PROTOCOL, 1, BIND, ether(ARP, arp(), VLAN)),
    "arp-hardware-length": (SET, ARP_SENDER, BIND, ether(ARP, arp("0001080008040001"))),
    "arp-infiniband": (SET, ARP_MAC, BIND, ether(ARP, arp("0020080014040001") + bytes(28))),
    "arp-cut": (SET, ARP_SENDER, BIND, ether(ARP, arp()[:20])),
    "ipv4": (NONE, 0, BIND, ether(IP, ip4(17, UDP))),
    "ipv4-to": (NONE, 0, BINDTO, ether(IP, ip4(17, UDP))),
    "ipv4-options": (SET, SADDR, BIND, ether(IP, ip4(17, UDP, options=bytes(8)))),
    "ipv4-fragment": (PREFIX, SADDR, UNBOUND, ether(IP, ip4(17, UDP, fragment=20))),
    "ipv4-cut": (SET, DADDR, UNBOUNDTO, ether(IP, ip4(6, b"")[:19])),
    "ipv4-as-ipv6": (SET, SADDR, BIND, ether(IP, ip6(17, UDP))),
    "ipv4-icmpv6": (SET, ND_TARGET, BIND, ether(IP, ip4(ICMP6, advert()))),
    "igmp": (SET, SADDR, BIND, ether(IP, ip4(2, bytes.fromhex("1100eeff00000000"), options=b"\x94\4\0\0"))),
    "ipv6": (SET, SADDR6, BIND, ether(IP6, ip6(17, UDP))),
    "ipv6-tagged": (SET, DADDR6, BINDTO, ether(IP6, ip6(17, UDP), VLAN)),
    "mac": (SET, ETHER_SADDR, BIND, ether(IP, ip4(17, UDP))),
    "mac-to": (UNICAST, 0, BINDTO, ether(IP, ip4(17, UDP))),
    "advertisement": (SET, ND_TARGET, BIND, ether(IP6, ip6(ICMP6, advert()))),
    "advertisement-options": (ICMP, 136, BIND, ether(IP6, ip6(HOP_BY_HOP, extension(ICMP6) + advert()))),
    "advertisement-routing": (ICMP, 136, BIND, ether(IP6, ip6(ROUTING, extension(OPTIONS, bytes(16)) + extension(ICMP6) + advert()))),
    "advertisement-fragment": (ICMP, 136, BIND, ether(IP6, ip6(FRAGMENT, extension(ICMP6) + advert()[:8]))),
    "solicitation": (SET, ND_TARGET, BIND, ether(IP6, ip6(ICMP6, advert(135)), to=GROUP)),
    "router-advertisement": (ICMP, 134, BIND, ether(IP6, ip6(ICMP6, advert(134)), to=GROUP)),
    "two-tags": (PROTOCOL, 0, BIND, ether(IP, ip4(17, UDP), VLAN_AD, VLAN)),
    "two-tags-inner": (PROTOCOL, 0, BIND, ether(IP, ip4(17, UDP), VLAN, VLAN)),
    "llc-snap": (PROTOCOL, 0, BIND, ether(0x0024, bytes.fromhex("aaaa030000000800") + ip4(17, UDP))),
    "lldp": (PROTOCOL, 0, BIND, ether(0x88CC, bytes(20))),
    "nothing": (PROTOCOL, 0, BIND, ether(0x88CC, b"")),
}


def main():
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "fuzz_frames")
    directory = sys.argv[1] if len(sys.argv) > 1 else beside
    os.makedirs(directory, exist_ok=True)
    for name, (match, field, kind, frame) in SEEDS.items():
        with open(os.path.join(directory, name), "wb") as f:
            f.write(bytes([match, field, kind, 0x0B]) + frame)


main()
