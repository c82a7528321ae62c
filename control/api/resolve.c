/*
 * names.resolve and names.lookup_path, which are answered when they are done.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "control/api/call.h"
#include "control/names/names.h"

#define TIMEOUT_MS 30000

struct resolving {
    struct call *call;
    struct bypeer_names_resolve *resolve;
    json_t *results, *hops;
    bool stream;
    uint64_t began_ns;
};

static void resolving_free(struct resolving *resolving)
{
    json_decref(resolving->results);
    json_decref(resolving->hops);
    free(resolving);
}

static void resolving_cancel(struct call *call)
{
    struct resolving *resolving = call->later;
    bypeer_names_cancel(resolving->resolve);
    resolving_free(resolving);
}

static json_t *resolve_name_text(const struct bypeer_peer_name *name)
{
    char text[BYPEER_NAME_TEXT_MAX];
    bypeer_name_write(name, text);
    return json_string(text);
}

static void resolve_add_payload(json_t *result, const struct bypeer_pnrp_found *found)
{
    bool binary = found->payload_type == BYPEER_PAYLOAD_BINARY;
    char base64[sodium_base64_ENCODED_LEN(BYPEER_PAYLOAD_MAX, sodium_base64_VARIANT_ORIGINAL)];
    if (found->payload_bytes == 0 || found->payload_bytes > BYPEER_PAYLOAD_MAX)
        return;
    json_t *text = binary ? NULL : json_stringn((const char *)found->payload, found->payload_bytes);
    if (!text) { /* what a stranger calls a string may be none */
        binary = true;
        text = json_string(sodium_bin2base64(base64, sizeof(base64), found->payload, found->payload_bytes,
                                             sodium_base64_VARIANT_ORIGINAL));
    }
    json_object_set_new(result, "payload", text);
    json_object_set_new(result, "payload_type", json_string(binary ? "binary" : "string"));
}

static json_t *resolve_result(const char *cloud, const struct bypeer_pnrp_found *found)
{
    json_t *endpoints = json_array(), *services = json_array();
    for (unsigned at = 0; at < found->application_count; at++)
        json_array_append_new(endpoints, call_application(&found->applications[at]));
    for (unsigned at = 0; at < found->service_count; at++)
        json_array_append_new(services,
                              json_pack("{s:o, s:i}", "address", call_address_text(found->services[at].address), "port",
                                        found->services[at].port));
    json_t *comment = json_string(found->comment);
    json_t *result = json_pack(
        "{s:o, s:s, s:o, s:b, s:o, s:o, s:o, s:I, s:i}", "name", resolve_name_text(found->name), "cloud", cloud, "id",
        call_id_text(found->id), "secure", found->name->secure, "endpoints", endpoints, "services", services, "comment",
        comment ? comment : json_string(""), "not_after", (json_int_t)found->not_after, "hops", (int)found->hops);
    resolve_add_payload(result, found);
    return result;
}

static void resolve_on_found(void *context, const char *cloud, const struct bypeer_pnrp_found *found)
{
    struct resolving *resolving = context;
    json_t *result = resolve_result(cloud, found);
    json_array_append_new(resolving->results, result);
    /* A client that cannot be told is gone, and this resolve with it: nothing may be looked at after it. */
    if (resolving->stream && resolving->call->id)
        call_notify(resolving->call, "names.found",
                    json_pack("{s:O, s:O}", "id", resolving->call->id, "result", result));
}

static void resolve_on_hop(void *context, const char *cloud, const struct bypeer_pnrp_hop *hop)
{
    static const char *const verdicts[] = {
        [BYPEER_HOP_ACCEPTED] = "accepted",
        [BYPEER_HOP_DEAD_END] = "dead_end",
        [BYPEER_HOP_UNREACHABLE] = "unreachable",
        [BYPEER_HOP_BUSY] = "busy",
    };
    static const uint8_t none[32];
    struct resolving *resolving = context;
    json_array_append_new(resolving->hops,
                          json_pack("{s:s, s:o, s:o, s:i, s:I, s:s, s:b}", "cloud", cloud, "endpoint",
                                    call_endpoint_text(&hop->endpoint), "id",
                                    memcmp(hop->id, none, 32) != 0 ? call_id_text(hop->id) : json_null(), "common_bits",
                                    (int)hop->common_bits, "took_ms", (json_int_t)hop->took_ms, "verdict",
                                    verdicts[hop->verdict], "validation", hop->validation));
}

static void resolve_on_finished(void *context, int status)
{
    struct resolving *resolving = context;
    struct call *call = resolving->call;
    json_int_t elapsed = (json_int_t)((uv_hrtime() - resolving->began_ns) / 1000000);
    bool found = json_array_size(resolving->results) > 0;
    int outcome = 0;
    if (resolving->hops)
        call->result = json_pack("{s:O, s:b, s:I}", "hops", resolving->hops, "found", found, "elapsed_ms", elapsed);
    else if (found)
        call->result = json_pack("{s:O, s:I}", "results", resolving->results, "elapsed_ms", elapsed);
    else if (status == -ENETUNREACH)
        outcome = bypeer_problem_set(&call->problem, status, "no_network",
                                     "clouds\nhave no address of this host\nsee bypeer cloud list");
    else
        outcome = bypeer_problem_set(&call->problem, status < 0 ? status : -ENOENT, "name_not_found",
                                     "name %.100s\nwas not found after %lld ms\ncheck that it is published, and "
                                     "bypeer cloud list",
                                     call_string(call, "name"), (long long)elapsed);
    call->cancelled = NULL;
    resolving_free(resolving);
    call_end(call, outcome);
}

/* A peer name, or a host name below pnrp.net. */
static int resolve_read_name(struct call *call, struct bypeer_peer_name *ret_name)
{
    const char *text = call_string(call, "name");
    char why[160];
    int result = bypeer_host_name_read(ret_name, text, why);
    if (result == -ENOENT)
        result = bypeer_name_read(ret_name, text, why);
    if (result < 0)
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_name",
                                  "name \"%.100s\"\n%s\nwrite AUTHORITY.CLASSIFIER, 0.CLASSIFIER, or HOST.pnrp.net",
                                  text, why);
    return 0;
}

static int resolve_read_criterion(struct call *call, enum bypeer_pnrp_criterion *ret_criterion)
{
    const char *text = call_string(call, "criterion");
    if (!text || strcmp(text, "any") == 0)
        *ret_criterion = BYPEER_PNRP_ANY;
    else if (strcmp(text, "nearest") == 0)
        *ret_criterion = BYPEER_PNRP_NEAREST;
    else if (strcmp(text, "nearest64") == 0)
        *ret_criterion = BYPEER_PNRP_NEAREST_64;
    else
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                  "parameter \"criterion\"\n\"%.64s\" is unknown\nuse any, nearest or nearest64", text);
    return 0;
}

static int resolve_begin(struct call *call, const struct bypeer_names_query *query, bool path)
{
    int result = call_need_names(call);
    if (result < 0)
        return result;
    struct resolving *resolving = calloc(1, sizeof(*resolving));
    if (!resolving)
        return bypeer_problem_no_memory(&call->problem);
    *resolving = (struct resolving){
        .call = call,
        .results = json_array(),
        .hops = path ? json_array() : NULL,
        .stream = call_boolean(call, "stream"),
        .began_ns = uv_hrtime(),
    };
    const struct bypeer_names_callbacks callbacks = {
        .found = resolve_on_found,
        .hop = path ? resolve_on_hop : NULL,
        .finished = resolve_on_finished,
    };
    result = bypeer_names_resolve(call->node->names, query, &callbacks, resolving, &resolving->resolve, &call->problem);
    if (result < 0) {
        resolving_free(resolving);
        return result;
    }
    call->later = resolving;
    call->cancelled = resolving_cancel;
    return CALL_LATER;
}

int method_names_resolve(struct call *call)
{
    struct bypeer_peer_name name;
    const char *clouds[CALL_CLOUDS_MAX];
    struct bypeer_names_query query = {
        .name = &name,
        .clouds = clouds,
        .results_max = (unsigned)call_integer(call, "results", 1),
        .timeout_ms = (uint32_t)call_integer(call, "timeout_ms", TIMEOUT_MS),
        .own = call_boolean(call, "own"),
    };
    int result = resolve_read_name(call, &name);
    if (result == 0)
        result = resolve_read_criterion(call, &query.criterion);
    if (result == 0)
        result = call_clouds(call, clouds, &query.cloud_count);
    return result < 0 ? result : resolve_begin(call, &query, false);
}

int method_names_lookup_path(struct call *call)
{
    struct bypeer_peer_name name;
    const char *cloud = call_string(call, "cloud");
    struct bypeer_names_query query = {
        .name = &name,
        .clouds = &cloud,
        .cloud_count = cloud ? 1 : 0,
        .criterion = BYPEER_PNRP_ANY,
        .timeout_ms = (uint32_t)call_integer(call, "timeout_ms", TIMEOUT_MS),
    };
    int result = resolve_read_name(call, &name);
    return result < 0 ? result : resolve_begin(call, &query, true);
}
