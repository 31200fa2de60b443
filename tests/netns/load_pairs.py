#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: load_pairs.py SCRIPT…

Loads the first one where there is nothing, then each of the others and the first one again, as "nft -f" does, each in a
transaction of its own: libnftables by one process, as starting nft thousands of times takes longer than all the loads.
Prints what does not load, and over what.
"""
import ctypes
import sys


def library():
    nft = ctypes.CDLL("libnftables.so.1")
    nft.nft_ctx_new.restype = ctypes.c_void_p
    nft.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    for function in (nft.nft_ctx_buffer_error, nft.nft_ctx_buffer_output, nft.nft_ctx_get_error_buffer):
        function.argtypes = [ctypes.c_void_p]
    nft.nft_run_cmd_from_filename.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return nft


def main():
    nft, first = library(), sys.argv[1]
    context, before = nft.nft_ctx_new(0), "nothing"
    nft.nft_ctx_buffer_error(context)
    nft.nft_ctx_buffer_output(context)

    def load(script):
        nonlocal before
        if nft.nft_run_cmd_from_filename(context, script.encode()):
            print(nft.nft_ctx_get_error_buffer(context).decode(), f"{script} does not load after {before}", sep="\n")
        before = script

    load(first)
    for script in sys.argv[2:]:
        load(script)
        load(first)


main()
