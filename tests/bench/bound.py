#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bound.py PROGRAM FLOW WORK_DIR ROUNDS RULES CONTAINERS: what it costs packets that ports are bound.

Runs inside a network namespace made for it, as packets.py does: the dockside container and another one on the last of
the networks' bridge, whose ports are bound. There is no Docker here, so the elements are added as the daemon does when
it knows the containers, and so many more for others. Short slices alternate: table bridge dockside is awake ("bound"); it
is dormant, and base chains without rules are at its hooks ("empty": less than these no binding can cost); there is neither. Each
slice is compared with the one of its round where there is neither, and the median of these ratios counts: what else the
machine has to do comes and goes.
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
DORMANT = "add table bridge {} {{ flags dormant; }}\n"
AWAKE = "add table bridge {}\n"
STATES = {"neither": DORMANT.format("dockside") + DORMANT.format("empty"),
          "empty": DORMANT.format("dockside") + AWAKE.format("empty"),
          "bound": AWAKE.format("dockside") + DORMANT.format("empty")}
EMPTY = """table bridge empty {
    chain bind { type filter hook prerouting priority -310; }
    chain bind-to { type filter hook forward priority -310; }
    chain bind-output { type filter hook output priority -310; }
}
"""
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


def bind_ports(program, work, rules, others):
    """Applies the policy to the network, and binds its ports; with "bind": "off" before, to see that this costs nothing."""
    generate.write(1, rules, work)
    path = pathlib.Path(work, "network-config.json")
    config = json.loads(path.read_text(encoding="utf-8"))
    network = config["networks"][0]
    for bind in ("off", "learn"):
        network["bind"] = bind
        path.write_text(json.dumps(config), encoding="utf-8")
        run(program, "apply", "--network-config", str(path), "--firewall-config", f"{work}/firewall-config.json")
        tables = subprocess.run(["nft", "list", "ruleset", "bridge"], capture_output=True, text=True, check=True).stdout
        if ("hook" in tables) != (bind == "learn"):
            sys.exit(f'"bind": "{bind}": these are the tables of family bridge:\n{tables}')
    run("nft", "-f", "-", text=elements(network, others) + EMPTY)


def measure(flows, rounds):
    """(way, kind, state) -> the rate in that state by the rate with neither"""
    rows = [(way, kind) for way, kinds in WAYS.items() for _, kind in kinds]
    ratios = {(*row, state): [] for row in rows for state in STATES}
    for i in range(rounds):
        for way, kind in rows:
            rates = {}
            for state in list(STATES)[::1 if i % 2 else -1]:
                run("nft", "-f", "-", text=STATES[state])
                run("conntrack", "-F")
                rates[state] = flows[way].rate(kind, OPEN_PORT)
            for state, rate in rates.items():
                ratios[way, kind, state].append(rate / rates["neither"])
    return {key: statistics.median(its) for key, its in ratios.items()}


def main():
    program, flow, work, rounds, rules, others = sys.argv[1:7]
    network = generate.generate(1, 0, None)[0]["networks"][-1]
    make_hosts()
    make_last_network(network)
    make_near(network)
    run("sh", "-c", "echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables")
    run("iptables-nft-restore", text=docker_chains([network]))
    base = network["subnet"].rsplit(".", 1)[0]
    bind_ports(program, work, int(rules), int(others))
    flows = {"outwards": Flow(flow), "within a bridge": Flow(flow, "near", "container", f"{base}.10")}
    ratios = measure(flows, int(rounds))
    columns = [(way, state) for way in WAYS for state in ("empty", "bound")]
    print(f"Bound ports, {others} more containers being known; medians of {rounds} slices; no chain in family bridge = 1.00")
    print(f"{'':30}" + "".join(f"{way:>20}" for way in WAYS))
    print(f"{'':30}" + "".join(f"{state:>10}" for _, state in columns))
    for title, kind in KINDS:
        print(f"{title:30}" + "".join(
            f"{ratios[way, kind, state]:10.3f}" if (way, kind, state) in ratios else f"{'-':>10}" for way, state in columns))


main()
