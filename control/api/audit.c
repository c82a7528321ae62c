/*
 * audit.list: who did what in which group.
 */
#include <errno.h>
#include <string.h>

#include "control/api/groups.h"

#define AUDIT_DEFAULT 100

struct audit_list {
    json_t *entries;
    const char *group; /* peer name; NULL: all */
    size_t limit;
    int64_t last;
};

static int audit_on_entry(void *context, const struct bypeer_store_audit *entry)
{
    struct audit_list *list = context;
    if (json_array_size(list->entries) == list->limit)
        return 1;
    list->last = entry->number;
    if (list->group && strcmp(list->group, entry->group) != 0)
        return 0;
    json_array_append_new(list->entries,
                          json_pack("{s:I, s:I, s:o, s:s, s:o, s:o, s:o}", "number", (json_int_t)entry->number, "time",
                                    (json_int_t)entry->time_s, "group", call_peer_text(entry->group), "action",
                                    entry->action, "who", call_peer_text(entry->who), "whom",
                                    call_peer_text(entry->whom), "text", call_peer_text(entry->text)));
    return 0;
}

int method_audit_list(struct call *call)
{
    struct bypeer_store *store = call->node->store;
    struct audit_list list = {.limit = (size_t)call_integer(call, "limit", AUDIT_DEFAULT)};
    int64_t after = call_integer(call, "after", 0);
    int result = 0;
    list.group = call_string(call, "group");
    if (list.group) { /* one that this node has left goes by its peer name */
        const struct bypeer_joined *joined =
            call->node->groups ? bypeer_groups_find(call->node->groups, list.group, NULL) : NULL;
        list.group = joined ? bypeer_joined_name_text(joined) : list.group;
    }
    if (!json_is_integer(json_object_get(call->parameters, "after")) && !list.group)
        result = bypeer_store_audit_tail(store, (unsigned)list.limit, &after, &call->problem);
    if (result < 0)
        return result;
    list.entries = json_array();
    list.last = after;
    result = bypeer_store_each_audit(store, after, audit_on_entry, &list, &call->problem);
    if (result < 0) {
        json_decref(list.entries);
        return result;
    }
    call->result = json_pack("{s:o, s:I}", "entries", list.entries, "next", (json_int_t)list.last);
    return 0;
}
