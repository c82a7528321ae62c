/* Identities, groups, records and presence through libbypeer, against a node that the test plays. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/library_end.h"
#include "tools/lib/peer.h"

#define IDENTITY "4562b4628ac54782dda52789038476237e7c7263.alice"
#define GROUP    "6520c005f63fc1864b7d8f3cabebd4916ae7f33d.friends"
#define TYPE     "11111111-0000-0000-0000-000000000000"
#define RECORD   "22222222-0000-0000-0000-000000000000"

TestSuite(library_peers, .init = set_up, .fini = tear_down, .timeout = 60);

static void expect_silence(void)
{
    char byte;
    cr_expect_eq(recv(far_end, &byte, 1, MSG_DONTWAIT), -1);
}

Test(library_peers, identities_are_a_snapshot)
{
    struct bypeer_peer_identities *identities = NULL;
    say(RESULT(1, "{\"identities\":[{\"name\":\"" IDENTITY "\",\"friendly_name\":\"Alice\",\"profile\":\"modern\","
                  "\"public_key\":\"00ff\",\"default\":true},{\"name\":\"" IDENTITY "2\"}]}") RESULT(2, "{}"));
    cr_assert_eq(bypeer_peer_enum_identities(&identities, node), 0);
    expect_asked("identities.list", "{}");
    bypeer_call(node, "version", NULL, NULL);
    cr_assert_eq(identities->count, 2);
    cr_expect_str_eq(identities->at[0].identity, IDENTITY);
    cr_expect_str_eq(identities->at[0].name, "Alice");
    cr_expect_str_eq(identities->at[0].key, "00ff");
    cr_expect(identities->at[0].is_default);
    cr_expect_str_eq(identities->at[1].identity, IDENTITY "2");
    cr_expect_str_eq(identities->at[1].name, "");
    cr_expect_not(identities->at[1].is_default);
    bypeer_peer_free(identities);
}

Test(library_peers, what_is_no_snapshot_is_told_as_such)
{
    static const char *const wrong[] = {"{}", "{\"members\":7}", "{\"members\":[7]}", "{\"members\":[{}]}"};
    struct bypeer_peer_members *members = NULL;
    for (size_t at = 0; at < sizeof(wrong) / sizeof(wrong[0]); at++) {
        char answer[256];
        snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"result\":%s}\n", at + 1, wrong[at]);
        say(answer);
        cr_expect_eq(bypeer_peer_enum_members(&members, node, GROUP), -EBADMSG, "%s", wrong[at]);
        cr_expect_null(members);
    }
}

Test(library_peers, an_identity_is_made_and_moved)
{
    char identity[BYPEER_NAME_TEXT], *xml = NULL;
    say(RESULT(1, "{\"identity\":{\"name\":\"" IDENTITY "\"}}") RESULT(2, "{\"identity\":{\"xml\":\"<a/>\"}}")
            RESULT(3, "{\"xml\":\"<b/>\"}") RESULT(4, "{\"identity\":{\"name\":\"" IDENTITY "\"}}"));
    cr_assert_eq(bypeer_peer_identity_create(node, "Alice", NULL, NULL, identity), 0);
    cr_expect_str_eq(identity, IDENTITY);
    expect_asked("identities.create", "{\"friendly_name\":\"Alice\"}");
    cr_assert_eq(bypeer_peer_identity_xml(node, NULL, &xml), 0);
    expect_asked("identities.show", "{}");
    cr_expect_str_eq(xml, "<a/>");
    free(xml);
    cr_assert_eq(bypeer_peer_identity_export(node, identity, "secret", &xml), 0);
    expect_asked("identities.export", "{\"identity\":\"" IDENTITY "\",\"password\":\"secret\"}");
    identity[0] = '\0';
    cr_assert_eq(bypeer_peer_identity_import(node, xml, "secret", identity), 0);
    expect_asked("identities.import", "{\"xml\":\"<b/>\",\"password\":\"secret\"}");
    cr_expect_str_eq(identity, IDENTITY);
    free(xml);
    cr_expect_eq(bypeer_peer_identity_export(node, "x", NULL, &xml), -EINVAL);
    expect_silence();
}

#define ENTRY(group, identity)                                                                             \
    "{\"group\":\"" group "\",\"name\":\"Friends\",\"identity\":\"" identity                               \
    "\",\"state\":\"connected\",\"roles\":[\"administrator\",\"supernode\",\"juggler\"],\"until\":null,\"" \
    "founder\":true,\"members\":3,\"neighbors\":2,\"address\":null,\"prefix\":\"fd00::/48\"}"

Test(library_peers, groups_of_one_identity)
{
    struct bypeer_peer_groups *groups = NULL;
    say(RESULT(1, "{\"groups\":[" ENTRY("0.a", "0.b") "," ENTRY(GROUP, IDENTITY) "]}")
            RESULT(2, "{\"groups\":[" ENTRY("0.a", "0.b") "," ENTRY(GROUP, IDENTITY) "]}")
                RESULT(3, "{\"groups\":[" ENTRY("0.a", "0.b") "," ENTRY(GROUP, IDENTITY) "]}"));
    cr_assert_eq(bypeer_peer_enum_groups(&groups, node, NULL), 0);
    cr_expect_eq(groups->count, 2);
    bypeer_peer_free(groups);
    cr_assert_eq(bypeer_peer_enum_groups(&groups, node, IDENTITY), 0);
    cr_assert_eq(groups->count, 1);
    cr_expect_str_eq(groups->at[0].group, GROUP);
    cr_expect_eq(groups->at[0].roles, BYPEER_PEER_ADMINISTRATOR | BYPEER_PEER_SUPERNODE);
    cr_expect_eq(groups->at[0].until, 0);
    cr_expect_str_eq(groups->at[0].address, "");
    cr_expect_eq(groups->at[0].members, 3);
    bypeer_peer_free(groups);
    cr_assert_eq(bypeer_peer_enum_groups(&groups, node, "4562b4628ac54782dda52789038476237e7c7263"), 0);
    cr_expect_eq(groups->count, 1, "an authority stands for its name");
    bypeer_peer_free(groups);
}

Test(library_peers, an_invitation_comes_in_both_forms)
{
    struct bypeer_peer_order order = {.identity = "<i/>", .roles = BYPEER_PEER_MEMBER | BYPEER_PEER_INVITING};
    char *line = NULL, *xml = NULL, group[BYPEER_NAME_TEXT];
    say(RESULT(1, "{\"line\":\"bypeer1:x\",\"xml\":\"<x/>\"}") RESULT(2, "{\"line\":\"bypeer1:x\"}")
            RESULT(3, "{\"group\":\"" GROUP "\"}"));
    cr_assert_eq(bypeer_peer_group_invite(node, "friends", &order, &line, &xml), 0);
    expect_asked("group.invite", "{\"group\":\"friends\",\"identity\":\"<i/>\",\"roles\":[\"inviting\",\"member\"]}");
    cr_expect_str_eq(line, "bypeer1:x");
    cr_expect_str_eq(xml, "<x/>");
    free(xml);
    xml = NULL;
    order = (struct bypeer_peer_order){.lifetime_s = 60};
    cr_expect_eq(bypeer_peer_group_invite(node, "friends", &order, NULL, &xml), -EBADMSG);
    cr_expect_null(xml);
    expect_asked("group.invite", "{\"group\":\"friends\",\"lifetime_s\":60}");
    cr_assert_eq(bypeer_peer_group_join(node, line, NULL, "secret", 700, group), 0);
    expect_asked("group.join", "{\"invitation\":\"bypeer1:x\",\"password\":\"secret\",\"timeout_ms\":700}");
    cr_expect_str_eq(group, GROUP);
    free(line);
}

Test(library_peers, a_membership_and_a_key_move)
{
    char *xml = NULL, group[BYPEER_NAME_TEXT];
    say(RESULT(1, "{\"xml\":\"<g/>\"}") RESULT(2, "{\"group\":\"" GROUP "\"}")
            RESULT(3, "{\"identity\":{\"name\":\"" IDENTITY "\"}}"));
    cr_assert_eq(bypeer_peer_group_export(node, "friends", NULL, &xml), 0);
    expect_asked("group.export", "{\"group\":\"friends\"}");
    cr_assert_eq(bypeer_peer_group_import(node, xml, "secret", group), 0);
    expect_asked("group.import", "{\"xml\":\"<g/>\",\"password\":\"secret\"}");
    cr_expect_str_eq(group, GROUP);
    free(xml);
    cr_assert_eq(bypeer_peer_identity_rotate(node, NULL, 60), 0);
    expect_asked("identities.rotate", "{\"overlap_s\":60}");
}

Test(library_peers, members_and_what_is_done_to_them)
{
    struct bypeer_peer_members *members = NULL;
    say(RESULT(1, "{\"members\":[{\"member\":\"" IDENTITY "\",\"name\":\"Alice\",\"roles\":[\"member\"],\"until\":7,"
                  "\"address\":\"fd00::1\",\"self\":true,\"present\":true,\"revoked\":false,\"key\":null}]}")
            RESULT(2, "{\"revoked\":1}") RESULT(3, "{}") RESULT(4, "{\"removed\":1}"));
    cr_assert_eq(bypeer_peer_enum_members(&members, node, GROUP), 0);
    expect_asked("group.members", "{\"group\":\"" GROUP "\"}");
    cr_assert_eq(members->count, 1);
    cr_expect_str_eq(members->at[0].member, IDENTITY);
    cr_expect_str_eq(members->at[0].address, "fd00::1");
    cr_expect_eq(members->at[0].roles, BYPEER_PEER_MEMBER);
    cr_expect_eq(members->at[0].until, 7);
    cr_expect(members->at[0].is_self && members->at[0].is_present && !members->at[0].is_revoked);
    bypeer_peer_free(members);
    cr_assert_eq(bypeer_peer_group_revoke(node, GROUP, "Mallory", NULL, 1), 0);
    expect_asked("group.revoke", "{\"group\":\"" GROUP "\",\"member\":\"Mallory\",\"adopt\":true}");
    cr_assert_eq(bypeer_peer_group_renew(node, GROUP, NULL, 0, 0), 0);
    expect_asked("group.renew", "{\"group\":\"" GROUP "\"}");
    cr_assert_eq(bypeer_peer_group_leave(node, GROUP), 0);
    expect_asked("group.leave", "{\"group\":\"" GROUP "\"}");
}

/* --- records --- */

#define HEAD(payload)                                                                                      \
    "{\"id\":\"" RECORD "\",\"type\":\"" TYPE "\",\"version\":3,\"deleted\":false,\"creator\":\"" IDENTITY \
    "\",\"modifier\":null,\"created\":10,\"modified\":20,\"expires\":30,\"attributes\":null,\"payload\":" payload "}"

Test(library_peers, records_are_published_as_text_and_as_bytes)
{
    char id[BYPEER_PEER_GUID];
    struct bypeer_peer_draft draft = {.type = TYPE, .payload = "hi", .payload_bytes = 2, .payload_is_text = 1};
    say(RESULT(1, HEAD("\"hi\"")) RESULT(2, HEAD("\"hi\"")) RESULT(3, "{}") RESULT(4, "{\"removed\":1}"));
    cr_assert_eq(bypeer_peer_record_publish(node, GROUP, &draft, id), 0);
    cr_expect_str_eq(id, RECORD);
    expect_asked("record.publish",
                 "{\"group\":\"" GROUP "\",\"type\":\"" TYPE "\",\"payload\":\"hi\",\"refresh\":false}");
    draft = (struct bypeer_peer_draft){
        .type = TYPE, .payload = "\xff\xfe", .payload_bytes = 2, .lifetime_s = 60, .is_autorefresh = 1};
    cr_assert_eq(bypeer_peer_record_publish(node, GROUP, &draft, id), 0);
    expect_asked("record.publish", "{\"group\":\"" GROUP "\",\"type\":\"" TYPE "\",\"payload\":\"//4=\","
                                   "\"payload_type\":\"binary\",\"lifetime_s\":60,\"refresh\":true}");
    draft.attributes = "<attributes/>";
    cr_assert_eq(bypeer_peer_record_update(node, GROUP, RECORD, &draft), 0);
    expect_asked("record.update", "{\"group\":\"" GROUP "\",\"id\":\"" RECORD "\",\"attributes\":\"<attributes/>\","
                                  "\"payload\":\"//4=\",\"payload_type\":\"binary\",\"lifetime_s\":60}");
    cr_assert_eq(bypeer_peer_record_delete(node, GROUP, RECORD), 0);
    expect_asked("record.delete", "{\"group\":\"" GROUP "\",\"id\":\"" RECORD "\"}");
    draft.payload_is_text = 1;
    cr_expect_eq(bypeer_peer_record_publish(node, GROUP, &draft, id), -EINVAL, "it is no UTF-8");
    draft.type = NULL;
    cr_expect_eq(bypeer_peer_record_publish(node, GROUP, &draft, id), -EINVAL);
    expect_silence();
}

Test(library_peers, pages_of_records_make_one_snapshot)
{
    struct bypeer_peer_records *records = NULL;
    say(RESULT(1, "{\"records\":[" HEAD("\"hi\"") "],\"next\":\"" RECORD "\"}")
            RESULT(2, "{\"records\":[" HEAD("\"AGI=\",\"payload_type\":\"binary\"") "],\"next\":null}"));
    cr_assert_eq(bypeer_peer_enum_records(&records, node, GROUP, TYPE, NULL, NULL), 0);
    expect_asked("record.list", "{\"group\":\"" GROUP "\",\"type\":\"" TYPE "\"}");
    expect_asked("record.list", "{\"group\":\"" GROUP "\",\"type\":\"" TYPE "\",\"after\":\"" RECORD "\"}");
    cr_assert_eq(records->count, 2);
    cr_expect_str_eq(records->at[0].id, RECORD);
    cr_expect_str_eq(records->at[0].modifier, "");
    cr_expect_str_eq(records->at[0].payload, "hi");
    cr_expect(records->at[0].payload_is_text);
    cr_expect_eq(records->at[0].version, 3);
    cr_expect_eq(records->at[0].expires, 30);
    cr_assert_eq(records->at[1].payload_bytes, 2);
    cr_expect_arr_eq(records->at[1].payload, "\0b", 2);
    cr_expect_not(records->at[1].payload_is_text);
    bypeer_peer_free(records);
    records = NULL;
    say(RESULT(3, "{\"records\":[" HEAD("\"A\",\"payload_type\":\"binary\"") "],\"next\":null}"));
    cr_expect_eq(bypeer_peer_enum_records(&records, node, GROUP, NULL, NULL, NULL), -EBADMSG);
    cr_expect_null(records);
}

Test(library_peers, presence_is_listed_and_set)
{
    struct bypeer_peer_presence *presence = NULL;
    say(RESULT(1, "{\"nodes\":[{\"node\":\"01\",\"member\":\"" IDENTITY "\",\"name\":\"Alice\",\"self\":true,"
                  "\"attributes\":null}]}") RESULT(2, "{\"changed\":1}"));
    cr_assert_eq(bypeer_peer_enum_presence(&presence, node, GROUP), 0);
    cr_assert_eq(presence->count, 1);
    cr_expect_str_eq(presence->at[0].name, "Alice");
    cr_expect_str_eq(presence->at[0].attributes, "");
    cr_expect(presence->at[0].is_self);
    bypeer_peer_free(presence);
    expect_asked("presence.list", "{\"group\":\"" GROUP "\"}");
    cr_assert_eq(bypeer_peer_set_presence(node, GROUP, 1, "<attributes/>"), 0);
    expect_asked("presence.set", "{\"group\":\"" GROUP "\",\"present\":true,\"attributes\":\"<attributes/>\"}");
}

/* --- events --- */

struct seen {
    char text[256];
    int ended, error;
    struct bypeer_peer_watch *cancel; /* at the first event */
};

static void on_changed(void *context, const struct bypeer_peer_event *event)
{
    static const char *const names[] = {"missed", "added", "updated", "removed", "expired"};
    struct seen *seen = context;
    size_t length = strlen(seen->text);
    snprintf(seen->text + length, sizeof(seen->text) - length, "%s%s%.*s ", names[event->change],
             event->record ? ":" : "", event->record ? (int)event->record->payload_bytes : 0,
             event->record ? (const char *)event->record->payload : "");
    if (seen->cancel)
        bypeer_peer_watch_cancel(seen->cancel);
}

static void on_ended(void *context, int error)
{
    struct seen *seen = context;
    seen->ended++;
    seen->error = error;
}

#define EVENT(number, change, payload) \
    "{\"sequence\":" #number ",\"change\":\"" change "\",\"record\":" HEAD("\"" payload "\"") "}"

Test(library_peers, a_watch_goes_on_where_it_was)
{
    struct seen seen = {0};
    struct bypeer_peer_watch *watch;
    cr_assert_eq(bypeer_peer_watch_begin(&watch, node, GROUP, TYPE, on_changed, on_ended, &seen), 0);
    expect_asked("record.watch", "{\"group\":\"" GROUP "\",\"type\":\"" TYPE "\",\"timeout_ms\":30000}");
    cr_expect_eq(bypeer_process(node), 0, "nothing has come, and nothing is waited for");
    expect_silence();
    say(RESULT(1, "{\"events\":[" EVENT(4, "added", "a") "," EVENT(6, "updated", "b") "],\"next\":7,\"whole\":true}"));
    cr_expect_eq(bypeer_process(node), 0);
    cr_expect_str_eq(seen.text, "added:a updated:b ");
    expect_asked("record.watch", "{\"group\":\"" GROUP "\",\"type\":\"" TYPE "\",\"after\":7,\"timeout_ms\":30000}");
    say(RESULT(2, "{\"events\":[" EVENT(900, "expired", "c") "],\"next\":900,\"whole\":false}"));
    cr_expect_eq(bypeer_process(node), 0);
    cr_expect_str_eq(seen.text, "added:a updated:b missed expired:c ");
    expect_asked("record.watch", "{\"group\":\"" GROUP "\",\"type\":\"" TYPE "\",\"after\":900,\"timeout_ms\":30000}");
    say("{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32000,\"message\":\"the group: is left\"}}\n");
    cr_expect_eq(bypeer_process(node), 0);
    cr_expect_eq(seen.ended, 1);
    cr_expect_eq(seen.error, -EREMOTEIO);
    cr_expect_str_eq(bypeer_error_text(node), "the group: is left");
    expect_silence();
}

Test(library_peers, a_watch_that_is_cancelled_is_silent)
{
    struct seen seen = {0};
    cr_assert_eq(bypeer_peer_watch_begin(&seen.cancel, node, GROUP, NULL, on_changed, on_ended, &seen), 0);
    expect_asked("record.watch", "{\"group\":\"" GROUP "\",\"timeout_ms\":30000}");
    say(RESULT(1, "{\"events\":[" EVENT(1, "added", "a") "," EVENT(2, "removed", "b") "],\"next\":2,\"whole\":true}"));
    cr_expect_eq(bypeer_process(node), 0);
    cr_expect_str_eq(seen.text, "added:a ", "cancelled in its own callback");
    cr_expect_eq(seen.ended, 0);
    expect_silence();
}

Test(library_peers, events_that_are_none_end_a_watch)
{
    static const char *const wrong[] = {
        "{\"events\":[],\"whole\":true}",
        "{\"next\":1}",
        "{\"events\":[7],\"next\":1}",
        "{\"events\":[" EVENT(1, "juggled", "a") "],\"next\":1}",
        "{\"events\":[{\"change\":\"added\",\"record\":{}}],\"next\":1}",
    };
    for (size_t at = 0; at < sizeof(wrong) / sizeof(wrong[0]); at++) {
        struct seen seen = {0};
        struct bypeer_peer_watch *watch;
        char answer[1024];
        cr_assert_eq(bypeer_peer_watch_begin(&watch, node, GROUP, NULL, on_changed, on_ended, &seen), 0);
        snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"result\":%s}\n", at + 1, wrong[at]);
        say(answer);
        cr_expect_eq(bypeer_process(node), 0);
        cr_expect_eq(seen.ended, 1, "%s", wrong[at]);
        cr_expect_eq(seen.error, -EBADMSG);
    }
}

/* --- direct links --- */

static void on_heard(void *context, const struct bypeer_peer_message *message)
{
    static const char *const names[] = {"lost", "opened", "data", "closed"};
    struct seen *seen = context;
    size_t length = strlen(seen->text);
    snprintf(seen->text + length, sizeof(seen->text) - length, "%s%d%s%.*s ", names[message->said], (int)message->link,
             message->is_initiator ? "!" : "", (int)message->length, (const char *)message->bytes);
}

Test(library_peers, direct_links_carry_bytes)
{
    struct seen seen = {0};
    struct bypeer_peer_watch *watch;
    int64_t link = 0;
    cr_assert_eq(bypeer_peer_direct_begin(&watch, node, GROUP, on_heard, on_ended, &seen), 0);
    expect_asked("direct.receive", "{\"group\":\"" GROUP "\",\"timeout_ms\":30000}");
    say(RESULT(2, "{\"link\":7}") RESULT(3, "{\"sent\":2}") RESULT(4, "{\"closed\":1}"));
    cr_assert_eq(bypeer_peer_direct_open(node, GROUP, "Bob", 500, &link), 0);
    expect_asked("direct.open", "{\"group\":\"" GROUP "\",\"member\":\"Bob\",\"timeout_ms\":500}");
    cr_expect_eq(link, 7);
    cr_assert_eq(bypeer_peer_direct_send(node, GROUP, link, NULL, "\xff\xfe", 2), 0);
    expect_asked("direct.send", "{\"group\":\"" GROUP "\",\"link\":7,\"data\":\"//4=\"}");
    cr_assert_eq(bypeer_peer_direct_close(node, GROUP, link), 0);
    expect_asked("direct.close", "{\"group\":\"" GROUP "\",\"link\":7}");
    say(RESULT(1, "{\"events\":[{\"sequence\":1,\"event\":\"opened\",\"link\":7,\"initiator\":true},"
                  "{\"sequence\":2,\"event\":\"data\",\"link\":8,\"data\":\"YWI=\"}],\"next\":2,\"whole\":true}"));
    cr_expect_eq(bypeer_process(node), 0);
    expect_asked("direct.receive", "{\"group\":\"" GROUP "\",\"after\":2,\"timeout_ms\":30000}");
    say(RESULT(5, "{\"events\":[{\"sequence\":9,\"event\":\"closed\",\"link\":8}],\"next\":9,\"whole\":false}"));
    cr_expect_eq(bypeer_process(node), 0);
    cr_expect_str_eq(seen.text, "opened7! data8ab lost0 closed8 ");
    expect_asked("direct.receive", "{\"group\":\"" GROUP "\",\"after\":9,\"timeout_ms\":30000}");
    say(RESULT(6, "{\"events\":[{\"sequence\":9,\"event\":\"data\",\"link\":8,\"data\":\"?\"}],\"next\":9}"));
    cr_expect_eq(bypeer_process(node), 0);
    cr_expect_eq(seen.error, -EBADMSG);
}

Test(library_peers, a_message_that_is_too_long_is_not_sent)
{
    static const char bytes[BYPEER_PEER_DATA_MAX + 1];
    cr_expect_eq(bypeer_peer_direct_send(node, GROUP, 1, NULL, bytes, sizeof(bytes)), -EINVAL);
    expect_silence();
}
