"""The usual lab: one node in the middle, a plain Linux host at each of its ports, all in one group."""
import ipaddress

from .frames import Flow
from .member import OVERHEAD

GROUP = "fd12:3456:789a::/48"
VNI = 7
NODE = "fd12:3456:789a::1"


def overlay(number):
    return f"fd12:3456:789a::{0x10 + number:x}"


class Star:
    """
    sides: name -> family of that side's underlay, or of all sides. mtu: of the underlay, likewise. Host and port carry
    the side's name. Nothing runs before start(), so that a test may add to node.config.
    """

    def __init__(self, lab, sides=("left", "right"), family=6, mtu=1500, queues=1, join=True, name="alpha", **options):
        self.lab = lab
        self.sides = list(sides)
        self.family = {side: family[side] if isinstance(family, dict) else family for side in sides}
        self.mtu = {side: mtu[side] if isinstance(mtu, dict) else mtu for side in sides}
        self.node = lab.node(name, **options)
        self.node.group("lab", GROUP, VNI, NODE)
        self.hosts = {}
        self.links = {}
        self.join = join
        for number, side in enumerate(sides, 1):
            host = lab.host(f"{name}-{side}", f"2001:db8:{number}::10/64", f"198.51.{number}.10/24", node=self.node,
                            port=side, mtu=self.mtu[side], queues=queues)
            self.node.port(side, f"2001:db8:{number}::1/64", f"198.51.{number}.1/24", mtu=self.mtu[side], queues=queues)
            self.links[side] = self.node.link(side, "lab", self.peer(side))
            self.node.member(self.member(side), side)
            self.hosts[side] = host
            host.address = self.member(side)

    def number(self, side):
        return self.sides.index(side) + 1

    def member(self, side):
        return overlay(self.number(side))

    def peer(self, side, family=None):
        """The host's underlay address."""
        number = self.number(side)
        return f"2001:db8:{number}::10" if (family or self.family[side]) == 6 else f"198.51.{number}.10"

    def local(self, side, family=None):
        """The node's."""
        number = self.number(side)
        return f"2001:db8:{number}::1" if (family or self.family[side]) == 6 else f"198.51.{number}.1"

    def overlay_mtu(self, side):
        return self.mtu[side] - OVERHEAD[self.family[side]]

    def start(self, ready=True):
        for side, host in self.hosts.items():
            if self.join:
                host.join(self.member(side), GROUP, self.local(side), VNI, underlay_mtu=self.mtu[side])
            else:
                self.lab.closing(host.absorb())
        self.node.start(ready)
        return self

    def namespace(self, side):
        return self.hosts[side].namespace

    def wire(self, side):
        return self.lab.wire(self.hosts[side])

    def flow(self, source="left", destination="right"):
        """Crafted frames as source's host would send them to destination's member."""
        return Flow(self.namespace(source).mac("eth0"), self.node.mac(source), self.peer(source), self.local(source), VNI,
                    self.member(source), self.member(destination))

    def set_underlay_mtu(self, mtu):
        """At every host and on every link of the node, by a reload."""
        for side, host in self.hosts.items():
            family = self.family[side]
            assert ipaddress.ip_address(self.peer(side)).version == family
            self.mtu[side] = mtu
            host.set_mtu(mtu, family)
            self.links[side]["mtu"] = mtu - OVERHEAD[family]
        self.node.reload()
