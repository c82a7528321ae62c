"""Names in a cloud: what one node publishes every other resolves, on plain sockets and with a data plane alike."""
import time

import pytest

from harness import Lab, Refused
from harness.cloud import Cloud, is_up, publish, resolve, state
from harness.process import wait_until


@pytest.fixture(scope="module", params=[False, True], ids=["sockets", "dataplane"])
def cloud(request, build):
    lab = Lab(build)
    made = Cloud(lab, 10, dataplane=request.param).start()
    yield made
    lab.close()


def others(cloud, *but):
    return [node for node in cloud.nodes if node not in but]


def test_what_one_publishes_every_other_resolves(cloud, figure):
    slowest = 0
    for node in cloud.nodes:
        published = publish(node, f"host-{node.number}", comment=f"number {node.number}", payload="some text")
        assert published["name"] == f"0.host-{node.number}"
        assert len(published["registrations"]) == 1
        for asking in others(cloud, node):
            answer = asking.call("names.resolve", name=published["name"], timeout_ms=10000)
            found = answer["results"][0]
            assert found["id"] == published["registrations"][0]["id"]
            assert found["endpoints"] == [
                {"address": cloud.address(node.number), "port": 8080, "protocol": "tcp"}]
            assert found["comment"] == f"number {node.number}"
            assert found["payload"] == "some text"
            assert not found["secure"]
            slowest = max(slowest, answer["elapsed_ms"])
    figure(f"slowest first answer of {len(cloud.nodes) ** 2} ({'dataplane' if cloud.dataplane else 'sockets'})",
           f"{slowest} ms")


def test_a_secure_name_is_found_by_its_host_name_too(cloud):
    node = cloud.nodes[2]
    published = node.call("names.publish", classifier="printer",
                          endpoints=[{"address": "2001:db8:9::1", "port": 631, "protocol": "tcp"}])
    authority, classifier = published["name"].split(".")
    assert len(authority) == 40 and classifier == "printer"
    for asking in others(cloud, node)[:3]:
        for name in (published["name"], published["host"]):
            found = resolve(asking, name)
            assert [result["id"] for result in found] == [published["registrations"][0]["id"]]
            assert found[0]["secure"] and found[0]["endpoints"][0]["address"] == "2001:db8:9::1"


def test_several_registrations_of_one_name_are_all_found(cloud):
    ids = {publish(node, "many")["registrations"][0]["id"] for node in cloud.nodes[3:6]}
    found = wait_until("all three are found", lambda: [
        results for results in [resolve(cloud.nodes[8], "0.many", results=3, timeout_ms=3000)] if len(results) == 3])
    assert {result["id"] for result in found[0]} == ids


def test_an_update_is_what_resolvers_get(cloud):
    node = cloud.nodes[1]
    publish(node, "changing", payload="before")
    assert resolve(cloud.nodes[5], "0.changing")[0]["payload"] == "before"
    node.call("names.update", name="0.changing", port=9090, payload="after")
    found = resolve(cloud.nodes[5], "0.changing")[0]
    assert found["payload"] == "after" and found["endpoints"][0]["port"] == 9090


def test_other_calls_go_on_while_a_name_is_looked_for(cloud):
    client = cloud.nodes[4].client
    client.connect()
    client.socket.sendall(b'{"jsonrpc":"2.0","id":"slow","method":"names.resolve",'
                          b'"params":{"name":"0.nobody-has-this","timeout_ms":2000}}\n'
                          b'{"jsonrpc":"2.0","id":"fast","method":"version"}\n')
    assert '"fast"' in client.line().decode()
    assert '"slow"' in client.line().decode()
    client.close()


def test_results_are_told_as_they_come(cloud):
    publish(cloud.nodes[6], "streamed")
    client = cloud.nodes[7].client
    client.connect()
    client.socket.sendall(b'{"jsonrpc":"2.0","id":7,"method":"names.resolve",'
                          b'"params":{"name":"0.streamed","stream":true,"timeout_ms":5000}}\n')
    notice, answer = client.line().decode(), client.line().decode()
    assert '"names.found"' in notice and '"id":7' in notice and '"0.streamed"' in notice
    assert '"results"' in answer
    client.close()


def test_what_is_unpublished_is_not_found_any_more(cloud):
    node = cloud.nodes[5]
    publish(node, "short-lived")
    for asking in others(cloud, node):
        assert resolve(asking, "0.short-lived")
    assert node.call("names.unpublish", name="0.short-lived") == {"removed": 1}
    publish(node, "longer-lived")
    for asking in others(cloud, node):
        assert resolve(asking, "0.short-lived", timeout_ms=1000) == []
        assert resolve(asking, "0.longer-lived")
    with pytest.raises(Refused):
        node.call("names.unpublish", name="0.short-lived")


def test_a_killed_daemon_comes_back_with_the_same_names(cloud):
    node = cloud.nodes[9]
    published = publish(node, "durable")
    before = node.call("names.list")["names"]
    node.kill_control()
    node.start_control()
    wait_until("it publishes again", lambda: published["registrations"][0]["id"] in [
        entry["id"] for entry in names_of(node) if entry["state"] == "published"])
    assert node.call("names.list")["names"] == before
    for asking in others(cloud, node)[:3]:
        assert resolve(asking, "0.durable", timeout_ms=5000)[0]["id"] == published["registrations"][0]["id"]


def names_of(node):
    try:
        return node.call("names.list")["names"]
    except (OSError, ValueError):
        return []


def test_the_way_to_a_name_can_be_seen(cloud):
    publish(cloud.nodes[2], "far")
    path = cloud.nodes[6].call("names.lookup_path", name="0.far")
    assert path["found"]
    assert path["hops"][-1]["validation"] and path["hops"][-1]["verdict"] == "accepted"
    assert path["hops"][-1]["endpoint"] == f"[{cloud.address(3)}]:3541"


def test_the_data_plane_answers(cloud):
    if not cloud.dataplane:
        pytest.skip("is off")
    before = cloud.seed.counters()
    for asking in others(cloud, cloud.seed)[:3]:
        assert resolve(asking, "0.nobody-has-this-either", timeout_ms=200) == []
    after = cloud.seed.counters()
    assert after["pnrp.lookups"] > before["pnrp.lookups"], after
    assert state(cloud.seed)["state"] == "active"


@pytest.mark.soak
def test_a_cloud_that_was_split_finds_itself_again(cloud, figure):
    """A minute in two halves; in that without the seed a name is published that nobody else can have heard of."""
    for node in cloud.nodes:  # who publishes nothing is known to nobody
        publish(node, f"host-{node.number}")
        for asking in others(cloud, node):
            assert resolve(asking, f"0.host-{node.number}", timeout_ms=10000)
    away = cloud.nodes[5:]
    cloud.split(away)
    publish(away[0], "from-afar")
    time.sleep(60)
    assert resolve(away[1], "0.from-afar", timeout_ms=5000)
    for asking in cloud.nodes[:5]:
        assert resolve(asking, "0.from-afar", timeout_ms=1000) == []
    cloud.join(away)
    joined = time.monotonic()
    for asking in cloud.nodes[:5]:
        wait_until(f"{asking.name} finds it", lambda asking=asking: resolve(asking, "0.from-afar"), timeout=180)
    figure(f"a split cloud is one again ({'dataplane' if cloud.dataplane else 'sockets'})",
           f"{time.monotonic() - joined:.1f} s")


def test_names_of_the_living_are_found_when_three_nodes_die(cloud):
    dead = cloud.nodes[6:9]
    living = [node for node in cloud.nodes if node not in dead]
    for node in dead:
        node.kill_control()
    for node in living[1:]:
        for asking in living:
            if asking is not node:
                assert resolve(asking, f"0.host-{node.number}", timeout_ms=10000), (asking.name, node.name)


@pytest.fixture(scope="module")
def link(build):
    """Two nodes on a cable that know of nobody: no seeds, no configured addresses."""
    lab = Lab(build)
    left, right = lab.node("left"), lab.node("right")
    lab.cable(left, "eth0", right, "eth0")
    for node in (left, right):
        node.config["clouds"] = [{"name": "home", "scope": "link", "interface": "eth0"}]
        node.write()
        node.start_control()
    for node in (left, right):
        wait_until(f"{node.name} has a network", lambda node=node: is_up(node))
    yield left, right
    lab.close()


def test_nodes_of_one_link_find_each_other_by_ssdp(link):
    left, right = link
    publish(left, "neighbour")
    wait_until("it is found", lambda: resolve(right, "0.neighbour", timeout_ms=3000), timeout=60)
    assert state(right)["scope"] == "link" and state(right)["interface"] == "eth0"
    assert state(right)["addresses"][0].startswith("fe80::")


def test_a_cloud_follows_its_addresses(link):
    left, right = link
    before = state(left)["addresses"]
    left.namespace.ip("address add fe80::1234/64 dev eth0 nodad")
    wait_until("it is used", lambda: "fe80::1234" in state(left)["addresses"])
    left.namespace.ip("address del fe80::1234/64 dev eth0")
    wait_until("it is not used any more", lambda: state(left)["addresses"] == before)
    assert wait_until("the name is still found", lambda: resolve(right, "0.neighbour", timeout_ms=3000), timeout=60)


def test_a_reload_opens_and_closes_clouds(link):
    left, right = link
    second = {"name": "second", "profile": "windows", "scope": "link", "interface": "eth0"}
    for node in (left, right):
        node.config["clouds"].append(dict(second))
        node.reload()
    for node in (left, right):
        wait_until("both clouds are open", lambda node=node: len(node.call("clouds.list")["clouds"]) == 2)
    publish(left, "in-the-second", clouds=["second"])
    assert wait_until("it is found there",
                      lambda: resolve(right, "0.in-the-second", clouds=["second"], timeout_ms=3000), timeout=60)
    left.config["clouds"].pop()
    left.reload()
    wait_until("it is closed", lambda: len(left.call("clouds.list")["clouds"]) == 1)
    wait_until("nobody finds it", lambda: not resolve(right, "0.in-the-second", clouds=["second"], timeout_ms=500))
