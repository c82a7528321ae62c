/* Packets through the worker's real graph: from and to every kind of link, unharmed, by the right way, in order. */
#include <criterion/criterion.h>

#include "overlay/fabric/send.h"
#include "overlay/ip/ethernet.h"
#include "tests/unit/walk.h"

TestSuite(forwarding, .init = walk_set_up, .fini = walk_tear_down, .timeout = 60);

static uint8_t inner[WALK_FRAME_MAX], frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX];

/* The frame that went out carries the inner packet over the link, with its hop limit less by hops. */
static void expect_carried(const uint8_t *sent, size_t length, enum walk_link id, size_t inner_bytes, uint8_t hops)
{
    struct bypeer_link link = walk_link(id);
    const uint8_t *ip = sent + BYPEER_ETHERNET_BYTES;
    const uint8_t next_hop[6] = {0x02, 0, 0, 0, 0, 0x99};
    bool is_ipv4 = link.underlay == 4;
    cr_assert_eq(length, 14u + link.template_bytes + inner_bytes);
    cr_assert_arr_eq(sent, next_hop, 6);
    cr_assert(walk_is_well_formed(sent, length));
    cr_assert_arr_eq(ip + (is_ipv4 ? 12 : 8), link.local + (is_ipv4 ? 12 : 0), is_ipv4 ? 4 : 16);
    cr_assert_arr_eq(ip + (is_ipv4 ? 16 : 24), link.peer + (is_ipv4 ? 12 : 0), is_ipv4 ? 4 : 16);
    cr_assert_eq(ip[is_ipv4 ? 8 : 7], 64, "outer hop limit");
    const uint8_t *udp = ip + (is_ipv4 ? 20 : 40);
    cr_assert_geq(bypeer_load16(udp), 0xc000);
    cr_assert_eq(bypeer_load16(udp + 2), 4790);
    uint32_t vni;
    cr_assert_eq(bypeer_gpe_parse(&vni, udp + 8), 0);
    cr_assert_eq(vni, link.vni);
    inner[BYPEER_IPV6_HOP_LIMIT] = (uint8_t)(inner[BYPEER_IPV6_HOP_LIMIT] - hops);
    cr_assert_arr_eq(udp + 16, inner, inner_bytes);
}

Test(forwarding, between_every_two_links_at_every_length)
{
    const struct {
        enum walk_link link;
        enum walk_member member;
        uint16_t port;
    } ends[] = {{LINK_A, MEMBER_A, 0}, {LINK_B, MEMBER_B, 1}, {LINK_C, MEMBER_C, 0}};
    for (size_t from = 0; from < 3; from++)
        for (size_t to = 0; to < 3; to++)
            for (size_t bytes = 40; bytes <= 1430; bytes += bytes < 200 ? 1 : 41) {
                walk_packet(inner, walk_address(ends[from].member), walk_address(ends[to].member), bytes);
                size_t length = walk_frame(frame, ends[from].link, inner, bytes);
                walk_arrive(ends[from].port, frame, length);
                walk_once();
                length = walk_sent(ends[to].port, out);
                expect_carried(out, length, ends[to].link, bytes, 1);
            }
}

Test(forwarding, without_a_received_checksum)
{
    for (size_t bytes = 40; bytes <= 1430; bytes += 31) {
        walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), bytes);
        size_t length = walk_frame(frame, LINK_A, inner, bytes);
        bypeer_store16(frame + 14 + 46, 0);
        walk_arrive(0, frame, length);
        walk_once();
        length = walk_sent(1, out);
        expect_carried(out, length, LINK_B, bytes, 1);
    }
}

Test(forwarding, padding_and_surplus_stay_behind)
{
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 101);
    size_t length = walk_frame(frame, LINK_A, inner, 101);
    memset(frame + length, 0xee, 20);
    walk_arrive(0, frame, length + 20);
    /* A datagram with three bytes more than its inner packet, right checksum. */
    bypeer_store16(inner + 4, 58);
    length = walk_frame(frame, LINK_A, inner, 101);
    walk_arrive(0, frame, length);
    walk_once();
    bypeer_store16(inner + 4, 61);
    length = walk_sent(1, out);
    expect_carried(out, length, LINK_B, 101, 1);
    inner[BYPEER_IPV6_HOP_LIMIT]++;
    bypeer_store16(inner + 4, 58);
    length = walk_sent(1, out);
    expect_carried(out, length, LINK_B, 98, 1);
}

Test(forwarding, to_and_from_a_prefix)
{
    walk_packet(inner, walk_address(MEMBER_A), walk_prefix_member(), 90);
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 90));
    walk_once();
    expect_carried(out, walk_sent(1, out), LINK_B, 90, 1);
    walk_packet(inner, walk_prefix_member(), walk_address(MEMBER_C), 90);
    walk_arrive(1, frame, walk_frame(frame, LINK_B, inner, 90));
    walk_once();
    expect_carried(out, walk_sent(0, out), LINK_C, 90, 1);
}

Test(forwarding, to_this_host)
{
    /* Delivered as it came: hop limit 1 is no reason not to, and neither is any link's MTU. */
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_HERE), 1500);
    inner[BYPEER_IPV6_HOP_LIMIT] = 1;
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 1500));
    walk_once();
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, out), 1500);
    cr_assert_arr_eq(out, inner, 1500);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, out), 0);
}

Test(forwarding, from_this_host)
{
    for (size_t bytes = 40; bytes <= 1430; bytes += 17) {
        /* The kernel counts its own hop: ours is not one. */
        walk_packet(inner, walk_address(MEMBER_HERE), walk_address(MEMBER_C), bytes);
        inner[BYPEER_IPV6_HOP_LIMIT] = 1;
        inner[1] = 0x20; /* ECT(0) */
        walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, bytes);
        walk_once();
        size_t length = walk_sent(0, out);
        expect_carried(out, length, LINK_C, bytes, 0);
        cr_assert_eq(out[14 + 1], 2, "ECT(0) outside too");
    }
    walk_packet(inner, walk_address(MEMBER_HERE_X), walk_address(MEMBER_X), 100);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 100);
    walk_once();
    expect_carried(out, walk_sent(0, out), LINK_X, 100, 0);
}

Test(forwarding, what_is_not_the_overlays_goes_to_the_kernel_whole)
{
    uint8_t packet[200] = {0};
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 60);
    size_t length = walk_frame(frame, LINK_A, inner, 60);
    const struct {
        size_t at;
        uint8_t value;
        const char *what;
    } cases[] = {
        {0, 0x33, "another station's frame"}, {20, 58, "ICMPv6"},       {20, 6, "TCP"},      {20, 44, "a fragment"},
        {53, 7, "another address"},           {57, 53, "another port"}, {12, 0x08, "not IP"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t copy[200];
        memcpy(copy, frame, length);
        memset(copy + length, 0x77, 6);
        copy[cases[i].at] = cases[i].value;
        walk_arrive(0, copy, length + 6);
        walk_once();
        cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out), length + 6, "%s", cases[i].what);
        cr_assert_arr_eq(out, copy, length + 6);
    }
    /* The shortest frames that a device can deliver: an ARP request, and 14 bytes. */
    packet[12] = 0x08;
    packet[13] = 0x06;
    walk_arrive(1, packet, 60);
    walk_arrive(1, packet, 14);
    walk_once();
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 1, out), 60);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 1, out), 14);
}

Test(forwarding, the_kernels_frames_leave_by_their_port)
{
    uint8_t packet[64];
    for (uint16_t port = 0; port < WALK_PORTS; port++) {
        memset(packet, port + 1, sizeof(packet));
        walk_inject(BYPEER_DEVICE_UNDERLAY, port, packet, sizeof(packet));
        walk_once();
        cr_assert_eq(walk_sent(port, out), sizeof(packet));
        cr_assert_arr_eq(out, packet, sizeof(packet));
    }
}

Test(forwarding, without_tables_all_frames_are_the_kernels)
{
    walk.worker.tables = NULL;
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 60);
    size_t length = walk_frame(frame, LINK_A, inner, 60);
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out), length);
}

/* The number of a packet, in its payload where the source port does not depend on it. */
static void number_packet(uint8_t *packet, uint32_t number)
{
    bypeer_store32(packet + BYPEER_IPV6_BYTES, 0);
    bypeer_store32(packet + BYPEER_IPV6_BYTES + 8, number);
}

Test(forwarding, mixed_bursts_keep_every_flows_order)
{
    /* Three flows by three links, kernel frames and refused ones between them, more than a burst in one walk. */
    const enum walk_link from[] = {LINK_A, LINK_C, LINK_A};
    const enum walk_member sources[] = {MEMBER_A, MEMBER_C, MEMBER_A}, destinations[] = {MEMBER_B, MEMBER_B, MEMBER_C};
    uint32_t next_number[3] = {0};
    srandom(5);
    walk.worker.burst = 128;
    bypeer_graph_destroy(walk.graph);
    cr_assert_eq(bypeer_graph_create(&walk.worker, &walk.graph), 0);
    for (unsigned round = 0; round < 50; round++) {
        uint32_t sent_numbers[3];
        memcpy(sent_numbers, next_number, sizeof(next_number));
        for (unsigned i = 0; i < 100; i++) {
            unsigned flow = (unsigned)random() % 5;
            if (flow == 3) {
                walk_arrive(0, (const uint8_t[14]){0}, 14);
            } else if (flow == 4) {
                walk_arrive(0, (const uint8_t[10]){0}, 10);
            } else {
                walk_packet(inner, walk_address(sources[flow]), walk_address(destinations[flow]), 80);
                number_packet(inner, sent_numbers[flow]++ << 2 | flow);
                walk_arrive(0, frame, walk_frame(frame, from[flow], inner, 80));
            }
        }
        walk_once();
        for (uint16_t port = 0; port < WALK_PORTS; port++) {
            size_t length;
            while ((length = walk_sent(port, out)) != 0) {
                uint32_t number = bypeer_load32(out + length - 80 + BYPEER_IPV6_BYTES + 8);
                cr_assert(walk_is_well_formed(out, length));
                cr_assert_eq(number >> 2, next_number[number & 3]++, "flow %u", number & 3);
            }
        }
        cr_assert_arr_eq((uint8_t *)next_number, (uint8_t *)sent_numbers, sizeof(next_number));
        while (walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out) != 0)
            ;
    }
}

Test(forwarding, congestion_marks_go_through)
{
    for (uint8_t in = 0; in < 4; in++)
        for (uint8_t outside = 0; outside < 4; outside++) {
            walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 77);
            inner[1] = (uint8_t)(in << 4);
            size_t length = walk_frame(frame, LINK_A, inner, 77);
            frame[15] = (uint8_t)((frame[15] & 0xcf) | outside << 4);
            walk_arrive(0, frame, length);
            walk_once();
            length = walk_sent(1, out);
            if (outside == 3 && in == 0) {
                cr_assert_eq(length, 0);
                cr_assert_eq(walk_dropped(BYPEER_DROP_ECN), 1);
                continue;
            }
            uint8_t expected = outside == 3 ? 3 : (outside == 1 && in == 2) ? 1 : in;
            inner[1] = (uint8_t)(expected << 4);
            expect_carried(out, length, LINK_B, 77, 1);
            cr_assert_eq(bypeer_ipv6_traffic_class(out + 14), expected);
        }
}

Test(forwarding, counts_the_traffic_of_links)
{
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 100);
    for (unsigned i = 0; i < 3; i++)
        walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 100));
    walk_packet(inner, walk_address(MEMBER_C), walk_address(MEMBER_B), 60);
    walk_arrive(0, frame, walk_frame(frame, LINK_C, inner, 60));
    walk_once();
    const struct bypeer_session *sessions = walk.worker.sessions;
    cr_assert_eq(sessions[LINK_A].received_packets, 3);
    cr_assert_eq(sessions[LINK_A].received_bytes, 300);
    cr_assert_eq(sessions[LINK_A].last_received_ns, UINT64_C(1000000000000000));
    cr_assert_eq(sessions[LINK_A].link_serial, 100 + LINK_A);
    cr_assert_eq(sessions[LINK_C].received_packets, 1);
    cr_assert_eq(sessions[LINK_B].sent_packets, 4);
    cr_assert_eq(sessions[LINK_B].sent_bytes, 360);
    cr_assert_eq(sessions[LINK_B].received_packets, 0);
    cr_assert_eq(sessions[LINK_B].last_received_ns, 0);

    /* Without a region, or with one too small, packets flow all the same. */
    walk.worker.session_count = 0;
    walk.worker.sessions = NULL;
    walk_arrive(0, frame, walk_frame(frame, LINK_C, inner, 60));
    walk_once();
    for (unsigned i = 0; i < 5; i++)
        cr_assert_neq(walk_sent(1, out), 0);
}

Test(forwarding, a_link_that_goes_takes_its_packets_along)
{
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 100);
    size_t length = walk_frame(frame, LINK_A, inner, 100);
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_neq(walk_sent(1, out), 0);
    /* The other link of peer A keeps address and port; without it they are the kernel's. */
    cr_assert_eq(bypeer_writer_remove_link(walk.writer, LINK_A), 0);
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_FABRIC_PEER), 1);
    const enum walk_link others[] = {LINK_X, LINK_B, LINK_LOST, LINK_ASTRAY};
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(bypeer_writer_remove_link(walk.writer, others[i]), 0);
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out), length);
}

Test(forwarding, trace_follows_a_packet)
{
    const char *const expected[][2] = {{"receive-0", "classify"},
                                       {"classify", "fabric_decap"},
                                       {"fabric_decap", "overlay_lookup"},
                                       {"overlay_lookup", "policy"},
                                       {"policy", "fabric_encap"},
                                       {"fabric_encap", "transmit"},
                                       {"transmit", NULL}};
    struct bypeer_trace *trace = walk.worker.trace;
    trace->numbers->wanted = 1;
    trace->left = 1;
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 100);
    size_t length = walk_frame(frame, LINK_A, inner, 100);
    walk_arrive(0, frame, length);
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(trace->head, 7);
    for (unsigned i = 0; i < 7; i++) {
        cr_assert_eq(trace->steps[i].packet, 0);
        cr_assert_str_eq(trace->steps[i].node, expected[i][0]);
        if (expected[i][1] == NULL)
            cr_assert_null(trace->steps[i].next);
        else
            cr_assert_str_eq(trace->steps[i].next, expected[i][1]);
    }
    cr_assert_arr_eq(trace->steps[0].head, frame, 128);
    cr_assert_eq(trace->steps[2].frame_bytes, 100);
}
