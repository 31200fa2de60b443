#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records what arrives at an interface, and finds names in it.

  gate_capture.py record INTERFACE FILE   until it is ended; prints "ready"
  gate_capture.py find FILE NAME...       for each "NAME: N of M packets". A name is looked for as DNS writes it, label by
                                          label, whatever its letters' case
"""
import socket
import struct
import sys


def record(interface, path):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as s, open(path, "ab", buffering=0) as out:
        s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)      # SO_RCVBUFFORCE
        s.bind((interface, 3))
        print("ready", flush=True)
        while True:
            data, (_, _, kind, _, _) = s.recvfrom(65536)
            if kind != socket.PACKET_OUTGOING:
                out.write(struct.pack(">I", len(data)) + data)


def packets(path):
    with open(path, "rb") as f:
        while size := f.read(4):
            yield f.read(struct.unpack(">I", size)[0]).lower()


def find(path, names):
    seen = list(packets(path))
    for name in names:
        wire = b"".join(bytes([len(label)]) + label.encode() for label in name.lower().split("."))
        print(f"{name}: {sum(wire in data for data in seen)} of {len(seen)} packets")


if __name__ == "__main__":
    if sys.argv[1] == "record":
        record(*sys.argv[2:])
    else:
        find(sys.argv[2], sys.argv[3:])
