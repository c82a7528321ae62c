"""A steady stream of stamped frames through a node, and the account of it."""
import json
import time

from .frames import inner_udp, write_pcap
from .process import wait_until

FLOWS = 64


class Stream:
    """
    with Stream(star, rate=50000) as stream: ...
    then stream.sent, .received, .lost (never arrived), .late (overtaken within their flow), .silences in seconds of
    time.monotonic(). destinations: overlay addresses that flows go to in turn, by default the right side's member.
    flow: instead of that of the two sides' members.
    """

    def __init__(self, star, rate, source="left", destination="right", destinations=None, flows=FLOWS, bytes=64,
                 silence_ms=5, flow=None):
        self.star = star
        self.rate = rate
        self.source = source
        self.destination = destination
        self.silence_ms = silence_ms
        flow = flow or star.flow(source, destination)
        addresses = destinations or [flow.destination]
        self.file = star.lab.directory / f"stream-{source}-{destination}-{len(star.lab.daemons)}.pcap"
        write_pcap(self.file, [
            flow.frame(inner_udp(flow.source, addresses[i % len(addresses)], payload=bytes_of(bytes), sport=7000 + i),
                       checksum=0, sport=0xC000 + i)
            for i in range(flows)])

    def __enter__(self):
        star = self.star
        self.receiver = star.lab.daemon(star.namespace(self.destination), "receive",
                                        [star.lab.build.traffic, "receive", "eth0", "--silence", self.silence_ms])
        wait_until("the receiver listens", lambda: "listening" in self.receiver.text())
        self.sender = star.lab.daemon(star.namespace(self.source), "send",
                                      [star.lab.build.traffic, "send", "eth0", "--frames", self.file, "--rate", self.rate])
        time.sleep(0.3)
        assert self.sender.alive(), self.sender.text()
        return self

    def __exit__(self, kind, value, trace):
        self.sender.stop()
        time.sleep(0.3)
        self.receiver.stop()
        if kind is None:
            self.account()

    def account(self):
        sent = json.loads(self.sender.text().splitlines()[-1])
        got = json.loads(self.receiver.text().splitlines()[-1])
        assert got["overrun"] == 0, "the receiver of the test was too slow: its losses are not the node's"
        self.sent, self.received, self.late = sent["sent"], got["received"], got["late"]
        self.lost = self.sent - self.received
        self.silences = [(start / 1e9, end / 1e9) for start, end in got["silences"]]
        self.seconds = (sent["end_ns"] - sent["start_ns"]) / 1e9

    def longest_silence(self):
        return max((end - start for start, end in self.silences), default=0)

    def first_after(self, moment):
        """When the first frame after a silence that reaches past moment came; None: there was no such silence."""
        return min((end for start, end in self.silences if end > moment), default=None)

    def summary(self):
        return (f"{self.sent} sent in {self.seconds:.1f} s, {self.lost} lost, {self.late} late, "
                f"longest silence {self.longest_silence() * 1000:.0f} ms")


def bytes_of(count):
    return b"\0" * count
