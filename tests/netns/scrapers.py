# SPDX-License-Identifier: GPL-2.0-or-later
#
# Clients of `daemon --metrics-listen`, good and bad. Prints what it finds, a line each.
#
# usage: scrapers.py ADDRESS PORT WHAT [ARGUMENT]
import json
import socket
import sys
import threading
import time

import calm

HOST, PORT, WHAT = sys.argv[1], int(sys.argv[2]), sys.argv[3]
GET = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"


def milliseconds():
    return int(calm.calm() * 1000)


def connect(timeout=20):
    return socket.create_connection((HOST, PORT), timeout)


def everything(s):
    parts = []
    while part := s.recv(65536):
        parts.append(part)
    return b"".join(parts)


# The answer to some bytes: status, head, body
def ask(text, end=False):
    with connect() as s:
        s.sendall(text)
        if end:
            s.shutdown(socket.SHUT_WR)
        head, _, body = everything(s).partition(b"\r\n\r\n")
    status = head.split(b" ")[1].decode() if head else "nothing"
    return status, head.decode(), body


def status_of(text, end=False):
    return ask(text, end)[0]


def metrics():
    status, head, body = ask(GET)
    if status != "200" or f"Content-Length: {len(body)}\r\n" not in head:
        print(f"got {status}, {len(body)} bytes, {head}")
    sys.stdout.write(body.decode())


# One line: what each of these is answered with
def answers():
    big = b"GET /metrics HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 9000 + b"\r\n\r\n"
    rows = {
        "HEAD": b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        "1.0": b"GET /metrics HTTP/1.0\r\n\r\n",
        "root": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "path": b"GET /metrics/../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST": b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
        "no Host": b"GET /metrics HTTP/1.1\r\n\r\n",
        "2.0": b"GET /metrics HTTP/2.0\r\nHost: a\r\n\r\n",
        "bare LF": b"GET /metrics HTTP/1.0\n\n",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "NUL": b"GET /metrics\0 HTTP/1.0\r\n\r\n",
        "huge header": big,
        "endless line": b"a" * 100000,
        "garbage": bytes(range(256)) * 100,
    }
    for name, text in rows.items():
        print(f"{name}: {status_of(text)}")
    print(f"cut off: {status_of(b'GET /met', end=True)}")
    print(f"HEAD's body: {len(ask(rows['HEAD'])[2])}")
    print(f"allowed: {'Allow: GET, HEAD' in ask(rows['POST'])[1]}")


def silent():
    begin = milliseconds()
    with connect() as s:
        s.sendall(b"GET /metrics HT")
        answer = everything(s)
    print(answer.split(b" ")[1].decode(), "in time" if milliseconds() - begin < 15000 else "late")


# A request whose bytes come one by one, for longer than a request may take
def dripping():
    begin = milliseconds()
    answer = b""
    with connect() as s:
        try:
            for byte in b"GET /metrics HTTP/1.1\r\nA: " + b"a" * 1000:
                s.sendall(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            pass
        try:
            answer = everything(s)
        except OSError:
            pass
    print("ended" if milliseconds() - begin < 15000 else "still there", answer[9:12].decode())


def many(n):
    results = []
    start = threading.Barrier(n)

    def one():
        start.wait()
        try:
            results.append(status_of(GET))
        except OSError as e:
            results.append(str(e))

    threads = [threading.Thread(target=one) for _ in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for result in sorted(set(results)):
        print(f"{result}: {results.count(result)}")


# The longest calm time, in milliseconds, that the daemon takes for an answer on its own socket
def longest_answer(path, n):
    longest = 0
    for _ in range(n):
        begin = milliseconds()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(path)
            s.sendall(b'{"action": "denied"}\n')
            answer = everything(s)
        longest = max(longest, milliseconds() - begin)
        if json.loads(answer)["status"] != "ok":
            print(answer.decode())
        time.sleep(0.01)
    return longest


# Those who do not read and those who say nothing take every place: others are served all the same
def crowd(path):
    held = []
    for i in range(200):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.settimeout(20)
        s.connect((HOST, PORT))
        if i % 2:
            s.sendall(GET)
        held.append(s)
    longest = longest_answer(path, 50)
    print(f"the socket's longest answer took {longest} ms", file=sys.stderr)
    print("the socket answers", "at once" if longest < 300 else f"after {longest} ms")
    begin = milliseconds()
    status = status_of(GET)
    took = milliseconds() - begin
    print(f"one who waited behind 200 others was served after {took} ms", file=sys.stderr)
    print("and Prometheus gets", status, "in time" if took < 10000 else f"after {took} ms")
    for s in held:
        s.close()


# A client that takes the last place finds it free: no client that has stood still for a moment makes way
def full(places):
    idle = [connect() for _ in range(places - 1)]
    time.sleep(0.8)
    print("the last one:", status_of(GET))
    kept = 0
    for s in idle:
        s.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    for s in idle:
        try:
            kept += everything(s).startswith(b"HTTP/1.1 200 ")
        except OSError:
            pass
        s.close()
    print("of those who stood still,", kept, "are served")


{
    "metrics": metrics,
    "answers": answers,
    "silent": silent,
    "dripping": dripping,
    "many": lambda: many(100),
    "full": lambda: full(int(sys.argv[4])),
    "crowd": lambda: crowd(sys.argv[4]),
}[WHAT]()
