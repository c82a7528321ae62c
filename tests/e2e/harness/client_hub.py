"""A node whose members are WireGuard clients, each in its own network behind a port of the node."""
from .client import Client
from .member import Member
from .namespace import cable, no_offloads
from .star import GROUP, VNI

PORT = 51820


class ClientHub:
    """
    number tells hubs of one test apart: their addresses, in the underlay and in the overlay. The file of every client
    names one endpoint, that of the first side, so the others come to an address of another port; family is that of it.
    """

    def __init__(self, lab, sides=("left", "right"), family=6, name="alpha", number=1, **options):
        self.lab, self.sides, self.family, self.number = lab, list(sides), family, number
        self.node = lab.node(name, **options)
        self.node.group("lab", GROUP, VNI, f"fd12:3456:789a::{number}")
        self.hosts, self.clients = {}, {}
        for side in self.sides:
            self.hosts[side] = lab.host(f"{name}-{side}", f"{self.underlay(side, 6, 16)}/64",
                                        f"{self.underlay(side, 4, 16)}/24", node=self.node, port=side)
            self.node.port(side, f"{self.underlay(side, 6, 1)}/64", f"{self.underlay(side, 4, 1)}/24")
        self.node.config["wireguard"] = {"endpoint": self.endpoint()}

    def underlay(self, side, family, host):
        """Address of a host in the side's network; 1 is the node."""
        net = self.number * 16 + self.sides.index(side) + 1
        return f"2001:db8:{net:x}::{host:x}" if family == 6 else f"198.51.{net}.{host}"

    def endpoint(self):
        address = self.underlay(self.sides[0], self.family, 1)
        return f"[{address}]:{PORT}" if self.family == 6 else f"{address}:{PORT}"

    def start(self):
        self.node.start(ready=False)
        self.node.wait_ready(links=False)
        return self

    def default_route(self, side, namespace=None):
        """By the node, which is the router of its sides."""
        namespace = namespace or self.hosts[side].namespace
        namespace.ip(f"-6 route replace default via {self.underlay(side, 6, 1)}")
        namespace.ip(f"-4 route replace default via {self.underlay(side, 4, 1)}")

    def add(self, name, side=None, namespace=None, *options):
        """The peer, by the command line, and its client, which has nothing but the file that this printed."""
        text = self.node.cli("peer", "add", name, "--group", "lab", "--new-key", *options).stdout
        self.clients[name] = Client(self.lab, namespace or self.hosts[side].namespace, text)
        return self.clients[name]

    def join(self, name, side, *options):
        self.default_route(side)
        return self.add(name, side, None, *options).up()

    def peer(self, name):
        return self.node.call("peers.show", name=name)

    def behind_nat(self, side):
        """A namespace in a private network whose router, the side's host, masquerades both families."""
        router = self.hosts[side].namespace
        inside = self.lab.namespace(f"{self.node.name}-{side}-inside")
        cable(inside, "eth0", router, "inside")
        no_offloads(router, "inside")
        self.default_route(side)
        router.ip("address add 192.168.7.1/24 dev inside")
        router.ip("address add fd99::1/64 dev inside nodad")
        Member(inside).underlay("192.168.7.2/24", "fd99::2/64")
        inside.ip("-4 route add default via 192.168.7.1")
        inside.ip("-6 route add default via fd99::1")
        router.sysctl(**{"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1})
        for family in ("ip", "ip6"):
            router.run(["nft", f"table {family} nat {{ chain out {{ type nat hook postrouting priority 100; "
                               "oifname eth0 masquerade; }; }"])
        return inside
