"""Two supernodes forward for each other's members, as in the demo."""
import pytest

from harness import Lab, ping, tcp_transfer, udp_transfer
from harness.star import GROUP, VNI

ADDRESS = {"alpha": "fd12:3456:789a::1", "beta": "fd12:3456:789a::2"}
MEMBER = {"alpha": "fd12:3456:789a::11", "beta": "fd12:3456:789a::12"}
OTHER = {"alpha": "beta", "beta": "alpha"}


@pytest.fixture(scope="module", params=[(6, "net_af_xdp"), (4, "net_af_xdp"), (6, "net_af_packet")],
                ids=["v6-xdp", "v4-xdp", "v6-packet"])
def pair(request, build):
    """host - alpha - beta - host; the middle is of the parameter's family, the edges are IPv6."""
    family, driver = request.param
    lab = Lab(build)
    nodes, hosts = {}, {}
    between = {"alpha": "2001:db8::1", "beta": "2001:db8::2"} if family == 6 else {"alpha": "192.0.2.1", "beta": "192.0.2.2"}
    for name in ADDRESS:
        nodes[name] = lab.node(name, driver=driver)
    lab.cable(nodes["alpha"], "uplink", nodes["beta"], "uplink")
    for number, (name, node) in enumerate(nodes.items(), 1):
        hosts[name] = lab.host(f"host-{name}", f"2001:db8:{number}::10/64", node=node, port="access")
        node.port("access", f"2001:db8:{number}::1/64")
        node.port("uplink", f"{between[name]}/{64 if family == 6 else 24}")
        node.group("lab", GROUP, VNI, ADDRESS[name])
        node.link("host", "lab", f"2001:db8:{number}::10")
        node.link("other", "lab", between[OTHER[name]])
        node.member(MEMBER[name], "host")
        node.member(MEMBER[OTHER[name]], "other")
        node.member(ADDRESS[OTHER[name]], "other")
        hosts[name].join(MEMBER[name], GROUP, f"2001:db8:{number}::1", VNI)
    for node in nodes.values():
        node.start(ready=False)
    for node in nodes.values():
        node.wait_ready()
    yield nodes, {name: host.namespace for name, host in hosts.items()}
    lab.close()


def test_ping(pair):
    nodes, hosts = pair
    ping(hosts["alpha"], MEMBER["beta"], count=10)
    ping(hosts["beta"], MEMBER["alpha"], count=10)
    for node in nodes.values():
        assert node.grown()["node.fabric_encap"] >= 40


def test_ping_of_the_largest_size(pair):
    _, hosts = pair
    ping(hosts["alpha"], MEMBER["beta"], count=2, size=1444 - 48)


def test_the_far_node_is_a_member_too(pair):
    nodes, hosts = pair
    ping(hosts["alpha"], ADDRESS["beta"], count=3)
    ping(nodes["alpha"].namespace, ADDRESS["beta"], count=3)
    ping(nodes["beta"].namespace, MEMBER["alpha"], count=3)


def test_tcp_and_udp(pair):
    _, hosts = pair
    tcp_transfer(hosts["alpha"], hosts["beta"], MEMBER["alpha"], MEMBER["beta"], 2 << 20)
    udp_transfer(hosts["alpha"], hosts["beta"], MEMBER["alpha"], MEMBER["beta"], 1444 - 48)


def test_both_ends_say_so(pair):
    nodes, hosts = pair
    before = {name: {link["name"]: link for link in node.call("links.list")["links"]} for name, node in nodes.items()}
    ping(hosts["alpha"], MEMBER["beta"], count=10)
    for name, node in nodes.items():
        after = {link["name"]: link for link in node.call("links.list")["links"]}
        for link in ("host", "other"):
            for way in ("sent_packets", "received_packets"):
                assert after[link][way] - before[name][link][way] >= 10, (name, link, way)
