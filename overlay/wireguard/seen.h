/*
 * Where a peer was heard last, in memory that all workers write to and that a crash may leave half written.
 *
 *   0       8        24      40             48            56    64
 *   | check | remote | local | port and MAC | device port |  -  |
 *
 * There is no lock: a record counts only if its check is that of its words. Two workers that write different records at
 * once, or one that dies on the way, leave one that nobody believes; the next packet of the peer makes another.
 *
 * The check is no secret's: who can write here needs no forgery. Threads: any number at once; everything is relaxed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct bypeer_seen_words {
    uint64_t check;    /* 0: nothing was seen; else of the other words */
    uint64_t words[7]; /* as drawn */
};
_Static_assert(sizeof(struct bypeer_seen_words) == 64, "as drawn");

/* An endpoint: where to send, and where from. */
struct bypeer_seen {
    uint8_t remote[16]; /* outer address of the peer; IPv4 as ::ffff:a.b.c.d */
    uint8_t local[16];  /* ours, that it sent to */
    uint16_t port;      /* of the peer, host order */
    uint8_t mac[6];     /* that its packet came from: the next hop on the way back */
    uint32_t device;    /* number of the port in the configuration */
    uint32_t reserved;  /* zero */
};
_Static_assert(sizeof(struct bypeer_seen) == 48, "six words");

/* Mixes each word and the owner in; never 0. One bit of difference changes half of it. */
static inline uint64_t bypeer_seen_check(const uint64_t words[static 7], uint64_t owner)
{
    uint64_t check = owner * UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; i < 7; i++) {
        check = (check ^ words[i]) * UINT64_C(0xff51afd7ed558ccd);
        check ^= check >> 32;
    }
    return check | 1;
}

/* owner: serial of the link. */
static inline void bypeer_seen_write(struct bypeer_seen_words *record, uint64_t owner, const struct bypeer_seen *seen)
{
    uint64_t words[7] = {0};
    memcpy(words, seen, sizeof(*seen));
    for (unsigned i = 0; i < 7; i++)
        __atomic_store_n(&record->words[i], words[i], __ATOMIC_RELAXED);
    __atomic_store_n(&record->check, bypeer_seen_check(words, owner), __ATOMIC_RELAXED);
}

static inline void bypeer_seen_clear(struct bypeer_seen_words *record)
{
    if (__atomic_load_n(&record->check, __ATOMIC_RELAXED) != 0)
        __atomic_store_n(&record->check, 0, __ATOMIC_RELAXED);
}

/* Whether there is a whole record of this owner; then it is in *ret_seen. */
static inline bool bypeer_seen_read(const struct bypeer_seen_words *record, uint64_t owner,
                                    struct bypeer_seen *ret_seen)
{
    uint64_t words[7];
    uint64_t check = __atomic_load_n(&record->check, __ATOMIC_RELAXED);
    if (check == 0)
        return false;
    for (unsigned i = 0; i < 7; i++)
        words[i] = __atomic_load_n(&record->words[i], __ATOMIC_RELAXED);
    if (check != bypeer_seen_check(words, owner))
        return false;
    memcpy(ret_seen, words, sizeof(*ret_seen));
    return true;
}
