#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Resolvers that ask by the same socket all the time, for gate_older.sh.

usage: gate_older.py FILE LABEL=PROTOCOL:ADDRESS:SOURCE-PORT...

Each asks SERVER for LABEL.secret.test ten times a second. FILE has "LABEL VERDICT" of each: "open", an answer came within
the last second; "refused", it was NXDOMAIN; "dead", there was none, or the connection has ended.
"""
import os
import select
import socket
import struct
import sys
import time


class Asker:
    def __init__(self, text):
        self.label, rest = text.split("=")
        protocol, rest = rest.split(":", 1)
        server, port = rest.rsplit(":", 1)
        self.tcp = protocol == "tcp"
        self.verdict, self.at, self.s = "dead", 0, None
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        self.s = socket.socket(family, socket.SOCK_STREAM if self.tcp else socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(("", int(port)))
        self.s.settimeout(5)
        self.s.connect((server, 853 if self.label.endswith("853") else 53))
        self.s.setblocking(False)

    def ask(self):
        name = b"".join(bytes([len(part)]) + part.encode() for part in (self.label, "secret", "test"))
        message = os.urandom(2) + b"\1\0\0\1\0\0\0\0\0\0" + name + b"\0\0\1\0\1"
        try:
            self.s.send(struct.pack(">H", len(message)) + message if self.tcp else message)
        except OSError:
            pass        # an ICMP error, or there is no connection any more

    def hear(self):
        try:
            message = self.s.recv(4096)
        except OSError:
            return
        if self.tcp:
            message = message[2:]
        if len(message) < 12:
            return
        self.verdict, self.at = "refused" if message[3] & 15 == 3 else "open", time.monotonic()

    def line(self):
        return f"{self.label} {self.verdict if time.monotonic() < self.at + 1 else 'dead'}\n"


def main():
    askers = [Asker(text) for text in sys.argv[2:]]
    while True:
        for asker in askers:
            asker.ask()
        until = time.monotonic() + 0.1
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([asker.s for asker in askers], [], [], left)
            for asker in askers:
                if asker.s in ready:
                    asker.hear()
            if ready:
                time.sleep(0.005)       # a socket whose connection has ended is always ready
        with open(sys.argv[1] + ".new", "w", encoding="utf-8") as out:
            out.writelines(asker.line() for asker in askers)
        os.rename(sys.argv[1] + ".new", sys.argv[1])


if __name__ == "__main__":
    main()
