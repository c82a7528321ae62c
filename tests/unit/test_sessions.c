#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "overlay/tables/memory.h"
#include "overlay/tables/sessions.h"

static char why[BYPEER_REGION_WHY_BYTES];

static struct bypeer_sessions made(uint32_t workers, uint32_t links, struct bypeer_sessions_view *ret_view)
{
    uint64_t bytes = bypeer_sessions_bytes(workers, links);
    void *base = aligned_alloc(BYPEER_CACHE_LINE, bytes);
    struct bypeer_sessions sessions;
    memset(base, 0, bytes);
    cr_assert_eq(bypeer_sessions_init(&sessions, base, bytes, workers, links, 7, 99), 0);
    cr_assert_eq(bypeer_sessions_view(ret_view, base, bytes, why), 0, "%s", why);
    cr_assert_eq(bypeer_sessions_attach(&sessions, base, bytes, why), 0, "%s", why);
    return sessions;
}

/* A worker saw a packet of so many bytes of this link. */
static void received(const struct bypeer_sessions *sessions, uint32_t worker, uint32_t session, uint64_t serial,
                     uint64_t bytes, uint64_t now_ns)
{
    struct bypeer_session *entry = &sessions->entries[worker * sessions->links + session];
    bypeer_session_begin(entry, serial);
    entry->received_packets++;
    entry->received_bytes += bytes;
    entry->last_received_ns = now_ns;
}

Test(sessions, sum_goes_over_all_workers)
{
    struct bypeer_sessions_view view;
    struct bypeer_sessions sessions = made(2, 10, &view);
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
    struct bypeer_sessions sessions = made(2, 10, &view);
    struct bypeer_session sum;
    received(&sessions, 0, 3, 77, 100, 1000);
    received(&sessions, 1, 3, 77, 100, 1000);
    received(&sessions, 0, 3, 80, 50, 2000);
    bypeer_sessions_sum(&view, 3, 80, &sum);
    cr_assert_eq(sum.received_bytes, 50, "what worker 1 counted was another link's");
    bypeer_sessions_sum(&view, 3, 77, &sum);
    cr_assert_eq(sum.received_bytes, 100);
}

Test(sessions, counts_survive_a_change_of_workers_and_links)
{
    struct bypeer_sessions_view view, larger_view, smaller_view;
    struct bypeer_sessions sessions = made(3, 4, &view);
    for (uint32_t worker = 0; worker < 3; worker++)
        for (uint32_t session = 0; session < 4; session++)
            received(&sessions, worker, session, 100 + session, 10, 1000 + worker);
    /* One worker has not seen the link that took over entry 2 yet. */
    received(&sessions, 0, 2, 200, 7, 5000);

    struct bypeer_sessions larger = made(5, 8, &larger_view), smaller = made(1, 2, &smaller_view);
    bypeer_sessions_copy(&larger, &sessions);
    bypeer_sessions_copy(&smaller, &sessions);
    struct bypeer_session sum;
    bypeer_sessions_sum(&larger_view, 1, 101, &sum);
    cr_assert_eq(sum.received_bytes, 30);
    bypeer_sessions_sum(&smaller_view, 1, 101, &sum);
    cr_assert_eq(sum.received_bytes, 30);
    cr_assert_eq(sum.last_received_ns, 1002);
    bypeer_sessions_sum(&larger_view, 2, 200, &sum);
    cr_assert_eq(sum.received_bytes, 7);
    bypeer_sessions_sum(&smaller_view, 2, 200, &sum);
    cr_assert_eq(sum.received_bytes, 0, "no room");

    /* One row for two links with the same entry: the newer link's counts stay. */
    struct bypeer_sessions one = made(1, 4, &view);
    bypeer_sessions_copy(&one, &sessions);
    bypeer_sessions_sum(&view, 2, 200, &sum);
    cr_assert_eq(sum.received_bytes, 7);
    bypeer_sessions_sum(&view, 2, 102, &sum);
    cr_assert_eq(sum.received_bytes, 0);
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
    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_SESSIONS, "test", bypeer_sessions_bytes(2, 10), false), 0);
    cr_assert_eq(bypeer_sessions_init(&sessions, memory.base, memory.bytes, 2, 10, 7, 99), 0);
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

Test(sessions, rows_must_fill_the_region)
{
    struct bypeer_sessions_view view;
    uint64_t bytes = bypeer_sessions_bytes(2, 10);
    struct bypeer_sessions_header *header = aligned_alloc(BYPEER_CACHE_LINE, bytes);
    struct bypeer_sessions sessions;
    memset(header, 0, bytes);
    cr_assert_eq(bypeer_sessions_init(&sessions, header, bytes, 2, 10, 7, 99), 0);
    header->links = 11;
    cr_assert_eq(bypeer_sessions_view(&view, header, bytes, why), -EPROTO);
    header->links = 20;
    header->workers = 1;
    cr_assert_eq(bypeer_sessions_view(&view, header, bytes, why), 0, "the same room, cut in another way");
    header->links = 0;
    header->workers = 0;
    cr_assert_eq(bypeer_sessions_view(&view, header, bytes, why), -EPROTO);
    free(header);
    cr_assert_eq(bypeer_sessions_bytes(0, 1), 0);
    cr_assert_eq(bypeer_sessions_bytes(1, BYPEER_SESSIONS_LINKS_MAX + 1), 0);
}
