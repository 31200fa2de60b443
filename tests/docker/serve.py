#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that say a word to whoever connects.

usage: serve.py [ADDRESS:]PORT[=WORD]...     WORD: here; without an ADDRESS, of both families
"""
import contextlib
import socket
import sys
import threading


def serve(listener, word):
    while True:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ConnectionError):     # those who reset it
            connection.sendall(word.encode() + b"\n")


def listen(address, port):
    if address:
        return socket.create_server((address, port), backlog=1000)
    return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1000)


for argument in sys.argv[1:]:
    place, _, word = argument.partition("=")
    address, _, port = place.rpartition(":")
    threading.Thread(target=serve, args=(listen(address, int(port)), word or "here")).start()
