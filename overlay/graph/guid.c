#include "overlay/graph/guid.h"

#include <errno.h>

static bool guid_has_dash(unsigned at)
{
    return at == 4 || at == 6 || at == 8 || at == 10;
}

static int guid_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

int bypeer_guid_read(struct bypeer_guid *ret_guid, const char *text)
{
    struct bypeer_guid guid;
    bool has_braces = *text == '{';
    text += has_braces;
    for (unsigned at = 0; at < sizeof(guid.bytes); at++) {
        if (guid_has_dash(at) && *text++ != '-')
            return -EINVAL;
        int high = guid_digit(text[0]), low = high < 0 ? -1 : guid_digit(text[1]);
        if (low < 0)
            return -EINVAL;
        guid.bytes[at] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (strcmp(text, has_braces ? "}" : "") != 0)
        return -EINVAL;
    *ret_guid = guid;
    return 0;
}

void bypeer_guid_write(const struct bypeer_guid *guid, char ret_text[static BYPEER_GUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    *ret_text++ = '{';
    for (unsigned at = 0; at < sizeof(guid->bytes); at++) {
        if (guid_has_dash(at))
            *ret_text++ = '-';
        *ret_text++ = digits[guid->bytes[at] >> 4];
        *ret_text++ = digits[guid->bytes[at] & 15];
    }
    *ret_text++ = '}';
    *ret_text = '\0';
}
