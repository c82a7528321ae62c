/* Host names of peer names: name.h says which there are. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "overlay/pnrp/name.h"

#define WHY_BYTES        160
#define LABEL_MAX        63 /* RFC 1035, 2.3.4 */
#define GUARD            'p'
#define AUTHORITY_DIGITS (2 * BYPEER_AUTHORITY_BYTES)

static bool host_name_is_plain(uint16_t unit)
{
    return (unit >= 'a' && unit <= 'z') || (unit >= '0' && unit <= '9') || unit == '-';
}

/* What may be neither first nor last in a label without a guard: "-" by RFC 1123, the guard itself to be told apart. */
static bool host_name_needs_guard(uint16_t unit)
{
    return unit == '-' || unit == GUARD;
}

/* Writes the classifier's label; its length, or 0: it has none. */
static size_t host_name_write_label(const struct bypeer_peer_name *name, char ret_label[static LABEL_MAX + 2])
{
    size_t length = 0, count = name->classifier_length;
    if (count > LABEL_MAX)
        return 0;
    if (count == 0 || host_name_needs_guard(name->classifier[0]))
        ret_label[length++] = GUARD;
    for (size_t at = 0; at < count; at++) {
        if (!host_name_is_plain(name->classifier[at]))
            return 0;
        ret_label[length++] = (char)name->classifier[at];
    }
    if (count > 0 && host_name_needs_guard(name->classifier[count - 1]))
        ret_label[length++] = GUARD;
    return length <= LABEL_MAX ? length : 0;
}

int bypeer_host_name_write(const struct bypeer_peer_name *name, char ret_host[static BYPEER_HOST_NAME_MAX],
                           char why[static WHY_BYTES])
{
    char label[LABEL_MAX + 2], text[BYPEER_NAME_TEXT_MAX];
    size_t length = host_name_write_label(name, label);
    if (length == 0) {
        snprintf(why, WHY_BYTES,
                 "only a classifier of a-z, 0-9 and \"-\", short enough for a label of %d characters, has a host name",
                 LABEL_MAX);
        return -EINVAL;
    }
    bypeer_name_write(name, text);
    if (name->secure)
        snprintf(ret_host, BYPEER_HOST_NAME_MAX, "%.*s.%s%.*s." BYPEER_HOST_NAME_DOMAIN, (int)length, label,
                 text[0] <= '9' ? "p" : "", AUTHORITY_DIGITS, text);
    else
        snprintf(ret_host, BYPEER_HOST_NAME_MAX, "%.*s." BYPEER_HOST_NAME_DOMAIN, (int)length, label);
    return 0;
}

/* The part of host before ".pnrp.net", in lower case; its length, or 0: it is not below that domain. */
static size_t host_name_below(const char *host, char ret_labels[static BYPEER_HOST_NAME_MAX])
{
    static const char domain[] = "." BYPEER_HOST_NAME_DOMAIN;
    const size_t domain_length = sizeof(domain) - 1;
    size_t length = strnlen(host, BYPEER_HOST_NAME_MAX + 1);
    if (length > 0 && host[length - 1] == '.')
        length--;
    if (length <= domain_length || length >= BYPEER_HOST_NAME_MAX)
        return 0;
    for (size_t at = 0; at < length; at++) {
        char letter = host[at];
        ret_labels[at] = letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
    }
    length -= domain_length;
    if (memcmp(ret_labels + length, domain, domain_length) != 0)
        return 0;
    ret_labels[length] = '\0';
    return length;
}

/* Whether the label begins like, and is as long as, a secure name's authority. ret_digits are the 40. */
static bool host_name_authority(const char *label, const char **ret_digits)
{
    size_t length = strlen(label);
    *ret_digits = label + (length == AUTHORITY_DIGITS + 1 && label[0] == GUARD);
    return strlen(*ret_digits) == AUTHORITY_DIGITS && strspn(*ret_digits, "0123456789abcdef") == AUTHORITY_DIGITS &&
           ((*ret_digits)[0] <= '9') == (length == AUTHORITY_DIGITS + 1);
}

int bypeer_host_name_read(struct bypeer_peer_name *ret_name, const char *host, char why[static WHY_BYTES])
{
    char labels[BYPEER_HOST_NAME_MAX], text[BYPEER_HOST_NAME_MAX], canonical[LABEL_MAX + 2];
    size_t length = host_name_below(host, labels);
    if (length == 0)
        return -ENOENT;

    const char *authority = "0";
    char *dot = strchr(labels, '.');
    if (dot) {
        *dot = '\0';
        if (!host_name_authority(dot + 1, &authority)) {
            snprintf(why, WHY_BYTES,
                     "what follows the first label is no authority: 40 hex digits, behind a \"p\" if a digit is first");
            return -EINVAL;
        }
    }

    /* Guards off, and the same label again from what is left, or it is no label of any name. */
    size_t first = labels[0] == GUARD, end = strlen(labels);
    if (end > first && labels[end - 1] == GUARD)
        end--;
    struct bypeer_peer_name name;
    int written = snprintf(text, sizeof(text), "%s.%.*s", authority, (int)(end - first), labels + first);
    if (written < 0 || (size_t)written >= sizeof(text) || bypeer_name_read(&name, text, why) != 0 ||
        (length = host_name_write_label(&name, canonical)) != strlen(labels) ||
        memcmp(canonical, labels, length) != 0) {
        snprintf(
            why, WHY_BYTES,
            "the first label is no classifier's: a-z, 0-9 and \"-\"; where one begins or ends with \"-\" or \"p\", "
            "there is one more \"p\"");
        return -EINVAL;
    }
    *ret_name = name;
    return 0;
}
