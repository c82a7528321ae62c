"""Multicast DNS over a kernel's own sockets, its messages by scapy: a responder for one name, and who asks for it.

Run as a program in a namespace: mdns.py respond INTERFACE NAME ADDRESS | ask INTERFACE NAME SECONDS
"""
import socket
import struct
import sys
import time

from scapy.layers.dns import DNS, DNSQR, DNSRR

GROUP, PORT = "ff02::fb", 5353
AAAA = 28


def join(interface):
    """A socket as RFC 6762 wants it: bound to the port, a member of the group, hop limit 255, and deaf to itself."""
    index = socket.if_nametoindex(interface)
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, GROUP) +
                    struct.pack("@I", index))
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    made.bind(("::", PORT))
    return made, (GROUP, PORT, 0, index)


def asked(message, name):
    questions = [message.qd] if isinstance(message.qd, DNSQR) else list(message.qd or [])
    return message.qr == 0 and any(one.qname.rstrip(b".") == name.encode() for one in questions)


def respond(interface, name, address):
    own, everybody = join(interface)
    print("ready", flush=True)
    while True:
        data, _ = own.recvfrom(9000)
        if asked(DNS(data), name):
            answer = DNSRR(rrname=name, type=AAAA, rclass=0x8001, ttl=120, rdata=address)
            own.sendto(bytes(DNS(id=0, qr=1, aa=1, qd=None, an=answer)), everybody)


def ask(interface, name, seconds):
    """Prints the address that somebody answered with, and who. Asks once a second, as RFC 6762 allows."""
    own, everybody = join(interface)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        own.sendto(bytes(DNS(id=0, rd=0, qd=DNSQR(qname=name, qtype="AAAA"))), everybody)
        until = time.monotonic() + 1
        while (left := until - time.monotonic()) > 0:
            own.settimeout(left)
            try:
                data, (source, *_) = own.recvfrom(9000)
            except TimeoutError:
                break
            message = DNS(data)
            answers = [message.an] if isinstance(message.an, DNSRR) else list(message.an or [])
            for record in answers:
                if message.qr == 1 and record.rrname.rstrip(b".") == name.encode():
                    print(record.rdata, source)
                    return 0
    return 1


if __name__ == "__main__":
    if sys.argv[1] == "respond":
        respond(*sys.argv[2:5])
    sys.exit(ask(sys.argv[2], sys.argv[3], float(sys.argv[4])))
