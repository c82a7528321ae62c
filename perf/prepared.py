"""The data plane alone, with WireGuard sessions and relayed pairs that nobody negotiated: bypeer-prepared (prepared.c)
stands in for bypeerd, so the real bypeer-dataplane runs at full speed from a file."""
import json
import subprocess

import machine

PEERS = 16384  # each has as many frames in the file as any other
FRAMES = 262144
OVERHEAD = 14 + 40 + 8 + 32  # of a frame, around what is sealed


class StandIn:
    """bypeer-prepared's standard input and output, answering for bypeerd's API what a Bench asks."""

    def __init__(self, process):
        self.process = process

    def ask(self, line=""):
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise machine.Refused("bypeer-prepared is gone")
        return json.loads(answer)

    def call(self, method):
        answer = self.ask()
        if method == "counters":
            return {"counters": [{"name": name, "value": value} for name, value in answer["counters"].items()]}
        attached = answer["mapped"] > 0
        return {"dataplane": {"state": "attached" if attached else "absent", "pid": answer["pid"],
                              "generation": answer["mapped"], "ports": [{"missed": answer["missed"]}]},
                "tables": {"generation": 1}}


class Machine(machine.Bench):
    """kind: "hub" or "relay"; ends: peers or pairs; frame: bytes. configured: peers of a hub, those without frames too."""

    def __init__(self, build, kind, ends, frame, configured=0, frames=FRAMES):
        self.kind = kind
        self.frames = frames
        self.ends = ends
        self.frame = frame
        self.configured = max(ends, configured)
        super().__init__(build, frames, max(1500, frame - 14), self.configured * 500 // machine.MEBIBYTE + 64)
        inner = frame - OVERHEAD
        self.program("bypeer-prepared-frames", kind, self.pcap, ends, frames, inner if kind == "hub" else frame,
                     machine.PORT_MAC)

    def start_control(self):
        run = self.directory / "run"
        self.config = self.write_config({})
        numbers = [self.ends, self.frames // self.ends, self.configured] if self.kind == "hub" else [self.ends]
        self.control = self.start("bypeer-prepared",
                                  [self.build / "perf" / "bypeer-prepared", self.kind, run, *numbers],
                                  self.main_cpu, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.api = StandIn(self.control)
        self.api.ask()

    def start_dataplane(self):
        if self.kind == "relay":
            self.api.ask("hear")
        super().start_dataplane()


def check(kind, turn):
    """What was not opened, or was not sent on, was not measured."""
    opened = turn.counters["packets.received"]
    sent = turn.counters["packets.sent"]
    if sent < opened * 0.999:
        raise SystemExit(f"{kind}: of {opened} packets only {sent} were sent on: {turn.drops}")
