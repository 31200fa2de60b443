#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bound.py PROGRAM FLOW WORK_DIR ROUNDS RULES CONTAINERS: what it costs packets that ports are bound.

Runs inside a network namespace made for it, as packets.py does: the dockside container and another one on the last of
the networks' bridge. The same policy is applied by turns with "bind": "learn" and "off"; there is no Docker here, so
the elements are added as the daemon does when it knows the containers, and so many more for others. Medians are compared.
"""
import json
import pathlib
import statistics
import subprocess
import sys
import time

import generate
from packets import OPEN_PORT, Flow, docker_chains, make_hosts, make_last_network, run

MACS = {"to-container": "02:42:0a:00:00:0a", "to-near": generate.mac(0)}
KINDS = [
    ("established, UDP, 64 bytes", "udp"),
    ("established, TCP, 64 bytes", "tcp"),
    ("established, UDP, 1400 bytes", "udp-mtu"),
    ("established, TCP, 1400 bytes", "tcp-mtu"),
    ("new, UDP, 64 bytes", "new-udp"),
    ("new, UDP, 1400 bytes", "new-udp-mtu"),
    ("new, TCP", "new-tcp"),
]
WAYS = {"outwards": KINDS,
        "within a bridge": [kind for kind in KINDS if "TCP" in kind[0]]}    # which the dockside container may send


def link_local(ether):
    octets = [int(octet, 16) for octet in ether.split(":")]
    return "fe80::%x:%x:%x:%x" % ((octets[0] ^ 2) << 8 | octets[1], octets[2] << 8 | 0xFF, 0xFE00 | octets[3],
                                  octets[4] << 8 | octets[5])


def make_near(network):
    """The dockside container, which may talk to the other one."""
    base, bridge = network["subnet"].rsplit(".", 1)[0], network["name"]
    run("sh", "-e", "-c", f"""
        ip netns add near
        ip link add to-near type veth peer name eth0 netns near address {MACS["to-near"]}
        ip link set to-near master {bridge} up
        ip -n near addr add {base}.2/24 dev eth0
        ip -n near link set eth0 up
        ip -n container link set eth0 down address {MACS["to-container"]}
        ip -n container link set eth0 up
        ip -n container route replace default via {base}.1
        ip netns exec near sh -c 'echo 1024 65000 >/proc/sys/net/ipv4/ip_local_port_range'
    """)
    for port in MACS:   # links come up a moment later
        while "state forwarding" not in subprocess.run(["ip", "-d", "-o", "link", "show", port], capture_output=True,
                                                       text=True, check=True).stdout:
            time.sleep(0.05)


def elements(network, others):
    """The script that binds the two ports, and others that are not there."""
    base = network["subnet"].rsplit(".", 1)[0]
    bound = [("to-container", MACS["to-container"], f"{base}.10"), ("to-near", MACS["to-near"], f"{base}.2")]
    bound += [(f"veth{i:07x}", f"02:42:ac:00:{i >> 8:02x}:{i & 255:02x}", f"172.16.{i >> 8}.{i & 255}")
              for i in range(1, others + 1)]
    sets = {"ports": [f'"{port}"' for port, _, _ in bound],
            "bindings4": [f'"{port}" . {ether} . {address}' for port, ether, address in bound],
            "bindings6": [f'"{port}" . {ether} . {link_local(ether)}' for port, ether, _ in bound],
            "macs": [f'"{port}" . {ether}' for port, ether, _ in bound],
            "addrs4": [f'"{port}" . {address}' for port, _, address in bound],
            "addrs6": [f'"{port}" . {link_local(ether)}' for port, ether, _ in bound],
            "bound-macs": [ether for _, ether, _ in bound],
            "bound4": [address for _, _, address in bound],
            "bound6": [link_local(ether) for _, ether, _ in bound]}
    return "".join(f"add element bridge dockside {name} {{ {', '.join(its)} }}\n" for name, its in sets.items())


class Binding:
    """The two states that alternate."""

    def __init__(self, program, work, count, rules, others):
        self.program, self.work = program, work
        generate.write(count, rules, f"{work}/learn")
        generate.write(count, rules, f"{work}/off")
        for bind in ("learn", "off"):
            path = pathlib.Path(work, bind, "network-config.json")
            config = json.loads(path.read_text(encoding="utf-8"))
            for network in config["networks"]:
                network["bind"] = bind
            path.write_text(json.dumps(config), encoding="utf-8")
        self.elements = elements(config["networks"][-1], others)

    def become(self, bind):
        directory = f"{self.work}/{bind}"
        run(self.program, "apply", "--network-config", f"{directory}/network-config.json",
            "--firewall-config", f"{directory}/firewall-config.json")
        there = "table bridge dockside" in subprocess.run(["nft", "list", "tables"], capture_output=True, text=True,
                                                          check=True).stdout
        if bind == "learn":
            run("nft", "-f", "-", text=self.elements)
        elif there and "hook" in subprocess.run(["nft", "list", "table", "bridge", "dockside"], capture_output=True,
                                                text=True, check=True).stdout:
            sys.exit('"bind": "off" leaves chains in table bridge dockside')


def measure(binding, flows, rounds):
    """(way, kind) -> the rate with bound ports by the rate with others"""
    rows = [(way, kind) for way, kinds in WAYS.items() for _, kind in kinds]
    rates = {(*row, bind): [] for row in rows for bind in ("learn", "off")}
    for i in range(rounds):
        for bind in ("learn", "off") if i % 2 else ("off", "learn"):
            binding.become(bind)
            for way, kind in rows:
                run("conntrack", "-F")
                rates[way, kind, bind].append(flows[way].rate(kind, OPEN_PORT))
    return {(way, kind): statistics.median(rates[way, kind, "learn"]) / statistics.median(rates[way, kind, "off"])
            for way, kind in rows}


def main():
    program, flow, work, rounds, rules, others = sys.argv[1:7]
    network = generate.generate(1, 0, None)[0]["networks"][-1]
    make_hosts()
    make_last_network(network)
    make_near(network)
    run("sh", "-c", "echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables")
    run("iptables-nft-restore", text=docker_chains([network]))
    base = network["subnet"].rsplit(".", 1)[0]
    binding = Binding(program, work, 1, int(rules), int(others))
    flows = {"outwards": Flow(flow), "within a bridge": Flow(flow, "near", "container", f"{base}.10")}
    ratios = measure(binding, flows, int(rounds))
    print(f'Bound ports, {others} more containers being known; medians of {rounds} slices; "bind": "off" = 1.00')
    print(f"{'':30}" + "".join(f"{way:>17}" for way in WAYS))
    for title, kind in KINDS:
        print(f"{title:30}" + "".join(
            f"{ratios[way, kind]:17.3f}" if (way, kind) in ratios else f"{'-':>17}" for way in WAYS))


main()
