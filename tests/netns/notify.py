#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: notify.py SOCKET FILE

Stands in for systemd: listens on a $NOTIFY_SOCKET and appends what services tell, a variable a line:
"MESSAGE SECONDS NAME=VALUE", where MESSAGE numbers the datagrams and SECONDS are of CLOCK_MONOTONIC.
"""
import socket
import sys
import time


def main():
    path, log = sys.argv[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        number = 0
        while data := s.recv(4096):
            number += 1
            now = time.clock_gettime(time.CLOCK_MONOTONIC)
            with open(log, "a", encoding="utf-8") as f:
                f.write("".join(f"{number} {now:.6f} {line}\n"
                                for line in data.decode().splitlines()))


main()
