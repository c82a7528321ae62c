"""A plain Linux host in the overlay: the kernel's own VXLAN-GPE driver and ordinary routes, as in the README."""
import ipaddress
import socket

from .namespace import no_offloads
from .wire import Wire

OVERHEAD = {6: 40 + 8 + 8, 4: 20 + 8 + 8}
VXLAN = "overlay"


class Member:
    def __init__(self, namespace, interface="eth0"):
        self.namespace = namespace
        self.interface = interface
        self.address = None

    def underlay(self, *addresses):
        """Addresses with prefix length, of either family."""
        for address in addresses:
            nodad = " nodad" if ":" in address else ""
            self.namespace.ip(f"address add {address} dev {self.interface}{nodad}")

    def join(self, address, group, node, vni, mtu=None, underlay_mtu=1500, checksum=True):
        """Becomes member address of the /48 group, reached through node (its underlay address)."""
        family = ipaddress.ip_address(node).version
        self.address = address
        self.namespace.ip(f"link add {VXLAN} type vxlan external gpe dstport 4790 udp6zerocsumrx")
        no_offloads(self.namespace, VXLAN)
        self.namespace.ip(f"link set dev {VXLAN} mtu {mtu or underlay_mtu - OVERHEAD[family]} up")
        self.namespace.ip(f"address add {address}/128 dev {VXLAN} nodad")
        encap = "encap ip6" if family == 6 else "encap ip"
        csum = " csum" if checksum and family == 6 else ""
        self.namespace.ip(f"-6 route add {group} {encap} id {vni} dst {node}{csum} dev {VXLAN}")

    def leave(self):
        self.namespace.ip(f"link del {VXLAN}")

    def set_mtu(self, underlay_mtu, family, overlay_mtu=None):
        """An IPv6 device whose MTU falls below 1280 loses its addresses, so never go there."""
        self.namespace.ip(f"link set dev {self.interface} mtu {underlay_mtu}")
        self.namespace.ip(f"link set dev {VXLAN} mtu {overlay_mtu or underlay_mtu - OVERHEAD[family]}")

    def wire(self):
        return Wire(self.namespace, self.interface)

    def absorb(self):
        """For crafted traffic without a tunnel device: takes VXLAN-GPE packets, so that no ICMP error answers them."""
        with self.namespace.entered():
            taken = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            taken.bind(("::", 4790))
        return taken
