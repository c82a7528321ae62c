"""What the end-to-end tests are made of.

A Lab is a set of network namespaces joined by veth pairs. In it live Nodes (bypeerd and bypeer-dataplane as a user runs
them), Members (plain Linux hosts that speak VXLAN-GPE with the kernel's own driver) and Wires (raw sockets that send
crafted frames and see what comes back).

What a node's port is captured from, the kernel must not answer on: capture() takes IPv6 and all addresses away from it
and drops what arrives after the capture point, so nothing can pass behind the data plane's back. The other end's
transmit offloads are off, because a partial checksum never leaves a real NIC either.
"""
from .counters import Counters, at_rest
from .frames import GPE_PORT, Flow, gpe, inner_udp, parse_gpe, write_pcap
from .lab import Lab
from .member import Member
from .node import Node
from .rpc import Client, Refused
from .transfer import ping, reach, tcp_transfer, udp_transfer
from .wire import Wire

__all__ = [
    "Client", "Counters", "Flow", "GPE_PORT", "Lab", "Member", "Node", "Refused", "Wire", "at_rest", "gpe", "inner_udp",
    "parse_gpe", "ping", "reach", "tcp_transfer", "udp_transfer", "write_pcap",
]
