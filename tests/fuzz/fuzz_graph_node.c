/*
 * A node that strangers and neighbors talk to. The input is a list of events:
 *
 *   | what 1 | length 2 | bytes |    what: 0 stranger, bytes of the stream; 1 neighbor, bytes of the stream;
 *                                    2 neighbor, a message without its header, its type first; 3 time passes, in s;
 *                                    4 whether the streams have no room
 *
 * Whatever comes, what the node says is messages, and it goes on living: another that comes afterwards is welcomed.
 */
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/frame.h"
#include "overlay/graph/graph.h"
#include "overlay/ip/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINKS 128

struct world {
    struct bypeer_graph *graph;
    struct bypeer_graph_time now;
    struct bypeer_frame_reader frames[LINKS];
    struct bypeer_unit_reader units[LINKS];
    uint32_t closing[LINKS];
    unsigned closing_count;
    bool is_welcome, is_full;
};

static const struct bypeer_profile *profile_of(void)
{
    return bypeer_profile(BYPEER_PROFILE_MODERN);
}

static bool on_send(void *context, uint32_t link, const uint8_t *bytes, size_t length)
{
    struct world *world = context;
    const uint8_t *payload, *unit;
    size_t payload_bytes, unit_bytes;
    if (link >= LINKS)
        abort();
    while (bypeer_frame_next(&world->frames[link], &bytes, &length, &payload, &payload_bytes) > 0) {
        struct bypeer_graph_message message;
        int taken = bypeer_unit_take(&world->units[link], payload, payload_bytes, &unit, &unit_bytes);
        if (taken < 0 || (taken > 0 && bypeer_graph_message_read(&message, profile_of(), unit, unit_bytes) != 0))
            abort();
        if (taken > 0 && message.type == BYPEER_GRAPH_WELCOME)
            world->is_welcome = true;
    }
    if (length > 0)
        abort();
    return !world->is_full;
}

static void on_close(void *context, uint32_t link)
{
    struct world *world = context;
    if (world->closing_count == LINKS)
        abort();
    world->closing[world->closing_count++] = link;
}

static void after(struct world *world)
{
    while (world->closing_count > 0) {
        uint32_t link = world->closing[--world->closing_count];
        bypeer_frame_reader_clear(&world->frames[link]);
        bypeer_unit_reader_clear(&world->units[link]);
        bypeer_graph_closed(world->graph, world->now, link, 0);
    }
}

static void say(struct world *world, uint32_t link, const struct bypeer_graph_message *message)
{
    struct bypeer_buffer frames = {0};
    size_t length = bypeer_graph_message_bytes(message);
    uint8_t *unit = malloc(length);
    bypeer_graph_message_write(message, profile_of(), unit, length);
    bypeer_unit_append(&frames, BYPEER_FRAME_GROUP, unit, length);
    bypeer_graph_receive(world->graph, world->now, link, frames.bytes, frames.length);
    bypeer_buffer_clear(&frames);
    free(unit);
}

static uint32_t accept_link(struct world *world)
{
    static const struct bypeer_graph_address from = {{0xfd}, 9};
    uint32_t link = 0;
    if (bypeer_graph_accept(world->graph, world->now, &from, &link) != 0)
        abort();
    return link;
}

static uint32_t join(struct world *world, uint64_t node_id)
{
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_AUTH_INFO};
    uint32_t link = accept_link(world);
    message.auth_info.kind = BYPEER_GRAPH_NEIGHBOR;
    message.auth_info.graph = (struct bypeer_graph_text){"0.graph", 7};
    message.auth_info.source = (struct bypeer_graph_text){"0.bob", 5};
    say(world, link, &message);
    message = (struct bypeer_graph_message){.type = BYPEER_GRAPH_CONNECT};
    message.connect.node_id = node_id;
    say(world, link, &message);
    return link;
}

static void say_raw(struct world *world, uint32_t link, const uint8_t *bytes, size_t length)
{
    struct bypeer_buffer frames = {0};
    if (length == 0)
        return;
    uint8_t *unit = malloc(length + 7);
    bypeer_store32(unit, (uint32_t)length + 7);
    memcpy(unit + 4, (const uint8_t[]){0x20, bytes[0], 0, 0}, 4);
    memcpy(unit + 8, bytes + 1, length - 1);
    bypeer_unit_append(&frames, BYPEER_FRAME_GROUP, unit, length + 7);
    bypeer_graph_receive(world->graph, world->now, link, frames.bytes, frames.length);
    bypeer_buffer_clear(&frames);
    free(unit);
}

static void set_full(struct world *world, bool is_full)
{
    world->is_full = is_full;
    for (uint32_t link = 1; link < LINKS && !is_full; link++)
        bypeer_graph_writable(world->graph, world->now, link);
}

static void run_events(struct world *world, const uint8_t *data, size_t size)
{
    uint32_t stranger = accept_link(world), neighbor = join(world, 77);
    while (size >= 3) {
        size_t length = bypeer_load16(data + 1), room = size - 3;
        uint8_t *bytes = malloc(length < room ? length + 1 : room + 1); /* exactly, for the sanitizer */
        length = length < room ? length : room;
        memcpy(bytes, data + 3, length);
        if (data[0] == 0)
            bypeer_graph_receive(world->graph, world->now, stranger, bytes, length);
        else if (data[0] == 1)
            bypeer_graph_receive(world->graph, world->now, neighbor, bytes, length);
        else if (data[0] == 2)
            say_raw(world, neighbor, bytes, length);
        else if (data[0] == 4)
            set_full(world, length > 0);
        else if (length > 0)
            world->now.ms += 1000u * bytes[0], world->now.utc += bytes[0] * BYPEER_PEER_TIME_SECOND;
        free(bytes);
        after(world);
        bypeer_graph_tick(world->graph, world->now);
        after(world);
        data += 3 + length;
        size -= 3 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bypeer_graph_address here = {{0xfd, [15] = 1}, 3587};
    static struct world world;
    const struct bypeer_graph_settings settings = {
        .profile = profile_of(),
        .graph_id = "0.graph",
        .peer_id = "0.alice",
        .sink = {.send = on_send, .close = on_close},
        .sink_context = &world,
        .seed = {1},
        .is_creator = true,
        .info = {.presence_max = UINT32_MAX},
    };
    world = (struct world){.now = {1000, UINT64_C(134000000000000000)}};
    for (unsigned link = 0; link < LINKS; link++) {
        world.frames[link].largest = BYPEER_FRAME_MAX;
        world.units[link].largest = UINT32_MAX;
    }
    if (bypeer_graph_open(&world.graph, &settings, world.now) != 0)
        abort();
    bypeer_graph_listen(world.graph, world.now, &here, 1);
    run_events(&world, data, size);
    set_full(&world, false);
    after(&world);
    world.is_welcome = false;
    join(&world, 78);
    if (!world.is_welcome)
        abort();
    bypeer_graph_free(world.graph);
    for (unsigned link = 0; link < LINKS; link++) {
        bypeer_frame_reader_clear(&world.frames[link]);
        bypeer_unit_reader_clear(&world.units[link]);
    }
    return 0;
}
