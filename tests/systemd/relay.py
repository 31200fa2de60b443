#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A web proxy for a host without a network: it listens in its own network namespace, at 127.0.0.1:PORT, and connects from
another one.

usage: relay.py PORT NETNS [PROXY-HOST:PROXY-PORT]

NETNS is a file such as /proc/PID/ns/net. A connection is to one server, that of its first request; with a proxy, all are to
that.
"""
import ctypes
import os
import re
import socket
import sys
import threading

CLONE_NEWNET = 0x40000000
BEGIN_MAX = 16384


def enter(netns):
    """This thread, and those that it starts."""
    fd = os.open(netns, os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"setns {netns}")
    os.close(fd)


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def first_request(client):
    """Its bytes, up to the end of the first line at least."""
    begin = b""
    while b"\n" not in begin and len(begin) < BEGIN_MAX:
        data = client.recv(BEGIN_MAX)
        if not data:
            break
        begin += data
    return begin


def serve(client, proxy):
    with client:
        begin = first_request(client)
        match = re.match(rb"[A-Z]+ http://([^/:\s]+)(?::(\d+))?/", begin)
        if not match:
            client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        address = proxy or (match[1].decode(), int(match[2] or 80))
        with socket.create_connection(address, timeout=60) as server:
            server.settimeout(None)
            server.sendall(begin)
            threading.Thread(target=copy, args=(client, server), daemon=True).start()
            copy(server, client)


def main():
    port, netns, proxy = int(sys.argv[1]), sys.argv[2], None
    if len(sys.argv) > 3:
        host, _, number = sys.argv[3].rpartition(":")
        proxy = (host, int(number))
    listener = socket.create_server(("127.0.0.1", port))
    enter(netns)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, proxy), daemon=True).start()


main()
