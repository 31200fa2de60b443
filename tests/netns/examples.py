#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The examples of documents, for examples.sh. A code block has a mark before it: in Markdown an indented block after
# <!-- test: KIND [ARGUMENT] -->, in a manual page .Bd -literal after .\" test: KIND [ARGUMENT].
#
#   blocks DIRECTORY FILE…     each as DIRECTORY/NNN.text and NNN.mark (place, tab, mark; none: no mark)
#   shown TEXT OUTPUT          prints the lines of TEXT that are not in OUTPUT, in their order: "…" is anything,
#                              blanks do not matter, what follows "  # " is a note
#   ask SOCKET REQUESTS        prints the answers that are not "ok"
import json
import re
import socket
import sys
from pathlib import Path


def markdown_blocks(lines):
    mark, block, start = "", [], 0
    for number, line in enumerate(lines + ["end"], 1):
        if line.startswith("    ") or (block and not line.strip()):
            start = start or number
            block.append(line[4:])
        else:
            if block:
                yield start, mark, "\n".join(block).strip("\n") + "\n"
                mark, block, start = "", [], 0
            found = re.fullmatch(r"<!-- test: (.*) -->", line)
            mark = found.group(1) if found else mark if not line.strip() else ""


def mdoc_blocks(lines):
    mark, block, start = "", None, 0
    for number, line in enumerate(lines, 1):
        if line == ".Ed" and block is not None:
            yield start, mark, "".join(block)
            mark, block = "", None
        elif block is not None:
            block.append(line.replace("\\e", "\\").replace("\\&", "") + "\n")
        elif line.startswith(".Bd -literal"):
            block, start = [], number
        else:
            found = re.fullmatch(r'\.\\" test: (.*)', line)
            mark = found.group(1) if found else ""


def blocks(directory, *files):
    count = 0
    for name in files:
        path = Path(name)
        split = markdown_blocks if path.suffix == ".md" else mdoc_blocks
        for line, mark, text in split(path.read_text().splitlines()):
            count += 1
            Path(directory, f"{count:03}.text").write_text(text)
            Path(directory, f"{count:03}.mark").write_text(f"{path.name}:{line}\t{mark}\n")


def shown(text, output):
    have = [" ".join(line.split()) for line in Path(output).read_text().splitlines()]
    at = 0
    for line in Path(text).read_text().splitlines():
        wanted = " ".join(re.sub(r"\s{2,}# .*", "", line).split())
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.split("…")))
        found = next((i for i in range(at, len(have)) if pattern.search(have[i])), None)
        if found is None:
            print(f"not shown, or not there: {wanted}")
        else:
            at = found + 1


def ask(path, requests):
    for line in Path(requests).read_text().splitlines():
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(path)
            s.sendall(line.encode() + b"\n")
            answer = s.makefile().readline()
        if json.loads(answer).get("status") != "ok":
            print(f"{line}: {answer}")


{"blocks": blocks, "shown": shown, "ask": ask}[sys.argv[1]](*sys.argv[2:])
