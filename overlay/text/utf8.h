/* UTF-8, a code point at a time (RFC 3629: no surrogates, nothing longer than need be, nothing above U+10FFFF). */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The code point at *text, which moves behind it; 0 at the end, which is not passed; -1 if it is no UTF-8. */
static inline int32_t bypeer_utf8_take(const char **text)
{
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *bytes = (const uint8_t *)*text;
    unsigned length = bytes[0] < 0x80             ? 1
                      : (bytes[0] & 0xe0) == 0xc0 ? 2
                      : (bytes[0] & 0xf0) == 0xe0 ? 3
                      : (bytes[0] & 0xf8) == 0xf0 ? 4
                                                  : 0;
    if (length == 0)
        return -1;
    int32_t point = length == 1 ? bytes[0] : bytes[0] & (0x7f >> length);
    for (unsigned at = 1; at < length; at++) {
        if ((bytes[at] & 0xc0) != 0x80) /* a NUL is none either: nothing is read behind it */
            return -1;
        point = point << 6 | (bytes[at] & 0x3f);
    }
    if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return -1;
    if (point != 0)
        *text += length;
    return point;
}

/* Writes up to 4 bytes; returns how many. */
static inline size_t bypeer_utf8_put(char *ret_text, uint32_t point)
{
    if (point < 0x80) {
        ret_text[0] = (char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t at = length; at-- > 1; point >>= 6)
        ret_text[at] = (char)(0x80 | (point & 0x3f));
    ret_text[0] = (char)((0xf00 >> length) | point);
    return length;
}
