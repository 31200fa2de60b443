#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: gate.py DSFW-NFT GATE_LOAD DIRECTORY NETWORKS NAMES RATE SECONDS

The DNS gate under load: so many networks with so many names each, the questions of all of them evenly, RATE a second.
Rules by hand. Prints what was lost, how long answers took, and the gate's share of a processor.
"""
import json
import os
import subprocess
import sys
import time

PORT, UID = 5300, 4711


def run(*command, text=None):
    subprocess.run(command, input=text, text=True, check=True)


def set_up(networks):
    # All neighbours are permanent: the kernel keeps about a thousand others, of all namespaces together.
    run("ip", "netns", "add", "clients")
    run("ip", "link", "set", "lo", "up")
    lines = []
    for i in range(networks):
        net = f"10.{i >> 8}.{i & 255}"
        mac = f"00:00:{i >> 8:02x}:{i & 255:02x}"
        lines += [f"link add br{i} address 02:01:{mac} type bridge",
                  f"link add v{i} type veth peer name c{i} address 02:02:{mac} netns clients",
                  f"link set v{i} master br{i} up", f"addr add {net}.1/24 dev br{i}", f"link set br{i} up",
                  f"neigh replace {net}.2 lladdr 02:02:{mac} dev br{i} nud permanent"]
    run("ip", "-batch", "-", text="\n".join(lines))
    lines = []
    for i in range(networks):
        net, mac = f"10.{i >> 8}.{i & 255}", f"00:00:{i >> 8:02x}:{i & 255:02x}"
        lines += [f"addr add {net}.2/24 dev c{i}", f"link set c{i} up",
                  f"neigh replace {net}.1 lladdr 02:01:{mac} dev c{i} nud permanent"]
    run("ip", "-n", "clients", "-batch", "-", text="\n".join(lines))
    for knob in ("all", "default"):
        for namespace in ((), ("ip", "netns", "exec", "clients")):
            run(*namespace, "sh", "-c", f"echo 0 >/proc/sys/net/ipv4/conf/{knob}/rp_filter")
    run("ip", "addr", "add", "127.0.0.9/32", "dev", "lo")


def rules(networks):
    bridges = ", ".join(f'"br{i}"' for i in range(networks))
    return f"""table inet dockside {{
 set dns-gate {{ type ifname; elements = {{ {bridges} }}; }}
 set told4 {{ type ifname . ipv4_addr; flags dynamic,timeout; size 200000; }}
 chain prerouting-dns {{ type nat hook prerouting priority dstnat - 1; policy accept
  iifname @dns-gate meta l4proto {{ tcp, udp }} th dport 53 counter redirect to :{PORT}
 }}
 chain input {{ type filter hook input priority filter - 1; policy accept
  meta l4proto {{ tcp, udp }} th dport {PORT} iifname @dns-gate ct status dnat counter accept
  meta l4proto {{ tcp, udp }} th dport {PORT} counter drop
 }}
 chain dns-told {{ type filter hook output priority raw - 1; policy accept
  meta skuid {UID} udp sport 5301 goto dns-tell
 }}
 chain dns-tell {{
  udp dport vmap {{ 1 : goto tell }}
 }}
 chain tell {{
  update @told4 {{ oifname . ip daddr timeout 3900s }} counter drop
 }}
}}"""


def policy(networks, names):
    # One set for all of them: the names are each network's own.
    lists = [{"slot": 1, "set": "told", "names": [f"n{k}.bench.test" for k in range(networks * names)]}]
    return {"version": 1, "generation": "bench", "upstream": ["127.0.0.9"], "lists": lists,
            "networks": [{"name": f"net{i}", "bridge": f"br{i}", "lists": [0], "ipv6": False, "life": 3900,
                          "types": [], "private": [], "size": 65536, "audit": False} for i in range(networks)]}


def ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def resident(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        lines = dict(line.split(":", 1) for line in f.read().splitlines()[1:])
    return ", ".join(f"{key} {int(lines[key].split()[0]) / 1024:.1f} MiB" for key in ("Rss", "Pss", "Private_Dirty"))


def measure(title, pid, load, networks, names, rate, seconds, strange):
    before, begin = ticks(pid), time.monotonic()
    said = subprocess.run(["ip", "netns", "exec", "clients", load, "ask", str(networks), str(names), str(rate),
                           str(seconds), str(strange)], capture_output=True, text=True, check=True).stdout.split()
    share = (ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / seconds
    got = dict(zip(said[::2], said[1::2]))
    print(f"{title:34} {got['asked']:>8} asked {got['lost']:>6} lost  p50 {got['p50']:>6} us  p99 {got['p99']:>7} us  "
          f"{share:6.0%} of a processor  ({time.monotonic() - begin:.0f} s)", flush=True)


def main():
    program, load, directory, networks, names, rate, seconds = sys.argv[1:4] + [int(a) for a in sys.argv[4:]]
    os.makedirs(directory, exist_ok=True)
    set_up(networks)
    run("nft", "-f", "-", text=rules(networks))
    path = f"{directory}/policy"
    with open(path, "w", encoding="ascii") as f:
        json.dump(policy(networks, names), f)
    server = subprocess.Popen([load, "serve", "127.0.0.9"])
    holder = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../netns/gate.py")
    log = open(f"{directory}/log", "w+", encoding="ascii")
    held = subprocess.Popen([sys.executable, holder, "hold", str(PORT), program, "gate", "--user", str(UID), "--policy",
                             path], stderr=log)
    try:
        begin = time.monotonic()
        while "taken" not in open(log.name, encoding="ascii").read():
            time.sleep(0.02)
            if time.monotonic() - begin > 60:
                sys.exit(open(log.name, encoding="ascii").read())
        with open(f"/proc/{held.pid}/task/{held.pid}/children", encoding="ascii") as f:
            pid = int(f.read().split()[0])
        print(f"{networks} networks, {networks * names} names; the policy was taken "
              f"{time.monotonic() - begin:.2f} s after the start; {resident(pid)}", flush=True)
        measure("first questions, each told", pid, load, networks, names, rate // 4, seconds, 0)
        for part in (1, 2, 3):
            measure(f"hits at {rate * part // 2} a second", pid, load, networks, names, rate * part // 2, seconds, 0)
        measure("half of the names not allowed", pid, load, networks, names, rate, seconds, 50)
        print(resident(pid))
    finally:
        for process in (held, server):
            process.terminate()
            process.wait()


main()
