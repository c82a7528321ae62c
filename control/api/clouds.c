/*
 * Methods of clouds. clouds.load takes up to 20,000 entries a call: a table of millions comes in by it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/call.h"
#include "control/names/cloud.h"
#include "control/names/names.h"

#define LIST_DEFAULT 1000

static int clouds_find(struct call *call, struct bypeer_cloud **ret_cloud)
{
    const char *name = call_string(call, "cloud");
    struct bypeer_cloud *cloud = call->node->names ? bypeer_names_find_cloud(call->node->names, name) : NULL;
    if (!cloud) {
        bypeer_problem_set(&call->problem, -ENOENT, "no_such_cloud",
                           "cloud \"%.64s\"\ndoes not exist\nlist the clouds with: bypeer cloud list", name);
        return -ENOENT;
    }
    *ret_cloud = cloud;
    return 0;
}

struct clouds_names {
    const struct bypeer_cloud *cloud;
    json_int_t count;
};

static void clouds_count_name(void *context, const struct bypeer_store_publication *publication,
                              const struct bypeer_cloud *cloud, const uint8_t *id)
{
    (void)publication;
    struct clouds_names *names = context;
    names->count += id && cloud == names->cloud ? 1 : 0;
}

static json_t *clouds_describe(const struct bypeer_names *names, const struct bypeer_cloud *cloud)
{
    static const char *const states[] = {"virtual", "synchronizing", "active", "dead", "disabled", "no_net", "alone"};
    struct clouds_names published = {.cloud = cloud};
    json_t *addresses = json_array();
    bypeer_names_each(names, clouds_count_name, &published);
    for (unsigned at = 0; at < cloud->endpoint_count; at++)
        json_array_append_new(addresses, call_address_text(cloud->endpoints[at].address));
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:i, s:I, s:I, s:I}", "name", cloud->config.name, "profile",
                     bypeer_cloud_profile(&cloud->config)->name, "scope",
                     cloud->config.scope == BYPEER_CLOUD_LINK ? "link" : "global", "interface",
                     cloud->config.interface[0] ? json_string(cloud->config.interface) : json_null(), "state",
                     states[bypeer_pnrp_state(cloud->pnrp)], "addresses", addresses, "port", cloud->config.port,
                     "names", published.count, "known", (json_int_t)bypeer_cache_count(bypeer_pnrp_cache(cloud->pnrp)),
                     "nodes", (json_int_t)bypeer_pnrp_estimate(cloud->pnrp));
}

json_t *call_clouds_list(const struct bypeer_node *node)
{
    json_t *list = json_array();
    for (const struct bypeer_cloud *cloud = node->names ? bypeer_names_first_cloud(node->names) : NULL; cloud;
         cloud = bypeer_names_next_cloud(cloud))
        json_array_append_new(list, clouds_describe(node->names, cloud));
    return list;
}

int method_clouds_list(struct call *call)
{
    call->result = json_pack("{s:o}", "clouds", call_clouds_list(call->node));
    return 0;
}

int method_clouds_stats(struct call *call)
{
    struct bypeer_cloud *cloud;
    int result = clouds_find(call, &cloud);
    if (result < 0)
        return result;
    const struct bypeer_pnrp_counters *counters = bypeer_pnrp_counters(cloud->pnrp);
    json_t *list = json_array();
#define CLOUDS_COUNTER(name, words) \
    json_array_append_new(          \
        list, json_pack("{s:s, s:s, s:I}", "name", #name, "text", (words), "value", (json_int_t)counters->name));
    BYPEER_PNRP_COUNTERS(CLOUDS_COUNTER)
#undef CLOUDS_COUNTER
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:I}", "name", "unsent", "text",
                                    "datagrams that the kernel did not take", "value", (json_int_t)cloud->unsent));
    call->result = json_pack("{s:o, s:o}", "cloud", clouds_describe(call->node->names, cloud), "counters", list);
    return 0;
}

/* --- the cache --- */

static bool clouds_read_id(const char *text, uint8_t ret_id[static 32])
{
    size_t bytes;
    return text && strlen(text) == 64 && sodium_hex2bin(ret_id, 32, text, 64, NULL, &bytes, NULL) == 0 && bytes == 32;
}

static int clouds_refuse_id(struct call *call, const char *parameter, const char *text)
{
    return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_id",
                              "parameter \"%s\"\n\"%.80s\" is no PNRP ID\nwrite 64 hex digits", parameter,
                              text ? text : "");
}

/* The IDs that are published here in one cloud. */
struct clouds_own {
    const struct bypeer_cloud *cloud;
    size_t count;
    struct bypeer_id_number ids[BYPEER_PUBLICATIONS_MAX];
};

static void clouds_add_own(void *context, const struct bypeer_store_publication *publication,
                           const struct bypeer_cloud *cloud, const uint8_t *id)
{
    (void)publication;
    struct clouds_own *own = context;
    if (id && cloud == own->cloud && own->count < BYPEER_PUBLICATIONS_MAX)
        own->ids[own->count++] = bypeer_id_load(id);
}

/* How many times the span around the nearest own ID can be divided by ten and still has the ID in it. */
static json_t *clouds_level(const struct clouds_own *own, const uint8_t id[static 32])
{
    struct bypeer_id_number number = bypeer_id_load(id);
    uint64_t least = UINT64_MAX;
    json_int_t level = 0;
    for (size_t at = 0; at < own->count; at++) {
        uint64_t distance = bypeer_id_distance(own->ids[at], number).words[0];
        least = distance < least ? distance : least;
    }
    for (uint64_t span = UINT64_C(1) << 63; span / 10 > least; span /= 10)
        level++;
    return own->count > 0 ? json_integer(level) : json_null();
}

static json_t *clouds_entry(const struct clouds_own *own, const struct bypeer_route *route)
{
    json_t *endpoints = json_array();
    for (unsigned at = 0; at < route->address_count; at++) {
        struct bypeer_pnrp_endpoint endpoint = {.port = route->port};
        memcpy(endpoint.address, at == 0 ? route->address : route->more[at - 1], 16);
        json_array_append_new(endpoints, call_endpoint_text(&endpoint));
    }
    return json_pack("{s:o, s:o, s:b, s:o}", "id", call_id_text(route->id), "level", clouds_level(own, route->id),
                     "leaf", (route->flags & BYPEER_ROUTE_LEAF) != 0, "endpoints", endpoints);
}

int method_clouds_cache(struct call *call)
{
    const char *after = call_string(call, "after");
    json_int_t limit = call_integer(call, "limit", LIST_DEFAULT);
    struct bypeer_cloud *cloud;
    uint8_t first[32] = {0};
    if (after && !clouds_read_id(after, first))
        return clouds_refuse_id(call, "after", after);
    int result = clouds_find(call, &cloud);
    if (result < 0)
        return result;
    struct clouds_own *own = calloc(1, sizeof(*own));
    if (!own)
        return bypeer_problem_no_memory(&call->problem);
    own->cloud = cloud;
    bypeer_names_each(call->node->names, clouds_add_own, own);
    struct bypeer_id_number start = bypeer_id_load(first);
    struct bypeer_cache_walk walk;
    bypeer_cache_walk(bypeer_pnrp_cache(cloud->pnrp), start, &walk);
    json_t *entries = json_array(), *next = NULL;
    const struct bypeer_route *route;
    while (!next && (route = bypeer_cache_above(&walk)) != NULL) {
        int order = bypeer_id_compare(bypeer_id_load(route->id), start);
        if (order < 0)
            break; /* once round */
        if ((route->flags & BYPEER_ROUTE_OWN) || (after && order == 0))
            continue;
        json_array_append_new(entries, clouds_entry(own, route));
        if (--limit == 0)
            next = call_id_text(route->id);
    }
    free(own);
    call->result = json_pack("{s:o}", "entries", entries);
    if (next)
        json_object_set_new(call->result, "next", next);
    return 0;
}

/* --- what is known in another way --- */

/* The endpoints of an entry: their addresses, and the port that they have in common. */
static bool clouds_read_endpoints(const json_t *list, uint8_t addresses[static 20 * 16],
                                  struct bypeer_pnrp_entry *entry)
{
    size_t count = json_array_size(list);
    if (count < 1 || count > BYPEER_PNRP_ADDRESSES_MAX)
        return false;
    for (size_t at = 0; at < count; at++) {
        struct bypeer_pnrp_endpoint endpoint;
        const char *text = json_string_value(json_array_get(list, at));
        if (!text || !call_read_endpoint(text, &endpoint) || (at > 0 && endpoint.port != entry->port))
            return false;
        memcpy(addresses + 16 * at, endpoint.address, 16);
        entry->port = endpoint.port;
    }
    entry->addresses = addresses;
    entry->address_count = (uint8_t)count;
    return true;
}

/* One entry, checked, and with take set put into the cache. 1: it is new there; 0; negative with the problem. */
static int clouds_load_entry(struct call *call, const json_t *from, size_t number, struct bypeer_cloud *take)
{
    uint8_t id[32], addresses[BYPEER_PNRP_ADDRESSES_MAX * 16];
    struct bypeer_pnrp_entry entry = {.id = id};
    if (!clouds_read_id(json_string_value(json_object_get(from, "id")), id) ||
        !clouds_read_endpoints(json_object_get(from, "endpoints"), addresses, &entry))
        return bypeer_problem_set(
            &call->problem, BYPEER_API_BAD_PARAMETER, "bad_entry",
            "parameter \"entries\"\nnumber %zu is no route entry\n"
            "give an id of 64 hex digits and endpoints with one port; none of this call was taken",
            number);
    if (!take)
        return 0;
    return bypeer_pnrp_preload(take->pnrp, bypeer_cloud_now(), &entry) > 0 ? 1 : 0;
}

int method_clouds_load(struct call *call)
{
    const json_t *list = json_object_get(call->parameters, "entries");
    size_t count = json_array_size(list);
    struct bypeer_cloud *cloud;
    uint64_t added = 0;
    int result = 0;
    for (size_t at = 0; at < count && result == 0; at++)
        result = clouds_load_entry(call, json_array_get(list, at), at, NULL);
    if (result < 0)
        return result;
    result = clouds_find(call, &cloud);
    if (result < 0)
        return result;
    for (size_t at = 0; at < count; at++)
        added += (uint64_t)clouds_load_entry(call, json_array_get(list, at), at, cloud);
    bypeer_cloud_touched(cloud);
    return call_number(call, "added", added);
}

int method_clouds_contact(struct call *call)
{
    const char *text = call_string(call, "node");
    struct bypeer_pnrp_endpoint node;
    struct bypeer_cloud *cloud;
    if (!call_read_endpoint(text, &node))
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_address",
                                  "parameter \"node\"\n\"%.64s\" is no endpoint\nwrite one like [2001:db8::1]:3541",
                                  text);
    int result = clouds_find(call, &cloud);
    if (result < 0)
        return result;
    result = bypeer_pnrp_contact(cloud->pnrp, bypeer_cloud_now(), &node);
    bypeer_cloud_touched(cloud);
    if (result < 0)
        return bypeer_problem_set(&call->problem, result, "not_sent",
                                  "cloud %s\ncannot ask %.64s now: %s\nsee bypeer cloud list", cloud->config.name, text,
                                  strerror(-result));
    return call_number(call, "sent", 1);
}
