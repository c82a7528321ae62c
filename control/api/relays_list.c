/*
 * Methods of relay links that tell what there is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "config/wireguard_key.h"
#include "control/api/call.h"
#include "control/dataplane/channel.h"
#include "control/relay/relays.h"
#include "overlay/relay/rules.h"

#define LIST_DEFAULT 1000

/* One page looks at no more pairs than this, whatever its filter leaves. */
#define LIST_PAIRS_MAX 200000

/* What the member of that side sends to. */
static json_t *relays_endpoint_text(const struct call *call, const struct bypeer_relay_pair *pair, unsigned side)
{
    struct bypeer_pnrp_endpoint endpoint = {.port = call->node->config->relay.port};
    const uint8_t *ipv4 = bypeer_relays_ipv4(call->node->relays);
    if (pair->ports[side] != 0)
        return json_sprintf("%u.%u.%u.%u:%u", ipv4[0], ipv4[1], ipv4[2], ipv4[3], pair->ports[side]);
    memcpy(endpoint.address, pair->addresses[side], 16);
    return call_endpoint_text(&endpoint);
}

static json_t *relays_key_text(const uint8_t public_key[static 32])
{
    char text[BYPEER_WIREGUARD_KEY_TEXT];
    bypeer_wireguard_key_write(public_key, text);
    return json_string(text);
}

int method_relays_show(struct call *call)
{
    const struct bypeer_config *config = call->node->config;
    const struct bypeer_relays *relays = call->node->relays;
    call->result =
        json_pack("{s:o, s:i, s:b, s:o, s:I, s:I, s:I}", "prefix",
                  config->relay.bits ? call_prefix_text(config->relay.prefix, config->relay.bits) : json_null(), "port",
                  config->relay.port, "on_link", config->relay.on_link, "ipv4_ports",
                  config->relay.ipv4_ports[0] ? json_string(config->relay.ipv4_ports) : json_null(), "members",
                  (json_int_t)bypeer_relays_count_members(relays), "pairs",
                  (json_int_t)bypeer_relays_count_pairs(relays), "pairs_max", (json_int_t)BYPEER_RELAY_PAIRS_MAX);
    return 0;
}

int method_relays_members(struct call *call)
{
    const struct bypeer_relays *relays = call->node->relays;
    const char *group = call_string(call, "group");
    json_int_t left = call_integer(call, "limit", LIST_DEFAULT);
    uint32_t last = (uint32_t)call_integer(call, "after", 0);
    const struct bypeer_relay_member *member;
    json_t *list = json_array();
    while ((member = bypeer_relays_next_member(relays, last)) != NULL && left > 0) {
        last = member->id;
        if (group && strcmp(group, member->group) != 0)
            continue;
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:I}", "name", member->name, "group", member->group,
                                              "public_key", relays_key_text(member->public_key), "address",
                                              call_address_text(member->address), "pairs", (json_int_t)member->pairs));
        left--;
    }
    call->result = json_pack("{s:o}", "members", list);
    if (member)
        json_object_set_new(call->result, "next", json_integer(last));
    return 0;
}

/* What workers keep of one member of a pair; zeros if they keep nothing. */
struct relays_known {
    const struct bypeer_relay_state *state;
    const struct bypeer_relay_claims *claims;
};

static struct relays_known relays_know(const struct call *call, const struct bypeer_relay_pair *pair, unsigned side)
{
    static const struct bypeer_relay_state no_state;
    static const struct bypeer_relay_claims no_claims;
    const struct bypeer_node *node = call->node;
    const struct bypeer_sessions_view *view = node->channel ? bypeer_channel_sessions(node->channel) : NULL;
    uint32_t number = bypeer_relay_end_number(pair, side);
    if (view && view->relays && number < view->size.relays &&
        __atomic_load_n(&view->claims[number].serial, __ATOMIC_RELAXED) == pair->serial)
        return (struct relays_known){&view->relays[number], &view->claims[number]};
    return (struct relays_known){&no_state, &no_claims};
}

static json_t *relays_place_text(const struct bypeer_relay_place *place)
{
    uint8_t address[16];
    memcpy(address, place->address, 16);
    json_t *text = call_address_text(address);
    json_t *whole = json_sprintf(strchr(json_string_value(text), ':') ? "[%s]:%u" : "%s:%u", json_string_value(text),
                                 bypeer_relay_port(place));
    json_decref(text);
    return whole;
}

/* When he was last heard, in seconds of the epoch. */
static json_int_t relays_heard(const struct bypeer_relay_state *state, time_t now, uint32_t now_s)
{
    uint32_t heard_s = __atomic_load_n(&state->heard_s, __ATOMIC_RELAXED);
    return heard_s == 0 ? 0 : (json_int_t)now - (json_int_t)(now_s > heard_s ? now_s - heard_s : 0);
}

/* One member of a pair, and what workers know of him. What he was sent is what his partner sent. */
static json_t *relays_describe_end(const struct call *call, const struct bypeer_relay_pair *pair, unsigned side)
{
    const struct bypeer_relay_member *member = bypeer_relays_member(call->node->relays, pair->members[side]);
    const struct relays_known own = relays_know(call, pair, side), partner = relays_know(call, pair, 1 - side);
    const uint32_t now_s = (uint32_t)(uv_hrtime() / 1000000000u);
    struct bypeer_relay_place place;
    uint64_t seal;
    bool has_place = bypeer_relay_load(&own.state->endpoint, pair->serial, &place, &seal);
    bool is_confirmed = has_place && bypeer_relay_is_confirmed(own.state, pair->serial, now_s);
    return json_pack("{s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:I}", "name", member->name, "address",
                     pair->ports[side] ? relays_endpoint_text(call, pair, side)
                                       : call_address_text(pair->addresses[side]),
                     "endpoint", has_place ? relays_place_text(&place) : json_null(), "state",
                     is_confirmed ? "confirmed"
                     : has_place  ? "unconfirmed"
                                  : "unknown",
                     "last_received", relays_heard(own.state, time(NULL), now_s), "received_packets",
                     (json_int_t)bypeer_relay_packets(own.state, own.claims), "received_bytes",
                     (json_int_t)__atomic_load_n(&own.state->bytes, __ATOMIC_RELAXED), "sent_packets",
                     (json_int_t)bypeer_relay_packets(partner.state, partner.claims), "sent_bytes",
                     (json_int_t)__atomic_load_n(&partner.state->bytes, __ATOMIC_RELAXED));
}

static json_t *relays_describe_pair(const struct call *call, const struct bypeer_relay_pair *pair)
{
    const struct bypeer_relay_member *member = bypeer_relays_member(call->node->relays, pair->members[0]);
    return json_pack("{s:I, s:I, s:s, s:b, s:I, s:[o, o]}", "number", (json_int_t)pair->number, "serial",
                     (json_int_t)pair->serial, "group", member->group, "live", pair->live, "expires",
                     (json_int_t)pair->expires_s, "ends", relays_describe_end(call, pair, 0),
                     relays_describe_end(call, pair, 1));
}

static int relays_no_member(struct call *call, const char *name)
{
    return bypeer_problem_set(&call->problem, -ENOENT, "no_such_member",
                              "relay member \"%.64s\"\ndoes not exist\nlist them with: bypeer relay members", name);
}

/* A member's pairs, all at once: he has no more than he has partners. */
static int relays_list_member(struct call *call, const char *name)
{
    const struct bypeer_relays *relays = call->node->relays;
    const struct bypeer_relay_member *member = bypeer_relays_find_member(relays, name);
    unsigned side;
    if (!member)
        return relays_no_member(call, name);
    json_t *list = json_array();
    for (const struct bypeer_relay_pair *pair = bypeer_relays_next_of_member(relays, member, NULL, &side); pair;
         pair = bypeer_relays_next_of_member(relays, member, pair, &side))
        json_array_append_new(list, relays_describe_pair(call, pair));
    call->result = json_pack("{s:o}", "pairs", list);
    return 0;
}

int method_relays_list(struct call *call)
{
    const struct bypeer_relays *relays = call->node->relays;
    const char *group = call_string(call, "group"), *name = call_string(call, "member");
    json_int_t left = call_integer(call, "limit", LIST_DEFAULT);
    uint32_t last = (uint32_t)call_integer(call, "after", 0);
    const struct bypeer_relay_pair *pair;
    if (name)
        return relays_list_member(call, name);
    json_t *list = json_array();
    for (unsigned seen = 0; (pair = bypeer_relays_next_pair(relays, last)) != NULL && left > 0 && seen < LIST_PAIRS_MAX;
         seen++) {
        last = pair->number;
        if (group && strcmp(group, bypeer_relays_member(relays, pair->members[0])->group) != 0)
            continue;
        json_array_append_new(list, relays_describe_pair(call, pair));
        left--;
    }
    call->result = json_pack("{s:o}", "pairs", list);
    if (pair)
        json_object_set_new(call->result, "next", json_integer(last));
    return 0;
}

/* --- what a member's file says --- */

static int relays_compare_serials(const void *one, const void *other)
{
    const struct bypeer_relay_pair *const *first = one, *const *second = other;
    return ((*first)->serial > (*second)->serial) - ((*first)->serial < (*second)->serial);
}

int method_relays_config(struct call *call)
{
    const struct bypeer_relays *relays = call->node->relays;
    const struct bypeer_relay_member *member = bypeer_relays_find_member(relays, call_string(call, "name"));
    unsigned side;
    size_t count = 0;
    if (!member)
        return relays_no_member(call, call_string(call, "name"));
    const struct bypeer_relay_pair **pairs = calloc(member->pairs + 1u, sizeof(const struct bypeer_relay_pair *));
    if (!pairs)
        return bypeer_problem_no_memory(&call->problem);
    for (const struct bypeer_relay_pair *pair = bypeer_relays_next_of_member(relays, member, NULL, &side); pair;
         pair = bypeer_relays_next_of_member(relays, member, pair, &side))
        pairs[count++] = pair;
    qsort(pairs, count, sizeof(const struct bypeer_relay_pair *), relays_compare_serials);
    json_t *peers = json_array();
    for (size_t at = 0; at < count; at++) {
        side = pairs[at]->members[1] == member->id;
        const struct bypeer_relay_member *partner = bypeer_relays_member(relays, pairs[at]->members[1 - side]);
        json_array_append_new(
            peers, json_pack("{s:s, s:o, s:o, s:o, s:I, s:I}", "name", partner->name, "public_key",
                             relays_key_text(partner->public_key), "address", call_address_text(partner->address),
                             "endpoint", relays_endpoint_text(call, pairs[at], side), "serial",
                             (json_int_t)pairs[at]->serial, "expires", (json_int_t)pairs[at]->expires_s));
    }
    free(pairs);
    call->result =
        json_pack("{s:s, s:s, s:b, s:s, s:o, s:o, s:o}", "name", member->name, "group", member->group, "of_peer",
                  member->of_peer, "node", call->node->config->node.name, "public_key",
                  relays_key_text(member->public_key), "address", call_address_text(member->address), "peers", peers);
    return 0;
}
