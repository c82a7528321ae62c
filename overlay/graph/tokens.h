/*
 * How often something may be done: so many times at once, and then once in so long. Of each source (source.h) for
 * itself, or of all together.
 *
 * Addresses: 16 bytes in network order. Thread: one. Memory: the caller's, of a fixed size; all zero: nothing was done
 * yet.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bypeer_tokens_rate {
    uint32_t burst;    /* at once; at least 1 */
    uint32_t every_ms; /* and then one */
};

struct bypeer_tokens {
    uint64_t full_ms; /* when all are there again; one is one .every_ms of it */
};

struct bypeer_tokens_source {
    uint8_t address[16];
    struct bypeer_tokens tokens;
};

bool bypeer_tokens_are_left(const struct bypeer_tokens *tokens, const struct bypeer_tokens_rate *rate, uint64_t now_ms);
/* One less. Only if some are left. */
void bypeer_tokens_take(struct bypeer_tokens *tokens, const struct bypeer_tokens_rate *rate, uint64_t now_ms);
/* Those of the address's source. One that is new has the place of the source whose tokens are back first. */
struct bypeer_tokens *bypeer_tokens_of(struct bypeer_tokens_source sources[], size_t count,
                                       const uint8_t address[static 16]);
