"""The API: who may use it, and what it changes at run time."""
import grp
import json
import socket
import subprocess
import sys
import time

import pytest

from harness import Lab, Refused, ping
from harness.process import wait_until
from harness.star import Star

NOBODY = 65534
GROUP = "games"  # of every Debian; stands for the operators' group


@pytest.fixture(scope="module")
def star(build):
    lab = Lab(build)
    star = Star(lab)
    star.node.config["tables"]["api-group"] = GROUP
    star.start()
    # The socket's own permissions are the test, not those of the directory that the lab is in.
    for directory in (lab.directory, star.node.directory, star.node.directory / "run"):
        directory.chmod(0o755)
    yield star
    lab.close()


CLIENT = """
import json, os, socket, sys
path, uid, gid, groups = sys.argv[1], *map(json.loads, sys.argv[2:])
os.setgroups(groups); os.setgid(gid); os.setuid(uid)
made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
made.settimeout(10)
try:
    made.connect(path)
    made.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "version", "params": {}}\\n')
    print(made.recv(65536).decode() or "closed")
except OSError as error:
    print(type(error).__name__)
"""


def ask_as(star, uid, gid, groups=()):
    done = subprocess.run([sys.executable, "-c", CLIENT, str(star.node.client.path), str(uid), str(gid),
                           json.dumps(list(groups))], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=30)
    return done.stdout


@pytest.mark.no_traffic
def test_others_are_refused(star):
    said = ask_as(star, NOBODY, NOBODY)
    assert '"result"' not in said and said.strip(), said


@pytest.mark.no_traffic
def test_group_is_let_in(star):
    gid = grp.getgrnam(GROUP).gr_gid
    assert '"result"' in ask_as(star, NOBODY, NOBODY, [gid])
    assert '"result"' in ask_as(star, NOBODY, gid)
    assert '"result"' in ask_as(star, 0, 0)


@pytest.mark.no_traffic
@pytest.mark.parametrize("line", [
    b"", b"hello", b"{}", b"[]", b"null", b'{"jsonrpc": "2.0", "id": 1}', b'{"jsonrpc": "1.0", "id": 1, "method": "version"}',
    b'{"jsonrpc": "2.0", "id": 1, "method": "no such"}', b'{"jsonrpc": "2.0", "id": 1, "method": "members.add"}',
    b'{"jsonrpc": "2.0", "id": 1, "method": "members.add", "params": {"address": 7, "link": []}}',
    b"[" * 100000, b"\xff\xfe\x00", b'{"jsonrpc": "2.0", "id": 1, "method": "version", "params": {"x": 1}}',
])
def test_nonsense_is_answered_or_closed(star, line):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.settimeout(5)
        made.connect(str(star.node.client.path))
        made.sendall(line + b"\n")
        try:
            made.recv(65536)
        except socket.timeout:
            assert line == b""
    assert star.node.call("version")["api"] == 1


@pytest.mark.no_traffic
def test_a_line_without_end_is_cut_off(star):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.settimeout(20)
        made.connect(str(star.node.client.path))
        with pytest.raises(OSError):
            for _ in range(4096):
                made.sendall(b"x" * 65536)
    assert star.node.call("version")["api"] == 1


def test_member_by_api(star):
    node, left = star.node, star.namespace("left")
    address = "fd12:3456:789a::a1"
    star.namespace("right").ip(f"address add {address}/128 dev overlay nodad")
    node.call("members.add", address=address, link="right")
    ping(left, address, count=2)
    entry = next(m for m in node.call("members.list", link="right")["members"] if m["address"] == address)
    assert entry["origin"] == "api" and entry["group"] == "lab"
    node.call("members.remove", address=address)
    assert ping(left, address, count=1, check=False, wait=1) == 0


def test_route_by_api(star):
    node, left = star.node, star.namespace("left")
    star.namespace("right").ip("address add fd12:3456:789a:c::9/128 dev overlay nodad")
    node.call("routes.add", prefix="fd12:3456:789a:c::/64", link="right")
    ping(left, "fd12:3456:789a:c::9", count=2)
    node.call("routes.remove", prefix="fd12:3456:789a:c::/64")
    assert ping(left, "fd12:3456:789a:c::9", count=1, check=False, wait=1) == 0


def test_link_and_group_by_api(star):
    """The same peer in a second group: another VNI."""
    node, right = star.node, star.namespace("right")
    node.call("groups.add", name="second", prefix="fd55:5555:5555::/48", vni=55, address="fd55:5555:5555::1")
    for side in star.sides:
        node.call("links.add", name=f"second-{side}", group="second", peer=star.peer(side))
        node.call("members.add", address=f"fd55:5555:5555::{star.number(side)}1", link=f"second-{side}")
        star.namespace(side).ip(f"address add fd55:5555:5555::{star.number(side)}1/128 dev overlay nodad")
        star.namespace(side).ip(f"-6 route add fd55:5555:5555::/48 encap ip6 id 55 dst {star.local(side)} csum dev overlay")
    wait_until("the links are up", lambda: all(link["up"] for link in node.call("links.list")["links"]))
    right.run("ping -n -c 2 -i 0.1 -W 2 -I fd55:5555:5555::21 fd55:5555:5555::11")
    with pytest.raises(Refused):
        node.call("groups.remove", name="second")
    for side in star.sides:
        node.call("members.remove", address=f"fd55:5555:5555::{star.number(side)}1")
        node.call("links.remove", name=f"second-{side}")
    node.call("groups.remove", name="second")
    assert "second" not in str(node.call("groups.list"))


@pytest.mark.no_traffic
def test_configured_entries_stay(star):
    node = star.node
    for method, parameters in (("members.remove", {"address": star.member("right")}), ("links.remove", {"name": "right"}),
                               ("groups.remove", {"name": "lab"})):
        with pytest.raises(Refused) as refused:
            node.call(method, **parameters)
        assert "bypeer.yaml" in str(refused.value) or "config" in str(refused.value)
    assert star.member("right") in str(node.call("members.list"))


@pytest.mark.no_traffic
def test_members_survive_control(star):
    node = star.node
    addresses = [f"fd12:3456:789a:2::{i:x}" for i in range(1, 2001)]
    answer = node.call("members.load", link="right", addresses=addresses)
    assert answer["added"] == 2000
    count = node.call("members.count")["count"]
    node.kill_control()
    node.start_control()
    node.wait_ready()
    assert node.call("members.count")["count"] == count
    assert node.call("members.unload", addresses=addresses)["removed"] == 2000
    assert node.call("members.count")["count"] == count - 2000


@pytest.mark.no_traffic
def test_tables_grow_under_load(star, figure):
    """Room for 4096 at the start; 50,000 more go in while the node forwards, as a new generation each time it is full."""
    node = star.node
    generation = node.call("status")["tables"]["generation"]
    addresses = [f"fd12:3456:789a:3::{i:x}" for i in range(1, 50001)]
    start = time.monotonic()
    assert node.call("members.load", link="right", addresses=addresses)["added"] == 50000
    figure("50,000 members into tables for 4,096", f"{time.monotonic() - start:.2f} s")
    node.wait_ready()
    assert node.call("status")["tables"]["generation"] > generation
    ping(star.namespace("left"), star.member("right"), count=2)
    assert node.call("members.unload", addresses=addresses)["removed"] == 50000


@pytest.mark.no_traffic
def test_pages_of_members(star):
    node = star.node
    addresses = [f"fd12:3456:789a:4::{i:x}" for i in range(1, 1001)]
    node.call("members.load", link="left", addresses=addresses)
    seen, after = [], None
    while True:
        page = node.call("members.list", limit=300, **({"after": after} if after else {}))
        seen += [m["address"] for m in page["members"]]
        if "next" not in page:
            break
        after = page["next"]
    assert len(seen) == len(set(seen)) == node.call("members.count")["count"]
    assert set(addresses) <= set(seen)
    node.call("members.unload", addresses=addresses)


def test_trace(star):
    """The next packets, stage by stage."""
    node = star.node
    pinger = subprocess.Popen(star.namespace("left").argv(f"ping -n -i 0.05 -c 40 {star.member('right')}"),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        steps = node.call("trace", packets=6, timeout_ms=5000)["steps"]
    finally:
        pinger.terminate()
        pinger.wait()
    assert len({step["packet"] for step in steps}) == 6
    nodes = {step["node"].split("-")[0] for step in steps}
    assert {"receive", "classify", "fabric_decap", "overlay_lookup", "policy", "fabric_encap"} <= nodes
    assert "transmit" in {step["next"].split("-")[0] for step in steps}
    for step in steps:
        assert bytes.fromhex(step["head"])


@pytest.mark.no_traffic
def test_config_show_names_the_line(star):
    entries = {entry["key"]: entry for entry in star.node.call("config.show")["entries"]}
    lines = star.node.file.read_text().splitlines()
    origin = entries["node.name"]["origin"]
    assert origin.split(":")[0].endswith("bypeer.yaml")
    assert "name" in lines[int(origin.rsplit(":", 1)[1]) - 1]
    assert any(entry["origin"] == "default" for entry in entries.values())
