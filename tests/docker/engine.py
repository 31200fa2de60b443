#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks dockerd over its socket what its command line cannot say, or not in every version.

usage: engine.py SOCKET METHOD PATH [JSON]     prints the answer; exit status 1 if that is an error
       engine.py SOCKET run NAME NETWORK ADDRESS ADDRESS6 MAC [HOST-PORT:PORT...] [NETWORK=ADDRESS=MAC]

run: a container of bb:1 with its own choice of address and MAC ("-": none), and published TCP ports, perhaps
on another network, too. Before API 1.44 Docker takes no MAC there, and derives it from the address; since then
it takes one when it makes the container, though not from one that is connected later (seen with 28.5).
"""
import http.client
import json
import socket
import sys


class Engine(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None):
        self.request(method, path, body and json.dumps(body),
                     {"Content-Type": "application/json"})
        answer = self.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            sys.exit(f"{method} {path}: {answer.status} {text.strip()}")
        return text


    def has_endpoint_macs(self):
        """Whether the MAC address is the endpoint's, no longer the container's."""
        return int(json.loads(self.ask("GET", "/version"))["ApiVersion"].split(".")[1]) >= 44


def endpoint_of(address, address6, mac):
    given = {"IPv4Address": address, "IPv6Address": address6}
    endpoint = {"IPAMConfig": {key: value for key, value in given.items() if value != "-"}}
    if mac != "-":
        endpoint["MacAddress"] = mac
    return endpoint


def container(engine, network, address, address6, mac, ports, others):
    published = dict(reversed(port.split(":")) for port in ports)
    wanted = {"Image": "bb:1", "StopSignal": "SIGKILL",
              "ExposedPorts": {f"{port}/tcp": {} for port in published},
              "HostConfig": {"NetworkMode": network,
                             "PortBindings": {f"{port}/tcp": [{"HostPort": host}]
                                              for port, host in published.items()}},
              "NetworkingConfig": {"EndpointsConfig": {network: endpoint_of(address, address6, mac)}}}
    if engine.has_endpoint_macs():
        for other, *its in others:
            wanted["NetworkingConfig"]["EndpointsConfig"][other] = endpoint_of(its[0], "-", its[1])
    elif mac != "-":
        wanted["MacAddress"] = mac
    return wanted


def main():
    path, verb, *args = sys.argv[1:]
    engine = Engine(path)
    if verb != "run":
        body = json.loads(args[1]) if len(args) > 1 else None
        print(engine.ask(verb, args[0], body), end="")
        return
    name, network, address, address6, mac, *rest = args
    ports = [arg for arg in rest if "=" not in arg]
    others = [arg.split("=") for arg in rest if "=" in arg]
    engine.ask("POST", f"/containers/create?name={name}",
               container(engine, network, address, address6, mac, ports, others))
    engine.ask("POST", f"/containers/{name}/start")
    for other, address, mac in others if not engine.has_endpoint_macs() else []:
        engine.ask("POST", f"/networks/{other}/connect",
                   {"Container": name, "EndpointConfig": endpoint_of(address, "-", mac)})


main()
