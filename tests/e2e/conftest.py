"""Options, fixtures and the checks that every end-to-end test gets without asking for them."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import Lab  # noqa: E402
from harness.lab import labs  # noqa: E402
from harness.namespace import remove_stale  # noqa: E402
from harness.node import Build, running  # noqa: E402
from harness.process import wait_until  # noqa: E402

FIGURES = []


def pytest_addoption(parser):
    group = parser.getgroup("bypeer")
    group.addoption("--build-dir", default="build", help="meson build directory with the programs")
    group.addoption("--next-build-dir", help="the same, built with -Dnext_layout=true")
    group.addoption("--long", action="store_true", help="every MTU, not only the edges")
    group.addoption("--stop-dataplane", action="store_true",
                    help="stop each data plane once its node is ready: every test that claims to forward must fail")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes minutes with a sanitizer build")
    config.addinivalue_line("markers", "no_traffic: needs no packet through the data plane")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def interrupt(number, frame):
    """So that clean-up happens also when only this process is told to end."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def pytest_sessionstart(session):
    remove_stale()


def pytest_sessionfinish(session):
    for lab in list(labs):
        lab.abandon()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for lab in labs:
            report.sections.append(("logs of the lab", lab.logs()))


def pytest_terminal_summary(terminalreporter):
    if FIGURES:
        terminalreporter.section("figures")
        for line in FIGURES:
            terminalreporter.line(f"figure: {line}")


@pytest.fixture(scope="session")
def build(request):
    return Build(request.config.getoption("--build-dir"))


@pytest.fixture(scope="session")
def next_build(request):
    directory = request.config.getoption("--next-build-dir")
    if not directory:
        pytest.skip("needs --next-build-dir")
    return Build(directory)


@pytest.fixture(scope="session")
def long_run(request):
    return request.config.getoption("--long")


@pytest.fixture
def figure():
    """figure("grace period", "3 us"): shown at the end of the run. What is measured is stated, not asserted."""
    return lambda name, value: FIGURES.append(f"{name}: {value}")


@pytest.fixture
def lab(build):
    made = Lab(build)
    yield made
    if made in labs:
        made.close()


@pytest.fixture(scope="module")
def module_lab(build):
    """One for all tests of a file, where starting a node for each would take the time."""
    made = Lab(build)
    yield made
    if made in labs:
        made.close()


@pytest.fixture(autouse=True)
def packet_sum(request):
    """After each test: on every node that runs, the packet sum is exact, and its own counters carried the traffic."""
    for node in running:
        node.mark()
    if request.config.getoption("--stop-dataplane"):
        for node in running:
            if node.dataplane.alive():
                node.dataplane.kill()
    yield
    no_traffic = request.node.get_closest_marker("no_traffic")
    for node in list(running):
        if not node.dataplane.alive():
            raise AssertionError(f"{node.name}: the data plane has ended with {node.dataplane.process.returncode}:\n"
                                 + node.dataplane.text()[-4000:])
        wait_until(f"{node.name} answers", lambda node=node: node.call("version"))
        grown = node.grown()
        if not no_traffic:
            received = grown.get("packets.received", 0) + grown.get("packets.injected", 0)
            assert received > 0, f"{node.name}: the test passed, but no packet went through the data plane: {grown}"
