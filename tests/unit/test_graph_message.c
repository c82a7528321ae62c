/* Graphing's messages and frames, as a peer sees their bytes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/frame.h"
#include "overlay/graph/message.h"
#include "overlay/ip/wire.h"

#define GRAPH_ID "d6d380ed557a4788a5c9689979c81305853ec785.HomeGroupPeerGroupClassifier"
#define PEER_ID  "b736cee3ae549b6baebea4c1a377740b96d359f6.HomeGroupClassifier_1"

static const struct bypeer_profile *windows(void)
{
    return bypeer_profile(BYPEER_PROFILE_WINDOWS);
}

static const struct bypeer_profile *modern(void)
{
    return bypeer_profile(BYPEER_PROFILE_MODERN);
}

static struct bypeer_graph_text text_of(const char *text)
{
    return (struct bypeer_graph_text){text, strlen(text)};
}

/* What Windows 7 was seen to send. */
static void make_auth_info(uint8_t ret_frame[static 149])
{
    static const uint8_t head[] = {0x00, 0x93, 0x00, 0x00, 0x00, 0x93, 0x10, 0x01, 0x00,
                                   0x00, 0x01, 0x00, 0x00, 0x10, 0x00, 0x55, 0x00, 0x93};
    memcpy(ret_frame, head, sizeof(head));
    memcpy(ret_frame + sizeof(head), GRAPH_ID PEER_ID, 149 - sizeof(head));
}

Test(graph_message, auth_info_as_windows_sends_it)
{
    uint8_t frame[149];
    struct bypeer_graph_message message;
    make_auth_info(frame);
    cr_assert_eq(bypeer_graph_message_read(&message, windows(), frame + 2, 147), 0);
    cr_assert_eq(message.type, BYPEER_GRAPH_AUTH_INFO);
    cr_assert_eq(message.auth_info.kind, BYPEER_GRAPH_NEIGHBOR);
    cr_assert_eq(message.auth_info.graph.length, strlen(GRAPH_ID));
    cr_assert_eq(message.auth_info.source.length, strlen(PEER_ID));
    cr_assert_arr_eq(message.auth_info.source.bytes, PEER_ID, strlen(PEER_ID));
    cr_assert_null(message.auth_info.destination.bytes);
}

Test(graph_message, auth_info_is_written_as_windows_does)
{
    uint8_t frame[149], unit[147];
    struct bypeer_buffer out = {0};
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_AUTH_INFO};
    message.auth_info.kind = BYPEER_GRAPH_NEIGHBOR;
    message.auth_info.graph = text_of(GRAPH_ID);
    message.auth_info.source = text_of(PEER_ID);
    make_auth_info(frame);
    cr_assert_eq(bypeer_graph_message_bytes(&message), sizeof(unit));
    cr_assert_eq(bypeer_graph_message_write(&message, windows(), unit, sizeof(unit) - 1), 0);
    cr_assert_eq(bypeer_graph_message_write(&message, windows(), unit, sizeof(unit)), sizeof(unit));
    cr_assert_eq(bypeer_unit_append(&out, BYPEER_FRAME_GROUP, unit, sizeof(unit)), 0);
    cr_assert_eq(out.length, sizeof(frame));
    cr_assert_arr_eq(out.bytes, frame, sizeof(frame));
    bypeer_buffer_clear(&out);
}

Test(graph_message, profiles_do_not_meet)
{
    uint8_t frame[149];
    struct bypeer_graph_message message;
    make_auth_info(frame);
    cr_assert_eq(bypeer_graph_message_read(&message, modern(), frame + 2, 147), -EPROTONOSUPPORT);
    frame[2 + 4] = 0x20;
    cr_assert_eq(bypeer_graph_message_read(&message, modern(), frame + 2, 147), 0);
    cr_assert_eq(bypeer_graph_message_read(&message, windows(), frame + 2, 147), -EPROTONOSUPPORT);
}

Test(graph_message, texts_may_end_with_nul)
{
    uint8_t bytes[] = {0, 0, 0, 21, 0x20, 1, 0, 0, 2, 0, 0, 16, 0, 18, 0, 20, 'g', 0, 'p', 0, 'd'};
    struct bypeer_graph_message message;
    cr_assert_eq(bypeer_graph_message_read(&message, modern(), bytes, sizeof(bytes)), 0);
    cr_assert_eq(message.auth_info.graph.length, 1);
    cr_assert_eq(message.auth_info.source.length, 1);
    cr_assert_eq(message.auth_info.destination.length, 1);
    cr_assert_eq(message.auth_info.destination.bytes[0], 'd');
}

/* A message and one way to break it. */
struct broken {
    const char *what;
    size_t length, at;
    uint8_t bytes[64], value;
};

/* Each is right as it stands, and wrong with the one byte. */
static const struct broken broken[] = {
    {"size", 12, 3, {0, 0, 0, 12, 0x20, 0x0c}, 13},
    {"type", 12, 5, {0, 0, 0, 12, 0x20, 0x0c}, 15},
    {"link kind", 18, 8, {0, 0, 0, 18, 0x20, 1, 0, 0, 1, 0, 0, 16, 0, 17, 0, 18, 'g', 'p'}, 3},
    {"empty graph ID", 18, 13, {0, 0, 0, 18, 0x20, 1, 0, 0, 1, 0, 0, 16, 0, 17, 0, 18, 'g', 'p'}, 16},
    {"peer ID no UTF-8", 18, 17, {0, 0, 0, 18, 0x20, 1, 0, 0, 1, 0, 0, 16, 0, 17, 0, 18, 'g', 'p'}, 0xff},
    {"offset within the fields", 18, 11, {0, 0, 0, 18, 0x20, 1, 0, 0, 1, 0, 0, 16, 0, 17, 0, 18, 'g', 'p'}, 8},
    {"offset beyond the end", 18, 15, {0, 0, 0, 18, 0x20, 1, 0, 0, 1, 0, 0, 16, 0, 17, 0, 18, 'g', 'p'}, 19},
    {"update without addresses", 24, 8, {0, 0, 0, 24, 0x20, 2, 0, 0, 1, 0, 0, 24, 0, 24}, 8},
    {"addresses beyond the name", 24, 9, {0, 0, 0, 24, 0x20, 2, 0, 0, 1, 0, 0, 24, 0, 24}, 1},
    {"address family", 32, 13, {0, 0, 0, 32, 0x20, 5, 0, 0, 1, 1, 0, 12, 0, 0x17}, 10},
    {"welcome without a peer", 33, 31, {0, 0, 0, 33, 0x20, 3, [28] = 0, 32, 0, 33, 'p'}, 32},
    {"refusal code", 12, 8, {0, 0, 0, 12, 0x20, 4, 0, 0, 4}, 5},
    {"parting code", 12, 8, {0, 0, 0, 12, 0x20, 5, 0, 0, 3, 0, 0, 12}, 4},
    {"both lists of types", 28, 9, {0, 0, 0, 28, 0x20, 6, 0, 0, 1, 0, 0, 12}, 1},
    {"two types included", 44, 8, {0, 0, 0, 44, 0x20, 6, 0, 0, 1, 0, 0, 12}, 2},
    {"hash count", 60, 15, {0, 0, 0, 60, 0x20, 8, 0, 0, 0, 0, 0, 20, 0, 0, 0, 1, 0, 20}, 2},
    {"hash count of 2^31", 60, 12, {0, 0, 0, 60, 0x20, 8, 0, 0, 0, 0, 0, 20, 0, 0, 0, 1, 0, 20}, 0x80},
    {"abstracts that no boundary counts", 44, 15, {0, 0, 0, 44, 0x20, 9, [17] = 24, [23] = 24}, 1},
    {"request count", 36, 11, {0, 0, 0, 36, 0x20, 10, [11] = 1, [15] = 16}, 2},
    {"flood's reserved field", 12, 11, {0, 0, 0, 12, 0x20, 11, 0, 0, 0, 12}, 1},
    {"record within the fields", 12, 9, {0, 0, 0, 12, 0x20, 11, 0, 0, 0, 12}, 8},
    {"data beyond the end", 28, 9, {0, 0, 0, 28, 0x20, 13, 0, 0, 0, 28}, 29},
    {"acks beyond the end", 32, 9, {0, 0, 0, 32, 0x20, 14, 0, 0, 0, 1, 0, 12}, 2},
};

Test(graph_message, whatever_is_wrong_is_refused)
{
    for (unsigned at = 0; at < sizeof(broken) / sizeof(broken[0]); at++) {
        const struct broken *one = &broken[at];
        struct bypeer_graph_message message;
        uint8_t bytes[64];
        memcpy(bytes, one->bytes, sizeof(bytes));
        cr_expect_eq(bypeer_graph_message_read(&message, modern(), bytes, one->length), 0, "%s: whole", one->what);
        bytes[one->at] = one->value;
        cr_expect_eq(bypeer_graph_message_read(&message, modern(), bytes, one->length), -EBADMSG, "%s", one->what);
    }
}

Test(graph_message, each_type_has_a_least_size)
{
    static const uint8_t least[] = {0, 16, 24, 32, 12, 12, 12, 20, 20, 24, 16, 12, 12, 28, 12};
    for (unsigned type = 1; type <= BYPEER_GRAPH_ACK; type++) {
        uint8_t bytes[32] = {0, 0, 0, (uint8_t)(least[type] - 1), 0x20, (uint8_t)type};
        struct bypeer_graph_message message;
        cr_expect_eq(bypeer_graph_message_read(&message, modern(), bytes, least[type] - 1u), -EBADMSG, "%u", type);
    }
}

Test(graph_message, empty_request_has_twenty_bytes)
{
    const struct bypeer_graph_message message = {.type = BYPEER_GRAPH_REQUEST};
    struct bypeer_graph_message read;
    uint8_t bytes[20];
    cr_assert_eq(bypeer_graph_message_write(&message, modern(), bytes, sizeof(bytes)), 20);
    cr_assert_eq(bypeer_graph_message_read(&read, modern(), bytes, sizeof(bytes)), 0);
    cr_assert_eq(read.request.count, 0);
}

Test(graph_message, addresses_use_the_family_of_windows)
{
    const struct bypeer_graph_address address = {{0xfd, 0x01, [15] = 0x07}, 3587};
    struct bypeer_graph_address read;
    uint8_t bytes[BYPEER_GRAPH_ADDRESS_BYTES];
    bypeer_graph_address_put(bytes, &address);
    cr_assert_eq(bypeer_load16(bytes), 23);
    cr_assert_eq(bypeer_load16(bytes + 2), 3587);
    const struct bypeer_graph_addresses addresses = {bytes, 1};
    bypeer_graph_address_at(&addresses, 0, &read);
    cr_assert_arr_eq(read.address, address.address, 16);
    cr_assert_eq(read.port, 3587);
}

/* --- frames --- */

/* Feeds the stream in pieces of so many bytes; returns the units that came, each with its length in front. */
static struct bypeer_buffer read_units(const struct bypeer_buffer *stream, size_t piece, uint16_t largest)
{
    struct bypeer_frame_reader frames = {.largest = largest};
    struct bypeer_unit_reader units = {.largest = 1000000};
    struct bypeer_buffer found = {0};
    for (size_t at = 0; at < stream->length; at += piece) {
        const uint8_t *bytes = stream->bytes + at, *payload, *unit;
        size_t length = stream->length - at < piece ? stream->length - at : piece, payload_bytes, unit_bytes;
        int next;
        while ((next = bypeer_frame_next(&frames, &bytes, &length, &payload, &payload_bytes)) > 0) {
            int taken = bypeer_unit_take(&units, payload, payload_bytes, &unit, &unit_bytes);
            cr_assert_geq(taken, 0);
            if (taken > 0)
                bypeer_buffer_append(&found, unit, unit_bytes);
        }
        cr_assert_eq(next, 0);
        cr_assert_eq(length, 0);
    }
    bypeer_frame_reader_clear(&frames);
    bypeer_unit_reader_clear(&units);
    return found;
}

static void put_unit(struct bypeer_buffer *units, struct bypeer_buffer *stream, uint32_t length, uint16_t largest)
{
    uint8_t *unit = calloc(1, length);
    for (uint32_t at = 4; at < length; at++)
        unit[at] = (uint8_t)(at * 7 + length);
    bypeer_store32(unit, length);
    bypeer_buffer_append(units, unit, length);
    cr_assert_eq(bypeer_unit_append(stream, largest, unit, length), 0);
    free(unit);
}

Test(graph_frame, units_come_whole_however_the_stream_is_cut)
{
    static const size_t pieces[] = {1, 2, 3, 7, 100, 101, 102, 4096, 1000000};
    struct bypeer_buffer units = {0}, stream = {0};
    static const uint32_t lengths[] = {4, 5, 99, 100, 101, 200, 201, 5000, 8};
    for (unsigned at = 0; at < sizeof(lengths) / sizeof(lengths[0]); at++)
        put_unit(&units, &stream, lengths[at], 100);
    for (unsigned at = 0; at < sizeof(pieces) / sizeof(pieces[0]); at++) {
        struct bypeer_buffer found = read_units(&stream, pieces[at], 100);
        cr_assert_eq(found.length, units.length, "pieces of %zu", pieces[at]);
        cr_assert_arr_eq(found.bytes, units.bytes, units.length);
        bypeer_buffer_clear(&found);
    }
    bypeer_buffer_clear(&units);
    bypeer_buffer_clear(&stream);
}

Test(graph_frame, tokens_count_their_own_size_field)
{
    struct bypeer_buffer out = {0};
    cr_assert_eq(bypeer_token_append(&out, BYPEER_FRAME_GROUP, (const uint8_t *)"token", 5), 0);
    cr_assert_eq(out.length, 11);
    cr_assert_arr_eq(out.bytes, "\0\x09\0\0\0\x09token", 11);
    bypeer_buffer_clear(&out);
}

static int first_frame(const char *stream, size_t length, uint16_t largest)
{
    struct bypeer_frame_reader frames = {.largest = largest};
    const uint8_t *bytes = (const uint8_t *)stream, *payload;
    size_t payload_bytes;
    int result = bypeer_frame_next(&frames, &bytes, &length, &payload, &payload_bytes);
    bypeer_frame_reader_clear(&frames);
    return result;
}

Test(graph_frame, frames_beyond_the_limit_end_the_link)
{
    cr_assert_eq(first_frame("\0\x04hey!", 6, 4), 1);
    cr_assert_eq(first_frame("\0\x05heyho", 7, 4), -EMSGSIZE);
    cr_assert_eq(first_frame("\xff\xff", 2, 4), -EMSGSIZE);
    cr_assert_eq(first_frame("\0\0", 2, 4), -EMSGSIZE);
}

static int first_unit(const char *payload, size_t length)
{
    struct bypeer_unit_reader units = {.largest = 100};
    const uint8_t *unit;
    size_t unit_bytes;
    int result = bypeer_unit_take(&units, (const uint8_t *)payload, length, &unit, &unit_bytes);
    bypeer_unit_reader_clear(&units);
    return result;
}

Test(graph_frame, units_are_as_long_as_they_say)
{
    cr_assert_eq(first_unit("\0\0\0\x06hi", 6), 1);
    cr_assert_eq(first_unit("\0\0\0\x07hi", 6), 0);
    cr_assert_eq(first_unit("\0\0\0\x05hi", 6), -EBADMSG);
    cr_assert_eq(first_unit("\0\0\0\x03hi", 6), -EBADMSG);
    cr_assert_eq(first_unit("\0\0\0\x65hi", 6), -EMSGSIZE);
}
