"""The example programs of libbypeer, each at two members of a group."""
import os
import subprocess

import pytest

from harness import Lab, Refused
from harness.cloud import Cloud
from harness.process import wait_until

PATIENCE = 60


class Program:
    """An example at a node; what it says is read line by line from its log."""

    def __init__(self, node, name, *words):
        self.log = node.directory / f"{name}-{len(list(node.directory.iterdir()))}.log"
        environment = {**os.environ, "BYPEER_SOCKET": str(node.directory / "run" / "control.sock"),
                       "ASAN_OPTIONS": "abort_on_error=0", "UBSAN_OPTIONS": "halt_on_error=1"}
        program = node.build.directory / "tools" / "examples" / f"bypeer-example-{name}"
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen([program, *map(str, words)], stdin=subprocess.PIPE, stdout=output,
                                            stderr=output, text=True, env=environment)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def lines(self):
        return self.log.read_text().splitlines()

    def wait_for(self, line):
        wait_until(f"{self.log.name} says {line!r}", lambda: line in self.lines(), timeout=PATIENCE)

    def end(self):
        """Its status after its input has ended."""
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


@pytest.fixture(scope="module")
def pair(build):
    """Two nodes, Ann and Bob, members of the group "Friends"."""
    lab = Lab(build)
    cloud = Cloud(lab, 2).start()
    ann, bob = cloud.nodes
    for node, name in ((ann, "Ann"), (bob, "Bob")):
        node.call("identities.create", friendly_name=name)
    ann.call("group.create", name="Friends")
    invitation = ann.call("group.invite", group="Friends", identity=bob.call("identities.show")["identity"]["xml"])
    joined = bob.call("group.join", invitation=invitation["line"], timeout_ms=PATIENCE * 1000)
    assert joined["state"] == "connected"
    for node in (ann, bob):
        wait_until(f"{node.name} sees both", lambda node=node: len(
            node.call("presence.list", group="Friends")["nodes"]) == 2, timeout=PATIENCE)
    yield ann, bob
    lab.close()


@pytest.fixture
def start():
    """Starts programs that are gone after the test."""
    programs = []

    def program(*words):
        programs.append(Program(*words))
        return programs[-1]
    yield program
    for each in programs:
        if each.process.poll() is None:
            each.stop()


@pytest.mark.no_traffic
def test_a_chat_goes_both_ways(pair, start):
    ann, bob = (start(node, "chat", "Friends") for node in pair)
    # Whoever watches too late hears nothing of what was said: until both hear, both say.
    wait_until("both hear", lambda: ann.say("anybody there?") or bob.say("somebody") or (
        "Bob: somebody" in ann.lines() and "Ann: anybody there?" in bob.lines()), timeout=PATIENCE, interval=0.5)
    ann.say("the build is green")
    bob.wait_for("Ann: the build is green")
    bob.say("über alles & <mehr>")
    ann.wait_for("Bob: über alles & <mehr>")
    assert [program.end() for program in (ann, bob)] == [0, 0]


@pytest.mark.no_traffic
def test_a_board_shows_who_is_there_and_how(pair, start):
    ann = start(pair[0], "board", "Friends")
    ann.wait_for("2 present")
    start(pair[1], "board", "Friends", "out for <lunch> & tea")
    ann.wait_for("  Bob  out for <lunch> & tea")
    assert "  Ann (here)" in ann.lines()


@pytest.mark.no_traffic
def test_a_file_is_dropped_once_and_whole(pair, start, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    file = tmp_path / "photo.raw"
    file.write_bytes(os.urandom(3_000_017))
    receiver = start(pair[1], "drop", "Friends", "receive", inbox)
    receiver.wait_for("ready")
    sender = start(pair[0], "drop", "Friends", "send", "Bob", file)
    assert sender.end() == 0, sender.lines()
    assert (inbox / "photo.raw").read_bytes() == file.read_bytes()
    identity = pair[0].call("identities.show")["identity"]["name"]
    receiver.wait_for(f"photo.raw: 3000017 bytes from {identity}")
    again = start(pair[0], "drop", "Friends", "send", "Bob", file)
    assert again.end() == 1
    assert again.lines() == ["photo.raw: the receiver does not take it"]
    assert (inbox / "photo.raw").read_bytes() == file.read_bytes()


def refused(node, key, method, **parameters):
    with pytest.raises(Refused) as failure:
        node.call(method, group="Friends", **parameters)
    assert failure.value.data["key"] == key, failure.value


@pytest.mark.no_traffic
def test_direct_links_end_at_both_sides_and_are_counted(pair):
    ann, bob = pair
    refused(ann, "own_address", "direct.open", member="Ann")
    refused(ann, "no_such_link", "direct.send", link=4711, data="aGk=")
    after = bob.call("direct.receive", group="Friends", timeout_ms=1)["next"]
    links = [ann.call("direct.open", group="Friends", member="Bob")["link"] for _ in range(16)]
    assert len(set(links)) == 16
    refused(ann, "too_many_links", "direct.open", member="Bob")
    refused(ann, "bad_parameter", "direct.send", link=links[0], data="?")
    ann.call("direct.send", group="Friends", link=links[0], data="aGk=")
    for link in links:
        ann.call("direct.close", group="Friends", link=link)
    refused(ann, "no_such_link", "direct.send", link=links[0], data="aGk=")
    events = []
    def closed():
        nonlocal after
        told = bob.call("direct.receive", group="Friends", after=after, timeout_ms=1000)
        after = told["next"]
        events.extend(told["events"])
        return sum(event["event"] == "closed" for event in events) == 16
    wait_until("Bob hears that all are closed", closed, timeout=PATIENCE)
    assert sum(event["event"] == "opened" for event in events) == 16
    assert [event["data"] for event in events if event["event"] == "data"] == ["aGk="]
    assert not any(event["initiator"] for event in events)
    again = ann.call("direct.open", group="Friends", member="Bob")["link"]
    assert again not in links
    ann.call("direct.close", group="Friends", link=again)
