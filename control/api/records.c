/*
 * record.publish, update, delete, list and watch.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "control/api/groups.h"
#include "overlay/graph/search.h"

#define PAYLOAD_MAX  (1u << 20)
#define LIFETIME_S   86400
#define LIST_DEFAULT 1000
#define WATCH_EVENTS 256
#define WATCH_MS     30000
#define ANSWER_BYTES (1u << 20) /* of records or events in an answer, but for the first */

/* --- values --- */

static int records_bad(struct call *call, const char *parameter, const char *value, const char *remedy)
{
    return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter", "parameter \"%s\"\n%s\n%s",
                              parameter, value, remedy);
}

static int records_guid(struct call *call, const char *name, struct bypeer_guid *ret_guid)
{
    if (bypeer_guid_read(ret_guid, call_string(call, name)) == 0)
        return 0;
    return records_bad(call, name, "is no GUID", "write one like 12345678-9abc-def0-1234-56789abcdef0");
}

static json_t *records_guid_text(const struct bypeer_guid *guid)
{
    char text[BYPEER_GUID_TEXT_BYTES];
    bypeer_guid_write(guid, text);
    return json_stringn(text + 1, strlen(text) - 2);
}

/* Peer time as Unix seconds of this node's clock. */
static json_int_t records_unix(const struct bypeer_graph *graph, uint64_t peer_time)
{
    int64_t utc = (int64_t)peer_time + bypeer_graph_time_delta(graph);
    return (utc - (int64_t)BYPEER_PEER_TIME_1970) / (int64_t)BYPEER_PEER_TIME_SECOND;
}

static void records_add_payload(json_t *entry, const struct bypeer_record *record)
{
    json_t *text = json_stringn(record->payload_bytes ? (const char *)record->payload : "", record->payload_bytes);
    bool binary = !text || memchr(json_string_value(text), '\0', record->payload_bytes);
    if (binary) {
        size_t room = sodium_base64_ENCODED_LEN(record->payload_bytes, sodium_base64_VARIANT_ORIGINAL);
        char *base64 = malloc(room);
        json_decref(text);
        text = base64 ? json_string(sodium_bin2base64(base64, room, record->payload, record->payload_bytes,
                                                      sodium_base64_VARIANT_ORIGINAL))
                      : json_null();
        free(base64);
    }
    json_object_set_new(entry, "payload", text);
    json_object_set_new(entry, "payload_type", json_string(binary ? "binary" : "string"));
}

static json_t *records_head(const struct bypeer_graph *graph, const struct bypeer_record *record)
{
    return json_pack("{s:o, s:o, s:I, s:b, s:o, s:o, s:I, s:I, s:I}", "id", records_guid_text(&record->id), "type",
                     records_guid_text(&record->type), "version", (json_int_t)record->version, "deleted",
                     bypeer_record_is_deleted(record), "creator", call_peer_text(record->creator), "modifier",
                     record->modifier ? call_peer_text(record->modifier) : json_null(), "created",
                     records_unix(graph, record->created), "modified", records_unix(graph, record->modified), "expires",
                     records_unix(graph, record->expires));
}

static json_t *records_entry(const struct bypeer_graph *graph, const struct bypeer_record *record)
{
    json_t *entry = records_head(graph, record);
    json_object_set_new(entry, "attributes", record->attributes ? call_peer_text(record->attributes) : json_null());
    if (!bypeer_record_is_deleted(record))
        records_add_payload(entry, record);
    return entry;
}

/* --- own records --- */

/* What publish and update have in common. *ret_payload is to be freed. */
static int records_take(struct call *call, const struct bypeer_graph *graph, struct bypeer_record_draft *draft,
                        uint8_t **ret_payload)
{
    const char *payload = call_string(call, "payload"), *type = call_string(call, "payload_type");
    size_t length = payload ? strlen(payload) : 0;
    bool binary = type && strcmp(type, "binary") == 0;
    json_int_t lifetime = call_integer(call, "lifetime_s", 0);
    if (type && !binary && strcmp(type, "string") != 0)
        return records_bad(call, "payload_type", "is neither string nor binary", "use one of them");
    if (length > (binary ? 2 : 1) * (size_t)PAYLOAD_MAX)
        return records_bad(call, "payload", "is too long", "use at most 1 MiB");
    uint8_t *bytes = malloc(length + 1);
    if (!bytes)
        return bypeer_problem_no_memory(&call->problem);
    if (binary && sodium_base642bin(bytes, PAYLOAD_MAX < length ? PAYLOAD_MAX : length, payload, length, NULL, &length,
                                    NULL, sodium_base64_VARIANT_ORIGINAL) != 0) {
        free(bytes);
        return records_bad(call, "payload", "is no base64 of at most 1 MiB", "encode it as in RFC 4648, section 4");
    }
    if (!binary && payload)
        memcpy(bytes, payload, length);
    draft->payload = bytes;
    draft->payload_bytes = length;
    draft->attributes = call_string(call, "attributes");
    draft->expires = lifetime == 0 ? 0
                                   : bypeer_graph_peer_time(graph, bypeer_groups_now()) +
                                         (uint64_t)lifetime * BYPEER_PEER_TIME_SECOND;
    *ret_payload = bytes;
    return 0;
}

static int records_attributes(struct call *call)
{
    const char *text = call_string(call, "attributes");
    struct bypeer_attributes *attributes;
    char why[BYPEER_ATTRIBUTE_WHY];
    int result = text ? bypeer_attributes_read(&attributes, text, why) : -ENOENT;
    if (result == -ENOENT)
        return 0;
    if (result < 0)
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_attributes",
                                  "parameter \"attributes\"\n%s\nsee bypeer-api(7)", why);
    free(attributes);
    return 0;
}

int method_record_publish(struct call *call)
{
    struct bypeer_joined *joined = call_group(call);
    struct bypeer_record_draft draft = {.is_autorefresh =
                                            !json_is_boolean(json_object_get(call->parameters, "refresh")) ||
                                            call_boolean(call, "refresh")};
    struct bypeer_guid id;
    uint8_t *payload = NULL;
    int result = joined ? records_guid(call, "type", &draft.type) : call->problem.error;
    if (result == 0 && bypeer_record_is_reserved(&draft.type))
        result = records_bad(call, "type", "is reserved for the group itself", "choose another GUID");
    if (result == 0)
        result = records_attributes(call);
    if (result == 0)
        result = records_take(call, bypeer_joined_graph(joined), &draft, &payload);
    if (result == 0 && draft.expires == 0)
        draft.expires = bypeer_graph_peer_time(bypeer_joined_graph(joined), bypeer_groups_now()) +
                        LIFETIME_S * BYPEER_PEER_TIME_SECOND;
    if (result == 0)
        result = bypeer_joined_publish(joined, &draft, &id, &call->problem);
    free(payload);
    if (result < 0)
        return result;
    const struct bypeer_record *record = bypeer_graph_find(bypeer_joined_graph(joined), &id);
    call->result = record ? records_head(bypeer_joined_graph(joined), record) : NULL;
    return 0;
}

int method_record_update(struct call *call)
{
    struct bypeer_joined *joined = call_group(call);
    struct bypeer_record_draft draft = {0};
    struct bypeer_guid id;
    uint8_t *payload = NULL;
    int result = joined ? records_guid(call, "id", &id) : call->problem.error;
    if (result == 0)
        result = records_attributes(call);
    if (result == 0)
        result = records_take(call, bypeer_joined_graph(joined), &draft, &payload);
    const struct bypeer_record *record = result == 0 ? bypeer_graph_find(bypeer_joined_graph(joined), &id) : NULL;
    draft.is_autorefresh = record && (record->flags & BYPEER_RECORD_AUTOREFRESH);
    if (result == 0)
        result = bypeer_joined_update(joined, &id, &draft, &call->problem);
    free(payload);
    if (result < 0)
        return result;
    record = bypeer_graph_find(bypeer_joined_graph(joined), &id);
    call->result = record ? records_head(bypeer_joined_graph(joined), record) : NULL;
    return 0;
}

int method_record_delete(struct call *call)
{
    struct bypeer_joined *joined = call_group(call);
    struct bypeer_guid id;
    int result = joined ? records_guid(call, "id", &id) : call->problem.error;
    if (result == 0)
        result = bypeer_joined_delete(joined, &id, &call->problem);
    return result < 0 ? result : call_number(call, "removed", 1);
}

/* --- lists --- */

struct records_filter {
    bool has_type, all;
    struct bypeer_guid type;
    const char *creator;
    struct bypeer_record_search *search;
};

static bool records_pass(const struct records_filter *filter, const struct bypeer_record *record)
{
    if (filter->has_type ? !bypeer_guid_is_equal(&filter->type, &record->type)
                         : !filter->all && bypeer_record_is_reserved(&record->type))
        return false;
    if (filter->creator && strcmp(filter->creator, record->creator) != 0)
        return false;
    return !filter->search || bypeer_record_search_matches(filter->search, record);
}

static int records_read_filter(struct call *call, struct records_filter *ret_filter)
{
    const char *search = call_string(call, "search");
    char why[BYPEER_ATTRIBUTE_WHY];
    *ret_filter = (struct records_filter){.has_type = call_string(call, "type") != NULL,
                                          .all = call_boolean(call, "all"),
                                          .creator = call_string(call, "creator")};
    int result = ret_filter->has_type ? records_guid(call, "type", &ret_filter->type) : 0;
    if (result == 0 && search && (result = bypeer_record_search_read(&ret_filter->search, search, why)) < 0)
        result = bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_search",
                                    "parameter \"search\"\n%s\nsee bypeer-api(7)", why);
    return result;
}

/* Where a list goes on: behind a type and an ID, "TYPE/ID", whether that record is still there or not. */
static json_t *records_place_text(const struct bypeer_record *record)
{
    char text[2 * BYPEER_GUID_TEXT_BYTES];
    json_t *type = records_guid_text(&record->type), *id = records_guid_text(&record->id);
    snprintf(text, sizeof(text), "%s/%s", json_string_value(type), json_string_value(id));
    json_decref(type);
    json_decref(id);
    return json_string(text);
}

static int records_read_place(struct call *call, const char *text, struct bypeer_record *ret_place)
{
    char type[BYPEER_GUID_TEXT_BYTES];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : sizeof(type);
    *ret_place = (struct bypeer_record){0};
    if (length < sizeof(type)) {
        memcpy(type, text, length);
        type[length] = '\0';
        if (bypeer_guid_read(&ret_place->type, type) == 0 && bypeer_guid_read(&ret_place->id, slash + 1) == 0)
            return 0;
    }
    return records_bad(call, "after", "is no place in a list", "give what the answer before had as next");
}

/* Whether an answer has room for another part; the first one always fits. */
static bool records_fits(const json_t *list, const json_t *part, size_t *bytes)
{
    *bytes += json_dumpb(part, NULL, 0, JSON_COMPACT) + 1;
    return json_array_size(list) == 0 || *bytes <= ANSWER_BYTES;
}

int method_record_list(struct call *call)
{
    const struct bypeer_joined *joined = call_group(call);
    const char *after = call_string(call, "after");
    json_int_t limit = call_integer(call, "limit", LIST_DEFAULT);
    struct records_filter filter;
    struct bypeer_record place;
    if (!joined)
        return call->problem.error;
    int result = after ? records_read_place(call, after, &place) : 0;
    if (result == 0)
        result = records_read_filter(call, &filter);
    if (result != 0)
        return result;
    const struct bypeer_graph *graph = bypeer_joined_graph(joined);
    const struct bypeer_record *record = after ? &place : NULL, *last = NULL;
    json_t *list = json_array(), *next = NULL;
    const struct bypeer_guid *type = filter.has_type ? &filter.type : NULL;
    size_t bytes = 0;
    while (!next && (record = bypeer_graph_next(graph, type, record))) {
        if (bypeer_record_is_deleted(record) || !records_pass(&filter, record))
            continue;
        json_t *entry = records_entry(graph, record);
        bool is_full = !records_fits(list, entry, &bytes);
        if (!is_full) {
            json_array_append(list, entry);
            last = record;
            is_full = (json_int_t)json_array_size(list) == limit;
        }
        json_decref(entry);
        if (is_full)
            next = records_place_text(last);
    }
    bypeer_record_search_free(filter.search);
    call->result = json_pack("{s:o, s:o, s:I}", "records", list, "next", next ? next : json_null(), "sequence",
                             (json_int_t)bypeer_joined_sequence(joined));
    return 0;
}

/* --- watching --- */

struct watching {
    struct call *call;
    struct bypeer_joined_wait *wait;
    struct records_filter filter;
    uint64_t after, end_ns;
};

static void watching_free(struct watching *watching)
{
    bypeer_record_search_free(watching->filter.search);
    free(watching);
}

static void watching_cancel(struct call *call)
{
    struct watching *watching = call->later;
    bypeer_joined_wait_cancel(watching->wait);
    watching_free(watching);
}

static json_t *watching_event(const struct bypeer_graph *graph, const struct bypeer_joined_event *event)
{
    static const char *const changes[] = {
        [BYPEER_RECORD_ADDED] = "added",
        [BYPEER_RECORD_UPDATED] = "updated",
        [BYPEER_RECORD_REMOVED] = "removed",
        [BYPEER_RECORD_EXPIRED] = "expired",
    };
    const struct bypeer_record *record = bypeer_graph_find(graph, &event->record->id);
    bool is_there = record && record->version == event->record->version;
    return json_pack("{s:I, s:s, s:o}", "sequence", (json_int_t)event->sequence, "change", changes[event->change],
                     "record", is_there ? records_entry(graph, record) : records_head(graph, event->record));
}

/* A search is of what the record holds now. One that is gone holds nothing, and is told whatever it held. */
static bool watching_passes(const struct watching *watching, const struct bypeer_graph *graph,
                            const struct bypeer_joined_event *event)
{
    const struct bypeer_record *record = bypeer_graph_find(graph, &event->record->id);
    struct records_filter filter = watching->filter;
    if (!record || bypeer_record_is_deleted(record)) {
        filter.search = NULL;
        record = event->record;
    }
    return records_pass(&filter, record);
}

/* The result if there is anything to say, or last; else NULL. */
static json_t *watching_result(struct watching *watching, const struct bypeer_joined *joined, bool last)
{
    const struct bypeer_graph *graph = bypeer_joined_graph(joined);
    const struct bypeer_joined_event *event;
    json_t *events = json_array();
    bool whole, is_whole = true, is_full = false;
    size_t bytes = 0;
    while (!is_full && (event = bypeer_joined_event_after(joined, watching->after, &whole))) {
        json_t *told = watching_passes(watching, graph, event) ? watching_event(graph, event) : NULL;
        is_full = told && !records_fits(events, told, &bytes);
        if (!is_full) {
            is_whole = is_whole && whole;
            watching->after = event->sequence;
            if (told)
                json_array_append(events, told);
            is_full = json_array_size(events) == WATCH_EVENTS;
        }
        json_decref(told);
    }
    if (json_array_size(events) > 0 || last || !is_whole)
        return json_pack("{s:o, s:I, s:b}", "events", events, "next", (json_int_t)watching->after, "whole", is_whole);
    json_decref(events);
    return NULL;
}

static void watching_on_change(void *context, bool is_changed);

/* CALL_LATER, or how it ended. */
static int watching_go_on(struct watching *watching, bool last)
{
    struct call *call = watching->call;
    struct bypeer_joined *joined = call_group(call);
    uint64_t now = uv_hrtime();
    if (!joined)
        return call->problem.error;
    call->result = watching_result(watching, joined, last || now >= watching->end_ns);
    if (call->result)
        return 0;
    watching->wait =
        bypeer_joined_wait(joined, (uint32_t)((watching->end_ns - now) / 1000000 + 1), watching_on_change, watching);
    return watching->wait ? CALL_LATER : bypeer_problem_no_memory(&call->problem);
}

static void watching_on_change(void *context, bool is_changed)
{
    struct watching *watching = context;
    struct call *call = watching->call;
    int outcome = watching_go_on(watching, !is_changed);
    if (outcome == CALL_LATER)
        return;
    call->cancelled = NULL;
    watching_free(watching);
    call_end(call, outcome);
}

int method_record_watch(struct call *call)
{
    const struct bypeer_joined *joined = call_group(call);
    struct watching *watching = joined ? calloc(1, sizeof(*watching)) : NULL;
    if (!watching)
        return joined ? bypeer_problem_no_memory(&call->problem) : call->problem.error;
    watching->call = call;
    watching->after = (uint64_t)call_integer(call, "after", (json_int_t)bypeer_joined_sequence(joined));
    watching->end_ns = uv_hrtime() + (uint64_t)call_integer(call, "timeout_ms", WATCH_MS) * 1000000;
    int outcome = records_read_filter(call, &watching->filter);
    if (outcome == 0)
        outcome = watching_go_on(watching, false);
    if (outcome != CALL_LATER) {
        watching_free(watching);
        return outcome;
    }
    call->later = watching;
    call->cancelled = watching_cancel;
    return CALL_LATER;
}
