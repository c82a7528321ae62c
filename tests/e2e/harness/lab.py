"""Namespaces, nodes and members of one test, taken down in reverse order whatever happened."""
import os
import pathlib
import shutil
import tempfile

from .member import Member
from .namespace import Namespace, cable
from .node import Node
from .process import Daemon

# Labs that are up, for the report of a failed test and for an interrupted run.
labs = []


class Lab:
    made = 0

    def __init__(self, build):
        Lab.made += 1
        self.name = f"{os.getpid()}-{Lab.made}"
        self.build = build
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="bypeer-e2e-"))
        self.namespaces = {}
        self.nodes = []
        self.daemons = []
        self.open = []
        labs.append(self)

    def namespace(self, name):
        if name not in self.namespaces:
            self.namespaces[name] = Namespace(f"{self.name}-{name}")
        return self.namespaces[name]

    def node(self, name, **options):
        node = Node(self, self.namespace(name), name, options.pop("build", self.build), **options)
        self.nodes.append(node)
        return node

    def host(self, name, *underlay, node=None, port=None, mtu=1500, queues=1):
        """A plain host, its eth0 cabled to a port-to-be of node."""
        namespace = self.namespace(name)
        cable(namespace, "eth0", node.namespace, port or name, mtu=mtu, queues=queues)
        host = Member(namespace)
        host.underlay(*underlay)
        return host

    def cable(self, left, left_port, right, right_port, mtu=1500, queues=1):
        cable(left.namespace, left_port, right.namespace, right_port, mtu=mtu, queues=queues)

    def wire(self, member):
        return self.closing(member.wire())

    def closing(self, thing):
        self.open.append(thing)
        return thing

    def daemon(self, namespace, name, command):
        """A further program, for as long as the lab is up."""
        made = Daemon(name, namespace.argv(command), self.directory / f"{name}-{len(self.daemons)}.log")
        self.daemons.append(made)
        return made

    def close(self):
        """Everything is taken down before anything is complained about."""
        wrong = []
        for thing in reversed(self.open):
            thing.close()
        for daemon in reversed(self.daemons):
            if daemon.alive():
                daemon.stop()
        for node in reversed(self.nodes):
            wrong += node.stop()
        self.remove()
        assert not wrong, "\n".join(wrong)

    def abandon(self):
        for daemon in self.daemons:
            if daemon.alive():
                daemon.kill()
        for node in self.nodes:
            node.kill_all()
        self.remove()

    def remove(self):
        if self in labs:
            labs.remove(self)
        for namespace in reversed(list(self.namespaces.values())):
            namespace.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def logs(self):
        text = "".join(node.logs() for node in self.nodes)
        for daemon in self.daemons:
            text += f"--- {daemon.name}\n{daemon.text()[-2000:]}\n"
        return text
