/* One node among liars: false entries, IDs of others, revocations, and searches that are led astray. */
#include <criterion/criterion.h>

#include "tests/unit/pnrp_stranger.h"

static const uint8_t zero[32];

/* False entries in FLOODs: few tests a target, nothing kept, memory bounded. */
Test(pnrp_hostile, false_entries_cost_little)
{
    struct net net;
    uint8_t id[32], victim_address[16];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    net_publish(node, "0.here", id);
    net_run(&net, 3000);
    size_t idle = bypeer_pnrp_bytes(node->pnrp);
    struct bypeer_pnrp_endpoint liar = net_stranger(1, 5000), victim = net_stranger(2, 6000);
    memcpy(victim_address, victim.address, 16);
    net_watch(&net, victim);
    for (unsigned i = 0; i < 5000; i++) {
        struct bypeer_pnrp_message flood = {
            .type = BYPEER_PNRP_FLOOD,
            .id = i,
            .flood = {.no_ack = true,
                      .validate = zero,
                      .entry = {.id = id, .addresses = victim_address, .address_count = 1, .port = victim.port}}};
        uint8_t false_id[32];
        memcpy(false_id, id, 32);
        false_id[20] = (uint8_t)i;
        false_id[21] = (uint8_t)(i >> 8);
        false_id[22]++;
        flood.flood.entry.id = false_id;
        net_inject_message(&net, &liar, node, &flood);
    }
    cr_assert_leq(net_seen.count[BYPEER_PNRP_INQUIRE], 8u);
    cr_assert_gt(net_seen.count[BYPEER_PNRP_INQUIRE], 0u);
    cr_assert_lt(bypeer_pnrp_bytes(node->pnrp), (size_t)65536);
    net_run(&net, 5000);
    cr_assert_leq(net_seen.count[BYPEER_PNRP_INQUIRE], 16u);
    cr_assert_eq(bypeer_cache_count(bypeer_pnrp_cache(node->pnrp)), 0u);
    cr_assert_leq(bypeer_pnrp_bytes(node->pnrp), idle);
    net_end(&net);
}

/* Whoever takes over a neighbour's ID must have its certificate. */
Test(pnrp_hostile, an_id_is_not_taken_over_without_its_key)
{
    struct net net;
    char name[BYPEER_NAME_TEXT_MAX];
    uint8_t id[32], own[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct net_node *victim = net_add(&net, node, false);
    net_secure_name(&net, "victim", name);
    net_publish(node, "0.here", own);
    net_publish(victim, name, id);
    net_run(&net, 2000);
    const struct bypeer_route *route = bypeer_cache_find(bypeer_pnrp_cache(node->pnrp), id);
    cr_assert_not_null(route);
    struct bypeer_pnrp_endpoint liar = net_stranger(1, 5000);
    net_watch(&net, liar);
    const struct bypeer_pnrp_message flood = {
        .type = BYPEER_PNRP_FLOOD,
        .id = 1,
        .flood = {.validate = own,
                  .entry = {.id = id, .addresses = liar.address, .address_count = 1, .port = liar.port}}};
    net_inject_message(&net, &liar, node, &flood);
    cr_assert_eq(net_seen.count[BYPEER_PNRP_ACK], 1u);
    cr_assert_eq(net_seen.count[BYPEER_PNRP_INQUIRE], 1u);
    struct bypeer_pnrp_message asked;
    cr_assert_eq(bypeer_pnrp_read(&asked, net.profile, net_seen.last->bytes, net_seen.last->length), 0);
    cr_assert_eq(asked.inquire.flags & BYPEER_INQUIRE_CPA, BYPEER_INQUIRE_CPA);
    /* He says yes, without a certificate. */
    uint8_t buffer[256];
    const struct bypeer_pnrp_answer yes = {.entry = flood.flood.entry};
    size_t length = bypeer_pnrp_answer_write(&yes, net.profile, buffer, sizeof(buffer));
    const struct bypeer_pnrp_message authority = {
        .type = BYPEER_PNRP_AUTHORITY,
        .id = 2,
        .authority = {.acked = asked.id, .size = (uint16_t)length, .slice = buffer, .slice_bytes = (uint16_t)length}};
    net_inject_message(&net, &liar, node, &authority);
    net_do_jobs(&net);
    route = bypeer_cache_find(bypeer_pnrp_cache(node->pnrp), id);
    cr_assert_not_null(route);
    cr_assert_arr_eq(route->address, victim->endpoint.address, 16);
    net_end(&net);
}

/* The certificate of an unsecured ID is anybody's to make: while its node is there, it stays where it is. */
Test(pnrp_hostile, an_unsecured_id_stays_with_its_node)
{
    struct net net;
    uint8_t id[32], own[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct net_node *victim = net_add(&net, node, false);
    struct net_node *liar = net_add(&net, NULL, false);
    net_publish(node, "0.here", own);
    net_publish(victim, "0.victim", id);
    net_run(&net, 2000);
    cr_assert(net_knows(node, id));
    struct bypeer_peer_name name;
    const struct bypeer_application application = {.port = 80, .protocol = 6};
    uint64_t registration;
    uint8_t taken[32];
    char why[160];
    cr_assert_eq(bypeer_name_read(&name, "0.victim", why), 0);
    struct bypeer_pnrp_registration given = {
        .name = &name, .key = net.key, .applications = &application, .application_count = 1, .has_location = true};
    memcpy(given.location, id + 16, 16);
    cr_assert_eq(bypeer_pnrp_register(liar->pnrp, net.now, &given, &registration, taken), 0);
    cr_assert_arr_eq(taken, id, 32);
    const struct bypeer_pnrp_message flood = {
        .type = BYPEER_PNRP_FLOOD,
        .id = 1,
        .flood = {
            .no_ack = true,
            .validate = own,
            .entry = {.id = id, .addresses = liar->endpoint.address, .address_count = 1, .port = liar->endpoint.port}}};
    net_inject_message(&net, &liar->endpoint, node, &flood);
    net_run(&net, 3000);
    const struct bypeer_route *route = bypeer_cache_find(bypeer_pnrp_cache(node->pnrp), id);
    cr_assert_not_null(route);
    cr_assert_arr_eq(route->address, victim->endpoint.address, 16);
    /* Its node is gone: whoever has the ID now has it. */
    net_kill(victim);
    net_inject_message(&net, &liar->endpoint, node, &flood);
    net_run(&net, 6000);
    route = bypeer_cache_find(bypeer_pnrp_cache(node->pnrp), id);
    cr_assert_not_null(route);
    cr_assert_arr_eq(route->address, liar->endpoint.address, 16);
    net_end(&net);
}

/* The address that answered counts, whichever is named first. */
Test(pnrp_hostile, an_entry_is_known_by_the_address_that_answered)
{
    struct net net;
    uint8_t far[32], addresses[2][16];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add_with(&net, &(struct bypeer_pnrp_settings){.answers = true, .cache_entries = 1000});
    struct bypeer_pnrp_endpoint victim = net_stranger(2, 5000), liar = net_stranger(3, 5000);
    memcpy(addresses[0], victim.address, 16);
    memcpy(addresses[1], liar.address, 16);
    memset(far, 0x55, sizeof(far));
    const struct bypeer_pnrp_message flood = {
        .type = BYPEER_PNRP_FLOOD,
        .id = 1,
        .flood = {.no_ack = true,
                  .validate = zero,
                  .entry = {.id = far, .addresses = addresses[0], .address_count = 2, .port = 5000}}};
    net_watch(&net, victim);
    net_inject_message(&net, &liar, node, &flood);
    struct bypeer_pnrp_message asked;
    cr_assert_eq(net_seen.count[BYPEER_PNRP_INQUIRE], 1u);
    cr_assert_eq(bypeer_pnrp_read(&asked, net.profile, net_seen.last->bytes, net_seen.last->length), 0);
    uint8_t buffer[256];
    const struct bypeer_pnrp_answer yes = {.entry = flood.flood.entry};
    size_t length = bypeer_pnrp_answer_write(&yes, net.profile, buffer, sizeof(buffer));
    const struct bypeer_pnrp_message authority = {
        .type = BYPEER_PNRP_AUTHORITY,
        .id = 2,
        .authority = {.acked = asked.id, .size = (uint16_t)length, .slice = buffer, .slice_bytes = (uint16_t)length}};
    net_inject_message(&net, &liar, node, &authority);
    const struct bypeer_route *route = bypeer_cache_find(bypeer_pnrp_cache(node->pnrp), far);
    cr_assert_not_null(route);
    cr_assert_arr_eq(route->address, liar.address, 16);
    cr_assert_eq(route->address_count, 2);
    net_end(&net);
}

/* A revocation by the net's key; returns its length. */
static size_t make_revocation(const struct net *net, const char *text, const uint8_t *id, uint64_t not_after,
                              uint8_t *ret_bytes)
{
    struct bypeer_cpa cpa = {.revoke = true, .has_classifier = true, .not_after = not_after};
    struct bypeer_peer_name name;
    char why[160];
    size_t signed_bytes;
    cr_assert_eq(bypeer_name_read(&name, text, why), 0);
    bypeer_name_classifier_hash(net->profile, &name, cpa.classifier_hash);
    memcpy(cpa.service_location, id + 16, 16);
    cpa.has_authority = name.secure;
    memcpy(cpa.authority, name.authority, sizeof(cpa.authority));
    cpa.public_key = bypeer_key_public(net->key);
    size_t length = bypeer_cpa_write(&cpa, net->profile, ret_bytes, BYPEER_CPA_MAX, &signed_bytes);
    cr_assert_gt(length, 0u);
    bypeer_key_sign(net->key, ret_bytes, signed_bytes, ret_bytes + length - net->profile->signature_bytes);
    return length;
}

static void inject_revocation(struct net *net, const struct net_node *to, const uint8_t *bytes, size_t length)
{
    struct bypeer_pnrp_endpoint liar = net_stranger(1, 5000);
    const struct bypeer_pnrp_message flood = {
        .type = BYPEER_PNRP_FLOOD,
        .id = 1,
        .flood = {.no_ack = true, .validate = zero, .revoke = bytes, .revoke_bytes = (uint16_t)length}};
    net_inject_message(net, &liar, to, &flood);
}

/* A secure name's revocation that was kept until the name is there again under its ID: its node is asked, once. */
Test(pnrp_hostile, a_replayed_revocation_removes_nothing)
{
    struct net net;
    char name[BYPEER_NAME_TEXT_MAX];
    uint8_t id[32], bytes[BYPEER_CPA_MAX];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct net_node *victim = net_add(&net, node, false);
    net_secure_name(&net, "victim", name);
    net_publish(node, "0.here", NULL);
    net_publish(victim, name, id);
    net_run(&net, 2000);
    cr_assert(net_knows(node, id));
    size_t length = make_revocation(&net, name, id, net.now.unix_s + 600, bytes);
    unsigned inquires = net.sent[BYPEER_PNRP_INQUIRE];
    inject_revocation(&net, node, bytes, length);
    net_do_jobs(&net);
    net_run(&net, 100);
    cr_assert_eq(net.sent[BYPEER_PNRP_INQUIRE], inquires + 1);
    cr_assert(net_knows(node, id));
    cr_assert_eq(bypeer_pnrp_counters(node->pnrp)->revoked, 0u);
    /* One that could be kept for long is not even checked. */
    length = make_revocation(&net, name, id, net.now.unix_s + 200000, bytes);
    net.is_slow = true;
    inject_revocation(&net, node, bytes, length);
    cr_assert_eq(net.job_count, 0u);
    net_end(&net);
}

/* However many revocations come, one of an ID is checked at once, and few of all together. */
Test(pnrp_hostile, revocations_leave_room_for_other_signatures)
{
    static const char *const names[] = {"0.first", "0.second", "0.third", "0.fourth"};
    struct net net;
    struct bypeer_pnrp_message message;
    uint8_t own[32], ids[4][32], bytes[BYPEER_CPA_MAX];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *victim = net_add(&net, NULL, false);
    const struct bypeer_pnrp_settings settings = {.jobs_max = 8, .seeds = &victim->endpoint, .seed_count = 1};
    struct net_node *node = net_add_with(&net, &settings);
    net_publish(node, "0.here", own);
    for (unsigned i = 0; i < 4; i++)
        net_publish(victim, names[i], ids[i]);
    net_run(&net, 60000);
    net.is_slow = true;
    for (unsigned i = 0; i < 4; i++) {
        cr_assert(net_knows(node, ids[i]));
        size_t length = make_revocation(&net, names[i], ids[i], net.now.unix_s + 600, bytes);
        for (unsigned j = 0; j < 10; j++)
            inject_revocation(&net, node, bytes, length);
        cr_assert_eq(net.job_count, i == 0 ? 1u : 2u);
    }
    struct bypeer_pnrp_endpoint asker = net_stranger(1, 5000);
    net_make_inquire(own, 40, &message);
    net_inject_message(&net, &asker, node, &message);
    cr_assert_eq(net.job_count, 3u);
    net_end(&net);
}

/* A revocation of an unsecured name that anybody signed: its node is asked, and says that it is there. */
Test(pnrp_hostile, a_forged_revocation_removes_nothing)
{
    struct net net;
    uint8_t id[32], own[32], bytes[BYPEER_CPA_MAX];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct net_node *victim = net_add(&net, node, false);
    net_publish(node, "0.here", own);
    net_publish(victim, "0.victim", id);
    net_run(&net, 2000);
    cr_assert(net_knows(node, id));
    size_t length = make_revocation(&net, "0.victim", id, net.now.unix_s + 600, bytes);
    unsigned inquires = net.sent[BYPEER_PNRP_INQUIRE];
    inject_revocation(&net, node, bytes, length);
    net_run(&net, 5000);
    cr_assert_gt(net.sent[BYPEER_PNRP_INQUIRE], inquires);
    cr_assert(net_knows(node, id));
    cr_assert_eq(bypeer_pnrp_counters(node->pnrp)->revoked, 0u);
    net_end(&net);
}

/* A search whose first hop lies: what it asked of endpoints where nobody is, and of whom else. */
static struct lies {
    struct bypeer_pnrp_endpoint to;
    uint32_t id;
    uint8_t validate[32];
    unsigned lookups; /* to strangers */
    unsigned others;  /* to where no node may be */
} lies;

static bool lies_watch(struct net *net, const struct net_datagram *datagram, const struct bypeer_pnrp_message *message)
{
    const uint8_t *to = datagram->to.address;
    bool is_self = memcmp(to, datagram->from.address, 16) == 0;
    (void)net;
    if (to[0] != 0x20 || is_self)
        lies.others++;
    if (message->type != BYPEER_PNRP_LOOKUP || to[4] != 0xff)
        return true;
    lies.to = datagram->to;
    lies.id = message->id;
    memcpy(lies.validate, message->lookup.validate, sizeof(lies.validate));
    lies.lookups++;
    return true;
}

/* From whom was asked last. */
static void lies_answer(struct net *net, const struct net_node *to, uint16_t flags, const uint8_t *id,
                        const struct bypeer_pnrp_endpoint *at)
{
    uint8_t buffer[256];
    struct bypeer_pnrp_answer answer = {.flags = flags};
    if (id)
        answer.entry =
            (struct bypeer_pnrp_entry){.id = id, .addresses = at->address, .address_count = 1, .port = at->port};
    size_t length = bypeer_pnrp_answer_write(&answer, net->profile, buffer, sizeof(buffer));
    cr_assert_gt(length, 0u);
    const struct bypeer_pnrp_message authority = {
        .type = BYPEER_PNRP_AUTHORITY,
        .id = 2,
        .authority = {.acked = lies.id, .size = (uint16_t)length, .slice = buffer, .slice_bytes = (uint16_t)length}};
    struct bypeer_pnrp_endpoint from = lies.to;
    net_inject_message(net, &from, to, &authority);
}

static const uint8_t lies_target[32] = {0x55}, lies_victim[32] = {0x75};

/* A node without a leaf set that knows a victim and a liar, and asks the liar. */
static struct net_node *lies_begin(struct net *net)
{
    uint8_t liar_id[32] = {0x55, 1};
    struct bypeer_pnrp_endpoint liar = net_stranger(1, 5000);
    uint64_t resolve;
    net_begin(net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(net, NULL, true), *victim = net_add(net, NULL, true);
    cr_assert_eq(
        bypeer_pnrp_preload(node->pnrp, net->now,
                            &(struct bypeer_pnrp_entry){
                                .id = liar_id, .addresses = liar.address, .address_count = 1, .port = liar.port}),
        1);
    cr_assert_eq(bypeer_pnrp_preload(node->pnrp, net->now,
                                     &(struct bypeer_pnrp_entry){.id = lies_victim,
                                                                 .addresses = victim->endpoint.address,
                                                                 .address_count = 1,
                                                                 .port = victim->endpoint.port}),
                 1);
    lies = (struct lies){0};
    net->pass = lies_watch;
    const struct bypeer_pnrp_query query = {.id = lies_target, .criterion = BYPEER_PNRP_ANY};
    cr_assert_eq(bypeer_pnrp_resolve(node->pnrp, net->now, &query, &resolve), 0);
    net_run(net, 0);
    cr_assert_eq(lies.lookups, 1u);
    cr_assert_arr_eq(lies.to.address, liar.address, 16);
    return node;
}

/* Whoever names another's ID at his own address has nothing to say about the other. */
Test(pnrp_hostile, who_is_asked_in_a_search_cannot_make_another_be_forgotten)
{
    struct bypeer_pnrp_endpoint accomplice = net_stranger(2, 5000);
    for (unsigned silent = 0; silent < 2; silent++) {
        struct net net;
        struct net_node *node = lies_begin(&net);
        lies_answer(&net, node, 0, lies_victim, &accomplice);
        cr_assert_eq(lies.lookups, 2u);
        cr_assert_arr_eq(lies.to.address, accomplice.address, 16);
        cr_assert_arr_eq(lies.validate, lies_victim, 32);
        if (silent)
            net_run(&net, 2000);
        else
            lies_answer(&net, node, BYPEER_AUTHORITY_NOT_LOCAL, NULL, NULL);
        cr_assert(net_knows(node, lies_victim), "%u", silent);
        net_end(&net);
    }
}

/* Who has not the ID that he was asked for has nothing to say about where to go on. */
Test(pnrp_hostile, a_search_does_not_follow_who_is_not_meant)
{
    struct net net;
    struct net_node *node = lies_begin(&net);
    struct bypeer_pnrp_endpoint accomplice = net_stranger(2, 5000);
    const uint8_t other[32] = {0x55, 0, 1};
    lies_answer(&net, node, BYPEER_AUTHORITY_NOT_LOCAL, other, &accomplice);
    net_run(&net, 1000);
    cr_assert_eq(lies.lookups, 1u);
    net_end(&net);
}

Test(pnrp_hostile, a_search_asks_no_address_that_a_node_cannot_have)
{
    static const uint8_t addresses[][16] = {{0xfe, 0x80, [15] = 5}, {0xff, 0x02, [15] = 5}, {[15] = 1}};
    const uint8_t other[32] = {0x55, 0, 1};
    for (unsigned i = 0; i <= 3; i++) {
        struct net net;
        struct net_node *node = lies_begin(&net);
        struct bypeer_pnrp_endpoint at = node->endpoint;
        if (i < 3)
            memcpy(at.address, addresses[i], 16);
        lies_answer(&net, node, 0, other, &at);
        net_run(&net, 1000);
        cr_assert_eq(lies.others, 0u, "%u", i);
        net_end(&net);
    }
}

Test(pnrp_hostile, entries_of_other_scopes_are_none)
{
    static const uint8_t addresses[][16] = {{0xfe, 0x80, [15] = 5}, {0xff, 0x02, [15] = 5}, {[15] = 1}, {[0] = 0}};
    struct net net;
    uint8_t id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    net_publish(node, "0.here", id);
    net_run(&net, 100);
    struct bypeer_pnrp_endpoint liar = net_stranger(1, 5000);
    for (unsigned i = 0; i < 4; i++) {
        uint8_t other[32] = {(uint8_t)(i + 1)};
        const struct bypeer_pnrp_message flood = {
            .type = BYPEER_PNRP_FLOOD,
            .id = i,
            .flood = {.no_ack = true,
                      .validate = zero,
                      .entry = {.id = other, .addresses = addresses[i], .address_count = 1, .port = 4000}}};
        net_inject_message(&net, &liar, node, &flood);
    }
    cr_assert_eq(bypeer_pnrp_counters(node->pnrp)->entries_tested, 0u);
    net_end(&net);
}
