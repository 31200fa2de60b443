#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs an nft script, its standard input, in a process of nft, and lists table inet dockside as fast as
it can until it is again as it was before. Prints how many calm ms passed at most: from when it was last seen
unharmed. Faults go to standard error: a script that fails, more than 1 s, a table that stays another.
"""
import ctypes
import re
import subprocess
import sys
import time

from calm import calm

LIMIT, GIVE_UP = 1.0, 60.0
STATELESS = 1 << 2


class Ruleset:
    def __init__(self):
        self.nft = ctypes.CDLL("libnftables.so.1")
        self.nft.nft_ctx_new.restype = ctypes.c_void_p
        self.nft.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
        self.context = ctypes.c_void_p(self.nft.nft_ctx_new(0))
        self.nft.nft_ctx_buffer_output(self.context)
        self.nft.nft_ctx_buffer_error(self.context)
        self.nft.nft_ctx_output_set_flags(self.context, STATELESS)

    def listing(self):
        """Blocks and elements in an order of their own, without what time changes; or None."""
        if self.nft.nft_run_cmd_from_buffer(self.context, b"list table inet dockside"):
            return None
        text = self.nft.nft_ctx_get_output_buffer(self.context).decode()
        text = re.sub(r" expires \w+", "", text)
        text = re.sub(r"elements = \{([^}]*)\}",
                      lambda m: " ".join(sorted(w.strip() for w in m[1].split(","))), text)
        # The notes of the program on itself follow later.
        return sorted(block for block in re.split(r"\n\n|\n\t}\n", text)
                      if "\tset fingerprint {" not in block)


def main():
    script = sys.stdin.read()
    ruleset = Ruleset()
    before = ruleset.listing()
    if not before:
        sys.exit("there is no table")
    unharmed, harmed = calm(), False
    give_up = time.monotonic() + GIVE_UP
    with subprocess.Popen(["nft", "-f", "-"], stdin=subprocess.PIPE, text=True) as nft:
        nft.stdin.write(script)
        nft.stdin.close()
        while time.monotonic() < give_up:
            ended = nft.poll() is not None
            begin = calm()
            same = ruleset.listing() == before
            if not same:
                harmed = True
            elif harmed or ended:
                break
            else:
                unharmed = begin
    took = calm() - unharmed
    print(round(took * 1000))
    if nft.returncode:
        sys.exit("the script failed")
    if not same:
        sys.exit("never repaired:\n" + "\n".join(
            f"+{block}" for block in ruleset.listing() or [] if block not in before))
    if took > LIMIT:
        sys.exit(f"repaired after {took} s")


main()
