"""Relay links with real ends: wireguard-go on either side, configured by the files that `bypeer relay mesh` wrote."""
import contextlib
import re
import socket
import threading
import time

import pytest
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from harness.client_hub import ClientHub
from harness.namespace import cable
from harness.process import wait_until
from harness.transfer import bulk_transfer, ping, reach, tcp_transfer
from harness.wire import Wire
from harness.wireguard import WireGuard

GROUP = "fd12:3456:789a::/48"
PREFIX = "2001:db8:5::/64"
PORT = 51820


class Side:
    """A member's host at a port of the node; behind NAT, there is a router in between."""

    def __init__(self, lab, node, name, number, nat=False, inner_mtu=1500, port_mtu=1500, queues=1):
        self.name, self.node = name, node
        self.node_address = f"2001:db8:{number}::1"
        self.edge = lab.host(f"{name}-edge" if nat else name, f"2001:db8:{number}::10/64", node=node, port=name,
                             mtu=port_mtu, queues=queues)
        node.port(name, f"{self.node_address}/64", mtu=port_mtu, queues=queues)
        self.namespace = self.edge.namespace
        edge = self.edge.namespace
        if nat or inner_mtu != 1500:
            self.namespace = lab.namespace(f"{name}-home") if not nat else lab.namespace(name)
            cable(self.namespace, "eth0", edge, "home", mtu=inner_mtu)
            edge.sysctl(**{"net.ipv6.conf.all.forwarding": 1})
            inside = f"fd77:{number}::" if nat else f"2001:db8:{number}0::"
            edge.ip(f"address add {inside}1/64 dev home nodad")
            self.namespace.ip(f"address add {inside}10/64 dev eth0 nodad")
            self.namespace.ip(f"route add default via {inside}1")
            if nat:
                for rule in ("add table ip6 nat", "add chain ip6 nat out { type nat hook postrouting priority 100; }",
                             "add rule ip6 nat out oifname eth0 masquerade random"):
                    edge.run(["nft", rule])
            self.home = None if nat else f"{inside}/64 via 2001:db8:{number}::10"
        else:
            self.home = None
        edge.ip(f"route add default via {self.node_address}")


class Relay:
    """A node with members at its ports, in one mesh."""

    def __init__(self, lab, names=("alice", "bob"), workers=1, **sides):
        self.lab = lab
        # A veth tells net_af_xdp of one queue only.
        self.node = lab.node("alpha", workers=workers, driver="net_af_packet" if workers > 1 else "net_af_xdp")
        self.node.group("lab", GROUP, 7)
        self.node.config["relay"] = {"prefix": PREFIX}
        self.directory = lab.directory / "files"
        self.directory.mkdir()
        self.sides = {name: Side(lab, self.node, name, number, queues=workers, **sides.get(name, {}))
                      for number, name in enumerate(names, 1)}
        self.node.start()
        for side in self.sides.values():
            if side.home:
                self.node.namespace.ip(f"-6 route add {side.home}")
        self.ends = {}

    def cli(self, *words, check=True):
        return self.node.cli("relay", *words, check=check)

    def mesh(self, *names, connect=True):
        names = names or tuple(self.sides)
        self.cli("mesh", "--group", "lab", "--new-key", "--directory", self.directory, *names)
        for name in names:
            if name not in self.ends:
                self.up(name)
        if connect:
            for one, other in zip(names, names[1:]):
                self.connect(one, other)
        return self

    def up(self, name):
        self.ends[name] = WireGuard(self.lab, self.sides[name].namespace, self.directory / f"{name}.conf")

    def connect(self, one, other):
        reach(self.sides[one].namespace, self.ends[other].address)

    def ping(self, one, other, **options):
        return ping(self.sides[one].namespace, self.ends[other].address, **options)

    def pair(self, one, other):
        """What the node says of one's end and of other's."""
        for pair in self.node.call("relays.list", member=one)["pairs"]:
            ends = {end["name"]: end for end in pair["ends"]}
            if other in ends:
                return ends[one], ends[other]
        return None

    def transfer(self, one, other, size=1 << 20):
        return tcp_transfer(self.sides[one].namespace, self.sides[other].namespace, self.ends[one].address,
                            self.ends[other].address, size)


def iperf(relay, client, server, seconds=3):
    """Mb/s of one TCP connection."""
    listener = relay.lab.daemon(relay.sides[server].namespace, "iperf3", ["iperf3", "-s", "-1", "--forceflush"])
    wait_until("iperf3 listens", lambda: "listening" in listener.text())
    done = relay.sides[client].namespace.run(["iperf3", "-c", relay.ends[server].address, "-t", seconds, "-f", "m"])
    return float(re.findall(r"([\d.]+) Mbits/sec\s+receiver", done.stdout)[-1])


def test_members_connect_by_the_files_alone(lab, figure):
    relay = Relay(lab).mesh()
    assert relay.ping("alice", "bob", count=20) == 20
    assert relay.ping("bob", "alice", count=20) == 20
    relay.transfer("alice", "bob", 4 << 20)
    figure("relay link, TCP with wireguard-go ends", f"{iperf(relay, 'alice', 'bob'):.0f} Mb/s")
    alice, bob = relay.pair("alice", "bob")
    assert alice["state"] == bob["state"] == "confirmed"
    assert alice["endpoint"].startswith("[2001:db8:1::10]:") and bob["endpoint"].startswith("[2001:db8:2::10]:")
    assert alice["received_bytes"] > 4 << 20 and bob["received_bytes"] > 4 << 20
    assert abs(alice["last_received"] - time.time()) < 60
    files = [(relay.directory / f"{name}.conf").read_text() for name in ("alice", "bob")]
    for key in re.findall(r"PrivateKey = (.*)", "".join(files)):
        for path in (relay.node.directory / "state").iterdir():
            assert key.encode() not in path.read_bytes()


@pytest.mark.parametrize("behind", [("alice",), ("alice", "bob")])
def test_members_behind_nat(lab, behind):
    relay = Relay(lab, **{name: {"nat": True} for name in behind}).mesh()
    assert relay.ping("alice", "bob", count=20) == 20
    assert relay.ping("bob", "alice", count=20) == 20
    relay.transfer("alice", "bob", 4 << 20)
    for end in relay.pair("alice", "bob"):
        assert end["state"] == "confirmed" and end["endpoint"].startswith("[2001:db8:")


@pytest.mark.alone
@pytest.mark.parametrize("nat", [False, True])
def test_one_gigabyte(lab, long_run, figure, nat):
    relay = Relay(lab, alice={"nat": nat}, bob={"nat": nat}).mesh()
    size = 1 << 30 if long_run else 16 << 20
    seconds = bulk_transfer(relay.sides["alice"].namespace, relay.sides["bob"].namespace, relay.ends["alice"].address,
                            relay.ends["bob"].address, size)
    figure(f"{size >> 20} MiB over a relay link{', both behind NAT' * nat}", f"{size / seconds / 125000:.0f} Mb/s")


@pytest.mark.soak
def test_rekeys_lose_nothing(lab):
    """Five minutes, in which the ends agree on new keys at least twice, and the node learns their new indexes."""
    relay = Relay(lab).mesh()
    first = relay.ends["alice"].handshakes()
    assert relay.ping("alice", "bob", count=6000, interval=0.05) == 6000
    (before,), (after,) = first.values(), relay.ends["alice"].handshakes().values()
    assert after - before >= 2 * 115
    assert [end["state"] for end in relay.pair("alice", "bob")] == ["confirmed", "confirmed"]


@pytest.mark.parametrize("where", ["port", "beyond"])
def test_a_smaller_mtu_in_the_middle(lab, where):
    """The node, or a router behind it, says that a packet is too big; the sender must hear it as about his own."""
    small = {"port_mtu": 1380} if where == "port" else {"inner_mtu": 1380}
    relay = Relay(lab, bob=small).mesh()
    assert relay.ping("alice", "bob", size=1200, count=10) == 10
    relay.node.mark()
    relay.transfer("alice", "bob", 2 << 20)
    grown = relay.node.grown()
    if where == "beyond":
        assert grown["relay.errors"] >= 1, "the router's error was translated"
    else:
        assert grown["drop.too_big"] >= 1
    partner = relay.pair("alice", "bob")[0]["address"]
    route = relay.sides["alice"].namespace.ip(f"-6 route get {partner}").stdout
    assert "mtu 1380" in route, route


def test_a_later_member_adds_a_section_to_each_file(lab):
    relay = Relay(lab, names=("alice", "bob", "carol")).mesh("alice", "bob")
    said = relay.cli("add", "carol", "--group", "lab", "--new-key", "--directory", relay.directory).stdout
    relay.up("carol")
    for name in ("alice", "bob"):
        snippet = re.search(rf"(wg addconf {name} .*?\nEND\n)", said, re.S).group(1)
        relay.ends[name].shell(snippet.replace(f"addconf {name}", f"addconf {relay.ends[name].interface}"))
        relay.connect(name, "carol")
        assert relay.ping("carol", name, count=5) == 5
        diff = re.search(rf"(--- \S*{name}.conf\n.*?)\n\nor while", said, re.S).group(1)
        patch = lab.directory / f"{name}.diff"
        patch.write_text(diff + "\n")
        relay.node.namespace.run(["patch", relay.directory / f"{name}.conf", patch])
        written = (relay.directory / f"{name}.conf").read_text()
        listed = relay.cli("config", name).stdout
        assert written.split("\n\n", 1)[1] == listed.split("\n\n", 1)[1]
    assert relay.ping("alice", "bob", count=5) == 5


def test_a_member_that_changes_its_address_goes_on(lab, figure):
    relay = Relay(lab).mesh()
    alice = relay.sides["alice"].namespace
    stop = threading.Event()
    arrived = []
    with relay.sides["bob"].namespace.entered():
        into = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with alice.entered():
        out = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with contextlib.closing(into), contextlib.closing(out):
        into.bind((relay.ends["bob"].address, 0))
        into.settimeout(0.2)
        out.connect(into.getsockname()[:2])

        def send():
            number = 0
            while not stop.is_set():
                out.send(number.to_bytes(4, "big") * 64)
                number += 1
                time.sleep(0.005)

        def receive():
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    into.recv(2048)
                    arrived.append(time.monotonic())

        threads = [threading.Thread(target=send), threading.Thread(target=receive)]
        for thread in threads:
            thread.start()
        try:
            wait_until("packets arrive", lambda: len(arrived) > 50)
            alice.ip("address add 2001:db8:1::77/64 dev eth0 nodad")
            moved = time.monotonic()
            alice.ip("address del 2001:db8:1::10/64 dev eth0")
            wait_until("packets arrive again", lambda: arrived and arrived[-1] > moved + 0.5)
            stall = next(at for at in arrived if at > moved + 0.02) - moved
            wait_until("the node knows it", lambda: relay.pair("alice", "bob")[0]["endpoint"].startswith(
                "[2001:db8:1::77]:"))
            wait_until("answers go there", lambda: relay.ping("bob", "alice", count=1, check=False, wait=1))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    figure("relay link, pause when a member changes its address", f"{stall * 1000:.0f} ms")
    assert relay.ping("alice", "bob", count=10) == 10


def echoes(namespace):
    return int(re.search(r"Icmp6InEchos\s+(\d+)", namespace.run("cat /proc/net/snmp6").stdout).group(1))


def test_replays_are_dropped_by_the_ends(lab):
    """The node carries what is sent to a relay address; a packet that came already is refused by the end's window."""
    relay = Relay(lab, workers=2).mesh()
    alice, bob = relay.sides["alice"], relay.sides["bob"]
    wire = lab.closing(Wire(alice.namespace, "eth0", outgoing=True))
    wire.clear()
    assert relay.ping("alice", "bob", count=30) == 30
    address = relay.pair("alice", "bob")[0]["address"]
    data = [frame for frame in wire.frames(1) if (packet := Ether(frame)).haslayer(UDP)
            and packet[IPv6].dst == address and bytes(packet[UDP].payload)[:1] == b"\x04"]
    assert len(data) >= 30
    before = echoes(bob.namespace)
    relay.node.mark()
    for port in (None, 4001, 4002, 4003):  # the same flow, and others, which other workers may have
        for frame in data:
            packet = Ether(frame)
            if port:
                packet[UDP].sport = port
                del packet[UDP].chksum
            wire.send(packet)
    wait_until("they were carried", lambda: relay.node.counters()["packets.sent"] -
               relay.node.baseline["packets.sent"] >= 4 * len(data))
    time.sleep(0.3)
    assert echoes(bob.namespace) == before
    assert relay.ping("alice", "bob", count=10) == 10


def test_removal_cuts_off_at_once(lab):
    relay = Relay(lab, names=("alice", "bob", "carol")).mesh(connect=False)
    for one, other in (("alice", "bob"), ("bob", "carol")):
        relay.connect(one, other)
    relay.cli("remove", "alice")
    assert relay.ping("alice", "bob", count=20, wait=1, check=False) == 0
    assert relay.ping("bob", "alice", count=20, wait=1, check=False) == 0
    assert relay.ping("bob", "carol", count=20) == 20
    assert relay.node.grown()["drop.relay_unknown"] > 0
    assert relay.pair("bob", "alice") is None


def test_a_pair_expires(lab):
    relay = Relay(lab)
    relay.cli("mesh", "--group", "lab", "--new-key", "--directory", relay.directory, "--expires", "15s", "alice", "bob")
    relay.up("alice")
    relay.up("bob")
    relay.connect("alice", "bob")
    wait_until("it has expired", lambda: relay.pair("alice", "bob") is None if relay.cli(
        "members").returncode == 0 else False, 20)
    assert relay.ping("alice", "bob", count=10, wait=1, check=False) == 0


@pytest.mark.parametrize("which", ["control", "dataplane"])
def test_a_restart_costs_no_handshake(lab, which):
    relay = Relay(lab).mesh()
    before = relay.ends["alice"].handshakes()
    if which == "control":
        relay.node.kill_control()
        assert relay.ping("alice", "bob", count=20) == 20, "nobody needs bypeerd for this"
        relay.node.start_control()
    else:
        relay.node.kill_dataplane()
        relay.node.start_dataplane()
    relay.node.wait_ready()
    relay.connect("alice", "bob")
    assert relay.ping("alice", "bob", count=20) == 20
    assert relay.ends["alice"].handshakes() == before
    relay.cli("remove", "bob")
    assert relay.ping("alice", "bob", count=5, wait=1, check=False) == 0


def test_peers_that_have_only_ipv4(lab):
    """By ports of the node's IPv4 address, only from where their hub links have them; wireguard-go has both links."""
    hub = ClientHub(lab, sides=("left", "right", "stranger"), family=4)
    hub.node.config["relay"] = {"prefix": PREFIX, "ipv4-ports": "52000-52009"}
    hub.start()
    for side in ("left", "right"):
        hub.join(side, side)
    left, right = hub.clients["left"], hub.clients["right"]
    reach(left.namespace, right.address)
    said = hub.node.cli("relay", "mesh", "left", "right", "--group", "lab", "--ipv4", "--directory", lab.directory).stdout
    for name, client in (("left", left), ("right", right)):
        snippet = re.search(rf"(wg addconf {name} .*?\nEND\n)", said, re.S).group(1)
        assert re.search(r"Endpoint = [\d.]+:520\d\d\n", snippet)
        client.namespace.run(["sh", "-ec", snippet.replace(f"addconf {name}", f"addconf {client.interface}")])

    def ends():
        return [end["state"] for end in hub.node.call("relays.list")["pairs"][0]["ends"]]
    wait_until("both are confirmed", lambda: ping(left.namespace, right.address, count=1, check=False, wait=1)
               and ends() == ["confirmed", "confirmed"], 30)
    before = hub.node.counters()
    tcp_transfer(left.namespace, right.namespace, left.address, right.address, 1 << 20)
    grown = hub.node.counters().since(before)
    assert grown["node.relay"] > 1000 and grown.get("node.wireguard_seal", 0) < 100
    # Somebody else at that port is not believed, whatever he sends.
    hub.default_route("stranger")
    port = int(re.search(r"Endpoint = [\d.]+:(520\d\d)\n", said).group(1))
    with hub.hosts["stranger"].namespace.entered():
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with contextlib.closing(out):
        before = hub.node.counters()
        for kind in (1, 2, 3, 4) * 5:
            out.sendto(message(kind), (hub.underlay("stranger", 4, 1), port))
            out.sendto(message(kind), (hub.underlay("left", 4, 1), port))
    assert ping(left.namespace, right.address, count=10) == 10
    assert ends() == ["confirmed", "confirmed"]
    assert hub.node.counters().since(before)["drop.relay_source"] == 20


# --- hostile ---


SIZES = {1: 148, 2: 92, 3: 64, 4: 1200}  # of the four messages; the last one's is free


def message(kind, size=None, receiver=0):
    """What looks like WireGuard, of some type."""
    size = size or SIZES[kind]
    return bytes([kind, 0, 0, 0]) + receiver.to_bytes(4, "little") + bytes(size - 8)


class Stranger:
    """A host at a port of its own, which sends what it likes and counts what comes."""

    def __init__(self, relay, lab, name="mallory"):
        self.side = relay.sides[name]
        self.node_mac = relay.node.mac(name)
        self.mac = self.side.edge.namespace.mac("eth0")
        self.wire = lab.wire(self.side.edge)
        self.wire.clear()

    def send(self, source, destination, payload, sport=4000, dport=PORT, hop_limit=64):
        self.wire.send(Ether(src=self.mac, dst=self.node_mac) / IPv6(src=source, dst=destination, hlim=hop_limit) /
                       UDP(sport=sport, dport=dport) / Raw(payload))


def relayed(wire, seconds=0.5):
    """Frames that came on a wire with an address of the relay as source."""
    came = []
    for frame in wire.frames(seconds):
        packet = Ether(frame)
        if packet.haslayer(IPv6) and packet[IPv6].src.startswith("2001:db8:5:"):
            came.append(frame)
    return came


@pytest.fixture
def hostile(lab):
    relay = Relay(lab, names=("alice", "bob", "mallory")).mesh("alice", "bob")
    return relay, Stranger(relay, lab)


def test_a_scan_of_addresses_finds_nothing(lab, hostile):
    relay, mallory = hostile
    relay.node.mark()
    for number in range(2000):
        mallory.send("2001:db8:3::10", f"2001:db8:5::{number:x}", message(1 + number % 4))
    wait_until("all came in", lambda: relay.node.grown()["drop.relay_unknown"] >= 2000)
    assert relayed(mallory.wire) == []
    assert relay.ping("alice", "bob", count=10) == 10


def test_public_keys_are_no_key_to_the_relay(lab, hostile):
    """A stranger configured with bob's public key and the node's own address, or an address of another pair's shape."""
    relay, mallory = hostile
    listed = {member["name"]: member["public_key"] for member in relay.node.call("relays.members")["members"]}
    relay.node.mark()
    file = lab.directory / "mallory.conf"
    private = relay.node.namespace.run("wg genkey").stdout.strip()
    file.write_text(f"[Interface]\nPrivateKey = {private}\nAddress = fd12:3456:789a::666/48\n"
                    f"[Peer]\nPublicKey = {listed['bob']}\nEndpoint = [2001:db8:5::b0b]:{PORT}\n"
                    f"AllowedIPs = {GROUP}\nPersistentKeepalive = 1\n")
    end = WireGuard(lab, relay.sides["mallory"].namespace, file)
    assert ping(end.namespace, relay.ends["bob"].address, count=5, wait=1, check=False) == 0
    assert relay.node.grown()["drop.relay_unknown"] > 0
    assert relayed(mallory.wire) == []


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_a_forged_source_redirects_nothing(lab, hostile, kind):
    """
    Somebody who can see bob's address for alice, or bob himself, sends to it in the name of a victim (mallory's address).
    The victim gets at most three bytes for each that was sent in its name, and bob's traffic stays bob's.
    """
    relay, mallory = hostile
    _, bob = relay.pair("alice", "bob")
    relay.node.mark()
    sent = 0
    for _ in range(50):
        mallory.send("2001:db8:3::10", bob["address"], message(kind, receiver=0x01020304))
        sent += SIZES[kind] + 48
        relay.ping("alice", "bob", count=2, interval=0.001)
    came = sum(len(frame) - 14 for frame in relayed(mallory.wire))
    assert came <= 3 * sent, f"{came} bytes out for {sent} in"
    if kind != 1:
        assert came == 0, "nothing is learnt from what an endpoint that is confirmed did not send"
    assert relay.pair("alice", "bob")[1]["endpoint"].startswith("[2001:db8:2::10]:")
    assert relay.ping("alice", "bob", count=20) == 20
    assert relay.ping("bob", "alice", count=20) == 20


def test_what_is_not_confirmed_gets_three_bytes_a_byte(lab):
    """Before bob was ever heard, somebody claims to be him; alice keeps sending, and the victim gets little of it."""
    relay = Relay(lab, names=("alice", "bob", "mallory"))
    relay.cli("mesh", "--group", "lab", "--new-key", "--directory", relay.directory, "alice", "bob")
    alice, bob = relay.pair("alice", "bob")
    mallory = Stranger(relay, lab)
    attacker = Stranger(relay, lab, "alice")
    sent = 0
    for number in range(30):
        mallory.send("2001:db8:3::10", bob["address"], message(4, 64))
        sent += 64 + 48
        for kind, size in ((1, 148), (4, 1300), (4, 1300), (4, 1300)):
            attacker.send("2001:db8:1::10", alice["address"], message(kind, size, receiver=number))
    came = sum(len(frame) - 14 for frame in relayed(mallory.wire))
    assert 0 < came <= 3 * sent, f"{came} bytes out for {sent} in"
    assert relay.node.grown()["drop.relay_credit"] > 0


def test_an_address_of_the_relay_or_of_the_node_is_no_endpoint(lab, hostile):
    relay, mallory = hostile
    alice, bob = relay.pair("alice", "bob")
    relay.node.mark()
    sources = [alice["address"], bob["address"], "2001:db8:5::1", "2001:db8:3::1", "2001:db8:1::1", "::1", "ff02::1",
               "fe80::1"]
    for source in sources:
        for kind in (1, 4):
            for address in (alice["address"], bob["address"]):
                mallory.send(source, address, message(kind), sport=PORT)
    wait_until("all were refused", lambda: relay.node.grown()["drop.relay_source"] >= 4 * len(sources))
    assert relay.ping("alice", "bob", count=20) == 20
    for end in relay.pair("alice", "bob"):
        assert end["state"] == "confirmed"
    assert relay.node.grown()["drop.relay_source"] == 4 * len(sources), "nothing goes round"


def test_the_hop_limit_ends(lab, hostile):
    relay, mallory = hostile
    alice, _ = relay.pair("alice", "bob")
    relay.node.mark()
    mallory.send("2001:db8:3::10", alice["address"], message(4), hop_limit=1)
    wait_until("it was dropped", lambda: relay.node.grown()["drop.hop_limit"] == 1)
