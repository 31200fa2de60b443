#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""generate.py NETWORKS RULES OUT_DIR [CHANGE]: a configuration as a busy host has it.

Always the same for the same arguments. CHANGE: "one" changes one rule of one network, "all" each
rule of every network; without it nothing.

The last rules of each network allow TCP and UDP to ports 5000-5999 of 198.51.100.0/24 and drop the
rest, so that a packet for there passes all rules and one for port 6000 is refused by the last.
"""
import json
import pathlib
import random
import sys

SINGLE_PORTS = [22, 25, 53, 80, 123, 389, 443, 587, 993, 3306, 5432, 6379, 8080, 8443, 9200]
N_PORT_LISTS = 30
N_IPSETS = 24


def address(rng):
    return f"{rng.randint(20, 99)}.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}"


def cidr(rng):
    length = rng.choice([8, 12, 16, 20, 22, 24, 24, 24, 28])
    return f"{address(rng)}/{length}"


def port_lists():
    rng = random.Random("port lists")
    lists = []
    for i in range(N_PORT_LISTS):
        ports = sorted(rng.sample(range(1, 65000), rng.randint(2, 8)))
        if i % 5 == 0:
            ports[-1] = f"{ports[-1]}-{ports[-1] + rng.randint(1, 500)}"
        lists.append(ports)
    return lists


def ipsets():
    rng = random.Random("ipsets")
    sets = {}
    for i in range(N_IPSETS):
        entries = {address(rng) for _ in range(rng.randint(4, 40))}
        if i % 3 == 0:
            entries |= {f"172.{16 + i % 16}.{k}.0/24" for k in range(8)}
        sets[f"service-{i:02}"] = sorted(entries)
    return sets


def rule(rng, lists, number):
    """One rule of the usual mix."""
    kind = rng.randint(0, 19)
    out = {}
    if kind < 7:
        out = {"proto": "tcp", "ports": rng.choice(lists), "to": "cidr", "cidr": cidr(rng)}
    elif kind < 11:
        out = {"proto": "tcp", "ports": [rng.choice(SINGLE_PORTS)], "to": "ip", "ip": address(rng)}
    elif kind < 14:
        out = {"proto": "tcp", "ports": rng.choice(lists), "to": "ipset",
               "ipset": f"service-{rng.randrange(N_IPSETS):02}"}
    elif kind < 16:
        out = {"proto": "udp", "ports": [rng.choice(SINGLE_PORTS)], "to": "ip", "ip": address(rng)}
    elif kind < 17:
        low = rng.randint(10000, 60000)
        out = {"proto": "udp", "ports": [f"{low}-{low + 100}"], "to": "cidr", "cidr": cidr(rng)}
    elif kind < 18:
        out = {"proto": "icmp", "to": "cidr", "cidr": cidr(rng)}
    elif kind < 19:
        out = {"action": "drop", "proto": "tcp", "ports": rng.choice(lists), "to": "cidr",
               "cidr": cidr(rng)}
    else:
        out = {"action": "drop", "cidr": cidr(rng)}
    if number % 3 == 0:
        out["comment"] = f"ticket {rng.randint(1000, 9999)}: {out.get('to', 'cidr')}"
    return out


def egress(rng, lists, count):
    last = [
        {"proto": "tcp", "ports": ["5000-5999"], "to": "cidr", "cidr": "198.51.100.0/24"},
        {"proto": "udp", "ports": ["5000-5999"], "to": "cidr", "cidr": "198.51.100.0/24"},
        {"action": "drop", "comment": "nothing else"},
    ]
    rules = [rule(rng, lists, i) for i in range(max(count - len(last), 0))]
    return rules + last[-count:]


def mac(i):
    return f"02:42:0a:00:{i >> 8:02x}:{i & 255:02x}"


def generate(n_networks, n_rules, change):
    lists = port_lists()
    networks, firewall = [], {}
    for i in range(n_networks):
        name = f"ds-{i:04}"
        base = f"10.{i >> 8}.{i & 255}"
        networks.append({"name": name, "subnet": f"{base}.0/24", "gateway_ip": f"{base}.1",
                         "dockside_ip": f"{base}.2", "dockside_mac": mac(i)})
        rules = egress(random.Random(f"network {i}"), lists, n_rules)
        if change == "all":
            for k, changed in enumerate(rules):
                changed["comment"] = f"changed {k}"
        elif change == "one" and i == n_networks // 2:
            rules[n_rules // 2] = {"proto": "tcp", "ports": [4242], "to": "ip", "ip": "192.0.2.42"}
        firewall[name] = {"egress": rules}
    return {"networks": networks}, {"ipsets": ipsets(), "networks": firewall}


def write(n_networks, n_rules, directory, change=None):
    network, firewall = generate(n_networks, n_rules, change)
    out = pathlib.Path(directory)
    out.mkdir(parents=True, exist_ok=True)
    (out / "network-config.json").write_text(json.dumps(network, indent=1) + "\n")
    (out / "firewall-config.json").write_text(json.dumps(firewall, indent=1) + "\n")


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit("usage: generate.py NETWORKS RULES OUT_DIR [one|all]")
    write(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], *sys.argv[4:])


if __name__ == "__main__":
    main()
