/* What comes over the socket, to a program that uses libbypeer: every call ends, with a result or an error that has a
 * text. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/lib/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int member(void *context, const struct bypeer_member *member)
{
    (void)context;
    return member->address && member->group && member->link && member->origin ? 0 : 1;
}

static void check(struct bypeer *node, int64_t result)
{
    if (result < 0 && bypeer_error_text(node)[0] == '\0')
        abort();
    if (!bypeer_error_key(node))
        abort();
}

static int registration(void *context, const struct bypeer_name_registration *registration)
{
    (void)context;
    return registration->name && registration->endpoint_count <= BYPEER_NAME_ENDPOINTS ? 0 : 1;
}

static int cloud(void *context, const struct bypeer_cloud_status *cloud)
{
    (void)context;
    return cloud->name && cloud->state ? 0 : 1;
}

static void found(void *context, const struct bypeer_name_result *result)
{
    (void)context;
    if (!result->name || result->endpoint_count > BYPEER_NAME_ENDPOINTS ||
        result->service_count > BYPEER_NAME_ENDPOINTS || (!result->payload && result->payload_bytes))
        abort();
}

static void finished(void *context, int status)
{
    (void)context;
    if (status == 0)
        abort();
}

static void use_names(struct bypeer *node)
{
    struct bypeer_name_query query = {.name = "0.web", .timeout_ms = 1};
    struct bypeer_name_publication publication = {.name = "0.web", .port = 80};
    struct bypeer_resolve *resolve;
    check(node, bypeer_name_publish(node, &publication, NULL));
    check(node, bypeer_name_resolve(node, &query, found, NULL));
    if (bypeer_resolve_begin(&resolve, node, &query, found, finished, NULL) == 0)
        check(node, bypeer_process(node));
    check(node, bypeer_name_each(node, registration, NULL));
    check(node, bypeer_cloud_each(node, cloud, NULL));
}

static void changed(void *context, const struct bypeer_peer_event *event)
{
    (void)context;
    if ((event->change == BYPEER_PEER_MISSED) != !event->record || (event->record && !event->record->id[0]))
        abort();
}

static void heard(void *context, const struct bypeer_peer_message *message)
{
    (void)context;
    if (!message->bytes || !message->member || !message->type || (message->said == BYPEER_PEER_LOST) != !message->link)
        abort();
}

static void ended(void *context, int error)
{
    (void)context;
    if (error >= 0)
        abort();
}

static void use_peers(struct bypeer *node)
{
    struct bypeer_peer_groups *groups = NULL;
    struct bypeer_peer_members *members = NULL;
    struct bypeer_peer_records *records = NULL;
    struct bypeer_peer_watch *watch;
    char *xml = NULL;
    check(node, bypeer_peer_enum_groups(&groups, node, "0"));
    check(node, bypeer_peer_enum_members(&members, node, "0.a"));
    check(node, bypeer_peer_enum_records(&records, node, "0.a", NULL, NULL, NULL));
    for (size_t at = 0; records && at < records->count; at++)
        if (!records->at[at].id[0] || !records->at[at].payload)
            abort();
    check(node, bypeer_peer_identity_xml(node, NULL, &xml));
    if (bypeer_peer_watch_begin(&watch, node, "0.a", NULL, changed, ended, NULL) == 0)
        check(node, bypeer_process(node));
    if (bypeer_peer_direct_begin(&watch, node, "0.a", heard, ended, NULL) == 0)
        check(node, bypeer_process(node));
    bypeer_peer_free(groups);
    bypeer_peer_free(members);
    bypeer_peer_free(records);
    free(xml);
}

static void use(struct bypeer *node, unsigned what)
{
    static const uint8_t addresses[1][16] = {{0xfd}};
    struct bypeer_node_status status;
    struct bypeer_loader *loader;
    switch (what % 7) {
    case 0:
        check(node, bypeer_node_status(node, &status));
        break;
    case 1:
        check(node, bypeer_member_each(node, NULL, NULL, member, NULL));
        break;
    case 2:
        check(node, bypeer_member_add(node, "fd00::1", "beta"));
        break;
    case 5:
        use_names(node);
        break;
    case 6:
        use_peers(node);
        break;
    case 3:
        check(node, bypeer_member_count(node, NULL, NULL));
        break;
    default:
        if (bypeer_loader_begin(&loader, node) == 0) {
            check(node, bypeer_loader_put(loader, "beta", addresses, 1));
            check(node, bypeer_loader_put(loader, NULL, addresses, 1));
            check(node, bypeer_loader_finish(loader, NULL));
        }
    }
}

/* The first byte chooses the calls, the rest is what the node says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bypeer *node;
    int ends[2];
    if (size < 1 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return 0;
    ssize_t said = send(ends[1], data + 1, size - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(ends[1], SHUT_WR);
    if (said >= 0 && bypeer_attach(&node, ends[0]) == 0) {
        bypeer_set_timeout(node, 1000);
        for (unsigned i = 0; i < 4; i++)
            use(node, data[0] + i);
        bypeer_close(node);
    } else {
        close(ends[0]);
    }
    close(ends[1]);
    return 0;
}
