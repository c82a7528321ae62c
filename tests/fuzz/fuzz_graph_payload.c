/* Payloads of graphing's own records: what is read can be written, and is then the same. */
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_info(const uint8_t *data, size_t size)
{
    static struct bypeer_graph_info info, again;
    uint8_t bytes[BYPEER_GRAPH_INFO_MAX];
    if (bypeer_graph_info_read(&info, data, size) != 0)
        return;
    long length = bypeer_graph_info_write(&info, bytes, sizeof(bytes));
    if (length <= 0 || bypeer_graph_info_read(&again, bytes, (size_t)length) != 0 ||
        strcmp(info.comment, again.comment) != 0 || strcmp(info.graph, again.graph) != 0)
        abort();
}

static void check_contact(const uint8_t *data, size_t size)
{
    struct bypeer_graph_contact contact, again;
    uint8_t bytes[20 + 32 * BYPEER_GRAPH_LISTENING_MAX];
    if (bypeer_graph_contact_read(&contact, data, size) != 0)
        return;
    long length = bypeer_graph_contact_write(&contact, bytes, sizeof(bytes));
    if (length <= 0 || bypeer_graph_contact_read(&again, bytes, (size_t)length) != 0 ||
        again.node_id != contact.node_id || again.address_count != contact.address_count)
        abort();
}

static void check_presence(const uint8_t *data, size_t size)
{
    struct bypeer_graph_presence presence, again;
    if (bypeer_graph_presence_read(&presence, data, size) != 0)
        return;
    uint8_t *bytes = malloc(size + 64);
    long length = bypeer_graph_presence_write(&presence, bytes, size + 64);
    if (length <= 0 || bypeer_graph_presence_read(&again, bytes, (size_t)length) != 0 ||
        again.node_id != presence.node_id || again.address_count != presence.address_count)
        abort();
    bypeer_graph_presence_clear(&again);
    bypeer_graph_presence_clear(&presence);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_info(data, size);
    check_contact(data, size);
    check_presence(data, size);
    return 0;
}
