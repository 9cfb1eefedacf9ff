#!/usr/bin/env python3
"""wire.py INTERFACE ADDRESS...: asks some ten times a second who has each address, by ARP or by
neighbour discovery, until it is ended. Whoever claims one of them, asked or not, is a line
"ADDRESS MAC" of standard output."""
import ipaddress
import select
import socket
import struct
import sys
import time

ARP, IPV6, ICMPV6, SOLICITATION, ADVERTISEMENT = 0x0806, 0x86DD, 58, 135, 136
BROADCAST = b"\xff" * 6
# Nobody's: the kernel answers a question without an address all the same (RFC 5227).
NO_ADDRESS = bytes(4)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def arp_question(mac, address):
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    return BROADCAST + mac + struct.pack("!H", ARP) + head + mac + NO_ADDRESS + bytes(6) + address.packed


def nd_question(mac, source, address):
    """A neighbour solicitation (RFC 4861, 4.3) to the address's solicited-node group."""
    group = ipaddress.IPv6Address("ff02::1:ff00:0").packed[:13] + address.packed[13:]
    option = b"\x01\x01" + mac
    body = struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + address.packed + option
    pseudo = source.packed + group + struct.pack("!II", len(body), ICMPV6)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), ICMPV6, 255) + source.packed + group
    return b"\x33\x33" + group[12:] + mac + struct.pack("!H", IPV6) + head + body


def claim_of(frame):
    """(address, MAC) of who says that it has one; None of any other frame."""
    kind = struct.unpack("!H", frame[12:14])[0]
    if kind == ARP and len(frame) >= 42:
        return ipaddress.ip_address(frame[28:32]), frame[22:28]
    if kind == IPV6 and len(frame) >= 78 and frame[20] == ICMPV6 and frame[54] == ADVERTISEMENT:
        target, options = ipaddress.ip_address(frame[62:78]), frame[78:]
        return target, options[2:8] if options[:2] == b"\x02\x01" else frame[6:12]
    return None


def questions(interface, mac, addresses):
    source = None
    for line in open("/proc/net/if_inet6"):
        words = line.split()
        if words[5] == interface and not words[0].startswith("fe80"):
            source = ipaddress.IPv6Address(bytes.fromhex(words[0]))
    return [arp_question(mac, a) if a.version == 4 else nd_question(mac, source, a) for a in addresses]


def main():
    interface, addresses = sys.argv[1], [ipaddress.ip_address(a) for a in sys.argv[2:]]
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind((interface, 0))
    mac = wire.getsockname()[4]
    asked = questions(interface, mac, addresses)
    due = 0
    while True:
        now = time.monotonic()
        if now >= due:
            due = now + 0.1
            for question in asked:
                wire.send(question)
        if not select.select([wire], [], [], max(0, due - time.monotonic()))[0]:
            continue
        claim = claim_of(wire.recv(2048))
        if claim and claim[0] in addresses and claim[1] != mac:
            print(claim[0], ":".join(f"{byte:02x}" for byte in claim[1]), flush=True)


main()
