/* Peer names and host names from any text: what is taken is one name, and its text the same again. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "overlay/pnrp/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void through_host(const struct bypeer_peer_name *name)
{
    char host[BYPEER_HOST_NAME_MAX], why[160];
    struct bypeer_peer_name again;
    if (bypeer_host_name_write(name, host, why) != 0)
        return;
    if (bypeer_host_name_read(&again, host, why) != 0 || !bypeer_name_is_equal(name, &again))
        abort();
}

static void through_text(const struct bypeer_peer_name *name)
{
    char text[BYPEER_NAME_TEXT_MAX], why[160];
    struct bypeer_peer_name again;
    if (bypeer_name_write(name, text) != strlen(text) || bypeer_name_read(&again, text, why) != 0 ||
        !bypeer_name_is_equal(name, &again))
        abort();
}

/* Lone surrogates have no text of their own, so this goes one way only. */
static void from_units(const uint8_t *data, size_t size)
{
    struct bypeer_peer_name name = {0}, again;
    char text[BYPEER_NAME_TEXT_MAX], why[160];
    if (size < 2 || size / 2 > BYPEER_CLASSIFIER_MAX)
        return;
    for (size_t at = 0; at < size / 2; at++) {
        name.classifier[at] = (uint16_t)(data[2 * at] << 8 | data[2 * at + 1]);
        if (name.classifier[at] == 0)
            return;
    }
    name.classifier_length = (uint16_t)(size / 2);
    bypeer_name_write(&name, text);
    if (bypeer_name_read(&again, text, why) != 0 || again.classifier_length != name.classifier_length)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bypeer_peer_name name;
    char *text = malloc(size + 1), why[160];
    memcpy(text, data, size);
    text[size] = '\0';
    if (bypeer_name_read(&name, text, why) == 0) {
        through_text(&name);
        through_host(&name);
    }
    if (bypeer_host_name_read(&name, text, why) == 0) {
        char host[BYPEER_HOST_NAME_MAX];
        if (bypeer_host_name_write(&name, host, why) != 0 || strncasecmp(text, host, strlen(host)) != 0)
            abort();
        through_text(&name);
    }
    from_units(data, size);
    free(text);
    return 0;
}
