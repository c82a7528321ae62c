"""Real programs' traffic between namespaces, every byte compared."""
import contextlib
import hashlib
import os
import select
import socket
import struct
import threading
import time

from .process import wait_until

# Seconds for one transfer; shorter when it is meant to fail (--stop-dataplane).
patience = 30

HEADER = struct.Struct("!I")


def ping(namespace, address, count=3, size=56, interval=0.01, check=True, source=None, wait=None):
    """
    How many echo requests were answered, byte for byte, within wait seconds (5) of the last one. check: all must be. By a
    socket of the kernel's own kind for this, since ping(8) gives up on the last answer after two round trips.
    """
    number = {False: (socket.AF_INET, socket.IPPROTO_ICMP, 8), True: (socket.AF_INET6, socket.IPPROTO_ICMPV6, 128)}
    family, protocol, request = number[":" in address]
    data = pattern(size, 7)
    with namespace.entered():
        echo = socket.socket(family, socket.SOCK_DGRAM, protocol)
    answered, errors = set(), []
    with contextlib.closing(echo):
        if family == socket.AF_INET6:
            echo.setsockopt(socket.IPPROTO_IPV6, 23, 2)  # IPV6_MTU_DISCOVER: never in fragments
        else:
            echo.setsockopt(socket.IPPROTO_IP, 10, 2)
        if source:
            echo.bind((source, 0))
        for sequence in range(count):
            try:
                echo.sendto(struct.pack("!BBHHH", request, 0, 0, 0, sequence) + data, (address, 0))
            except OSError as error:
                errors.append(error)
            collect_echoes(echo, data, answered, time.monotonic() + interval, None)
        collect_echoes(echo, data, answered, time.monotonic() + (wait or min(5, patience)), count)
    if check:
        assert len(answered) == count, f"ping {address}: {len(answered)} of {count} answered; {errors}"
    return len(answered)


def reach(namespace, address, timeout=None):
    """
    Waits until an echo request is answered. A node keeps no packet that meets no session of WireGuard yet, so whoever
    counts packets between such peers comes here first: nothing may be lost once links are up, only before.
    """
    wait_until(f"{address} answers", lambda: ping(namespace, address, count=1, check=False, wait=1), timeout or patience)


def collect_echoes(echo, data, answered, end, enough):
    while len(answered) != enough:
        left = end - time.monotonic()
        if left <= 0 or not select.select([echo], [], [], left)[0]:
            return
        try:
            answer = echo.recv(65536)
        except OSError:
            continue  # an ICMP error about an earlier one
        assert answer[8:] == data, "an echo came back with other bytes"
        answered.add(struct.unpack_from("!H", answer, 6)[0])


def pattern(size, seed=1):
    """Bytes that show a shift, a swap or a repeated block."""
    words, state = [], seed
    for _ in range(size // 4 + 1):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        words.append(state)
    return struct.pack(f"!{len(words)}I", *words)[:size]


def udp_transfer(sender, receiver, source, destination, datagram, size=1 << 20, window=32):
    """
    Sends size bytes in datagrams of datagram bytes (their UDP payload), a window at a time, lost ones again, and
    compares all that arrives. Returns how many datagrams arrived.
    """
    data = pattern(size)
    part = datagram - HEADER.size
    parts = [data[i:i + part] for i in range(0, size, part)]
    with sender.entered():
        out = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with receiver.entered():
        into = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with contextlib.closing(out), contextlib.closing(into):
        into.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
        into.bind((destination, 0))
        out.bind((source, 0))
        out.connect(into.getsockname()[:2])
        got, arrived, missing = {}, 0, list(range(len(parts)))
        end = time.monotonic() + patience
        while missing:
            assert time.monotonic() < end, f"UDP: {len(missing)} of {len(parts)} datagrams of {datagram} never arrived"
            waited, missing = missing[:window], missing[window:]
            for number in waited:
                out.send(HEADER.pack(number) + parts[number])
            left = set(waited)
            while left and select.select([into], [], [], 0.5)[0]:
                answer = into.recv(65536)
                number = HEADER.unpack_from(answer)[0]
                assert answer[HEADER.size:] == parts[number], f"UDP datagram {number} arrived with wrong bytes"
                arrived += 1
                got[number] = answer[HEADER.size:]
                left.discard(number)
            missing = sorted(left) + missing
        assert b"".join(got[i] for i in range(len(parts))) == data
    return arrived


def tcp_transfer(client, server, source, destination, size=1 << 20):
    """size bytes each way at once over one connection, compared. Returns the client's maximum segment size at the end."""
    data, answer = pattern(size, 3), pattern(size, 5)
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    with server.entered():
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with client.entered():
        near = socket.socket(family, socket.SOCK_STREAM)
    failures = []
    with contextlib.closing(listener), contextlib.closing(near):
        listener.bind((destination, 0))
        listener.listen(1)
        listener.settimeout(patience)
        near.settimeout(patience)
        if source:
            near.bind((source, 0))
        near.connect(listener.getsockname()[:2])
        far, _ = listener.accept()
        far.settimeout(patience)

        def send(end, what):
            try:
                end.sendall(what)
                end.shutdown(socket.SHUT_WR)
            except OSError as error:
                failures.append(error)

        def receive(end, expected, name):
            try:
                got = bytearray()
                while len(got) <= len(expected):
                    part = end.recv(1 << 18)
                    if not part:
                        break
                    got += part
                if got != expected:
                    failures.append(AssertionError(f"TCP: {name} got {len(got)} of {len(expected)} bytes, "
                                                   f"equal: {bytes(got) == expected[:len(got)]}"))
            except OSError as error:
                failures.append(AssertionError(f"TCP: {name} got {len(got)} of {len(expected)} bytes, then {error}"))

        with contextlib.closing(far):
            threads = [threading.Thread(target=send, args=(near, data)), threading.Thread(target=send, args=(far, answer)),
                       threading.Thread(target=receive, args=(far, data, "the server")),
                       threading.Thread(target=receive, args=(near, answer, "the client"))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            segment = near.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    if failures:
        raise failures[0]
    return segment


def bulk_transfer(sender, receiver, source, destination, size):
    """
    size random bytes (a multiple of a MiB) over one TCP connection, compared by their SHA-256. Returns the seconds that
    it took.
    """
    with receiver.entered():
        listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    with sender.entered():
        near = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sent, got = hashlib.sha256(), hashlib.sha256()
    block = os.urandom(1 << 20)
    failures = []
    with contextlib.closing(listener), contextlib.closing(near):
        listener.bind((destination, 0))
        listener.listen(1)
        listener.settimeout(patience)
        near.settimeout(patience)
        near.bind((source, 0))
        near.connect(listener.getsockname()[:2])
        far, _ = listener.accept()
        far.settimeout(patience)

        def send():
            try:
                for number in range(size >> 20):
                    piece = HEADER.pack(number) + block[HEADER.size:]
                    sent.update(piece)
                    near.sendall(piece)
                near.shutdown(socket.SHUT_WR)
            except OSError as error:
                failures.append(error)

        began = time.monotonic()
        thread = threading.Thread(target=send)
        thread.start()
        arrived = 0
        with contextlib.closing(far):
            while True:
                part = far.recv(1 << 20)
                if not part:
                    break
                got.update(part)
                arrived += len(part)
        seconds = time.monotonic() - began
        thread.join()
    if failures:
        raise failures[0]
    assert arrived == size and sent.digest() == got.digest(), f"{arrived} of {size} bytes arrived, or other ones"
    return seconds
