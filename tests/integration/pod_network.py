"""Nodes' mount namespaces and pods' network namespaces, by system calls and rtnetlink: a thread
may live in a node's mount namespace, and an Eye sees and changes a pod's network from outside."""
import ctypes
import os
import socket
import struct
import threading

CLONE_FS, CLONE_NEWNS, CLONE_NEWNET = 0x200, 0x20000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 4096, 16384, 1 << 18, 2
libc = ctypes.CDLL(None, use_errno=True)


def check(rc, what):
    if rc < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{what}: {os.strerror(errno)}")


def mount(source, target, kind=None, flags=0):
    check(libc.mount(source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), None), f"mount {target}")


def umount(target):
    check(libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def setns(fd, kind):
    check(libc.setns(fd, kind), "setns")


def own_mounts():
    """This thread gets a mount namespace of its own; returns its fd, for enter_mounts."""
    check(libc.unshare(CLONE_NEWNS), "unshare")
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    return os.open("/proc/thread-self/ns/mnt", os.O_RDONLY)


def enter_mounts(fd):
    check(libc.unshare(CLONE_FS), "unshare")
    setns(fd, CLONE_NEWNS)


def make_netns(path):
    """Makes a network namespace with eth0, down, mounts it at path; returns its Eye."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        check(libc.unshare(CLONE_NEWNET), "unshare")
        try:
            open(path, "w").close()
            mount("/proc/thread-self/ns/net", path, flags=MS_BIND)
            eye = Eye()
        finally:
            setns(own, CLONE_NEWNET)
    finally:
        os.close(own)
    eye.add_veth("eth0", "peer0")
    return eye


def remove_netns(path):
    umount(path)
    os.unlink(path)


# rtnetlink(7), linux/if_link.h, linux/veth.h
NEWLINK, GETLINK, NEWADDR, GETADDR, ERROR, DONE = 16, 18, 20, 22, 2, 3
REQUEST, ACK, DUMP, CREATE_EXCL = 1, 4, 0x300, 0x600
IFF_UP, NODAD = 1, 2


def attribute(kind, data):
    return struct.pack("=HH", len(data) + 4, kind) + data + b"\0" * (-len(data) % 4)


def attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind, data[4:length]
        data = data[length + 3 & ~3:]


class Eye:
    """An rtnetlink socket: it belongs to the network namespace it was made in, for ever."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.settimeout(10)
        self.lock, self.sequence = threading.Lock(), 0

    def close(self):
        with self.lock:
            self.socket.close()

    def ask(self, kind, flags, body):
        """The messages of the answer; an error of the kernel is OSError."""
        with self.lock:
            self.sequence += 1
            self.socket.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, self.sequence, 0) + body)
            found = []
            while True:
                data = self.socket.recv(1 << 16)
                while data:
                    length, kind = struct.unpack_from("=IH", data)
                    if kind == DONE:
                        return found
                    if kind == ERROR:
                        code, = struct.unpack_from("=i", data, 16)
                        if code:
                            raise OSError(-code, os.strerror(-code))
                        return found
                    found.append(data[16:length])
                    data = data[length + 3 & ~3:]

    def add_veth(self, name, peer):
        other = bytes(16) + attribute(3, peer.encode() + b"\0")
        info = attribute(1, b"veth") + attribute(2, attribute(1, other))
        self.ask(NEWLINK, ACK | CREATE_EXCL, bytes(16) + attribute(3, name.encode() + b"\0") + attribute(18, info))

    def links(self):
        """{index: (name, up)}"""
        found = {}
        for message in self.ask(GETLINK, DUMP, bytes(16)):
            index, flags = struct.unpack_from("=iI", message, 4)
            name = dict(attributes(message[16:]))[3].rstrip(b"\0").decode()
            found[index] = name, bool(flags & IFF_UP)
        return found

    def add_address(self, name, cidr):
        """Up, and has it, as a main plugin does."""
        index = next(i for i, (n, _) in self.links().items() if n == name)
        address, prefix = cidr.split("/")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        data = socket.inet_pton(family, address)
        self.ask(NEWLINK, ACK, struct.pack("=BxHiII", 0, 0, index, IFF_UP, IFF_UP))
        self.ask(NEWADDR, ACK | CREATE_EXCL, struct.pack("=BBBBi", family, int(prefix), NODAD, 0, index)
                 + attribute(2, data) + attribute(1, data))

    def live(self):
        """The addresses of links that are up. A link that goes down between the two looks shows as
        up: who looks again learns better."""
        up = {i for i, (name, is_up) in self.links().items() if is_up and name != "lo"}
        found = set()
        for message in self.ask(GETADDR, DUMP, bytes(8)):
            family, index = message[0], struct.unpack_from("=i", message, 4)[0]
            data = dict(attributes(message[8:])).get(2) or dict(attributes(message[8:])).get(1)
            text = socket.inet_ntop(family, data)
            if index in up and not text.startswith("fe80:"):
                found.add(text)
        return found
