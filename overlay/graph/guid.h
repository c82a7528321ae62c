/*
 * GUIDs: 16 bytes in network order, on the wire and in memory, so that memcmp() orders them as their text.
 *
 *   {6c796768-7732-406b-bc6e-5e9c0d864580}
 *
 * Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BYPEER_GUID_TEXT_BYTES 39 /* with braces and NUL */

struct bypeer_guid {
    uint8_t bytes[16];
};

static inline int bypeer_guid_compare(const struct bypeer_guid *a, const struct bypeer_guid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static inline bool bypeer_guid_is_equal(const struct bypeer_guid *a, const struct bypeer_guid *b)
{
    return bypeer_guid_compare(a, b) == 0;
}

/* With or without braces, in either case. 0 or -EINVAL. */
int bypeer_guid_read(struct bypeer_guid *ret_guid, const char *text);
void bypeer_guid_write(const struct bypeer_guid *guid, char ret_text[static BYPEER_GUID_TEXT_BYTES]);
