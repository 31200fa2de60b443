#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Has Docker make a network anew, as Compose does, and start a container there whose first process sends at once.

usage: external_tries.py SOCKET NETWORK TRIES ADDRESS PORT COMMAND...

Prints a line for each try: the bridge; the milliseconds from Docker's event to the kernel's, that the dispatch has that
bridge ("never": not within 5 s of the container's end); the same by the clock of calm.py; how many packets of the container
arrived. The command prints how many have arrived so far.
"""
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/../netns")
from calm import calm  # noqa: E402

NETLINK_NETFILTER, NFNLGRP_NFTABLES, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 12, 7, 270, 1
NEWSETELEM = 0x0A0C


class Engine(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None):
        self.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = self.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            sys.exit(f"{method} {path}: {answer.status} {text.strip()}")
        return json.loads(text) if text.strip() else None


class Events(threading.Thread):
    """Notes when Docker made which network, by its own clock, which is this one."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.engine = Engine(path, None)
        self.made = {}
        self.engine.request("GET", '/events?filters={"type":["network"],"event":["create"]}')
        self.answer = self.engine.getresponse()

    def run(self):
        while line := self.answer.readline():
            event = json.loads(line)
            self.made[event["Actor"]["ID"]] = event["timeNano"], calm()


class Dispatch(threading.Thread):
    """Notes when which elements came into our maps."""

    def __init__(self):
        super().__init__(daemon=True)
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self.sock.bind((0, 0))
        self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
        self.came = []  # (when, message)

    def run(self):
        while True:
            data = self.sock.recv(1 << 20)
            now = time.time_ns(), calm()
            while len(data) >= 16:
                length, kind = struct.unpack_from("=IH", data)
                if kind == NEWSETELEM and b"dispatch\0" in data[:length]:
                    self.came.append((now, data[:length]))
                data = data[(length + 3) & ~3:]

    def when(self, bridge):
        """None: not yet. The rules may be there before Docker's answer is."""
        return next((now for now, message in list(self.came) if bridge.encode() in message), None)


def one(engine, events, dispatch, network, address, port):
    made = engine.ask("POST", "/networks/create", {"Name": network, "CheckDuplicate": True, "Driver": "bridge"})["Id"]
    bridge = f"br-{made[:12]}"
    container = engine.ask("POST", "/containers/create", {
        "Image": "first:1", "Cmd": ["/first", "20", address, port], "HostConfig": {"NetworkMode": network}})["Id"]
    engine.ask("POST", f"/containers/{container}/start")
    engine.ask("POST", f"/containers/{container}/wait")
    until = time.monotonic() + 5
    while time.monotonic() < until and (made not in events.made or dispatch.when(bridge) is None):
        time.sleep(0.01)
    engine.ask("DELETE", f"/containers/{container}?force=1")
    engine.ask("DELETE", f"/networks/{made}")
    came = dispatch.when(bridge)
    dispatch.came.clear()
    if came is None:
        return bridge, "never", "never"
    at, at_calm = events.made[made]
    return bridge, f"{(came[0] - at) / 1e6:.1f}", f"{(came[1] - at_calm) * 1000:.1f}"


def arrived(command):
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


def main():
    path, network, tries, address, port, *count = sys.argv[1:]
    engine = Engine(path)
    events, dispatch = Events(path), Dispatch()
    events.start()
    dispatch.start()
    before = arrived(count)
    for _ in range(int(tries)):
        said = one(engine, events, dispatch, network, address, port)
        now = arrived(count)
        print(*said, now - before, flush=True)
        before = now


main()
