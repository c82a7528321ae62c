"""wireguard-go in a namespace, configured by a wg-quick file and nothing else."""
import os

from .process import wait_until


class WireGuard:
    """
    One interface. Its name is nobody else's, since the control sockets of all namespaces are in one directory; wg-quick
    itself would take it from the file's name, so what it does is done here: wg setconf, address, route.
    """
    made = 0

    def __init__(self, lab, namespace, file):
        WireGuard.made += 1
        self.namespace = namespace
        self.interface = f"wg{os.getpid() % 1000000}n{WireGuard.made % 1000}"
        self.daemon = lab.daemon(namespace, f"wireguard-go-{self.interface}",
                                 ["env", "WG_PROCESS_FOREGROUND=1", "wireguard-go", "-f", self.interface])
        socket = f"/var/run/wireguard/{self.interface}.sock"
        wait_until("wireguard-go listens", lambda: os.path.exists(socket))
        stripped = lab.directory / f"{self.interface}.stripped"
        stripped.write_text(namespace.run(["wg-quick", "strip", file]).stdout)
        self.wg("setconf", self.interface, stripped)
        self.address, self.network = read_address(file)
        namespace.ip(f"link set dev {self.interface} mtu 1420 up")
        namespace.ip(f"address add {self.address}/{self.network} dev {self.interface} nodad")

    def wg(self, *words, check=True):
        return self.namespace.run(["wg", *words], check=check)

    def shell(self, text):
        """A snippet for a shell, as it was printed, but for the name of the interface."""
        return self.namespace.run(["sh", "-ec", text])

    def endpoints(self):
        return self.wg("show", self.interface, "endpoints").stdout

    def handshakes(self):
        """Public key -> seconds of the epoch of the last handshake; 0: none."""
        lines = self.wg("show", self.interface, "latest-handshakes").stdout.splitlines()
        return {key: int(time) for key, time in (line.split() for line in lines)}


def read_address(file):
    """What the line Address says: the address and its prefix length."""
    for line in open(file, encoding="ascii"):
        name, _, value = line.partition("=")
        if name.strip() == "Address":
            address, _, bits = value.strip().partition("/")
            return address, int(bits)
    raise ValueError(f"{file} has no Address")
