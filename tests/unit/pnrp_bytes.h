/* Bytes of hexadecimal text, and of anything else, in blocks of exactly their size: a sanitizer sees over-reads. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static inline uint8_t *bytes_copy(const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    cr_assert_not_null(copy);
    return memcpy(copy, bytes, length);
}

static inline uint8_t *bytes_of(const char *hex, size_t *ret_length)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = strlen(hex) / 2;
    uint8_t *bytes = calloc(1, length ? length : 1);
    cr_assert_not_null(bytes);
    for (size_t at = 0; at < length; at++)
        bytes[at] = (uint8_t)((strchr(digits, hex[2 * at]) - digits) << 4 | (strchr(digits, hex[2 * at + 1]) - digits));
    *ret_length = length;
    return bytes;
}

/* Fails the test unless the bytes are those. */
static inline void bytes_expect(const void *bytes, size_t length, const char *hex, const char *what)
{
    size_t expected_length;
    uint8_t *expected = bytes_of(hex, &expected_length);
    cr_assert_eq(length, expected_length, "%s: %zu bytes, not %zu", what, length, expected_length);
    cr_assert_arr_eq(bytes, expected, length, "%s", what);
    free(expected);
}
