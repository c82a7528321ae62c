/* A group over real graphs in virtual time: from nothing to members, records and a revocation. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/group/group.h"
#include "overlay/group/password.h"
#include "overlay/identity/identity.h"
#include "perf/graph_net.h"
#include "tests/group_tls.h"

#define NODES 4
#define DAY   UINT64_C(86400)

TestSuite(group_graph, .timeout = 120);

struct person {
    struct bypeer_key *key;
    struct bypeer_certificate *idc;
    struct bypeer_peer_name name;
    char id[BYPEER_NAME_TEXT_MAX];
    uint8_t *chain; /* as its host stores it; NULL: joins by password */
    size_t chain_bytes;
    struct bypeer_group_node *node;
    char why[160];
};

struct town {
    struct graph_net *net;
    const struct bypeer_profile *profile;
    struct bypeer_key *group_key;
    struct bypeer_peer_name group;
    char group_id[BYPEER_NAME_TEXT_MAX];
    struct bypeer_group_properties properties;
    struct person people[NODES]; /* 0: the founder */
};

static uint64_t now_s(const struct town *town)
{
    return (graph_net_time(town->net, 0).utc - BYPEER_PEER_TIME_1970) / BYPEER_PEER_TIME_SECOND;
}

static void store_chain(struct person *person, const struct bypeer_chain *chain)
{
    const uint8_t *bag = bypeer_chain_bag(chain, &person->chain_bytes);
    free(person->chain);
    person->chain = malloc(person->chain_bytes);
    memcpy(person->chain, bag, person->chain_bytes);
}

static void on_credentials(void *context, const struct bypeer_chain *chain)
{
    store_chain(context, chain);
}

static void on_refused(void *context, const char *who, const char *why)
{
    struct person *person = context;
    (void)who;
    snprintf(person->why, sizeof(person->why), "%s", why);
}

static const struct bypeer_graph_security *on_security(void *context, uint32_t at)
{
    struct town *town = context;
    struct person *person = &town->people[at];
    const struct bypeer_group_settings settings = {
        .profile = town->profile,
        .group = town->group,
        .self = person->name,
        .key = person->key,
        .chain = person->chain,
        .chain_bytes = person->chain_bytes,
        .group_key = at == 0 ? town->group_key : NULL,
        .password_form = person->chain ? NULL : town->properties.password,
        .found = at == 0 ? &town->properties : NULL,
        .tls = group_tls(&person->idc),
        .sink = {.credentials = on_credentials, .refused = on_refused},
        .sink_context = person,
    };
    int status = bypeer_group_open(&person->node, &settings, graph_net_time(town->net, at), person->why);
    cr_assert_eq(status, 0, "%s", person->why);
    return bypeer_group_security(person->node);
}

static void on_settings(void *context, uint32_t at, struct bypeer_graph_settings *settings)
{
    struct town *town = context;
    settings->graph_id = town->group_id;
    settings->peer_id = town->people[at].id;
}

static void on_opened(void *context, uint32_t at, struct bypeer_graph *graph)
{
    struct town *town = context;
    bypeer_group_use_graph(town->people[at].node, graph);
}

static void on_turn(void *context, uint32_t at, struct bypeer_graph_time now)
{
    struct town *town = context;
    bypeer_group_turn(town->people[at].node, now);
}

static void town_add(struct town *town, struct person *person, const char *classifier)
{
    struct bypeer_peer_name name = {.secure = true};
    uint8_t random[BYPEER_CERTIFICATE_SERIAL] = {1};
    char why[160];
    const char *reason;
    cr_assert_eq(bypeer_key_generate(&person->key, town->profile), 0);
    cr_assert_eq(bypeer_classifier_read(&name, classifier, why), 0);
    bypeer_identity_name(&person->name, person->key, &name);
    bypeer_name_write(&person->name, person->id);
    cr_assert_eq(bypeer_identity_certify(&person->idc, person->key, &person->name, classifier, now_s(town) - DAY,
                                         now_s(town) + 400 * DAY, random, &reason),
                 0);
}

static void town_open(struct town *town)
{
    char why[160];
    struct bypeer_chain *chain;
    *town = (struct town){.profile = bypeer_profile(BYPEER_PROFILE_MODERN)};
    const struct graph_net_options options = {
        .nodes = NODES,
        .seed = 7,
        .latency_ms = 5,
        .profile = town->profile,
        .hooks = {NULL, NULL, on_security, on_settings, on_opened, NULL, on_turn, town},
        .presence_max = UINT32_MAX,
    };
    town->net = graph_net_open(&options);
    cr_assert_eq(bypeer_key_generate(&town->group_key, town->profile), 0);
    cr_assert_eq(bypeer_group_name(town->group_key, "town", &town->group, why), 0);
    bypeer_name_write(&town->group, town->group_id);
    for (unsigned at = 0; at < NODES; at++) {
        char classifier[] = {(char)('a' + at), '\0'};
        town_add(town, &town->people[at], classifier);
    }
    struct person *founder = &town->people[0];
    town->properties = (struct bypeer_group_properties){
        .membership_s = 30 * DAY,
        .presence_s = BYPEER_GROUP_PRESENCE_S,
        .friendly = "Town",
        .group = town->group,
        .creator = founder->name,
        .has_password = true,
        .password_role = BYPEER_ROLE_MEMBER,
    };
    cr_assert_eq(bypeer_password_form(town->profile, &town->group, "castling", town->properties.password), 0);
    const struct bypeer_group_subject subject = {founder->name, bypeer_key_public(founder->key), "Founder"};
    cr_assert_eq(bypeer_group_found(town->group_key, &town->group, "Town", &subject, now_s(town) - 3600,
                                    now_s(town) + 300 * DAY, &chain, why),
                 0, "%s", why);
    store_chain(founder, chain);
    bypeer_chain_free(chain);
    graph_net_start(town->net, 0);
    graph_net_run(town->net, 1000);
}

static void town_close(struct town *town)
{
    for (unsigned at = 0; at < NODES; at++) {
        struct person *person = &town->people[at];
        graph_net_stop(town->net, at, false);
        bypeer_group_free(person->node);
        bypeer_certificate_free(person->idc);
        bypeer_key_free(person->key);
        free(person->chain);
    }
    graph_net_close(town->net);
    bypeer_key_free(town->group_key);
}

static void invite(struct town *town, unsigned at, uint32_t roles)
{
    struct person *person = &town->people[at];
    struct bypeer_chain *chain;
    char why[160];
    const struct bypeer_group_order order = {.subject = {person->name, bypeer_key_public(person->key), "Guest"},
                                             .roles = roles};
    cr_assert_eq(bypeer_group_issue(town->people[0].node, graph_net_time(town->net, 0), &order, &chain, why), 0, "%s",
                 why);
    store_chain(person, chain);
    bypeer_chain_free(chain);
}

/* Which of the nodes that are up have the record, as bits. */
static unsigned who_has(const struct town *town, const struct bypeer_guid *id)
{
    unsigned bits = 0;
    for (unsigned at = 0; at < NODES; at++)
        if (graph_net_is_up(town->net, at) && bypeer_graph_find(graph_net_graph(town->net, at), id))
            bits |= 1u << at;
    return bits;
}

static struct bypeer_guid say(struct town *town, unsigned at, const char *text)
{
    struct bypeer_guid id;
    const struct bypeer_graph_time now = graph_net_time(town->net, at);
    const struct bypeer_record_draft draft = {
        .type = {{0xaa}},
        .payload = (const uint8_t *)text,
        .payload_bytes = strlen(text),
        .expires = now.utc + 3600 * BYPEER_PEER_TIME_SECOND,
    };
    cr_assert_eq(bypeer_graph_publish(graph_net_graph(town->net, at), now, &draft, &id), 0);
    graph_net_touched(town->net, at);
    graph_net_run(town->net, 2000);
    return id;
}

static unsigned present(const struct town *town, unsigned at)
{
    struct bypeer_group_member member;
    unsigned count = 0;
    for (bool more = bypeer_group_next_member(town->people[at].node, NULL, &member); more;
         more = bypeer_group_next_member(town->people[at].node, &member.name, &member))
        count += member.is_present && !member.is_revoked;
    return count;
}

static void revoke(struct town *town, unsigned by, unsigned target)
{
    char why[160];
    const struct bypeer_group_verdict verdict = {.key = bypeer_key_public(town->people[target].key)};
    int status = bypeer_group_revoke(town->people[by].node, graph_net_time(town->net, by), &verdict, why);
    cr_assert_eq(status, 0, "%s", why);
    graph_net_touched(town->net, by);
}

Test(group_graph, from_nothing_to_a_revocation)
{
    struct town town;
    town_open(&town);
    invite(&town, 1, BYPEER_ROLE_ADMINISTRATOR);
    invite(&town, 2, BYPEER_ROLE_MEMBER);
    for (unsigned at = 1; at < NODES; at++) { /* the last one by password */
        graph_net_start(town.net, at);
        graph_net_run(town.net, 60000);
        cr_assert(bypeer_graph_status(graph_net_graph(town.net, at)) & BYPEER_GRAPH_SYNCHRONIZED, "%u: %s, %s", at,
                  town.people[at].why, town.people[0].why);
    }
    graph_net_run(town.net, 300000);
    for (unsigned at = 0; at < NODES; at++)
        cr_expect_eq(present(&town, at), NODES, "%u sees all", at);
    struct bypeer_guid kept = say(&town, 3, "kept"), gone = say(&town, 2, "gone");
    cr_expect_eq(who_has(&town, &kept), 0xf);
    cr_expect_eq(who_has(&town, &gone), 0xf);

    /* One node is away when the administrator revokes. */
    graph_net_stop(town.net, 3, false);
    bypeer_group_free(town.people[3].node);
    town.people[3].node = NULL;
    revoke(&town, 1, 2);
    graph_net_run(town.net, 1000);
    cr_expect_eq(who_has(&town, &gone) & ~4u, 0, "the records of who is revoked go within a second");
    struct bypeer_group_member member;
    for (unsigned at = 0; at < 2; at++) {
        cr_assert(bypeer_group_find_member(town.people[at].node, &town.people[2].name, &member));
        cr_expect(member.is_revoked);
    }
    graph_net_run(town.net, 120000);
    struct bypeer_graph_link_event link;
    for (uint32_t at = 0; bypeer_graph_next_link(graph_net_graph(town.net, 2), at, &link); at = link.link)
        cr_expect_fail("who is revoked has a link to %s", link.peer_id);

    /* The one that was away comes back, and so does the revoked one. */
    graph_net_start(town.net, 3);
    graph_net_stop(town.net, 2, false);
    bypeer_group_free(town.people[2].node);
    town.people[2].node = NULL;
    graph_net_start(town.net, 2);
    graph_net_run(town.net, 120000);
    cr_expect_eq(who_has(&town, &gone) & ~4u, 0);
    cr_expect_eq(who_has(&town, &kept) & 8u, 8u);
    cr_expect(bypeer_group_is_revoked(town.people[3].node, bypeer_key_public(town.people[2].key), now_s(&town)));
    for (uint32_t at = 0; bypeer_graph_next_link(graph_net_graph(town.net, 2), at, &link); at = link.link)
        cr_expect_fail("who is revoked is back at %s", link.peer_id);
    town_close(&town);
}
