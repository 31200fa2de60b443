# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames from their parts, for tests that forge them."""
import ipaddress
import socket
import struct

IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
TCP, UDP, ICMP6, HOP_BY_HOP = 6, 17, 58, 0
SYN, PSH, ACK = 2, 8, 16
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def packed(address):
    return ipaddress.ip_address(address).packed


def link_local(ether):
    """The fe80:: address that a kernel makes of a MAC address (EUI-64)."""
    octets = bytearray(mac(ether))
    octets[0] ^= 2
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes(octets[:3]) + b"\xff\xfe" + bytes(octets[3:])))


def solicited(address):
    """The multicast address and MAC that are asked for an address' owner."""
    tail = packed(address)[-3:]
    group = ipaddress.IPv6Address(packed("ff02::1:ff00:0")[:13] + tail)
    return str(group), "33:33:ff:" + tail.hex(":")


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(source, target, protocol, length):
    if ":" in source:
        return packed(source) + packed(target) + struct.pack("!II", length, protocol)
    return packed(source) + packed(target) + struct.pack("!BBH", 0, protocol, length)


def ip(source, target, protocol, body, ttl=64, options=b""):
    """options: IPv6 extension headers, of which the first is hop by hop."""
    if ":" in source:
        return struct.pack("!IHBB", 6 << 28, len(options) + len(body), HOP_BY_HOP if options else protocol, ttl) + \
            packed(source) + packed(target) + options + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0x4242, 0, ttl, protocol, 0) + \
        packed(source) + packed(target)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def udp(source, target, ports, data):
    head = struct.pack("!HHHH", *ports, 8 + len(data), 0)
    total = checksum(pseudo(source, target, UDP, 8 + len(data)) + head + data) or 0xFFFF
    return ip(source, target, UDP, head[:6] + struct.pack("!H", total) + data)


def tcp(source, target, ports, numbers, flags, data=b""):
    """numbers: sequence and acknowledgement"""
    head = struct.pack("!HHIIBBHHH", *ports, numbers[0] & 0xFFFFFFFF, numbers[1] & 0xFFFFFFFF, 5 << 4, flags,
                       65535, 0, 0)
    total = checksum(pseudo(source, target, TCP, 20 + len(data)) + head + data)
    return ip(source, target, TCP, head[:16] + struct.pack("!H", total) + head[18:] + data)


def icmp6(source, target, kind, body, **how):
    message = struct.pack("!BBH", kind, 0, 0) + body
    total = checksum(pseudo(source, target, ICMP6, len(message)) + message)
    return ip(source, target, ICMP6, message[:2] + struct.pack("!H", total) + message[4:], **{"ttl": 255, **how})


def nd_option(marker):
    """A neighbour discovery option that nobody knows, with a marker in it."""
    body = marker.ljust((len(marker) + 2 + 7) // 8 * 8 - 2, b"\0")
    return struct.pack("!BB", 253, (len(body) + 2) // 8) + body


def own_link(kind, ether):
    """The option source (1) or target (2) link-layer address."""
    return struct.pack("!BB", kind, 1) + mac(ether)


def arp(operation, sender, target, marker):
    """sender, target: MAC and address"""
    return struct.pack("!HHBBH", 1, IPV4, 6, 4, operation) + mac(sender[0]) + packed(sender[1]) + \
        mac(target[0]) + packed(target[1]) + marker


def ether(source, target, packet, kind=None, tags=()):
    """tags: (EtherType of the tag, VLAN) from the outside"""
    if kind is None:
        kind = IPV6 if packet[0] >> 4 == 6 else IPV4
    return mac(target) + mac(source) + b"".join(struct.pack("!HH", *tag) for tag in tags) + \
        struct.pack("!H", kind) + packet


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET
