#include "overlay/pnrp/name.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "overlay/ip/wire.h"
#include "overlay/text/utf8.h"

#define AUTHORITY_DIGITS (2 * BYPEER_AUTHORITY_BYTES)
#define WHY_BYTES        160

#define NAME_FORMS "a name is 0.CLASSIFIER or AUTHORITY.CLASSIFIER, with an authority of 40 hex digits"

__attribute__((format(printf, 2, 3))) static int name_refuse(char why[static WHY_BYTES], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, WHY_BYTES, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

/* 0 to 15, or -1. */
static int name_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

int bypeer_classifier_read(struct bypeer_peer_name *name, const char *text, char why[static WHY_BYTES])
{
    uint16_t units[BYPEER_CLASSIFIER_MAX + 1];
    unsigned count = 0;
    const char *at = text;
    int32_t point;
    while ((point = bypeer_utf8_take(&at)) > 0) {
        if (count + (point > 0xffff) >= BYPEER_CLASSIFIER_MAX)
            return name_refuse(why, "the classifier has more than %d UTF-16 units: shorten it", BYPEER_CLASSIFIER_MAX);
        if (point > 0xffff) {
            units[count++] = (uint16_t)(0xd800 + ((point - 0x10000) >> 10));
            point = 0xdc00 + ((point - 0x10000) & 0x3ff);
        }
        units[count++] = (uint16_t)point;
    }
    if (point < 0)
        return name_refuse(why, "the classifier is not UTF-8 from its byte %zu on: pass it as UTF-8",
                           (size_t)(at - text));
    memcpy(name->classifier, units, count * sizeof(units[0]));
    name->classifier_length = (uint16_t)count;
    return 0;
}

void bypeer_classifier_put(const struct bypeer_peer_name *name, uint8_t ret_units[static 2 * BYPEER_CLASSIFIER_MAX])
{
    for (unsigned at = 0; at < name->classifier_length; at++)
        bypeer_store16(ret_units + 2 * at, name->classifier[at]);
}

int bypeer_name_read(struct bypeer_peer_name *ret_name, const char *text, char why[static WHY_BYTES])
{
    struct bypeer_peer_name name = {0};
    size_t authority = strcspn(text, ".");
    if (authority == AUTHORITY_DIGITS) {
        for (unsigned at = 0; at < AUTHORITY_DIGITS; at++) {
            int digit = name_digit(text[at]);
            if (digit < 0)
                return name_refuse(why, "character %u of the authority is no hex digit: " NAME_FORMS, at + 1);
            name.authority[at / 2] = (uint8_t)(name.authority[at / 2] << 4 | digit);
        }
        name.secure = true;
    } else if (authority != 1 || text[0] != '0') {
        return name_refuse(why, "the part before the first dot has %zu characters: " NAME_FORMS, authority);
    }
    bool has_dot = text[authority] == '.';
    if (has_dot) {
        int status = bypeer_classifier_read(&name, text + authority + 1, why);
        if (status != 0)
            return status;
    }
    if (!name.secure && name.classifier_length == 0)
        return name_refuse(why, "an unsecured name needs a classifier, as in 0.printer");
    *ret_name = name;
    return 0;
}

static size_t name_write_authority(const struct bypeer_peer_name *name, char ret_text[static AUTHORITY_DIGITS])
{
    static const char digits[] = "0123456789abcdef";
    if (!name->secure) {
        ret_text[0] = '0';
        return 1;
    }
    for (unsigned at = 0; at < BYPEER_AUTHORITY_BYTES; at++) {
        ret_text[2 * at] = digits[name->authority[at] >> 4];
        ret_text[2 * at + 1] = digits[name->authority[at] & 15];
    }
    return AUTHORITY_DIGITS;
}

size_t bypeer_utf8_write(const uint16_t units[], size_t count, char *ret_text)
{
    size_t length = 0;
    for (size_t at = 0; at < count; at++) {
        uint32_t point = units[at];
        bool has_next = at + 1 < count;
        if ((point & 0xfc00) == 0xd800 && has_next && (units[at + 1] & 0xfc00) == 0xdc00)
            point = 0x10000 + ((point & 0x3ff) << 10) + (units[++at] & 0x3ffu);
        else if ((point & 0xf800) == 0xd800)
            point = 0xfffd;
        length += bypeer_utf8_put(ret_text + length, point);
    }
    return length;
}

size_t bypeer_name_write(const struct bypeer_peer_name *name, char ret_text[static BYPEER_NAME_TEXT_MAX])
{
    size_t length = name_write_authority(name, ret_text);
    ret_text[length++] = '.';
    length += bypeer_utf8_write(name->classifier, name->classifier_length, ret_text + length);
    ret_text[length] = '\0';
    return length;
}

bool bypeer_name_is_equal(const struct bypeer_peer_name *a, const struct bypeer_peer_name *b)
{
    return a->secure == b->secure && memcmp(a->authority, b->authority, BYPEER_AUTHORITY_BYTES) == 0 &&
           a->classifier_length == b->classifier_length &&
           memcmp(a->classifier, b->classifier, a->classifier_length * sizeof(a->classifier[0])) == 0;
}
