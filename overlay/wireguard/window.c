#include "overlay/wireguard/window.h"

#define SEEN_MASK ((UINT64_C(1) << BYPEER_WINDOW_BLOCK) - 1)

/* Where a counter's bit is. */
struct place {
    size_t word;
    uint64_t lap; /* in its place within the word */
    uint64_t bit;
};

static struct place place_of(uint64_t counter)
{
    uint64_t block = counter / BYPEER_WINDOW_BLOCK;
    return (struct place){
        .word = (size_t)(block % BYPEER_WINDOW_WORDS),
        .lap = block / BYPEER_WINDOW_WORDS % BYPEER_WINDOW_LAPS << BYPEER_WINDOW_BLOCK,
        .bit = UINT64_C(1) << (counter % BYPEER_WINDOW_BLOCK),
    };
}

static bool is_old(const uint64_t *greatest, uint64_t counter)
{
    uint64_t edge = __atomic_load_n(greatest, __ATOMIC_RELAXED);
    return edge > counter && edge - counter >= BYPEER_WINDOW_COUNTERS;
}

enum bypeer_window_verdict bypeer_window_check(const uint64_t *greatest, const struct bypeer_window *window,
                                               uint64_t counter)
{
    struct place place = place_of(counter);
    uint64_t word = __atomic_load_n(&window->words[place.word], __ATOMIC_RELAXED);
    if (is_old(greatest, counter))
        return BYPEER_WINDOW_OLD;
    bool is_seen = (word & ~SEEN_MASK) == place.lap && (word & place.bit);
    return is_seen ? BYPEER_WINDOW_REPLAY : BYPEER_WINDOW_FRESH;
}

void bypeer_window_raise(uint64_t *greatest, uint64_t counter)
{
    uint64_t found = __atomic_load_n(greatest, __ATOMIC_RELAXED);
    while (counter > found &&
           !__atomic_compare_exchange_n(greatest, &found, counter, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

enum bypeer_window_verdict bypeer_window_accept(uint64_t *greatest, struct bypeer_window *window, uint64_t counter)
{
    struct place place = place_of(counter);
    uint64_t *at = &window->words[place.word];
    bypeer_window_raise(greatest, counter);
    /* Acquire: pairs with the release below, so that is_old() sees what this word's writer had raised or seen. */
    uint64_t word = __atomic_load_n(at, __ATOMIC_ACQUIRE);
    for (;;) {
        if (is_old(greatest, counter))
            return BYPEER_WINDOW_OLD;
        bool is_mine = (word & ~SEEN_MASK) == place.lap;
        if (is_mine && (word & place.bit))
            return BYPEER_WINDOW_REPLAY;
        uint64_t marked = place.lap | (is_mine ? word & SEEN_MASK : 0) | place.bit;
        if (__atomic_compare_exchange_n(at, &word, marked, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return BYPEER_WINDOW_FRESH;
    }
}
