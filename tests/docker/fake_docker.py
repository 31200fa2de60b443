#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Docker Engine API that does as it is told.

usage: fake_docker.py serve SOCKET RULES LOG    answers until it is ended
       fake_docker.py tell SOCKET COMMAND [ARGUMENT...]

RULES is read for every request: lines "METHOD PATH BEHAVIOUR", the first whose method and path (a prefix,
without the API version) fit counts, "*" fits any method; without one the answer is a good one. Behaviours:

    hang            no answer, ever                   slow      the good answer, 1.5 s late
    close           the connection is closed          cut       half of the good answer
    drip            the good answer, 5 bytes a second flood     an answer without end
    garbage         no HTTP                           headers   headers without end
    broken          JSON that ends too early          types     JSON of another shape
    lines           events without line feeds         noise     events that make no sense
    NUMBER          that status, with a message       lie       200 or 201, and nothing is done
    stale           the good answer, 4 s old
    raced           the good answer, when somebody else has just made network ds-A

LOG has a line for every request: METHOD PATH. Commands of `tell`, on what Docker has:

    connect NETWORK CONTAINER MAC IP [IP6]    disconnect NETWORK CONTAINER
    create NETWORK SUBNET BRIDGE [DRIVER]     remove NETWORK
    restart [CONTAINER NETWORK]               the one that is about to be started again, attached to nothing
    drop CONTAINER CAPABILITY...              which it does not have
    about KEY VALUE                           of /version; backend VALUE: of /info
    mute                                      answers know what is new, events of it come after `unmute`
"""
import copy
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

MESSAGE = "no: \x1b[31mred\u202e\n says Docker"


def link(how, network):
    """The interface of a bridge, which the test may have made already."""
    name = network["Options"].get("com.docker.network.bridge.name", "br-" + network["Id"][:12])
    if network["Driver"] == "bridge":
        subprocess.run(["ip", "link", how, name] + (["type", "bridge"] if how == "add" else []),
                       stderr=subprocess.DEVNULL, check=False)


class Engine:
    def __init__(self):
        self.lock = threading.Condition()
        self.networks = {}
        self.events = []
        self.mute = False
        self.about = {"Version": "99.1", "ApiVersion": "1.50", "MinAPIVersion": "1.24"}
        self.backend = "iptables"
        self.serial = 0
        self.restart = []
        self.dropped = {}
        for name, driver in ("bridge", "bridge"), ("host", "host"), ("none", "null"):
            self.add(name, driver, [], {}, quiet=True)

    def tell(self, action, network, **attributes):
        self.events.append({"Type": "network", "Action": action,
                            "Actor": {"ID": network["Id"],
                                      "Attributes": {"name": network["Name"], **attributes}},
                            "scope": "local", "time": int(time.time())})
        self.lock.notify_all()

    def add(self, name, driver, config, options, quiet=False):
        self.serial += 1
        identifier = hashlib.sha256(f"{name}{self.serial}".encode()).hexdigest()
        network = {"Name": name, "Id": identifier, "Driver": driver, "Scope": "local",
                   "IPAM": {"Driver": "default", "Options": None, "Config": config},
                   "Containers": {}, "Options": options, "Labels": {}}
        self.networks[name] = network
        if not quiet:
            link("add", network)
            self.tell("create", network)
        return network

    def remove(self, name):
        network = self.networks.pop(name)
        link("del", network)
        self.tell("destroy", network)

    def find(self, key):
        for network in self.networks.values():
            if key in (network["Name"], network["Id"]):
                return network
        return None

    def command(self, words):
        name, *arguments = words
        if name == "connect":
            network = self.find(arguments[0])
            identifier = hashlib.sha256(arguments[1].encode()).hexdigest()
            network["Containers"][identifier] = {
                "Name": arguments[1], "EndpointID": "e" * 64, "MacAddress": arguments[2],
                "IPv4Address": arguments[3] + "/24",
                "IPv6Address": arguments[4] + "/64" if len(arguments) > 4 else ""}
            self.tell("connect", network, container=identifier)
        elif name == "disconnect":
            network = self.find(arguments[0])
            identifier = hashlib.sha256(arguments[1].encode()).hexdigest()
            del network["Containers"][identifier]
            self.tell("disconnect", network, container=identifier)
        elif name == "create":
            self.add(arguments[0], arguments[3] if len(arguments) > 3 else "bridge",
                     [{"Subnet": arguments[1]}],
                     {"com.docker.network.bridge.name": arguments[2]} if arguments[2] else {})
        elif name == "remove":
            self.remove(arguments[0])
        elif name == "restart":
            self.restart = [(arguments[0], arguments[1])] if arguments else []
        elif name == "drop":
            identifier = hashlib.sha256(arguments[0].encode()).hexdigest()
            self.dropped[identifier] = arguments[1:]
        elif name == "about":
            self.about[arguments[0]] = arguments[1]
        elif name == "backend":
            self.backend = arguments[0]
        elif name in ("mute", "unmute"):
            self.mute = name == "mute"
            self.lock.notify_all()
        else:
            return "no such command"
        return "done"

    def containers(self):
        """The containers, each with the networks that it is on."""
        found = {}
        for network in self.networks.values():
            for identifier, endpoint in network["Containers"].items():
                container = found.setdefault(identifier, {
                    "Id": identifier, "Names": ["/" + endpoint["Name"]],
                    "NetworkSettings": {"Networks": {}}})
                container["NetworkSettings"]["Networks"][network["Name"]] = {
                    "NetworkID": network["Id"], "MacAddress": endpoint["MacAddress"],
                    "IPAddress": endpoint["IPv4Address"].split("/")[0],
                    "GlobalIPv6Address": endpoint["IPv6Address"].split("/")[0]}
        return list(found.values())

    def restarting(self, query):
        """Lists the containers of the network that the filter names by its id."""
        return [{"Id": name, "Names": ["/" + name]} for name, network in self.restart
                if self.find(network)["Id"] in query]

    def answer(self, method, path, query, body, lie):
        """Returns (status, value)."""
        if path == "/version":
            return 200, self.about
        if path == "/info":
            info = {"ServerVersion": self.about["Version"], "NCPU": 2}
            if self.backend:
                info["FirewallBackend"] = {"Driver": self.backend, "Info": [["a", "b"]]}
            return 200, info
        if method == "GET" and path == "/networks":
            listed = copy.deepcopy(list(self.networks.values()))
            for network in listed:
                network["Containers"] = {}
            return 200, listed
        if method == "POST" and path == "/networks/create":
            wanted = json.loads(body)
            if self.find(wanted["Name"]):
                return 409, {"message": f"network with name {wanted['Name']} already exists"}
            if lie:
                return 201, {"Id": "f" * 64, "Warning": ""}
            network = self.add(wanted["Name"], wanted["Driver"], wanted["IPAM"]["Config"],
                               wanted["Options"])
            network["EnableIPv6"] = wanted["EnableIPv6"]
            return 201, {"Id": network["Id"], "Warning": ""}
        if path == "/containers/json":
            return 200, self.restarting(query) if "restarting" in query else self.containers()
        match = re.fullmatch(r"/containers/([^/]+)/json", path)
        if match and any(match[1] in network["Containers"] for network in self.networks.values()):
            return 200, {"Id": match[1], "HostConfig": {
                "Privileged": False, "CapAdd": None, "CapDrop": self.dropped.get(match[1])}}
        match = re.fullmatch(r"/networks/([^/]+)", path)
        network = match and self.find(match[1])
        if not network:
            return 404, {"message": "page not found"}
        if method == "GET":
            return 200, network
        if network["Containers"]:
            return 403, {"message": f"network {network['Name']} has active endpoints"}
        if not lie:
            self.remove(network["Name"])
        return 204, None


class Server:
    def __init__(self, path, rules, log):
        self.engine = Engine()
        self.rules, self.log = rules, log
        if os.environ.get("LISTEN_FDS"):    # systemd has it
            self.socket = socket.socket(fileno=3)
            return
        if os.path.exists(path):
            os.unlink(path)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(64)

    def behaviour(self, method, path):
        with open(self.rules, encoding="ascii") as file:
            for line in file:
                words = line.split()
                if words and words[0] in ("*", method) and path.startswith(words[1]):
                    return words[2]
        return ""

    def run(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.converse(connection)
        except (OSError, ValueError):
            pass
        finally:
            connection.close()

    def converse(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        path, _, query = re.sub(r"^/v1\.\d+", "", target).partition("?")
        if path == "/tell":
            with self.engine.lock:
                result = self.engine.command(json.loads(body))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
                               % (len(result), result.encode()))
            return
        with open(self.log, "a", encoding="ascii") as file:
            file.write(f"{method} {target}\n")
        self.behave(connection, method, path, query, body)

    def behave(self, connection, method, path, query, body):
        how = self.behaviour(method, path)
        if how == "hang":
            time.sleep(1000)
        elif how == "close":
            return
        elif how == "slow":
            time.sleep(1.5)
        elif how == "raced":  # somebody else makes it just before
            with self.engine.lock:
                self.engine.command(["create", "ds-A", "172.30.1.0/24", "ds-a"])
        elif how == "garbage":
            connection.sendall(b"\x00\x01SSH-2.0-OpenSSH_9.2\r\n" * 3)
            return
        elif how == "headers":
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                connection.sendall(b"X-More: %s\r\n" % (b"x" * 1000))
        elif how == "flood":
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n[")
            while True:
                connection.sendall(b"[]," * 20000)
        if path == "/events" and how in ("", "slow", "lines", "noise"):
            self.stream(connection, how)
            return
        if how.isdigit():
            status, value = int(how), {"message": MESSAGE}
        else:
            with self.engine.lock:
                status, value = self.engine.answer(method, path, query, body, how == "lie")
        text = b"" if value is None else json.dumps(value).encode() + b"\n"
        if how == "stale":
            time.sleep(4)
        if how == "broken":
            text = text[:len(text) // 2]
        elif how == "types":
            text = b'[{"Id": 5, "Name": null, "Version": []}]' if text[:1] == b"[" else b'{"Id": 5}'
        answer = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            status, len(text), text)
        if how == "cut":
            answer = answer[:-(len(text) // 2 + 1)]
        if how == "drip":
            for byte in answer:
                connection.sendall(bytes([byte]))
                time.sleep(0.2)
            return
        connection.sendall(answer)

    def stream(self, connection, how):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

        def chunk(text):
            connection.sendall(b"%x\r\n%s\r\n" % (len(text), text))
        if how == "lines":
            while True:
                chunk(b'{"Type":"network",' * 4000)
        if how == "noise":
            chunk(b'\n\r\n{}\n[1]\n{"Type":"network"}\n{"Type":"network","Action":"destroy",'
                  b'"Actor":{"ID":"../../x"}}\n\xff\xfe\n' * 500)
        with self.engine.lock:
            told = len(self.engine.events)
            while True:
                news = [] if self.engine.mute else self.engine.events[told:]
                told += len(news)
                # Cut anywhere: lines are not chunks.
                text = b"".join(json.dumps(event).encode() + b"\n" for event in news)
                for at in range(0, len(text), 50):
                    chunk(text[at:at + 50])
                self.engine.lock.wait(0.5)


def tell(path, words):
    body = json.dumps(words).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(b"POST /tell HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        answer = b""
        while more := connection.recv(4096):
            answer += more
    if not answer.endswith(b"done"):
        sys.exit(answer.decode())


if sys.argv[1] == "serve":
    Server(*sys.argv[2:5]).run()
else:
    tell(sys.argv[2], sys.argv[3:])
