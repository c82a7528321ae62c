/*
 * What a peer says inside TLS before it is authenticated: messages of Group Connect, to a member that takes passwords
 * (first byte even) or one that has begun the link (odd). Each next byte is the length of a piece. Nobody gets in but
 * by the guest's own chain, which the input does not have.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/group_town.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct group_town *town = group_town();
    static uint64_t runs;
    /* Later and later, so that passwords may be tried again. */
    const struct bypeer_graph_time now = {.ms = ++runs * 120000, .utc = town->now.utc};
    bool is_initiator = size > 0 && data[0] % 2;
    struct bypeer_group_node *node = is_initiator ? town->guest : town->founder;
    const struct bypeer_graph_security *security = bypeer_group_security(node);
    struct bypeer_buffer out = {0};
    const char *why = NULL;
    void *link;
    size_t der_bytes;
    const uint8_t *der = bypeer_certificate_der(town->idc[is_initiator ? 0 : 1], &der_bytes);
    if (size == 0)
        return 0;
    if (security->link_open(security->context, &link, is_initiator, NULL, BYPEER_GRAPH_NEIGHBOR, NULL))
        abort();
    int status = is_initiator ? security->link_token(security->context, link, now, NULL, 0, &out, &why) : 0;
    if (status == 0)
        status = security->link_token(security->context, link, now, der, der_bytes, &out, &why);
    if (status == 0 && !is_initiator)
        status = security->link_token(security->context, link, now, (const uint8_t *)"F", 1, &out, &why);
    for (size_t at = 1; status == 0 && at < size;) {
        size_t piece = data[at++];
        if (piece > size - at)
            piece = size - at;
        status = security->link_token(security->context, link, now, data + at, piece, &out, &why);
        at += piece;
    }
    if (status > 0 || (status < 0 && !why))
        abort();
    security->link_close(security->context, link);
    bypeer_buffer_clear(&out);
    return 0;
}
