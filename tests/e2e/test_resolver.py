"""Names for programs that know nothing of bypeer: getaddrinfo() through libnss_bypeer, and DNS.

Two nodes without data plane, one cloud. Programs run in beta's namespace, in a mount namespace of their own with an
nsswitch.conf and resolv.conf of the test's.
"""
import json
import socket
import threading
import time

import pytest
from scapy.layers.dns import DNS, DNSQR, DNSRR

from harness.namespace import run
from harness.process import wait_until

pytestmark = pytest.mark.no_traffic

ALPHA = "2001:db8:1::1"
BETA = "2001:db8:1::2"
ELSEWHERE = "2001:db8:7::7"
WITH_FILES = 'mount --bind "$1" /etc/nsswitch.conf && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"'
LOOK_UP = """
import socket, sys
for entry in socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM):
    print(entry[4][0])
"""


class Programs:
    """Programs as they run on beta's host."""

    def __init__(self, lab, node, hosts="files bypeer [!UNAVAIL=return] dns", nameserver="127.0.0.1"):
        self.node = node
        self.build = lab.build
        self.nsswitch = lab.directory / f"nsswitch-{len(hosts)}.conf"
        self.resolv = lab.directory / f"resolv-{len(hosts)}.conf"
        self.nsswitch.write_text(f"hosts: {hosts}\n")
        self.resolv.write_text(f"nameserver {nameserver}\noptions timeout:1 attempts:1\n")

    def run(self, *words, check=True):
        command = ["env", f"LD_LIBRARY_PATH={self.build.directory / 'tools' / 'nss'}",
                   f"BYPEER_NAMES_SOCKET={self.node.directory / 'run' / 'names.sock'}", *words]
        return run(self.node.namespace.argv(["unshare", "-m", "sh", "-c", WITH_FILES, "sh", self.nsswitch, self.resolv,
                                             *command]), check=check)

    def getent(self, name, database="ahosts"):
        done = self.run("getent", database, name, check=False)
        return sorted({line.split()[0] for line in done.stdout.splitlines()})


class Nameserver:
    """DNS for everything else, which remembers what it was asked."""

    def __init__(self, namespace, address="127.0.0.1"):
        self.asked = []
        with namespace.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((address, 53))
        self.socket.settimeout(0.1)
        self.closed = False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.closed:
            try:
                data, source = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            query = DNS(data)
            name = query.qd.qname
            self.asked.append(name.decode().lower())
            answer = DNS(id=query.id, qr=1, rd=1, ra=1, qd=query.qd)
            if query.qd.qtype == 28:
                answer.an = DNSRR(rrname=name, type="AAAA", ttl=60, rdata=ELSEWHERE)
            self.socket.sendto(bytes(answer), source)

    def close(self):
        self.closed = True
        self.thread.join()
        self.socket.close()


@pytest.fixture
def pair(lab):
    """alpha is beta's only seed; beta has published nothing."""
    alpha, beta = lab.node("alpha"), lab.node("beta")
    lab.cable(alpha, "eth0", beta, "eth0")
    for node, address in ((alpha, ALPHA), (beta, BETA)):
        node.namespace.ip(f"address add {address}/64 dev eth0 nodad")
        node.config["clouds"] = [{"name": "global", "seeds": [] if node is alpha else [f"[{ALPHA}]:3541"],
                                  "answers": node is alpha}]
    return alpha, beta


def start(*nodes):
    for node in nodes:
        node.write()
        node.start_control()
        wait_until(f"{node.name} answers", lambda node=node: answers(node))


def answers(node):
    assert node.control.alive(), node.control.text()
    try:
        return node.call("status")
    except OSError:
        return None


def publish(node, classifier, *options):
    """Returns the host name."""
    return json.loads(node.cli("name", "publish", classifier, "--port", "80", "-o", "json", *options).stdout)["host"]


def test_programs_find_names_the_first_time(lab, pair, figure):
    alpha, beta = pair
    start(alpha, beta)
    programs = Programs(lab, beta)
    hosts = [publish(alpha, f"web-{number}") for number in range(4)]

    before = time.monotonic()
    assert programs.getent(hosts[0]) == [ALPHA]
    figure("getent ahosts, cold, with the start of its process", f"{(time.monotonic() - before) * 1000:.0f} ms")
    assert programs.getent(hosts[1], "hosts") == [ALPHA]
    assert programs.run("/usr/bin/python3", "-c", LOOK_UP, hosts[2]).stdout.split() == [ALPHA]

    page = lab.directory / "page"
    page.mkdir()
    (page / "index.html").write_text("found by its name\n")
    lab.daemon(alpha.namespace, "http", ["/usr/bin/python3", "-m", "http.server", "--bind", ALPHA, "--directory", page,
                                         "80"])
    wait_until("the server listens",
               lambda: "LISTEN" in alpha.namespace.run("ss -Hltn sport = 80").stdout)
    fetched = programs.run("curl", "-sS", "--noproxy", "*", f"http://{hosts[3]}/")
    assert fetched.stdout == "found by its name\n"


def test_what_is_ours_never_reaches_dns_and_what_is_not_always_does(lab, pair):
    alpha, beta = pair
    start(alpha, beta)
    programs = Programs(lab, beta)
    nameserver = lab.closing(Nameserver(beta.namespace))
    host = publish(alpha, "web")
    nobody = host.replace("web.", "nobody.")
    assert programs.getent(host) == [ALPHA]
    assert programs.getent(nobody) == []
    assert programs.getent("www.example.net") == [ELSEWHERE]

    beta.control.stop()
    assert programs.getent(host) == []
    assert programs.getent("www.example.net") == [ELSEWHERE]
    assert set(nameserver.asked) == {"www.example.net."}


def test_unpublished_names_are_gone_at_once(lab, pair):
    alpha, beta = pair
    start(alpha, beta)
    programs = Programs(lab, beta)
    host = publish(alpha, "web")
    assert programs.getent(host) == [ALPHA]
    name = json.loads(alpha.cli("name", "list", "-o", "json").stdout)["names"][0]["name"]
    alpha.cli("name", "unpublish", name)
    time.sleep(1)
    assert programs.getent(host) == []


def test_unsecured_names_only_where_they_are_allowed(lab, pair):
    alpha, beta = pair
    start(alpha, beta)
    programs = Programs(lab, beta)
    host = publish(alpha, "web", "--unsecured")
    assert host == "web.pnrp.net"
    assert json.loads(beta.cli("name", "resolve", host, "-o", "json").stdout)["results"][0]["name"] == "0.web"
    assert programs.getent(host) == []
    beta.config["names"] = {"unsecured": True}
    beta.cli("config", "check")
    beta.reload()
    wait_until("the name is found", lambda: programs.getent(host) == [ALPHA])


def ask(namespace, name, kind):
    with namespace.entered():
        asking = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with asking:
        asking.settimeout(10)
        asking.sendto(bytes(DNS(id=7, rd=1, qd=DNSQR(qname=name, qtype=kind))), ("::1", 53))
        return DNS(asking.recv(2048))


def test_dns_answers_libcs_own_resolver(lab, pair):
    """`hosts: dns`, and the node's responder as the only name server."""
    alpha, beta = pair
    beta.config["names"] = {"nss": False, "dns": ["[::1]:53"]}
    start(alpha, beta)
    programs = Programs(lab, beta, hosts="files dns", nameserver="::1")
    host = publish(alpha, "web")
    assert programs.getent(host, "ahostsv6") == [ALPHA]
    assert programs.getent(host) == [ALPHA]
    assert programs.getent("www.example.net") == []

    answer = ask(beta.namespace, host, "AAAA")
    assert (answer.rcode, answer.aa, answer.an.rdata, answer.an.ttl) == (0, 1, ALPHA, 30)
    answer = ask(beta.namespace, host, "A")
    assert (answer.rcode, answer.ancount, answer.ns.type, answer.ns.minimum) == (0, 0, 6, 5)
    assert ask(beta.namespace, host.replace("web.", "nobody."), "AAAA").rcode == 3
    assert ask(beta.namespace, "www.example.net", "AAAA").rcode == 5
