#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets for unjudged_forged.sh. `open` forges the first packet of each flow and sends the second, which has to
arrive; `send` sends the second only, which must not."""
import socket
import sys

import forge
from forge import ACK, PSH, SYN, Lab, tcp, udp

forge.ADDRESSES.clear()
forge.ADDRESSES.update({
    "c1": ("172.30.1.11", "fd77:1::11"), "m": ("172.30.3.11", "fd77:3::11"), "ds-1": ("172.30.1.1", "fd77:1::1"),
    "uplink": ("192.0.2.1", "2001:db8:ffff::1"), "allowed": ("198.51.100.1", "2001:db8:51::1"),
    "denied": ("198.51.100.2", "2001:db8:51::2"),
})
forge.BRIDGE_OF.clear()
forge.BRIDGE_OF.update({"c1": "ds-1", "m": "ds-3"})
forge.CONTAINERS[:] = ["c1", "m"]
UDP_PORT, TCP_PORT, OWN_PORT, PUBLISHED_PORT = 9999, 8888, 5000, 7000


def inward(lab, what, packet, *arrives):
    """The packet that packet(MARKER) gives, from the denied destination."""
    wire = lab.open_in("outside", socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("up0", 0))
    with open("/sys/class/net/up0/address") as f:
        to = bytes.fromhex(f.read().strip().replace(":", ""))
    marker = lab.marker()
    data = packet(marker * 2)
    wire.send(to + wire.getsockname()[4] + (b"\x86\xdd" if data[0] >> 4 == 6 else b"\x08\x00") + data)
    wire.close()
    lab.probes.append((marker, what, set(arrives), "outside"))
    lab.collect(0.1)


def picked_up(lab, step):
    """The other side goes on with a connection that the container has opened. Conntrack takes a packet from the middle
    of one for a new one (nf_conntrack_tcp_loose), from elsewhere: Docker's rules decide about it as about a SYN."""
    for name, at in forge.both():
        def out(flags):
            return lambda m: tcp(at["c1"], at["denied"], OWN_PORT + 1, TCP_PORT, flags, m)

        def back(flags, port=OWN_PORT + 1):
            return lambda m: tcp(at["denied"], at["c1"], TCP_PORT, port, flags, m)
        if step == "open":
            lab.try_(f"{name}: a SYN", "c1", out(SYN), "outside")
            lab.collect(0.1)
            inward(lab, f"{name}: its answer", back(SYN | ACK), "c1")
            lab.try_(f"{name}: the third packet", "c1", out(ACK), "outside")
            continue
        inward(lab, f"{name}: a SYN to a port that is not published", back(SYN, OWN_PORT + 2))
        inward(lab, f"{name}: the other side goes on", back(ACK | PSH))
        lab.try_(f"{name}: the container answers", "c1", out(ACK | PSH))
        inward(lab, f"{name}: a SYN to a published port", back(SYN, PUBLISHED_PORT), "c1")
        inward(lab, f"{name}: in the middle, to a published port", back(ACK | PSH, PUBLISHED_PORT), "c1")


def main(step):
    lab = Lab()
    if step in ("open", "send-after"):
        picked_up(lab, step)
        step = step.partition("-")[0]
    flags = SYN if step == "open" else ACK | PSH
    for name, at in forge.both():
        for other, where in (("denied", "outside"), ("m", "m"), ("uplink", "host"), ("ds-1", "host")):
            if step == "open":
                # Without a marker: some of these are answered, with what they hold.
                send = lab.senders["c1"].send
                head = lab.macs["ds-1"] + lab.macs["c1"] + (b"\x08\x00" if name == "IPv4" else b"\x86\xdd")
                send(head + udp(at[other], at["c1"], UDP_PORT, OWN_PORT, b"forged"))
                send(head + tcp(at[other], at["c1"], TCP_PORT, OWN_PORT, SYN, b"forged"))
                lab.collect(0.1)
            arrives = [where] * (step == "open")
            lab.try_(f"{name}: UDP to {other}", "c1",
                     lambda m: udp(at["c1"], at[other], OWN_PORT, UDP_PORT, m), *arrives)
            lab.try_(f"{name}: TCP to {other}", "c1",
                     lambda m: tcp(at["c1"], at[other], OWN_PORT, TCP_PORT, flags, m), *arrives)
        lab.try_(f"{name}: to an allowed port", "c1",
                 lambda m: tcp(at["c1"], at["allowed"], 6000, 80, SYN, m), "outside")
    lab.judge(False)


main(sys.argv[1])
