"""A group on several supernodes of one Ethernet, and WireGuard clients of theirs, made by the command line alone."""
from .client import Client, read_file
from .member import Member
from .namespace import cable
from .process import wait_until

GROUP = "friends"


class Village:
    """
    Supernodes n1 to n<count>, 2001:db8::<number> each, with a data plane; n1 founds the group, invites the others, who
    join, and all of them are supernodes and may invite.
    """

    def __init__(self, lab, count):
        self.lab = lab
        self.switch = lab.namespace("switch")
        self.switch.ip("link add br0 type bridge mcast_snooping 0")
        self.switch.ip("link set dev br0 up")
        self.clients = {}
        self.nodes = [self.make_node(number) for number in range(1, count + 1)]

    def plug(self, namespace, interface, name):
        cable(namespace, interface, self.switch, name)
        self.switch.ip(f"link set dev {name} master br0")

    def make_node(self, number):
        node = self.lab.node(f"n{number}")
        self.plug(node.namespace, "eth0", f"p{number}")
        node.port("eth0", f"2001:db8::{number}/64")
        node.config["wireguard"] = {"endpoint": f"[2001:db8::{number}]:51820"}
        cloud = {"name": "global", "seeds": ["[2001:db8::1]:3541"]}
        if number == 1:
            cloud.update(answers=True, cache=1000)
            del cloud["seeds"]
        node.config["clouds"] = [cloud]
        node.start(ready=False)
        node.wait_ready(links=False)
        return node

    def found(self):
        first, *others = self.nodes
        for node in self.nodes:
            node.cli("identity", "create", "--friendly-name", node.name)
        first.cli("group", "create", GROUP)
        for node in others:
            self.join(node)
        wait_until("everybody knows everybody", lambda: len({tuple(self.members(node)) for node in self.nodes}) == 1
                   and len(self.members(first)) == len(self.nodes))
        wait_until("trunks are up", lambda: all(self.trunks_up(node) == len(self.nodes) - 1 for node in self.nodes))
        return self

    def join(self, node, *roles, group=GROUP):
        identity = node.directory / "identity.xml"
        identity.write_text(node.cli("identity", "xml").stdout)
        line = self.nodes[0].cli("group", "invite", group, identity, "--role",
                                 ",".join(roles or ("inviting", "member", "supernode"))).stdout
        invitation = node.directory / "invitation"
        invitation.write_text(line)
        node.cli("group", "join", invitation)

    def members(self, node):
        """Names of those who are members, in order of their peer names."""
        return [member["name"] for member in node.call("group.members", group=GROUP)["members"]
                if not member["revoked"]]

    def member(self, node, name):
        return next(member for member in node.call("group.members", group=GROUP)["members"] if member["name"] == name)

    def trunks_up(self, node):
        return sum(peer["up"] for peer in node.call("peers.list")["peers"] if peer["name"].startswith("trunk/"))

    def ways(self, node, name):
        """Attachments of a member as a node judges them."""
        address = self.member(node, name)["address"]
        return [entry for entry in node.call("group.attachments", group=GROUP)["attachments"]
                if entry["address"] == address]

    def host(self, name):
        """A machine on the Ethernet that knows nothing of groups."""
        number = 0x100 + len(self.lab.namespaces)
        namespace = self.lab.namespace(name)
        self.plug(namespace, "eth0", f"h{number}")
        Member(namespace).underlay(f"2001:db8::{number:x}/64")
        return namespace

    def enroll(self, name, node, group=GROUP):
        """A client of a node, by the file that enrolment prints."""
        text = node.cli("group", "enroll", group, name, "--new-key").stdout
        client = Client(self.lab, self.host(name), text).up()
        self.clients[name] = client
        return client

    def enroll_again(self, name, node):
        """A second tunnel of a client, with the same key and address, by another node."""
        first = self.clients[name]
        text = node.cli("group", "enroll", GROUP, name).stdout
        private = read_file(first.path.read_text())["Interface"]["PrivateKey"]
        lines = [line for line in text.splitlines() if not line.lstrip("# ").startswith("PrivateKey")]
        lines.insert(lines.index("[Interface]") + 1, f"PrivateKey = {private}")
        return Client(self.lab, first.namespace, "\n".join(lines) + "\n", metric=2048).up()

    def renew_key(self, name, node):
        """Another tunnel of a client, with the same address and another key, by the same node."""
        text = node.cli("group", "enroll", GROUP, name, "--new-key").stdout
        return Client(self.lab, self.clients[name].namespace, text, metric=2048).up()
