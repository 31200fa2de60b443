#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hostile.py SOCKET DAEMON_PID SCENARIO [ARGUMENT…]: clients that wish the daemon no good.

Prints what went wrong; nothing is good. While a scenario runs, a well-behaved client of root asks
for the status all the time, and must be answered within PATIENCE. On a busy machine the daemon
may run out of the 5 seconds that it gives a connection, and then it hangs up in mid-answer.
"""
import errno
import json
import multiprocessing
import os
import random
import socket
import sys
import time

from calm import calm

PATIENCE = 3.0  # calm seconds, of the well-behaved client
LIMIT = 9.0  # calm seconds that the daemon may keep a connection: 5 to ask, and some for the machine
HANGS_UP = 5.0  # seconds after which it hangs up
BUSY = 5  # times as long takes what waits for a processor
NOBODY = 65534
MIB = 1 << 20

path = sys.argv[1]


class Trouble(Exception):
    """A fault that a test reports."""


def connect(timeout=LIMIT):
    deadline = time.monotonic() + timeout
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    while True:
        try:
            s.connect(path)
            return s
        except BlockingIOError:  # a full queue
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def read_answer(s):
    """Everything until the daemon hangs up; b"" if that comes first."""
    data = b""
    while True:
        try:
            chunk = s.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            return data
        if not chunk:
            return data
        data += chunk


def send(s, data):
    """As much as the daemon takes: it may answer and hang up meanwhile."""
    try:
        s.sendall(data)
    except (ConnectionResetError, BrokenPipeError):
        pass


def ask_raw(data, end=False, timeout=LIMIT):
    with connect(timeout) as s:
        send(s, data)
        if end:
            try:
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        return read_answer(s)


def ask(**request):
    return json.loads(ask_raw(json.dumps(request).encode() + b"\n", timeout=60))


def become(uid):
    """Somebody whom the mode of the socket lets in."""
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(uid, uid, uid)


def check_error(what, data, message=""):
    """An answer that must be an error."""
    try:
        answer = json.loads(data)
    except ValueError:
        raise Trouble(f"{what}: not an answer: {data[:200]!r}") from None
    if answer.get("status") != "error" or not answer.get("message"):
        raise Trouble(f"{what}: not an error: {data[:200]!r}")
    if message not in answer["message"]:
        raise Trouble(f"{what}: not about {message!r}: {data[:300]!r}")


# ---- the well-behaved client ----------------------------------------------------------------------

def well_behaved(stop, results):
    worst, n, faults = 0.0, 0, []
    while not stop.is_set() or n < 10:
        start, start_calm = time.monotonic(), calm()
        try:
            data = ask_raw(b'{"action":"status"}\n', timeout=30)
            if json.loads(data)["status"] != "ok":
                faults.append(f"refused: {data[:200]!r}")
        except (OSError, ValueError) as e:
            took = time.monotonic() - start
            if took < HANGS_UP or calm() - start_calm > PATIENCE:
                faults.append(f"after {took:.2f} s: {e!r}")
        worst = max(worst, calm() - start_calm)
        n += 1
        time.sleep(0.01)
    if worst > PATIENCE:
        faults.append(f"waited {worst:.2f} s")
    results.put((n, worst, faults[:5]))


# ---- scenarios ------------------------------------------------------------------------------------

def open_many(count, data=b""):
    """Connections all at once; blocking in connect is for the polite."""
    waiting = []
    for _ in range(count):
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        waiting.append(s)
    opened, deadline = [], time.monotonic() + 30
    while waiting:
        again = []
        for s in waiting:
            try:
                s.connect(path)
                if data:
                    s.send(data)
                opened.append(s)
            except (BrokenPipeError, ConnectionResetError):
                opened.append(s)
            except OSError as e:
                if e.errno != errno.EAGAIN:
                    raise
                again.append(s)
        waiting = again
        if time.monotonic() > deadline:
            raise Trouble(f"{len(waiting)} of {count} connections do not get through")
    return opened


def all_end(sockets):
    """Each is answered or hung up on before long."""
    start, deadline = calm(), time.monotonic() + BUSY * LIMIT
    for s in sockets:
        s.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            read_answer(s)
        except TimeoutError:
            raise Trouble("a connection is still open after its time") from None
        if calm() - start > LIMIT:
            raise Trouble("a connection was open for longer than its time")
        s.close()


def thousand():
    """A thousand connections at once that say nothing."""
    all_end(open_many(1000))


def thousand_halves():
    """A thousand that say half of something."""
    all_end(open_many(1000, b'{"action":'))


def thousand_askers():
    """A thousand that ask at once, and wait for the answer."""
    all_end(open_many(1000, b'{"action":"status"}\n'))


def slow():
    """Thirty that send a byte now and then."""
    sockets = open_many(30)
    request = b'{"action":"status","comment":"' + b"x" * 100
    start = calm()
    for byte in request:
        sockets = [s for s in sockets if drip(s, byte)]
        if not sockets:
            return
        if calm() - start > LIMIT:
            raise Trouble(f"{len(sockets)} slow ones are still there")
        time.sleep(0.1)
    raise Trouble(f"{len(sockets)} slow ones are still there at the end")


def drip(s, byte):
    try:
        s.send(bytes([byte]))
        data = s.recv(65536)
    except BlockingIOError:
        return True
    except OSError:
        return False
    if data:
        check_error("a slow one", data)
    return False


def no_reader():
    """Thirty that ask and do not read, and a hundred that are gone before they are answered."""
    sockets = open_many(30, b'{"action":"status"}\n')
    for _ in range(100):
        for s in open_many(1, b'{"action":"refresh"}\n'):
            s.close()
        for s in open_many(1, b'{"action":"status"}\n'):
            s.close()
    time.sleep(0.5)
    all_end(sockets)


def big():
    """More than a request may be, without an end."""
    check_error("8 KiB of nobody's", ask_raw(b"x" * 8192), "4096 bytes")
    for _ in range(4):
        data = ask_raw(b'{"action":"status","comment":"' + b"x" * (4 * MIB))
        if data:
            check_error("4 MiB of nobody's", data, "4096 bytes")


def big_root():
    check_error("1 MiB and one byte", ask_raw(b"x" * (MIB + 1)), "1048576 bytes")
    for n in (MIB - 1, MIB):
        check_error(f"{n} bytes", ask_raw(b"x" * n + b"\n"))
        check_error(f"{n} bytes without an end", ask_raw(b"x" * n, end=True))
    data = ask_raw(b"[" * (64 * MIB), timeout=30)
    if data:
        check_error("64 MiB", data, "1048576 bytes")


def flood_forever():
    """Four that never stop sending."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        for s in open_many(4):
            s.settimeout(LIMIT)
            for _ in range(64):
                try:
                    s.send(b"y" * 65536)
                except OSError:
                    break
            s.close()


def nested():
    for depth in (50, 500, 4000):
        for text in (b"[" * depth, b'{"a":' * (depth // 6)):
            check_error(f"nesting of {depth}", ask_raw(text + b"\n"))


def nested_root():
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        n = (MIB - 200) // (len(opening) + len(closing))
        deep = opening * n + b"1" + closing * n
        check_error("a deep request", ask_raw(deep + b"\n"))
        check_error("an open one", ask_raw(opening * ((MIB - 2) // len(opening)) + b"\n"))
        for key in (b'"set-network","name":"ds-a","network"', b'"set-ipset","name":"s","hostnames"',
                    b'"apply","firewall_config":{},"network_config"'):
            check_error("a deep value", ask_raw(b'{"action":' + key + b":" + deep + b"}\n"))


def garbage():
    rng = random.Random(1)
    for i in range(600):
        data = rng.randbytes(rng.randint(1, 3000))
        answer = ask_raw(data, end=bool(i % 2)) if b"\n" in data or i % 2 else None
        if answer and b'"status":"ok"' in answer:
            raise Trouble(f"garbage is done: {answer[:200]!r}")
    words = [b'{"action"', b":", b'"status"', b"}", b"{", b",", b"null", b"1e9", b"\\u0000", b'"', b"/*",
             b"//", b"\0", b"\xff", b'"name"', b'"\xf0\x9f"', b"99999999999999999999", b"-"]
    for _ in range(1000):
        ask_raw(b"".join(rng.choices(words, k=rng.randint(1, 12))) + b"\n", end=True)


def halves():
    """Every beginning of a request: an error, or (of nothing) no answer."""
    request = b'{"action":"refresh"}'
    for n in range(len(request)):
        data = ask_raw(request[:n], end=True)
        if n == 0 and data != b"":
            raise Trouble(f"an answer to nothing: {data!r}")
        if n > 0:
            check_error(f"half a request {request[:n]!r}", data)
    for data in (b"\n", b" \n", b'{"action":"status"}{"action":"status"}\n',
                 b'{"action":"status"}\n{"action":"status"}\n', b'{"action":"status","action":"status"}\n'):
        check_error(repr(data), ask_raw(data))


def impatient():
    """For 12 seconds, somebody has every name looked up and does not wait; no name server answers."""
    silence = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silence.bind(("127.0.0.1", 53))
    become(NOBODY)
    deadline = time.monotonic() + 12
    while time.monotonic() < deadline:
        for s in open_many(1, b'{"action":"refresh"}\n'):
            s.close()
        time.sleep(0.005)


MUTATING = [
    {"action": "reload"}, {"action": "reconcile"},
    {"action": "apply", "network_config": {"networks": []}, "firewall_config": {}},
    {"action": "set-network", "name": "ds-a", "network": {}, "firewall": None},
    {"action": "remove-network", "name": "ds-a", "force": True},
    {"action": "set-ipset", "name": "s", "hostnames": []},
    {"action": "remove-ipset", "name": "unused"},
]


def unprivileged():
    """Everything that changes something, by somebody who is not root."""
    for request in MUTATING:
        check_error(request["action"], ask_raw(json.dumps(request).encode() + b"\n"), "needs root")
    for request in ({"action": "status"}, {"action": "refresh"}):
        if ask(**request)["status"] != "ok":
            raise Trouble(f"{request} is refused")


# Name, whether it is nobody who does it, how many do it at once.
SCENARIOS = {f.__name__: (f, nobody, at_once) for f, nobody, at_once in (
    (thousand, True, 1), (thousand_halves, True, 1), (thousand_askers, True, 1), (slow, True, 1),
    (no_reader, True, 1), (big, True, 3), (big_root, False, 2), (flood_forever, True, 2),
    (nested, True, 1), (nested_root, False, 1), (garbage, True, 2), (halves, True, 1),
    (unprivileged, True, 1))}


def scenario(name, results):
    function, nobody, _ = SCENARIOS[name]
    try:
        if nobody:
            become(NOBODY)
        function()
        results.put(None)
    except Trouble as e:
        results.put(str(e))
    except Exception as e:  # pylint: disable=broad-except
        results.put(f"{name}: {e!r}")


def run_scenario(name):
    stop, results, good = multiprocessing.Event(), multiprocessing.Queue(), multiprocessing.Queue()
    at_once = SCENARIOS[name][2]
    client = multiprocessing.Process(target=well_behaved, args=(stop, good))
    client.start()
    hostile = [multiprocessing.Process(target=scenario, args=(name, results)) for _ in range(at_once)]
    for process in hostile:
        process.start()
    faults = [results.get() for _ in hostile]
    for process in hostile:
        process.join()
    stop.set()
    n, worst, bad = good.get()
    client.join()
    for fault in filter(None, faults):
        print(fault)
    for fault in bad:
        print(f"the well-behaved client: {fault}")
    print(f"{name}: {n} good requests, the slowest {worst * 1000:.0f} ms", file=sys.stderr)


# ---- a lot of requests ----------------------------------------------------------------------------

FLOOD = [b'{"action":"status"}', b"{", b'{"action":"statuss"}', b'{"action":"status","x":1}', b"[1,2]",
         b'{"action":"set-ipset","name":"s","hostnames":["not a name"]}', b'{"action":"status"',
         b'{"action":"remove-network","name":"ds-none"}', b'{"action":"set-ipset","name":"s"}',
         b'{"action":"set-network","name":"ds-a","network":{"subnet":"10.9.9.0/24"}}', b"\xff\xfe",
         b'{"action":"apply","network_config":{},"firewall_config":{"networks":{"x":{}}}}']
AT_ONCE = 12  # for two workers: fewer than there are connections


def flood_worker(requests, count, results):
    """count requests, as fast as they are answered; the number of "ok" among the answers"""
    ok = done = 0
    try:
        while done < count:
            batch = [(s, requests[(done + i) % len(requests)])
                     for i, s in enumerate(open_many(min(AT_ONCE, count - done)))]
            for s, request in batch:
                s.settimeout(30)
                s.sendall(request + b"\n")
                if request.startswith(b"{") and not request.endswith(b"}"):
                    s.shutdown(socket.SHUT_WR)  # or it might go on in the next line
            for s, request in batch:
                data = read_answer(s)
                s.close()
                if not data.startswith((b'{"status":"ok"', b'{"status":"error"')):
                    raise Trouble(f"{request!r}: {data[:200]!r}")
                ok += data.startswith(b'{"status":"ok"')
            done += len(batch)
        results.put((ok, None))
    except Exception as e:  # pylint: disable=broad-except
        results.put((ok, repr(e)))


def resources(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        rss = [int(line.split()[1]) for line in status if line.startswith("VmRSS:")]
    return rss[0], len(os.listdir(f"/proc/{pid}/fd"))


def flood_part(count):
    results = multiprocessing.Queue()
    refreshing = count // 10
    jobs = [(FLOOD, count - refreshing), ([b'{"action":"refresh"}'], refreshing)]
    workers = [multiprocessing.Process(target=flood_worker, args=(*job, results)) for job in jobs]
    for worker in workers:
        worker.start()
    answers = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    faults = [fault for _, fault in answers if fault]
    ok = sum(ok for ok, _ in answers)
    # Two of twelve of the first worker's requests are good, and all of the second's.
    if not faults and not refreshing <= ok <= refreshing + 2 * ((count - refreshing) // len(FLOOD) + 1):
        faults.append(f"{ok} of {count} were done")
    return faults


def flood(count, pid, slack_kib):
    start = time.monotonic()
    faults = flood_part(count // 10)
    rss, fds = resources(pid)
    faults += flood_part(count - count // 10)
    rss2, fds2 = resources(pid)
    if rss2 > rss + slack_kib:
        faults.append(f"memory grew from {rss} to {rss2} KiB")
    if fds2 > fds:
        faults.append(f"descriptors grew from {fds} to {fds2}")
    for fault in faults:
        print(fault)
    took = time.monotonic() - start
    print(f"{count} requests in {took:.0f} s, {count / took:.0f}/s; {rss} then {rss2} KiB, "
          f"{fds} then {fds2} descriptors", file=sys.stderr)


# ---- one request, or one for each line --------------------------------------------------------------

def main():
    command, arguments = sys.argv[3], sys.argv[4:]
    if command == "impatient":
        impatient()
    elif command == "flood":
        flood(int(arguments[0]), sys.argv[2], int(arguments[1]))
    elif command == "ask":
        data = sys.stdin.buffer.read()
        sys.stdout.buffer.write(ask_raw(data, end=True, timeout=60))
    elif command == "list":
        print(*SCENARIOS)
    else:
        run_scenario(command)


if __name__ == "__main__":
    main()
