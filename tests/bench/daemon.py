#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""daemon.py PROGRAM WORK_DIR NETWORKS RULES RUNS IDLE_SECONDS: the daemon, as ratios.

Runs inside network and mount namespaces made for it, with a name server of its own. Reloads are
compared with `nft -f` of the whole script, a refresh of addresses with `nft -f` of the same elements
and with an `ipset` process for each address; medians, all measured in turn. Last, what a daemon
costs that has nothing to do but to keep names true.
"""
import json
import multiprocessing
import os
import pathlib
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time

import generate

TTL = 60  # seconds
NAMES, PER_NAME = 500, 20  # of the refresh
IDLE_NETWORKS, IDLE_NAMES = 100, 1000
IPSET_MEASURED = 500
ASK_MIN = 5.2  # seconds within which a name is not asked twice, and some
TICKS = os.sysconf("SC_CLK_TCK")


# ---- names ----------------------------------------------------------------------------------------

def serve(ready):
    """nINDEX.COUNT.example has COUNT IPv4 addresses; there are no others."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind(("127.0.0.1", 53))
    ready.set()
    while True:
        question, client = s.recvfrom(512)
        end = question.index(0, 12)
        kind = question[end + 1:end + 3]
        first = question[13:13 + question[12]]
        second = question[14 + question[12]:14 + question[12] + question[13 + question[12]]]
        count = int(second) if kind == b"\0\1" else 0
        base = int(first[1:]) * count + (10 << 24)
        answers = b"".join(struct.pack(">HHHIHI", 0xc00c, 1, 1, TTL, 4, base + i) for i in range(count))
        s.sendto(question[:2] + struct.pack(">HHHHH", 0x8180, 1, count, 0, 0) + question[12:end + 5] + answers,
                 client)


def start_name_server(work):
    conf = pathlib.Path(work, "resolv.conf")
    conf.write_text("nameserver 127.0.0.1\n", encoding="ascii")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--bind", conf, "/etc/resolv.conf"], check=True)
    ready = multiprocessing.Event()
    multiprocessing.Process(target=serve, args=(ready,), daemon=True).start()
    ready.wait()


# ---- the daemon -----------------------------------------------------------------------------------

class Daemon:
    """dsfw-nft daemon, from its start until it is ready, and until it is stopped."""

    def __init__(self, program, work, *options):
        self.program, self.socket, self.log = program, f"{work}/socket", f"{work}/log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [program, "daemon", "--network-config", f"{work}/network-config.json",
                 "--firewall-config", f"{work}/firewall-config.json", "--socket", self.socket, *options],
                stdout=log, stderr=log)
        while not any(line == "ready\n" for line in self.lines()):
            if self.process.poll() is not None:
                sys.exit(f"the daemon has ended: {''.join(self.lines())}")
            time.sleep(0.01)

    def lines(self):
        with open(self.log, encoding="utf-8") as log:
            return log.readlines()

    def cpu(self):
        """Processor seconds so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def status(self, key):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text("ascii").splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise KeyError(key)

    def ask(self, action):
        """Seconds until it is done, and processor seconds."""
        cpu, start = self.cpu(), time.monotonic()
        subprocess.run([self.program, action, "--socket", self.socket], check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - start, self.cpu() - cpu

    def stop(self):
        self.process.terminate()
        if self.process.wait() != 0:
            sys.exit(f"the daemon has ended badly: {''.join(self.lines())}")


def run(argv):
    start = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - start


def report(title, base, base_name, rows):
    print(f"{title}; {base_name} = 1.00 ({base * 1000:.0f} ms)")
    for name, wall in rows:
        print(f"{name:44}{wall / base:9.3f}   ({wall * 1000:.1f} ms)")
    print()


# ---- reloads --------------------------------------------------------------------------------------

def reloads(program, work, networks, rules, runs):
    for change in (None, "one", "all"):
        generate.write(networks, rules, f"{work}/{change}", change)

    def use(change):
        for name in ("network-config.json", "firewall-config.json"):
            shutil.copy(f"{work}/{change}/{name}", work)

    script = f"{work}/script.nft"
    subprocess.run([program, "compile", "--network-config", f"{work}/None/network-config.json",
                    "--firewall-config", f"{work}/None/firewall-config.json", "-o", script],
                   check=True, stderr=subprocess.DEVNULL)
    results = {}
    for _ in range(runs):
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        results.setdefault("nft", []).append(run(["nft", "-f", script]))
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        use(None)
        daemon = Daemon(program, work)
        for name, change in (("identical", None), ("one rule changed", "one"), ("identical again", "one"),
                             ("everything changed", "all")):
            use(change)
            results.setdefault(f"reload, {name}", []).append(daemon.ask("reload")[0])
        results.setdefault("status", []).append(daemon.ask("status")[0])
        memory = daemon.status("VmHWM") / 1024
        daemon.stop()
    medians = {name: statistics.median(values) for name, values in results.items()}
    report(f"reloads: {networks} networks of {rules} rules, medians of {runs}, peak {memory:.0f} MiB",
           medians.pop("nft"), "nft -f of the whole script", medians.items())


# ---- addresses ------------------------------------------------------------------------------------

def write_names(work, networks, names, per_name):
    hostnames = [f"n{i}.{per_name}.example" for i in range(names)]
    network = {"networks": [{"name": f"ds-{i}", "subnet": f"172.20.{i}.0/24"} for i in range(networks)]}
    rules = {f"ds-{i}": {"egress": [{"to": "ipset", "ipset": "s"}, {"action": "drop"}]} for i in range(networks)}
    for name, value in (("network", network), ("firewall", {"ipsets": {"s": hostnames}, "networks": rules})):
        pathlib.Path(work, f"{name}-config.json").write_text(json.dumps(value), encoding="ascii")


def ipset_each(addresses):
    """Scaled from some of them."""
    try:
        subprocess.run(["ipset", "create", "bench", "hash:ip", "timeout", "300"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    start = time.monotonic()
    for address in addresses[:IPSET_MEASURED]:
        subprocess.run(["ipset", "add", "bench", address, "timeout", "300", "-exist"], check=True)
    took = time.monotonic() - start
    subprocess.run(["ipset", "destroy", "bench"], check=True)
    return took * len(addresses) / IPSET_MEASURED


def refreshes(program, work, runs):
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    write_names(work, 1, NAMES, PER_NAME)
    daemon = Daemon(program, work)
    addresses = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(NAMES * PER_NAME)]
    elements = ", ".join(f"{address} timeout 300s expires 300s" for address in addresses)
    script = pathlib.Path(work, "elements.nft")
    script.write_text(f"table inet bench {{ set s {{ type ipv4_addr; flags timeout; }}; }}\n"
                      f"add element inet bench s {{ {elements} }}\n", encoding="ascii")
    results = {}
    for _ in range(runs):
        time.sleep(ASK_MIN)
        wall, cpu = daemon.ask("refresh")
        results.setdefault("refresh, DNS included", []).append(wall)
        results.setdefault("refresh, the daemon's processor time", []).append(cpu)
        results.setdefault("nft", []).append(run(["nft", "-f", script]))
    medians = {name: statistics.median(values) for name, values in results.items()}
    ipset = ipset_each(addresses)
    if ipset:
        medians[f"ipset add, a process each ({IPSET_MEASURED} measured, scaled)"[:44]] = ipset
    listed = subprocess.run(["nft", "-j", "list", "set", "inet", "dockside", "ipset-s-v4"], check=True,
                            capture_output=True).stdout.count(b'"elem"')
    if listed < len(addresses):
        sys.exit(f"only {listed} addresses are there")
    daemon.stop()
    report(f"{len(addresses)} addresses of {NAMES} names, medians of {runs}", medians.pop("nft"),
           "nft -f of the same elements", medians.items())


# ---- idle -----------------------------------------------------------------------------------------

def idle(program, work, seconds):
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    write_names(work, IDLE_NETWORKS, IDLE_NAMES, 1)
    daemon = Daemon(program, work)
    time.sleep(2)
    switches, cpu = daemon.status("voluntary_ctxt_switches"), daemon.cpu()
    time.sleep(seconds)
    switches = daemon.status("voluntary_ctxt_switches") - switches
    cpu = daemon.cpu() - cpu
    print(f"idle for {seconds} s: {IDLE_NETWORKS} networks, {IDLE_NAMES} names, TTL {TTL} s")
    print(f"  {daemon.status('VmRSS') / 1024:.1f} MiB resident, {switches * 60 / seconds:.0f} wake-ups a minute, "
          f"{cpu * 3600 / seconds:.1f} processor seconds an hour")
    daemon.stop()


def main():
    program, work = sys.argv[1:3]
    networks, rules, runs, idle_seconds = map(int, sys.argv[3:7])
    os.makedirs(work)
    start_name_server(work)
    reloads(program, work, networks, rules, runs)
    refreshes(program, work, runs)
    idle(program, work, idle_seconds)


if __name__ == "__main__":
    main()
