#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""packets.py PROGRAM FLOW WORK_DIR ROUNDS RULES NETWORKS...: what the rules cost packets.

Runs inside a network namespace made for it, which plays the Docker host: a bridge with a container
on one side, the far end on the other, and Docker's chains for all networks in iptables-nft. Short
slices alternate, with our table awake and the shim in its place, and with a dormant table and no shim; their
medians are compared.
"""
import statistics
import subprocess
import sys

import generate

SLICE_MS = 60
FAR_END = "198.51.100.1"
OPEN_PORT, REFUSED_PORT = 5000, 6000
KINDS = [
    ("established, UDP", "udp", OPEN_PORT),
    ("established, TCP", "tcp", OPEN_PORT),
    ("established, UDP, 1400 bytes", "udp-mtu", OPEN_PORT),
    ("established, TCP, 1400 bytes", "tcp-mtu", OPEN_PORT),
    ("new, UDP", "new-udp", OPEN_PORT),
    ("new, TCP", "new-tcp", OPEN_PORT),
    ("refused, UDP", "refused-udp", REFUSED_PORT),
    ("refused, TCP", "refused-tcp", REFUSED_PORT),
]
WAKE = """add table inet dockside
flush chain ip filter DOCKER-USER
add rule ip filter DOCKER-USER counter jump DOCKSIDE-DISPATCH
add rule ip filter DOCKER-USER counter return
"""
SLEEP = """add table inet dockside { flags dormant; }
flush chain ip filter DOCKER-USER
add rule ip filter DOCKER-USER counter return
"""


def run(*argv, text=None):
    done = subprocess.run(argv, check=False, input=text, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}: failed\n{done.stderr}")


def docker_chains(networks):
    """The rules that dockerd 20.10 to 27 makes for these networks, oldest last as there."""
    bridges = [network["name"] for network in networks]
    lines = ["*nat", ":PREROUTING ACCEPT", ":INPUT ACCEPT", ":OUTPUT ACCEPT",
             ":POSTROUTING ACCEPT", ":DOCKER -",
             "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
             "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER"]
    lines += [f"-A POSTROUTING -s {network['subnet']} ! -o {network['name']} -j MASQUERADE"
              for network in networks]
    lines += [f"-A DOCKER -i {bridge} -j RETURN" for bridge in bridges]
    lines += ["COMMIT", "*filter", ":INPUT ACCEPT", ":FORWARD DROP", ":OUTPUT ACCEPT", ":DOCKER -",
              ":DOCKER-ISOLATION-STAGE-1 -", ":DOCKER-ISOLATION-STAGE-2 -", ":DOCKER-USER -",
              "-A FORWARD -j DOCKER-USER", "-A FORWARD -j DOCKER-ISOLATION-STAGE-1"]
    for bridge in bridges:
        lines += [f"-A FORWARD -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                  f"-A FORWARD -o {bridge} -j DOCKER",
                  f"-A FORWARD -i {bridge} ! -o {bridge} -j ACCEPT",
                  f"-A FORWARD -i {bridge} -o {bridge} -j ACCEPT"]
    lines += [f"-A DOCKER-ISOLATION-STAGE-1 -i {bridge} ! -o {bridge} "
              "-j DOCKER-ISOLATION-STAGE-2" for bridge in bridges]
    lines += [f"-A DOCKER-ISOLATION-STAGE-2 -o {bridge} -j DROP" for bridge in bridges]
    lines += [f"-A {chain} -j RETURN" for chain in
              ("DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2", "DOCKER-USER")]
    return "\n".join(lines + ["COMMIT", ""])


def make_hosts():
    """The container's and the far end's side; the container's bridge comes with the networks."""
    script = f"""
        ip link set lo up
        echo 1 >/proc/sys/net/ipv4/ip_forward
        ip netns add container
        ip netns add far
        ip link add to-container type veth peer name eth0 netns container
        ip link add to-far type veth peer name eth0 netns far
        ip addr add 198.51.100.254/24 dev to-far
        ip link set to-far up
        ip -n far addr add {FAR_END}/24 dev eth0
        ip -n far link set eth0 up
        ip -n far link set lo up
        ip -n far route add default via 198.51.100.254
        ip netns exec far sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit'
        ip netns exec container sh -c 'echo 1024 65000 >/proc/sys/net/ipv4/ip_local_port_range'
    """
    run("sh", "-e", "-c", script)


def make_last_network(network):
    base, bridge = network["subnet"].rsplit(".", 1)[0], network["name"]
    script = f"""
        ip link add {bridge} address 02:42:00:00:00:01 type bridge
        ip addr add {base}.1/24 dev {bridge}
        ip link set {bridge} up
        ip link set to-container master {bridge} up
        ip -n container addr flush dev eth0
        ip -n container addr add {base}.10/24 dev eth0
        ip -n container link set eth0 up
        ip -n container route replace default via {base}.1
    """
    run("sh", "-e", "-c", script)


class Flow:
    """The load generator, told what to do line by line."""

    def __init__(self, program, client="container", server="far", address=FAR_END):
        self.process = subprocess.Popen(
            [program, f"/run/netns/{client}", f"/run/netns/{server}", address],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def rate(self, kind, port):
        self.process.stdin.write(f"{kind} {port} {SLICE_MS}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"no result for {kind}")
        return float(answer)


def measure(flow, rounds):
    """Kind of flow -> our rate by the rate with Docker's chains alone."""
    rates = {(kind, state): [] for _, kind, _ in KINDS for state in (WAKE, SLEEP)}
    for i in range(rounds):
        for state in (WAKE, SLEEP) if i % 2 else (SLEEP, WAKE):
            run("nft", "-f", "-", text=state)
            for _, kind, port in KINDS:
                run("conntrack", "-F")
                rates[kind, state].append(flow.rate(kind, port))
    return {kind: statistics.median(rates[kind, WAKE]) / statistics.median(rates[kind, SLEEP])
            for _, kind, _ in KINDS}


def main():
    program, flow_program, work, rounds, rules = sys.argv[1:6]
    columns = []
    make_hosts()
    for count in map(int, sys.argv[6:]):
        directory = f"{work}/{count}"
        generate.write(count, int(rules), directory)
        networks = generate.generate(count, 0, None)[0]["networks"]
        run("nft", "flush", "ruleset")
        make_last_network(networks[-1])
        run("iptables-nft-restore", text=docker_chains(networks))
        run(program, "apply", "--network-config", f"{directory}/network-config.json",
            "--firewall-config", f"{directory}/firewall-config.json")
        columns.append(measure(Flow(flow_program), int(rounds)))
        run("ip", "link", "del", networks[-1]["name"])

    print(f"Through the last of N networks of {rules} rules; medians of {rounds} slices; "
          "Docker's chains alone = 1.00")
    print(f"{'':30}" + "".join(f"{'N = ' + count:>9}" for count in sys.argv[6:]))
    for title, kind, _ in KINDS:
        print(f"{title:30}" + "".join(f"{column[kind]:9.3f}" for column in columns))


if __name__ == "__main__":
    main()
