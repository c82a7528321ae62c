/* A sessions region of any contents: refused, or summed up and taken over without a step outside. */
#include "overlay/tables/sessions.h"
#include "overlay/wireguard/counter.h"
#include "tests/fuzz/region_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void take_over(const struct bypeer_sessions *sessions, const uint8_t *key)
{
    const struct bypeer_sessions_size *size = &sessions->size;
    uint32_t use, link, slot;
    uint64_t first = 0;
    struct bypeer_seen seen;
    memcpy(&use, key, sizeof(use));
    link = use % size->links;
    slot = use % size->slots;
    bypeer_sessions_use_rows(sessions, size->workers);
    bypeer_session_begin(&sessions->entries[(uint64_t)(size->workers - 1) * size->links + link], use);
    sink += bypeer_seen_read(&sessions->peers[link].seen, use, &seen);
    bypeer_peer_begin(&sessions->peers[link], use);
    struct bypeer_wireguard_state *state = &sessions->wireguard[slot];
    sink += bypeer_counter_take(&state->next_counter, use & BYPEER_COUNTER_USES, 32, &first);
    sink += bypeer_window_check(&state->greatest, &sessions->windows[slot], use);
    sink += bypeer_window_accept(&state->greatest, &sessions->windows[slot], use);
    sink += bypeer_counter_next_use(use, &state->next_counter, &state->greatest);
    sink += sessions->relays[use % size->relays].bytes + sessions->claims[use % size->relays].serial;
    struct bypeer_share *share = &sessions->groups[use % size->groups].share;
    uint64_t round = bypeer_share_turn(share, use, first);
    sink += bypeer_share_take(share, &sessions->meters[link].share, use, use, 1400, round);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t bytes;
    char why[BYPEER_REGION_WHY_BYTES];
    struct bypeer_sessions_view view;
    struct bypeer_sessions sessions;
    struct bypeer_session sum;
    uint8_t *base = region_input(BYPEER_REGION_SESSIONS, data, size, &bytes);
    if (!base)
        return 0;
    if (bypeer_sessions_view(&view, base, bytes, why) == 0) {
        for (unsigned at = 1; at + 16 <= REGION_INPUT_HEAD; at++) {
            uint32_t session;
            uint64_t serial;
            memcpy(&session, data + at, sizeof(session));
            memcpy(&serial, data + at + 4, sizeof(serial));
            bypeer_sessions_sum(&view, session % (view.size.links + 1), serial, &sum);
            sink += sum.received_packets;
            bypeer_sessions_sum(&view, session, view.entries[0].link_serial, &sum);
            sink += sum.sent_bytes;
        }
    }
    if (bypeer_sessions_attach(&sessions, base, bytes, why) == 0)
        for (unsigned at = 1; at + 4 <= REGION_INPUT_HEAD; at++)
            take_over(&sessions, data + at);
    free(base);
    return 0;
}
