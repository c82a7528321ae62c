#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "overlay/tables/memory.h"
#include "overlay/tables/sessions.h"
#include "overlay/wireguard/counter.h"

static char why[BYPEER_REGION_WHY_BYTES];

static const struct bypeer_sessions_size small = {.workers = 2, .links = 10, .slots = 6, .relays = 7, .groups = 5};

static struct bypeer_sessions made(struct bypeer_sessions_view *ret_view)
{
    static _Alignas(BYPEER_CACHE_LINE) uint8_t base[1 << 16];
    uint64_t bytes = bypeer_sessions_bytes(&small);
    struct bypeer_sessions sessions;
    cr_assert_leq(bytes, sizeof(base));
    memset(base, 0, bytes);
    cr_assert_eq(bypeer_sessions_init(&sessions, base, bytes, &small, 7, 99), 0);
    cr_assert_eq(bypeer_sessions_use_rows(&sessions, small.workers), 0);
    cr_assert_eq(bypeer_sessions_view(ret_view, base, bytes, why), 0, "%s", why);
    cr_assert_eq(bypeer_sessions_attach(&sessions, base, bytes, why), 0, "%s", why);
    return sessions;
}

/* A worker saw a packet of so many bytes of this link. */
static void received(const struct bypeer_sessions *sessions, uint32_t worker, uint32_t session, uint64_t serial,
                     uint64_t bytes, uint64_t now_ns)
{
    struct bypeer_session *entry = &sessions->entries[worker * sessions->size.links + session];
    bypeer_session_begin(entry, serial);
    entry->received_packets++;
    entry->received_bytes += bytes;
    entry->last_received_ns = now_ns;
}

Test(sessions, sum_goes_over_all_workers)
{
    struct bypeer_sessions_view view;
    struct bypeer_sessions sessions = made(&view);
    struct bypeer_session sum;
    received(&sessions, 0, 3, 77, 100, 1000);
    received(&sessions, 1, 3, 77, 200, 3000);
    received(&sessions, 1, 3, 77, 300, 2000);
    received(&sessions, 1, 4, 78, 999, 9000);
    bypeer_sessions_sum(&view, 3, 77, &sum);
    cr_assert_eq(sum.received_packets, 3);
    cr_assert_eq(sum.received_bytes, 600);
    cr_assert_eq(sum.last_received_ns, 2000);
    bypeer_sessions_sum(&view, 10, 77, &sum);
    cr_assert_eq(sum.received_packets, 0, "no such session");
}

Test(sessions, a_link_that_takes_over_an_entry_starts_at_zero)
{
    struct bypeer_sessions_view view;
    struct bypeer_sessions sessions = made(&view);
    struct bypeer_session sum;
    received(&sessions, 0, 3, 77, 100, 1000);
    received(&sessions, 1, 3, 77, 100, 1000);
    received(&sessions, 0, 3, 80, 50, 2000);
    bypeer_sessions_sum(&view, 3, 80, &sum);
    cr_assert_eq(sum.received_bytes, 50, "what worker 1 counted was another link's");
    bypeer_sessions_sum(&view, 3, 77, &sum);
    cr_assert_eq(sum.received_bytes, 100);
}

Test(sessions, rows_that_no_worker_uses_are_not_looked_at)
{
    struct bypeer_sessions_view view;
    struct bypeer_sessions sessions = made(&view);
    struct bypeer_session sum;
    received(&sessions, 0, 3, 77, 100, 1000);
    received(&sessions, 1, 3, 77, 100, 1000);
    sessions.header->rows = 1;
    bypeer_sessions_sum(&view, 3, 77, &sum);
    cr_assert_eq(sum.received_bytes, 100);
    cr_assert_eq(bypeer_sessions_use_rows(&sessions, 2), 0);
    cr_assert_eq(bypeer_sessions_use_rows(&sessions, 1), 0,
                 "a data plane with fewer workers leaves the others' counts");
    bypeer_sessions_sum(&view, 3, 77, &sum);
    cr_assert_eq(sum.received_bytes, 200);
    cr_assert_eq(bypeer_sessions_use_rows(&sessions, 3), -ENOSPC);
}

Test(sessions, a_peer_of_another_link_begins_with_nothing_seen)
{
    struct bypeer_sessions_view view;
    struct bypeer_sessions sessions = made(&view);
    struct bypeer_peer_state *peer = &sessions.peers[4];
    const struct bypeer_seen there = {.remote = {1}, .port = 51820};
    struct bypeer_seen seen;
    bypeer_peer_begin(peer, 50);
    bypeer_activity_sent(&peer->activity, true, 1000);
    bypeer_seen_write(&peer->seen, 50, &there);
    bypeer_peer_begin(peer, 50);
    cr_assert_eq(view.peers[4].activity.sent_ns, 1000);
    cr_assert(bypeer_seen_read(&view.peers[4].seen, 50, &seen));
    bypeer_peer_begin(peer, 51);
    cr_assert_eq(peer->activity.sent_ns, 0);
    cr_assert_eq(peer->activity.unanswered_ns, 0);
    cr_assert_not(bypeer_seen_read(&peer->seen, 51, &seen));
}

/* Room of which only the first line may be touched. */
static void *room_of_one_line(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(pages, MAP_FAILED);
    cr_assert_eq(mprotect(pages + page, page, PROT_NONE), 0);
    return pages + page - BYPEER_CACHE_LINE;
}

Test(sessions, of_a_peer_at_home_one_line_is_touched)
{
    struct bypeer_peer_state *peer = room_of_one_line();
    struct bypeer_seen seen;
    bypeer_peer_begin(peer, 50);
    bypeer_activity_received(&peer->activity, true, 1000);
    bypeer_activity_sent(&peer->activity, true, 1000);
    bypeer_seen_clear(&peer->seen);
    cr_assert_not(bypeer_seen_read(&peer->seen, 50, &seen));
    cr_assert_eq(peer->untold, 0);
}

Test(sessions, of_a_young_session_sealing_touches_one_line)
{
    struct bypeer_wireguard_session *session = room_of_one_line();
    const uint64_t now_ns = 1000 * BYPEER_WIREGUARD_S;
    uint8_t key[sizeof(session->send_key)];
    uint64_t next_counter = 0, first;
    session->local_index = session->remote_index = 7;
    session->use = 3;
    session->created_ns = now_ns;
    memcpy(key, session->send_key, sizeof(key));
    cr_assert(bypeer_wireguard_session_is_usable(session, 0, now_ns));
    cr_assert(bypeer_counter_take(&next_counter, session->use, 1, &first));
    cr_assert_not(bypeer_wireguard_session_is_stale_to_send(session, first, now_ns + 119 * BYPEER_WIREGUARD_S));
}

/* As the data plane does it: attach to what was parked, count, die without a word. */
static void data_plane_that_dies(int parked, uint64_t packets)
{
    struct bypeer_memory memory;
    struct bypeer_sessions sessions;
    if (bypeer_memory_receive(&memory, BYPEER_MEMORY_SESSIONS, dup(parked), 1 << 20, true, why) ||
        bypeer_sessions_attach(&sessions, memory.base, memory.bytes, why))
        _exit(1);
    for (uint64_t i = 0; i < packets; i++)
        received(&sessions, (uint32_t)i % 2, 5, 77, 100, i);
    raise(SIGKILL);
}

Test(sessions, counts_go_on_where_a_killed_data_plane_left_them)
{
    struct bypeer_memory memory, control;
    struct bypeer_sessions sessions;
    struct bypeer_sessions_view view;
    struct bypeer_session sum;
    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_SESSIONS, "test", bypeer_sessions_bytes(&small), false),
                 0);
    cr_assert_eq(bypeer_sessions_init(&sessions, memory.base, memory.bytes, &small, 7, 99), 0);
    cr_assert_eq(bypeer_sessions_use_rows(&sessions, small.workers), 0);
    int parked = dup(memory.fd);
    bypeer_memory_free(&memory);
    cr_assert_eq(bypeer_memory_receive(&control, BYPEER_MEMORY_SESSIONS, dup(parked), 1 << 20, false, why), 0);
    cr_assert_eq(bypeer_sessions_view(&view, control.base, control.bytes, why), 0);
    for (uint64_t life = 1; life <= 10; life++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            data_plane_that_dies(parked, 1000);
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        bypeer_sessions_sum(&view, 5, 77, &sum);
        cr_assert_eq(sum.received_packets, life * 1000);
        cr_assert_eq(sum.received_bytes, life * 100000);
    }
    bypeer_memory_free(&control);
}

Test(sessions, what_the_header_says_must_fill_the_region)
{
    struct bypeer_sessions_view view;
    uint64_t bytes = bypeer_sessions_bytes(&small);
    struct bypeer_sessions_header *header = aligned_alloc(BYPEER_CACHE_LINE, bytes);
    struct bypeer_sessions sessions;
    memset(header, 0, bytes);
    cr_assert_eq(bypeer_sessions_init(&sessions, header, bytes, &small, 7, 99), 0);
    uint32_t *counts[] = {&header->workers, &header->links, &header->slots, &header->relays, &header->groups};
    for (unsigned i = 0; i < 5; i++) {
        uint32_t was = *counts[i];
        const uint32_t wrong[] = {0, was - 1, was + 1, UINT32_MAX};
        for (unsigned j = 0; j < 4; j++) {
            *counts[i] = wrong[j];
            cr_assert_eq(bypeer_sessions_view(&view, header, bytes, why), -EPROTO, "%u of count %u", wrong[j], i);
        }
        *counts[i] = was;
    }
    header->rows = UINT32_MAX; /* its maker's, like all else */
    cr_assert_eq(bypeer_sessions_view(&view, header, bytes, why), 0);
    struct bypeer_session sum;
    bypeer_sessions_sum(&view, small.links - 1, 7, &sum);
    free(header);
    struct bypeer_sessions_size none = small;
    none.workers = 0;
    cr_assert_eq(bypeer_sessions_bytes(&none), 0);
    none = (struct bypeer_sessions_size){1, BYPEER_SESSIONS_LINKS_MAX + 1, 1, 1, 1};
    cr_assert_eq(bypeer_sessions_bytes(&none), 0);
}

/* Pages of a file that are allocated. */
static uint64_t allocated_bytes(int fd)
{
    struct stat status;
    cr_assert_eq(fstat(fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

Test(sessions, the_largest_region_takes_only_what_is_touched)
{
    const struct bypeer_sessions_size largest = BYPEER_SESSIONS_LARGEST;
    uint64_t bytes = bypeer_sessions_bytes(&largest);
    struct bypeer_memory memory, control, next;
    struct bypeer_sessions sessions;
    struct bypeer_sessions_view view;
    struct bypeer_session sum;
    cr_assert_gt(bytes, UINT64_C(5) << 30);
    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_SESSIONS, "test", bytes, true), 0);
    cr_assert_eq(bypeer_sessions_init(&sessions, memory.base, memory.bytes, &largest, 7, 99), 0);
    cr_assert_eq(bypeer_sessions_use_rows(&sessions, 2), 0);
    received(&sessions, 0, largest.links - 1, 77, 100, 1000);
    sessions.wireguard[largest.slots - 1].next_counter = 5;
    sessions.claims[largest.relays - 1].serial = 6;

    /* Whoever takes it, to read or to write, allocates no more than he looks at. */
    cr_assert_eq(bypeer_memory_receive(&control, BYPEER_MEMORY_SESSIONS, dup(memory.fd), memory.bytes, false, why), 0,
                 "%s", why);
    cr_assert_eq(bypeer_memory_receive(&next, BYPEER_MEMORY_SESSIONS, dup(memory.fd), memory.bytes, true, why), 0);
    cr_assert_eq(bypeer_sessions_view(&view, control.base, control.bytes, why), 0, "%s", why);
    for (uint32_t session = 0; session < largest.links; session += largest.links / 16)
        bypeer_sessions_sum(&view, session, 77, &sum);
    bypeer_sessions_sum(&view, largest.links - 1, 77, &sum);
    cr_assert_eq(sum.received_packets, 1);
    cr_assert_eq(view.wireguard[largest.slots - 1].next_counter, 5);
    cr_assert_eq(view.claims[largest.relays - 1].serial, 6);
    cr_assert_lt(allocated_bytes(memory.fd), UINT64_C(1) << 20);
    bypeer_memory_free(&next);
    bypeer_memory_free(&control);
    bypeer_memory_free(&memory);
}
