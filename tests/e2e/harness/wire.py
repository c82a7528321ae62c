"""A raw socket on an interface: crafted frames out, frames of others in."""
import select
import socket
import time

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
SO_RCVBUFFORCE = 33


class Wire:
    def __init__(self, namespace, interface, outgoing=False):
        """outgoing: what the namespace itself sends is seen, too."""
        self.namespace = namespace
        self.interface = interface
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 0 if outgoing else 1)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
            self.socket.bind((interface, 0))
            self.index = socket.if_nametoindex(interface)
        self.mac = namespace.mac(interface)

    def close(self):
        self.socket.close()

    def send(self, frame):
        self.socket.send(bytes(frame))

    def clear(self):
        """Forgets what has come so far."""
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(65536)

    def frames(self, timeout):
        """What comes within timeout, one by one."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return
            yield self.socket.recv(65536)

    def expect(self, matches, timeout=3, what="a frame"):
        """The first frame for which matches(frame) gives a value, as that value."""
        seen = []
        for frame in self.frames(timeout):
            value = matches(frame)
            if value:
                return value
            seen.append(frame[:100].hex())
        raise AssertionError(f"{what} did not come within {timeout} s; these came: {seen[:5]}")

    def expect_none(self, matches, timeout=0.3, what="a frame"):
        for frame in self.frames(timeout):
            assert not matches(frame), f"{what} came, but should not: {frame.hex()}"
