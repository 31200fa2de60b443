#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets for own_sources.sh: from a container, as an address of the host. Says what arrives and must not."""
import socket
import sys

import forge
from forge import Lab, udp

# The addresses of the host, by scenario. Neighbours find none of the loopback by IPv6.
OWN = {"gateway": ("172.30.1.1", "fd77:1::1"), "bridge": ("172.30.1.200", "fd77:1::200"),
       "loopback": ("172.30.1.201", None), "last": (None, "fd77:1::fffe")}
NEIGHBOUR = ("172.30.1.12", "fd77:1::12")
CONTAINER = ("172.30.1.11", "fd77:1::11")

forge.BRIDGE_OF.clear()
forge.BRIDGE_OF.update({"c1": "ds-1", "b": "ds-1"})
forge.CONTAINERS[:] = ["c1", "b"]


def main(scenario):
    lab = Lab()
    for family, own in enumerate(OWN[scenario]):
        if own is None:
            continue
        name, neighbour, container = ("IPv4", "IPv6")[family], NEIGHBOUR[family], CONTAINER[family]
        server = lab.server("b", neighbour, 7000, socket.SOCK_DGRAM)
        lab.udp_flow("host", own, 7001, server, neighbour, 7000)
        lab.try_(f"{name}: into the host's flow with a neighbour", "c1",
                 lambda m: udp(own, neighbour, 7001, 7000, m), to="b")
        lab.try_(f"{name}: the same through the gateway", "c1", lambda m: udp(own, neighbour, 7001, 7000, m))
        server = lab.server("host", own, 7100, socket.SOCK_DGRAM)
        lab.udp_flow("host", own, 7101, server, own, 7100)
        lab.try_(f"{name}: into the host's flow with itself", "c1", lambda m: udp(own, own, 7101, 7100, m))
        lab.try_(f"{name}: to an open port", "c1", lambda m: udp(own, own, 4000, 5353, m))
        lab.try_(f"{name}: to an open port, from the container's address", "c1",
                 lambda m: udp(container, own, 4000, 5353, m), "host")
    lab.judge(False)


main(sys.argv[1])
