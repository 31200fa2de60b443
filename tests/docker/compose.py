#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: compose.py FILE DIRECTORY

Prints, one a line, the arguments that `docker run` needs to start the only service of a docker-compose.yml of
ours as that says; "./" of volumes is the directory. It reads mappings, lists and scalars, one a line, and
refuses a key that it does not know.
"""
import re
import sys

FLAGS = {"cap_drop": "--cap-drop", "cap_add": "--cap-add", "security_opt": "--security-opt",
         "tmpfs": "--tmpfs", "volumes": "--volume", "network_mode": "--network", "restart": "--restart"}


def entries(text):
    """(key, value) of each scalar and list entry of services.NAME."""
    key, depth = None, None
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if not line:
            continue
        indent, item = len(line) - len(line.lstrip()), line.strip()
        if indent < 4:
            continue    # services, NAME
        if item.startswith("- "):
            yield key, item[2:]
        elif indent == 4 or depth is None:
            depth = indent
            key, _, value = item.partition(":")
            if value.strip():
                yield key, value.strip()
        else:
            yield key, item     # of a nested mapping


def main():
    path, directory = sys.argv[1:]
    image = None
    with open(path, encoding="utf-8") as f:
        for key, value in entries(f.read()):
            if key == "image":
                image = value
            elif key == "build":
                pass            # made by the test
            elif key == "read_only" and value == "true":
                print("--read-only")
            elif key == "stop_grace_period":
                print(f"--stop-timeout={value.removesuffix('s')}")
            elif key in FLAGS:
                print(f"{FLAGS[key]}={re.sub(r'^[.]/', directory + '/', value)}")
            else:
                sys.exit(f"{path}: what is {key}: {value}?")
    print(image or sys.exit(f"{path}: no image"))


main()
