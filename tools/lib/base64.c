#include "tools/lib/base64.h"

#include <errno.h>
#include <string.h>

static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(const uint8_t *bytes, size_t length, char *ret_text)
{
    for (size_t at = 0; at < length; at += 3) {
        size_t left = length - at;
        uint32_t group = (uint32_t)bytes[at] << 16 | (left > 1 ? (uint32_t)bytes[at + 1] << 8 : 0) |
                         (left > 2 ? (uint32_t)bytes[at + 2] : 0);
        *ret_text++ = digits[group >> 18];
        *ret_text++ = digits[group >> 12 & 63];
        *ret_text++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *ret_text++ = left > 2 ? digits[group & 63] : '=';
    }
    *ret_text = '\0';
}

/* 0 to 63, or -1. */
static int digit_read(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

/* Four digits, the last two of which may be "=" at the end. Returns how many bytes they are, or 0. */
static size_t group_read(const char *text, uint8_t ret_bytes[static 3])
{
    size_t known = text[3] != '=' ? 4 : text[2] != '=' ? 3 : 2;
    uint32_t group = 0;
    for (size_t at = 0; at < 4; at++) {
        int digit = at < known ? digit_read(text[at]) : 0;
        if (digit < 0)
            return 0;
        group = group << 6 | (uint32_t)digit;
    }
    ret_bytes[0] = (uint8_t)(group >> 16);
    ret_bytes[1] = (uint8_t)(group >> 8);
    ret_bytes[2] = (uint8_t)group;
    return known - 1;
}

ssize_t base64_read(const char *text, uint8_t *ret_bytes, size_t room)
{
    size_t length = strlen(text), used = 0;
    if (length % 4 != 0)
        return -EINVAL;
    for (size_t at = 0; at < length; at += 4) {
        uint8_t bytes[3];
        size_t count = group_read(text + at, bytes);
        if (count == 0 || used + count > room || (count < 3 && at + 4 < length))
            return -EINVAL;
        memcpy(ret_bytes + used, bytes, count);
        used += count;
    }
    return (ssize_t)used;
}
