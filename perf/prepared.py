"""The data plane alone, with WireGuard sessions and relayed pairs that nobody negotiated: bypeer-prepared (prepared.c)
stands in for bypeerd, so the real bypeer-dataplane runs at full speed from a file."""
import json
import subprocess

import machine

PEERS = 16384  # each has as many frames in the file as any other
FRAMES = 262144
RING_BITS = 11  # of memif: 2048 frames, as many as the node asks any device for (dataplane/ports.c)
MEMIF_FRAMES = 16384  # in packet memory: the rings hold a quarter
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
    """kind: "hub" or "relay"; ends: peers or pairs; frame: bytes. configured: peers of a hub, those without frames too.

    head: None: the device is net_pcap, whose driver copies each frame out of memory. Else it is net_memif without a
    copy, and another program on the other core writes so many bytes of each frame to it (memif_frames.c).
    """

    def __init__(self, build, kind, ends, frame, configured=0, frames=FRAMES, head=None):
        self.kind = kind
        self.head = head
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
        self.config = self.write_config(self.memif() if self.head else {})
        numbers = [self.ends, self.frames // self.ends, self.configured] if self.kind == "hub" else [self.ends]
        self.control = self.start("bypeer-prepared",
                                  [self.build / "perf" / "bypeer-prepared", self.kind, run, *numbers],
                                  self.main_cpu, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.api = StandIn(self.control)
        self.api.ask()

    def memif(self):
        """
        What the configuration has for this device, and the program at its other end. All memory is taken at the start:
        net_memif of DPDK 22.11 closes the file of it as soon as it is connected, and no more could be had.
        """
        socket = self.directory / "memif.sock"
        far_end = self.start("bypeer-memif-frames",
                             [self.build / "perf" / "bypeer-memif-frames", socket, self.pcap, self.head], self.main_cpu)
        machine.wait_for("bypeer-memif-frames", socket.exists)
        device = (f"net_memif0,role=client,zero-copy=yes,socket={socket},socket-abstract=no,rsize={RING_BITS},"
                  f"mac={machine.PORT_MAC}")
        megabytes = MEMIF_FRAMES * self.mbuf_bytes // machine.MEBIBYTE + 64
        return {"ports": [{"name": "fabric", "device": device, "mtu": self.mtu,
                           "addresses": [f"{machine.NODE_ADDRESS}/64"]}],
                "dataplane": {**self.dataplane_config(), "megabytes": megabytes,
                              "eal": f"--single-file-segments -m {megabytes + 192}"}}

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
