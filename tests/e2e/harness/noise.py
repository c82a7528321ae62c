"""WireGuard's other end, message by message: a second implementation, so that a test says what is on the wire.

It follows the whitepaper, 5.4, with hashlib and the package cryptography; nothing of the tree is used.
"""
import base64
import hashlib
import hmac
import os
import select
import socket
import struct
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
INITIATION, RESPONSE, COOKIE, DATA = (struct.pack("<I", kind) for kind in (1, 2, 3, 4))


def hash_of(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def mac(key, data):
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def derive(key, data, count):
    secret = hmac.new(key, data, hashlib.blake2s).digest()
    keys, last = [], b""
    for number in range(1, count + 1):
        last = hmac.new(secret, last + bytes([number]), hashlib.blake2s).digest()
        keys.append(last)
    return keys


def aead(key, counter):
    return ChaCha20Poly1305(key), struct.pack("<IQ", 0, counter)


def seal(key, counter, text, associated=b""):
    cipher, nonce = aead(key, counter)
    return cipher.encrypt(nonce, text, associated)


def unseal(key, counter, text, associated=b""):
    cipher, nonce = aead(key, counter)
    return cipher.decrypt(nonce, text, associated)


def hchacha20(key, nonce):
    """The subkey of XChaCha20 (draft-irtf-cfrg-xchacha, 2.2)."""
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))

    def quarter(a, b, c, d):
        for target, other, mixed, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[target] = (state[target] + state[other]) & 0xffffffff
            word = state[mixed] ^ state[target]
            state[mixed] = ((word << bits) | (word >> (32 - bits))) & 0xffffffff

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            quarter(column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def public_of(private):
    return private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


class Initiator:
    """Makes initiations for one responder, and takes what comes back. Keys in base64, as configuration has them."""

    def __init__(self, private, responder):
        self.private = X25519PrivateKey.from_private_bytes(base64.b64decode(private))
        self.public = public_of(self.private)
        self.responder = base64.b64decode(responder)
        self.index = int.from_bytes(os.urandom(4), "little")
        self.cookie = None
        self.remote_index = None

    def initiation(self):
        self.ephemeral = X25519PrivateKey.generate()
        ephemeral = public_of(self.ephemeral)
        responder = X25519PublicKey.from_public_bytes(self.responder)
        chain = hash_of(CONSTRUCTION)
        state = hash_of(hash_of(chain, IDENTIFIER), self.responder)
        chain, = derive(chain, ephemeral, 1)
        state = hash_of(state, ephemeral)
        chain, key = derive(chain, self.ephemeral.exchange(responder), 2)
        static = seal(key, 0, self.public, state)
        state = hash_of(state, static)
        chain, key = derive(chain, self.private.exchange(responder), 2)
        now = time.time()
        stamp = seal(key, 0, struct.pack(">QI", 2 ** 62 + 10 + int(now), int(now % 1 * 1e9)), state)
        self.state, self.chain = hash_of(state, stamp), chain
        self.index = (self.index + 1) & 0xffffffff
        return self.stamped(INITIATION + struct.pack("<I", self.index) + ephemeral + static + stamp)

    def stamped(self, message):
        """With both MACs."""
        self.mac1 = mac(hash_of(b"mac1----", self.responder), message)
        message += self.mac1
        return message + (mac(self.cookie, message) if self.cookie else bytes(16))

    def take(self, datagram):
        """"response", "cookie", or None: something else."""
        if datagram[:4] == RESPONSE and len(datagram) == 92:
            return self.take_response(datagram)
        if datagram[:4] == COOKIE and len(datagram) == 64:
            return self.take_cookie(datagram)
        return None

    def take_response(self, datagram):
        remote_index, index = struct.unpack_from("<II", datagram, 4)
        if index != self.index:
            return None
        ephemeral, nothing = datagram[12:44], datagram[44:60]
        state = hash_of(self.state, ephemeral)
        chain, = derive(self.chain, ephemeral, 1)
        theirs = X25519PublicKey.from_public_bytes(ephemeral)
        chain, = derive(chain, self.ephemeral.exchange(theirs), 1)
        chain, = derive(chain, self.private.exchange(theirs), 1)
        chain, temporary, key = derive(chain, bytes(32), 3)
        state = hash_of(state, temporary)
        assert unseal(key, 0, nothing, state) == b""
        self.send_key, self.receive_key = derive(chain, b"", 2)
        self.remote_index, self.counter = remote_index, 0
        return "response"

    def take_cookie(self, datagram):
        key = hash_of(b"cookie--", self.responder)
        nonce, sealed = datagram[8:32], datagram[32:]
        cipher = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
        self.cookie = cipher.decrypt(bytes(4) + nonce[16:], sealed, self.mac1)
        return "cookie"

    # --- once there is a session ---

    def data(self, packet=b"", counter=None):
        """A data message; under the next counter, or any."""
        if counter is None:
            counter, self.counter = self.counter, self.counter + 1
        padded = packet + bytes(-len(packet) % 16)
        return DATA + struct.pack("<IQ", self.remote_index, counter) + seal(self.send_key, counter, padded)

    def open(self, datagram):
        """(counter, packet), or None: nothing for this session."""
        index, counter = struct.unpack_from("<IQ", datagram, 4)
        if datagram[:4] != DATA or index != self.index:
            return None
        try:
            packet = unseal(self.receive_key, counter, datagram[16:])
        except InvalidTag:
            return None
        return counter, packet[:40 + int.from_bytes(packet[4:6], "big")] if packet else b""


class Client(Initiator):
    """One with a UDP socket in a namespace."""

    def __init__(self, namespace, private, responder, endpoint):
        super().__init__(private, responder)
        self.endpoint = endpoint
        self.move(namespace)

    def move(self, namespace, endpoint=None):
        """To another host, or to another port of the same."""
        if hasattr(self, "socket"):
            self.socket.close()
        with namespace.entered():
            self.socket = socket.socket(socket.AF_INET if "." in (endpoint or self.endpoint)[0] else socket.AF_INET6,
                                        socket.SOCK_DGRAM)
        self.endpoint = endpoint or self.endpoint

    def close(self):
        self.socket.close()

    def send(self, datagram):
        self.socket.sendto(datagram, self.endpoint)

    def datagrams(self, timeout):
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return
            yield self.socket.recv(65536)

    def handshake(self, attempts=5, timeout=1):
        """How many initiations it took; 0: none was answered. A cookie is used at once."""
        for attempt in range(1, attempts + 1):
            self.send(self.initiation())
            for datagram in self.datagrams(timeout):
                taken = self.take(datagram)
                if taken == "response":
                    return attempt
                if taken == "cookie":
                    break
        return 0

    def expect(self, timeout=10):
        """The next packet that comes, of any length but 0."""
        for datagram in self.datagrams(timeout):
            opened = self.open(datagram)
            if opened and opened[1]:
                return opened[1]
        raise AssertionError(f"no packet within {timeout} s")
