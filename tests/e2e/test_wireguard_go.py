"""WireGuard of overlay/wireguard against wireguard-go: handshakes both ways, data, cookies, rekeys.

`tests/e2e/bypeer-wireguard-end` is our side, on a plain UDP socket: no node takes part.
"""
import base64
import os
import pathlib
import select
import subprocess
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import x25519

from harness.namespace import cable
from harness.process import wait_until

pytestmark = pytest.mark.no_traffic

PORT = 51820
OURS, THEIRS = "fd00::1", "fd00::2"  # inside
OUR_UNDERLAY, THEIR_UNDERLAY = "2001:db8::1", "2001:db8::2"


def key_pair():
    key = x25519.X25519PrivateKey.generate()
    return (key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()),
            key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))


@pytest.fixture
def record_directory(request):
    directory = request.config.getoption("--record")
    if not directory:
        pytest.skip("makes fixtures: --record")
    return pathlib.Path(directory)


class End:
    """Our side: one line in, one line out."""

    def __init__(self, build, namespace, keys, persistent, record):
        self.process = subprocess.Popen(
            namespace.argv([build.directory / "tests" / "e2e" / "bypeer-wireguard-end", PORT, THEIR_UNDERLAY, PORT, OURS,
                            THEIRS, persistent, *([record] if record else [])]),
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdin.write("".join(key.hex() + "\n" for key in keys))
        self.process.stdin.flush()
        assert self.answer(10) == "ready"

    def answer(self, timeout):
        readable, _, _ = select.select([self.process.stdout], [], [], timeout)
        assert readable, "our side gives no answer"
        return self.process.stdout.readline().strip()

    def ask(self, line, timeout=30):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer(timeout)

    def ping(self, count):
        return int(self.ask(f"ping {count}"))

    def state(self):
        words = self.ask("state").split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0


class Link:
    """wireguard-go in one namespace, our side in another, a cable between them."""

    def __init__(self, lab, preshared=False, persistent=0, record=None):
        self.there, here = lab.namespace("go"), lab.namespace("end")
        cable(here, "eth0", self.there, "eth0")
        here.ip(f"address add {OUR_UNDERLAY}/64 dev eth0 nodad")
        self.there.ip(f"address add {THEIR_UNDERLAY}/64 dev eth0 nodad")
        our_private, our_public = key_pair()
        their_private, their_public = key_pair()
        secret = os.urandom(32) if preshared else bytes(32)
        # The control sockets of all namespaces are in one directory, so the name has to be nobody else's.
        self.interface = f"wg{os.getpid() % 1000000}x{lab.made % 1000}"
        lab.daemon(self.there, "wireguard-go", ["env", "WG_PROCESS_FOREGROUND=1", "wireguard-go", "-f", self.interface])
        socket = f"/var/run/wireguard/{self.interface}.sock"
        wait_until("wireguard-go listens", lambda: os.path.exists(socket))
        self.preshared, self.our_public = preshared, base64.b64encode(our_public).decode()
        self.files = {}
        for name, value in (("private", their_private), ("preshared", secret)):
            self.files[name] = lab.directory / name
            self.files[name].write_text(base64.b64encode(value).decode() + "\n")
        self.introduce_us()
        self.there.ip(f"address add {THEIRS}/64 dev {self.interface} nodad")
        self.there.ip(f"link set dev {self.interface} up")
        self.end = lab.closing(End(lab.build, here, (our_private, their_public, secret), persistent, record))

    def forget_us(self):
        """As if wireguard-go had been started anew: it has no session, and begins one."""
        self.there.run(["wg", "set", self.interface, "peer", self.our_public, "remove"])
        self.introduce_us()

    def introduce_us(self):
        self.there.run(["wg", "set", self.interface, "listen-port", PORT, "private-key", self.files["private"], "peer",
                        self.our_public, *(["preshared-key", self.files["preshared"]] * self.preshared),
                        "endpoint", f"[{OUR_UNDERLAY}]:{PORT}", "allowed-ips", f"{OURS}/128"])

    def ping(self, count, interval=0.02):
        """From wireguard-go's side; how many replies came."""
        done = self.there.run(["ping", "-6", "-n", "-q", "-c", count, "-i", interval, "-W", 7, OURS], check=False,
                              timeout=400)
        return int(done.stdout.split(" received")[0].split()[-1])


@pytest.mark.parametrize("preshared", [False, True])
def test_we_begin(lab, preshared):
    link = Link(lab, preshared)
    assert link.end.ping(20) == 20
    assert link.ping(20) == 20
    state = link.end.state()
    assert state["initiations"] >= 1 and state["responses"] == 0 and state["is_initiator"] == 1
    assert state["bad"] == 0 and state["replays"] == 0


@pytest.mark.parametrize("preshared", [False, True])
def test_they_begin(lab, preshared):
    link = Link(lab, preshared)
    assert link.ping(20) == 20
    assert link.end.ping(20) == 20
    state = link.end.state()
    assert state["initiations"] == 0 and state["responses"] >= 1 and state["is_initiator"] == 0
    assert state["bad"] == 0 and state["replays"] == 0


def test_another_preshared_key_gets_nothing_through(lab):
    link = Link(lab)
    link.there.run(["wg", "set", link.interface, "peer", link.our_public, "preshared-key", link.files["private"]])
    assert link.end.ping(1) == 0
    assert link.end.state()["prefers"] == 0


def test_we_rekey_without_a_lost_packet(lab):
    """Our time goes on by two minutes, so that the session is due."""
    link = Link(lab, preshared=True)
    assert link.end.ping(10) == 10
    for rekeys in range(1, 4):
        link.end.ask("age 121")
        assert link.end.ping(25) == 25
        assert link.ping(25) == 25
        assert link.end.state()["prefers"] == 1 + rekeys
    assert link.end.state()["bad"] == 0


def test_under_load_they_use_our_cookie(lab):
    link = Link(lab)
    link.end.ask("load 1")
    assert link.ping(7, interval=1) >= 1  # they try again with the cookie after 5 s
    state = link.end.state()
    assert state["unproven"] == 1 and state["responses"] == 1


def test_both_begin_at_once(lab):
    link = Link(lab)
    pings = subprocess.Popen(link.there.argv(["ping", "-6", "-n", "-q", "-c", "10", "-i", "0.02", "-W", "7", OURS]),
                             stdout=subprocess.PIPE, text=True)
    assert link.end.ping(10) >= 9  # only the last packet that has no session yet is kept
    assert int(pings.communicate()[0].split(" received")[0].split()[-1]) >= 9
    assert link.ping(10) == 10


def test_persistent_keepalives_hold_a_session(lab):
    link = Link(lab, persistent=1)
    time.sleep(4)
    state = link.end.state()
    assert state["is_initiator"] == 1 and state["prefers"] == 1
    received = link.there.run(["wg", "show", link.interface, "transfer"]).stdout.split()[1]
    assert int(received) >= 148 + 3 * 32


def test_they_lose_their_session_and_begin_anew(lab):
    link = Link(lab)
    assert link.ping(5) == 5
    link.forget_us()
    assert link.ping(5) == 5
    assert link.end.ping(5) == 5
    assert link.end.state()["prefers"] == 2


def test_record_our_beginning(lab, record_directory):
    """Fixtures of tests/unit/test_wireguard_replay.c."""
    link = Link(lab, preshared=True, record=record_directory / "wireguard_go_we_begin.txt")
    assert link.end.ping(5) == 5
    assert link.ping(5) == 5
    link.end.ask("age 121")
    assert link.end.ping(5) == 5


def test_record_their_beginning(lab, record_directory):
    link = Link(lab, record=record_directory / "wireguard_go_they_begin.txt")
    assert link.ping(5) == 5
    link.forget_us()
    assert link.ping(5) == 5
    assert link.end.ping(5) == 5


@pytest.mark.soak
def test_rekeys_of_both_in_real_time(lab):
    link = Link(lab, preshared=True)
    assert link.ping(270, interval=1) == 270
    state = link.end.state()
    assert state["responses"] == 3 and state["bad"] == 0 and state["replays"] == 0
