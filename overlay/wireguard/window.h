/*
 * The sliding window that lets each counter of a session through once (whitepaper, 5.4.6; RFC 6479 for the idea), for
 * packets that arrive on any worker.
 *
 *   greatest: the greatest counter yet; what is 8192 or more below it is too old. It lies wherever its owner wants it
 *
 *   counters in order:  | block 0: 40 | block 1: 40 | ... | block 207 | block 208 | ...
 *                             v             v                   v           v
 *   words, a ring:      [ word 0        word 1      ...      word 207 ]   word 0 again, a lap later
 *
 *   one word:           | lap of its block: 24 | seen: 40, one bit a counter |
 *
 * A word says which lap its bits belong to, so one compare-and-swap both gives it to a newer block and marks a counter
 * in it. So no word is ever cleared ahead of its use, no worker waits for another, and one that dies between any two
 * instructions leaves a window that is right.
 *
 * Why a counter c passes once. (1) A worker raises the greatest to c before it touches c's word. (2) It takes over a
 * word of another lap only if c is still in the window, judged by a greatest that it loads after the word. Were the
 * word a newer block's, its writer would have raised the greatest to 208 blocks above c's, and c would be too old: so a
 * word goes only from older blocks to newer ones. (3) Hence, once c's bit is set, it stays until the word goes to a
 * newer block, and from then on every worker that sees that finds c too old.
 *
 * Memory order: (2) needs that whoever sees a word also sees the greatest that its writer saw: the swap of a word
 * releases, its load acquires. All else is relaxed: the greatest only grows, and a word is one location.
 *
 * Sum: the window spans at most 206 blocks, so 208 words (26 lines, to which no other line belongs): 1664 bytes. Laps
 * are counted modulo a prime of 24 bits: a peer that leaps ahead by a multiple of that many laps (140 billion counters)
 * may find some of its counters refused as replays of what lay there. Never the other way round. Uses of a slot
 * (counter.h) are such leaps, of 2^44, hence so many bits: with 16 one use in 30,000 of a busy slot would lose packets.
 * And hence a prime: modulo 2^24 each 65th use would come to the very same words and laps, since 65 * 2^44 is a
 * multiple of 208 * 40 * 2^24. A window of zeros, and a greatest of 0, is an empty one.
 *
 * There are no pointers: it may lie in memory that processes share or that outlives one, on a line of its own. Only
 * counters of packets whose tag was right may be given to _accept(): the greatest is believed.
 *
 * Threads: any number at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYPEER_WINDOW_COUNTERS 8192
#define BYPEER_WINDOW_BLOCK    40 /* counters a word */
#define BYPEER_WINDOW_WORDS    208
#define BYPEER_WINDOW_LAPS     16777213 /* the greatest prime below 2^24 */

struct bypeer_window {
    uint64_t words[BYPEER_WINDOW_WORDS];
};
_Static_assert(sizeof(struct bypeer_window) == 26 * 64, "whole lines");
_Static_assert(BYPEER_WINDOW_LAPS >> (64 - BYPEER_WINDOW_BLOCK) == 0, "a lap fits its place in a word");
/* 8192 counters touch at most this many blocks; each needs a word of its own. */
_Static_assert((BYPEER_WINDOW_COUNTERS - 2) / BYPEER_WINDOW_BLOCK + 2 <= BYPEER_WINDOW_WORDS, "a window fits the ring");

enum bypeer_window_verdict {
    BYPEER_WINDOW_FRESH,
    BYPEER_WINDOW_REPLAY, /* was accepted before */
    BYPEER_WINDOW_OLD,    /* below the window: whether it came before is not known */
};

/* Whether the counter may be fresh: before the packet is opened, to spare that for replays. Writes nothing. */
enum bypeer_window_verdict bypeer_window_check(const uint64_t *greatest, const struct bypeer_window *window,
                                               uint64_t counter);

/* Starts to fetch the word that the other functions will look at. */
static inline void bypeer_window_prefetch(const struct bypeer_window *window, uint64_t counter)
{
    __builtin_prefetch(&window->words[counter / BYPEER_WINDOW_BLOCK % BYPEER_WINDOW_WORDS]);
}

/* Raises the greatest. For a burst of opened packets: once, with the greatest of their counters, before they are given
 * to _accept(), which then leaves that line alone. Counters below 8192 of it are too old from then on. */
void bypeer_window_raise(uint64_t *greatest, uint64_t counter);

/* Marks a counter of an opened packet. Of all calls for one counter, from any thread, at most one finds it fresh. */
enum bypeer_window_verdict bypeer_window_accept(uint64_t *greatest, struct bypeer_window *window, uint64_t counter);
