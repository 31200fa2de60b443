# SPDX-License-Identifier: GPL-2.0-or-later
"""foreign.py KIND NAME: puts something into table inet dockside that nft's own language cannot say.

KIND is chain, set, counter, or key (an element of the map `dispatch`, accepting). NAME has Python's
escapes. Exit status 1 if the kernel refuses it.
"""
import socket
import struct
import sys

NFPROTO_INET, NFNL_SUBSYS_NFTABLES = 1, 10
NEWCHAIN, NEWSET, NEWSETELEM, NEWOBJ = 3, 9, 12, 18     # linux/netfilter/nf_tables.h
BATCH_BEGIN, BATCH_END = 0x10, 0x11                     # linux/netfilter/nfnetlink.h
REQUEST, ACK, CREATE = 1, 4, 0x400


def attr(kind, data):
    length = 4 + len(data)
    return struct.pack("HH", length, kind) + data + b"\0" * (-length % 4)


def nest(kind, *attrs):
    return attr(kind | 0x8000, b"".join(attrs))


def be32(value):
    return struct.pack(">I", value)


def message(kind, flags, seq, body, family=NFPROTO_INET, resource=0):
    body = struct.pack("BBH", family, 0, socket.htons(resource)) + body
    return struct.pack("IHHII", 16 + len(body), kind, flags, seq, 0) + body


def contents(kind, name):
    table, string = attr(1, b"dockside\0"), name + b"\0"
    if kind == "chain":
        return NEWCHAIN, table + attr(3, string)
    if kind == "set":   # ipv4_addr
        return NEWSET, (table + attr(2, string) + attr(3, be32(0)) + attr(4, be32(7)) +
                        attr(5, be32(4)) + attr(10, be32(1)))
    if kind == "counter":
        return NEWOBJ, table + attr(2, string) + attr(3, be32(1)) + nest(4)
    element = nest(1, attr(1, name.ljust(16, b"\0"))) + nest(2, nest(2, attr(1, be32(1))))
    return NEWSETELEM, table + attr(2, b"dispatch\0") + nest(3, nest(1, element))


def main():
    kind, body = contents(sys.argv[1], sys.argv[2].encode().decode("unicode_escape").encode("latin-1"))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_NETFILTER
                       if hasattr(socket, "NETLINK_NETFILTER") else 12) as s:
        s.bind((0, 0))
        s.settimeout(5)
        s.send(message(BATCH_BEGIN, REQUEST, 0, b"", 0, NFNL_SUBSYS_NFTABLES) +
               message(NFNL_SUBSYS_NFTABLES << 8 | kind, REQUEST | ACK | CREATE, 1, body) +
               message(BATCH_END, REQUEST, 2, b"", 0, NFNL_SUBSYS_NFTABLES))
        error = struct.unpack_from("i", s.recv(65536), 16)[0]
    if error:
        sys.exit(f"the kernel refuses it: {error}")


if __name__ == "__main__":
    main()
