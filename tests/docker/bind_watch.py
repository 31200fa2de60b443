#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks all the time whether running containers are bound, see bind_starts.sh.

usage: bind_watch.py DIRECTORY MAC IPV4 IPV6 PORT... -- COMMAND...

The PORTs are those of containers that run all the time. Until DIRECTORY/stop is there it reads the set `ports` again and
again, and sends through COMMAND (frames.c on the port of the container with these addresses) forged and honest packets,
which `outside` receives. Prints at the end, or in DIRECTORY/ready when it has begun:

  missing PORT MS       a port of those was not in the set, so long
  unbound PORT MS       a port had been in the set, and was missing for so long though Docker had not begun to end its container
  looked COUNT MS       so often, with this longest pause
  forged SENT ARRIVED
  honest SENT ARRIVED
  unbound-at-first MS   a link of a veth on the bridge was there so long before it was in the set (the longest)
"""
import json
import os
import select
import subprocess
import sys
import threading
import time

import packet as p
from bind_attack import BRIDGE, C2, GOOD, Port, raw_socket

LINGER = 1.0     # a port whose link is there may be missing for so long, if Docker begins to end its container by then
HEARD = 10.0     # so much later Docker's events have been heard, however busy the machine is
EVERY = 0.004


def known():
    """The elements of the set, with their containers; None if there is no such set."""
    done = subprocess.run(["nft", "-j", "list", "set", "bridge", "dockside", "ports"], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        return None
    for item in json.loads(done.stdout)["nftables"]:
        if "set" in item:
            elems = item["set"].get("elem", [])
            # with a comment it is an object
            return {elem["elem"]["val"]: elem["elem"].get("comment") if isinstance(elem, dict) else None for elem in elems}
    return {}


class Ends:
    """Tells when Docker began to end a container, or the container ended: a container may end, start and end again."""

    def __init__(self):
        self.times = {}         # name -> all of them, time.time()
        self.events = subprocess.Popen(["docker", "events", "--filter", "type=container", "--filter", "event=kill",
                                        "--filter", "event=die", "--format",
                                        "{{.TimeNano}} {{.Actor.Attributes.name}}"], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        for line in self.events.stdout:
            at, name = line.split()
            self.times.setdefault(name, []).append(int(at) / 1e9)


def links():
    """Name -> index of the bridge's ports."""
    found = {}
    for name in os.listdir(f"/sys/class/net/{BRIDGE}/brif"):
        try:
            with open(f"/sys/class/net/{name}/ifindex", encoding="ascii") as f:
                found[name] = int(f.read())
        except OSError:
            pass
    return found


class Looker:
    def __init__(self, always):
        self.always, self.ends = always, Ends()
        self.begun = {}         # (port, index) -> when it went missing, on two clocks
        self.bound = {}         # port -> index, of those that have been in the set
        self.owner = {}         # port -> its container, and when it was first in the set
        self.born = {}          # (port, index) -> when its link was first seen
        self.at_first = 0.0
        self.lines, self.count, self.pause = [], 0, 0.0

    def look(self):
        before = time.monotonic()
        there, have = known() or {}, links()
        now, clock = time.monotonic(), time.time()
        for port, index in have.items():
            self.born.setdefault((port, index), before)
            if port in there:
                self.came(port, index, now)
                self.owner.setdefault((port, index), (there[port], clock))
            elif self.bound.get(port) == index or port in self.always:
                self.begun.setdefault((port, index), (before, clock))
        for key, (since, missed) in list(self.begun.items()):
            if now - since > (LINGER if have.get(key[0]) == key[1] else HEARD):
                if key[0] in self.always or not self.ended(key, missed):
                    self.say(key, now)
                elif have.get(key[0]) != key[1]:
                    del self.begun[key]
        self.count += 1

    def ended(self, key, missed):
        """Whether that was why the port was missing: on a busy machine Docker says it when all is over."""
        name, since = self.owner.get(key, (None, 0))
        return any(since < end < missed + LINGER for end in self.ends.times.get(name, ()))

    def came(self, port, index, now):
        if self.bound.get(port) != index:
            self.bound[port] = index
            self.at_first = max(self.at_first, now - self.born[port, index])
        if (port, index) in self.begun:     # it was missing, and its link has stayed
            self.say((port, index), now)

    def say(self, key, now):
        if len(self.lines) < 100:
            what = "missing" if key[0] in self.always else "unbound"
            self.lines.append(f"{what} {key[0]} {(now - self.begun.pop(key)[0]) * 1000:.0f}")

    def run(self, stopped):
        last = time.monotonic()
        end = None
        while end is None or (self.begun and time.monotonic() < end):
            if end is None and stopped():
                end = time.monotonic() + HEARD + LINGER
            self.look()
            now = time.monotonic()
            self.pause, last = max(self.pause, now - last), now


class Sender:
    """Forged and honest packets by turns; what arrives outside."""

    def __init__(self, me, command):
        with open(f"/sys/class/net/{BRIDGE}/address", encoding="ascii") as f:
            gateway = f.read().strip()
        self.port, self.there = Port(command), raw_socket("outside", "up0")
        self.sent = {b"forged": 0, b"honest": 0}
        self.arrived = {b"forged": set(), b"honest": set()}

        def packet(v, source, ether):
            return lambda marker: p.ether(ether, gateway, p.udp(source, GOOD[v], (5000, 53), marker))
        self.turns = [(b"forged", packet(v, source, ether)) for v in (4, 6) for source, ether in (
            (C2[v], me["mac"]), (C2[v], C2["mac"]), (me[v], C2["mac"]))]
        self.turns += [(b"honest", packet(4, me[4], me["mac"])), (b"honest", packet(6, me[6], me["mac"]))]

    def run(self, stopped):
        serial = 0
        while not stopped():
            kind, make = self.turns[serial % len(self.turns)]
            serial += 1
            self.port.send(make(kind + b":%08d:" % serial))
            self.sent[kind] += 1
            self.receive(EVERY)
        self.receive(0.5)

    def receive(self, seconds):
        end = time.monotonic() + seconds
        while select.select([self.there], [], [], max(0, end - time.monotonic()))[0]:
            frame, where = self.there.recvfrom(2000)
            for kind, arrived in self.arrived.items() if where[2] != 4 else ():
                at = frame.find(kind + b":")
                if at >= 0:
                    arrived.add(frame[at:at + 15])


def main():
    directory, ether, address, address6, *rest = sys.argv[1:]
    cut = rest.index("--")

    def stopped():
        return os.path.exists(f"{directory}/stop")
    sender = Sender({"mac": ether, 4: address, 6: address6}, rest[cut + 1:])
    looker = Looker(set(rest[:cut]))
    thread = threading.Thread(target=looker.run, args=[stopped])
    thread.start()
    with open(f"{directory}/ready", "w", encoding="ascii"):
        pass
    sender.run(stopped)
    thread.join()
    print("\n".join(looker.lines + [
        f"looked {looker.count} {looker.pause * 1000:.0f}",
        f"unbound-at-first {looker.at_first * 1000:.0f}",
        *(f"{kind.decode()} {sender.sent[kind]} {len(sender.arrived[kind])}" for kind in sender.sent)]), flush=True)
    os._exit(0)


main()
