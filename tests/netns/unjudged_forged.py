#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets for unjudged_forged.sh. `open` forges the first packet of each flow and sends the second, which has to
arrive; `send` sends the second only, which must not."""
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
UDP_PORT, TCP_PORT, OWN_PORT = 9999, 8888, 5000


def main(step):
    lab = Lab()
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
