#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints what table bridge dockside shall have, by `docker inspect` of all running containers on standard input.

usage: docker inspect CONTAINER... | bind_wanted.py [NETWORK]...     NETWORK: of those only, by default all named ds-*

Prints lines "PORT known", "PORT MAC" and "PORT ADDRESS", sorted. A container's port is found from within: its
interface with that MAC address says the index of its other end.
"""
import json
import re
import subprocess
import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from packet import link_local  # noqa: E402  # pylint: disable=wrong-import-position


def links(pid=None):
    """MAC address -> index of the other end; of the host: index -> name"""
    enter = ["nsenter", f"--net=/proc/{pid}/ns/net"] if pid else []
    text = subprocess.run([*enter, "ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in text.splitlines():
        name = re.match(r"(\d+): ([^@:]+)(?:@if(\d+))?:", line)
        ether = re.search(r"link/ether (\S+)", line)
        if not name or not ether:
            continue
        if pid:
            found[ether[1]] = name[3]
        else:
            found[name[1]] = name[2]
    return found


def main():
    text = sys.stdin.read().strip()
    names, lines = links(), []
    for container in json.loads(text) if text else []:
        inside = links(container["State"]["Pid"])
        for network, its in container["NetworkSettings"]["Networks"].items():
            if network not in sys.argv[1:] if len(sys.argv) > 1 else not network.startswith("ds-"):
                continue
            port = names[inside[its["MacAddress"]]]
            lines += [f"{port} known", f"{port} {its['MacAddress']}", f"{port} {link_local(its['MacAddress'])}"]
            lines += [f"{port} {address}" for address in (its["IPAddress"], its["GlobalIPv6Address"]) if address]
    print("\n".join(sorted(lines)))


main()
