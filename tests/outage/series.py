#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records the elements of the sets second by second, and judges and compares such series.

  series.py sample BEGIN SECONDS PROGRAM SOCKET
        once a second from BEGIN (of CLOCK_MONOTONIC) on, lines on standard output: "SECOND set ELEMENT" of all sets
        and maps whose elements come from names, "SECOND name: REASON" of the names that fail, as `PROGRAM status`
        has it, and "SECOND end"
  series.py judge LENGTH GENERATION...
        the series of run on standard input: whether the sets hold the addresses of these generations, and no
        others, at the end of each phase of LENGTH seconds; and that no set is ever without any. Lines "TEST: FAULTS"
  series.py compare FILE FILE [SHIFT]
        whether in two series the same elements come and go in the same order, and within SHIFT seconds: 10 by default,
        as a name that is about to be asked in one has been asked in the other, and an answer may take 4 s. Exit status
        1 if not. Why names failed is compared, too, but these are notes: it depends on how fast the machine was.
"""
import collections
import json
import re
import subprocess
import sys
import time


# ---- sampling


def without_time_left(element):
    if isinstance(element, dict):
        return {k: without_time_left(v) for k, v in element.items() if k not in ("expires", "counter")}
    if isinstance(element, list):
        return [without_time_left(e) for e in element]
    return element


def in_the_kernel():
    listed = subprocess.run(["nft", "-j", "list", "table", "inet", "dockside"], stdout=subprocess.PIPE, check=True)
    for item in json.loads(listed.stdout)["nftables"]:
        thing = item.get("set") or item.get("map")
        if thing and re.match(r"ipset-|host-|.*-nat[46]$", thing["name"]):
            for element in thing.get("elem", []):
                yield f"{thing['name']} {json.dumps(without_time_left(element), sort_keys=True)}"


def in_status(program, path):
    told = subprocess.run([program, "status", "--socket", path, "--json"], stdout=subprocess.PIPE, check=True)
    for name, state in json.loads(told.stdout)["names"].items():
        if state["error"]:
            yield f"{name}: {state['error']}"


def sample(begin, seconds, program, path):
    for second in range(int(seconds)):
        time.sleep(max(0, float(begin) + second - time.monotonic()))
        lines = sorted(in_the_kernel()) + sorted(in_status(program, path))
        if (late := time.monotonic() - float(begin) - second) > 1.5:
            print(f"second {second} was looked at {late:.1f} s late", file=sys.stderr)
        print("".join(f"{second} {line}\n" for line in lines) + f"{second} end", flush=True)


# ---- what is seen


def seen(lines):
    """A list of sets of lines, a second each."""
    seconds = []
    now = set()
    for line in lines:
        second, what = line.rstrip("\n").split(" ", 1)
        if int(second) != len(seconds):
            sys.exit(f"second {len(seconds)} is missing")
        if what == "end":
            seconds.append(now)
            now = set()
        else:
            now.add(what)
    return seconds


LATE = 5    # names, see run
TABLE = {   # set: its addresses in a generation
    "ipset-plain-v4": lambda g: [f"198.51.100.{g}", "198.51.100.99"],
    "ipset-plain-v6": lambda g: [f"2001:db8:51::{g}"],
    "ipset-many-v4": lambda g: [f"10.1.{g}.{i}" for i in range(1, 101)],
    "ipset-alias-v4": lambda g: [f"10.2.0.{g}"],
    "ipset-search-v4": lambda g: [f"10.3.0.{g}"],
    "ipset-search-v6": lambda g: [f"2001:db8:53::{g}"],
    "ipset-late-v4": lambda g: [f"198.51.100.{100 + g}", "192.0.2.1"],
    "ipset-late-v6": lambda g: [f"2001:db8:51:{i}::{g}" if i else f"2001:db8:51::{g}" for i in range(LATE)],
    "host-target.example-v4": lambda g: [f"10.4.0.{g}"],
    "host-target.example-v6": lambda g: [f"2001:db8:54::{g}"],
}


def addresses(second):
    found = collections.defaultdict(set)
    for line in second:
        if match := re.match(r"((?:ipset|host)-\S+) ", line):
            element = json.loads(line[match.end():])
            found[match[1]].add(element["elem"]["val"] if isinstance(element, dict) else element)
    return found


def brief(wanted, got):
    faults = [f"{what} {', '.join(sorted(some)[:3])}{' and others' if len(some) > 3 else ''}"
              for what, some in (("without", wanted - got), ("with", got - wanted)) if some]
    return " and ".join(faults)


def judge(length, *generations):
    seconds = [addresses(second) for second in seen(sys.stdin)]
    length, generations = int(length), [int(g) for g in generations]
    if len(seconds) != length * len(generations):
        print(f"all seconds: there are {len(seconds)}")
    for phase, generation in enumerate(generations):
        last = seconds[(phase + 1) * length - 1]
        faults = [f"{name} is {fault}" for name, of in TABLE.items() if (fault := brief(set(of(generation)), last[name]))]
        print(f"at the end of phase {phase}, addresses of generation {generation}: {'; '.join(faults)}")
    for name in TABLE:
        empty = [str(i) for i, second in enumerate(seconds) if not second[name] - {"192.0.2.1"}]
        print(f"{name} is never empty: {', '.join(empty)}")


# ---- comparing


def apart(line):
    """An element without its comment, which names all that have it; a reason for each family."""
    if match := re.match(r"(\S+): (.*)", line):
        name, reasons = match.groups()
        parts = re.findall(r"(IPv[46]): ([^;]*)", reasons)
        return [f"{name} {family}: {why}" for family, why in parts or [("IPv4", reasons), ("IPv6", reasons)]]
    return [re.sub(r'"comment": "[^"]*", ', "", line)]


def changes(seconds):
    """thing -> [seconds in which it comes or goes]"""
    found = collections.defaultdict(list)
    before = set()
    for i, now in enumerate(seconds):
        for thing in before ^ now:
            found[thing].append(i)
        before = now
    return found


def compare(a, b, shift="10"):
    with open(a, encoding="utf-8") as f, open(b, encoding="utf-8") as g:
        both = [[{part for line in second for part in apart(line)} for second in seen(lines)] for lines in (f, g)]
    one, two = changes(both[0]), changes(both[1])
    faults, notes, shifts = [], [], collections.Counter()
    if len(both[0]) != len(both[1]):
        faults.append(f"{len(both[0])} seconds, {len(both[1])} seconds")
    for thing in sorted(one.keys() | two.keys()):
        pairs = list(zip(one[thing], two[thing]))
        is_reason = ": " in thing.split('"', maxsplit=1)[0]
        if not is_reason:
            shifts.update(y - x for x, y in pairs)
        if len(one[thing]) != len(two[thing]) or any(abs(y - x) > int(shift) for x, y in pairs):
            (notes if is_reason else faults).append(f"{thing}: comes and goes at {one[thing]}, {two[thing]}")
    print("".join(f"note: {note}\n" for note in notes) + "".join(f"{fault}\n" for fault in faults) +
          f"{sum(shifts.values())} elements come and go; the second series is later by so many seconds: " +
          ", ".join(f"{s} ({n} times)" for s, n in sorted(shifts.items())))
    return 1 if faults else 0


def main():
    command, *args = sys.argv[1:] or [""]
    if command == "sample":
        sample(*args)
    elif command == "judge":
        judge(*args)
    elif command == "compare":
        sys.exit(compare(*args))
    else:
        sys.exit(__doc__)


main()
