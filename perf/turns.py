"""bypeer and dpdk-testpmd's macswap in turns, on the same frames, device and core: A B A B A."""
import statistics
import time

import machine

WARM_UP_SECONDS = 1.5


class Turn:
    """Mpps, and what else is known of it."""

    def __init__(self, packets, seconds, share):
        self.mpps = packets / seconds / 1e6
        self.share = share
        self.counters, self.drops, self.missed, self.nodes, self.hz = {}, {}, 0, {}, 1


def our_turn(node, arguments):
    node.start_dataplane()
    time.sleep(WARM_UP_SECONDS)
    nodes_before = node.nodes()
    clock = machine.Clock(node.dataplane, arguments.cpu_time)
    before, missed_before = node.counters()
    clock.lap()
    time.sleep(arguments.seconds)
    after, missed_after = node.counters()
    turn = Turn(after["packets.sent"] - before["packets.sent"], *clock.lap())
    nodes_after = node.nodes()
    node.stop_dataplane()
    turn.counters = {name: after[name] - before[name] for name in after}
    turn.drops = machine.drops_between(before, after)
    turn.missed = missed_after - missed_before
    turn.hz = nodes_after.pop("hz")
    for name, values in nodes_after.items():
        turn.nodes[name] = [values[key] - nodes_before[name][key] for key in ("calls", "packets", "cycles")]
    if arguments.cpu_time:  # rte_graph counts the clock's
        turn.hz /= turn.share
    return turn


def rival_turn(node, arguments):
    rival, telemetry = node.start_rival()
    time.sleep(WARM_UP_SECONDS)
    clock = machine.Clock(rival, arguments.cpu_time)
    before = telemetry.ask("/ethdev/stats,0")["opackets"]
    clock.lap()
    time.sleep(arguments.seconds)
    after = telemetry.ask("/ethdev/stats,0")["opackets"]
    turn = Turn(after - before, *clock.lap())
    telemetry.close()
    node.stop(rival, "testpmd")
    return turn


def print_nodes(turn):
    """Nodes that see hardly any packets are left out of the list, not of the sum."""
    most = max(packets for _, packets, _ in turn.nodes.values())
    print(f"\n  {'node':<18}{'ns/packet':>10}{'packets/call':>14}   (turn of {turn.mpps:.2f} Mpps)")
    total = 0.0
    for name, (calls, packets, cycles) in sorted(turn.nodes.items(), key=lambda entry: -entry[1][2]):
        nanoseconds = cycles / turn.hz * 1e9 / most
        total += nanoseconds
        if packets > most / 1000:
            print(f"  {name:<18}{nanoseconds:>10.2f}{packets / calls:>14.1f}")
    print(f"  {'between nodes':<18}{1000 / turn.mpps - total:>10.2f}\n  {'whole':<18}{1000 / turn.mpps:>10.2f}")


def take(node, arguments, say):
    """(our turns, the rival's)"""
    ours, rivals = [], []
    for who in "ABABA":
        turn = our_turn(node, arguments) if who == "A" else rival_turn(node, arguments)
        (ours if who == "A" else rivals).append(turn)
        say(f"  {'bypeer' if who == 'A' else 'macswap':<8}{turn.mpps:8.2f} Mpps{machine.share_note(turn.share)}")
    return ours, rivals


def median(turns):
    return statistics.median(turn.mpps for turn in turns)


def print_losses(ours):
    reasons = {name: count for turn in ours for name, count in turn.drops.items()}
    print(f"  dropped {sum(sum(turn.drops.values()) for turn in ours)} {reasons or ''}, "
          f"lost by the device {sum(turn.missed for turn in ours)}")
