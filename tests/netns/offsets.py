#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames that choose where their checksum is written, see offsets.sh.

usage: offsets.py PROGRAM NAMESPACE      NAMESPACE: of the container; PROGRAM: frames, of ../docker/frames.c

Prints for each frame "FAMILY WHAT: RESULT": "as judged" if it arrives at `outside` as the rules saw it, "written" if it
arrives with another port or address, "nothing" if it does not arrive.
"""
import ctypes
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.append(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../docker"))
import packet as p  # noqa: E402  # pylint: disable=wrong-import-position

LIBC = ctypes.CDLL(None, use_errno=True)
SOURCE = {4: "172.30.1.11", 6: "fd77:1::11"}
TARGET = {4: "198.51.100.1", 6: "2001:db8:51::1"}
PORT = 53
NEEDS_CSUM, GSO_UDP_L4 = 1, 5       # of struct virtio_net_hdr
SETTLE = 0.4


def in_namespace(name, make):
    made = []

    def run():
        with open(f"/run/netns/{name}", encoding="ascii") as there:
            if LIBC.setns(there.fileno(), 0x40000000):
                raise OSError(ctypes.get_errno(), f"setns {name}")
        made.append(make())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return made[0]


def raw_socket():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind(("up0", 3))
    return s


class Lab:
    def __init__(self, program, container):
        self.container = container
        self.there = in_namespace("outside", raw_socket)
        self.ether = in_namespace(container, lambda: self.link("eth0"))
        self.gateway = self.link("ds-1")
        self.frames = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{container}", "setpriv", "--inh-caps=-all", "--bounding-set=-all,+net_raw",
             program, "eth0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.said("ready")
        self.serial = 0

    @staticmethod
    def link(device):
        text = subprocess.run(["ip", "-br", "link", "show", device], capture_output=True, text=True, check=True).stdout
        return text.split()[2]

    def said(self, wanted):
        while (line := self.frames.stdout.readline().strip()).startswith("<"):
            pass
        if line != wanted:
            sys.exit(f"frames: {line or 'has ended'}")

    def establish(self, v, port):
        """The rules know the flow already."""
        def udp(address):
            s = socket.socket(p.family(address[0]), socket.SOCK_DGRAM)
            s.settimeout(3)
            s.bind(address)
            return s
        here = in_namespace(self.container, lambda: udp((SOURCE[v], port)))
        there = in_namespace("outside", lambda: udp((TARGET[v], PORT)))
        here.sendto(b"question", (TARGET[v], PORT))
        there.sendto(b"answer", there.recvfrom(100)[1])
        here.recv(100)
        here.close()
        there.close()

    def fate(self, v, written, segments=0, established=False):
        """Tells what becomes of a datagram; written: at which offset from where, None for where its checksum is."""
        self.serial += 1
        port, marker = 7000 + self.serial, f"offset-{self.serial:04}.".encode() * 3
        if established:
            self.establish(v, port)
        payload = marker * max(1, 10 * segments)
        packet = bytearray(p.udp(SOURCE[v], TARGET[v], (port, PORT), payload))
        head = 20 if v == 4 else 40
        packet[head + 6:head + 8] = struct.pack("!H", ~p.checksum(p.pseudo(
            SOURCE[v], TARGET[v], p.UDP, 8 + len(payload))) & 0xFFFF)
        start, offset = written or (14 + head, 6)
        size = len(payload) // segments if segments else 0
        header = struct.pack("=BBHHHH", NEEDS_CSUM, GSO_UDP_L4 if segments else 0, 14 + head + 8 if segments else 0, size,
                             start, offset)
        self.frames.stdin.write("v " + (header + p.ether(self.ether, self.gateway, bytes(packet))).hex() + "\n")
        self.said("sent")
        return self.seen(v, marker, head)

    def seen(self, v, marker, head):
        end, fates = time.monotonic() + SETTLE, set()
        while (left := end - time.monotonic()) > 0 and select.select([self.there], [], [], left)[0]:
            frame, where = self.there.recvfrom(65535)
            if where[2] == 4 or marker not in frame:
                continue
            target = frame[30:34] if v == 4 else frame[38:54]
            same = target == p.packed(TARGET[v]) and frame[16 + head:18 + head] == struct.pack("!H", PORT)
            fates.add("as judged" if same else "written")
        return " and ".join(sorted(fates)) or "nothing"


def main():
    lab = Lab(*sys.argv[1:3])
    for v, port, address in ((4, (34, 2), (26, 6)), (6, (54, 2), (42, 10))):
        for what, fate in (("honest", lab.fate(v, None)),
                           ("honest, in segments", lab.fate(v, None, segments=3)),
                           ("port", lab.fate(v, port)),
                           ("address", lab.fate(v, address)),
                           ("port, known flow", lab.fate(v, port, established=True)),
                           ("address, known flow", lab.fate(v, address, established=True))):
            print(f"IPv{v} {what}: {fate}", flush=True)


main()
