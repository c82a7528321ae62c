"""A run in which every data plane is stopped must fail: nothing here may be answered by the kernel behind its back."""
import pathlib
import re
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.no_traffic, pytest.mark.soak]

HERE = pathlib.Path(__file__).parent
# Of each file, tests that claim to have sent packets through a node.
CLAIMS = [
    "test_forwarding.py::test_ping", "test_forwarding.py::test_tcp", "test_forwarding.py::test_udp_of_1_mb",
    "test_crafted.py::test_good_ones_pass", "test_exception.py::test_ping", "test_host.py::test_ping_both_ways",
    "test_two_nodes.py::test_ping",
]


def test_nothing_passes_without_the_data_plane(request):
    wanted = [str(HERE / claim) for claim in CLAIMS]
    inner = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--tb=no", "--stop-dataplane",
         f"--build-dir={request.config.getoption('--build-dir')}", *wanted],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = inner.communicate(timeout=900)
    finally:  # interrupted: it has labs of its own to take down
        inner.terminate()
        inner.wait(60)
    summary = said.strip().splitlines()[-1]
    assert inner.returncode == 1, said
    assert "passed" not in summary, said
    assert int(re.search(r"(\d+) failed", summary).group(1)) >= len(CLAIMS), said
