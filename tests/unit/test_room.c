/*
 * The sanitizer build sees a node that reads one byte too far. A node planted between receive and classify reads one
 * byte of each packet at a distance from its end; the rest is the real path, from the device on.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "dataplane/nodes/receive.h"
#include "dataplane/room.h"
#include "tests/unit/walk.h"

#ifdef BYPEER_ROOM_WATCHED
#define SEEN 1
#else
#define SEEN 0
#endif

static int distance; /* from the byte after the packet's last one */
static volatile uint8_t read_byte;

static uint16_t planted_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        const struct rte_mbuf *mbuf = objs[i];
        read_byte = *(rte_pktmbuf_mtod(mbuf, const uint8_t *) + mbuf->data_len + distance);
    }
    rte_node_next_stream_move(graph, node, 0);
    return count;
}

static struct rte_node_register planted_node = {
    .name = "planted", .process = planted_process, .nb_edges = 1, .next_nodes = {"classify"}};
RTE_NODE_REGISTER(planted_node)

static void set_up(void)
{
    const char *next = "planted";
    cr_assert_eq(rte_node_edge_update(bypeer_receive_node(), 0, &next, 1), 1);
    walk_set_up();
}

TestSuite(room, .init = set_up, .fini = walk_tear_down, .timeout = 60);

/* Does a walk with a frame of this length survive a read at a distance? A child finds out, because it may die. */
static bool survives(size_t length, int from_end)
{
    static const uint8_t frame[200];
    struct rte_mbuf *mbuf = walk_buffer(frame, length);
    cr_assert_eq(rte_ring_enqueue(walk.wire_in[0], mbuf), 0);
    distance = from_end;
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(3);
        rte_graph_walk(walk.graph); /* no assertions of Criterion here: they speak to the parent's */
        _exit(0);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    bool survived = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!survived)
        rte_pktmbuf_free(mbuf); /* DPDK's memory is shared with the child, which has not freed it */
    return survived;
}

Test(room, the_last_byte_may_be_read)
{
    for (size_t length = 60; length < 76; length++)
        cr_assert(survives(length, -1));
}

Test(room, one_byte_further_is_seen)
{
    for (size_t length = 60; length < 76; length++)
        cr_assert_eq(survives(length, 0), !SEEN, "frame of %zu bytes", length);
}

Test(room, the_far_end_of_the_buffer_is_seen)
{
    cr_assert_eq(survives(100, 1000), !SEEN);
}

Test(room, what_is_added_may_be_used_and_what_is_removed_may_not)
{
    static const uint8_t data[64];
    struct rte_mbuf *mbuf = walk_buffer(data, sizeof(data));
    bypeer_room_close(mbuf);
    uint8_t *start = bypeer_room_prepend(mbuf, 70);
    memset(start, 1, 70 + 64);
    uint8_t *end = bypeer_room_append(mbuf, 9);
    memset(end, 2, 9);
    cr_assert_eq(bypeer_room_trim(mbuf, 13), 0);
    bypeer_room_narrow(mbuf, 70, 60);
    cr_assert_eq(rte_pktmbuf_mtod(mbuf, uint8_t *), start + 70);
#ifdef BYPEER_ROOM_WATCHED
    cr_assert(__asan_address_is_poisoned(start + 70 + 60));
    cr_assert(__asan_address_is_poisoned(start + 60));
    cr_assert_not(__asan_address_is_poisoned(start + 70 + 59));
#endif
    bypeer_room_free_bulk(&mbuf, 1);
}
