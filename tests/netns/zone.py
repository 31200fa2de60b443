#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A DNS server that can misbehave, a watcher of the sets, and a judge of what both have seen.

  zone.py serve ZONE LOG [ADDRESS]
                             answers on 127.0.0.1:53; ZONE is read at each question and has lines
                             NAME [ADDRESS...] [ttl=S] [delay=S] [rotate=N], or NAME fail|silent;
                             other names do not exist. delay: over UDP. A=fail|silent|missing: so for that family
                             alone, likewise AAAA. rotate: every question gets the next N
                             addresses. LOG gets "SECONDS NAME A|AAAA ADDRESS..." of each answer
                             that has addresses. NAME refuse: REFUSED; cname=NAME: an alias;
                             truncate: over UDP; forge: forged answers go before the right one; lower: the
                             answer's question is in lower case; noedns, formerr: a question with EDNS gets no
                             answer, or FORMERR. A line
                             "@ [at_once=N] [per_minute=N] [delay=S] [fail|silent|refuse] [log]" is for
                             all: more questions at a time, or a minute, are refused; LOG gets
                             "SECONDS NAME ?A" of each question and "SECONDS NAME !A" if it is refused
  zone.py watch LOG STOP SET...  looks at the sets all the time, until the file STOP is there. LOG
                             gets "SECONDS SET + ADDRESS TIMEOUT EXPIRES" of what came, "-" of what
                             went, "^" of what was renewed (TIMEOUT and EXPIRES in ms; what was
                             left before), "!" of what has another timeout; last "SECONDS end LOOKS
                             LONGEST-PAUSE-IN-MS"
  zone.py judge ZONE-LOG WATCH-LOG   assertions on standard input, faults on standard output:
      kept SET ADDRESS FROM TO        never missing between
      renewed SET ADDRESS FROM TO N   renewed at least N times between
      gone SET ADDRESS FROM           has gone by then, and not come back
      left SET ADDRESS FROM TO        went once, between
      permanent SET                   nothing of it ever had a timeout, and there is something
      timed SET MS                    everything in it had this timeout, always
      true NAME SET STALE SLACK       from an answer to STALE s after it each address is there, and
                                      none is there STALE + SLACK s after its last
      given NAME N                    answers had that many different addresses

All seconds are of CLOCK_BOOTTIME.
"""
import collections
import errno
import math
import os
import socket
import struct
import sys
import threading
import time

NFPROTO_INET, SUBSYS, GETSETELEM, GETGEN = 1, 10, 13, 16
TABLE, SET, ELEMENTS = 1, 2, 3                  # NFTA_SET_ELEM_LIST_*
KEY, TIMEOUT, EXPIRATION = 1, 4, 5              # NFTA_SET_ELEM_*
GEN_ID = 1                                      # NFTA_GEN_*
DUMP, DUMP_INTR = 0x300, 0x10


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


# ---- the server


class Server:
    def __init__(self, zone, log, address="127.0.0.1"):
        self.zone, self.lock = zone, threading.Lock()
        self.log = open(log, "a", buffering=1, encoding="ascii")
        self.turns = collections.Counter()
        family, _, _, _, where = socket.getaddrinfo(address, 53, type=socket.SOCK_DGRAM)[0]
        self.s = socket.socket(family, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.s.bind(where)
        self.address, self.under_way = address, 0
        self.begin, self.minute, self.in_minute = now(), 0, 0
        self.tcp = socket.create_server(where, family=family, backlog=100)
        threading.Thread(target=self.serve_tcp, daemon=True).start()

    def serve_tcp(self):
        while True:
            connection, _ = self.tcp.accept()
            with connection:
                connection.settimeout(5)
                try:
                    data = connection.recv(600)
                    self.on_question(data[2:], connection)
                except OSError:
                    pass

    def entry(self, name):
        with open(self.zone, encoding="ascii") as f:
            for line in f:
                if (words := line.split()) and words[0] == name:
                    return words[1:]
        return None

    def is_too_much(self, everyone):
        """Refused questions count, as Pi-hole has it."""
        if (minute := int((now() - self.begin) / 60)) != self.minute:
            self.minute, self.in_minute = minute, 0
        self.in_minute += 1
        return self.under_way >= int(everyone.get("at_once", 1 << 20)) or \
            self.in_minute > int(everyone.get("per_minute", 1 << 20))

    def aliases(self, name, words):
        """(owner, target) of the chain, circles included once; the last name, what is known of it."""
        chain, seen = [], set()
        while words and name not in seen:
            seen.add(name)
            options = dict(w.split("=") for w in words if "=" in w)
            if "cname" not in options:
                break
            chain.append((name, options["cname"]))
            name = options["cname"]
            words = self.entry(name)
        return chain, name, words

    def forge(self, answer, peer, end):
        """With other addresses: another id, another question, another port; a question; half of one."""
        bad = bytearray(answer)
        bad[-1] ^= 1
        other = bytearray(bad)
        other[1] ^= 1
        self.s.sendto(other, peer)
        other = bytearray(bad)
        other[13] ^= 0x20
        self.s.sendto(other, peer)
        other = bytearray(bad)
        other[end - 1] ^= 2                     # the class
        self.s.sendto(other, peer)
        other = bytearray(bad)
        other[2] &= 0x7F
        self.s.sendto(other, peer)
        self.s.sendto(bad[:end - 2], peer)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((self.address, 0))
            s.sendto(bad, peer)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.99", 53))
            s.sendto(bad, peer)

    def on_question(self, data, peer):
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode())
            at += 1 + data[at]
        kind = struct.unpack_from("!H", data, at + 1)[0]
        name = ".".join(labels).lower()
        udp = isinstance(peer, tuple)
        all_words = self.entry("@") or []
        everyone = dict(w.split("=") for w in all_words if "=" in w)
        chain, last, words = self.aliases(name, self.entry(name))
        words = words if words is None else words + [w for w in all_words if "=" not in w]
        if refused := self.is_too_much(everyone):
            words = ["refuse"]
        options = everyone | dict(w.split("=") for w in words or [] if "=" in w)
        if "log" in all_words:
            with self.lock:
                self.log.write(f"{now():.3f} {name} {'!' if refused else '?'}"
                               f"{'A' if kind == 1 else 'AAAA'}\n")
        fault = options.get({1: "A", 28: "AAAA"}.get(kind), "")
        if words and "silent" in (*words, fault):
            return
        if data[11] and words and "noedns" in words:
            return
        if data[11] and words and "formerr" in words:
            self.send(data[:2] + b"\x80\x81\0\1\0\0\0\0\0\0" + data[12:at + 5], peer, None)
            return
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        known = [w for w in words or [] if "=" not in w and not fault and
                 w not in ("fail", "refuse", "truncate", "forge", "log", "lower", "noedns", "formerr") and
                 (":" in w) == (family == socket.AF_INET6)]
        truncated = udp and "truncate" in (words or [])
        if truncated or "refuse" in (words or []) or "fail" in (words or []):
            known, chain = [], []
        if known and "rotate" in options:
            step = int(options["rotate"])
            turn = self.turns[name, kind] = self.turns[name, kind] + step
            known = [known[(turn + i) % len(known)] for i in range(step)]
        code = 3 if words is None or fault == "missing" else \
            2 if "fail" in (*words, fault) else 5 if "refuse" in words else 0
        answer = struct.pack("!HHHHHH", struct.unpack_from("!H", data)[0],
                             0x8580 | code | (0x200 if truncated else 0), 1,
                             len(chain) + len(known), 0, 0) + self.asked(data[12:at + 5], words)
        ttl = int(options.get("ttl", 1))
        for owner, target in chain:
            packed = self.packed(target)
            answer += self.packed(owner) + struct.pack("!HHIH", 5, 1, ttl, len(packed)) + packed
        for address in known:
            packed = socket.inet_pton(family, address)
            answer += (self.packed(last) if chain else b"\xC0\x0C") + \
                struct.pack("!HHIH", kind, 1, ttl, len(packed)) + packed
        text = f"{name} {'A' if kind == 1 else 'AAAA'} {' '.join(known)}\n" if known else None
        if "forge" in (words or []) and known and udp:
            self.forge(answer, peer, at + 5)
        if "delay" in options and udp and not refused:
            with self.lock:
                self.under_way += 1
            threading.Timer(float(options["delay"]), self.send_late, (answer, peer, text)).start()
        else:
            self.send(answer, peer, text)

    @staticmethod
    def asked(question, words):
        return question[:-4].lower() + question[-4:] if words and "lower" in words else question

    @staticmethod
    def packed(name):
        return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"

    def send_late(self, answer, peer, text):
        with self.lock:
            self.under_way -= 1
        self.send(answer, peer, text)

    def send(self, answer, peer, text):
        with self.lock:
            if isinstance(peer, tuple):
                self.s.sendto(answer, peer)
            else:
                peer.sendall(struct.pack("!H", len(answer)) + answer)
            if text:
                self.log.write(f"{now():.3f} {text}")

    def run(self):
        while True:
            try:
                self.on_question(*self.s.recvfrom(4096))
            except OSError as e:
                if e.errno != errno.ECONNREFUSED:   # who asked is no more
                    raise


# ---- the watcher


def attributes(data):
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        yield kind & 0x3FFF, data[at + 4:at + length]
        at += (length + 3) & ~3


def attribute(kind, data):
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


class Interrupted(Exception):
    pass


class Watcher:
    def __init__(self, log, stop, sets):
        self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.log = open(log, "w", buffering=1, encoding="ascii")
        self.stop, self.sets = stop, {name: {} for name in sets}
        self.serial, self.due = 0, 0.0

    def generation(self):
        """Each transaction that changes a set changes this number."""
        self.serial += 1
        self.s.send(struct.pack("=IHHIIBBH", 20, SUBSYS << 8 | GETGEN, 1, self.serial, 0, 0, 0, 0))
        while True:
            data = self.s.recv(4096)
            if struct.unpack_from("=IHHI", data)[3] == self.serial:
                return dict(attributes(data[20:]))[GEN_ID]

    def ask(self, name):
        body = struct.pack("=BBH", NFPROTO_INET, 0, 0) + attribute(TABLE, b"dockside\0") + \
            attribute(SET, name.encode() + b"\0")
        self.serial += 1
        self.s.send(struct.pack("=IHHII", 16 + len(body), SUBSYS << 8 | GETSETELEM, 1 | DUMP,
                                self.serial, 0) + body)

    def answers(self):
        """The payloads of a dump."""
        interrupted = False
        while True:
            data, at = self.s.recv(1 << 17), 0
            while at < len(data):
                length, kind, flags, serial = struct.unpack_from("=IHHI", data, at)
                body, at = data[at + 16:at + length], at + ((length + 3) & ~3)
                if serial != self.serial:
                    continue
                interrupted |= bool(flags & DUMP_INTR)
                if kind in (2, 3):              # an error, the end
                    if interrupted:
                        raise Interrupted
                    if code := struct.unpack_from("=i", body)[0]:
                        if kind == 2 and -code != errno.ENOENT:
                            raise OSError(-code, os.strerror(-code))
                    return
                yield body[4:]

    def look(self, name):
        """ADDRESS -> (timeout, expires), 0 without."""
        while True:
            found = {}
            self.ask(name)
            try:
                for body in self.answers():
                    for kind, elements in attributes(body):
                        for _, element in attributes(elements) if kind == ELEMENTS else ():
                            a = dict(attributes(element))
                            key = dict(attributes(a[KEY]))[1]
                            family = socket.AF_INET if len(key) == 4 else socket.AF_INET6
                            found[socket.inet_ntop(family, key)] = tuple(
                                struct.unpack("!Q", a[k])[0] if k in a else 0
                                for k in (TIMEOUT, EXPIRATION))
                return found
            except Interrupted:
                pass

    def compare(self, name):
        """It keeps of each address the timeout, and by when at the latest that ends, or 0."""
        before, begin = self.sets[name], now()
        found, end = self.look(name), now()
        after = {address: (timeout, end + expires / 1000 if expires else 0)
                 for address, (timeout, expires) in found.items()}
        for address in before.keys() - after.keys():
            self.note(name, "-", address, *before[address])
        for address, (timeout, until) in after.items():
            had = before.get(address)
            if not had:
                self.note(name, "+", address, timeout, until)
            elif had[0] != timeout:
                self.note(name, "!", address, timeout, until)
            elif until - (end - begin) > had[1]:
                self.note(name, "^", address, *had)
        self.sets[name] = after
        self.due = min([self.due, *(until for _, until in after.values() if until)])

    def note(self, name, sign, address, timeout, until):
        left = max(0, round((until - now()) * 1000)) if until else 0
        self.log.write(f"{now():.3f} {name} {sign} {address} {timeout} {left}\n")

    def run(self):
        looks, longest, last, seen = 0, 0.0, now(), None
        while looks % 20 or not os.path.exists(self.stop):
            # A set stays as it is until a transaction changes it, or something in it expires.
            generation = self.generation()
            if generation != seen or now() > self.due - 0.02:
                seen, self.due = generation, math.inf
                for name in self.sets:
                    self.compare(name)
            looks += 1
            longest, last = max(longest, now() - last), now()
            time.sleep(0.002)
        self.log.write(f"{now():.3f} end {looks} {round(longest * 1000)}\n")


# ---- the judge


class Judge:
    def __init__(self, zone_log, watch_log):
        self.answers = []                       # (seconds, name, addresses)
        with open(zone_log, encoding="ascii") as f:
            for line in f:
                at, name, _, *addresses = line.split()
                self.answers.append((float(at), name, addresses))
        self.events = collections.defaultdict(list)     # (set, address) -> [(seconds, sign, …)]
        self.end, self.pause = None, 0.0        # pause: the longest in which the watcher did not look
        with open(watch_log, encoding="ascii") as f:
            for line in f:
                at, name, *rest = line.split()
                if name == "end":
                    self.end, self.pause = float(at), int(rest[1]) / 1000
                    continue
                self.events[name, rest[1]].append((float(at), rest[0], int(rest[2]), int(rest[3])))

    def there(self, which, at):
        state = False
        for when, sign, *_ in self.events[which]:
            if when <= at:
                state = sign != "-"
        return state

    def between(self, which, begin, end, sign):
        return [e[0] for e in self.events[which] if begin <= e[0] <= end and e[1] == sign]

    def kept(self, name, address, begin, end):
        begin, end = float(begin), float(end)
        if not self.there((name, address), begin):
            yield f"is not there at {begin}"
        if went := self.between((name, address), begin, end, "-"):
            yield f"went at {went}"

    def renewed(self, name, address, begin, end, n):
        times = self.between((name, address), float(begin), float(end), "^")
        if len(times) < int(n):
            yield f"only at {times}"

    def gone(self, name, address, begin):
        begin = float(begin)
        if self.there((name, address), begin):
            yield f"is there at {begin}"
        if came := self.between((name, address), begin, self.end, "+"):
            yield f"came at {came}"

    def left(self, name, address, begin, end):
        went = self.between((name, address), 0, self.end, "-")
        if len(went) != 1 or not float(begin) <= went[0] <= float(end) + self.pause:
            yield f"went at {went}"

    def of_set(self, name):
        return {a: events for (n, a), events in self.events.items() if n == name and events}

    def permanent(self, name):
        if not self.of_set(name):
            yield "nothing in it"
        for address, events in self.of_set(name).items():
            if any(timeout for _, _, timeout, _ in events):
                yield f"{address} had a timeout"

    def timed(self, name, ms):
        if not self.of_set(name):
            yield "nothing in it"
        for address, events in self.of_set(name).items():
            if timeouts := {timeout for _, _, timeout, _ in events} - {int(ms)}:
                yield f"{address} had {timeouts}"

    def true(self, host, name, stale, slack):
        stale, slack = float(stale), float(slack)
        given = collections.defaultdict(list)
        for at, answered, addresses in self.answers:
            for address in addresses if answered == host else ():
                if (":" in address) == name.endswith("v6"):
                    given[address].append(at)
        if not given:
            yield "no address was given"
        for address, times in given.items():
            for i, at in enumerate(times):
                # The daemon collects answers for a moment; and at is when the server had sent
                # one, which may be after the daemon had it.
                begin, end = at + 0.5 + self.pause, min(at + stale - 0.1, self.end)
                if end <= begin:
                    continue
                for fault in self.kept(name, address, begin, end):
                    yield f"{address}, given at {at}, {fault}"
                until = at + stale + slack + self.pause
                if i + 1 < len(times) and times[i + 1] < until or until > self.end:
                    continue
                if self.there((name, address), until):
                    yield f"{address}, last given at {at}, is there at {until}"
        for address in self.of_set(name).keys() - given.keys():
            yield f"{address} was never given"

    def given(self, host, n):
        if (got := len({a for _, h, addresses in self.answers if h == host for a in addresses})) != \
                int(n):
            yield f"{got}"

    def run(self, lines):
        if self.end is None:
            print("the watcher has not ended well")
        for line in lines:
            what, *args = line.split()
            for fault in getattr(self, what)(*args):
                print(f"{line.strip()}: {fault}")


def main():
    command, *args = sys.argv[1:]
    if command == "serve":
        Server(*args).run()
    elif command == "watch":
        Watcher(args[0], args[1], args[2:]).run()
    elif command == "judge":
        Judge(*args).run(line for line in sys.stdin if line.strip())
    else:
        sys.exit(__doc__)


main()
