"""A node that is the hub of hosts with wireguard-go, and what is said on the wires between them."""
import base64
import collections
import re
import socket
import struct
import subprocess
import threading

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import x25519

from .star import GROUP, NODE, VNI, overlay
from .wire import Wire
from .wireguard import WireGuard

PORT = 51820


def key_pair():
    """Private and public, in base64."""
    key = x25519.X25519PrivateKey.generate()
    private = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return base64.b64encode(private).decode(), base64.b64encode(public).decode()


class Guest:
    """wireguard-go on a host, with one peer: the hub."""

    def __init__(self, lab, name, host, address):
        self.lab, self.name, self.address = lab, name, address
        self.namespace = host.namespace
        self.private, self.public = key_pair()

    def start(self, hub_key, endpoint, keepalive):
        self.hub_key = hub_key
        self.file = self.lab.directory / f"{self.name}.conf"
        self.file.write_text(
            f"[Interface]\nPrivateKey = {self.private}\nListenPort = {PORT}\nAddress = {self.address}/48\n"
            f"[Peer]\nPublicKey = {hub_key}\nEndpoint = {endpoint}\nAllowedIPs = {GROUP}\n"
            f"PersistentKeepalive = {keepalive}\n")
        self.wireguard = WireGuard(self.lab, self.namespace, self.file)

    def handshake(self):
        """When the last one was, in seconds since 1970; 0: never."""
        return self.wireguard.handshakes()[self.hub_key]

    def begin_anew(self):
        """As if wireguard-go had been started anew: it has no session, and begins one."""
        interface = self.wireguard.interface
        self.wireguard.wg("set", interface, "peer", self.hub_key, "remove")
        self.wireguard.wg("setconf", interface, self.lab.directory / f"{interface}.stripped")


class Hub:
    """One node, a host at each of its ports, a guest on each host, all in one group. Nothing runs before start()."""

    def __init__(self, lab, sides=("left", "right"), family=6, name="hub", queues=1, **options):
        self.lab, self.sides, self.family = lab, list(sides), family
        self.node = lab.node(name, **options)
        self.node.group("lab", GROUP, VNI, NODE)
        self.private, self.public = key_pair()
        self.node.config["peers"] = []
        self.guests = {}
        for number, side in enumerate(self.sides, 1):
            host = lab.host(f"{name}-{side}", f"2001:db8:{number}::10/64", f"198.51.{number}.10/24", node=self.node,
                            port=side, queues=queues)
            self.node.port(side, f"2001:db8:{number}::1/64", f"198.51.{number}.1/24", queues=queues)
            guest = self.guests[side] = Guest(lab, side, host, overlay(number))
            self.node.config["peers"].append(
                {"name": side, "group": "lab", "public-key": guest.public, "address": guest.address})

    def endpoint(self, side):
        number = self.sides.index(side) + 1
        return f"[2001:db8:{number}::1]:{PORT}" if self.family == 6 else f"198.51.{number}.1:{PORT}"

    def start(self, keepalive=25):
        file = self.node.directory / "state" / "wireguard.key"
        file.write_text(self.private + "\n")
        file.chmod(0o600)
        self.node.start(ready=False)
        self.node.wait_ready(links=False)
        for side, guest in self.guests.items():
            guest.start(self.public, self.endpoint(side), keepalive)
        return self


class Pings:
    """
    with Pings(guest, address, interval=0.01) as pings: ...
    then pings.sent, .received, .lost (of those sent a second before the end or earlier: later ones may be on their way),
    .silences: (from, to) in seconds of time.time(), of those longer than silence.
    """

    def __init__(self, guest, address, interval=0.01, silence=0.1):
        self.guest, self.address, self.interval, self.silence = guest, address, interval, silence

    def __enter__(self):
        self.process = subprocess.Popen(
            self.guest.namespace.argv(["ping", "-6", "-n", "-D", "-i", self.interval, "-W", "1", self.address]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.output = []
        self.reader = threading.Thread(target=lambda: self.output.extend(self.process.stdout))
        self.reader.start()
        return self

    def __exit__(self, kind, value, trace):
        self.process.send_signal(2)
        self.process.wait(10)
        self.reader.join()
        text = "".join(self.output)
        answers = re.findall(r"^\[([0-9.]+)\] \d+ bytes .*icmp_seq=(\d+)", text, re.MULTILINE)
        moments = [float(moment) for moment, _ in answers]
        self.silences = [(before, after) for before, after in zip(moments, moments[1:]) if after - before > self.silence]
        found = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        self.sent, self.received = (int(found.group(1)), int(found.group(2))) if found else (0, 0)
        numbers = {int(number) for _, number in answers}
        self.lost = len(set(range(1, self.sent - int(1 / self.interval))) - numbers)

    def silence_after(self, moment):
        """How long nothing came after this moment."""
        return max((to - max(begin, moment) for begin, to in self.silences if to > moment), default=0)


class Listener:
    """What WireGuard says on an interface: each data packet's (receiver index, counter), and how many handshakes."""

    def __init__(self, namespace, interface="eth0"):
        self.wire = Wire(namespace, interface)
        self.nonces = collections.Counter()
        self.handshakes = 0
        self.ending = False
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        while not self.ending:
            for frame in self.wire.frames(0.2):
                self.take(frame)

    def take(self, frame):
        kind = int.from_bytes(frame[12:14], "big")
        if kind == 0x86dd and frame[20] == socket.IPPROTO_UDP:
            datagram = frame[54 + 8:]
        elif kind == 0x0800 and frame[23] == socket.IPPROTO_UDP:
            datagram = frame[14 + 4 * (frame[14] & 15) + 8:]
        else:
            return
        if datagram[:4] == b"\4\0\0\0":
            self.nonces[struct.unpack_from("<IQ", datagram, 4)] += 1
        elif datagram[:4] in (b"\1\0\0\0", b"\2\0\0\0"):
            self.handshakes += 1

    def close(self):
        self.ending = True
        self.thread.join()
        self.wire.close()

    def repeated(self):
        return [nonce for nonce, times in self.nonces.items() if times > 1]
