#include "tests/unit/walk_drops.h"

#include <criterion/criterion.h>

void walk_expect_drop(enum bypeer_counter reason)
{
    uint64_t before[BYPEER_COUNTERS_USED];
    memcpy(before, walk.counters, sizeof(before));
    walk_once();
    for (unsigned i = 0; i < BYPEER_COUNTERS_USED; i++)
        if (bypeer_counter_names[i].class == BYPEER_COUNTER_DROPPED)
            cr_assert_eq(walk.counters[i] - before[i], i == reason, "%s: %lu", bypeer_counter_names[i].name,
                         walk.counters[i] - before[i]);
}

void walk_expect_route(enum walk_link link, const uint8_t *from, const uint8_t *to, enum bypeer_counter reason)
{
    uint8_t inner[WALK_FRAME_MAX], frame[WALK_FRAME_MAX];
    walk_packet(inner, from, to, 60);
    walk_arrive(link == LINK_B, frame, walk_frame(frame, link, inner, 60));
    walk_expect_drop(reason);
}

void walk_inject_keepalive(uint32_t link)
{
    struct rte_mbuf *mbuf = walk_buffer((const uint8_t[1]){0}, 0);
    *bypeer_packet(mbuf) = (struct bypeer_packet){.device = BYPEER_DEVICE_KEEPALIVE, .egress = link};
    cr_assert_eq(rte_ring_enqueue(walk.worker.inject, mbuf), 0);
    walk.injected++;
}
