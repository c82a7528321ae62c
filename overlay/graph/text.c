#include "overlay/graph/text.h"

#include "overlay/text/utf8.h"

static uint16_t text_unit(const uint8_t *units, size_t at)
{
    return (uint16_t)(units[2 * at] | units[2 * at + 1] << 8);
}

static size_t text_put_unit(uint8_t *place, uint32_t unit)
{
    place[0] = (uint8_t)unit;
    place[1] = (uint8_t)(unit >> 8);
    return 2;
}

size_t bypeer_text_units(const char *text)
{
    size_t units = 1;
    int32_t point;
    while ((point = bypeer_utf8_take(&text)) > 0)
        units += point > 0xffff ? 2 : 1;
    return point < 0 ? 0 : units;
}

size_t bypeer_text_put(uint8_t *ret_units, const char *text)
{
    size_t bytes = 0;
    int32_t point;
    while ((point = bypeer_utf8_take(&text)) > 0) {
        if (point > 0xffff) {
            bytes += text_put_unit(ret_units + bytes, 0xd800 + (((uint32_t)point - 0x10000) >> 10));
            point = 0xdc00 + ((point - 0x10000) & 0x3ff);
        }
        bytes += text_put_unit(ret_units + bytes, (uint32_t)point);
    }
    return bytes + text_put_unit(ret_units + bytes, 0);
}

/* The code point at *at, which moves behind it; -1: half of a pair. */
static int32_t text_point(const uint8_t *units, size_t count, size_t *at)
{
    int32_t point = text_unit(units, (*at)++);
    if ((point & 0xf800) != 0xd800)
        return point;
    uint16_t second = *at < count ? text_unit(units, *at) : 0;
    if ((point & 0x400) != 0 || (second & 0xfc00) != 0xdc00)
        return -1;
    ++*at;
    return 0x10000 + ((point & 0x3ff) << 10) + (second & 0x3ff);
}

size_t bypeer_text_measure(const uint8_t *units, size_t count)
{
    size_t bytes = 1;
    if (count == 0 || text_unit(units, count - 1) != 0)
        return 0;
    for (size_t at = 0; at < count - 1;) {
        int32_t point = text_point(units, count, &at);
        if (point <= 0)
            return 0;
        bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    }
    return bytes;
}

size_t bypeer_text_take(const uint8_t *units, size_t count, char *ret_text)
{
    size_t bytes = 0;
    for (size_t at = 0; at < count - 1;)
        bytes += bypeer_utf8_put(ret_text + bytes, (uint32_t)text_point(units, count, &at));
    ret_text[bytes++] = '\0';
    return bytes;
}
