"""The harness itself, with the kernel's own VXLAN-GPE in place of a node: so a failure elsewhere is the node's."""
import json

import pytest

from harness import Flow, Lab, Member, Wire, inner_udp, parse_gpe, ping, tcp_transfer, udp_transfer, write_pcap
from harness.namespace import cable
from harness.process import wait_until

pytestmark = pytest.mark.no_traffic

GROUP = "fd12:3456:789a::/48"
HOSTS = {"left": "fd12:3456:789a::11", "right": "fd12:3456:789a::12"}


@pytest.fixture(scope="module", params=[6, 4])
def routed(request, build):
    """left - router - right; the router is a Linux host that forwards between two tunnels."""
    lab = Lab(build)
    router = Member(lab.namespace("router"))
    router.namespace.sysctl(**{"net.ipv6.conf.all.forwarding": 1, "net.ipv4.ip_forward": 1})
    router.namespace.ip("link add overlay type vxlan external gpe dstport 4790 udp6zerocsumrx")
    router.namespace.ip("link set dev overlay up mtu 1444")
    hosts = {}
    for number, (name, address) in enumerate(HOSTS.items(), 1):
        host = Member(lab.namespace(name))
        cable(host.namespace, "eth0", router.namespace, name)
        if request.param == 6:
            near, far = f"2001:db8:{number}::10", f"2001:db8:{number}::1"
            host.underlay(f"{near}/64")
            router.namespace.ip(f"address add {far}/64 dev {name} nodad")
        else:
            near, far = f"192.0.{number}.10", f"192.0.{number}.1"
            host.underlay(f"{near}/24")
            router.namespace.ip(f"address add {far}/24 dev {name}")
        host.join(address, GROUP, far, 7, mtu=1444)
        encap = f"encap ip6 id 7 dst {near} csum" if request.param == 6 else f"encap ip id 7 dst {near}"
        router.namespace.ip(f"-6 route add {address}/128 {encap} dev overlay")
        hosts[name] = host
    hosts["router"] = router
    yield lab, hosts, request.param
    lab.close()


def test_kernel_hosts_talk(routed):
    _, hosts, _ = routed
    left, right = hosts["left"].namespace, hosts["right"].namespace
    ping(left, HOSTS["right"])
    udp_transfer(left, right, HOSTS["left"], HOSTS["right"], 1444 - 48)
    tcp_transfer(left, right, HOSTS["left"], HOSTS["right"])


def test_nothing_is_taken_for_an_answer(routed):
    _, hosts, _ = routed
    assert ping(hosts["left"].namespace, "fd12:3456:789a::99", count=2, check=False, wait=1) == 0


def test_kernel_frames_are_as_we_parse_them(routed):
    lab, hosts, family = routed
    wire = lab.closing(Wire(hosts["right"].namespace, "eth0"))
    ping(hosts["left"].namespace, HOSTS["right"], count=1)
    got = wire.expect(parse_gpe)
    assert (got.flags, got.next_protocol, got.vni) == (0x0C, 2, 7)
    assert got.inner.dst == HOSTS["right"]
    assert got.checksum_right or (family == 4 and got.udp_checksum == 0)


def test_traffic_is_counted_frame_by_frame(routed, build, tmp_path):
    """Through the kernel router: all that bypeer-traffic sends is received, in order, and a hole is seen."""
    lab, hosts, family = routed
    if family == 4:
        pytest.skip("the same code")
    left, router = hosts["left"].namespace, hosts["router"].namespace
    flow = Flow(left.mac("eth0"), router.mac("left"), "2001:db8:1::10", "2001:db8:1::1", 7, HOSTS["left"],
                HOSTS["right"])
    frames = [flow.frame(inner_udp(HOSTS["left"], HOSTS["right"], payload=bytes(32), sport=5000 + i), checksum=False)
              for i in range(16)]
    write_pcap(tmp_path / "frames.pcap", frames)
    receiver = lab.daemon(hosts["right"].namespace, "receive", [build.traffic, "receive", "eth0"])
    wait_until("the receiver listens", lambda: "listening" in receiver.text())
    done = left.run([build.traffic, "send", "eth0", "--frames", tmp_path / "frames.pcap", "--rate", 20000, "--count",
                     16000])
    assert json.loads(done.stdout)["sent"] == 16000
    receiver.stop()
    counted = json.loads(receiver.text().splitlines()[-1])
    assert (counted["received"], counted["expected"], counted["late"], counted["overrun"]) == (16000, 16000, 0, 0)
    assert counted["flows"] == 16
