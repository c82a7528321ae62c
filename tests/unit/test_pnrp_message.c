/* All messages of both profiles: as the vectors have them, from random structs, and broken in every way. */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/pnrp/message.h"
#include "overlay/pnrp/name.h"
#include "tests/unit/fixtures/pnrp_vectors.h"
#include "tests/unit/pnrp_bytes.h"

static const struct bypeer_profile *profile_at(unsigned at)
{
    return bypeer_profile((enum bypeer_profile_id)at);
}

static const char *vector_named(const struct pnrp_vector *vectors, const char *name)
{
    while (vectors->name && strcmp(vectors->name, name) != 0)
        vectors++;
    cr_assert_not_null(vectors->name, "%s", name);
    return vectors->hex;
}

/* Reads a vector of the windows profile. The bytes are kept for the test's end. */
static struct bypeer_pnrp_message message_of(const char *name, uint8_t **ret_bytes, size_t *ret_length)
{
    struct bypeer_pnrp_message message;
    *ret_bytes = bytes_of(vector_named(pnrp_vectors[BYPEER_PROFILE_WINDOWS].messages, name), ret_length);
    cr_assert_eq(bypeer_pnrp_read(&message, profile_at(BYPEER_PROFILE_WINDOWS), *ret_bytes, *ret_length), 0, "%s",
                 name);
    return message;
}

static int read_status(const uint8_t *bytes, size_t length)
{
    struct bypeer_pnrp_message message;
    uint8_t *exact = bytes_copy(bytes, length);
    int status = bypeer_pnrp_read(&message, profile_at(BYPEER_PROFILE_WINDOWS), exact, length);
    free(exact);
    return status;
}

Test(pnrp_message, vectors_are_written_as_they_were_read)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        unsigned count = 0;
        for (const struct pnrp_vector *vector = pnrp_vectors[at].messages; vector->name; vector++, count++) {
            struct bypeer_pnrp_message message;
            size_t length;
            uint8_t *bytes = bytes_of(vector->hex, &length), *again = malloc(length);
            cr_assert_eq(bypeer_pnrp_read(&message, profile_at(at), bytes, length), 0, "%s", vector->name);
            cr_assert_eq(bypeer_pnrp_write(&message, profile_at(at), again, length), length, "%s", vector->name);
            cr_assert_arr_eq(again, bytes, length, "%s", vector->name);
            for (size_t room = 0; room < length; room++) {
                uint8_t *little = malloc(room ? room : 1);
                cr_assert_eq(bypeer_pnrp_write(&message, profile_at(at), little, room), 0, "%s in %zu bytes",
                             vector->name, room);
                free(little);
            }
            free(again);
            free(bytes);
        }
        cr_assert_eq(count, 15);
    }
}

Test(pnrp_message, solicit_says_who_asks)
{
    size_t length;
    uint8_t *bytes;
    struct bypeer_pnrp_message message = message_of("solicit_with_entry", &bytes, &length);
    cr_assert_eq(message.type, BYPEER_PNRP_SOLICIT);
    cr_assert_eq(message.id, 0x01020304);
    cr_assert_not(message.solicit.local_only);
    bytes_expect(message.solicit.entry.id, 32, "00112233445566778899aabbccddeeff20010db800000001a1a2a3a4a5a6a7a8",
                 "ID");
    bytes_expect(message.solicit.entry.addresses, 16, "20010db800000001000000000000000a", "address");
    cr_assert_eq(message.solicit.entry.address_count, 1);
    cr_assert_eq(message.solicit.entry.port, 3540);
    bytes_expect(message.solicit.hashed_nonce, 20, "56178b86a57fac22899a9964185c2cc96e7da589", "hashed nonce");
    free(bytes);
    message = message_of("solicit", &bytes, &length);
    cr_assert_null(message.solicit.entry.id);
    free(bytes);
}

Test(pnrp_message, solicit_for_local_ids_says_so)
{
    size_t length;
    uint8_t *bytes;
    struct bypeer_pnrp_message message = message_of("solicit_with_entry", &bytes, &length);
    bytes[17] = 1;
    cr_assert_eq(bypeer_pnrp_read(&message, profile_at(BYPEER_PROFILE_WINDOWS), bytes, length), 0);
    cr_assert(message.solicit.local_only);
    bytes[17] = 2;
    cr_assert_eq(read_status(bytes, length), -EBADMSG, "no such kind");
    free(bytes);
}

Test(pnrp_message, conversation_carries_ids_and_nonces)
{
    const char *id = pnrp_vectors[BYPEER_PROFILE_WINDOWS].id_unsecured;
    size_t length;
    uint8_t *bytes;
    struct bypeer_pnrp_message message = message_of("advertise", &bytes, &length);
    cr_assert_eq(message.advertise.acked, 0x01020304);
    cr_assert_eq(message.advertise.ids.count, 1);
    bytes_expect(message.advertise.ids.bytes, 32, id, "offered");
    bytes_expect(message.advertise.hashed_nonce, 20, "56178b86a57fac22899a9964185c2cc96e7da589", "hashed nonce");
    free(bytes);
    message = message_of("request", &bytes, &length);
    bytes_expect(message.request.nonce, 16, "000102030405060708090a0b0c0d0e0f", "nonce");
    cr_assert_eq(message.request.ids.count, 1);
    bytes_expect(message.request.ids.bytes, 32, id, "wanted");
    free(bytes);
    message = message_of("ack", &bytes, &length);
    cr_assert_eq(message.ack.acked, 0x01020305);
    cr_assert_not(message.ack.not_local);
    free(bytes);
    message = message_of("ack_not_local", &bytes, &length);
    cr_assert(message.ack.not_local);
    free(bytes);
}

Test(pnrp_message, flood_carries_entry_or_revocation)
{
    size_t length;
    uint8_t *bytes;
    struct bypeer_pnrp_message message = message_of("flood", &bytes, &length);
    struct bypeer_pnrp_endpoint endpoint;
    uint8_t put[18];
    cr_assert(message.flood.no_ack);
    cr_assert_null(message.flood.revoke);
    bytes_expect(message.flood.entry.id, 32, pnrp_vectors[BYPEER_PROFILE_WINDOWS].id_unsecured, "entry");
    cr_assert_eq(message.flood.flooded.count, 1);
    bypeer_pnrp_endpoint_at(&message.flood.flooded, 0, &endpoint);
    bytes_expect(endpoint.address, 16, "20010db800000002000000000000000b", "flooded");
    cr_assert_eq(endpoint.port, 3540);
    bypeer_pnrp_endpoint_put(put, &endpoint);
    cr_assert_arr_eq(put, message.flood.flooded.bytes, sizeof(put));
    cr_assert(bypeer_pnrp_endpoints_have(&message.flood.flooded, endpoint.address));
    endpoint.address[15] ^= 1;
    cr_assert_not(bypeer_pnrp_endpoints_have(&message.flood.flooded, endpoint.address));
    free(bytes);

    message = message_of("flood_revoke", &bytes, &length);
    cr_assert_not(message.flood.no_ack);
    cr_assert_null(message.flood.entry.id);
    bytes_expect(message.flood.revoke, message.flood.revoke_bytes,
                 vector_named(pnrp_vectors[BYPEER_PROFILE_WINDOWS].cpas, "revoke"), "revocation");
    free(bytes);
}

Test(pnrp_message, inquire_says_what_it_wants)
{
    size_t length;
    uint8_t *bytes;
    struct bypeer_pnrp_message message = message_of("inquire", &bytes, &length);
    cr_assert_eq(message.inquire.flags, BYPEER_INQUIRE_CPA | BYPEER_INQUIRE_PAYLOAD | BYPEER_INQUIRE_CHAIN);
    bytes_expect(message.inquire.validate, 32, pnrp_vectors[BYPEER_PROFILE_WINDOWS].id_unsecured, "ID");
    bytes_expect(message.inquire.nonce, 16, "000102030405060708090a0b0c0d0e0f", "nonce");
    free(bytes);
    message = message_of("inquire_plain", &bytes, &length);
    cr_assert_eq(message.inquire.flags, 0);
    cr_assert_null(message.inquire.nonce);
    free(bytes);
}

Test(pnrp_message, lookup_says_what_it_looks_for)
{
    size_t length;
    uint8_t *bytes;
    struct bypeer_pnrp_message message = message_of("lookup", &bytes, &length);
    cr_assert_not(message.lookup.any_distance);
    cr_assert_eq(message.lookup.criterion, BYPEER_PNRP_ANY);
    cr_assert_eq(message.lookup.reason, BYPEER_PNRP_APP_REQUEST);
    bytes_expect(message.lookup.target, 32, pnrp_vectors[BYPEER_PROFILE_WINDOWS].target, "target");
    bytes_expect(message.lookup.validate, 32, pnrp_vectors[BYPEER_PROFILE_WINDOWS].id_unsecured, "validate");
    cr_assert_null(message.lookup.entry.id);
    cr_assert_eq(message.lookup.path.count, 1);
    free(bytes);
}

Test(pnrp_message, authority_is_one_slice_of_its_buffer)
{
    size_t length;
    uint8_t *bytes;
    struct bypeer_pnrp_message message = message_of("authority_secure", &bytes, &length);
    cr_assert_eq(message.authority.acked, 0x01020306);
    cr_assert_eq(message.authority.offset, 0);
    cr_assert_eq(message.authority.size, message.authority.slice_bytes);
    bytes_expect(message.authority.slice, message.authority.slice_bytes,
                 vector_named(pnrp_vectors[BYPEER_PROFILE_WINDOWS].answers, "secure"), "buffer");
    free(bytes);
}

Test(pnrp_message, other_profile_is_told_from_rubbish)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++)
        for (const struct pnrp_vector *vector = pnrp_vectors[at].messages; vector->name; vector++) {
            struct bypeer_pnrp_message message;
            size_t length;
            uint8_t *bytes = bytes_of(vector->hex, &length);
            cr_assert_eq(bypeer_pnrp_read(&message, profile_at(!at), bytes, length), -EPROTONOSUPPORT, "%s",
                         vector->name);
            bytes[6] ^= 1;
            cr_assert_eq(bypeer_pnrp_read(&message, profile_at(at), bytes, length), -EPROTONOSUPPORT, "minor version");
            free(bytes);
        }
}

/* What is left of a vector after so many bytes is a message of its own only where an optional element was last. */
static bool is_whole_without_rest(const char *name, size_t length)
{
    return (strcmp(name, "inquire") == 0 && length == 56) || (strcmp(name, "ack_not_local") == 0 && length == 20);
}

Test(pnrp_message, part_of_a_message_is_none)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++)
        for (const struct pnrp_vector *vector = pnrp_vectors[at].messages; vector->name; vector++) {
            size_t length;
            uint8_t *bytes = bytes_of(vector->hex, &length);
            for (size_t part = 0; part < length; part++) {
                struct bypeer_pnrp_message message;
                uint8_t *exact = bytes_copy(bytes, part);
                cr_assert_eq(bypeer_pnrp_read(&message, profile_at(at), exact, part),
                             is_whole_without_rest(vector->name, part) ? 0 : -EBADMSG, "%zu bytes of %s", part,
                             vector->name);
                free(exact);
            }
            free(bytes);
        }
}

Test(pnrp_message, only_padding_may_follow)
{
    const struct pnrp_vector *vectors = pnrp_vectors[BYPEER_PROFILE_WINDOWS].messages;
    for (const struct pnrp_vector *vector = vectors; vector->name; vector++) {
        size_t length;
        uint8_t *bytes = bytes_of(vector->hex, &length), more[4096] = {0};
        bool is_slice = strncmp(vector->name, "authority", 9) == 0;
        size_t padding = is_slice ? 0 : -length % 4;
        memcpy(more, bytes, length);
        memset(more + length, 0xff, 8);
        for (size_t extra = 1; extra <= 8; extra++)
            cr_assert_eq(read_status(more, length + extra), extra <= padding ? 0 : -EBADMSG, "%s and %zu bytes",
                         vector->name, extra);
        free(bytes);
    }
}

struct change {
    const char *vector;
    size_t at;
    uint16_t value; /* put there in network byte order */
};

static int status_after(const struct change *change)
{
    size_t length;
    uint8_t *bytes = bytes_of(vector_named(pnrp_vectors[BYPEER_PROFILE_WINDOWS].messages, change->vector), &length);
    bytes[change->at] = (uint8_t)(change->value >> 8);
    bytes[change->at + 1] = (uint8_t)change->value;
    int status = read_status(bytes, length);
    free(bytes);
    return status;
}

Test(pnrp_message, wrong_values_are_refused)
{
    static const struct change changes[] = {
        {"ack", 0, 0x0011},                 /* header: field */
        {"ack", 2, 0x000b},                 /* header: length */
        {"ack", 4, 0x5004},                 /* header: identifier */
        {"ack", 6, 0x0005},                 /* header: no such message */
        {"ack", 6, 0x0000},                 /* likewise */
        {"ack", 6, 0x0001},                 /* another message's type */
        {"ack", 12, 0x0019},                /* acked: field */
        {"ack", 14, 0x0007},                /* acked: length */
        {"ack", 14, 0x0003},                /* acked: shorter than its frame */
        {"ack_not_local", 22, 0x0007},      /* flags: length */
        {"solicit_with_entry", 14, 0x0007}, /* controls: length */
        {"solicit_with_entry", 22, 0x003b}, /* entry: length */
        {"solicit_with_entry", 22, 0x0029}, /* entry: shorter than what is fixed of it */
        {"solicit_with_entry", 56, 0x0500}, /* entry: version */
        {"solicit_with_entry", 56, 0x0401}, /* entry: version */
        {"solicit_with_entry", 58, 1024},   /* entry: port */
        {"solicit_with_entry", 60, 0x0000}, /* entry: no address */
        {"solicit_with_entry", 60, 0x0002}, /* entry: more addresses than there are */
        {"solicit_with_entry", 82, 0x0019}, /* nonce: length */
        {"advertise", 24, 2},               /* IDs: more than there are */
        {"advertise", 24, 0},               /* IDs: fewer */
        {"advertise", 24, 0x0801},          /* IDs: so many that their bytes are 32 again in 16 bits */
        {"advertise", 26, 41},              /* IDs: array length */
        {"advertise", 28, 0x0031},          /* IDs: kind */
        {"advertise", 30, 31},              /* IDs: bytes of one */
        {"request", 14, 0x0013},            /* nonce: length */
        {"request", 32, 0x009e},            /* IDs: field */
        {"flood", 14, 0x0006},              /* controls: length */
        {"flood", 20, 0x0038},              /* another ID where the one to validate is due */
        {"flood", 116, 0x009d},             /* endpoints: field */
        {"flood", 120, 0},                  /* endpoints: fewer than there are */
        {"flood", 124, 0x0030},             /* endpoints: kind */
        {"flood", 126, 16},                 /* endpoints: bytes of one */
        {"flood", 128, 1024},               /* endpoints: port */
        {"flood_revoke", 58, 0x0004},       /* revocation: empty */
        {"flood_revoke", 58, 0x0195 + 4},   /* revocation: reaches into what follows */
        {"inquire", 14, 0x0008},            /* flags: length */
        {"inquire", 22, 0x0023},            /* ID: length */
        {"inquire", 56, 0x0092},            /* a hashed nonce where a nonce is due */
        {"lookup", 12, 0x0044},             /* controls: field */
        {"lookup", 14, 0x000d},             /* controls: length */
        {"lookup", 20, 0x0300},             /* no such criterion */
        {"lookup", 20, 0x1000},             /* likewise */
        {"lookup", 24, 0x0039},             /* IDs in the wrong order */
        {"lookup", 60, 0x0038},             /* likewise */
        {"lookup", 62, 0x0025},             /* ID: length */
        {"lookup", 96, 0x0060},             /* path: field */
        {"lookup", 108, 1024},              /* path: port */
        {"authority_names_b", 22, 0x0007},  /* split controls: length */
        {"authority_names_b", 24, 0},       /* buffer: empty */
        {"authority_names_b", 24, 0x0045},  /* buffer: longer than this slice, which is its last */
        {"authority_names_b", 24, 0x0043},  /* buffer: shorter */
        {"authority_names_b", 24, 37349},   /* buffer: longer than any */
        {"authority_names_b", 26, 1},       /* slice: not at a multiple of 1188 */
        {"authority_names_b", 26, 1188},    /* slice: behind the end */
    };
    for (size_t at = 0; at < sizeof(changes) / sizeof(changes[0]); at++)
        cr_assert_eq(status_after(&changes[at]), -EBADMSG, "%s with %#x at %zu", changes[at].vector, changes[at].value,
                     changes[at].at);
}

Test(pnrp_message, what_is_reserved_is_ignored)
{
    static const struct change changes[] = {
        {"solicit_with_entry", 16, 0xff00}, /* reserved byte of the controls */
        {"solicit_with_entry", 18, 0xffff}, /* padding */
        {"solicit_with_entry", 60, 0xff01}, /* flags of the entry */
        {"flood", 16, 0xffff},              /* flags */
        {"flood", 18, 0xffff},              /* reserved, padding */
        {"ack_not_local", 24, 0xffff},      /* flags */
        {"inquire", 16, 0xffff},            /* flags */
        {"lookup", 16, 0xfffd},             /* flags */
        {"lookup", 18, 0xffff},             /* precision that this criterion does not use */
        {"lookup", 20, 0x01ff},             /* reason */
        {"lookup", 22, 0xffff},             /* reserved */
    };
    for (size_t at = 0; at < sizeof(changes) / sizeof(changes[0]); at++)
        cr_assert_eq(status_after(&changes[at]), 0, "%s with %#x at %zu", changes[at].vector, changes[at].value,
                     changes[at].at);
}

Test(pnrp_message, precision_counts_bits_of_an_id)
{
    size_t length;
    uint8_t *bytes;
    message_of("lookup", &bytes, &length);
    bytes[20] = BYPEER_PNRP_UPPER_BITS;
    bytes[18] = 1;
    cr_assert_eq(read_status(bytes, length), 0, "256");
    bytes[19] = 1;
    cr_assert_eq(read_status(bytes, length), -EBADMSG, "257");
    free(bytes);
}

Test(pnrp_message, failure_leaves_the_message_as_it_was)
{
    struct bypeer_pnrp_message message, before;
    size_t length;
    uint8_t *bytes;
    memset(&message, 0x5a, sizeof(message));
    before = message;
    message_of("lookup", &bytes, &length);
    cr_assert_eq(bypeer_pnrp_read(&message, profile_at(BYPEER_PROFILE_WINDOWS), bytes, length - 1), -EBADMSG);
    cr_assert_arr_eq(&message, &before, sizeof(message));
    free(bytes);
}

Test(pnrp_message, slice_may_lie_in_its_place)
{
    uint8_t bytes[64], other[64];
    struct bypeer_pnrp_message message = {.type = BYPEER_PNRP_AUTHORITY, .id = 1};
    memset(bytes, 0xaa, sizeof(bytes));
    message.authority =
        (struct bypeer_pnrp_authority){.acked = 2, .size = 8, .slice = bytes + BYPEER_PNRP_SLICE_AT, .slice_bytes = 8};
    memcpy(bytes + BYPEER_PNRP_SLICE_AT, "\0\x40\0\6\0\1\0\0", 8);
    size_t length = bypeer_pnrp_write(&message, profile_at(0), bytes, sizeof(bytes));
    message.authority.slice = bytes + BYPEER_PNRP_SLICE_AT;
    cr_assert_eq(length, 36);
    cr_assert_eq(bypeer_pnrp_write(&message, profile_at(0), other, sizeof(other)), 36);
    cr_assert_arr_eq(bytes, other, 36);
    cr_assert_arr_eq(bytes + BYPEER_PNRP_SLICE_AT, "\0\x40\0\6\0\1\0\0", 8);
}

Test(pnrp_answer, vectors_are_written_as_they_were_read)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++)
        for (const struct pnrp_vector *vector = pnrp_vectors[at].answers; vector->name; vector++) {
            struct bypeer_pnrp_answer answer;
            size_t length;
            uint8_t *bytes = bytes_of(vector->hex, &length), *again = malloc(length + 2);
            size_t padding = strcmp(vector->name, "not_local_unpadded") == 0 ? 2 : 0;
            cr_assert_eq(bypeer_pnrp_answer_read(&answer, profile_at(at), bytes, length), 0, "%s", vector->name);
            cr_assert_eq(bypeer_pnrp_answer_write(&answer, profile_at(at), again, length + padding), length + padding);
            cr_assert_arr_eq(again, bytes, length, "%s", vector->name);
            for (size_t room = 0; room < length; room++)
                cr_assert_eq(bypeer_pnrp_answer_write(&answer, profile_at(at), again, room), 0);
            free(again);
            free(bytes);
        }
}

Test(pnrp_answer, has_all_that_a_resolver_needs)
{
    const struct pnrp_vectors *vectors = &pnrp_vectors[BYPEER_PROFILE_WINDOWS];
    struct bypeer_pnrp_answer answer;
    size_t length;
    uint8_t *bytes = bytes_of(vector_named(vectors->answers, "secure"), &length);
    cr_assert_eq(bypeer_pnrp_answer_read(&answer, profile_at(BYPEER_PROFILE_WINDOWS), bytes, length), 0);
    cr_assert_eq(answer.flags, 0);
    cr_assert_null(answer.chain);
    bytes_expect(answer.classifier, 2u * answer.classifier_length,
                 "004d0079004100700070006c00690063006100740069006f006e", "classifier");
    bytes_expect(answer.payload, answer.payload_bytes, vector_named(vectors->extendeds, "binary"), "payload");
    bytes_expect(answer.entry.id, 32, vectors->id_secure, "entry");
    bytes_expect(answer.cpa, answer.cpa_bytes, vector_named(vectors->cpas, "secure"), "CPA");
    free(bytes);
}

Test(pnrp_answer, part_of_a_buffer_is_no_other_buffer)
{
    /* Where an element ends, what is before it is a whole answer, too; its padding may be missing. */
    static const size_t ends[] = {6, 8, 46, 48, 267, 268, 326, 328};
    size_t length;
    uint8_t *bytes = bytes_of(vector_named(pnrp_vectors[BYPEER_PROFILE_WINDOWS].answers, "secure"), &length);
    unsigned whole = 0;
    for (size_t part = 0; part < length; part++) {
        struct bypeer_pnrp_answer answer;
        uint8_t *exact = bytes_copy(bytes, part);
        bool is_end = false;
        for (size_t at = 0; at < sizeof(ends) / sizeof(ends[0]); at += 2)
            is_end |= part >= ends[at] && part <= ends[at + 1];
        cr_assert_eq(bypeer_pnrp_answer_read(&answer, profile_at(BYPEER_PROFILE_WINDOWS), exact, part),
                     is_end ? 0 : -EBADMSG, "%zu bytes", part);
        whole += is_end;
        free(exact);
    }
    cr_assert_eq(whole, 11);
    free(bytes);
}

Test(pnrp_answer, elements_in_another_order_are_refused)
{
    static const uint8_t blob[4];
    const struct bypeer_pnrp_answer first = {.cpa = blob, .cpa_bytes = 4}, second = {.chain = blob, .chain_bytes = 4};
    struct bypeer_pnrp_answer answer;
    uint8_t bytes[64], more[64];
    const struct bypeer_profile *profile = profile_at(0);
    size_t length = bypeer_pnrp_answer_write(&first, profile, bytes, sizeof(bytes));
    size_t other = bypeer_pnrp_answer_write(&second, profile, more, sizeof(more));
    cr_assert_eq(bypeer_pnrp_answer_read(&answer, profile, bytes, length), 0);
    memcpy(bytes + length, more + 8, other - 8); /* without its flags */
    cr_assert_eq(bypeer_pnrp_answer_read(&answer, profile, bytes, length + other - 8), -EBADMSG);
}

Test(pnrp_answer, classifier_has_a_name_s_length)
{
    static uint8_t units[2 * 150], bytes[1000];
    struct bypeer_pnrp_answer answer = {.classifier = units}, again;
    for (unsigned count = 0; count <= 150; count++) {
        answer.classifier_length = (uint16_t)count;
        size_t length = bypeer_pnrp_answer_write(&answer, profile_at(0), bytes, sizeof(bytes));
        cr_assert_eq(bypeer_pnrp_answer_read(&again, profile_at(0), bytes, length), count < 150 ? 0 : -EBADMSG);
    }
}
