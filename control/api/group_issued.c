/*
 * group.issued: memberships that this node issued.
 */
#include <sodium.h>
#include <string.h>

#include "control/api/groups.h"

#define ISSUED_DEFAULT 1000

struct issued_list {
    struct bypeer_joined *joined;
    json_t *entries;
    size_t limit;
    int64_t last;
    bool has_more;
};

static json_t *issued_address(const struct bypeer_joined *joined, const char *text)
{
    struct bypeer_peer_name name;
    uint8_t address[16];
    char why[160];
    if (bypeer_name_read(&name, text, why) < 0)
        return json_null();
    bypeer_group_address(bypeer_joined_profile(joined), bypeer_joined_name(joined), &name, address);
    return call_address_text(address);
}

static int issued_on_entry(void *context, const struct bypeer_store_issued *issued)
{
    static const char *const states[] = {
        [BYPEER_ISSUED_INVITED] = "invited", [BYPEER_ISSUED_JOINED] = "joined", [BYPEER_ISSUED_REVOKED] = "revoked"};
    struct issued_list *list = context;
    char key[2 * BYPEER_PUBLIC_KEY_MAX + 1];
    list->has_more = json_array_size(list->entries) == list->limit;
    if (list->has_more)
        return 1;
    list->last = issued->number;
    sodium_bin2hex(key, sizeof(key), issued->key, issued->key_bytes);
    json_array_append_new(
        list->entries,
        json_pack("{s:I, s:o, s:o, s:s, s:o, s:o, s:o, s:I, s:I, s:s}", "number", (json_int_t)issued->number, "member",
                  call_peer_text(issued->name), "name", call_peer_text(issued->friendly), "key", key, "roles",
                  call_roles(issued->roles), "address", issued_address(list->joined, issued->name), "how",
                  call_peer_text(issued->how), "issued", (json_int_t)issued->issued_s, "until",
                  (json_int_t)issued->expires_s, "state", states[bypeer_joined_issued_state(list->joined, issued)]));
    return 0;
}

int method_group_issued(struct call *call)
{
    struct issued_list list = {.joined = call_group(call),
                               .limit = (size_t)call_integer(call, "limit", ISSUED_DEFAULT)};
    if (!list.joined)
        return call->problem.error;
    list.entries = json_array();
    int result =
        bypeer_joined_each_issued(list.joined, call_integer(call, "after", 0), issued_on_entry, &list, &call->problem);
    if (result < 0) {
        json_decref(list.entries);
        return result;
    }
    call->result =
        json_pack("{s:o, s:o}", "issued", list.entries, "next", list.has_more ? json_integer(list.last) : json_null());
    return 0;
}
