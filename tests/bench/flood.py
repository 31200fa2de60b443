#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""flood.py PROGRAM FLOW FLOOD WORK_DIR PACKETS ROUNDS: what it costs to record a flood of refusals.

Runs inside network and mount namespaces made for it, which play the Docker host: two containers on
one bridge, and the far end. One container sends PACKETS packets that are refused, as fast as it can,
on processor 0; the other has an established flow with the far end, there and back by turns, on
processor 1 and in another measurement on 0 too. The daemon may run on either. That is done in turn
with a daemon that is told what is refused and, with the same rules, one that is not
(--log-group none). Rates are by the clock on the wall, and medians of ROUNDS; those of a round are
compared with each other.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from daemon import Daemon

FAR_END = "198.51.100.1"
OPEN_PORT, REFUSED_PORT = 5000, 6000
SLICE_MS = 100
CALM_MS = 1000  # of the flow by itself
MODES = {"recorded": [], "--log-group none": ["--log-group", "none"]}
PLACES = {"another": 1, "the same": 0}  # processor of the flow; that of the flood is 0
POLICY = {"networks": {"ds-a": {"egress": [
    {"proto": "tcp", "ports": [80, 443]},
    {"proto": "udp", "ports": [OPEN_PORT], "to": "cidr", "cidr": "198.51.100.0/24"},
    {"action": "drop"}]}}}


def make_hosts():
    script = f"""
        ip link set lo up
        echo 1 >/proc/sys/net/ipv4/ip_forward
        ip link add ds-a address 02:42:00:00:00:01 type bridge
        ip addr add 172.30.1.1/24 dev ds-a
        ip link set ds-a up
        for i in 10 11; do
            ip netns add c$i
            ip link add to-c$i type veth peer name eth0 netns c$i
            ip link set to-c$i master ds-a up
            ip -n c$i addr add 172.30.1.$i/24 dev eth0
            ip -n c$i link set eth0 up
            ip -n c$i route add default via 172.30.1.1
        done
        ip netns add far
        ip link add to-far type veth peer name eth0 netns far
        ip addr add 198.51.100.254/24 dev to-far
        ip link set to-far up
        ip -n far addr add {FAR_END}/24 dev eth0
        ip -n far link set eth0 up
        ip -n far link set lo up
        ip -n far route add default via 198.51.100.254
    """
    subprocess.run(["sh", "-e", "-c", script], check=True)


def on_processor(number):
    return lambda: os.sched_setaffinity(0, {number})


class Flow:
    """The allowed flow, told what to do line by line."""

    def __init__(self, program, processor):
        self.process = subprocess.Popen(
            [program, "/run/netns/c10", "/run/netns/far", FAR_END, "wall"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=on_processor(processor))

    def rate(self, milliseconds):
        self.process.stdin.write(f"udp {OPEN_PORT} {milliseconds}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def denied(daemon):
    """(events, packets) of everything."""
    done = subprocess.run([daemon.program, "metrics", "--socket", daemon.socket], check=True,
                          capture_output=True, text=True)
    values = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    return (int(values.get("dsfw_nft_denied_events_total", 0)),
            int(values.get('dsfw_nft_denied_packets_total{network="ds-a"}', 0)))


def flooded(flow, daemon, flood, packets):
    """(rate of the flow, seconds of the flood, daemon's processor seconds meanwhile)"""
    cpu, rates = daemon.cpu(), []
    process = subprocess.Popen([flood, "/run/netns/c11", FAR_END, str(REFUSED_PORT), str(packets)],
                               stdout=subprocess.PIPE, text=True, preexec_fn=on_processor(0))
    flow.rate(SLICE_MS)  # while it starts
    while process.poll() is None:
        rates.append(flow.rate(SLICE_MS))
    seconds = float(process.stdout.read())
    time.sleep(0.3)  # what is still to be told
    # The last slice saw the end.
    return statistics.mean(rates[:-1] or rates), seconds, daemon.cpu() - cpu


def measure(program, flow_program, flood, work, packets):
    """(mode, place) -> what came of it, with both modes in one place after each other."""
    results = {}
    for place, processor in PLACES.items():
        for mode, options in MODES.items():
            daemon = Daemon(program, work, *options)
            flow = Flow(flow_program, processor)
            calm = flow.rate(CALM_MS)
            rate, seconds, cpu = flooded(flow, daemon, flood, packets)
            told, counted = denied(daemon)
            flow.stop()
            daemon.stop()
            if mode == "recorded" and counted != packets:
                sys.exit(f"{counted} counted, of {packets}")
            results[mode, place] = {"calm": calm, "rate": rate, "seconds": seconds, "cpu": cpu, "told": told}
    return results


def median(rounds, value):
    return statistics.median(value(results) for results in rounds)


def main():
    program, flow_program, flood, work = sys.argv[1:5]
    packets, rounds = int(sys.argv[5]), []
    make_hosts()
    pathlib.Path(work).mkdir()
    pathlib.Path(work, "network-config.json").write_text(json.dumps(
        {"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"}]}), encoding="ascii")
    pathlib.Path(work, "firewall-config.json").write_text(json.dumps(POLICY), encoding="ascii")
    for _ in range(int(sys.argv[6])):
        rounds.append(measure(program, flow_program, flood, work, packets))

    print(f"{packets:,} refused UDP packets as fast as one processor sends them; medians of {len(rounds)} rounds")
    print(f"{'the allowed flow on':32}" + "".join(f"{place + ' processor':>22}" for place in PLACES))

    def row(title, form, value):
        print(f"{title:32}" + "".join(
            f"{median(rounds, lambda results, place=place: value(results, place)):>22{form}}" for place in PLACES))

    for mode in MODES:
        row(f"packets a second, {mode}", ",.0f", lambda r, p, m=mode: packets / r[m, p]["seconds"])
    row("daemon's share of a processor", ".2%", lambda r, p: r["recorded", p]["cpu"] / r["recorded", p]["seconds"])
    row("events", ",.0f", lambda r, p: r["recorded", p]["told"])
    for mode in MODES:
        row(f"flow, {mode}, calm = 1.00", ".3f", lambda r, p, m=mode: r[m, p]["rate"] / r[m, p]["calm"])
    row("flow, recorded / none", ".3f",
        lambda r, p: r["recorded", p]["rate"] / r["--log-group none", p]["rate"])
    print("all that were sent are counted, each time")


if __name__ == "__main__":
    main()
