/* Peer names, by the code that the node reads them with. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "overlay/pnrp/name.h"
#include "tools/lib/bypeer.h"

_Static_assert(BYPEER_NAME_TEXT >= BYPEER_NAME_TEXT_MAX, "room for any peer name");
_Static_assert(BYPEER_HOST_TEXT >= BYPEER_HOST_NAME_MAX, "room for any host name");

static int told(int error, const char *why, char *ret_why)
{
    if (error && ret_why)
        snprintf(ret_why, BYPEER_NAME_WHY, "%s", why);
    return error ? -EINVAL : 0;
}

int bypeer_peer_name_parse(const char *name, struct bypeer_peer_name_parts *ret_parts, char *ret_why)
{
    struct bypeer_peer_name read;
    char why[BYPEER_NAME_WHY] = "", text[BYPEER_NAME_TEXT_MAX];
    int error = bypeer_name_read(&read, name, why);
    if (error)
        return told(error, why, ret_why);
    bypeer_name_write(&read, text);
    const char *dot = strchr(text, '.');
    struct bypeer_peer_name_parts parts = {.authority = ""};
    memcpy(parts.authority, text, (size_t)(dot - text));
    snprintf(parts.classifier, sizeof(parts.classifier), "%s", dot + 1);
    *ret_parts = parts;
    return 0;
}

int bypeer_peer_name_compose(const struct bypeer_peer_name_parts *parts, char ret_name[BYPEER_NAME_TEXT], char *ret_why)
{
    struct bypeer_peer_name read;
    char why[BYPEER_NAME_WHY] = "", text[sizeof(parts->authority) + 1 + sizeof(parts->classifier)];
    if (strchr(parts->authority, '.'))
        return told(-EINVAL, "an authority has no dot", ret_why);
    snprintf(text, sizeof(text), "%s.%s", parts->authority, parts->classifier);
    int error = bypeer_name_read(&read, text, why);
    if (!error)
        bypeer_name_write(&read, ret_name);
    return told(error, why, ret_why);
}

int bypeer_peer_name_to_host(const char *name, char ret_host[BYPEER_HOST_TEXT], char *ret_why)
{
    struct bypeer_peer_name read;
    char why[BYPEER_NAME_WHY] = "";
    int error = bypeer_name_read(&read, name, why);
    if (!error)
        error = bypeer_host_name_write(&read, ret_host, why);
    return told(error, why, ret_why);
}

int bypeer_peer_name_from_host(const char *host, char ret_name[BYPEER_NAME_TEXT], char *ret_why)
{
    struct bypeer_peer_name read;
    char why[BYPEER_NAME_WHY] = "the host name is not below pnrp.net";
    int error = bypeer_host_name_read(&read, host, why);
    if (!error)
        bypeer_name_write(&read, ret_name);
    return told(error, why, ret_why);
}
