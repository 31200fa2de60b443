#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Raw frames of containers, for learning.sh.

learning.py COMMAND NAME MAC OWNER ADDRESS, with the names of two network namespaces, and OWNER's addresses. OWNER first sends an ARP probe, by which the bridge
learns where it is. Then NAME sends a frame with OWNER's MAC address as its source:
  reserved    to each of 01:80:c2:00:00:00 to 0f; prints the last byte of those by which the bridge believes OWNER elsewhere
  refused     to others, of several protocols; prints those
  steal       to 01:80:c2:00:00:0e, and this host a datagram to OWNER; prints which of both gets that
"""
import ctypes
import os
import re
import select
import socket
import subprocess
import sys

from calm import limit

FIRST, SECOND = b"learning.py's first", b"learning.py's second"
PACKET_OUTGOING = 4
BROADCAST = "ff:ff:ff:ff:ff:ff"
# Without a header that is right br_netfilter drops them, and the bridge learns nothing.
BODIES = {"0800": bytes.fromhex("4500001c0001000040112091ac1e0102ac1e01010009000900080000000000000000000000000000000000000000"),
          "86dd": bytes.fromhex("6000000000083b40" + "fd770001" + "00" * 11 + "02" + "ff02" + "00" * 13 + "01" + "00" * 8)}


def raw(name):
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None)
    with open(f"/run/netns/{name}", "rb") as namespace:
        if libc.setns(namespace.fileno(), 0) != 0:
            sys.exit("setns fails")
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    found.bind(("eth0", 3))
    libc.setns(home, 0)
    os.close(home)
    return found


def packed(mac):
    return bytes.fromhex(mac.replace(":", ""))


def frame(destination, source, ethertype, body=bytes(60)):
    return packed(destination) + packed(source) + bytes.fromhex(ethertype) + body


class Lab:
    def __init__(self, name, mac, owner, address):
        self.name, self.mac, self.owner, self.address = name, mac, owner, address
        self.sockets = {raw(n): n for n in (name, owner)}
        self.attacker, self.victim = self.sockets

    def heal(self):
        body = bytes.fromhex("0001080006040001") + packed(self.mac) + bytes(10) + socket.inet_aton(self.address)
        self.victim.send(frame(BROADCAST, self.mac, "0806", body))
        if not self.comes_to_be(lambda port: port == f"v-{self.owner}"):
            sys.exit(f"the bridge believes it at {self.believed()}")

    def believed(self):
        fdb = subprocess.run(["bridge", "fdb", "show"], capture_output=True, text=True, check=True).stdout
        return " ".join(re.findall(rf"^{self.mac} dev (v-\w+)", fdb, re.M))

    def comes_to_be(self, wanted):
        """The frame may be in a queue still, more so on a busy machine."""
        is_over = limit(0.02)
        while not wanted(self.believed()):
            if is_over():
                return False
        return True

    def moved_by(self, destination, ethertype):
        """The owner says something by itself now and then, by which the bridge knows better again: three tries."""
        for _ in range(3):
            self.heal()
            self.attacker.send(frame(destination, self.mac, ethertype, BODIES.get(ethertype, bytes(60))))
            if self.comes_to_be(lambda port: port != f"v-{self.owner}"):
                return True
        return False

    def sees(self, marker):
        while True:
            ready, _, _ = select.select(list(self.sockets), [], [], 3)
            if not ready:
                return "nobody"
            for s in ready:
                data, sender = s.recvfrom(2048)
                if marker in data and sender[2] != PACKET_OUTGOING:
                    return self.sockets[s]

    def steal(self):
        host = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # The host's question for the MAC address, and the answer, are over by then.
        host.sendto(FIRST, (self.address, 9))
        if self.sees(FIRST) != self.owner:
            sys.exit("the host does not reach it")
        self.heal()
        self.attacker.send(frame("01:80:c2:00:00:0e", self.mac, "88cc"))
        host.sendto(SECOND, (self.address, 9))
        return self.sees(SECOND)


def main():
    lab = Lab(*sys.argv[2:])
    if sys.argv[1] == "steal":
        print(lab.steal())
    elif sys.argv[1] == "reserved":
        print(*[last for last in range(16) if lab.moved_by(f"01:80:c2:00:00:{last:02x}", "88cc")])
    else:
        print(*[f"{to} {ethertype}" for to in (BROADCAST, "33:33:00:00:00:01", "01:00:5e:00:00:01", "02:00:00:00:00:99")
                for ethertype in ("88cc", "0800", "86dd", "0806", "8100") if lab.moved_by(to, ethertype)])


main()
