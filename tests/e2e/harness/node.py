"""A bypeer node: one configuration, bypeerd and bypeer-dataplane, started as a user starts them."""
import os
import pathlib
import shutil
import signal

import yaml

from .counters import Counters, at_rest
from .namespace import capture
from .process import Daemon, wait_until
from .rpc import Client, Refused

# Every node whose data plane should be running, for the check of the packet sum after each test.
running = []


class Build:
    """Where the programs are: a meson build directory."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory).resolve()
        self.control = self.directory / "control" / "bypeerd"
        self.dataplane = self.directory / "dataplane" / "bypeer-dataplane"
        self.cli = self.directory / "tools" / "cli" / "bypeer"
        self.traffic = self.directory / "tests" / "e2e" / "bypeer-traffic"


class Node:
    # Set by --stop-dataplane: a test that passes all the same does not test the data plane.
    stopped_when_ready = False

    def __init__(self, lab, namespace, name, build, workers=1, driver="net_af_xdp", core=None):
        self.lab = lab
        self.namespace = namespace
        self.name = name
        self.build = build
        self.dataplane_build = build
        self.driver = driver
        self.directory = lab.directory / name
        self.directory.mkdir()
        self.file = self.directory / "bypeer.yaml"
        self.prefix = f"bypeer-e2e-{lab.name}-{name}"
        cores = os.cpu_count()
        first = core if core is not None else len(lab.nodes) + int(os.environ.get("BYPEER_FIRST_CORE", 0))
        self.config = {
            "node": {"name": name, "state": str(self.directory / "state"), "run": str(self.directory / "run")},
            "tables": {"members": 4096, "links": 64, "prefixes": 256},
            "dataplane": {
                "workers": workers,
                "cores": [(first + i) % cores for i in range(workers)],
                "memory": "normal",
                "megabytes": 128,
                "file-prefix": self.prefix,
            },
            "overlay": {"tap": "bypeer0"},
            "ports": [], "groups": [], "links": [], "members": [], "routes": [],
        }
        for part in ("state", "run"):
            (self.directory / part).mkdir()
        self.control = self.dataplane = None
        self.client = Client(self.directory / "run" / "control.sock")
        self.baseline = None
        self.baseline_pid = None

    # --- configuration: each adds an entry and returns it, so that a test can change it before a reload ---

    def port(self, name, *addresses, mtu=1500, queues=1, tap=None):
        """The port is the namespace's interface of the same name, captured by the data plane."""
        number = len(self.config["ports"])
        device = f"{self.driver}{number},iface={name}"
        if queues > 1:
            device += f",queue_count={queues}" if self.driver == "net_af_xdp" else f",qpairs={queues}"
        entry = {"name": name, "device": device, "mtu": mtu, "addresses": list(addresses), "tap": tap or f"tap-{name}"}
        if queues > 1:
            entry["queues"] = queues
        self.config["ports"].append(entry)
        capture(self.namespace, name)
        return entry

    def group(self, name, prefix, vni, address=None):
        entry = {"name": name, "prefix": prefix, "vni": vni}
        if address:
            entry["address"] = address
        self.config["groups"].append(entry)
        return entry

    def link(self, name, group, peer, **more):
        entry = {"name": name, "group": group, "peer": peer, **more}
        self.config["links"].append(entry)
        return entry

    def member(self, address, link):
        entry = {"address": address, "link": link}
        self.config["members"].append(entry)
        return entry

    def route(self, prefix, link):
        entry = {"prefix": prefix, "link": link}
        self.config["routes"].append(entry)
        return entry

    def write(self):
        self.file.write_text(yaml.safe_dump({k: v for k, v in self.config.items() if v != []}, sort_keys=False))

    # --- processes ---

    def start(self, ready=True):
        self.write()
        self.start_control()
        self.start_dataplane()
        if ready:
            self.wait_ready()
        return self

    def start_control(self, build=None):
        build = build or self.build
        self.control = self.daemon("bypeerd", build.control)

    def start_dataplane(self, build=None):
        build = build or self.dataplane_build
        self.dataplane = self.daemon("bypeer-dataplane", build.dataplane)
        if self not in running:
            running.append(self)

    def daemon(self, name, program):
        assert program.exists(), f"{program} has not been built"
        # DPDK's own allocations are its own business; what our processes leave unfreed at exit is looked at in unit tests.
        environment = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:" + os.environ.get("BYPEER_ASAN_OPTIONS", ""),
                       "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
        return Daemon(name, self.namespace.argv([program, "--config", self.file]), self.directory / f"{name}.log",
                      environment)

    def wait_ready(self, timeout=30, links=True):
        """Until workers use the newest tables and, unless told not to, every link has a resolved next hop."""
        def ready():
            for daemon in (self.control, self.dataplane):
                assert daemon.alive(), f"{self.name}: {daemon.name} ended with {daemon.process.returncode}\n" + \
                    daemon.text()[-3000:]
            try:
                status = self.call("status")
                dataplane = status["dataplane"]
                if dataplane["state"] != "attached" or dataplane["pid"] != self.dataplane.pid:
                    return None
                if not dataplane["generation"] or dataplane["generation"] != status["tables"]["generation"]:
                    return None
                if links and not all(link["up"] for link in self.call("links.list")["links"]):
                    return None
                return status
            except (OSError, Refused, ValueError):
                return None
        status = wait_until(f"{self.name} is ready", ready, timeout)
        if self.stopped_when_ready:
            self.dataplane.kill()
        return status

    def kill_control(self):
        self.control.kill()
        self.client.close()

    def kill_dataplane(self):
        self.dataplane.kill()

    def stop_dataplane(self):
        status = self.dataplane.stop()
        if self in running:
            running.remove(self)
        return status

    def reload(self):
        """Writes the configuration as it is now and sends SIGHUP; wait for the effect, not for the signal."""
        self.write()
        self.control.signal(signal.SIGHUP)

    def stop(self):
        """Both end with status 0 and without a word of a sanitizer; a list of what was wrong."""
        wrong = []
        if self in running:
            running.remove(self)
        self.client.close()
        for daemon in (self.dataplane, self.control):
            if daemon is None:
                continue
            if daemon.alive():
                status = daemon.stop()
                if status != 0:
                    wrong.append(f"{self.name}: {daemon.name} ended with {status} after SIGTERM")
            complaint = daemon.complaints()
            if complaint:
                wrong.append(f"{self.name}: {daemon.name}: {complaint}")
        self.dataplane = self.control = None
        shutil.rmtree(f"/run/dpdk/{self.prefix}", ignore_errors=True)
        return wrong

    def kill_all(self):
        """For the end of a run that was interrupted."""
        if self in running:
            running.remove(self)
        for daemon in (self.dataplane, self.control):
            if daemon is not None and daemon.alive():
                daemon.kill()
        shutil.rmtree(f"/run/dpdk/{self.prefix}", ignore_errors=True)

    # --- what it says ---

    def call(self, method, **parameters):
        return self.client.call(method, **parameters)

    def counters(self):
        return Counters(self.call("counters"))

    def rest(self):
        return at_rest(self)

    def cli(self, *words, check=True):
        from .namespace import run
        return run([self.build.cli, "--config", self.file, *words], check=check)

    def mac(self, port):
        for entry in self.call("status")["dataplane"]["ports"]:
            if entry["name"] == port:
                return entry["mac"]
        raise KeyError(port)

    def mark(self):
        """Remembers where the counters stand, for carried() and for the check after each test."""
        self.baseline = self.counters()
        self.baseline_pid = self.dataplane.pid

    def grown(self):
        """Counters since mark(), or since the data plane started, whichever is later."""
        before = self.baseline if self.baseline is not None and self.baseline_pid == self.dataplane.pid else {}
        return self.rest().since(before)

    def logs(self):
        text = ""
        for name in ("bypeerd", "bypeer-dataplane"):
            path = self.directory / f"{name}.log"
            if path.exists():
                text += f"--- {self.name}: {name}\n{path.read_text(errors='replace')[-6000:]}\n"
        return text
