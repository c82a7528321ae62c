/* Records: their bytes, which are legal, and which of two wins. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/buffer.h"
#include "overlay/graph/payload.h"
#include "overlay/graph/record.h"

#define CREATOR "b736cee3ae549b6baebea4c1a377740b96d359f6.HomeGroupClassifier_1"
#define NOW     UINT64_C(134000000000000000)

static const struct bypeer_profile *modern(void)
{
    return bypeer_profile(BYPEER_PROFILE_MODERN);
}

static struct bypeer_record make(void)
{
    static const uint8_t random_bytes[16] = {1, 2, 3};
    struct bypeer_record record = {
        .type = {{0x7a, 0x11, 1}},
        .version = 3,
        .protocol = bypeer_record_protocol(modern()),
        .creator = "0.alice",
        .modifier = "0.b\xc3\xb6\xf0\x9f\x98\x80", /* o with dots, and a face beyond the first plane */
        .created = NOW,
        .modified = NOW + 1,
        .expires = NOW + 1000,
        .graph = "0.graph",
        .attributes = "<attributes><attribute name=\"Topic\" type=\"string\">chess</attribute></attributes>",
        .security = (const uint8_t *)"signature",
        .security_bytes = 9,
        .payload = (const uint8_t *)"payload",
        .payload_bytes = 7,
    };
    bypeer_record_make_id(modern(), record.creator, random_bytes, &record.id);
    return record;
}

static void write_record(const struct bypeer_record *record, struct bypeer_buffer *out)
{
    size_t bytes = bypeer_record_bytes(record);
    uint8_t *place = bypeer_buffer_reserve(out, bytes);
    cr_assert_eq(bypeer_record_write(record, place, bytes - 1), -ENOSPC);
    cr_assert_eq(bypeer_record_write(record, place, bytes), (long)bytes);
    out->length = bytes;
}

Test(graph_record, comes_back_as_it_went)
{
    struct bypeer_record record = make(), *read;
    struct bypeer_buffer out = {0};
    record.flags = BYPEER_RECORD_AUTOREFRESH;
    write_record(&record, &out);
    cr_assert_eq(bypeer_record_read(&read, out.bytes, out.length), 0);
    cr_assert_eq(bypeer_record_compare(&record, read), 0);
    cr_assert_str_eq(read->creator, record.creator);
    cr_assert_str_eq(read->modifier, record.modifier);
    cr_assert_str_eq(read->graph, record.graph);
    cr_assert_str_eq(read->attributes, record.attributes);
    cr_assert_eq(read->flags, 0, "that it refreshes itself is nobody else's business");
    cr_assert(bypeer_guid_is_equal(&read->id, &record.id));
    free(read);
    bypeer_buffer_clear(&out);
}

Test(graph_record, cut_anywhere_it_is_none)
{
    struct bypeer_record record = make(), *read;
    struct bypeer_buffer out = {0};
    write_record(&record, &out);
    for (size_t length = 0; length < out.length; length++)
        cr_assert_eq(bypeer_record_read(&read, out.bytes, length), -EBADMSG, "%zu bytes", length);
    bypeer_buffer_clear(&out);
}

Test(graph_record, texts_are_utf_16_with_nul)
{
    struct bypeer_record record = make(), *read;
    struct bypeer_buffer out = {0};
    write_record(&record, &out);
    cr_assert_arr_eq(out.bytes + 40,
                     "\0\0\0\x08"
                     "0\0.\0a\0l\0i\0c\0e\0\0\0",
                     20);
    out.bytes[44 + 14] = 'x'; /* where the NUL was */
    cr_assert_eq(bypeer_record_read(&read, out.bytes, out.length), -EBADMSG);
    out.bytes[44 + 14] = 0;
    out.bytes[44 + 1] = 0xd8; /* half of a pair */
    cr_assert_eq(bypeer_record_read(&read, out.bytes, out.length), -EBADMSG);
    out.bytes[44] = out.bytes[45] = 0; /* a NUL in the midst */
    cr_assert_eq(bypeer_record_read(&read, out.bytes, out.length), -EBADMSG);
    bypeer_buffer_clear(&out);
}

Test(graph_record, what_is_no_text_is_not_written)
{
    struct bypeer_record record = make();
    uint8_t bytes[1000];
    char long_name[257];
    memset(long_name, 'x', 256);
    long_name[256] = '\0';
    record.modifier = "\xff";
    cr_assert_eq(bypeer_record_write(&record, bytes, sizeof(bytes)), -EINVAL);
    record.modifier = "";
    cr_assert_eq(bypeer_record_write(&record, bytes, sizeof(bytes)), -EINVAL);
    record.modifier = NULL;
    cr_assert_gt(bypeer_record_write(&record, bytes, sizeof(bytes)), 0);
    record.creator = long_name;
    cr_assert_eq(bypeer_record_write(&record, bytes, sizeof(bytes)), -EINVAL);
    long_name[255] = '\0';
    cr_assert_gt(bypeer_record_write(&record, bytes, sizeof(bytes)), 0);
}

Test(graph_record, id_is_bound_to_its_creator)
{
    static const uint8_t random_bytes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    struct bypeer_guid id, same, other;
    char text[BYPEER_GUID_TEXT_BYTES];
    bypeer_record_make_id(bypeer_profile(BYPEER_PROFILE_WINDOWS), CREATOR, random_bytes, &id);
    bypeer_guid_write(&id, text);
    cr_assert_str_eq(text, "{7d99c52c-ef7a-3f77-0808-080808080808}");
    cr_assert_eq(bypeer_guid_read(&same, text), 0);
    cr_assert(bypeer_guid_is_equal(&same, &id));
    bypeer_record_make_id(modern(), CREATOR, random_bytes, &other);
    cr_assert(!bypeer_guid_is_equal(&other, &id));
    cr_assert_eq(bypeer_guid_read(&same, "7d99c52c-ef7a-3f77-0808-08080808080"), -EINVAL);
    cr_assert_eq(bypeer_guid_read(&same, "{7d99c52c-ef7a-3f77-0808-080808080808"), -EINVAL);
}

static const char *fault_of(const struct bypeer_record *record, uint32_t largest, uint64_t now)
{
    const struct bypeer_record_rules rules = {modern(), "0.graph", largest, now};
    return bypeer_record_fault(record, &rules);
}

Test(graph_record, each_rule_has_its_own_reason)
{
    struct bypeer_record good = make();
    cr_assert_null(fault_of(&good, 0, NOW + 2));
#define FAULT(text, change)                                                                \
    do {                                                                                   \
        struct bypeer_record record = good;                                                \
        change;                                                                            \
        const char *fault = fault_of(&record, 1024, NOW + 2);                              \
        cr_expect(fault &&strstr(fault, text), "%s: %s", text, fault ? fault : "nothing"); \
    } while (0)
    FAULT("protocol", record.protocol = 0x0100);
    FAULT("another graph", record.graph = "0.Graph");
    FAULT("flags", record.flags = BYPEER_RECORD_AUTOREFRESH);
    FAULT("creator", record.creator = "0.mallory");
    FAULT("creator", record.id.bytes[0] ^= 1);
    FAULT("creator", record.type = BYPEER_RECORD_SIGNATURE);
    FAULT("creator", record.id = BYPEER_RECORD_GRAPH_INFO_ID);
    FAULT("before it was created", record.modified = NOW - 1);
    FAULT("expires before", record.expires = NOW + 1);
    FAULT("expired", record.expires = NOW + 2);
    FAULT("never modified", record.modified = NOW);
    FAULT("payload", record.flags = BYPEER_RECORD_DELETED);
    FAULT("attributes", record.attributes = "<attributes><attribute/></attributes>");
    FAULT("attributes", record.attributes = "<!DOCTYPE a [<!ENTITY x 'y'>]><attributes/>");
    FAULT("larger", record.payload_bytes = 1025);
    FAULT("larger", record.payload_bytes = 1024);
#undef FAULT
    good.payload_bytes = 0;
    good.attributes = NULL;
    good.flags = BYPEER_RECORD_DELETED;
    cr_assert_null(fault_of(&good, 1024, NOW + 2));
}

Test(graph_record, graphs_own_records_have_their_ids)
{
    struct bypeer_record record = make();
    record.type = BYPEER_RECORD_SIGNATURE;
    record.id = BYPEER_RECORD_SIGNATURE_ID;
    cr_assert_null(fault_of(&record, 0, 0));
    record.type = BYPEER_RECORD_REVOCATION;
    record.id = (struct bypeer_guid){{9}};
    cr_assert_null(fault_of(&record, 0, 0));
    cr_assert(bypeer_record_is_reserved(&BYPEER_RECORD_REVOCATION));
    cr_assert(bypeer_record_is_reserved(&BYPEER_RECORD_PRESENCE));
    cr_assert(!bypeer_record_is_reserved(&(struct bypeer_guid){{5}}));
    cr_assert(!bypeer_record_is_reserved(&(struct bypeer_guid){{1, [15] = 1}}));
}

/* From what decides first to what decides last. */
Test(graph_record, the_first_difference_decides)
{
    struct bypeer_record a = make(), b = make();
    cr_assert_eq(bypeer_record_compare(&a, &b), 0);
    a.attributes = "<attributes/>";
    cr_assert_neq(bypeer_record_compare(&a, &b), 0);
    b.payload_bytes = 8, b.payload = (const uint8_t *)"payload2";
    cr_assert_lt(bypeer_record_compare(&a, &b), 0);
    a.expires++;
    cr_assert_gt(bypeer_record_compare(&a, &b), 0);
    b.security = (const uint8_t *)"zignature";
    cr_assert_lt(bypeer_record_compare(&a, &b), 0);
    a.security_bytes = 10, a.security = (const uint8_t *)"asignature";
    cr_assert_gt(bypeer_record_compare(&a, &b), 0);
    b.modified++;
    cr_assert_lt(bypeer_record_compare(&a, &b), 0);
    a.modifier = "0.z";
    cr_assert_gt(bypeer_record_compare(&a, &b), 0);
    b.modifier = NULL;
    cr_assert_gt(bypeer_record_compare(&a, &b), 0);
    b.version++;
    cr_assert_lt(bypeer_record_compare(&a, &b), 0);
}

Test(graph_record, copies_share_nothing)
{
    struct bypeer_record record = make();
    char creator[] = "0.alice";
    record.creator = creator;
    struct bypeer_record *copy = bypeer_record_copy(&record);
    creator[2] = 'A';
    cr_assert_str_eq(copy->creator, "0.alice");
    cr_assert_eq(bypeer_record_compare(copy, &record), 0);
    free(copy);
}

/* --- payloads of graphing's own --- */

Test(graph_payload, info_comes_back)
{
    static struct bypeer_graph_info info = {
        .flags = BYPEER_GRAPH_INFO_DEFER,
        .scope = BYPEER_GRAPH_SITE,
        .graph = "0.graph",
        .creator = "0.alice",
        .friendly_name = "Gr\xc3\xbcppe",
        .presence_s = 600,
        .presence_max = UINT32_MAX,
        .record_max = 4096,
    };
    static struct bypeer_graph_info read;
    uint8_t bytes[BYPEER_GRAPH_INFO_MAX];
    long length = bypeer_graph_info_write(&info, bytes, sizeof(bytes));
    cr_assert_gt(length, 0);
    cr_assert_eq(bypeer_graph_info_read(&read, bytes, (size_t)length), 0);
    cr_assert_str_eq(read.friendly_name, info.friendly_name);
    cr_assert_str_eq(read.comment, "");
    cr_assert_eq(read.scope, info.scope);
    cr_assert_eq(read.flags, info.flags);
    cr_assert_eq(read.presence_s, 600);
    cr_assert_eq(read.record_max, 4096);
    for (long cut = 0; cut < length; cut++)
        cr_assert_eq(bypeer_graph_info_read(&read, bytes, (size_t)cut), -EBADMSG);
    info.record_max = 100;
    cr_assert_eq(bypeer_graph_info_write(&info, bytes, sizeof(bytes)), -EINVAL);
    info.record_max = 0;
    info.presence_s = 299;
    cr_assert_eq(bypeer_graph_info_write(&info, bytes, sizeof(bytes)), -EINVAL);
}

Test(graph_payload, presence_and_contact_come_back)
{
    struct bypeer_graph_presence presence = {.node_id = 77, .attributes = (char *)"<attributes/>", .address_count = 2};
    struct bypeer_graph_contact contact = {.signature = 5, .node_id = 77, .address_count = 1}, read_contact;
    struct bypeer_graph_presence read;
    uint8_t bytes[400];
    presence.addresses[1].port = 3587;
    contact.addresses[0] = (struct bypeer_graph_address){{0xfd}, 9};
    long length = bypeer_graph_presence_write(&presence, bytes, sizeof(bytes));
    cr_assert_eq(bypeer_graph_presence_read(&read, bytes, (size_t)length), 0);
    cr_assert_eq(read.node_id, 77);
    cr_assert_eq(read.address_count, 2);
    cr_assert_eq(read.addresses[1].port, 3587);
    cr_assert_str_eq(read.attributes, "<attributes/>");
    bypeer_graph_presence_clear(&read);
    cr_assert_eq(bypeer_graph_presence_read(&read, bytes, (size_t)length - 1), -EBADMSG);
    length = bypeer_graph_contact_write(&contact, bytes, sizeof(bytes));
    cr_assert_eq(length, 20 + 32);
    cr_assert_eq(bypeer_graph_contact_read(&read_contact, bytes, (size_t)length), 0);
    cr_assert_eq(read_contact.signature, 5);
    cr_assert_eq(read_contact.addresses[0].port, 9);
    cr_assert_eq(bypeer_graph_contact_read(&read_contact, bytes, (size_t)length - 1), -EBADMSG);
}
