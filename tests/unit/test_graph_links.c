/* Links between nodes of a graph: how they begin, who is refused and why, and how they end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/graph_wire.h"

static struct wire wire;

static void begin(void)
{
    wire_init(&wire, bypeer_profile(BYPEER_PROFILE_MODERN));
    wire_open(&wire, 0, NULL);
    wire_listen(&wire, 0);
}

static void end(void)
{
    wire_clear(&wire);
}

TestSuite(graph_links, .init = begin, .fini = end);

/* Says hello to node 0 as a neighbor with this ID. */
static void be_neighbor_as(const char *peer_id, uint64_t node_id)
{
    wire_dial(&wire, 0);
    wire_introduce(&wire, BYPEER_GRAPH_NEIGHBOR, peer_id);
    wire_say_connect(&wire, 0, node_id);
}

static void be_neighbor(uint64_t node_id)
{
    be_neighbor_as("0.mallory", node_id);
}

/* Says hello as somebody else for each ID. */
static void be_another(uint64_t node_id)
{
    char peer_id[32];
    snprintf(peer_id, sizeof(peer_id), "0.peer-%u", (unsigned)node_id);
    be_neighbor_as(peer_id, node_id);
}

static const char *last_why(unsigned number)
{
    const struct wire_node *node = &wire.nodes[number];
    return node->event_count > 0 ? node->events[node->event_count - 1].why : "";
}

static uint8_t refusal(void)
{
    struct bypeer_graph_message message;
    wire_read_last(&wire, &message);
    return message.type == BYPEER_GRAPH_REFUSE ? message.end.code : 0;
}

Test(graph_links, a_neighbor_is_welcomed)
{
    struct bypeer_graph_message message;
    be_neighbor(77);
    wire_read_last(&wire, &message);
    cr_assert_eq(message.type, BYPEER_GRAPH_WELCOME);
    cr_assert_eq(message.welcome.node_id, bypeer_graph_node_id(wire.nodes[0].graph));
    cr_assert_eq(message.welcome.peer_time, wire.now.utc);
    cr_assert_eq(message.welcome.peer_id.length, 7);
    cr_assert_eq(wire_neighbors(&wire, 0), 1);
    cr_assert(bypeer_graph_status(wire.nodes[0].graph) & BYPEER_GRAPH_HAS_CONNECTIONS);
}

Test(graph_links, nobody_is_accepted_before_the_first_synchronisation)
{
    const struct bypeer_graph_address address = wire_address(1);
    uint32_t link;
    wire_open(&wire, 1, NULL);
    wire_listen(&wire, 1);
    cr_assert_eq(bypeer_graph_accept(wire.nodes[1].graph, wire.now, &address, &link), -ECONNREFUSED);
    wire_connect(&wire, 1, 0, BYPEER_GRAPH_NEIGHBOR);
    cr_assert_eq(bypeer_graph_accept(wire.nodes[1].graph, wire.now, &address, &link), 0);
}

Test(graph_links, busy_nodes_refer_to_their_neighbors)
{
    struct bypeer_graph_message message;
    struct bypeer_graph_address address;
    wire_join(&wire, 1);
    for (uint64_t node_id = 1; node_id <= 6; node_id++) {
        be_another(node_id);
        cr_assert(wire_heard(&wire, BYPEER_GRAPH_WELCOME));
    }
    be_another(99);
    cr_assert_eq(refusal(), BYPEER_REFUSE_BUSY);
    wire_read_last(&wire, &message);
    cr_assert_eq(message.end.addresses.count, 1);
    bypeer_graph_address_at(&message.end.addresses, 0, &address);
    cr_assert_eq(address.address[15], wire_address(1).address[15]);
    cr_assert(wire.is_ended);
    cr_assert_eq(wire_neighbors(&wire, 0), 7);
}

Test(graph_links, who_is_referred_goes_there)
{
    wire_join(&wire, 1);
    for (uint64_t node_id = 1; node_id <= 6; node_id++)
        be_another(node_id);
    wire_open(&wire, 2, NULL);
    wire_connect(&wire, 2, 0, BYPEER_GRAPH_NEIGHBOR);
    cr_assert_eq(wire_neighbors(&wire, 2), 1);
    cr_assert_eq(wire_neighbors(&wire, 1), 2);
    cr_assert(bypeer_graph_status(wire.nodes[2].graph) & BYPEER_GRAPH_SYNCHRONIZED);
}

Test(graph_links, many_nodes_of_one_identity_take_no_place_of_others)
{
    enum { MOST = 7 };
    for (uint64_t node_id = 1; node_id <= MOST; node_id++) {
        be_neighbor(node_id);
        cr_assert(wire_heard(&wire, BYPEER_GRAPH_WELCOME), "nobody else wants the place");
    }
    be_neighbor(50);
    cr_assert_eq(refusal(), BYPEER_REFUSE_BUSY);
    wire_join(&wire, 1);
    cr_assert_eq(wire_neighbors(&wire, 1), 1);
    for (uint64_t node_id = 51; node_id < 51 + MOST - 2; node_id++) {
        be_another(node_id);
        cr_assert(wire_heard(&wire, BYPEER_GRAPH_WELCOME));
        cr_assert_eq(wire_neighbors(&wire, 0), MOST);
    }
    be_neighbor(60);
    cr_assert_eq(refusal(), BYPEER_REFUSE_BUSY, "it has one");
    be_another(61);
    cr_assert_eq(refusal(), BYPEER_REFUSE_BUSY, "each has one");
    cr_assert_eq(wire_neighbors(&wire, 1), 1, "nobody who was there alone gave way");
}

Test(graph_links, names_of_one_authority_are_one_identity)
{
    static const char authority[] = "0123456789012345678901234567890123456789";
    char peer_id[64];
    for (unsigned node_id = 1; node_id <= 7; node_id++) {
        snprintf(peer_id, sizeof(peer_id), "%s.%u", authority, node_id);
        be_neighbor_as(peer_id, node_id);
    }
    be_neighbor(50);
    cr_assert(wire_heard(&wire, BYPEER_GRAPH_WELCOME));
    cr_assert_eq(wire_neighbors(&wire, 0), 7);
}

/* Honest nodes that have neighbors enough do not look for one that is surrounded: it goes itself. */
Test(graph_links, who_is_surrounded_finds_others)
{
    bool has_found = false;
    wire_join(&wire, 1);
    wire_pass(&wire, 30);
    for (unsigned at = 1; at <= 3; at++) {
        char peer_id[32];
        snprintf(peer_id, sizeof(peer_id), "0.friend-%u", at);
        wire_dial(&wire, 1);
        wire_introduce(&wire, BYPEER_GRAPH_NEIGHBOR, peer_id);
        wire_say_connect(&wire, 0, 100 + at);
    }
    wire_cut(&wire, 0, 1);
    cr_assert_eq(wire_neighbors(&wire, 1), 3);
    for (uint64_t node_id = 1; node_id <= 3; node_id++)
        be_neighbor(node_id);
    cr_assert_eq(wire_neighbors(&wire, 0), 3);
    unsigned before = wire.nodes[0].event_count;
    wire_pass(&wire, 60);
    for (unsigned at = before; at < wire.nodes[0].event_count; at++)
        has_found |= wire.nodes[0].events[at].change == BYPEER_GRAPH_LINK_CONNECTED;
    cr_assert(has_found);
}

Test(graph_links, a_node_has_one_link)
{
    be_neighbor(77);
    be_neighbor(77);
    cr_assert_eq(refusal(), BYPEER_REFUSE_DUPLICATE);
    cr_assert(wire.is_ended);
    cr_assert_eq(wire_neighbors(&wire, 0), 1);
}

Test(graph_links, nobody_takes_the_place_of_anothers_node)
{
    wire_join(&wire, 1);
    be_neighbor(bypeer_graph_node_id(wire.nodes[1].graph));
    cr_assert(wire_heard(&wire, BYPEER_GRAPH_WELCOME));
    cr_assert_eq(wire_neighbors(&wire, 0), 2);
    cr_assert_eq(wire_neighbors(&wire, 1), 1);
}

Test(graph_links, a_node_is_not_its_own_neighbor)
{
    uint32_t link;
    const struct bypeer_graph_address own = wire_address(0);
    be_neighbor(bypeer_graph_node_id(wire.nodes[0].graph));
    cr_assert_eq(refusal(), BYPEER_REFUSE_DUPLICATE);
    cr_assert_eq(bypeer_graph_connect(wire.nodes[0].graph, wire.now, &own, NULL, BYPEER_GRAPH_NEIGHBOR, &link),
                 -EADDRINUSE);
}

Test(graph_links, a_second_connect_is_refused_and_the_link_stays)
{
    be_neighbor(77);
    wire_say_connect(&wire, 0, 77);
    cr_assert_eq(refusal(), BYPEER_REFUSE_ALREADY_CONNECTED);
    cr_assert(!wire.is_ended);
    cr_assert_eq(wire_neighbors(&wire, 0), 1);
}

Test(graph_links, direct_links_only_where_they_are_welcome)
{
    wire_dial(&wire, 0);
    wire_introduce(&wire, BYPEER_GRAPH_DIRECT, "0.mallory");
    wire_say_connect(&wire, BYPEER_CONNECT_DIRECT, 77);
    cr_assert_eq(refusal(), BYPEER_REFUSE_NO_DIRECT);
    cr_assert(wire.is_ended);
}

/* From the first node to another one. */
static uint32_t open_direct(void)
{
    struct bypeer_graph_settings settings;
    wire_settings(&wire, 1, &settings);
    settings.has_direct = true;
    wire_open(&wire, 1, &settings);
    wire_connect(&wire, 1, 0, BYPEER_GRAPH_NEIGHBOR);
    wire_listen(&wire, 1);
    return wire_connect(&wire, 0, 1, BYPEER_GRAPH_DIRECT);
}

Test(graph_links, direct_links_carry_data_and_nothing_else)
{
    const struct bypeer_guid type = {{7}};
    uint32_t link = open_direct();
    cr_assert_eq(bypeer_graph_send(wire.nodes[0].graph, wire.now, link, &type, (const uint8_t *)"hello", 5), 0);
    wire_run(&wire);
    cr_assert_eq(wire.nodes[1].data_bytes, 5);
    cr_assert_arr_eq(wire.nodes[1].data, "hello", 5);
    cr_assert_eq(bypeer_graph_send(wire.nodes[0].graph, wire.now, link + 50, &type, NULL, 0), -ENOTCONN);

    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_SOLICIT_NEW};
    wire_dial(&wire, 1);
    wire_introduce(&wire, BYPEER_GRAPH_DIRECT, "0.mallory");
    wire_say_connect(&wire, BYPEER_CONNECT_DIRECT, 99);
    cr_assert(wire_heard(&wire, BYPEER_GRAPH_WELCOME));
    wire_say(&wire, &message);
    cr_assert(wire.is_ended);
    cr_assert_eq(wire.flood_count, 0);
}

Test(graph_links, a_full_stream_takes_no_data_and_loses_none)
{
    struct wire_node *sender = &wire.nodes[0];
    const struct bypeer_guid type = {{7}};
    uint32_t link = open_direct();
    sender->is_full = true;
    cr_assert_eq(bypeer_graph_send(sender->graph, wire.now, link, &type, (const uint8_t *)"one", 3), 0);
    cr_assert_eq(bypeer_graph_send(sender->graph, wire.now, link, &type, (const uint8_t *)"other", 5), -EAGAIN);
    wire_run(&wire);
    cr_assert_eq(wire.nodes[1].data_bytes, 3);
    sender->is_full = false;
    bypeer_graph_writable(sender->graph, wire.now, link);
    cr_assert_eq(bypeer_graph_send(sender->graph, wire.now, link, &type, (const uint8_t *)"other", 5), 0);
    wire_run(&wire);
    cr_assert_arr_eq(wire.nodes[1].data, "other", 5);
}

Test(graph_links, pings_are_dropped)
{
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_PT2PT};
    be_neighbor(77);
    message.pt2pt.type = BYPEER_GRAPH_PING;
    wire.nodes[0].data_bytes = 99;
    wire_say(&wire, &message);
    cr_assert_eq(wire.nodes[0].data_bytes, 99);
    cr_assert(!wire.is_ended);
}

Test(graph_links, whoever_wants_another_graph_or_peer_is_let_go)
{
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_AUTH_INFO};
    message.auth_info.kind = BYPEER_GRAPH_NEIGHBOR;
    message.auth_info.graph = (struct bypeer_graph_text){"0.grap", 6};
    message.auth_info.source = (struct bypeer_graph_text){"0.mallory", 9};
    wire_dial(&wire, 0);
    wire_say(&wire, &message);
    cr_assert(wire.is_ended);
    cr_assert_str_eq(last_why(0), "it wants another graph");
    message.auth_info.graph = (struct bypeer_graph_text){"0.graph", 7};
    message.auth_info.destination = (struct bypeer_graph_text){"0.bob", 5};
    wire_dial(&wire, 0);
    wire_say(&wire, &message);
    cr_assert(wire.is_ended);
    cr_assert_str_eq(last_why(0), "it wants another peer");
}

Test(graph_links, whoever_is_not_the_wanted_peer_is_left)
{
    const struct bypeer_graph_address address = wire_address(0);
    uint32_t link;
    wire_open(&wire, 1, NULL);
    cr_assert_eq(bypeer_graph_connect(wire.nodes[1].graph, wire.now, &address, "0.zoe", BYPEER_GRAPH_NEIGHBOR, &link),
                 0);
    wire_run(&wire);
    cr_assert_eq(wire_neighbors(&wire, 1), 0);
    cr_assert_eq(wire.nodes[1].events[0].change, BYPEER_GRAPH_LINK_FAILED);
}

/* What ends a neighbor's link. */
static const struct {
    const char *what;
    uint8_t bytes[40], length;
} rubbish[] = {
    {"an empty frame", {0, 0}, 2},
    {"a frame over the limit", {0x7f, 0xff}, 2},
    {"a unit shorter than its header", {0, 4, 0, 0, 0, 4}, 6},
    {"a unit that says it is shorter", {0, 8, 0, 0, 0, 7, 0x20, 12, 0, 0}, 10},
    {"another version", {0, 12, 0, 0, 0, 12, 0x10, 12}, 14},
    {"an unknown type", {0, 12, 0, 0, 0, 12, 0x20, 15}, 14},
    {"a second introduction", {0, 18, 0, 0, 0, 18, 0x20, 1, 0, 0, 1, 0, 0, 16, 0, 17, 0, 18, 'g', 'p'}, 20},
    {"records that were not asked for", {0, 24, 0, 0, 0, 24, 0x20, 9, [19] = 24, [25] = 24}, 26},
    {"a request without a question", {0, 20, 0, 0, 0, 20, 0x20, 10, [17] = 16}, 22},
    {"a unit of 4 GiB", {0, 8, 0xff, 0xff, 0xff, 0xff, 0x20, 12, 0, 0}, 10},
};

Test(graph_links, rubbish_ends_the_link)
{
    for (unsigned at = 0; at < sizeof(rubbish) / sizeof(rubbish[0]); at++) {
        be_neighbor(1000 + at);
        cr_assert_eq(wire_neighbors(&wire, 0), 1);
        wire_say_bytes(&wire, rubbish[at].bytes, rubbish[at].length);
        cr_expect(wire.is_ended, "%s", rubbish[at].what);
        cr_assert_eq(wire_neighbors(&wire, 0), 0, "%s", rubbish[at].what);
    }
}

Test(graph_links, strangers_get_no_large_buffers)
{
    static const uint8_t head[] = {0x3f, 0x00, 0, 0, 0x3f, 0x00, 0x20, 1};
    static uint8_t frame[0x3f02];
    memcpy(frame, head, sizeof(head));
    wire_dial(&wire, 0);
    wire_say_bytes(&wire, frame, sizeof(frame));
    cr_assert(wire.is_ended);
}

Test(graph_links, strangers_make_room_for_others)
{
    struct bypeer_graph_settings settings;
    const struct bypeer_graph_address address = wire_address(5);
    uint32_t link;
    wire_settings(&wire, 1, &settings);
    settings.limits.links = 4;
    settings.is_creator = true;
    struct wire_node *node = wire_open(&wire, 1, &settings);
    wire_listen(&wire, 1);
    wire_dial(&wire, 1);
    for (unsigned at = 0; at < 20; at++) {
        wire_dial(&wire, 1);
        cr_assert_not_null(wire.own, "stranger %u", at);
    }
    wire_introduce(&wire, BYPEER_GRAPH_NEIGHBOR, "0.mallory");
    wire_say_connect(&wire, 0, 77);
    cr_assert_eq(wire_neighbors(&wire, 1), 1);
    for (unsigned at = 0; at < 20; at++)
        wire_dial(&wire, 1);
    cr_assert_eq(wire_neighbors(&wire, 1), 1, "who is known stays");
    cr_assert_eq(bypeer_graph_connect(node->graph, wire.now, &address, NULL, BYPEER_GRAPH_NEIGHBOR, &link), 0);
}

Test(graph_links, silence_ends_a_link)
{
    wire_dial(&wire, 0);
    wire_pass(&wire, 301);
    cr_assert(wire.is_ended);
    wire_dial(&wire, 0);
    wire_introduce(&wire, BYPEER_GRAPH_NEIGHBOR, "0.mallory");
    wire_pass(&wire, 61);
    cr_assert(wire.is_ended);
    cr_assert_str_eq(last_why(0), "it does not answer");
}

Test(graph_links, both_dial_and_one_link_is_left)
{
    const struct bypeer_graph_address first = wire_address(1), second = wire_address(2);
    uint32_t link;
    wire_join(&wire, 1);
    wire_join(&wire, 2);
    wire_cut(&wire, 1, 2);
    wire_run(&wire);
    cr_assert_eq(bypeer_graph_connect(wire.nodes[1].graph, wire.now, &second, NULL, BYPEER_GRAPH_NEIGHBOR, &link), 0);
    cr_assert_eq(bypeer_graph_connect(wire.nodes[2].graph, wire.now, &first, NULL, BYPEER_GRAPH_NEIGHBOR, &link), 0);
    wire_run(&wire);
    cr_assert_eq(wire_neighbors(&wire, 1), 2);
    cr_assert_eq(wire_neighbors(&wire, 2), 2);
}

Test(graph_links, who_leaves_says_so)
{
    wire_join(&wire, 1);
    wire_pass(&wire, 2);
    cr_assert_geq(wire.nodes[0].present, 2);
    bypeer_graph_leave(wire.nodes[1].graph, wire.now);
    wire_run(&wire);
    cr_assert_eq(wire_neighbors(&wire, 0), 0);
    cr_assert_str_eq(last_why(0), "it leaves");
    cr_assert_eq(wire.nodes[0].gone, 1);
}

Test(graph_links, a_peer_is_cut_off_at_once)
{
    be_neighbor(77);
    bypeer_graph_cut(wire.nodes[0].graph, wire.now, "0.bob");
    wire_run(&wire);
    cr_assert(!wire.is_ended);
    unsigned heard = wire.heard_count;
    bypeer_graph_cut(wire.nodes[0].graph, wire.now, "0.mallory");
    wire_run(&wire);
    cr_assert(wire.is_ended);
    cr_assert_eq(wire.heard_count, heard, "and nothing was said");
}

Test(graph_links, the_host_is_asked_for_a_member)
{
    wire_open(&wire, 1, NULL);
    wire_pass(&wire, 1);
    cr_assert_eq(wire.nodes[1].wanted, 1);
    wire_connect(&wire, 1, 0, BYPEER_GRAPH_NEIGHBOR);
    wire_pass(&wire, 100);
    cr_assert_eq(wire.nodes[1].wanted, 1);
}

Test(graph_links, a_connection_is_told_apart_by_its_first_bytes)
{
    static const uint8_t frame[] = {0, 18, 0, 0, 0, 18, 0x10, 1, 0, 0, 1, 0, 0, 16, 0, 17, 0, 18, 'g', 'p'};
    const struct bypeer_profile *profile = NULL;
    char graph_id[BYPEER_GRAPH_TEXT_BYTES];
    for (size_t length = 0; length < sizeof(frame); length++)
        cr_assert_eq(bypeer_graph_peek(frame, length, &profile, graph_id), 0);
    cr_assert_eq(bypeer_graph_peek(frame, sizeof(frame), &profile, graph_id), 1);
    cr_assert_str_eq(graph_id, "g");
    cr_assert_eq(profile->id, BYPEER_PROFILE_WINDOWS);
    cr_assert_eq(bypeer_graph_peek((const uint8_t *)"GET / HTTP/1.1", 14, &profile, graph_id), -EBADMSG);
}
