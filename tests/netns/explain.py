#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""explain against the kernel: random policies, random packets.

  explain.py SOCKET POLICIES PACKETS SEED

Run by explain.sh, which has made the bridges and the table that tells by NFLOG what has passed us, and
been reset by us, and has it go no further. Each policy is given to the daemon; of each packet the
daemon says what becomes of it, then it is sent. That must agree: what we say of it, where it goes, to
which address and port, and its mark; and for every rule, how many packets it has counted. Prints what
does not, then "N packets of N policies: ..." with how many of each kind there were.
"""
import collections
import ipaddress
import json
import os
import random
import socket
import struct
import subprocess
import sys

BATCH = 250
KINDS = ("pass elsewhere", "pass host", "pass same network", "drop", "reset",
         "pass elsewhere translated", "pass host translated", "pass same network translated",
         "drop translated", "reset translated")
ENOUGH = 5000   # packets, for each kind to have come up
SEQ = 0x20000000
BRIDGES = {     # addresses of both families, the gateways being .1 and ::1
    "ds-a": ("10.1.0.", "fd01::"), "ds-b": ("10.2.0.", "fd02::"), "ds-c": ("10.3.0.", None),
    "ds-free": ("10.9.0.", "fd09::")}
SINK = "02:5a:00:00:00:01"
DOCKSIDE = "02:d0:00:00:00:02"
FAR4 = [f"203.0.113.{i}" for i in range(1, 7)] + [f"198.51.100.{i}" for i in range(1, 7)]
FAR6 = [f"2001:db8:1::{i}" for i in range(1, 7)]
NEAR4 = ["10.1.0.7", "10.2.0.7", "10.3.0.7"]    # these the host's neighbour table has
NEAR6 = ["fd01::7", "fd02::7"]
HOST4 = ["10.1.0.1", "10.2.0.1", "10.3.0.1", "192.0.2.1"]
HOST6 = ["fd01::1", "fd02::1", "2001:db8:ffff::1"]
CIDRS = ["203.0.113.0/30", "203.0.113.0/24", "198.51.100.4/31", "198.51.100.0/30", "0.0.0.0/0",
         "10.2.0.0/24", "128.0.0.0/1", "2001:db8:1::/126", "2001:db8:1::4/127", "::/0", "fd02::/64"]
NAMES = ["one.example", "two.example", "four.example", "six.example", "none.example"]
PORTS = [1, 21, 22, 23, 53, 67, 68, 80, 81, 443, 546, 547, 548, 999, 1000, 1003, 1005, 1006, 1010,
         1011, 3306, 8080, 65535]
NAT_PORTS = [22, 53, 80, 443, 3306, 8080]
RANGES = [22, 53, 80, 443, "1000-1005", "1003-1010", "1-1024", "1010-65535", 3306, "67-68", 65535]
TYPES = ["echo-request", "any", "echo-reply", "3", "8/0", "8/1", "timestamp-request", "17",
         "time-exceeded", "destination-unreachable", "router-solicitation", "13/1"]
TYPES4 = [0, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 17, 30]
TYPES6 = [1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 139, 140, 143, 200]


# ---- policies ------------------------------------------------------------------------------------

def some(pool, most):
    return random.sample(pool, random.randint(1, min(most, len(pool))))


def random_rule(ipsets, host=False):
    rule = {"action": random.choice(["allow", "drop"])}
    proto = random.choice([None, "tcp", "tcp", "udp", "icmp"])
    if proto:
        rule["proto"] = proto
    if proto in ("tcp", "udp") and random.random() < 0.8:
        rule["ports"] = some(RANGES, 4)
    if proto == "icmp" and random.random() < 0.7:
        rule["type"] = random.choice(TYPES)
    to = "all" if host else random.choice(["all", "cidr", "ip", "host", "ipset"])
    if to == "all" and not proto and random.random() < 0.8:
        rule["proto"] = "tcp"           # a policy that ends at once is soon known
    if to != "all":
        rule["to"] = to
        rule[to] = {"cidr": lambda: random.choice(CIDRS),
                    "ip": lambda: random.choice(FAR4 + FAR6 + NEAR4 + NEAR6),
                    "host": lambda: random.choice(NAMES),
                    "ipset": lambda: random.choice(sorted(ipsets))}[to]()
    return rule


def random_nat(name, most):
    rules = {}
    near = [a + "7" for a in BRIDGES[name] if a]
    for _ in range(random.randint(0, most)):
        proto, port = random.choice(["tcp", "tcp", "udp"]), random.choice(NAT_PORTS)
        rule = {"proto": proto, "match_dport": port, "to_port": random.choice(PORTS)}
        if random.random() < 0.4:
            rule["to_host"] = random.choice(NAMES)
        else:
            rule["to_ip"] = random.choice(random.choice([FAR4 + FAR6, near, NEAR4 + NEAR6,
                                                         HOST4 + HOST6]))
        rules[proto, port] = rule
    return list(rules.values())


def random_network(name, ipsets):
    v4, v6 = BRIDGES[name]
    # The question does not tell the port: this compares table inet dockside alone.
    network = {"name": name, "subnet": f"{v4}0/24", "bind": "off"}
    if v6:
        network["subnet6"] = f"{v6}/64"
    if random.random() < 0.5:
        network["dockside_ip"] = f"{v4}2"
    if v6 and random.random() < 0.4:
        network["dockside_ip6"] = f"{v6}2"
    if random.random() < 0.4:
        network["dockside_mac"] = DOCKSIDE
    if ("dockside_ip" in network or "dockside_mac" in network) and random.random() < 0.4:
        network["dockside_egress"] = "policed"
    rules = {"egress": [random_rule(ipsets) for _ in range(random.randint(0, 9))],
             "nat": random_nat(name, 8),
             "host": [random_rule(ipsets, True) for _ in range(random.randint(0, 4))]}
    if random.random() < 0.5:
        rules["egress"].append({"action": "drop", "comment": "the rest"})
    if random.random() < 0.3:
        rules["host"].append({"action": "drop"})
    if random.random() < 0.2:
        rules["mode"] = "audit"
    return network, rules


def random_policy():
    members = FAR4 + FAR6 + NEAR4 + CIDRS[:4] + CIDRS[7:9] + NAMES
    ipsets = {f"set{i}": random.sample(members, random.randint(0, 6)) for i in range(4)}
    networks = [random_network(name, ipsets) for name in BRIDGES if name != "ds-free"]
    free = {"name": "ds-free", "subnet": "10.9.0.0/24", "subnet6": "fd09::/64"}
    return ({"networks": [n for n, _ in networks] + [free]},
            {"ipsets": ipsets, "networks": {n["name"]: r for n, r in networks}})


# ---- the daemon ----------------------------------------------------------------------------------

def call(path, request):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(60)
        s.connect(path)
        s.sendall(json.dumps(request).encode() + b"\n")
        answer = b""
        while data := s.recv(1 << 20):
            answer += data
    return json.loads(answer)


def used_names(firewall):
    """Those that rules are on, themselves or in an ipset."""
    names = set()
    for rules in firewall["networks"].values():
        for rule in rules["egress"] + rules["nat"]:
            names |= {rule.get("host"), rule.get("to_host")}
            names |= set(firewall["ipsets"].get(rule.get("ipset"), []))
    return names & set(NAMES)


def addresses_of(name):
    with open("/etc/hosts") as f:
        return {line.split()[0] for line in f if line.split()[1:] == [name]}


# ---- packets -------------------------------------------------------------------------------------

def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


class Packet:
    """A question to the daemon and the frame that it is about."""

    def __init__(self, index, networks):
        self.index = index
        self.network = random.choice(sorted(networks))
        topology = networks[self.network]
        prefix4, prefix6 = BRIDGES[self.network]
        self.v4 = not prefix6 or random.random() < 0.55
        own = prefix4 if self.v4 else prefix6
        far, near, host = (FAR4, NEAR4, HOST4) if self.v4 else (FAR6, NEAR6, HOST6)
        self.src = own + str(random.randint(2, 4) if random.random() < 0.6 else
                             random.randint(10, 99))
        dockside = topology.get("dockside_ip" if self.v4 else "dockside_ip6")
        if dockside and random.random() < 0.4:
            self.src = dockside
        self.dst = random.choice(random.choice([far, far, far, near, host, [own + "7", own + "8"]]))
        self.mac = DOCKSIDE if random.random() < 0.4 else None if random.random() < 0.2 else \
            f"02:00:00:00:00:{random.randint(3, 99):02x}"
        self.gateway = own + "1"
        self.on_link = self.dst.startswith(own) and self.dst != self.gateway
        self.choose_protocol()

    def choose_protocol(self):
        self.port = self.type = None
        self.kind = random.choice(["tcp", "tcp", "tcp", "udp", "udp", "icmp", "icmp", "other"])
        if self.kind in ("tcp", "udp"):
            self.proto = 6 if self.kind == "tcp" else 17
            self.port = random.choice(random.choice([PORTS, NAT_PORTS]))
        elif self.kind == "icmp":
            self.proto = 1 if self.v4 else 58
            self.type = random.choice(TYPES4 if self.v4 else TYPES6)
            if random.random() < 0.4:
                self.type = 8 if self.v4 else 128
            self.code = random.choice([0, 0, 1])
        else:
            self.proto = random.choice([47, 50, 89])

    def request(self):
        request = {"action": "explain", "from": self.network, "to": self.dst, "source": self.src,
                   "protocol": str(self.proto) if self.kind == "other" else self.kind}
        if self.mac:
            request["mac"] = self.mac
        if self.port is not None:
            request["port"] = self.port
        if self.type is not None:
            request["type"] = f"{self.type}/{self.code}"
        return request

    def frame(self, bridge_mac):
        routed = not self.on_link or random.random() < 0.2
        ethernet = mac_bytes(bridge_mac if routed else SINK) + \
            mac_bytes(self.mac or "02:00:00:00:00:ee")
        src, dst = (ipaddress.ip_address(a).packed for a in (self.src, self.dst))
        payload = self.payload(src + dst)
        if self.v4:
            def header(check):
                return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), self.index, 0, 64,
                                   self.proto, check) + src + dst
            return ethernet + b"\x08\x00" + header(checksum(header(0))) + payload
        return ethernet + b"\x86\xdd" + \
            struct.pack("!IHBB", 6 << 28 | self.index, len(payload), self.proto, 64) + src + dst + \
            payload

    def payload(self, ends):
        if self.kind == "tcp":
            def packed(check):
                return struct.pack("!HHIIBBHHH", 20000 + self.index, self.port, SEQ + self.index,
                                   0, 0x50, 2, 8192, check, 0)
        elif self.kind == "udp":
            def packed(check):
                return struct.pack("!HHHH", 20000 + self.index, self.port, 12, check) + b"dsfw"
        elif self.kind == "icmp":
            def packed(check):
                return struct.pack("!BBHHH", self.type, self.code, check, self.index, 1) + bytes(32)
        else:
            return bytes(24)
        pseudo = b"" if self.kind == "icmp" and self.v4 else \
            ends + struct.pack("!II", len(packed(0)), self.proto)
        return packed(checksum(pseudo + packed(0)))

    def __str__(self):
        return json.dumps(self.request())


# ---- what the kernel says ------------------------------------------------------------------------

class Log:
    """NFLOG of a group (linux/netfilter/nfnetlink_log.h)."""

    def __init__(self, group):
        self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.s.bind((0, 0))
        self.s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)      # SO_RCVBUFFORCE
        self.s.settimeout(10)
        self.configure(group, 1, struct.pack("!B", 1))          # bind
        self.configure(group, 2, struct.pack("!IBB", 256, 2, 0))    # copy 256 bytes
        self.configure(group, 5, struct.pack("!I", 1))          # send each at once

    def configure(self, group, kind, value):
        attribute = struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
        body = struct.pack("!BBH", 0, 0, group) + attribute
        self.s.send(struct.pack("=IHHII", 16 + len(body), 4 << 8 | 1, 5, 1, 0) + body)
        answer = self.s.recv(4096)
        assert struct.unpack_from("=Hxxxxxxxxi", answer, 4)[1] == 0, "nfnetlink_log refuses"

    def read(self):
        """Messages, each a prefix, mark, outgoing interface and packet."""
        data, at = self.s.recv(1 << 20), 0
        while at < len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind == 4 << 8:
                yield self.message(data[at + 20:at + length])
            at += (length + 3) & ~3

    @staticmethod
    def message(data):
        fields, at = {}, 0
        while at < len(data):
            length, kind = struct.unpack_from("=HH", data, at)
            fields[kind & 0x3FFF] = data[at + 4:at + length]
            at += (length + 3) & ~3
        number = {k: struct.unpack("!I", fields[k])[0] if k in fields else 0 for k in (2, 5)}
        return fields[10].rstrip(b"\0").decode(), number[2], number[5], fields[9]


def parse(packet):
    """Number, destination, port, and the number of what a reset answers."""
    v4 = packet[0] >> 4 == 4
    if v4:
        index, proto = struct.unpack_from("!H", packet, 4)[0], packet[9]
        dst, rest = packet[16:20], packet[20:]
    else:
        index, proto = struct.unpack_from("!I", packet)[0] & 0xFFFFF, packet[6]
        dst, rest = packet[24:40], packet[40:]
    port = struct.unpack_from("!H", rest, 2)[0] if proto in (6, 17) else None
    answered = struct.unpack_from("!I", rest, 8)[0] - 1 - SEQ if proto == 6 else None
    return index, str(ipaddress.ip_address(dst)), port, answered


def packet_socket(interface, protocol):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.setsockopt(263, 23, 1)                                    # PACKET_IGNORE_OUTGOING
    s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
    s.settimeout(10)
    s.bind((interface, protocol))
    return s


class Kernel:
    def __init__(self):
        self.log = Log(7)
        self.ports, self.backs = {}, {}
        self.bridge_mac, self.bridge_index = {}, {}
        for name in BRIDGES:
            self.ports[name] = packet_socket(f"x-{name}", 3)    # ETH_P_ALL
            self.backs[name] = packet_socket(f"px-{name}", 0)
            with open(f"/sys/class/net/{name}/address") as f:
                self.bridge_mac[name] = f.read().strip()
            self.bridge_index[name] = socket.if_nametoindex(name)

    def send(self, packets):
        """Sends the packets; returns what the hooks have seen of each, by its number."""
        seen = collections.defaultdict(list)
        for packet in packets:
            self.ports[packet.network].send(packet.frame(self.bridge_mac[packet.network]))
        self.ports["ds-free"].send(self.last_frame())
        while 0xFFFF not in seen:
            for prefix, mark, oif, data in self.log.read():
                index, dst, port, answered = parse(data)
                seen[answered if prefix == "rst" else index].append((prefix, mark, oif, dst, port))
        for name in BRIDGES:
            for answered in self.resets(name):
                seen[answered].append(("rst", 0, 0, "", 0))
        return seen

    def resets(self, name):
        """The resets that came back to a port. Where br_netfilter knows the port that a packet came
        from, the kernel sends the reset there itself, and no hook sees it."""
        self.backs[name].send(self.last_frame())
        while True:
            data = self.ports[name].recv(2048)[14:]
            index, _, port, answered = parse(data)
            if index == 0xFFFF:
                return
            if port is not None and data[33 if data[0] >> 4 == 4 else 53] & 4:
                yield answered

    def last_frame(self):
        """Frames pass in the order in which they are sent, and nobody stops this one."""
        last = Packet.__new__(Packet)
        last.index, last.v4, last.on_link, last.mac = 0xFFFF, True, False, None
        last.src, last.dst, last.kind, last.proto = "10.9.0.9", "203.0.113.1", "other", 47
        return last.frame(self.bridge_mac["ds-free"])


def counters():
    """(chain, number of the rule) -> packets, of the rules that count."""
    text = subprocess.run(["nft", "-j", "list", "table", "inet", "dockside"], check=True,
                          capture_output=True).stdout
    found, position = {}, collections.Counter()
    for item in json.loads(text)["nftables"]:
        rule = item.get("rule")
        if not rule:
            continue
        position[rule["chain"]] += 1
        for expression in rule["expr"]:
            if isinstance(expression.get("counter"), dict):  # else the name of one that is shared
                found[rule["chain"], position[rule["chain"]]] = expression["counter"]["packets"]
    return found


# ---- both ----------------------------------------------------------------------------------------

def said(packet, e):
    """The daemon's explanation, in the form that was() has, too."""
    if e["verdict"] != "pass":
        return (e["verdict"],)
    dst, port = packet.dst, packet.port
    for step in e["steps"]:
        if "destination" in step:
            dst, port = step["destination"], step["port"]
    return ("pass", e["to"], e["mark"], dst, port)


def was(kernel, packet, seen):
    """The hooks' view of a packet, in the form of said()."""
    if not seen:
        return ("drop",)
    if len(seen) > 1:
        return ("twice", seen)
    prefix, mark, oif, dst, port = seen[0]
    if prefix == "rst":
        return ("reset",)
    same = oif == kernel.bridge_index[packet.network]
    return ("pass", "host" if prefix == "in" else "same network" if same else "elsewhere", mark, dst,
            port)


class Test:
    def __init__(self, path):
        self.path = path
        self.kernel = Kernel()
        self.faults = 0
        self.kinds = collections.Counter()
        self.packets = 0

    def fault(self, *lines):
        self.faults += 1
        if self.faults <= 5:
            print("\n".join(str(line) for line in lines))

    def explain(self, packet):
        answer = call(self.path, packet.request())
        if answer["status"] != "ok" or len(answer["explanations"]) != 1:
            self.fault(f"{packet}: {answer}")
            return None
        return answer["explanations"][0]

    def batch(self, networks, n, count):
        packets = [Packet(i + 1, networks) for i in range(n)]
        packets = [p for p in packets if p.src != p.dst]
        explanations = [self.explain(p) for p in packets]
        seen = self.kernel.send(packets)
        for packet, e in zip(packets, explanations):
            if not e:
                continue
            for step in e["steps"]:
                if "rule" in step:
                    count[step["chain"], step["rule"]] += 1
            self.packets += 1
            wanted, got = said(packet, e), was(self.kernel, packet, seen[packet.index])
            self.kinds[" ".join(wanted[:2]) + (
                " translated" if any("destination" in s for s in e["steps"]) else "")] += 1
            if wanted != got:
                self.fault(f"{packet}", f"  said: {wanted}", f"  seen: {got}", f"  {e['steps']}")

    def name(self, name, used):
        answer = call(self.path, {"action": "explain", "from": "ds-a", "to": name, "protocol": "47"})
        got = {e["destination"] for e in answer.get("explanations", [])}
        wanted = addresses_of(name) if used else set()
        if got != wanted or (answer["status"] == "ok") != bool(wanted):
            self.fault(f"{name}: explained {got}, wanted {wanted}: {answer}")

    def policy(self, n):
        network, firewall = random_policy()
        answer = call(self.path, {"action": "apply", "network_config": network,
                                  "firewall_config": firewall})
        if answer["status"] != "ok":
            self.fault(f"apply: {answer}", json.dumps([network, firewall]))
            return
        networks = {x["name"]: x for x in network["networks"]}
        before, count, faults = counters(), collections.Counter(), self.faults
        for name in NAMES:
            self.name(name, name in used_names(firewall))
        while n > 0:
            self.batch(networks, min(n, BATCH), count)
            n -= BATCH
        for (chain, rule), packets in sorted(counters().items()):
            if chain in ("forward", "input"):
                continue        # others' packets, too
            got = packets - before[chain, rule]
            if got != count[chain, rule]:
                self.fault(f"rule {rule} of {chain}: said to match {count[chain, rule]} packets, "
                           f"has counted {got}")
        if self.faults > faults:
            print(json.dumps([network, firewall]))


def main():
    path, policies, packets, seed = sys.argv[1], *map(int, sys.argv[2:])
    random.seed(seed)
    # Frames stay in their order on one CPU.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    test = Test(path)
    for _ in range(policies):
        test.policy(packets)
        if test.faults > 20:
            break
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(test.kinds.items()))
    print(f"{test.packets} packets of {policies} policies: {kinds}", file=sys.stderr)
    if test.faults:
        print(f"{test.faults} faults; seed {seed}")
    # A test that never meets a kind of verdict proves nothing of it.
    kinds = () if test.packets < ENOUGH else KINDS
    for kind in kinds:
        if not test.kinds[kind]:
            print(f"no packet came to \"{kind}\"")


if __name__ == "__main__":
    main()
