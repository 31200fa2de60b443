#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks dockerd over its socket what its command line cannot say, or not in every version.

usage: engine.py SOCKET METHOD PATH [JSON]     prints the answer; exit status 1 if that is an error
       engine.py SOCKET run NAME NETWORK ADDRESS ADDRESS6 MAC [HOST-PORT:PORT...]

run: a container of bb:1 with its own choice of address and MAC ("-": none), and published TCP ports.
"""
import http.client
import json
import os
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
        version = os.environ.get("DOCKER_API_VERSION", "1.41")
        self.request(method, f"/v{version}{path}", body and json.dumps(body),
                     {"Content-Type": "application/json"})
        answer = self.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            sys.exit(f"{method} {path}: {answer.status} {text.strip()}")
        return text


def container(network, address, address6, mac, ports):
    given = {"IPv4Address": address, "IPv6Address": address6}
    endpoint = {"IPAMConfig": {key: value for key, value in given.items() if value != "-"}}
    published = dict(reversed(port.split(":")) for port in ports)
    wanted = {"Image": "bb:1", "StopSignal": "SIGKILL",
              "ExposedPorts": {f"{port}/tcp": {} for port in published},
              "HostConfig": {"NetworkMode": network,
                             "PortBindings": {f"{port}/tcp": [{"HostPort": host}]
                                              for port, host in published.items()}},
              "NetworkingConfig": {"EndpointsConfig": {network: endpoint}}}
    if mac != "-":
        wanted["MacAddress"] = mac
    return wanted


def main():
    path, verb, *args = sys.argv[1:]
    engine = Engine(path)
    if verb != "run":
        body = json.loads(args[1]) if len(args) > 1 else None
        print(engine.ask(verb, args[0], body), end="")
        return
    name, network, address, address6, mac, *ports = args
    engine.ask("POST", f"/containers/create?name={name}",
               container(network, address, address6, mac, ports))
    engine.ask("POST", f"/containers/{name}/start")


main()
