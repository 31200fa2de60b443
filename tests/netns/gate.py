#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients and name servers for gate.sh.

  gate.py serve ADDRESS LOG   a name server that lies as the first label of the name says: see answer(). LOG gets
                              "PROTOCOL NAME TYPE" of each question, the name in lower case, and "BAD ..." of what is
                              not as a resolver asks
  gate.py keep ADDRESS PORT   the same by TCP alone, without a LOG: clients may ask many questions on one connection
  gate.py ask SERVER QUESTION...   each is NAME,TYPE[,OPTION...]; prints for each "RCODE[/EDE] [tc] DATA...". Options:
                              tcp, edns, plain (no recursion wanted), case (mixed), class=N, opcode=N, do,
                              fast ("slow" unless answered within 100 ms), size=N, ttl (prints it), port=N (source)
  gate.py together SERVER QUESTION...   asks 20 questions at a time; prints the RCODE of each answer, or "timeout"
  gate.py raw SERVER HEX...   sends messages as they are; prints the first 4 bytes of each answer, or "-"
  gate.py dial SERVER ROUNDS PORT NAME,TYPE...   asks, and connects to every address at once; prints
                              "asked N addresses N refused N failed N"
  gate.py steady SERVER A_SECOND BEGUN STOP    asks for www.good.test, evenly and without waiting for answers; after the
                              first one it makes the file BEGUN; ends when there is a file STOP, or fails after 60,000
                              questions; prints how many it asked, and how many answers with an address have not come
  gate.py lie UID IFINDEX FIRST-PORT ADDRESS...    as that user sends tells by hand, to the slots FIRST-PORT and
                              up; prints the error of each
  gate.py forge HOST ADDRESS...   ICMP errors as if HOST's tells had been rejected, 50 for each address
  gate.py jam HOST SECONDS    ICMP errors of other kinds about HOST's tells, as many as it can
  gate.py fill HOST           datagrams to the port of HOST's tells, more than its socket has room for
  gate.py hold PORT COMMAND...     holds sockets as systemd does, starts COMMAND with them, and again when it ends
  gate.py daemon SOCKET LOG [UID]   as that user, listens as the daemon does; standard input has lines
                              "policy FILE [sealed|seals|retell|two|none]": without seals, to be told again, with so
                              many descriptors; LOG gets what the gate says, and "sent N FILE" for the Nth line
  gate.py flood SOCKET KIND SECONDS [LEAST]    says KIND to the daemon, see FLOODS, as the gate whom somebody has taken
                              over, and goes on until it has taken LEAST messages; prints how many it took, or how often the
                              gate has come
  gate.py pose SOCKET LOG     connects to the daemon as the gate does; LOG gets "SERIAL GENERATION" of each policy that is
                              given; what the gate says is standard input's lines
"""
import contextlib
import errno
import fcntl
import json
import os
import random
import signal
import socket
import struct
import sys
import threading
import time

from calm import calm, limit

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "OPT": 41, "DS": 43,
         "SVCB": 64, "HTTPS": 65, "AXFR": 252, "ANY": 255, "CAA": 257}
NAMES = {number: name for name, number in TYPES.items()}


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in name.split(".") if label) + b"\0"


def read_name(message, at):
    labels, end = [], None
    for _ in range(200):
        size = message[at]
        if size >= 0xc0:
            end = end or at + 2
            at = (size & 0x3f) << 8 | message[at + 1]
            continue
        at += 1
        if size == 0:
            break
        labels.append(message[at:at + size].decode("latin-1"))
        at += size
    return ".".join(labels), end or at


# ---- a name server


class Reply:
    def __init__(self, question, rcode=0, flags=0x8180):
        self.head, self.question, self.rcode, self.flags = question[:2], question, rcode, flags
        _, end = read_name(question, 12)
        self.asked = question[12:end + 4]
        self.records, self.authority = [], []

    def add(self, kind, data, owner=b"\xc0\x0c", ttl=30):
        self.records.append(owner + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data)
        return self

    def bytes(self):
        return (self.head + struct.pack(">HHHHH", self.flags | self.rcode, 1, len(self.records), len(self.authority),
                                        0) + self.asked + b"".join(self.records + self.authority))


def addresses(reply, kind, texts, **more):
    for text in texts:
        if (":" in text) == (kind == 28):
            reply.add(kind, socket.inet_pton(socket.AF_INET6 if kind == 28 else socket.AF_INET, text), **more)
    return reply


NEVER = ("127.0.0.1 10.0.0.1 169.254.169.254 192.168.1.1 172.16.0.1 100.64.0.1 0.0.0.0 255.255.255.255 224.0.0.1 "
         "240.0.0.1 198.18.0.1 203.0.113.5 ::1 fe80::1 fc00::1 fd00:ec2::254 ff02::1 64:ff9b::a00:1 2002:a00:1::1 "
         "::ffff:10.0.0.1 2001:db8::1 :: ::7f00:1").split()


def answer(question, tcp):
    """The messages that go back."""
    name, end = read_name(question, 12)
    kind, = struct.unpack(">H", question[end:end + 2])
    label = name.lower().split(".")[0]
    reply = Reply(question)
    good = ["11.0.0.1", "2a00:1::1"]
    if label == "pool":
        chosen = random.sample(range(1, 201), 5)
        return [addresses(reply, kind, [f"11.1.0.{i}" for i in chosen] + [f"2a00:1:1::{i:x}" for i in chosen],
                          ttl=random.randint(0, 1)).bytes()]
    if label.startswith("never"):
        return [addresses(reply, kind, NEVER + (good if label == "never-most" else [])).bytes()]
    if label == "huge":
        count = 100 if tcp else 0
        reply = Reply(question, flags=0x8180 if tcp else 0x8380)
        return [addresses(reply, kind, [f"11.2.0.{i + 1}" for i in range(count)] +
                          [f"2a00:1:2::{i + 1:x}" for i in range(count)]).bytes()]
    if label == "alias":        # leads to a name that is not allowed
        reply.add(5, wire("target.forbidden.test"))
        return [addresses(reply, kind, good, owner=wire("target.forbidden.test")).bytes()]
    if label == "dangling":     # the same, and without its address
        return [reply.add(5, wire("target.forbidden.test")).bytes()]
    if label == "circle":
        return [reply.add(5, wire(name)).bytes()]
    if label == "stranger":     # somebody else's addresses
        return [addresses(reply, kind, ["11.66.0.1", "2a00:66::1"], owner=wire("www.victim.test")).bytes()]
    if label == "silent":
        return []
    if label == "servfail":
        return [Reply(question, 2).bytes()]
    if label == "nowhere":
        return [Reply(question, 3).bytes()]
    if label == "lower":        # does not keep the letters' case
        reply.asked = wire(name.lower()) + reply.asked[-4:]
        return [addresses(reply, kind, good).bytes()]
    if label == "spoofed":      # forged answers come first
        forged = []
        for guess in range(90):
            lie = addresses(Reply(question), kind, ["11.66.6.6", "2a00:66::6"])
            if guess % 3 == 0:
                lie.head = struct.pack(">H", guess * 211 & 0xffff)
            elif guess % 3 == 1:
                lie.asked = wire(name.swapcase()) + lie.asked[-4:] if name.swapcase() != name else lie.asked
                lie.head = struct.pack(">H", guess * 31 & 0xffff)
            else:
                lie.asked = wire("other.forbidden.test") + lie.asked[-4:]
            forged.append(lie.bytes())
        return forged + [addresses(reply, kind, good).bytes()]
    if label == "broken":
        whole = addresses(reply, kind, good).bytes()
        return [whole[:len(whole) - 3]]
    if label == "random":
        return [question[:2] + b"\x81\x80" + os.urandom(random.randint(0, 400))]
    if label == "fill":         # another address each time
        return [addresses(reply, kind, [f"11.{random.randint(100, 200)}.{random.randint(0, 255)}.{i + 1}"
                                        for i in range(28)], ttl=0).bytes()]
    if kind == 16:
        return [reply.add(16, b"\x05hello\x05world").bytes()]
    if kind == 15:
        return [reply.add(15, struct.pack(">H", 10) + b"\x04Mail\xc0\x0c").bytes()]
    if kind == 33:
        return [reply.add(33, struct.pack(">HHH", 1, 2, 443) + wire("Srv.Test.test")).bytes()]
    return [addresses(reply, kind, good).bytes()]


def serve(address, log):
    family, _, _, _, where = socket.getaddrinfo(address, 53, type=socket.SOCK_DGRAM)[0]
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    udp.bind(where)
    tcp = socket.create_server(where, family=family, backlog=100)
    out = open(log, "a", buffering=1, encoding="utf-8")

    def note(protocol, question):
        name, end = read_name(question, 12)
        kind, kind_class = struct.unpack(">HH", question[end:end + 4])
        out.write(f"{protocol} {name.lower()} {NAMES.get(kind, kind)}\n")
        flags, questions, answers, authorities, additional = struct.unpack(">HHHHH", question[2:12])
        if (flags, questions, answers, authorities, kind_class) != (0x100, 1, 0, 0, 1) or additional > 1 or \
                len(question) not in (end + 4, end + 15):
            out.write(f"BAD {question.hex()}\n")

    def over_tcp():
        while True:
            connection, _ = tcp.accept()
            with connection:
                connection.settimeout(5)
                try:
                    data = connection.recv(600)
                    note("tcp", data[2:])
                    for message in answer(data[2:], True):
                        connection.sendall(struct.pack(">H", len(message)) + message)
                except (OSError, IndexError, struct.error):
                    pass

    threading.Thread(target=over_tcp, daemon=True).start()
    while True:
        question, client = udp.recvfrom(4096)
        note("udp", question)
        for message in answer(question, False):
            udp.sendto(message, client)


def keep(address, port):
    """Answers on TCP, and leaves the connection to the client."""
    def converse(connection):
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(600):
                for message in answer(data[2:2 + struct.unpack(">H", data[:2])[0]], True):
                    connection.sendall(struct.pack(">H", len(message)) + message)

    listener = socket.create_server((address, port))
    while True:
        threading.Thread(target=converse, args=(listener.accept()[0],), daemon=True).start()


# ---- a client


def make_question(text):
    name, kind, *options = text.split(",")
    values = dict(option.split("=") for option in options if "=" in option)
    if "case" in options:
        name = "".join(random.choice((c.lower(), c.upper())) for c in name)
    flags = (0 if "plain" in options else 0x100) | int(values.get("opcode", 0)) << 11
    ident = random.randint(0, 65535)
    message = struct.pack(">HHHHHH", ident, flags, 1, 0, 0, 1 if "edns" in options or "do" in options else 0)
    message += wire(name) + struct.pack(">HH", TYPES.get(kind) or int(kind), int(values.get("class", 1)))
    if "edns" in options or "do" in options:
        message += b"\0" + struct.pack(">HHIH", 41, int(values.get("size", 1232)), 0x8000 if "do" in options else 0, 0)
    return message, options, values


def exchange(server, message, tcp, port=0, timeout=6):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        if port:
            s.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
        s.connect((server, 53))
        if not tcp:
            s.send(message)
            return s.recv(65535)
        s.sendall(struct.pack(">H", len(message)) + message)
        data = b""
        while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
            more = s.recv(65535)
            if not more:
                raise ConnectionError("closed")
            data += more
        return data[2:]


def describe(kind, message, at, size):
    data = message[at:at + size]
    if kind in (1, 28):
        return socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, data)
    if kind == 15:
        return f"{data[1]} {read_name(message, at + 2)[0]}"
    if kind == 33:
        return "%d %d %d " % struct.unpack(">HHH", data[:6]) + read_name(message, at + 6)[0]
    return data.hex()


def read_answer(question, message):
    """RCODE, extended error or None, truncated, [(TYPE, DATA, TTL)]"""
    ident, flags, questions, answers, authorities, additional = struct.unpack(">HHHHHH", message[:12])
    if message[:2] != question[:2] or not flags & 0x8000:
        raise ValueError("not the answer")
    at, ede, records = 12, None, []
    if questions:
        _, at = read_name(message, at)
        at += 4
        if message[12:at] != question[12:at]:
            raise ValueError("another question")
    rcode = flags & 15
    for i in range(answers + authorities + additional):
        owner, at = read_name(message, at)
        kind, _, ttl, size = struct.unpack(">HHIH", message[at:at + 10])
        at += 10
        if kind == 41:
            rcode |= ttl >> 24 << 4
            if size:
                ede = struct.unpack(">H", message[at + 4:at + 6])[0]
        elif i < answers:
            if owner != read_name(question, 12)[0]:
                raise ValueError(f"a record of {owner}")
            records.append((kind, describe(kind, message, at, size), ttl))
        else:
            raise ValueError("an authority")
        at += size
    if at != len(message):
        raise ValueError("trailing bytes")
    return rcode, ede, bool(flags & 0x200), records


def ask_one(server, text):
    message, options, values = make_question(text)
    begin = calm()
    try:
        got = exchange(server, message, "tcp" in options, int(values.get("port", 0)))
        rcode, ede, truncated, records = read_answer(message, got)
    except TimeoutError:
        return "timeout"
    except (OSError, ValueError) as e:
        return f"failed: {e}"
    said = f"{rcode}" + (f"/{ede}" if ede is not None else "") + (" tc" if truncated else "")
    for _, data, ttl in sorted(records):
        said += f" {data}" + (f"@{ttl}" if "ttl" in options else "")
    if "fast" in options and calm() - begin > 0.1:
        said += " slow"
    return said


def together(server, texts):
    for first in range(0, len(texts), 20):
        some = texts[first:first + 20]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(6)
            s.connect((server, 53))
            for number, text in enumerate(some):
                s.send(number.to_bytes(2, "big") + make_question(text)[0][2:])
            try:
                for _ in some:
                    print(s.recv(512)[3] & 15)
            except TimeoutError:
                print("timeout")


def raw(server, texts):
    for text in texts:
        with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(6)
            s.connect((server, 53))
            s.send(bytes.fromhex(text))
            try:
                print(s.recv(4096)[:4].hex())
            except TimeoutError:
                print("-")


def dial(server, rounds, port, texts):
    asked = seen = refused = failed = 0
    for i in range(rounds):
        message, options, _ = make_question(texts[i % len(texts)])
        try:
            rcode, _, _, records = read_answer(message, exchange(server, message, "tcp" in options))
        except (OSError, ValueError) as e:
            print("ask:", e)
            failed += 1
            continue
        asked += rcode == 0 and bool(records)
        for kind, address, _ in records:
            seen += 1
            with socket.socket(socket.AF_INET if kind == 1 else socket.AF_INET6) as s:
                s.settimeout(10)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                try:
                    s.connect((address, port))
                except ConnectionRefusedError:
                    refused += 1
                except OSError as e:
                    print(address, e)
                    failed += 1
    print(f"asked {asked} addresses {seen} refused {refused} failed {failed}")


def steady(server, a_second, begun, stop):
    message = b"\1\0\0\1\0\0\0\0\0\0" + wire("www.good.test") + b"\0\1\0\1"
    got = set()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)     # SO_RCVBUFFORCE
    s.connect((server, 53))
    s.setblocking(False)

    def read():
        with contextlib.suppress(BlockingIOError):
            while True:
                reply = s.recv(512)
                if reply[3] & 15 == 0 and reply[7] > 0:
                    got.add(reply[:2])

    asked = 0
    while asked < 1000 or not os.path.exists(stop):    # however busy the machine is
        if asked == 60000:      # each has a number of its own, of 16 bits
            sys.exit(f"there is no {stop} after {asked} questions")
        s.send(asked.to_bytes(2, "big") + message)
        asked += 1
        read()
        if got and not os.path.exists(begun):
            with open(begun, "x", encoding="utf-8"):
                pass
        time.sleep(1 / a_second)
    over = limit(8)
    while len(got) < asked and not over():
        read()
        time.sleep(0.01)
    print(asked, asked - len(got))


def lie(uid, ifindex, first_port, texts):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    s4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s4.bind(("0.0.0.0", 5301))
    s6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s6.setsockopt(socket.IPPROTO_IPV6, 78, 1)      # IPV6_FREEBIND
    s6.bind(("::", 5301))
    for i, text in enumerate(texts):
        try:
            if ":" in text:
                info = struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, text), ifindex)
                s6.sendmsg([b""], [(socket.IPPROTO_IPV6, 50, info)], 0, ("ff02::5353", first_port + i, 0, ifindex))
            else:
                info = struct.pack("=iII", ifindex, 0, 0)
                s4.sendmsg([b""], [(socket.IPPROTO_IP, 8, info)], 0, (text, first_port + i))
            print(text, "sent")
        except OSError as e:
            print(text, errno.errorcode[e.errno])


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def make_error(host, address, code):
    quoted = struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 17, 0) + socket.inet_aton(host) + \
        socket.inet_aton(address) + struct.pack(">HHHH", 5301, 1, 8, 0)
    message = struct.pack(">BBHI", 3, code, 0, 0) + quoted
    return message[:2] + struct.pack(">H", checksum(message)) + message[4:]


def forge(host, texts):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        for text in texts:
            for _ in range(50):
                s.sendto(make_error(host, text, 13), (host, 0))


def jam(host, seconds):
    messages = [make_error(host, "11.0.0.1", code) for code in (0, 2, 5, 7)]
    end = time.monotonic() + float(seconds)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        while time.monotonic() < end:
            for message in messages:
                s.sendto(message, (host, 0))


def fill(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(600):
            s.sendto(b"x", (host, 5301))


# ---- what systemd and the daemon do


def hold(port, command):
    sockets = []
    for family in (socket.AF_INET, socket.AF_INET6):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            s = socket.socket(family, kind)
            s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)     # SO_RCVBUFFORCE
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("", port))
            if kind == socket.SOCK_STREAM:
                s.listen(128)
            # Out of the way of the numbers that systemd's have.
            sockets.append(fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 100))

    def pass_on():
        for i, fd in enumerate(sockets):
            os.dup2(fd, 3 + i, True)
        os.environ["LISTEN_FDS"] = str(len(sockets))
        os.environ["LISTEN_PID"] = str(os.getpid())

    def stop(*_):
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            pass_on()
            os.execvp(command[0], command)
        os.waitpid(pid, 0)


def daemon(path, log, uid="0"):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    os.chmod(path, 0o666)
    os.setresuid(int(uid), int(uid), int(uid))
    listener.listen(4)
    out = open(log, "a", buffering=1, encoding="utf-8")
    connections = []

    def read(connection):
        while data := connection.recv(1 << 16):
            out.write(data.decode() + "\n")
        connections.remove(connection)

    def accept():
        while True:
            connection, _ = listener.accept()
            connections.append(connection)
            out.write("connected\n")
            threading.Thread(target=read, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    for serial, line in enumerate(sys.stdin, 1):
        _, name, *how = line.split()
        fds = []
        for _ in range({"two": 2, "none": 0}.get(how[0] if how else "", 1)):
            fd = os.memfd_create("policy", os.MFD_ALLOW_SEALING)
            with open(name, "rb") as f:
                os.write(fd, f.read())
            if "seals" not in how:
                fcntl.fcntl(fd, 1033, 0xf)      # F_ADD_SEALS, all
            fds.append(fd)
        message = json.dumps({"type": "policy", "serial": serial, "retell": "retell" in how}).encode()
        for connection in connections:
            connection.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                            struct.pack(f"{len(fds)}i", *fds))] if fds else [])
        for fd in fds:
            os.close(fd)
        out.write(f"sent {serial} {name}\n")


# i: the number of the message
FLOODS = {
    "long": lambda i: {"type": "state", "networks": {f"n{i}" + "x" * 16000: {"received": 1}}},
    "many": lambda i: {"type": "state", "networks": {f"{i * 1300 + k:x}": {} for k in range(1300)}},
    "refused": lambda i: {"type": "refused", "generation": "", "why": f"why {i}"},
    "turned": lambda i: {"type": "refused", "generation": "", "why": "plainly bad" if i else "\u202egood"},
    "named": lambda i: {"type": "refusal", "network": "ds-1", "client": "172.30.1.11", "name": "n" * 7000, "qtype": "Q" * 4000,
                        "why": "w" * 3000},
    "noted": lambda i: {"type": "refusal", "network": "ds-1", "client": "172.30.1.11", "name": "short.test", "qtype": "Q" * 4000,
                        "why": "w" * 3000, "times": 1 << 62},
}


def flood(path, kind, seconds, least="0"):
    def come():
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(1)
        s.connect(path)
        return s

    count, connection = 0, None if kind == "come" else come()
    # The daemon's clock limits how often a gate may come; processors limit how much it says.
    end = time.monotonic() + float(seconds)
    over = (lambda: time.monotonic() > end) if kind == "come" else limit(float(seconds))
    while not over() or (count < int(least) and time.monotonic() < end + 60):
        try:
            if connection:
                connection.send(json.dumps(FLOODS[kind](count), ensure_ascii=False).encode())
                count += 1
            else:
                with come() as s:
                    count += len(s.recv(10)) > 0
        except (TimeoutError, ConnectionError):
            pass
    print(count)


def pose(path, log):
    out = open(log, "a", buffering=1, encoding="utf-8")
    while True:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(path)
        if s.recv(10, socket.MSG_PEEK):
            break
        time.sleep(0.2)     # it came too often, the daemon says

    def read():
        while True:
            message, fds, _, _ = socket.recv_fds(s, 4096, 8)
            if not message:
                return
            with open(fds[0], "rb") as f:
                document = json.loads(os.pread(f.fileno(), 1 << 20, 0))
            out.write(f"{json.loads(message)['serial']} {document['generation']}\n")

    threading.Thread(target=read, daemon=True).start()
    for line in sys.stdin:
        s.send(line.encode())


def main():
    command, *arguments = sys.argv[1:]
    if command == "serve":
        serve(*arguments)
    elif command == "keep":
        keep(arguments[0], int(arguments[1]))
    elif command == "ask":
        # In one piece: several of us may share the output.
        sys.stdout.write("".join(ask_one(arguments[0], text) + "\n" for text in arguments[1:]))
    elif command == "together":
        together(arguments[0], arguments[1:])
    elif command == "raw":
        raw(arguments[0], arguments[1:])
    elif command == "dial":
        dial(arguments[0], int(arguments[1]), int(arguments[2]), arguments[3:])
    elif command == "steady":
        steady(arguments[0], int(arguments[1]), *arguments[2:])
    elif command == "lie":
        lie(int(arguments[0]), int(arguments[1]), int(arguments[2]), arguments[3:])
    elif command == "forge":
        forge(arguments[0], arguments[1:])
    elif command == "jam":
        jam(*arguments)
    elif command == "fill":
        fill(*arguments)
    elif command == "hold":
        hold(int(arguments[0]), arguments[1:])
    elif command == "daemon":
        daemon(*arguments)
    elif command == "pose":
        pose(*arguments)
    elif command == "flood":
        flood(*arguments)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
