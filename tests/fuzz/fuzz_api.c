/*
 * Requests of the API: whatever the lines, each is answered at most once and by JSON, no answer is missing but that of
 * a notification, and afterwards the tables hold exactly the members that the model counts.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/api.h"
#include "control/log.h"
#include "control/relay/relays.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char sample[] =
    "tables: { members: 1000, members-max: 1200, links: 8, prefixes: 8 }\n"
    "dataplane: { memory: normal }\n"
    "groups:\n"
    "  - { name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7, address: \"fd12:3456:789a::1\" }\n"
    "links:\n"
    "  - { name: beta, group: lab, peer: \"2001:db8:1::2\" }\n"
    "members:\n"
    "  - { address: \"fd12:3456:789a::2\", link: beta }\n"
    "routes:\n"
    "  - { prefix: \"fd12:3456:789a:b::/64\", link: beta }\n"
    "relay: { prefix: \"2001:db8:5::/64\" }\n";

static unsigned answers;

static void take_answer(void *context, char *text, size_t length)
{
    (void)context;
    answers++;
    if (!text)
        return;
    json_t *answer = json_loadb(text, length, 0, NULL);
    if (!answer || memchr(text, '\n', length))
        abort();
    json_decref(answer);
    free(text);
}

static void check_counts(const struct bypeer_node *node)
{
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(node->generation->writer, &usage);
    uint64_t own = 0, links = 0, members = 0;
    for (const struct bypeer_model_group *group = bypeer_model_next_group(node->model, 0); group;
         group = bypeer_model_next_group(node->model, group->id))
        own += group->live && group->has_address ? 1 : 0;
    for (const struct bypeer_model_link *link = bypeer_model_next_link(node->model, 0); link;
         link = bypeer_model_next_link(node->model, link->id)) {
        links += link->live ? 1 : 0;
        members += link->members;
    }
    size_t routes;
    bypeer_model_routes(node->model, &routes);
    if (usage.used.destinations != own + members || members != bypeer_model_count_members(node->model) ||
        usage.used.links != links || usage.used.prefixes != routes ||
        usage.used.relays != bypeer_relays_count_pairs(node->relays))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bypeer_config *config;
    struct bypeer_node node;
    static const struct bypeer_api_client client = {.answer = take_answer};
    bypeer_log_set_level(BYPEER_LOG_ERROR);
    if (bypeer_config_parse(&config, "fuzz.yaml", sample, strlen(sample), NULL) < 0 ||
        bypeer_node_open(&node, config, ":memory:", NULL, NULL) < 0)
        abort();
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) : size;
        answers = 0;
        if (bypeer_api_take(&node, (const char *)data, length, &client, NULL) || answers != 1)
            abort(); /* nothing takes its time without a data plane */
        check_counts(&node);
        size_t taken = end ? length + 1 : length;
        data += taken;
        size -= taken;
    }
    bypeer_node_close(&node);
    return 0;
}
