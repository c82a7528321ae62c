#include "tests/unit/group_net.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/group/password.h"
#include "overlay/identity/identity.h"
#include "tests/group_tls.h"

static const struct bypeer_guid application = {{0xaa, 0xbb}};

struct bypeer_graph_time net_time(const struct net *net)
{
    return (struct bypeer_graph_time){
        .ms = net->now * 1000,
        .utc = net->now * BYPEER_PEER_TIME_SECOND + BYPEER_PEER_TIME_1970,
    };
}

static uint64_t net_peer_time(uint64_t unix_s)
{
    return unix_s * BYPEER_PEER_TIME_SECOND + BYPEER_PEER_TIME_1970;
}

/* The graph, as far as groups call it. */
static void net_keep(struct bypeer_graph *graph, const struct bypeer_record *record)
{
    const struct bypeer_graph_security *security = bypeer_group_security(graph->owner->node);
    enum bypeer_record_change change = BYPEER_RECORD_ADDED;
    struct bypeer_record *copy = bypeer_record_copy(record);
    unsigned at = 0;
    while (at < graph->count && !bypeer_guid_is_equal(&graph->records[at]->id, &record->id))
        at++;
    if (at < graph->count) {
        free(graph->records[at]);
        change = bypeer_record_is_deleted(record) ? BYPEER_RECORD_REMOVED : BYPEER_RECORD_UPDATED;
    } else {
        cr_assert_lt(graph->count, NET_RECORDS);
        graph->count++;
    }
    graph->records[at] = copy;
    security->stored(security->context, net_time(graph->owner->net), change, copy);
}

struct bypeer_record *net_find(struct net_member *member, const struct bypeer_guid *id)
{
    for (unsigned at = 0; at < member->graph.count; at++)
        if (bypeer_guid_is_equal(&member->graph.records[at]->id, id))
            return member->graph.records[at];
    return NULL;
}

enum bypeer_graph_verdict net_give(struct net_member *member, const struct bypeer_record *record)
{
    const struct bypeer_graph_security *security = bypeer_group_security(member->node);
    struct bypeer_graph *graph = &member->graph;
    const char *why = "";
    const struct bypeer_record *mine = net_find(member, &record->id);
    enum bypeer_graph_verdict verdict = security->validate(security->context, net_time(member->net), record, &why);
    snprintf(member->why, sizeof(member->why), "%s", why);
    if (verdict == BYPEER_GRAPH_VALID && (!mine || bypeer_record_compare(record, mine) > 0))
        net_keep(graph, record);
    if (verdict == BYPEER_GRAPH_DEFERRED) {
        cr_assert_lt(graph->waiting_count, NET_RECORDS);
        graph->waiting[graph->waiting_count++] = bypeer_record_copy(record);
    }
    return verdict;
}

static void net_flood(struct bypeer_graph *graph, const struct bypeer_record *record)
{
    struct net *net = graph->owner->net;
    for (unsigned at = 0; at < net->count && !net->is_split; at++)
        if (net->members[at].node && &net->members[at].graph != graph)
            net_give(&net->members[at], record);
}

/* Signs, keeps and floods. */
static int net_seal(struct bypeer_graph *graph, struct bypeer_record *record)
{
    const struct bypeer_graph_security *security = bypeer_group_security(graph->owner->node);
    uint8_t bytes[512];
    size_t length = sizeof(bytes);
    int status = security->secure(security->context, net_time(graph->owner->net), record, bytes, &length);
    if (status)
        return status;
    record->security = bytes;
    record->security_bytes = length;
    net_keep(graph, record);
    net_flood(graph, record);
    record->security = NULL;
    record->security_bytes = 0;
    return 0;
}

int bypeer_graph_publish(struct bypeer_graph *graph, struct bypeer_graph_time now,
                         const struct bypeer_record_draft *draft, struct bypeer_guid *ret_id)
{
    static uint8_t counter;
    const struct net *net = graph->owner->net;
    char group[BYPEER_NAME_TEXT_MAX];
    uint8_t random[16] = {++counter};
    bypeer_name_write(&net->group, group);
    struct bypeer_record record = {
        .type = draft->type,
        .version = 1,
        .protocol = bypeer_record_protocol(net->profile),
        .creator = draft->creator ? draft->creator : graph->owner->id,
        .created = now.utc,
        .modified = now.utc,
        .expires = draft->expires,
        .graph = group,
        .attributes = draft->attributes,
        .payload = draft->payload,
        .payload_bytes = draft->payload_bytes,
    };
    if (draft->id)
        record.id = *draft->id;
    else
        bypeer_record_make_id(net->profile, record.creator, random, &record.id);
    *ret_id = record.id;
    return net_seal(graph, &record);
}

int bypeer_graph_update(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_guid *id,
                        const struct bypeer_record_draft *draft)
{
    struct bypeer_record *old = net_find(graph->owner, id);
    if (!old)
        return -ENOENT;
    struct bypeer_record *kept = bypeer_record_copy(old);
    struct bypeer_record record = *kept;
    record.version++;
    record.modifier = draft->creator ? draft->creator : graph->owner->id;
    record.modified = now.utc + 1;
    record.payload = draft->payload;
    record.payload_bytes = draft->payload_bytes;
    int status = net_seal(graph, &record);
    free(kept);
    return status;
}

void bypeer_graph_cut(struct bypeer_graph *graph, struct bypeer_graph_time now, const char *peer_id)
{
    (void)now;
    snprintf(graph->owner->cut, sizeof(graph->owner->cut), "%s", peer_id);
}

void bypeer_graph_retry(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    unsigned waiting = graph->waiting_count;
    struct bypeer_record *again[NET_RECORDS];
    (void)now;
    memcpy(again, graph->waiting, sizeof(again));
    graph->waiting_count = 0;
    for (unsigned at = 0; at < waiting; at++) {
        net_give(graph->owner, again[at]);
        free(again[at]);
    }
}

bool bypeer_graph_revalidate(struct bypeer_graph *graph, struct bypeer_graph_time now, bool is_anew)
{
    (void)is_anew;
    if (graph->owner->slices > 0) {
        graph->owner->slices--;
        return false;
    }
    const struct bypeer_graph_security *security = bypeer_group_security(graph->owner->node);
    const char *why;
    graph->owner->revalidated++;
    bypeer_graph_retry(graph, now);
    for (unsigned at = graph->count; at-- > 0;) {
        struct bypeer_record *record = graph->records[at];
        if (security->validate(security->context, now, record, &why) != BYPEER_GRAPH_INVALID)
            continue;
        graph->records[at] = graph->records[--graph->count];
        security->stored(security->context, now, BYPEER_RECORD_REMOVED, record);
        free(record);
    }
    return true;
}

uint32_t bypeer_graph_status(const struct bypeer_graph *graph)
{
    (void)graph;
    return BYPEER_GRAPH_SYNCHRONIZED;
}

void bypeer_graph_counters(const struct bypeer_graph *graph, struct bypeer_graph_counters *ret_counters)
{
    *ret_counters = (struct bypeer_graph_counters){.waiting = graph->waiting_count};
}

/* What the group says. */
static void net_on_member(void *context, enum bypeer_group_change change, const struct bypeer_group_member *member)
{
    struct net_member *owner = context;
    (void)member;
    owner->changes[change]++;
}

static void net_on_revoked(void *context, const struct bypeer_revocation *revocation, const struct bypeer_peer_name *by,
                           const struct bypeer_group_member *member)
{
    struct net_member *owner = context;
    (void)revocation;
    (void)by;
    (void)member;
    owner->revoked++;
}

static void net_on_credentials(void *context, const struct bypeer_chain *chain)
{
    struct net_member *owner = context;
    (void)chain;
    owner->renewed++;
}

static void net_on_issued(void *context, const struct bypeer_chain *chain)
{
    struct net_member *owner = context;
    (void)chain;
    owner->admitted++;
}

static void net_on_refused(void *context, const char *who, const char *why)
{
    struct net_member *owner = context;
    (void)who;
    snprintf(owner->why, sizeof(owner->why), "%s", why);
}

static void net_start(struct net_member *member, const uint8_t *chain, size_t chain_bytes, const char *password)
{
    struct net *net = member->net;
    bool is_founder = member == net->members;
    char form[BYPEER_GROUP_PASSWORD_FORM_MAX];
    if (password)
        cr_assert_eq(bypeer_password_form(net->profile, &net->group, password, form), 0);
    const struct bypeer_group_settings settings = {
        .profile = net->profile,
        .group = net->group,
        .self = member->name,
        .key = member->key,
        .chain = chain,
        .chain_bytes = chain_bytes,
        .group_key = is_founder ? net->group_key : NULL,
        .password_form = password ? form : NULL,
        .found = is_founder ? &net->properties : NULL,
        .tls = group_tls(&member->idc),
        .sink = {net_on_member, net_on_revoked, net_on_credentials, net_on_issued, NULL, net_on_refused},
        .sink_context = member,
    };
    int status = bypeer_group_open(&member->node, &settings, net_time(net), member->why);
    cr_assert_eq(status, 0, "%s", member->why);
    bypeer_group_use_graph(member->node, &member->graph);
}

struct net_member *net_add(struct net *net, const char *classifier)
{
    cr_assert_lt(net->count, NET_MEMBERS);
    struct net_member *member = &net->members[net->count++];
    struct bypeer_peer_name name = {.secure = true};
    uint8_t random[BYPEER_CERTIFICATE_SERIAL] = {1, (uint8_t)net->count};
    char why[160];
    const char *reason;
    member->net = net;
    member->graph.owner = member;
    cr_assert_eq(bypeer_key_generate(&member->key, net->profile), 0);
    cr_assert_eq(bypeer_classifier_read(&name, classifier, why), 0);
    bypeer_identity_name(&member->name, member->key, &name);
    bypeer_name_write(&member->name, member->id);
    cr_assert_eq(bypeer_identity_certify(&member->idc, member->key, &member->name, classifier, net->now - 1,
                                         net->now + 10 * NET_LIFE, random, &reason),
                 0);
    return member;
}

void net_open(struct net *net, enum bypeer_profile_id profile, const char *password)
{
    char why[160];
    *net = (struct net){.profile = bypeer_profile(profile), .now = NET_START};
    cr_assert_eq(bypeer_key_generate(&net->group_key, net->profile), 0);
    cr_assert_eq(bypeer_group_name(net->group_key, "chess", &net->group, why), 0);
    struct net_member *founder = net_add(net, "founder");
    net->properties = (struct bypeer_group_properties){
        .membership_s = NET_LIFE / 2,
        .presence_s = BYPEER_GROUP_PRESENCE_S,
        .cloud = "Global_",
        .friendly = "Chess",
        .group = net->group,
        .creator = founder->name,
    };
    if (password) {
        net->properties.has_password = true;
        net->properties.password_role = BYPEER_ROLE_MEMBER;
        cr_assert_eq(bypeer_password_form(net->profile, &net->group, password, net->properties.password), 0);
    }
    const struct bypeer_group_subject subject = {founder->name, bypeer_key_public(founder->key), "Founder"};
    struct bypeer_chain *chain;
    int status = bypeer_group_found(net->group_key, &net->group, "Chess", &subject, net->now - 3600,
                                    net->now + NET_LIFE, &chain, why);
    cr_assert_eq(status, 0, "%s", why);
    net_join(founder, chain, NULL);
    bypeer_chain_free(chain);
}

void net_close(struct net *net)
{
    for (unsigned at = 0; at < net->count; at++) {
        struct net_member *member = &net->members[at];
        bypeer_group_free(member->node);
        for (unsigned i = 0; i < member->graph.count; i++)
            free(member->graph.records[i]);
        for (unsigned i = 0; i < member->graph.waiting_count; i++)
            free(member->graph.waiting[i]);
        bypeer_certificate_free(member->idc);
        bypeer_key_free(member->key);
    }
    bypeer_key_free(net->group_key);
}

struct bypeer_chain *net_invite(struct net_member *issuer, const struct net_member *member, uint32_t roles)
{
    struct bypeer_chain *chain = NULL;
    char why[160];
    const struct bypeer_group_order order = {
        .subject = {member->name, bypeer_key_public(member->key), "Guest"},
        .roles = roles,
    };
    int status = bypeer_group_issue(issuer->node, net_time(issuer->net), &order, &chain, why);
    cr_assert_eq(status, 0, "%s", why);
    return chain;
}

void net_join(struct net_member *member, const struct bypeer_chain *chain, const char *password)
{
    size_t length = 0;
    const uint8_t *bag = chain ? bypeer_chain_bag(chain, &length) : NULL;
    net_start(member, bag, length, password);
    if (member != member->net->members && chain && !member->net->is_split)
        net_synchronise(member->net->members, member);
    if (chain)
        net_turn(member->net);
}

struct net_member *net_welcome(struct net_member *issuer, const char *classifier, uint32_t roles)
{
    struct net_member *member = net_add(issuer->net, classifier);
    struct bypeer_chain *chain = net_invite(issuer, member, roles);
    net_join(member, chain, NULL);
    bypeer_chain_free(chain);
    return member;
}

void net_restart(struct net_member *member)
{
    struct bypeer_graph old = member->graph;
    size_t length;
    const uint8_t *bag = bypeer_chain_bag(bypeer_group_chain(member->node), &length);
    uint8_t *copy = malloc(length);
    memcpy(copy, bag, length);
    bypeer_group_free(member->node);
    member->graph = (struct bypeer_graph){.owner = member};
    net_start(member, copy, length, NULL);
    free(copy);
    for (unsigned at = 0; at < old.count; at++) {
        net_give(member, old.records[at]);
        free(old.records[at]);
    }
    for (unsigned at = 0; at < old.waiting_count; at++)
        free(old.waiting[at]);
    net_turn(member->net);
}

int net_draft(struct net_member *member, const struct bypeer_record_draft *draft, struct bypeer_guid *ret_id)
{
    return bypeer_graph_publish(&member->graph, net_time(member->net), draft, ret_id);
}

int net_publish(struct net_member *member, const char *text, struct bypeer_guid *ret_id)
{
    const struct bypeer_record_draft draft = {
        .type = application,
        .payload = (const uint8_t *)text,
        .payload_bytes = strlen(text),
        .expires = net_peer_time(member->net->now + 1000),
    };
    return net_draft(member, &draft, ret_id);
}

int net_update(struct net_member *member, const struct bypeer_guid *id, const char *text)
{
    const struct bypeer_record_draft draft = {.payload = (const uint8_t *)text, .payload_bytes = strlen(text)};
    return bypeer_graph_update(&member->graph, net_time(member->net), id, &draft);
}

void net_synchronise(struct net_member *from, struct net_member *to)
{
    const struct bypeer_graph_security *security = bypeer_group_security(from->node);
    for (int pass = 1; pass >= 0; pass--)
        for (unsigned at = 0; at < from->graph.count; at++)
            if (security->first(security->context, from->graph.records[at]) == (pass == 1))
                net_give(to, from->graph.records[at]);
    net_turn(to->net);
}

void net_turn(struct net *net)
{
    for (unsigned at = 0; at < net->count; at++)
        if (net->members[at].node)
            bypeer_group_turn(net->members[at].node, net_time(net));
}

int net_connect(struct net_member *from, struct net_member *to, const struct bypeer_graph_address *address)
{
    const struct bypeer_graph_address nowhere = {.port = 1};
    struct net_member *sides[2] = {from, to};
    void *links[2];
    int status[2] = {0, 0};
    struct bypeer_buffer token = {0};
    const struct bypeer_graph_time now = net_time(from->net);
    for (unsigned at = 0; at < 2; at++) {
        const struct bypeer_graph_security *security = bypeer_group_security(sides[at]->node);
        sides[at]->why[0] = '\0';
        cr_assert_eq(security->link_open(security->context, &links[at], at == 0, NULL, BYPEER_GRAPH_NEIGHBOR,
                                         address ? address : &nowhere),
                     0);
    }
    bool is_first = true;
    for (unsigned at = 0; status[0] >= 0 && status[1] >= 0 && (is_first || token.length > 0); at = 1 - at) {
        const struct bypeer_graph_security *security = bypeer_group_security(sides[at]->node);
        struct bypeer_buffer out = {0};
        const char *why = NULL;
        status[at] = security->link_token(security->context, links[at], now, is_first ? NULL : token.bytes,
                                          token.length, &out, &why);
        if (status[at] < 0)
            cr_assert_not_null(why);
        bypeer_buffer_clear(&token);
        token = out;
        is_first = false;
    }
    bypeer_buffer_clear(&token);
    bool is_both = status[0] == 1 && status[1] == 1;
    for (unsigned at = 0; at < 2; at++) {
        const struct bypeer_graph_security *security = bypeer_group_security(sides[at]->node);
        if (is_both)
            cr_assert_str_eq(security->link_peer(security->context, links[at]), sides[1 - at]->id);
        security->link_close(security->context, links[at]);
    }
    net_turn(from->net);
    return is_both ? 1 : -EACCES;
}
