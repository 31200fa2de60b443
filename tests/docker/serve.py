#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that say a word to whoever connects.

usage: serve.py [ADDRESS:]PORT[=WORD]...     WORD: here
"""
import socket
import sys
import threading


def serve(listener, word):
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(word.encode() + b"\n")


for argument in sys.argv[1:]:
    place, _, word = argument.partition("=")
    address, _, port = place.rpartition(":")
    threading.Thread(target=serve, args=(socket.create_server((address, int(port))), word or "here")).start()
