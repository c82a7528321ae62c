#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lib/base64.h"
#include "tools/lib/peer_values.h"

/* The bytes take the place of their base64, so that they live as long as the rest. */
static bool record_decode(json_t *object)
{
    const char *text = value_text(object, "payload");
    uint8_t *bytes = malloc(strlen(text) + 1);
    ssize_t length = bytes ? base64_read(text, bytes, strlen(text)) : -ENOMEM;
    bool good = length >= 0 &&
                json_object_set_new(object, "payload", json_stringn_nocheck((const char *)bytes, (size_t)length)) == 0;
    free(bytes);
    return good;
}

bool peer_record_fill(void *element, json_t *object)
{
    struct bypeer_peer_record *record = element;
    bool is_binary = strcmp(value_text(object, "payload_type"), "binary") == 0;
    if (is_binary && !record_decode(object))
        return false;
    const json_t *payload = json_object_get(object, "payload");
    *record = (struct bypeer_peer_record){
        .id = value_text(object, "id"),
        .type = value_text(object, "type"),
        .creator = value_text(object, "creator"),
        .modifier = value_text(object, "modifier"),
        .attributes = value_text(object, "attributes"),
        .payload = json_is_string(payload) ? json_string_value(payload) : "",
        .payload_bytes = json_string_length(payload),
        .payload_is_text = !is_binary,
        .version = value_integer(object, "version"),
        .created = value_integer(object, "created"),
        .modified = value_integer(object, "modified"),
        .expires = value_integer(object, "expires"),
        .is_deleted = peer_is_true(object, "deleted"),
    };
    return record->id[0] && record->type[0];
}

/* One page after the other becomes one answer. */
static int records_page(struct bypeer *node, json_t *params, json_t *records, char after[static BYPEER_NAME_TEXT])
{
    json_t *page = NULL;
    int error = peer_call(node, "record.list", params, &page);
    if (error)
        return error;
    const char *next = value_text(page, "next");
    const json_t *list = json_object_get(page, "records");
    if (!json_is_array(list))
        error = value_malformed(node, "record.list");
    else if (json_array_extend(records, (json_t *)list) < 0)
        error = connection_fail(node, -ENOMEM, "out of memory");
    /* A node that repeats itself would keep us for ever. */
    if (strcmp(next, after) == 0)
        after[0] = '\0';
    else
        value_copy(page, "next", after, BYPEER_NAME_TEXT);
    json_decref(page);
    return error;
}

int bypeer_peer_enum_records(struct bypeer_peer_records **ret_records, struct bypeer *node, const char *group,
                             const char *type, const char *creator, const char *search)
{
    struct peer_snapshot *snapshot = NULL;
    char after[BYPEER_NAME_TEXT] = "";
    json_t *records = json_array();
    int error;
    do
        error = records_page(node,
                             json_pack("{s:s, s:s*, s:s*, s:s*, s:s*}", "group", group, "type", type, "creator",
                                       creator, "search", search, "after", after[0] ? after : NULL),
                             records, after);
    while (!error && after[0]);
    if (error) {
        json_decref(records);
        return error;
    }
    error = peer_snapshot_make(&snapshot, node, "record.list", json_pack("{s:o}", "records", records), "records",
                               sizeof(struct bypeer_peer_record), peer_record_fill);
    if (!error)
        *ret_records = (struct bypeer_peer_records *)snapshot;
    return error;
}

/* The payload as JSON; false: it is text that is no UTF-8, or there is no memory. */
static bool draft_payload(const struct bypeer_peer_draft *draft, json_t **ret_payload)
{
    *ret_payload = NULL;
    if (!draft->payload)
        return true;
    if (draft->payload_is_text) {
        *ret_payload = json_stringn(draft->payload, draft->payload_bytes);
    } else {
        char *text = malloc(BASE64_BYTES(draft->payload_bytes));
        if (text) {
            base64_write(draft->payload, draft->payload_bytes, text);
            *ret_payload = json_string(text);
        }
        free(text);
    }
    return *ret_payload;
}

static json_t *draft_params(const char *group, const char *id, const struct bypeer_peer_draft *draft)
{
    json_t *payload;
    bool is_binary = draft->payload && !draft->payload_is_text;
    if (!draft_payload(draft, &payload))
        return NULL;
    return json_pack("{s:s, s:s*, s:s*, s:s*, s:o*, s:s*, s:o*, s:o*}", "group", group, "id", id, "type", draft->type,
                     "attributes", draft->attributes, "payload", payload, "payload_type", is_binary ? "binary" : NULL,
                     "lifetime_s", peer_unless_zero(draft->lifetime_s), "refresh",
                     id ? NULL : json_boolean(draft->is_autorefresh));
}

int bypeer_peer_record_publish(struct bypeer *node, const char *group, const struct bypeer_peer_draft *draft,
                               char ret_id[BYPEER_PEER_GUID])
{
    if (!draft->type)
        return connection_fail(node, -EINVAL, "a record needs a type");
    return peer_call_text(node, "record.publish", draft_params(group, NULL, draft), "id", ret_id, BYPEER_PEER_GUID);
}

int bypeer_peer_record_update(struct bypeer *node, const char *group, const char *id,
                              const struct bypeer_peer_draft *draft)
{
    struct bypeer_peer_draft update = *draft;
    if (!id)
        return connection_fail(node, -EINVAL, "an update needs the record that it is of");
    update.type = NULL; /* it stays as it is */
    return peer_call(node, "record.update", draft_params(group, id, &update), NULL);
}

int bypeer_peer_record_delete(struct bypeer *node, const char *group, const char *id)
{
    return peer_call(node, "record.delete", json_pack("{s:s, s:s}", "group", group, "id", id), NULL);
}

/* --- presence --- */

static bool present_fill(void *element, json_t *object)
{
    struct bypeer_peer_present *present = element;
    *present = (struct bypeer_peer_present){
        .node = value_text(object, "node"),
        .member = value_text(object, "member"),
        .name = value_text(object, "name"),
        .attributes = value_text(object, "attributes"),
        .is_self = peer_is_true(object, "self"),
    };
    return present->member[0];
}

int bypeer_peer_enum_presence(struct bypeer_peer_presence **ret_presence, struct bypeer *node, const char *group)
{
    return peer_enumerate((void **)ret_presence, node, "presence.list", json_pack("{s:s}", "group", group), "nodes",
                          sizeof(struct bypeer_peer_present), present_fill);
}

int bypeer_peer_set_presence(struct bypeer *node, const char *group, int is_on, const char *attributes)
{
    return peer_call(node, "presence.set",
                     json_pack("{s:s, s:b, s:s*}", "group", group, "present", is_on ? 1 : 0, "attributes", attributes),
                     NULL);
}
