# SPDX-License-Identifier: GPL-2.0-or-later
"""A clock that stands still while processes wait for all processors, and slows down while some wait for one: `calm` of
../tap.sh."""
import os
import time

try:
    PRESSURE = os.open("/proc/pressure/cpu", os.O_RDONLY)
except OSError:
    PRESSURE = None


def calm():
    """Seconds; where the kernel does not tell who waits, a fifth of the speed of other clocks."""
    now = time.time()
    try:
        waited = os.pread(PRESSURE, 256, 0).split(b"\n", 1)[0].rpartition(b"total=")[2]
        return now - int(waited) / 1e6
    except (OSError, TypeError, ValueError):
        return now / 5


def limit(seconds):
    """A function that says whether so many calm seconds are over, or five times as many on a busy machine."""
    begin, deadline = calm(), time.monotonic() + 5 * seconds
    return lambda: calm() - begin > seconds or time.monotonic() > deadline
