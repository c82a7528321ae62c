/*
 * One group on this node: its graph and its security provider, and what their sinks say.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "control/groups/state.h"
#include "control/identity/identities.h"
#include "overlay/identity/identity.h"
#include "overlay/profile/openssl.h"

#define TURNS_MAX         8 /* of what one change makes change, within a turn of the loop */
#define JOINED_LINKS      (64 + 2 * BYPEER_DIRECT_LINKS)
#define JOINED_RECORD_MAX (2u << 20) /* bytes of payload and attributes; several fit the queue of a stream */

/* --- what the graph says --- */

static bool joined_on_send(void *context, uint32_t link, const uint8_t *bytes, size_t length)
{
    struct bypeer_joined *joined = context;
    return bypeer_streams_send(joined->groups->streams, joined, link, bytes, length);
}

static void joined_on_connect(void *context, uint32_t link, const struct bypeer_graph_address *to)
{
    struct bypeer_joined *joined = context;
    bypeer_streams_connect(joined->groups->streams, joined, link, to->address, to->port);
}

static void joined_on_close(void *context, uint32_t link)
{
    struct bypeer_joined *joined = context;
    bypeer_streams_end(joined->groups->streams, joined, link);
}

/* Those are made anew whenever the node is. */
static bool joined_is_fleeting(const struct bypeer_guid *type)
{
    return bypeer_guid_is_equal(type, &BYPEER_RECORD_PRESENCE) || bypeer_guid_is_equal(type, &BYPEER_RECORD_CONTACT) ||
           bypeer_guid_is_equal(type, &BYPEER_RECORD_SIGNATURE);
}

static void joined_on_record(void *context, enum bypeer_record_change change, const struct bypeer_record *record)
{
    struct bypeer_joined *joined = context;
    joined->is_touched = joined->is_changed = true;
    if (joined->is_restoring)
        return;
    if (!joined_is_fleeting(&record->type))
        joined_set_dirty(joined, &record->id);
    joined_add_event(joined, change, record);
}

static void joined_on_link(void *context, const struct bypeer_graph_link_event *event)
{
    struct bypeer_joined *joined = context;
    joined->is_touched = joined->is_changed = true;
    if (event->change == BYPEER_GRAPH_LINK_CONNECTED)
        bypeer_streams_trust(joined->groups->streams, joined, event->link);
    joined_seek_linked(joined, event);
    joined_direct_linked(joined, event);
}

static void joined_on_data(void *context, uint32_t link, const struct bypeer_guid *type, const uint8_t *bytes,
                           size_t length)
{
    joined_direct_data(context, link, type, bytes, length);
}

static void joined_on_status(void *context, uint32_t flags)
{
    struct bypeer_joined *joined = context;
    joined->is_touched = joined->is_changed = true;
    if ((flags & BYPEER_GRAPH_SYNCHRONIZED) && !joined->is_synchronised)
        joined->is_synchronised = joined->is_stale = true;
}

static void joined_on_connection_required(void *context)
{
    struct bypeer_joined *joined = context;
    joined->seek.is_wanted = joined->is_touched = true;
}

static void joined_on_record_refused(void *context, const struct bypeer_record *record, uint32_t link, const char *why)
{
    struct bypeer_joined *joined = context;
    struct bypeer_graph_link_event from;
    bool is_linked = link > 0 && bypeer_graph_next_link(joined->graph, link - 1, &from) && from.link == link;
    /* Of no link: it was taken, and counts no more. */
    joined_audit_refusal(joined, link == 0 || is_linked, is_linked ? from.peer_id : NULL, record ? record->creator : "",
                         why, bypeer_groups_now().ms);
}

static const struct bypeer_graph_sink joined_graph_sink = {
    .send = joined_on_send,
    .connect = joined_on_connect,
    .close = joined_on_close,
    .record = joined_on_record,
    .link = joined_on_link,
    .data = joined_on_data,
    .status = joined_on_status,
    .connection_required = joined_on_connection_required,
    .refused = joined_on_record_refused,
};

/* --- what the security provider says --- */

static void joined_on_member(void *context, enum bypeer_group_change change, const struct bypeer_group_member *member)
{
    static const char *const actions[] = {
        [BYPEER_GROUP_JOINED] = "member",
        [BYPEER_GROUP_RENEWED] = "renewed",
        [BYPEER_GROUP_EXPIRED] = "expired",
    };
    struct bypeer_joined *joined = context;
    char whom[BYPEER_NAME_TEXT_MAX];
    joined->is_touched = joined->is_changed = true;
    const char *action = change < sizeof(actions) / sizeof(actions[0]) ? actions[change] : NULL;
    if (!action || joined->is_restoring)
        return;
    bypeer_name_write(&member->name, whom);
    bypeer_groups_audit(joined->groups, joined->name_text, action, NULL, whom, member->friendly);
}

static void joined_on_revoked(void *context, const struct bypeer_revocation *revocation,
                              const struct bypeer_peer_name *by, const struct bypeer_group_member *member)
{
    struct bypeer_joined *joined = context;
    char who[BYPEER_NAME_TEXT_MAX], whom[BYPEER_NAME_TEXT_MAX] = "";
    joined->is_touched = joined->is_changed = true;
    if (joined->is_restoring)
        return;
    bypeer_name_write(by, who);
    if (member)
        bypeer_name_write(&member->name, whom);
    bypeer_groups_audit(joined->groups, joined->name_text, "revoked", who, whom, revocation->reason);
}

static int joined_keep_chain(struct bypeer_joined *joined, const struct bypeer_chain *chain)
{
    size_t length;
    const uint8_t *bag = bypeer_chain_bag(chain, &length);
    uint8_t *copy = malloc(length);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, bag, length);
    free(joined->chain);
    joined->chain = copy;
    joined->chain_bytes = length;
    return 0;
}

static void joined_on_credentials(void *context, const struct bypeer_chain *chain)
{
    struct bypeer_joined *joined = context;
    char text[64];
    joined->is_touched = joined->is_changed = true;
    if (joined_keep_chain(joined, chain) < 0) {
        bypeer_log(BYPEER_LOG_ERROR, "group %s: no memory for the new membership", joined->friendly);
        return;
    }
    joined->is_renewed = joined->is_stored = joined->is_stale = true;
    snprintf(text, sizeof(text), "until %llu", (unsigned long long)bypeer_chain_not_after(chain));
    bypeer_groups_audit(joined->groups, joined->name_text, "credentials", NULL, joined->self_text, text);
}

static void joined_on_issued(void *context, const struct bypeer_chain *chain)
{
    struct bypeer_joined *joined = context;
    char whom[BYPEER_NAME_TEXT_MAX];
    bypeer_name_write(&bypeer_chain_leaf(chain)->subject, whom);
    if (joined_note_issued(joined, chain, "password") < 0)
        bypeer_log(BYPEER_LOG_ERROR, "group %s: no memory to note that %.60s has joined by password", joined->friendly,
                   whom);
    bypeer_groups_audit(joined->groups, joined->name_text, "issued", joined->self_text, whom, "by password");
}

static void joined_on_properties(void *context, const struct bypeer_group_properties *properties)
{
    struct bypeer_joined *joined = context;
    joined->is_changed = true;
    if (properties->friendly[0] == '\0' || strcmp(properties->friendly, joined->friendly) == 0)
        return;
    snprintf(joined->friendly, sizeof(joined->friendly), "%s", properties->friendly);
    joined->is_stale = true;
}

static void joined_on_link_refused(void *context, const char *who, const char *why)
{
    joined_audit_refusal(context, false, NULL, who, why, bypeer_groups_now().ms);
}

static const struct bypeer_group_sink joined_group_sink = {
    .member = joined_on_member,
    .revoked = joined_on_revoked,
    .credentials = joined_on_credentials,
    .issued = joined_on_issued,
    .properties = joined_on_properties,
    .refused = joined_on_link_refused,
};

/* --- the turn --- */

/* The addresses where others reach this node are what they are now. */
static void joined_listen(struct bypeer_joined *joined, struct bypeer_graph_time now)
{
    struct bypeer_graph_address addresses[BYPEER_STORE_SEEDS];
    unsigned count = bypeer_groups_addresses(joined->groups, joined->profile, addresses);
    if (count == joined->listening_count && memcmp(addresses, joined->listening, count * sizeof(*addresses)) == 0)
        return;
    if (bypeer_graph_listen(joined->graph, now, addresses, count) < 0)
        return;
    memcpy(joined->listening, addresses, count * sizeof(*addresses));
    joined->listening_count = count;
    joined->is_touched = joined->is_changed = true;
}

void joined_turn(struct bypeer_joined *joined, struct bypeer_graph_time now)
{
    for (unsigned turn = 0; turn < TURNS_MAX && joined->is_touched; turn++) {
        joined->is_touched = false;
        bypeer_group_turn(joined->group, now);
        joined_listen(joined, now);
    }
    joined_seek_turn(joined, now);
    joined_direct_turn(joined, now);
    joined_register(joined);
}

/* --- opening --- */

/* The key of the identity that a membership (NULL: none yet) is for: perhaps the one before its replacement, which is
 * valid for a while yet. */
static const struct bypeer_key *joined_key_for(const struct bypeer_identity *identity, const uint8_t *bag,
                                               size_t length)
{
    struct bypeer_chain *chain;
    if (!identity->old_key || !bag || bypeer_chain_read(&chain, identity->profile, bag, length, NULL) < 0)
        return identity->key;
    bool is_old = memcmp(bypeer_chain_leaf(chain)->public_key, bypeer_key_public(identity->old_key),
                         identity->profile->public_key_bytes) == 0;
    bypeer_chain_free(chain);
    return is_old ? identity->old_key : identity->key;
}

static int joined_fill(struct bypeer_joined *joined, const struct bypeer_store_joined *row,
                       const struct bypeer_identity *identity, struct bypeer_problem *problem)
{
    char why[160];
    if (bypeer_name_read(&joined->name, row->name, why) < 0)
        return bypeer_problem_set(problem, -EINVAL, "bad_name", "group %.100s\n%s\nleave it and join again", row->name,
                                  why);
    joined->profile = identity->profile;
    joined->self = identity->name;
    snprintf(joined->name_text, sizeof(joined->name_text), "%s", row->name);
    snprintf(joined->self_text, sizeof(joined->self_text), "%s", identity->name_text);
    snprintf(joined->friendly, sizeof(joined->friendly), "%s", row->friendly);
    snprintf(joined->self_friendly, sizeof(joined->self_friendly), "%s", identity->friendly);
    memcpy(joined->seeds, row->seeds, sizeof(joined->seeds));
    joined->seed_count = row->seed_count;
    joined->time_delta = row->time_delta;
    joined->is_synchronised = row->synchronised;
    joined->chain = row->chain ? malloc(row->chain_bytes) : NULL;
    if (row->chain && !joined->chain)
        return bypeer_problem_no_memory(problem);
    if (row->chain) {
        memcpy(joined->chain, row->chain, row->chain_bytes);
        joined->chain_bytes = row->chain_bytes;
    }
    return 0;
}

/* The identity's certificate is for its key now; that of the old one is made again. */
static int joined_certify(const struct bypeer_identity *identity, const struct bypeer_key *key,
                          struct bypeer_certificate **ret_idc)
{
    uint8_t random[BYPEER_CERTIFICATE_SERIAL];
    const char *why;
    if (key == identity->key) {
        *ret_idc = bypeer_certificate_reference(identity->idc);
        return 0;
    }
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -EIO;
    return bypeer_identity_certify(ret_idc, key, &identity->name, identity->friendly, identity->created,
                                   identity->old_until, random, &why);
}

/* An own copy of the key that a membership is for, and the TLS that shows it. */
static int joined_take_key(const struct bypeer_identity *identity, const uint8_t *bag, size_t bag_bytes,
                           struct bypeer_key **ret_key, struct bypeer_tls **ret_tls, struct bypeer_problem *problem)
{
    const struct bypeer_key *key = joined_key_for(identity, bag, bag_bytes);
    struct bypeer_certificate *idc = NULL;
    struct bypeer_key *copy = NULL;
    size_t length;
    int result = joined_certify(identity, key, &idc);
    if (result == 0)
        result = bypeer_key_from_pair(&copy, identity->profile, bypeer_key_pair(key));
    if (result == 0) {
        const uint8_t *der = bypeer_certificate_der(idc, &length);
        result = bypeer_tls_open(ret_tls, copy, der, length);
    }
    bypeer_certificate_free(idc);
    if (result < 0) {
        bypeer_key_free(copy);
        return bypeer_problem_set(problem, result, "tls",
                                  "identity %.100s\ncannot be used for TLS: %s\nuse another identity",
                                  identity->name_text, strerror(-result));
    }
    *ret_key = copy;
    return 0;
}

static int joined_open_group(struct bypeer_joined *joined, const char *password_form,
                             const struct bypeer_group_properties *found, struct bypeer_graph_time now,
                             struct bypeer_problem *problem)
{
    char why[160] = "";
    const struct bypeer_group_settings settings = {
        .profile = joined->profile,
        .group = joined->name,
        .self = joined->self,
        .key = joined->key,
        .chain = joined->chain,
        .chain_bytes = joined->chain_bytes,
        .group_key = joined->group_key,
        .password_form = password_form,
        .found = found,
        .tls = bypeer_tls_functions(joined->tls),
        .sink = joined_group_sink,
        .sink_context = joined,
    };
    int result = bypeer_group_open(&joined->group, &settings, now, why);
    return result < 0 ? bypeer_problem_set(problem, result, "not_a_member",
                                           "group %.60s\n%s\nask for another invitation", joined->friendly, why)
                      : 0;
}

static void joined_describe(const struct bypeer_joined *joined, const struct bypeer_group_properties *found,
                            struct bypeer_graph_info *ret_info)
{
    ret_info->presence_max = UINT32_MAX;
    ret_info->presence_s = BYPEER_GROUP_PRESENCE_S;
    ret_info->record_max = JOINED_RECORD_MAX;
    snprintf(ret_info->friendly_name, sizeof(ret_info->friendly_name), "%s", joined->friendly);
    if (found)
        snprintf(ret_info->comment, sizeof(ret_info->comment), "%s", found->comment);
}

static int joined_open_graph(struct bypeer_joined *joined, const struct bypeer_group_properties *found,
                             struct bypeer_graph_time now, struct bypeer_problem *problem)
{
    /* Who is who comes before what they say. */
    const struct bypeer_guid precedence[] = {BYPEER_RECORD_REVOCATION, BYPEER_RECORD_SECURITY,
                                             BYPEER_RECORD_MEMBERSHIP};
    struct bypeer_graph_settings *settings = calloc(1, sizeof(*settings));
    if (!settings)
        return bypeer_problem_no_memory(problem);
    *settings = (struct bypeer_graph_settings){
        .profile = joined->profile,
        .graph_id = joined->name_text,
        .peer_id = joined->self_text,
        .friendly_name = joined->self_friendly,
        .scope = BYPEER_GRAPH_GLOBAL,
        .sink = joined_graph_sink,
        .sink_context = joined,
        .security = bypeer_group_security(joined->group),
        .is_creator = joined->group_key != NULL,
        .has_direct = true,
        .limits = {.links = JOINED_LINKS},
        .precedence = precedence,
        .precedence_count = sizeof(precedence) / sizeof(precedence[0]),
        .peer_time_delta = joined->time_delta,
        .was_synchronised = joined->is_synchronised,
    };
    joined_describe(joined, found, &settings->info);
    int result = getrandom(settings->seed, sizeof(settings->seed), 0) == (ssize_t)sizeof(settings->seed) ? 0 : -EIO;
    if (result == 0)
        result = bypeer_graph_open(&joined->graph, settings, now);
    free(settings);
    if (result < 0)
        return bypeer_problem_set(problem, result, "graph", "group %.60s\ncannot be opened: %s\nsee the log",
                                  joined->friendly, strerror(-result));
    bypeer_group_use_graph(joined->group, joined->graph);
    return 0;
}

static void joined_free(struct bypeer_joined *joined)
{
    joined_seek_end(joined);
    bypeer_streams_abandon(joined->groups->streams, joined);
    joined_free_events(joined);
    joined_direct_free(joined);
    if (joined->group)
        bypeer_group_use_graph(joined->group, NULL);
    bypeer_graph_free(joined->graph);
    bypeer_group_free(joined->group);
    bypeer_tls_close(joined->tls);
    bypeer_key_free(joined->key);
    bypeer_key_free(joined->group_key);
    free(joined->chain);
    free(joined->dirty);
    free(joined);
}

int joined_open(struct bypeer_groups *groups, const struct bypeer_store_joined *row, const struct bypeer_key *group_key,
                const char *password_form, const struct bypeer_group_properties *found,
                struct bypeer_joined **ret_joined, struct bypeer_problem *problem)
{
    struct bypeer_graph_time now = bypeer_groups_now();
    struct bypeer_joined *joined = calloc(1, sizeof(*joined)), **link = &groups->joined;
    const struct bypeer_identity *identity = bypeer_identities_find(groups->node->identities, row->identity, problem);
    if (!joined || !identity) {
        free(joined);
        return identity ? bypeer_problem_no_memory(problem) : problem->error;
    }
    joined->groups = groups;
    int result = joined_fill(joined, row, identity, problem);
    if (result == 0 && joined_direct_init(joined) < 0)
        result = bypeer_problem_no_memory(problem);
    if (result == 0 && group_key &&
        bypeer_key_from_pair(&joined->group_key, joined->profile, bypeer_key_pair(group_key)) < 0)
        result = bypeer_problem_no_memory(problem);
    if (result == 0)
        result = joined_take_key(identity, joined->chain, joined->chain_bytes, &joined->key, &joined->tls, problem);
    if (result == 0)
        result = joined_open_group(joined, password_form, found, now, problem);
    if (result == 0)
        result = joined_open_graph(joined, found, now, problem);
    if (result == 0)
        result = joined_restore(joined, now, problem);
    if (result == 0)
        result = bypeer_streams_listen(groups->streams, groups->node->config->grouping.addresses,
                                       groups->node->config->grouping.address_count,
                                       groups->node->config->grouping.port, problem);
    if (result < 0) {
        joined_free(joined);
        return result;
    }
    joined->is_stored = row->chain != NULL;
    joined->is_touched = true;
    joined->seek.is_wanted = true;
    while (*link && strcmp((*link)->name_text, joined->name_text) < 0)
        link = &(*link)->next;
    joined->next = *link;
    *link = joined;
    groups->count++;
    joined_turn(joined, now);
    *ret_joined = joined;
    return 0;
}

int joined_renew(struct bypeer_joined *joined, const struct bypeer_identity *identity, const uint8_t *chain,
                 size_t chain_bytes, struct bypeer_problem *problem)
{
    struct bypeer_key *key = NULL, *key_before = joined->key;
    struct bypeer_tls *tls = NULL, *tls_before = joined->tls;
    char why[160] = "";
    if (joined_key_for(identity, chain, chain_bytes) != identity->key &&
        joined_key_for(identity, joined->chain, joined->chain_bytes) == identity->key)
        return bypeer_problem_set(problem, -EINVAL, "old_key",
                                  "the invitation to group %.60s\nis for the identity's key before its replacement\n"
                                  "ask for another invitation",
                                  joined->friendly);
    int result = joined_take_key(identity, chain, chain_bytes, &key, &tls, problem);
    if (result < 0)
        return result;
    const struct bypeer_group_renewal renewal = {
        .key = key, .tls = bypeer_tls_functions(tls), .chain = chain, .chain_bytes = chain_bytes};
    result = bypeer_group_renew(joined->group, bypeer_groups_now(), &renewal, why);
    if (result < 0) {
        bypeer_tls_close(tls);
        bypeer_key_free(key);
        return result == -ENOMEM ? bypeer_problem_no_memory(problem)
                                 : bypeer_problem_set(problem, result, "not_a_member",
                                                      "the invitation to group %.60s\nis refused: %s\n"
                                                      "ask for another invitation",
                                                      joined->friendly, why);
    }
    joined->key = key;
    joined->tls = tls;
    joined->is_touched = true;
    bypeer_tls_close(tls_before);
    bypeer_key_free(key_before);
    return 0;
}

void joined_close(struct bypeer_joined *joined)
{
    struct bypeer_groups *groups = joined->groups;
    struct bypeer_joined **link = &groups->joined;
    while (*link != joined)
        link = &(*link)->next;
    *link = joined->next;
    groups->count--;
    for (unsigned at = 0; at < groups->watcher_count; at++)
        if (groups->watchers[at].left)
            groups->watchers[at].left(groups->watchers[at].context, joined);
    bypeer_graph_leave(joined->graph, bypeer_groups_now());
    joined_free(joined);
}

void joined_row(const struct bypeer_joined *joined, struct bypeer_store_joined *ret_row)
{
    *ret_row = (struct bypeer_store_joined){
        .name = joined->name_text,
        .profile = joined->profile->name,
        .identity = joined->self_text,
        .friendly = joined->friendly,
        .chain = joined->chain,
        .chain_bytes = joined->chain_bytes,
        .seed_count = joined->seed_count,
        .time_delta = bypeer_graph_time_delta(joined->graph),
        .synchronised = joined->is_synchronised,
    };
    memcpy(ret_row->seeds, joined->seeds, sizeof(joined->seeds));
}
