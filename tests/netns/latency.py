#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures the time until `denied --follow` shows a refused packet.

  latency.py PROGRAM SOCKET COUNT ADDRESS

Run in the network namespace of a container. Sends COUNT packets, at odd moments, and prints the median and
the longest time in milliseconds of calm.py's clock. A packet that is not shown within 20 s ends it.
"""
import random
import re
import select
import socket
import subprocess
import sys
import time

from calm import calm

program, path, count, address = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
follower = subprocess.Popen([program, "denied", "--socket", path, "--follow", "--json"], stdout=subprocess.PIPE)
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
shown = b""


def wait_for(port):
    """Returns when an event with that port has been shown."""
    global shown
    end = time.monotonic() + 20
    while not re.search(rb'"port":%d\b' % port, shown):
        ready, _, _ = select.select([follower.stdout], [], [], max(0, end - time.monotonic()))
        more = ready and follower.stdout.read1(65536)
        if not more:
            sys.exit(f"the packet to port {port} was not shown")
        shown += more


times = []
for i in range(count + 1):
    time.sleep(0.05 + random.random() / 4)
    begin = calm()
    sender.sendto(b"x", (address, 20000 + i))
    wait_for(20000 + i)
    times.append((calm() - begin) * 1000)
follower.terminate()
follower.wait()
times = sorted(times[1:])  # the first one may have come before the follower
print(f"median {times[count // 2]:.0f} ms, longest {times[-1]:.0f} ms")
