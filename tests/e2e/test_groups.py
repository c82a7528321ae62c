"""Groups that are joined by invitation: members find each other, keep the same records, and cut off who is revoked."""
import base64
import contextlib
import re
import socket
import sqlite3

import pytest

from harness import Lab, Refused
from harness.cloud import Cloud
from harness.process import wait_until

TYPE = "6f2b5c1a-0d53-4f7e-9c1e-1a2b3c4d5e6f"
PATIENCE = 60


@pytest.fixture(scope="module")
def cloud(build):
    lab = Lab(build)
    made = Cloud(lab, 4).start()
    yield made
    lab.close()


def identity(node):
    return node.call("identities.show")["identity"]["xml"]


def show(node, group):
    try:
        return node.call("group.show", group=group)
    except (OSError, ValueError):
        return {"state": "down"}


def members(node, group):
    """(peer name, address, roles, revoked) of each; the same on all nodes that know the same."""
    try:
        listed = node.call("group.members", group=group)["members"]
    except (OSError, ValueError):
        return []
    return sorted((m["member"], m["address"], tuple(m["roles"]), m["revoked"]) for m in listed)


def payloads(node, group):
    try:
        return sorted(record["payload"] for record in node.call("record.list", group=group, type=TYPE)["records"])
    except (OSError, ValueError):
        return None


def publish(node, group, payload, **more):
    return node.call("record.publish", group=group, type=TYPE, payload=payload, **more)["id"]


def wait_same(nodes, what, look, **more):
    """Until look() says the same on all nodes, and it is true; returns it."""
    def same():
        seen = [look(node) for node in nodes]
        return seen[0] if seen[0] and all(each == seen[0] for each in seen) else None
    return wait_until(what, same, timeout=PATIENCE, **more)


def wait_state(node, group, state="connected"):
    wait_until(f"{node.name} is {state}", lambda: show(node, group)["state"] == state, timeout=PATIENCE)


def actions(node, group):
    return [(entry["action"], entry["whom"]) for entry in node.call("audit.list", group=group, limit=1000)["entries"]]


def refused(node, method, key, **parameters):
    with pytest.raises(Refused) as failure:
        node.call(method, **parameters)
    assert failure.value.data["key"] == key, failure.value


@pytest.fixture(scope="module")
def lab_group(cloud):
    """Founded at n1; n2 joined where the invitation says, n3 and n4 found a member by PNRP alone."""
    n1, n2, n3, n4 = cloud.nodes
    for node in cloud.nodes:
        node.call("identities.create", friendly_name=f"host {node.number}")
    group = n1.call("group.create", name="The Lab", comment="for measuring")["group"]
    for node, roles in ((n2, ["member"]), (n3, ["member", "supernode"]), (n4, ["inviting", "member"])):
        invitation = n1.call("group.invite", group=group, identity=identity(node), roles=roles)
        text = invitation["line"] if node is n2 else re.sub("<SEED>.*?</SEED>", "", invitation["xml"])
        assert "SEED" not in text
        joined = node.call("group.join", invitation=text, timeout_ms=PATIENCE * 1000)
        assert joined["state"] == "connected" and joined["name"] == "The Lab", joined
    wait_same(cloud.nodes, "all know all", lambda node: members(node, group) if len(members(node, group)) == 4 else None)
    return group


def test_all_members_see_the_same_group(cloud, lab_group):
    n1 = cloud.nodes[0]
    seen = wait_same(cloud.nodes, "all agree", lambda node: members(node, lab_group))
    shown = [show(node, lab_group) for node in cloud.nodes]
    assert sorted(each["address"] for each in shown) == sorted(address for _, address, _, _ in seen)
    assert len({each["address"] for each in shown}) == 4
    assert all(each["address"].startswith(each["prefix"].split("::")[0]) for each in shown)
    assert [each["founder"] for each in shown] == [True, False, False, False]
    assert show(cloud.nodes[2], lab_group)["roles"] == ["member", "supernode"]
    assert n1.call("group.show", group="The Lab")["group"] == lab_group
    issued = n1.call("group.issued", group=lab_group)["issued"]
    assert sorted((each["name"], each["state"], each["address"]) for each in issued) == \
        sorted((name, "joined", address) for name, address in
               ((f"host {node.number}", show(node, lab_group)["address"]) for node in cloud.nodes[1:]))


def test_everybody_is_present(cloud, lab_group):
    def present(node):
        nodes = node.call("presence.list", group=lab_group)["nodes"]
        return sorted((each["member"], tuple(each["addresses"])) for each in nodes) if len(nodes) == 4 else None
    seen = wait_same(cloud.nodes, "all see all", present)
    for node in cloud.nodes:
        assert (show(node, lab_group)["identity"], (f"[{cloud.address(node.number)}]:3587",)) in seen
    n2 = cloud.nodes[1]
    n2.call("presence.set", group=lab_group,
            attributes='<attributes><attribute name="Mood" type="string">fine</attribute></attributes>')
    wait_until("the others know its mood", lambda: any(
        "fine" in (each["attributes"] or "") for each in cloud.nodes[3].call("presence.list", group=lab_group)["nodes"]),
        timeout=PATIENCE)


def test_a_record_is_everywhere_what_its_creator_makes_of_it(cloud, lab_group):
    n1, n2, n3, n4 = cloud.nodes
    kept = publish(n3, lab_group, "from n3",
                   attributes='<attributes><attribute name="Topic" type="string">chess</attribute></attributes>')
    wait_same(cloud.nodes, "all have it", lambda node: payloads(node, lab_group) == ["from n3"])
    found = n2.call("record.list", group=lab_group,
                    search='<peersearch><clause attrib="Topic" type="string">che*</clause></peersearch>')["records"]
    assert [record["id"] for record in found] == [kept]
    assert found[0]["creator"] == show(n3, lab_group)["identity"]
    sequence = n4.call("record.list", group=lab_group)["sequence"]
    assert n3.call("record.update", group=lab_group, id=kept, payload="changed")["version"] == 2
    wait_same(cloud.nodes, "all have the change", lambda node: payloads(node, lab_group) == ["changed"])
    events = n4.call("record.watch", group=lab_group, after=sequence, type=TYPE, timeout_ms=20000)["events"]
    assert [(event["change"], event["record"]["payload"]) for event in events] == [("updated", "changed")]
    refused(n2, "record.delete", "not_permitted", group=lab_group, id=kept)
    assert n1.call("record.delete", group=lab_group, id=kept) == {"removed": 1}, "an administrator may"
    wait_same(cloud.nodes, "nobody has it", lambda node: payloads(node, lab_group) == [])


def test_watching_waits_until_something_comes(cloud, lab_group):
    n1, n2, _, _ = cloud.nodes
    client = n2.client
    client.connect()
    client.socket.sendall(f'{{"jsonrpc":"2.0","id":1,"method":"record.watch","params":'
                          f'{{"group":"{lab_group}","type":"{TYPE}","timeout_ms":{PATIENCE * 1000}}}}}\n'
                          '{"jsonrpc":"2.0","id":2,"method":"version"}\n'.encode())
    assert '"id":2' in client.line().decode(), "nobody else waits"
    made = publish(n1, lab_group, "news")
    assert made in client.line().decode()
    client.close()
    n1.call("record.delete", group=lab_group, id=made)


def test_members_may_do_what_their_roles_say(cloud, lab_group):
    _, n2, _, n4 = cloud.nodes
    own = identity(n2)
    refused(n2, "group.invite", "not_permitted", group=lab_group, identity=own)
    refused(n4, "group.invite", "not_permitted", group=lab_group, identity=own, roles=["administrator"])
    refused(n4, "group.revoke", "not_permitted", group=lab_group, member=show(n2, lab_group)["identity"])
    refused(n2, "record.publish", "bad_parameter", group=lab_group, type="01000000-0000-0000-0000-000000000000")
    refused(n2, "identities.delete", "identity_used", identity=show(n2, lab_group)["identity"])


def test_an_invitation_is_for_one_identity_alone(cloud, lab_group):
    n1, n2, n3, _ = cloud.nodes
    group = n1.call("group.create", name="Two")["group"]
    invitation = n1.call("group.invite", group=group, identity=identity(n2))["line"]
    refused(n3, "group.join", "not_invited", invitation=invitation)
    refused(n2, "group.join", "bad_invitation", invitation=invitation[:-7] + "AAAAAAA")
    assert n2.call("group.join", invitation=invitation, timeout_ms=PATIENCE * 1000)["state"] == "connected"
    refused(n2, "group.join", "group_exists", invitation=invitation)
    n2.call("group.leave", group=group)
    refused(n2, "group.show", "no_such_group", group=group)
    assert n2.call("group.join", invitation=invitation, timeout_ms=PATIENCE * 1000)["state"] == "connected"
    for node in (n1, n2):
        node.call("group.leave", group=group)


def test_who_knows_the_password_may_join(cloud, lab_group):
    n1, n2, n3, _ = cloud.nodes
    group = n1.call("group.create", name="Open", password="a word")["group"]
    line = n1.call("group.invite", group=group)["line"]
    refused(n2, "group.join", "needs_password", invitation=line)
    refused(n2, "group.join", "not_joined", invitation=line, password="another word", timeout_ms=4000)
    assert [entry["name"] for entry in n2.call("group.list")["groups"]] == ["The Lab"]
    wait_until("the refusal is in the log", lambda: "refused" in [action for action, _ in actions(n1, group)])
    assert n3.call("group.join", invitation=line, password="a word", timeout_ms=PATIENCE * 1000)["state"] == "connected"
    wait_same((n1, n3), "both agree", lambda node: members(node, group) if len(members(node, group)) == 2 else None)
    assert ("issued", show(n3, group)["identity"]) in actions(n1, group)
    issued = n1.call("group.issued", group=group)["issued"]
    assert [(each["member"], each["how"], each["state"]) for each in issued] == \
        [(show(n3, group)["identity"], "password", "joined")]
    refused(n3, "group.invite", "not_permitted", group=group, identity=identity(n2))
    refused(n3, "group.password", "not_permitted", group=group, password="a new word")
    assert n1.call("group.password", group=group, password="a new word") == {"password": True}
    refused(n2, "group.join", "not_joined", invitation=line, password="a word", timeout_ms=4000)
    assert n2.call("group.join", invitation=line, password="a new word",
                   timeout_ms=PATIENCE * 1000)["state"] == "connected"
    password = n1.directory / "word"
    password.write_text("a third\n")
    assert "the new password" in n1.cli("group", "password", "Open", "--password-file", password).stdout
    assert "no password any more" in n1.cli("group", "password", "Open").stdout
    for node in (n1, n2, n3):
        node.call("group.leave", group=group)


def test_who_was_invited_and_never_came_is_revoked_by_key_or_name(cloud, lab_group):
    n1, n2, n3, _ = cloud.nodes
    group = n1.call("group.create", name="Early")["group"]
    line = n1.call("group.invite", group=group, identity=identity(n2))["line"]
    key = base64.b64decode(n2.call("identities.show")["identity"]["public_key"]).hex()
    assert n1.call("group.revoke", group=group, member=key, reason="a mistake") == {"revoked": 1}
    refused(n1, "group.invite", "revoked", group=group, identity=identity(n2))
    assert n2.call("group.join", invitation=line, timeout_ms=4000)["state"] != "connected"
    line = n1.call("group.invite", group=group, identity=identity(n3))["line"]
    assert re.search(r"host 3 +invited +member", n1.cli("group", "issued", "Early").stdout)
    assert n1.call("group.revoke", group=group, member="host 3") == {"revoked": 1}
    assert n3.call("group.join", invitation=line, timeout_ms=4000)["state"] != "connected"
    assert [each["state"] for each in n1.call("group.issued", group=group)["issued"]] == ["revoked"] * 2
    for node in (n1, n2, n3):
        node.call("group.leave", group=group)


def test_a_windows_group_invites_into_one(cloud, lab_group):
    n1 = cloud.nodes[0]
    group = n1.call("group.create", name="Old", profile="windows", password="a word")["group"]
    line = n1.call("group.invite", group=group)["line"].removeprefix("bypeer1:")
    assert base64.urlsafe_b64decode(line[:4])[0] & 2, "who reads it knows the profile"
    n1.call("group.leave", group=group)


def test_an_identity_with_a_new_key_keeps_its_address(cloud, lab_group):
    n1, n2, _, _ = cloud.nodes
    before = show(n2, lab_group)
    n2.call("identities.rotate")
    assert show(n2, lab_group)["state"] == "connected", "the old key is valid for a while"
    n2.kill_control()
    n2.start_control()
    wait_state(n2, lab_group)
    line = n1.call("group.invite", group=lab_group, identity=identity(n2))["line"]
    after = n2.call("group.join", invitation=line, timeout_ms=PATIENCE * 1000)
    assert (after["state"], after["address"]) == ("connected", before["address"])
    key = base64.b64decode(n2.call("identities.show")["identity"]["public_key"]).hex()
    for node in cloud.nodes:
        wait_until(f"{node.name} knows the new key", lambda node=node: key in [
            member["key"] for member in node.call("group.members", group=lab_group)["members"]], timeout=PATIENCE)
    made = publish(n2, lab_group, "by the new key")
    wait_same(cloud.nodes, "all have it", lambda node: payloads(node, lab_group) == ["by the new key"])
    n2.call("record.delete", group=lab_group, id=made)


def forged(invitation):
    """The same with other signatures: it can be read, and is no membership."""
    chain = re.search("<GMC.*?>(.*?)</GMC>", invitation, re.DOTALL).group(1)
    signature = bytes.fromhex("2b6570034100")  # Ed25519, and a bit string of 64 bytes
    parts = base64.b64decode(chain).split(signature)
    bag = signature.join([parts[0]] + [bytes([part[0] ^ 1]) + part[1:] for part in parts[1:]])
    return invitation.replace(chain, base64.b64encode(bag).decode())


def test_an_invitation_that_is_none_leaves_the_membership(cloud, lab_group):
    n1, n2, _, _ = cloud.nodes
    invitation = n1.call("group.invite", group=lab_group, identity=identity(n2))["xml"]
    before = show(n2, lab_group)
    refused(n2, "group.join", "not_a_member", invitation=forged(invitation))
    assert (show(n2, lab_group)["state"], show(n2, lab_group)["address"]) == ("connected", before["address"])
    n2.kill_control()
    n2.start_control()
    wait_state(n2, lab_group)


def test_a_membership_can_be_moved_with_the_group_s_key(cloud, lab_group):
    n1, n2, _, _ = cloud.nodes
    group = n1.call("group.create", name="Moved")["group"]
    refused(n2, "group.export", "no_such_group", group=group)
    xml = n1.call("group.export", group=group, password="a secret")["xml"]
    n1.call("group.leave", group=group)
    refused(n1, "group.import", "wrong_password", xml=xml, password="another")
    refused(n1, "group.import", "needs_password", xml=xml)
    refused(n1, "group.import", "bad_group_config", xml=xml.replace("<GMC", "<NONE").replace("</GMC", "</NONE"))
    locked = base64.b64decode(re.search("<GROUPKEY.*?>(.*?)</GROUPKEY>", xml, re.DOTALL).group(1))
    assert locked[0] != 0x30 or b"\x2a\x86\x48" not in locked, "no text says how much work a password is"
    refused(n2, "group.import", "no_such_identity", xml=xml, password="a secret")
    assert n1.call("group.import", xml=xml, password="a secret")["group"] == group
    assert show(n1, group)["founder"]
    n1.call("group.leave", group=group)


def test_an_import_that_fails_leaves_the_group_s_key(cloud, lab_group):
    """Of a group that did not open at the start, whose membership in the database is damaged."""
    n1 = cloud.nodes[0]
    group = n1.call("group.create", name="Damaged")["group"]
    xml = n1.call("group.export", group=group, password="a secret")["xml"]
    key = n1.directory / "state" / "groups" / group.split(".")[0] / "group.pem"
    before = key.read_bytes()
    n1.kill_control()
    with contextlib.closing(sqlite3.connect(n1.directory / "state" / "bypeer.db")) as database, database:
        database.execute("UPDATE groups_joined SET chain = X'3000' WHERE name = ?", (group,))
    n1.start_control()
    wait_state(n1, lab_group)
    refused(n1, "group.show", "group_unopened", group=group)
    refused(n1, "group.import", "not_a_member", xml=forged(xml), password="a secret")
    assert key.read_bytes() == before
    assert n1.call("group.import", xml=xml, password="a secret")["group"] == group
    assert show(n1, group)["founder"]
    n1.call("group.leave", group=group)
    assert not key.exists()


def test_people_do_all_of_it_by_command(cloud, lab_group):
    n1, n2, _, _ = cloud.nodes
    card = n1.directory / "identity.xml"
    password = n1.directory / "password"
    password.write_text("over there\n")
    said = n1.cli("group", "create", "By hand", "--comment", "typed").stdout
    assert said.startswith("By hand is founded: "), said
    card.write_text(n2.cli("identity", "xml").stdout)
    line = n1.cli("group", "invite", "By hand", card, "--role", "member,supernode", "--expires", "30d").stdout.strip()
    assert "PEERINVITATION" in n1.cli("group", "invite", "By hand", card, "--xml").stdout
    assert n2.cli("group", "join", line, "--timeout", PATIENCE).stdout.startswith("joined By hand, as fd")
    assert "connected" in n2.cli("group", "list").stdout
    assert "By hand, connected" in n2.cli("group", "show", "By hand").stdout
    wait_until("both are listed", lambda: {"host 1", "host 2"} <= set(
        re.findall(r"host \d", n1.cli("group", "members", "By hand").stdout)), timeout=PATIENCE)
    made = n2.cli("record", "publish", "By hand", TYPE, "--payload", "typed in").stdout.split()[0]
    wait_until("it is listed", lambda: "typed in" in n1.cli("record", "list", "By hand").stdout, timeout=PATIENCE)
    publish(n2, "By hand", "sly \x9b31m")
    wait_until("it is shown harmless", lambda: "sly ??31m" in n1.cli("record", "list", "By hand").stdout, timeout=PATIENCE)
    n2.cli("record", "update", "By hand", made, "--payload", "typed again")
    wait_until("the change is listed", lambda: "typed again" in n1.cli("record", "list", "By hand").stdout,
               timeout=PATIENCE)
    watched = n1.cli("record", "watch", "By hand", "--timeout", 1).stdout
    assert watched == "", "nothing changes meanwhile"
    assert f"{made} is deleted" in n2.cli("record", "delete", "By hand", made).stdout
    assert "published" in n2.cli("presence", "set", "By hand").stdout
    assert "host" in n1.cli("presence", "list", "By hand").stdout
    assert "the membership of host 2 ends" in n1.cli("group", "renew", "By hand", "host 2", "--expires", "90d").stdout
    assert "PEERGROUPCONFIG" in n1.cli("group", "export", "By hand", "--password-file", password).stdout
    assert n1.cli("group", "revoke", "By hand", "host 2", "--reason", "a test").stdout == "host 2 is revoked\n"
    assert "revoked" in n1.cli("group", "members", "By hand").stdout
    assert "a test" in n1.cli("audit", "By hand").stdout
    for node in (n1, n2):
        assert node.cli("group", "leave", "By hand").stdout == "By hand is left\n"


def test_a_stranger_at_the_port_is_sent_away(cloud, lab_group):
    n1 = cloud.nodes[0]
    with n1.namespace.entered():
        connection = socket.create_connection((cloud.address(1), 3587), timeout=30)
    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
    try:
        assert connection.recv(100) == b""
    except ConnectionResetError:
        pass
    connection.close()
    assert show(n1, lab_group)["state"] == "connected"


def test_a_killed_node_comes_back_with_its_groups(cloud, lab_group):
    n1, n2, n3, _ = cloud.nodes
    record = publish(n2, lab_group, "durable")
    before = show(n2, lab_group)
    wait_same(cloud.nodes, "all have it", lambda node: payloads(node, lab_group) == ["durable"])
    n2.kill_control()
    away = publish(n3, lab_group, "while away")
    n2.start_control()
    wait_state(n2, lab_group)
    assert show(n2, lab_group)["address"] == before["address"]
    wait_same(cloud.nodes, "all have both", lambda node: payloads(node, lab_group) == ["durable", "while away"])
    n2.call("record.delete", group=lab_group, id=record)
    n3.call("record.delete", group=lab_group, id=away)
    wait_same(cloud.nodes, "nobody has them", lambda node: payloads(node, lab_group) == [])
    n1.kill_control()
    n1.start_control()
    wait_state(n1, lab_group)
    assert show(n1, lab_group)["founder"]


def test_a_group_that_could_not_be_opened_is_tried_again(cloud, lab_group):
    """Somebody else had the port."""
    node = cloud.nodes[1]
    node.kill_control()
    with node.namespace.entered():
        other = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind(("::", 3587))
    other.listen()
    node.start_control()

    def state():
        try:
            return node.call("group.list")["groups"][0]
        except (OSError, ValueError):
            return {}
    wait_until("it is there without the group", lambda: state().get("state") == "unopened")
    assert state()["problem"]["key"] == "listen"
    assert "another grouping.port" in node.cli("group", "list").stdout
    other.close()
    wait_until("the group is there", lambda: state().get("state") != "unopened", PATIENCE)
    wait_state(node, lab_group)


def test_a_revoked_member_is_cut_off_everywhere(cloud, lab_group):
    """Also from a node that was away meanwhile; neither he nor a restart of anybody undoes it."""
    n1, n2, n3, n4 = cloud.nodes
    member = show(n3, lab_group)["identity"]
    publish(n3, lab_group, "of the revoked")
    publish(n4, lab_group, "of another")
    wait_same(cloud.nodes, "all have both", lambda node: payloads(node, lab_group) == ["of another", "of the revoked"])
    n2.kill_control()
    n1.call("group.revoke", group=lab_group, member=member, reason="lost his key")
    assert (member, True) in [(name, revoked) for name, _, _, revoked in members(n1, lab_group)]
    assert member not in [link["member"] for link in show(n1, lab_group)["links"]]
    n2.start_control()
    rest = (n1, n2, n4)
    wait_same(rest, "all know it", lambda node: (member, True) in [
        (name, revoked) for name, _, _, revoked in members(node, lab_group)])
    wait_same(rest, "his record is gone", lambda node: payloads(node, lab_group) == ["of another"])
    for node in rest:
        wait_state(node, lab_group)
        assert member not in [link["member"] for link in show(node, lab_group)["links"]]
    wait_until("he is alone", lambda: show(n3, lab_group)["neighbors"] == 0, timeout=PATIENCE)
    for node in (n3, n1):
        node.kill_control()
        node.start_control()
    wait_state(n1, lab_group)
    wait_until("he is up again", lambda: show(n3, lab_group)["state"] != "down")
    n3.call("group.connect", group=lab_group, endpoint=f"[{cloud.address(1)}]:3587")
    wait_until("his credentials are refused", lambda: ("refused", member) in actions(n1, lab_group), timeout=PATIENCE)
    for node in rest:
        assert member not in [link["member"] for link in show(node, lab_group)["links"]]
        assert ("revoked", member) in actions(node, lab_group)
    assert "lost his key" in [entry["text"] for entry in n4.call("audit.list", group=lab_group)["entries"]]
