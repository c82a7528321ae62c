"""The two services on a machine that was booted, installed and started by the README's commands."""
import json

import pytest

from harness import Lab
from harness.booted import Booted
from harness.namespace import cable, capture
from harness.process import wait_until

pytestmark = pytest.mark.confined

SERVICES = ("bypeerd", "bypeer-dataplane")
NODE = "2001:db8:1::1"
CAP_SYS_ADMIN = 1 << 21
CONFIG = """
node: { name: alpha }
dataplane: { user: bypeer-dataplane, group: bypeer-dataplane, memory: normal }
tables: { api-group: bypeer }
ports:
  - { name: uplink, device: "net_af_xdp0,iface=eth1", addresses: ["2001:db8:1::1/64"] }
groups:
  - { name: lab, prefix: "fd12:3456:789a::/48", vni: 7, address: "fd12:3456:789a::1" }
"""


@pytest.fixture(scope="module")
def machine(build):
    lab = Lab(build)
    namespace, far = lab.namespace("node"), lab.namespace("far")
    cable(namespace, "eth1", far, "eth0")
    capture(namespace, "eth1")
    far.ip("address add 2001:db8:1::2/64 dev eth0 nodad")
    booted = Booted(lab, namespace)
    booted.far = far
    booted.write("/etc/bypeer/bypeer.yaml", CONFIG)
    booted.run(["sh", "-c", "ldconfig && systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload"])
    booted.run(["systemctl", "enable", "--now", *SERVICES])
    yield booted
    lab.close()


def answers(machine):
    return machine.far.run(["ping", "-c", "1", "-W", "1", NODE], check=False).returncode == 0


def forwards(machine):
    try:
        wait_until("the node answers through its data plane", lambda: answers(machine), 30)
    except AssertionError as gave_up:
        raise AssertionError("\n".join([str(gave_up), *map(machine.journal, SERVICES)])) from None


def main_pid(machine, service):
    return int(machine.show(service, "MainPID"))


def test_services_start_and_forward(machine):
    forwards(machine)
    for service in SERVICES:
        assert machine.show(service, "ActiveState") == "active"
        assert machine.show(service, "NRestarts") == "0", machine.journal(service)
    assert json.loads(machine.run("bypeer status -o json").stdout)["dataplane"]["state"] == "attached"


def test_no_service_is_root_and_no_thread_can_administer_the_system(machine):
    forwards(machine)
    for service in SERVICES:
        pid = main_pid(machine, service)
        threads = machine.run(["sh", "-c", f"cat /proc/{pid}/task/*/status"]).stdout
        assert not [line for line in threads.splitlines() if line.startswith("Uid:") and "\t0" in line]
        capabilities = [int(line.split()[1], 16) for line in threads.splitlines() if line.startswith(("CapEff", "CapPrm"))]
        assert capabilities and not any(one & CAP_SYS_ADMIN for one in capabilities)


@pytest.mark.parametrize("killed", [SERVICES[:1], SERVICES[1:], SERVICES], ids=["control", "data plane", "both"])
def test_what_is_killed_comes_back(machine, killed):
    forwards(machine)
    before = {service: main_pid(machine, service) for service in killed}
    machine.run(["systemctl", "kill", "--signal", "KILL", *killed])
    for service in killed:
        wait_until(f"{service} is back", lambda: main_pid(machine, service) not in (0, before[service]))
    forwards(machine)


def test_a_bad_file_is_refused_and_the_service_goes_on(machine):
    forwards(machine)
    machine.write("/etc/bypeer/bypeer.yaml", CONFIG.replace("vni: 7", "vni: seven"))
    assert machine.run("systemctl reload bypeerd", check=False).returncode != 0
    machine.write("/etc/bypeer/bypeer.yaml", CONFIG)
    machine.run("systemctl reload bypeerd")
    forwards(machine)


def test_a_key_may_be_a_credential(machine):
    key = machine.run("wg genkey").stdout
    machine.write("/etc/bypeer/hub.key", key)
    machine.run("chmod 600 /etc/bypeer/hub.key")
    machine.write("/etc/systemd/system/bypeerd.service.d/key.conf",
                  "[Service]\nLoadCredential=wireguard.key:/etc/bypeer/hub.key\n")
    machine.run("systemctl daemon-reload")
    machine.run("systemctl restart bypeerd")
    forwards(machine)
    made = machine.run("bypeer peer add alice --group lab --new-key").stdout
    public = machine.run(["sh", "-c", "wg pubkey < /etc/bypeer/hub.key"]).stdout.strip()
    assert f"PublicKey = {public}" in made


def test_stopped_services_leave_the_interface(machine):
    forwards(machine)
    assert "prog/xdp" in machine.run("ip link show eth1").stdout
    machine.run(["systemctl", "stop", *SERVICES])
    assert "prog/xdp" not in machine.run("ip link show eth1").stdout
    assert not answers(machine)
    for service in SERVICES:
        assert machine.show(service, "Result") == "success"
    machine.run(["systemctl", "start", *SERVICES])
    forwards(machine)
