#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""control.py PROGRAM WORK_DIR NETWORKS RULES RUNS: the control plane, as ratios to `nft -f`.

Runs inside a network namespace made for it. Every run does each step once, in the same order, so
that what disturbs the machine disturbs all of them; medians are compared.
"""
import os
import statistics
import subprocess
import sys
import time

import generate

BASELINE = "nft -f of the same script"
NOTHING_TO_DO = "apply, the same again"
# A script does not know the ports of this host: apply adds what is bound to some.
UNSURE = "apply, over nft -f"


def measure(argv, output):
    """Wall seconds, processor seconds and peak MiB of a command that must succeed."""
    with open(output, "wb") as out, open(output + ".err", "wb") as err:
        start = time.monotonic()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0) # before Python forgets the object, and waits for it by itself
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if status != 0:
        with open(output + ".err", encoding="utf-8") as err:
            sys.exit(f"{' '.join(argv)}: failed\n{err.read()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def check(name, output):
    """Whether apply had to do what the step is about."""
    with open(output, encoding="utf-8") as text:
        loaded = "applied: " in text.read()
    if name.startswith("apply") and name != UNSURE and loaded == (name == NOTHING_TO_DO):
        sys.exit(f"{name}: not what was to be measured")


def main():
    program, work, n_networks, n_rules, runs = sys.argv[1:6]
    output = f"{work}/output"
    for change in (None, "one", "all"):
        generate.write(int(n_networks), int(n_rules), f"{work}/{change}", change)

    def ours(command, change, *more):
        return [program, command, "--network-config", f"{work}/{change}/network-config.json",
                "--firewall-config", f"{work}/{change}/firewall-config.json", *more]

    script = f"{work}/script.nft"
    subprocess.run(ours("compile", None, "-o", script), check=True, stderr=subprocess.DEVNULL)
    flush = ["nft", "flush", "ruleset"]
    # Name, commands that make the state and are not measured, the command that is.
    steps = [
        ("compile", [], ours("compile", None)),
        (BASELINE, [flush], ["nft", "-f", script]),
        ("nft -f again, over itself", [], ["nft", "-f", script]),
        ("apply, empty host", [flush], ours("apply", None)),
        ("apply, the same again", [], ours("apply", None)),
        ("apply, one rule changed", [], ours("apply", "one")),
        ("apply, everything changed", [], ours("apply", "all")),
        ("apply, over nft -f", [flush, ["nft", "-f", script]], ours("apply", None)),
        ("diff, nothing changed", [], ours("diff", None)),
    ]
    results = {name: [] for name, _, _ in steps}
    for _ in range(int(runs)):
        for name, before, argv in steps:
            for command in before:
                subprocess.run(command, check=True)
            results[name].append(measure(argv, output))
            check(name, output)

    base = [statistics.median(column) for column in zip(*results[BASELINE])]
    print(f"{n_networks} networks of {n_rules} rules; medians of {runs}; "
          f"{BASELINE} = 1.00")
    print(f"{'':28}{'time':>8}{'cpu':>8}{'memory':>8}")
    for name, _, _ in steps:
        columns = [statistics.median(column) for column in zip(*results[name])]
        ratios = "".join(f"{value / whole:8.2f}" for value, whole in zip(columns, base))
        print(f"{name:28}{ratios}   ({columns[2]:.0f} MiB)")


if __name__ == "__main__":
    main()
