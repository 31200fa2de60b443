#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: gate.py DSFW-NFT GATE_LOAD DIRECTORY NETWORKS NAMES RATE SECONDS

Daemon and DNS gate under load, in network and mount namespaces made for it: so many networks of 20 rules, each with its
gate and so many names, and the questions of all of them evenly, RATE a second. Prints how many were lost, how long answers
took, and the gate's share of a processor, as the program's own and the kernel's for it: the median of five rounds, as the
machine itself stops for some milliseconds now and then. The clients have a processor of their own. Before and after it
measures the same of a server in its place that sends each question back: what this machine's kernel and our rules cost
whoever answers, and how even its scheduling is. Both and the daemon have the weight that their units have. A virtual
processor that sleeps may be woken 9 ms late (seen in a trace of the scheduler: questions waited, nothing ran, and by
/proc/stat no time was stolen). So a loop of the lowest priority, SCHED_IDLE, keeps each from sleeping; one row is without it.
Then how long reload, diff, apply and nft list take beside the gate, without questions = 1.00; and how long answers take
beside them, by those of the server that sends back: they share the server's processor or the clients', and a kernel may
leave both waiting until its next tick, 4 ms.
"""
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import generate

PORT, UID, RULES, RUNS, ROUNDS = 5300, 4711, 20, 3, 5
SERVER = ["nice", "-n", "-5"]   # three times the usual weight, as CPUWeight= of the units


def run(*command, text=None):
    subprocess.run(command, input=text, text=True, check=True)


def configure(directory, networks, names):
    """The usual policy, and names of each network's own that only its gate knows."""
    network, firewall = generate.generate(networks, RULES, None)
    for i, entry in enumerate(network["networks"]):
        for key in ("dockside_ip", "dockside_mac"):     # the one container is an ordinary one
            del entry[key]
        own = [f"n{k}.bench.test" for k in range(i * names, (i + 1) * names)]
        firewall["ipsets"][f"own-{i}"] = own
        policy = firewall["networks"][entry["name"]]
        policy["dns"] = {}
        policy["egress"].insert(-1, {"proto": "tcp", "ports": [443], "to": "ipset", "ipset": f"own-{i}"})
    firewall["dns"] = {"upstream": ["127.0.0.9"]}
    for name, config in (("network", network), ("firewall", firewall)):
        pathlib.Path(directory, f"{name}-config.json").write_text(json.dumps(config), encoding="utf-8")


def set_up(networks):
    # All neighbours are permanent: the kernel keeps about a thousand others, of all namespaces together. And no network
    # has IPv6: what 3,000 new interfaces say by themselves kept both processors for 8 ms at a time.
    run("ip", "netns", "add", "clients")
    for namespace in ((), ("ip", "netns", "exec", "clients")):
        for knob in ("all", "default"):
            run(*namespace, "sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/{knob}/disable_ipv6")
    run("ip", "link", "set", "lo", "up")
    lines = []
    for i in range(networks):
        net = f"10.{i >> 8}.{i & 255}"
        mac = f"00:00:{i >> 8:02x}:{i & 255:02x}"
        lines += [f"link add ds-{i:04} address 02:01:{mac} type bridge mcast_snooping 0",
                  f"link add v{i} type veth peer name c{i} address 02:02:{mac} netns clients",
                  f"link set v{i} master ds-{i:04} up", f"addr add {net}.1/24 dev ds-{i:04}",
                  f"link set ds-{i:04} up", f"neigh replace {net}.2 lladdr 02:02:{mac} dev ds-{i:04} nud permanent"]
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


def bind(networks):
    """The containers' ports are known, as those are that an earlier daemon has asked Docker about."""
    ports = [(f"v{i}", f"02:02:00:00:{i >> 8:02x}:{i & 255:02x}", f"10.{i >> 8}.{i & 255}.2") for i in range(networks)]
    sets = {"ports": [f'"{port}" comment "c{i}"' for i, (port, _, _) in enumerate(ports)],
            "bindings4": [f'"{port}" . {mac} . {address}' for port, mac, address in ports],
            "macs": [f'"{port}" . {mac}' for port, mac, _ in ports],
            "addrs4": [f'"{port}" . {address}' for port, _, address in ports],
            "bound-macs": [mac for _, mac, _ in ports],
            "bound4": [address for _, _, address in ports]}
    run("nft", "-f", "-", text="".join(f"add element bridge dockside {name} {{ {', '.join(elements)} }}\n"
                                       for name, elements in sets.items()))


@contextlib.contextmanager
def awake():
    """While no processor sleeps."""
    loops = [subprocess.Popen(["taskset", "-c", str(processor), "chrt", "-i", "0", sys.executable, "-c", "while True: pass"])
             for processor in sorted(os.sched_getaffinity(0))]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


class Lab:
    """The name server, the daemon and the gate."""

    def __init__(self, program, load, directory, networks, names):
        self.program, self.load, self.directory = program, load, directory
        self.networks, self.names = networks, names
        self.files = ["--network-config", f"{directory}/network-config.json",
                      "--firewall-config", f"{directory}/firewall-config.json", "--gate-user", str(UID)]
        self.log = f"{directory}/log"
        self.started, self.started_at = [], 0
        try:
            self.begin()
        except BaseException:
            self.stop()
            raise

    def begin(self):
        self.start([self.load, "serve", "127.0.0.9"])
        with open(self.log, "a", encoding="utf-8") as log:
            subprocess.run([self.program, "apply", *self.files], check=True, stdout=log, stderr=log)
        bind(self.networks)
        self.start_daemon()

    def start_daemon(self):
        self.daemon = self.start([*SERVER, self.program, "daemon", *self.files, "--socket", f"{self.directory}/socket",
                                  "--gate-socket", f"{self.directory}/gate.sock"])
        self.wait("\nready")

    def start_gate(self):
        holder = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../netns/gate.py")
        begin = time.monotonic()
        held = self.start([*SERVER, sys.executable, holder, "hold", str(PORT), self.program, "gate", "--user", str(UID),
                           "--gate-socket", f"{self.directory}/gate.sock"])
        self.wait(" taken\n")
        self.taken_s = time.monotonic() - begin
        self.server = int(pathlib.Path(f"/proc/{held.pid}/task/{held.pid}/children").read_text("ascii").split()[0])
        return held

    def start_echo(self):
        echo = self.start([*SERVER, self.load, "echo", str(PORT)])
        self.wait("echoes")
        self.server = echo.pid
        return echo

    def end(self, process):
        self.started.remove(process)
        process.terminate()
        process.wait()

    def start(self, command):
        with open(self.log, "a", encoding="utf-8") as log:
            self.started_at = log.tell()
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self.started.append(process)
        return process

    def said(self):
        """In the log, since the last one was started."""
        return pathlib.Path(self.log).read_bytes()[self.started_at:].decode("utf-8", "replace")

    def wait(self, word):
        begin = time.monotonic()
        while word not in self.said():
            time.sleep(0.02)
            if time.monotonic() - begin > 120:
                sys.exit(f"no \"{word}\" in two minutes:\n" + self.said())

    def stop(self):
        while self.started:
            self.end(self.started[-1])

    def seconds(self):
        """The seconds of a processor that the server has used: its own, and the kernel's for it."""
        fields = pathlib.Path(f"/proc/{self.server}/stat").read_text("ascii").rpartition(") ")[2].split()
        return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:13]]

    def resident(self):
        lines = dict(line.split(":", 1) for line in
                     pathlib.Path(f"/proc/{self.server}/smaps_rollup").read_text("ascii").splitlines()[1:])
        return ", ".join(f"{key} {int(lines[key].split()[0]) / 1024:.1f} MiB" for key in ("Rss", "Pss", "Private_Dirty"))

    def round(self, rate, seconds, strange, meanwhile):
        """Returns the counts of gate_load, and the server's share of a processor, its own and the kernel's for it."""
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(self.server, processors[1:] or processors)
        before = self.seconds()
        with subprocess.Popen(["ip", "netns", "exec", "clients", "taskset", "-c", str(processors[0]), self.load, "ask",
                               str(self.networks), str(self.names), str(rate), str(seconds), str(strange)],
                              stdout=subprocess.PIPE, text=True) as asking:
            while meanwhile and asking.poll() is None:
                meanwhile()
            said = asking.communicate()[0].split()
        got = dict(zip(said[::2], map(int, said[1::2])))
        return got, [(after - had) / seconds for after, had in zip(self.seconds(), before)]

    def ask(self, title, rate, seconds, strange=0, rounds=ROUNDS, meanwhile=None):
        """Prints a row. meanwhile() is called while the questions are asked, until they are. Returns share and p99."""
        got, shares = zip(*(self.round(rate, max(1, seconds // rounds), strange, meanwhile) for _ in range(rounds)))
        asked, lost = (sum(one[key] for one in got) for key in ("asked", "lost"))
        p50, p99 = (statistics.median(one[key] for one in got) for key in ("p50", "p99"))
        worst = max(one["p99"] for one in got)
        user, system = (statistics.median(share) for share in zip(*shares))
        print(f"{title:42} {asked:>8} asked {lost:>6} lost  p50 {p50:>6.0f} us  p99 {p99:>7.0f} us (worst {worst:>6})  "
              f"{user + system:5.0%} of a processor ({user:.0%} + {system:.0%})", flush=True)
        return user + system, p99


def timed(*command):
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begin


def beside(lab, who, title, rate, seconds, *command):
    """Measures how long a command takes without questions, and while they are asked; and the p99 of these."""
    quiet = statistics.median(timed(*command) for _ in range(RUNS))
    busy = []
    _, p99 = lab.ask(f"{who} beside {title}", rate, max(seconds, int(3 * quiet * RUNS) + 1), rounds=1,
                     meanwhile=lambda: busy.append(timed(*command)))
    return title, statistics.median(busy) / quiet, quiet, len(busy), p99


def hits(lab, title, rate, seconds):
    """Returns share and p99 at half of the rate, at all of it, and half as much again."""
    return [lab.ask(f"{title} at {rate * part // 2} a second", rate * part // 2, seconds) for part in (1, 2, 3)]


def control(lab, rate, seconds):
    """The server that sends each question back."""
    echo = lab.start_echo()
    figures = hits(lab, "sent back,", rate, seconds)
    lab.end(echo)
    return figures


def beside_all(lab, who, rate, seconds):
    """Beside what the daemon does, or what there is to do beside it. The daemon ends: a part of them needs it, and apply runs
    without."""
    rows = [beside(lab, who, title, rate, seconds, *command) for title, command in (
        ("reload", (lab.program, "reload", "--socket", f"{lab.directory}/socket")),
        ("nft list ruleset", ("nft", "list", "ruleset")),
        ("diff", (lab.program, "diff", *lab.files)))]
    lab.end(lab.daemon)
    return rows + [beside(lab, who, "apply, without a daemon", rate, seconds, lab.program, "apply", *lab.files,
                          "--gate-socket", f"{lab.directory}/gate.sock")]


def main():
    program, load, directory, networks, names, rate, seconds = sys.argv[1:4] + [int(a) for a in sys.argv[4:]]
    os.makedirs(directory, exist_ok=True)
    configure(directory, networks, names)
    set_up(networks)
    lab = Lab(program, load, directory, networks, names)
    try:
        with awake():
            controls = [control(lab, rate, seconds)]
            gate = lab.start_gate()
            print(f"{networks} networks, {networks * names} names; the gate had the policy {lab.taken_s:.2f} s after its "
                  f"start; {lab.resident()}", flush=True)
            lab.ask("first questions, each told", rate // 4, seconds, rounds=1)
            own = hits(lab, "hits", rate, seconds)
            lab.ask("hits, until all was told anew", rate, 6 * seconds)
            lab.ask("half of the names not allowed", rate, seconds, 50)
        lab.ask("hits, and processors sleep", rate, seconds)
        with awake():
            rows = beside_all(lab, "hits", rate, seconds)
            print(lab.resident())
            lab.end(gate)
            controls.append(control(lab, rate, seconds))
            lab.start_daemon()
            echo = lab.start_echo()
            control_rows = beside_all(lab, "sent back,", rate, seconds)
            lab.end(echo)
        print("\nBy those of the server that sends questions back: a processor's share, p99")
        for part, found, *others in zip((1, 2, 3), own, *controls):
            print(f"{f'hits at {rate * part // 2} a second':42}" +
                  "".join(f"{2 * figure / sum(quiet):9.2f}" for figure, *quiet in zip(found, *others)))
        print()
        print(f"With {rate} questions a second; without any = 1.00. And the p99 of these, by that of the server that sends back")
        for (title, ratio, quiet, runs, p99), (*_, control_p99) in zip(rows, control_rows):
            print(f"{title:42}{ratio:9.2f}{p99 / control_p99:9.2f}   ({quiet * 1000:.0f} ms; {runs} times)")
    finally:
        lab.stop()


main()
