"""A node's counters, and the sum that they must always give (ARCHITECTURE, section 4)."""
import time

IN = ("received", "injected", "generated", "copied")
OUT = ("sent", "punted", "consumed", "dropped")


class Counters(dict):
    """name -> value, summed over workers; .difference is what the node says of its own sum."""

    def __init__(self, answer):
        super().__init__((entry["name"], entry["value"]) for entry in answer["counters"])
        self.difference = answer["sum"]["difference"]
        sides = {name: 0 for name in IN + OUT}
        for entry in answer["counters"]:
            if entry["class"] in sides:
                sides[entry["class"]] += entry["value"]
        self.sides = sides
        # The node's word is not taken for it.
        self.own_difference = sum(sides[name] for name in IN) - sum(sides[name] for name in OUT)

    def since(self, before):
        """What has grown: name -> by how much."""
        return {name: value - before.get(name, 0) for name, value in self.items() if value != before.get(name, 0)}


def at_rest(node, timeout=10):
    """The counters once nothing is in flight; fails when the sum does not become exact."""
    end = time.monotonic() + timeout
    last = None
    while True:
        now = node.counters()
        if now.difference == 0 and now.own_difference == 0 and last is not None and dict(now) == dict(last):
            return now
        if time.monotonic() > end:
            if now.difference == 0 and now.own_difference == 0:
                return now  # exact, but never quiet: somebody keeps sending
            raise AssertionError(f"{node.name}: packet sum is off by {now.own_difference} "
                                 f"(the node says {now.difference}): {now.sides}")
        last = now
        time.sleep(0.05)
