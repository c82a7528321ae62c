"""A phone or laptop: wireguard-go in a namespace, which knows nothing but a file as `bypeer peer config` wrote it."""
import os
import time

from .process import wait_until


def read_file(text):
    """Sections of a wg-quick file: {"Interface": {key: value}, "Peer": ...}."""
    sections, section = {}, None
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line:
            key, _, value = line.partition("=")
            section[key.strip()] = value.strip()
    return sections


class Client:
    """
    Does what wg-quick up does (which would take the interface's name from the file's): wg setconf with the stripped
    file, then address, MTU and routes as the file says.
    """

    made = 0

    def __init__(self, lab, namespace, text, metric=1024):
        self.lab, self.namespace, self.metric = lab, namespace, metric
        self.file = read_file(text)
        self.address = self.file["Interface"]["Address"].split("/")[0]
        Client.made += 1
        # The control sockets of all namespaces are in one directory, so the name has to be nobody else's.
        self.interface = f"wg{os.getpid() % 1000000}q{Client.made % 1000}"
        self.path = lab.directory / f"{self.interface}.conf"
        self.path.write_text(text)
        self.path.chmod(0o600)

    def up(self):
        self.daemon = self.lab.daemon(self.namespace, f"client-{self.interface}",
                                      ["env", "WG_PROCESS_FOREGROUND=1", "wireguard-go", "-f", self.interface])
        socket = f"/var/run/wireguard/{self.interface}.sock"
        wait_until("wireguard-go listens", lambda: os.path.exists(socket))
        stripped = self.path.with_suffix(".stripped")
        stripped.write_text(self.namespace.run(["wg-quick", "strip", self.path]).stdout)
        self.namespace.run(["wg", "setconf", self.interface, stripped])
        self.namespace.ip(f"address add {self.file['Interface']['Address']} dev {self.interface} nodad")
        self.namespace.ip(f"link set dev {self.interface} mtu {self.file['Interface']['MTU']} up")
        for prefix in self.file["Peer"]["AllowedIPs"].split(","):
            self.namespace.ip(f"-6 route add {prefix.strip()} dev {self.interface} metric {self.metric}")
        return self

    def prefer(self):
        """Of several tunnels that lead to the same members, this one from now on."""
        for prefix in self.file["Peer"]["AllowedIPs"].split(","):
            self.namespace.ip(f"-6 route replace {prefix.strip()} dev {self.interface} metric 1")

    def show(self, what):
        """A number or text of `wg show`, of the one peer."""
        return self.namespace.run(["wg", "show", self.interface, what]).stdout.split()[1]

    def handshake_age(self):
        return time.time() - int(self.show("latest-handshakes"))
