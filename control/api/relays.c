/*
 * Methods of relay links that change them. relays.load takes up to 50,000 members and pairs a call: a million come in
 * by it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/wireguard_key.h"
#include "control/api/call.h"
#include "control/model/ids.h"
#include "control/relay/relays.h"

/* What a call names, with the bytes that its entries point to. */
struct relays_request {
    struct bypeer_relay_joining joining;
    struct bypeer_relay_entry *entries;
    struct relays_given {
        uint8_t public_key[32];
        uint8_t address[16];
    } * given; /* of each entry */
    size_t room;
    uint32_t (*pairs)[2];
};

static int relays_begin(struct call *call, struct relays_request *request, size_t entries, size_t pairs)
{
    const json_t *lifetime = json_object_get(call->parameters, "lifetime_s");
    *request = (struct relays_request){
        .joining = {.group = call_string(call, "group"), .ipv4 = call_boolean(call, "ipv4")}, .room = entries};
    if (json_is_integer(lifetime)) {
        request->joining.has_expiry = true;
        if (json_integer_value(lifetime) > 0)
            request->joining.expires_s = (uint64_t)time(NULL) + (uint64_t)json_integer_value(lifetime);
    }
    request->entries = calloc(entries + 1, sizeof(*request->entries));
    request->given = calloc(entries + 1, sizeof(*request->given));
    request->pairs = calloc(pairs + 1, sizeof(*request->pairs));
    if (request->entries && request->given && request->pairs)
        return 0;
    return bypeer_problem_no_memory(&call->problem);
}

static void relays_end(struct relays_request *request)
{
    free(request->entries);
    free(request->given);
    free(request->pairs);
}

static int relays_add_entry(struct call *call, struct relays_request *request, const char *name, const char *public_key,
                            const char *address)
{
    size_t at = request->joining.entry_count;
    struct bypeer_relay_entry *entry = &request->entries[at];
    struct relays_given *given = &request->given[at];
    if (!name)
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                  "parameter \"members\"\nnumber %zu is neither a name nor an object with one\n"
                                  "see bypeer-api(7), %s",
                                  at, call->method->name);
    entry->name = name;
    if (public_key) {
        if (!bypeer_wireguard_key_read(public_key, given->public_key))
            return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_key",
                                      "public key of \"%.64s\"\nis no WireGuard key\n"
                                      "write 44 characters of base64, as wg pubkey prints them",
                                      name);
        entry->public_key = given->public_key;
    }
    if (address) {
        int result = call_overlay_address(call, "address", address, given->address);
        if (result < 0)
            return result;
        entry->address = given->address;
    }
    request->joining.entry_count++;
    return 0;
}

/* Members of a list: names, or objects of name, public_key and address. */
static int relays_take_members(struct call *call, struct relays_request *request)
{
    size_t at;
    json_t *value;
    int result = 0;
    json_array_foreach (json_object_get(call->parameters, "members"), at, value) {
        const char *name = json_string_value(json_is_object(value) ? json_object_get(value, "name") : value);
        result = relays_add_entry(call, request, name, json_string_value(json_object_get(value, "public_key")),
                                  json_string_value(json_object_get(value, "address")));
        if (result < 0)
            break;
    }
    return result;
}

static int relays_join(struct call *call, struct relays_request *request)
{
    struct bypeer_relay_joined joined;
    request->joining.entries = request->entries;
    int result = bypeer_relays_join(call->node->relays, &request->joining, &joined, &call->problem);
    if (result == 0)
        call->result = json_pack("{s:I, s:I, s:I}", "members", (json_int_t)joined.members, "pairs",
                                 (json_int_t)joined.pairs, "serial", (json_int_t)joined.serial);
    return result;
}

/* All that the one who joins is to be a pair with: those named, or else all of his group. */
static int relays_take_partners(struct call *call, struct relays_request *request)
{
    const struct bypeer_relays *relays = call->node->relays;
    const json_t *with = json_object_get(call->parameters, "with");
    const char *name = request->entries[0].name, *group = request->joining.group;
    const struct bypeer_relay_member *there = bypeer_relays_find_member(relays, name);
    size_t at;
    json_t *value;
    int result = 0;
    json_array_foreach (with, at, value) {
        result = relays_add_entry(call, request, json_string_value(value), NULL, NULL);
        if (result < 0)
            return result;
    }
    if (!group && there)
        group = there->group;
    for (const struct bypeer_relay_member *member = with || !group ? NULL : bypeer_relays_next_member(relays, 0);
         member; member = bypeer_relays_next_member(relays, member->id))
        if (member != there && strcmp(member->group, group) == 0 &&
            (result = relays_add_entry(call, request, member->name, NULL, NULL)) < 0)
            return result;
    for (uint32_t entry = 1; entry < request->joining.entry_count; entry++) {
        request->pairs[entry - 1][0] = 0;
        request->pairs[entry - 1][1] = entry;
    }
    request->joining.pairs = (const uint32_t(*)[2])request->pairs;
    request->joining.pair_count = request->joining.entry_count - 1;
    return 0;
}

int method_relays_add(struct call *call)
{
    struct relays_request request;
    size_t partners = json_array_size(json_object_get(call->parameters, "with"));
    size_t others = bypeer_relays_count_members(call->node->relays);
    size_t room = 1 + (partners > others ? partners : others);
    int result = relays_begin(call, &request, room, room);
    if (result == 0)
        result = relays_add_entry(call, &request, call_string(call, "name"), call_string(call, "public_key"),
                                  call_string(call, "address"));
    if (result == 0)
        result = relays_take_partners(call, &request);
    if (result == 0)
        result = relays_join(call, &request);
    relays_end(&request);
    return result;
}

int method_relays_mesh(struct call *call)
{
    struct relays_request request;
    int result = relays_begin(call, &request, json_array_size(json_object_get(call->parameters, "members")), 0);
    if (result == 0)
        result = relays_take_members(call, &request);
    if (result == 0)
        result = relays_join(call, &request);
    relays_end(&request);
    return result;
}

/* The entry of a name in a pair, one more if it is none of "members". */
static int relays_take_end(struct call *call, struct relays_request *request, struct bypeer_ids *names, size_t at,
                           const char *name, uint32_t *ret_entry)
{
    if (!name)
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                  "parameter \"pairs\"\nnumber %zu is no array of two names\nsee bypeer-api(7), %s", at,
                                  call->method->name);
    uint32_t found = bypeer_ids_find(names, name);
    if (found == 0) {
        int result = relays_add_entry(call, request, name, NULL, NULL);
        found = (uint32_t)request->joining.entry_count;
        if (result == 0 && bypeer_ids_add(names, name, found) < 0)
            result = bypeer_problem_no_memory(&call->problem);
        if (result < 0)
            return result;
    }
    *ret_entry = found - 1;
    return 0;
}

static int relays_take_pairs(struct call *call, struct relays_request *request)
{
    struct bypeer_ids names = {0};
    size_t at;
    json_t *value;
    int result = 0;
    for (uint32_t entry = 0; entry < request->joining.entry_count && result == 0; entry++)
        if (bypeer_ids_find(&names, request->entries[entry].name) == 0 &&
            bypeer_ids_add(&names, request->entries[entry].name, entry + 1) < 0)
            result = bypeer_problem_no_memory(&call->problem);
    json_array_foreach (json_object_get(call->parameters, "pairs"), at, value) {
        for (unsigned side = 0; side < 2 && result == 0; side++)
            result = relays_take_end(call, request, &names, at, json_string_value(json_array_get(value, side)),
                                     &request->pairs[at][side]);
    }
    bypeer_ids_free(&names);
    request->joining.pairs = (const uint32_t(*)[2])request->pairs;
    request->joining.pair_count = json_array_size(json_object_get(call->parameters, "pairs"));
    return result;
}

int method_relays_load(struct call *call)
{
    struct relays_request request;
    size_t members = json_array_size(json_object_get(call->parameters, "members"));
    size_t pairs = json_array_size(json_object_get(call->parameters, "pairs"));
    int result = relays_begin(call, &request, members + 2 * pairs, pairs);
    if (result == 0)
        result = relays_take_members(call, &request);
    if (result == 0)
        result = relays_take_pairs(call, &request);
    if (result == 0)
        result = relays_join(call, &request);
    relays_end(&request);
    return result;
}

int method_relays_remove(struct call *call)
{
    size_t pairs;
    int result = bypeer_relays_remove(call->node->relays, call_string(call, "name"), call_string(call, "with"), &pairs,
                                      &call->problem);
    return result < 0 ? result : call_number(call, "removed", pairs);
}
