/*
 * names.publish, names.update, names.unpublish and names.list.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "control/api/call.h"
#include "control/names/cloud.h"
#include "control/names/names.h"

#define PROTOCOL_TCP 6 /* IANA's numbers */
#define PROTOCOL_UDP 17

int call_need_names(struct call *call)
{
    if (call->node->names)
        return 0;
    return bypeer_problem_set(&call->problem, -ENOENT, "no_cloud",
                              "names\nare in no cloud\nadd one to clouds: in the configuration and reload");
}

/* --- what is published --- */

static int names_bad(struct call *call, const char *parameter, const char *value, const char *remedy)
{
    return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter", "parameter \"%s\"\n%s\n%s",
                              parameter, value, remedy);
}

/* "tcp", "udp", or NULL for the former; 0: neither. */
static uint16_t names_protocol(const char *text)
{
    if (!text || strcmp(text, "tcp") == 0)
        return PROTOCOL_TCP;
    return strcmp(text, "udp") == 0 ? PROTOCOL_UDP : 0;
}

static int names_take_endpoints(struct call *call, const json_t *list, struct bypeer_store_publication *publication)
{
    static const char *const known[] = {"address", "port", "protocol"};
    size_t count = json_array_size(list);
    for (size_t at = 0; at < count; at++) {
        const json_t *entry = json_array_get(list, at);
        struct bypeer_application *application = &publication->applications[at];
        const char *address = json_string_value(json_object_get(entry, "address"));
        const json_t *port = json_object_get(entry, "port"), *protocol = json_object_get(entry, "protocol");
        size_t keys = 0;
        for (size_t key = 0; key < sizeof(known) / sizeof(known[0]); key++)
            keys += json_object_get(entry, known[key]) ? 1 : 0;
        application->protocol = protocol && !json_is_string(protocol) ? 0 : names_protocol(json_string_value(protocol));
        if (!address || inet_pton(AF_INET6, address, application->address) != 1 || !json_is_integer(port) ||
            json_integer_value(port) < 0 || json_integer_value(port) > UINT16_MAX || application->protocol == 0 ||
            keys != json_object_size(entry))
            return names_bad(call, "endpoints", "holds what is no endpoint",
                             "give objects of address (IPv6), port (0 to 65535), protocol (tcp or udp)");
        application->port = (uint16_t)json_integer_value(port);
    }
    publication->application_count = (unsigned)count;
    return 0;
}

static int names_take_payload(struct call *call, struct bypeer_store_publication *publication)
{
    const char *payload = call_string(call, "payload"), *type = call_string(call, "payload_type");
    size_t length = payload ? strlen(payload) : 0;
    bool binary = type && strcmp(type, "binary") == 0;
    if (type && !binary && strcmp(type, "string") != 0)
        return names_bad(call, "payload_type", "is neither string nor binary", "use one of them");
    if (!payload)
        return 0;
    if (binary && sodium_base642bin(publication->payload, sizeof(publication->payload), payload, length, NULL, &length,
                                    NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return names_bad(call, "payload", "is no base64 of at most 4096 bytes", "encode it as in RFC 4648, section 4");
    if (!binary && length > sizeof(publication->payload))
        return names_bad(call, "payload", "is too long", "use at most 4096 bytes");
    if (!binary)
        memcpy(publication->payload, payload, length);
    publication->payload_bytes = (unsigned)length;
    publication->payload_type = length == 0 ? BYPEER_PAYLOAD_NONE
                                : binary    ? BYPEER_PAYLOAD_BINARY
                                            : BYPEER_PAYLOAD_STRING;
    return 0;
}

/* Everything but name and clouds. */
static int names_take_contents(struct call *call, struct bypeer_store_publication *publication)
{
    const char *comment = call_string(call, "comment"), *prefix = call_string(call, "prefix");
    const json_t *endpoints = json_object_get(call->parameters, "endpoints");
    if (comment && strlen(comment) >= sizeof(publication->comment))
        return names_bad(call, "comment", "is too long", "use at most 39 characters");
    if (comment)
        memcpy(publication->comment, comment, strlen(comment) + 1);
    publication->follow = !json_is_array(endpoints);
    publication->port = (uint16_t)call_integer(call, "port", 0);
    publication->protocol = names_protocol(call_string(call, "protocol"));
    if (publication->protocol == 0)
        return names_bad(call, "protocol", "is neither tcp nor udp", "use one of them");
    if (prefix) {
        uint8_t address[16];
        int result = call_overlay_address(call, "prefix", prefix, address);
        if (result < 0)
            return result;
        publication->has_prefix = true;
        memcpy(publication->prefix, address, sizeof(publication->prefix));
    }
    int result = publication->follow ? 0 : names_take_endpoints(call, endpoints, publication);
    return result < 0 ? result : names_take_payload(call, publication);
}

int call_clouds(struct call *call, const char *ret_clouds[static CALL_CLOUDS_MAX], unsigned *ret_count)
{
    const json_t *list = json_object_get(call->parameters, "clouds");
    size_t count = json_array_size(list);
    for (size_t at = 0; at < count; at++) {
        ret_clouds[at] = json_string_value(json_array_get(list, at));
        if (!ret_clouds[at] || strlen(ret_clouds[at]) > 63 || strchr(ret_clouds[at], '\n'))
            return names_bad(call, "clouds", "holds what is no name of a cloud",
                             "list the clouds with: bypeer cloud list");
    }
    *ret_count = (unsigned)count;
    return 0;
}

/* The clouds that were asked for, one a line. */
static int names_take_clouds(struct call *call, struct bypeer_store_publication *publication)
{
    const char *clouds[CALL_CLOUDS_MAX];
    unsigned count;
    size_t length = 0;
    int result = call_clouds(call, clouds, &count);
    for (unsigned at = 0; result == 0 && at < count; at++)
        length +=
            (size_t)snprintf(publication->clouds + length, sizeof(publication->clouds) - length, "%s\n", clouds[at]);
    return result;
}

/* --- the name --- */

static int names_read(struct call *call, const char *text, struct bypeer_peer_name *ret_name)
{
    char why[160];
    if (bypeer_name_read(ret_name, text, why) < 0)
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_name",
                                  "name \"%.100s\"\n%s\nwrite AUTHORITY.CLASSIFIER, or 0.CLASSIFIER", text, why);
    return 0;
}

/* The profile of the first cloud that is asked for. */
static const struct bypeer_profile *names_profile(const struct call *call,
                                                  const struct bypeer_store_publication *publication)
{
    const struct bypeer_cloud *cloud = NULL;
    char first[64];
    snprintf(first, sizeof(first), "%.*s", (int)strcspn(publication->clouds, "\n"), publication->clouds);
    cloud = first[0] != '\0' ? bypeer_names_find_cloud(call->node->names, first)
                             : bypeer_names_first_cloud(call->node->names);
    return cloud ? bypeer_cloud_profile(&cloud->config) : bypeer_profile(BYPEER_PROFILE_MODERN);
}

/* From "name", or from "classifier" and this node's identity. */
static int names_take_name(struct call *call, struct bypeer_store_publication *publication)
{
    const char *text = call_string(call, "name"), *classifier = call_string(call, "classifier");
    struct bypeer_peer_name name = {0};
    char why[160];
    int result = 0;
    if (!text == !classifier)
        return names_bad(call, "name", text ? "is there beside a classifier" : "is missing, and so is a classifier",
                         "give one of them");
    if (text) {
        result = names_read(call, text, &name);
    } else if (bypeer_classifier_read(&name, classifier, why) < 0) {
        result = bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_name",
                                    "classifier \"%.100s\"\n%s\nuse up to 149 characters", classifier, why);
    } else if (!call_boolean(call, "unsecured")) {
        result = call_need_names(call);
        name.secure = true;
        if (result == 0)
            result = bypeer_names_authority(call->node->names, names_profile(call, publication), name.authority,
                                            &call->problem);
    }
    if (result == 0)
        bypeer_name_write(&name, publication->name);
    return result;
}

json_t *call_host_name(const struct bypeer_peer_name *name)
{
    char host[BYPEER_HOST_NAME_MAX], why[160];
    return bypeer_host_name_write(name, host, why) == 0 ? json_string(host) : json_null();
}

json_t *call_id_text(const uint8_t id[static 32])
{
    char text[65];
    sodium_bin2hex(text, sizeof(text), id, 32);
    return json_string(text);
}

static json_t *names_host(const char *text)
{
    struct bypeer_peer_name name;
    char why[160];
    return bypeer_name_read(&name, text, why) == 0 ? call_host_name(&name) : json_null();
}

/* --- methods --- */

struct names_list {
    json_t *list;
    const char *only; /* registrations of this name */
};

static void names_add_registration(void *context, const struct bypeer_store_publication *publication,
                                   const struct bypeer_cloud *cloud, const uint8_t *id)
{
    const struct names_list *wanted = context;
    if (strcmp(publication->name, wanted->only) == 0)
        json_array_append_new(wanted->list, json_pack("{s:s, s:o}", "cloud", cloud->config.name, "id",
                                                      id ? call_id_text(id) : json_null()));
}

int method_names_publish(struct call *call)
{
    struct bypeer_store_publication publication = {0};
    int result = names_take_contents(call, &publication);
    if (result == 0)
        result = names_take_clouds(call, &publication);
    if (result == 0)
        result = names_take_name(call, &publication);
    if (result == 0)
        result = call_need_names(call);
    if (result == 0)
        result = bypeer_names_publish(call->node->names, &publication, &call->problem);
    if (result < 0)
        return result;
    struct names_list registrations = {.list = json_array(), .only = publication.name};
    bypeer_names_each(call->node->names, names_add_registration, &registrations);
    call->result = json_pack("{s:s, s:o, s:o}", "name", publication.name, "host", names_host(publication.name),
                             "registrations", registrations.list);
    return 0;
}

/* The name of a parameter, in the form in which it is kept. */
static int names_known_name(struct call *call, char ret_text[static BYPEER_NAME_TEXT_MAX])
{
    struct bypeer_peer_name name;
    int result = names_read(call, call_string(call, "name"), &name);
    if (result == 0)
        result = call_need_names(call);
    if (result == 0)
        bypeer_name_write(&name, ret_text);
    return result;
}

int method_names_update(struct call *call)
{
    struct bypeer_store_publication publication = {0};
    int result = names_take_contents(call, &publication);
    if (result == 0)
        result = names_known_name(call, publication.name);
    if (result == 0)
        result = bypeer_names_update(call->node->names, &publication, &call->problem);
    return result < 0 ? result : call_number(call, "updated", 1);
}

int method_names_unpublish(struct call *call)
{
    char name[BYPEER_NAME_TEXT_MAX];
    const char *clouds[CALL_CLOUDS_MAX];
    unsigned count = 0;
    int result = call_clouds(call, clouds, &count);
    if (result == 0)
        result = names_known_name(call, name);
    if (result == 0)
        result = bypeer_names_unpublish(call->node->names, name, clouds, count, &call->problem);
    return result < 0 ? result : call_number(call, "removed", (uint64_t)result);
}

json_t *call_application(const struct bypeer_application *application)
{
    json_t *protocol = application->protocol == PROTOCOL_TCP   ? json_string("tcp")
                       : application->protocol == PROTOCOL_UDP ? json_string("udp")
                                                               : json_integer(application->protocol);
    return json_pack("{s:o, s:i, s:o}", "address", call_address_text(application->address), "port", application->port,
                     "protocol", protocol);
}

static json_t *names_endpoints(const struct bypeer_store_publication *publication, const struct bypeer_cloud *cloud)
{
    json_t *list = json_array();
    unsigned count = publication->follow ? cloud->endpoint_count : publication->application_count;
    for (unsigned at = 0; at < count; at++) {
        struct bypeer_application application = {.port = publication->port, .protocol = publication->protocol};
        if (publication->follow)
            memcpy(application.address, cloud->endpoints[at].address, sizeof(application.address));
        else
            application = publication->applications[at];
        json_array_append_new(list, call_application(&application));
    }
    return list;
}

static void names_add(void *context, const struct bypeer_store_publication *publication,
                      const struct bypeer_cloud *cloud, const uint8_t *id)
{
    json_array_append_new(context, json_pack("{s:s, s:o, s:s, s:o, s:o, s:s, s:i, s:s}", "name", publication->name,
                                             "host", names_host(publication->name), "cloud", cloud->config.name, "id",
                                             id ? call_id_text(id) : json_null(), "endpoints",
                                             names_endpoints(publication, cloud), "comment", publication->comment,
                                             "payload_bytes", (int)publication->payload_bytes, "state",
                                             id && cloud->endpoint_count > 0 ? "published" : "waiting"));
}

int method_names_list(struct call *call)
{
    json_t *list = json_array();
    if (call->node->names)
        bypeer_names_each(call->node->names, names_add, list);
    call->result = json_pack("{s:o}", "names", list);
    return 0;
}
