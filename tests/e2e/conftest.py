"""Options, fixtures and the checks that every end-to-end test gets without asking for them."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import Lab, transfer  # noqa: E402
from harness.lab import labs  # noqa: E402
from harness.namespace import remove_stale  # noqa: E402
from harness.node import Build, Node, running  # noqa: E402

FIGURES = []


def pytest_addoption(parser):
    group = parser.getgroup("bypeer")
    group.addoption("--build-dir", default="build", help="meson build directory with the programs")
    group.addoption("--next-build-dir", help="the same, built with -Dnext_layout=true")
    group.addoption("--long", action="store_true", help="every MTU, not only the edges; gigabytes; and -m soak")
    group.addoption("--record", help="directory for fixtures of unit tests that are made from traffic")
    group.addoption("--stop-dataplane", action="store_true",
                    help="stop each data plane once its node is ready: every test that claims to forward must fail")


def pytest_configure(config):
    if config.getoption("--stop-dataplane"):
        Node.stopped_when_ready = True
        transfer.patience = 3
    config.addinivalue_line("markers", "slow: takes minutes with a sanitizer build")
    config.addinivalue_line("markers", "confined: runs in the units' sandbox, where no sanitizer starts")
    config.addinivalue_line("markers", "alone: sends as fast as it can, or measures: nothing runs beside it")
    config.addinivalue_line("markers", "soak: minutes of waiting and little work: each in a process of its own, at once")
    config.addinivalue_line("markers", "no_traffic: needs no packet through the data plane")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def interrupt(number, frame):
    """So that clean-up happens also when only this process is told to end."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(pytest.mark.skip("waits for minutes: --long"))


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


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """The test, then what holds after each one: while its nodes still run, and as a failure of the test itself."""
    stop = pyfuncitem.config.getoption("--stop-dataplane")
    for node in running:
        if stop and node.dataplane.alive():
            node.dataplane.kill()
        elif not stop:
            node.mark()
    pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames})
    if not stop:
        mine = labs_of(pyfuncitem.funcargs.values())
        for node in list(running):
            check_node(node, traffic=node.lab in mine and not pyfuncitem.get_closest_marker("no_traffic"))
    return True


def labs_of(things):
    """Labs among the fixtures of a test: others may be up beside them, for another parameter of the same file."""
    found = []
    for thing in things:
        if isinstance(thing, Lab):
            found.append(thing)
        elif isinstance(thing, dict):
            found += labs_of(thing.values())
        elif isinstance(thing, (tuple, list)):
            found += labs_of(thing)
        elif isinstance(getattr(thing, "lab", None), Lab):
            found.append(thing.lab)
    return found


def check_node(node, traffic):
    """The packet sum is exact, and the data plane's own counters carried the traffic."""
    assert node.dataplane.alive(), \
        f"{node.name}: the data plane has ended with {node.dataplane.process.returncode}:\n{node.dataplane.text()[-4000:]}"
    grown = node.grown()
    if traffic:
        arrived = grown.get("packets.received", 0) + grown.get("packets.injected", 0)
        assert arrived > 0, f"{node.name}: the test passed, but no packet went through the data plane: {grown}"
