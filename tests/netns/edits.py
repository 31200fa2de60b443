#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""edits.py SOCKET NETWORK-FILE FIREWALL-FILE SEED COUNT: random edits of a daemon's files, each of which is judged.

An edit that is refused changes nothing. Of another one the files must say what a model of it says: of allow and deny,
by the decision about each of many destinations, which may change for what was asked for alone; of the others, exactly.
The daemon says that its files are what it runs. Lines without anything that was edited are there as before, in their
order, byte for byte; no comment is new, and one that is missing stood in or behind something that was removed. A
fault ends the program with what it was, the seed, and both texts."""
import difflib
import functools
import ipaddress
import json
import random
import re
import socket
import sys

NAMES = ["n%d.example" % i for i in range(12)]
# Nobody tells the daemon. Some are in networks that rules are about.
ADDRESSES = {name: "198.18.0.%d" % i for i, name in enumerate(NAMES)}
ADDRESSES.update({"n0.example": "203.0.113.5", "n1.example": "203.0.113.200", "n2.example": "2001:db8:7::5"})
LITERALS = ["203.0.113.5", "203.0.113.0/24", "203.0.113.128/25", "2001:db8:7::5", "2001:db8:7::/48"]
SETS = ["web", "tools", "few", "wide", "spare", "spare2"]
NETWORKS = ["ds-1", "ds-2", "ds-3", "ds-4"]
PORTS = [[443], [80], [22, "8000-8010"], [443, 80], ["1-1024"]]
SAMPLES = [("tcp", 22), ("tcp", 80), ("tcp", 443), ("tcp", 8005), ("tcp", 25), ("udp", 53), ("udp", 443)]
TOKEN = re.compile(r'(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<blank>[ \t\r\n]+)|(?P<string>"(?:\\.|[^"\\])*")|'
                   r"(?P<word>[-\w.+]+)|(?P<mark>[][{}:,])", re.S)


# ---- a parser of our own


class Node:
    """A value and where it stands; of a list its items, of an object [(key, node)], from where the key begins."""

    def __init__(self, value, start, end, children=None):
        self.value, self.start, self.end, self.children = value, start, end, children or []


class Text:
    def __init__(self, text):
        self.text, self.comments, self.tokens, at = text, [], [], 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise ValueError("no token at %d" % at)
            if match.lastgroup == "comment":
                self.comments.append((match.start(), match.end()))
            elif match.lastgroup != "blank":
                self.tokens.append(match)
            at = match.end()
        self.at = 0
        self.root = self.parse()
        if self.at != len(self.tokens):
            raise ValueError("trailing text")

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def parse(self):
        first = self.take()
        if first.group() not in ("{", "["):
            return Node(json.loads(first.group()), first.start(), first.end())
        values, children, close = [], [], "}" if first.group() == "{" else "]"
        while self.tokens[self.at].group() != close:
            key, start = None, self.tokens[self.at].start()
            if close == "}":
                key = json.loads(self.take().group())
                if self.take().group() != ":":
                    raise ValueError("no colon")
            node = self.parse()
            children.append((key, Node(node.value, start, node.end, node.children)))
            values.append((key, node.value))
            if self.tokens[self.at].group() == ",":
                self.take()
            elif self.tokens[self.at].group() != close:
                raise ValueError("no comma")
        last = self.take()
        if close == "]":
            return Node([value for _, value in values], first.start(), last.end(), children)
        if len(dict(values)) != len(values):
            raise ValueError("a key twice")
        return Node(dict(values), first.start(), last.end(), children)


# ---- what an egress list decides


@functools.cache   # as that of has(): few members, asked for by the thousand
def normal(member):
    try:
        return str(ipaddress.ip_network(member, strict=False))
    except ValueError:
        return member.lower().rstrip(".")


def is_name(member):
    return normal(member) in ADDRESSES


def place(member):
    return ipaddress.ip_network(ADDRESSES.get(normal(member), normal(member)))


@functools.cache
def has(member, destination):
    """Whether a member of an ipset, or of a rule, is about a destination: packets go by addresses."""
    outer, inner = place(member), place(destination)
    return outer.version == inner.version and inner.subnet_of(outer)


def decide(firewall, network, destination, proto, port):
    """"allow" or "drop", and the rule."""
    rules = ((firewall.get("networks") or {}).get(network) or {}).get("egress") or []
    for rule in rules:
        if all(key == "comment" or key.startswith("_") for key in rule):
            continue
        if rule.get("proto", proto) != proto:
            continue
        if "ports" in rule and not any(low <= port <= high for low, high in map(bounds, rule["ports"])):
            continue
        to = rule.get("to", "all")
        members = firewall["ipsets"][rule["ipset"]] if to == "ipset" else [rule[to]] if to != "all" else None
        if members is None or any(has(member, destination) for member in members):
            return rule.get("action", "allow"), rule
    return "allow", None


@functools.cache
def bounds(port):
    low, _, high = str(port).partition("-")
    return int(low), int(high or low)


def decisions(firewall):
    return {(network, destination, proto, port): decide(firewall, network, destination, proto, port)[0]
            for network in NETWORKS for destination in NAMES + LITERALS for proto, port in SAMPLES}


# ---- random requests


def members(rng, count):
    return rng.sample(NAMES + LITERALS, count)


def random_rules(rng, firewall):
    rules = []
    for _ in range(rng.randrange(4)):
        rule = {"proto": rng.choice(["tcp", "udp"]), "ports": rng.choice(PORTS)}
        if firewall.get("ipsets") and rng.random() < 0.5:
            rule.update({"to": "ipset", "ipset": rng.choice(sorted(firewall["ipsets"]))})
        elif rng.random() < 0.6:
            rule.update({"to": "host", "host": rng.choice(NAMES)})
        rules.append(rule)
    return rules + [{"action": "drop"}]


def random_request(rng, firewall):
    action = rng.choice(["allow"] * 6 + ["deny"] * 5 + ["add-ipset"] * 2 + ["del-ipset"] * 2 + ["set-ipset"] * 2 +
                        ["remove-ipset", "set-network", "set-network", "remove-network"])
    request = {"action": action, "name": rng.choice(NETWORKS)}
    if action in ("allow", "deny"):
        request["to"] = rng.choice(NAMES + NAMES + LITERALS)
    if action == "allow" and rng.random() < 0.7:
        request.update({"ports": rng.choice(PORTS), "proto": rng.choice(["tcp", "tcp", "udp"])})
    if action.endswith("ipset"):
        request["name"] = rng.choice(SETS)
        have = firewall["ipsets"].get(request["name"]) or []
    if action in ("add-ipset", "set-ipset"):
        request["hostnames"] = members(rng, rng.randrange(1, 5))
    if action == "set-ipset" and rng.random() < 0.5:
        request["hostnames"] = have[:] + request["hostnames"][:1]
        rng.shuffle(request["hostnames"])
    if action == "set-ipset" and rng.random() < 0.7:
        request["replace"] = rng.random() < 0.5
    if action == "del-ipset":
        request["hostnames"] = rng.sample(have, min(len(have), rng.randrange(1, 3))) or [NAMES[0]]
    if action == "remove-network":
        request.update({"name": rng.choice(NETWORKS[2:]), "force": True})
    if action == "set-network":
        number = request["name"][-1]
        request["network"] = {"subnet": "172.30.%s.0/24" % number}
        if rng.random() < 0.7:
            request["network"]["dockside_ip"] = "172.30.%s.%d" % (number, rng.randrange(2, 9))
        if rng.random() < 0.5:
            request["firewall"] = {"egress": random_rules(rng, firewall)}
    return request


# ---- what a request must do


def free_text(key):
    return key == "comment" or key.startswith("_")


def expected(request, network, firewall):
    """Both files as they must be; not for allow and deny."""
    network, firewall = json.loads(json.dumps([network, firewall]))
    name, action = request["name"], request["action"]
    sets = firewall.setdefault("ipsets", {})
    given = request.get("hostnames", [])
    known = {normal(member) for member in sets.get(name, [])}
    if action == "set-ipset":
        wanted = {normal(member) for member in given}
        sets[name] = [member for member in sets.get(name, []) if normal(member) in wanted] + \
            [member for member in given if normal(member) not in known]
    elif action == "add-ipset":
        sets[name] += [member for member in given if normal(member) not in known]
    elif action == "del-ipset":
        sets[name] = [member for member in sets[name] if normal(member) not in {normal(gone) for gone in given}]
    elif action == "remove-ipset":
        del sets[name]
    elif action == "remove-network":
        network["networks"] = [item for item in network["networks"] if item["name"] != name]
        firewall["networks"].pop(name, None)
    elif action == "set-network":
        item = next((item for item in network["networks"] if item["name"] == name), None)
        if item is None:
            item = {"name": name}
            network["networks"].append(item)
        item.update(request["network"])
        if "firewall" in request:
            old = firewall["networks"].get(name, {})
            kept = {key: value for key, value in old.items() if key == "host" or free_text(key)}
            firewall["networks"][name] = {**kept, **request["firewall"]}
    return network, firewall


def affects(request, destination):
    """Whether allow or deny is about that destination, or part of it or more."""
    return has(request["to"], destination) or has(destination, request["to"])


def of_other_kind(rule, target):
    """Whether a rule that drops the target is about addresses if that is a name, or about names if it is addresses:
    the daemon says so when it knows the addresses, and leaves the rule alone."""
    to = (rule or {}).get("to", "all")
    return to == "ipset" or (to != "all" and is_name(rule[to]) != is_name(target))


def judge_meaning(request, before, after):
    """allow and deny: of every destination."""
    asked = [bounds(port) for port in request.get("ports", [443])]
    old, new = decisions(before), decisions(after)
    for key, value in new.items():
        network, destination, proto, port = key
        mine = network == request["name"] and affects(request, destination)
        exactly = network == request["name"] and has(request["to"], destination)
        wished = proto == request.get("proto", "tcp") and any(low <= port <= high for low, high in asked)
        if request["action"] == "allow":
            if exactly and wished and value != "allow" and not of_other_kind(decide(after, *key)[1], request["to"]):
                raise ValueError("%s is not allowed" % (key,))
            if not (mine and wished) and value != old[key]:
                raise ValueError("%s has changed to %s" % (key, value))
        elif exactly and value != "drop":
            rule = decide(after, *key)[1]
            if not rule or rule.get("ports") != [53]:
                raise ValueError("%s is still allowed" % (key,))
        elif not mine and value != old[key]:
            raise ValueError("%s has changed to %s" % (key, value))


# ---- what must stay of a text


def removed(old, new, spans):
    """Adds what of an old node is not in the new one, or differs there."""
    if old.value == new.value:
        return
    if not isinstance(old.value, (dict, list)) or not isinstance(new.value, type(old.value)):
        spans.append((old.start, old.end))
        return
    if isinstance(old.value, dict):
        theirs = dict(new.children)
        for key, child in old.children:
            if key in theirs:
                removed(child, theirs[key], spans)
            else:
                spans.append((child.start, child.end))
        return
    a = [json.dumps(child.value, sort_keys=True) for _, child in old.children]
    b = [json.dumps(child.value, sort_keys=True) for _, child in new.children]
    for what, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if what == "replace" and j - i == m - k:
            for at in range(j - i):
                removed(old.children[i + at][1], new.children[k + at][1], spans)
        elif what != "equal":
            spans.extend((child.start, child.end) for _, child in old.children[i:j])


def is_subsequence(part, whole):
    rest = iter(whole)
    return next((item for item in part if item not in rest), None)


def judge_layout(before, after):
    old, new, spans = Text(before), Text(after), []
    removed(old.root, new.root, spans)

    def line_end(at):
        return (before + "\n").index("\n", at)

    # A comma may come or go behind each value, and what is removed has its line.
    values = []

    def collect(node):
        for _, child in node.children:
            values.append((child.start, child.end))
            collect(child)
    collect(old.root)
    gone = [(start, line_end(end)) for start, end in spans]
    comments = [before[start:end] for start, end in old.comments
                if not any(first <= start < last for first, last in gone)]
    missing = is_subsequence(comments, [after[start:end] for start, end in new.comments])
    if missing is not None:
        raise ValueError("the comment is lost: %s" % missing)
    extra = is_subsequence([after[start:end] for start, end in new.comments],
                           [before[start:end] for start, end in old.comments])
    if extra is not None:
        raise ValueError("the comment is new: %s" % extra)
    at, kept = 0, []
    for line in before.split("\n"):
        end = at + len(line)
        # A line with the end of a value may have another comma, and a line with a removed one goes.
        if not any(start < end and at < last for start, last in gone) and \
                not any(at < last <= end for _, last in values) and not line.strip().startswith((",", "]", "}")) and \
                "[]" not in line and "{}" not in line:
            kept.append(line)
        at = end + 1
    missing = is_subsequence(kept, after.split("\n"))
    if missing is not None:
        raise ValueError("the line is lost: %s" % missing)
    # In the other lines, only commas may have changed.
    plain = [line.replace(",", "") for line in after.split("\n")]
    at = 0
    for line in before.split("\n"):
        end = at + len(line)
        if not any(start <= end and at <= last for start, last in gone) and line.replace(",", "") not in plain and \
                not any(extended(line, other) for other in after.split("\n")):
            raise ValueError("the line has changed: %s" % line)
        at = end + 1


def extended(line, other):
    """Whether a line has become another by what was added to a list or object in it."""
    rest = iter(other.replace(",", ""))
    return all(char in rest for char in line.replace(",", ""))


# ---- the daemon


def call(path, request):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(path)
        s.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(s.makefile(encoding="utf-8").readline())


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def step(path, files, rng, counts):
    before = [read(file) for file in files]
    values = [Text(text).root.value for text in before]
    request = random_request(rng, values[1])
    answer = call(path, request)
    after = [read(file) for file in files]
    try:
        counts[request["action"], answer["status"], before != after] = \
            counts.get((request["action"], answer["status"], before != after), 0) + 1
        if answer["status"] != "ok" and before != after:
            raise ValueError("an edit that was refused has changed a file")
        new = [Text(text).root.value for text in after]
        if answer["status"] == "ok" and request["action"] in ("allow", "deny"):
            judge_meaning(request, values[1], new[1])
        elif answer["status"] == "ok" and tuple(new) != expected(request, *values):
            raise ValueError("the files do not say what was asked for")
        for old_text, new_text in zip(before, after):
            judge_layout(old_text, new_text)
            if old_text.count("\r\n") == old_text.count("\n") and new_text.count("\r\n") != new_text.count("\n"):
                raise ValueError("a line does not end as the others")
        state = call(path, {"action": "status"})["files"]["state"]
        if state != "current":
            raise ValueError("the files are not what runs: %s" % state)
    except ValueError as e:
        for old_text, new_text in zip(before, after):
            if old_text != new_text:
                print("before:\n%s\nafter:\n%s" % (old_text, new_text))
        sys.exit("%s\nrequest: %s\nanswer: %s" % (e, json.dumps(request), json.dumps(answer)))


def main():
    path, files, seed, count = sys.argv[1], sys.argv[2:4], int(sys.argv[4]), int(sys.argv[5])
    rng, counts = random.Random(seed), {}
    for number in range(count):
        try:
            step(path, files, rng, counts)
        except SystemExit as e:
            sys.exit("seed %d, edit %d: %s" % (seed, number, e))
    for (action, status, changed), n in sorted(counts.items()):
        print("# %d × %s: %s, %s" % (n, action, status, "changed" if changed else "unchanged"))


main()
