"""A PNRP cloud of nodes on one Ethernet; the first is its seed, with a data plane or without."""
from .namespace import cable
from .process import wait_until
from .rpc import Refused


class Cloud:
    """
    Nodes n1 to n<count> at the ports of a bridge, 2001:db8::<number> each. n1 is a supernode and the only seed. With
    dataplane its port is driven by bypeer-dataplane, and its cloud's address is that of the port's TAP.
    """

    def __init__(self, lab, count, dataplane=False, **options):
        self.lab = lab
        self.switch = lab.namespace("switch")
        self.switch.ip("link add br0 type bridge mcast_snooping 0")
        self.switch.ip("link set dev br0 up")
        self.nodes = []
        self.dataplane = dataplane
        for number in range(1, count + 1):
            node = lab.node(f"n{number}", **options)
            node.number = number
            cable(node.namespace, "eth0", self.switch, f"p{number}")
            self.switch.ip(f"link set dev p{number} master br0")
            cloud = {"name": "global", "seeds": ["[2001:db8::1]:3541"]}
            if number == 1:
                cloud.update(answers=True, cache=100000)
                del cloud["seeds"]
            if number == 1 and dataplane:
                node.port("eth0", self.interface_address(number))
            else:
                node.namespace.ip(f"address add {self.interface_address(number)} dev eth0 nodad")
            node.config["clouds"] = [cloud]
            node.config["names"] = {"unsecured": True}
            self.nodes.append(node)

    def address(self, number):
        return f"2001:db8::{number}"

    def interface_address(self, number):
        return f"{self.address(number)}/64"

    @property
    def seed(self):
        return self.nodes[0]

    def start(self):
        """The seed first: a node that asks it too early asks again only at its next maintenance."""
        if self.dataplane:
            self.seed.start()
        for node in self.nodes:
            if node.control is None:
                node.write()
                node.start_control()
            if node is self.seed or node is self.nodes[-1]:
                for started in self.nodes[:self.nodes.index(node) + 1]:
                    wait_until(f"{started.name} has a network", lambda started=started: is_up(started))
        return self

    def split(self, away):
        """Moves some nodes to a bridge of their own."""
        self.switch.ip("link add br1 type bridge mcast_snooping 0")
        self.switch.ip("link set dev br1 up")
        for node in away:
            self.switch.ip(f"link set dev p{node.number} master br1")

    def join(self, away):
        for node in away:
            self.switch.ip(f"link set dev p{node.number} master br0")
        self.switch.ip("link delete dev br1")


def is_up(node):
    try:
        return node.call("clouds.list")["clouds"][0]["addresses"]
    except (OSError, ValueError):
        return None


def state(node):
    return node.call("clouds.list")["clouds"][0]


def publish(node, classifier, **more):
    return node.call("names.publish", **{"classifier": classifier, "unsecured": True, "port": 8080, **more})


def resolve(node, name, timeout_ms=1000, **more):
    """The results; [] if there is none in time."""
    try:
        return node.call("names.resolve", name=name, timeout_ms=timeout_ms, **more)["results"]
    except Refused as refused:
        assert refused.data["key"] == "name_not_found", refused
        return []
