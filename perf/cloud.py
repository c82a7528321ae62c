"""A node in a cloud of many, for the benchmarks of PNRP."""
import machine

PORT = 3541
CLOUD = "perf"
LOAD_AT_ONCE = 20000  # route entries in a request, which has at most 4 MiB


def config(addresses, ids):
    """The parts of a configuration that make a supernode of so many IDs."""
    return {
        "tables": {"members": 1000, "links": 64},
        "names": {"ids": ids + ids // 16 + 1000, "ids-max": 16000000},
        "clouds": [{"name": CLOUD, "addresses": addresses, "port": PORT, "cache": ids + 1000, "answers": True}],
    }


def answers(api):
    """Whether bypeerd is there yet."""
    try:
        return bool(api.call("version"))
    except OSError:
        return False


def load(api, program, ids):
    """Makes IDs 0 to ids - 1 known, as from a trusted file. Returns how many the cache took."""
    added = 0
    for first in range(0, ids, LOAD_AT_ONCE):
        lines = program("bypeer-questions", "ids", first, min(LOAD_AT_ONCE, ids - first)).splitlines()
        entries = [{"id": line[:64], "endpoints": [line[65:]]} for line in lines]
        added += api.call("clouds.load", cloud=CLOUD, entries=entries)["added"]
    return added


def publish(api, name="0.perf"):
    """Registers a name without which nobody asks a node; its PNRP ID."""
    answer = api.call("names.publish", name=name, unsecured=True,
                      endpoints=[{"address": "2001:db8::1", "port": 80, "protocol": "tcp"}])
    return answer["registrations"][0]["id"]


class Machine(machine.Bench):
    """Answering for a cloud of so many IDs."""

    def __init__(self, build, ids):
        self.ids = ids
        super().__init__(build, machine.FRAMES, 1500, ids * 300 // machine.MEBIBYTE + 128)

    def start_control(self):
        self.start_bypeerd(config([machine.NODE_ADDRESS], self.ids))
        self.own = publish(self.api)
        added = load(self.api, self.program, self.ids)
        if added < self.ids:
            raise SystemExit(f"loaded {self.ids} IDs, and bypeerd took {added}")

    def write_questions(self, kind):
        self.program("bypeer-questions", kind, self.pcap, machine.FRAMES, machine.PORT_MAC, machine.NODE_ADDRESS, PORT,
                     self.own)

    def ready(self):
        """Every LOOKUP is answered by naming an ID: the tables have them."""
        machine.wait_for("answers", lambda: self.counters()[0]["pnrp.named"] > 0)


def check_answers(turn):
    """A fast answer that names nobody is none."""
    if turn.counters["pnrp.named"] < turn.counters["pnrp.lookups"] * 0.999:
        raise SystemExit(f"of {turn.counters['pnrp.lookups']} LOOKUPs only {turn.counters['pnrp.named']} were told of an ID")
