/* One node among hostile, broken and absent others: what it answers, ignores, counts and keeps. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "tests/unit/pnrp_net.h"

static const uint8_t zero[32];

/* An endpoint where nobody is. */
static struct bypeer_pnrp_endpoint stranger(uint16_t net, uint16_t port)
{
    struct bypeer_pnrp_endpoint endpoint = {
        .address = {0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, (uint8_t)(net >> 8), (uint8_t)net}, .port = port};
    endpoint.address[15] = 9;
    return endpoint;
}

/* What a node sent to where nobody is. */
static struct seen {
    struct bypeer_pnrp_endpoint to;
    unsigned count[NET_TYPES];
    size_t bytes;
    struct net_datagram *last;
} seen;

static bool watch(struct net *net, const struct net_datagram *datagram, const struct bypeer_pnrp_message *message)
{
    (void)net;
    if (memcmp(datagram->to.address, seen.to.address, 16) != 0 || datagram->to.port != seen.to.port)
        return true;
    seen.count[message->type]++;
    seen.bytes += datagram->length + 48;
    free(seen.last);
    seen.last = malloc(sizeof(*datagram) + datagram->length);
    memcpy(seen.last, datagram, sizeof(*datagram) + datagram->length);
    return true;
}

static void watch_begin(struct net *net, struct bypeer_pnrp_endpoint to)
{
    free(seen.last);
    seen = (struct seen){.to = to};
    net->pass = watch;
}

static void last_answer(const struct net *net, struct bypeer_pnrp_answer *ret_answer)
{
    struct bypeer_pnrp_message message;
    cr_assert_not_null(seen.last);
    cr_assert_eq(bypeer_pnrp_read(&message, net->profile, seen.last->bytes, seen.last->length), 0);
    cr_assert_eq(message.type, BYPEER_PNRP_AUTHORITY);
    cr_assert_eq(
        bypeer_pnrp_answer_read(ret_answer, net->profile, message.authority.slice, message.authority.slice_bytes), 0);
}

static void make_lookup(const uint8_t *target, const uint8_t *validate, const uint8_t path[static 18],
                        struct bypeer_pnrp_message *ret_message)
{
    *ret_message = (struct bypeer_pnrp_message){
        .type = BYPEER_PNRP_LOOKUP,
        .id = 77,
        .lookup = {.criterion = BYPEER_PNRP_ANY, .target = target, .validate = validate, .path = {path, 1}}};
}

Test(pnrp_cloud, lookups_are_answered_with_the_nearest)
{
    struct net net;
    struct bypeer_pnrp_message message;
    struct bypeer_pnrp_answer answer;
    uint8_t id[32], other[32], path[18];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct bypeer_pnrp_endpoint asker = stranger(1, 5000);
    bypeer_pnrp_endpoint_put(path, &asker);
    watch_begin(&net, asker);

    /* A node that nobody finds anything at says that it is not who is meant, and no more. */
    memset(other, 7, sizeof(other));
    make_lookup(other, other, path, &message);
    net_inject_message(&net, &asker, node, &message);
    last_answer(&net, &answer);
    cr_assert_eq(answer.flags, BYPEER_AUTHORITY_NOT_LOCAL);
    cr_assert_null(answer.entry.id);

    net_publish(node, "0.here", id);
    net_inject_message(&net, &asker, node, &message);
    last_answer(&net, &answer);
    cr_assert_eq(answer.flags & BYPEER_AUTHORITY_NOT_LOCAL, BYPEER_AUTHORITY_NOT_LOCAL);
    cr_assert_arr_eq(answer.entry.id, id, 32);
    cr_assert_arr_eq(answer.entry.addresses, node->endpoint.address, 16);

    /* To be asked for itself: there is nothing nearer. */
    make_lookup(other, id, path, &message);
    net_inject_message(&net, &asker, node, &message);
    last_answer(&net, &answer);
    cr_assert_eq(answer.flags & BYPEER_AUTHORITY_NOT_LOCAL, 0);
    cr_assert_null(answer.entry.id);
    cr_assert_eq(answer.flags & BYPEER_AUTHORITY_LEAF_SET, BYPEER_AUTHORITY_LEAF_SET);

    /* It was asked already. */
    make_lookup(other, other, path, &message);
    bypeer_pnrp_endpoint_put(path, &node->endpoint);
    net_inject_message(&net, &asker, node, &message);
    last_answer(&net, &answer);
    cr_assert_null(answer.entry.id);
    net_end(&net);
}

Test(pnrp_cloud, an_answer_is_no_larger_than_its_lookup)
{
    struct net net;
    struct bypeer_pnrp_message message;
    struct bypeer_pnrp_answer answer;
    uint8_t id[32], far[32], path[18], addresses[BYPEER_PNRP_ADDRESSES_MAX][16], bytes[BYPEER_PNRP_DATAGRAM_MAX];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    net_publish(node, "0.here", id);
    struct bypeer_pnrp_endpoint asker = stranger(1, 5000), many = stranger(2, 5000);
    for (unsigned i = 0; i < BYPEER_PNRP_ADDRESSES_MAX; i++) {
        memcpy(addresses[i], many.address, 16);
        addresses[i][14] = (uint8_t)i;
    }
    memcpy(far, id, sizeof(far));
    far[0] ^= 0x80;
    cr_assert_eq(bypeer_pnrp_preload(node->pnrp, net.now,
                                     &(struct bypeer_pnrp_entry){.id = far,
                                                                 .addresses = addresses[0],
                                                                 .address_count = BYPEER_PNRP_ADDRESSES_MAX,
                                                                 .port = many.port}),
                 1);
    bypeer_pnrp_endpoint_put(path, &asker);
    watch_begin(&net, asker);
    make_lookup(far, id, path, &message);
    size_t length = bypeer_pnrp_write(&message, net.profile, bytes, sizeof(bytes));
    net_inject(&net, &asker, node, bytes, length);
    last_answer(&net, &answer);
    cr_assert_arr_eq(answer.entry.id, far, 32);
    cr_assert_leq(seen.last->length, length);
    cr_assert_eq(answer.entry.address_count, 2);
    cr_assert_arr_eq(answer.entry.addresses, addresses[0], 32);
    net_end(&net);
}

Test(pnrp_cloud, what_is_not_ours_is_counted_and_dropped)
{
    struct net net;
    uint8_t bytes[BYPEER_PNRP_DATAGRAM_MAX], id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    net_publish(node, "0.here", id);
    struct bypeer_pnrp_endpoint asker = stranger(1, 5000), low = stranger(1, 1024);
    const struct bypeer_pnrp_message message = {.type = BYPEER_PNRP_INQUIRE, .id = 3, .inquire = {.validate = id}};
    const struct bypeer_pnrp_counters *counters = bypeer_pnrp_counters(node->pnrp);
    watch_begin(&net, asker);

    size_t length = bypeer_pnrp_write(&message, bypeer_profile(BYPEER_PROFILE_WINDOWS), bytes, sizeof(bytes));
    net_inject(&net, &asker, node, bytes, length);
    cr_assert_eq(counters->other_profile, 1u);
    length = bypeer_pnrp_write(&message, net.profile, bytes, sizeof(bytes));
    net_inject(&net, &low, node, bytes, length);
    cr_assert_eq(counters->low_port, 1u);
    net_inject(&net, &asker, node, bytes, length - 1);
    cr_assert_eq(counters->malformed, 1u);
    const struct bypeer_pnrp_message ack = {.type = BYPEER_PNRP_ACK, .id = 3, .ack = {.acked = 12345}};
    net_inject_message(&net, &asker, node, &ack);
    cr_assert_eq(counters->unmatched, 1u);
    cr_assert_eq(seen.bytes, 0u);
    net_inject(&net, &asker, node, bytes, length);
    cr_assert_eq(seen.count[BYPEER_PNRP_AUTHORITY], 1u);
    cr_assert_eq(counters->received, 5u);
    net_end(&net);
}

static void make_inquire(const uint8_t *id, uint32_t message_id, struct bypeer_pnrp_message *ret_message)
{
    static const uint8_t nonce[16] = {5};
    *ret_message = (struct bypeer_pnrp_message){
        .type = BYPEER_PNRP_INQUIRE,
        .id = message_id,
        .inquire = {.flags = BYPEER_INQUIRE_CPA | BYPEER_INQUIRE_PAYLOAD | BYPEER_INQUIRE_CHAIN,
                    .validate = id,
                    .nonce = nonce}};
}

Test(pnrp_cloud, one_signature_for_an_inquire_that_is_repeated)
{
    struct net net;
    struct bypeer_pnrp_message message;
    struct bypeer_pnrp_answer answer;
    uint8_t id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    net_publish(node, "0.here", id);
    struct bypeer_pnrp_endpoint asker = stranger(1, 5000);
    watch_begin(&net, asker);
    net.is_slow = true;
    make_inquire(id, 40, &message);
    net_inject_message(&net, &asker, node, &message);
    net_inject_message(&net, &asker, node, &message);
    cr_assert_eq(net.job_count, 1u);
    net_do_jobs(&net);
    cr_assert_eq(seen.count[BYPEER_PNRP_AUTHORITY], 1u);
    last_answer(&net, &answer);
    cr_assert_not_null(answer.cpa);
    cr_assert_not_null(answer.classifier);
    cr_assert_arr_eq(answer.entry.id, id, 32);
    net_end(&net);
}

Test(pnrp_cloud, beyond_its_signers_a_node_says_busy)
{
    struct net net;
    struct bypeer_pnrp_message message;
    struct bypeer_pnrp_answer answer;
    uint8_t id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add_with(&net, &(struct bypeer_pnrp_settings){.jobs_max = 1});
    net_publish(node, "0.here", id);
    net.is_slow = true;
    struct bypeer_pnrp_endpoint first = stranger(1, 5000), second = stranger(2, 5000);
    make_inquire(id, 40, &message);
    net_inject_message(&net, &first, node, &message);
    watch_begin(&net, second);
    net_inject_message(&net, &second, node, &message);
    cr_assert_eq(net.job_count, 1u);
    last_answer(&net, &answer);
    cr_assert_eq(answer.flags, BYPEER_AUTHORITY_BUSY);
    cr_assert_null(answer.cpa);
    cr_assert_eq(bypeer_pnrp_counters(node->pnrp)->busy, 1u);
    net_end(&net);
}

/* INQUIREs with forged sources: no more bytes go out than came in, and a real resolver gets its certificate. */
Test(pnrp_cloud, a_first_contact_under_a_flood_of_inquires)
{
    struct net net;
    struct bypeer_pnrp_message message;
    struct net_result result;
    uint8_t id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct net_node *resolver = net_add(&net, node, false);
    net_publish(node, "0.here", id);
    net_run(&net, 10);
    const struct bypeer_pnrp_counters *counters = bypeer_pnrp_counters(node->pnrp);
    uint64_t in = counters->received_bytes + 48 * counters->received;
    uint64_t out = counters->sent_bytes + 48 * counters->sent;
    for (unsigned i = 0; i < 20000; i++) {
        struct bypeer_pnrp_endpoint from = stranger((uint16_t)i, 5000);
        make_inquire(id, i, &message);
        net_inject_message(&net, &from, node, &message);
        net_do_jobs(&net);
        if (i % 100 == 0)
            net_run(&net, 1);
    }
    in = counters->received_bytes + 48 * counters->received - in;
    out = counters->sent_bytes + 48 * counters->sent - out;
    cr_assert_leq(out, in);
    cr_assert_gt(counters->probes, 0u);
    cr_assert_eq(net_find(resolver, "0.here", 500, &result), 1u);
    cr_assert_arr_eq(result.id, id, 32);
    net_end(&net);
}

/* Answers count only from where the question went. */
static bool is_forged;
static struct bypeer_pnrp_endpoint forger;
static bool forge(struct net *net, const struct net_datagram *datagram, const struct bypeer_pnrp_message *message)
{
    if (message->type != BYPEER_PNRP_AUTHORITY)
        return true;
    struct net_datagram *forged = malloc(sizeof(*forged) + datagram->length);
    memcpy(forged, datagram, sizeof(*forged) + datagram->length);
    forged->from = forger;
    forged->next = net->queue;
    net->queue = forged;
    is_forged = true;
    return false;
}

Test(pnrp_cloud, an_answer_from_elsewhere_is_none)
{
    struct net net;
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct net_node *resolver = net_add(&net, node, false);
    net_publish(node, "0.here", NULL);
    forger = stranger(3, 5000);
    net.pass = forge;
    cr_assert_eq(net_find(resolver, "0.here", 2500, NULL), 0u);
    cr_assert(is_forged);
    cr_assert_gt(bypeer_pnrp_counters(resolver->pnrp)->unmatched, 0u);
    net.pass = NULL;
    cr_assert_eq(net_find(resolver, "0.here", 2500, NULL), 1u);
    net_end(&net);
}

/* The second slice of an answer is lost once. */
static unsigned slices_lost;
static bool lose_second_slice(struct net *net, const struct net_datagram *datagram,
                              const struct bypeer_pnrp_message *message)
{
    (void)net;
    (void)datagram;
    if (message->type != BYPEER_PNRP_AUTHORITY || message->authority.offset != BYPEER_PNRP_SLICE_BYTES ||
        slices_lost > 0)
        return true;
    slices_lost++;
    return false;
}

Test(pnrp_cloud, a_lost_slice_is_asked_for_again)
{
    struct net net;
    struct bypeer_peer_name name;
    struct net_result result;
    static uint8_t payload[3000] = {1, 2, 3};
    uint8_t id[32];
    uint64_t registration;
    char why[160];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct net_node *resolver = net_add(&net, node, false);
    cr_assert_eq(bypeer_name_read(&name, "0.large", why), 0);
    const struct bypeer_pnrp_registration given = {.name = &name,
                                                   .key = net.key,
                                                   .payload_type = BYPEER_PAYLOAD_BINARY,
                                                   .payload = payload,
                                                   .payload_bytes = sizeof(payload)};
    cr_assert_eq(bypeer_pnrp_register(node->pnrp, net.now, &given, &registration, id), 0);
    net.pass = lose_second_slice;
    cr_assert_eq(net_find(resolver, "0.large", 3000, &result), 1u);
    cr_assert_eq(slices_lost, 1u);
    cr_assert_eq(result.payload_bytes, (unsigned)sizeof(payload));
    cr_assert_arr_eq(result.payload, payload, sizeof(payload));
    net_end(&net);
}

/* 6.5.4 of the reference: SOLICIT, ADVERTISE, REQUEST, ACK, FLOODs. */
Test(pnrp_cloud, a_conversation_fills_a_cache)
{
    struct net net;
    uint8_t ids[4][32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct net_node *newcomer = net_add(&net, NULL, false);
    for (unsigned i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof(name), "0.name%u", i);
        net_publish(node, name, ids[i]);
    }
    net_run(&net, 100);
    memset(net.sent, 0, sizeof(net.sent));
    cr_assert_eq(bypeer_pnrp_contact(newcomer->pnrp, net.now, &node->endpoint), 0);
    net_run(&net, 200);
    cr_assert_eq(net.sent[BYPEER_PNRP_SOLICIT], 1u);
    cr_assert_eq(net.sent[BYPEER_PNRP_ADVERTISE], 1u);
    cr_assert_eq(net.sent[BYPEER_PNRP_REQUEST], 1u);
    cr_assert_eq(net.sent[BYPEER_PNRP_ACK], 1u);
    cr_assert_eq(net.sent[BYPEER_PNRP_FLOOD], 4u);
    cr_assert_eq(net.sent[BYPEER_PNRP_INQUIRE], 4u);
    for (unsigned i = 0; i < 4; i++)
        cr_assert(net_knows(newcomer, ids[i]));
    net_end(&net);
}

Test(pnrp_cloud, a_request_gets_what_was_offered_and_only_with_its_nonce)
{
    struct net net;
    uint8_t id[32], nonce[16] = {1}, hash[20], many[20][32];
    struct bypeer_pnrp_endpoint asker = stranger(1, 5000), other = stranger(1, 5001);
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    net_publish(node, "0.here", id);
    bypeer_profile_hash(net.profile, &(struct bypeer_piece){nonce, sizeof(nonce)}, 1, hash);
    const struct bypeer_pnrp_message solicit = {
        .type = BYPEER_PNRP_SOLICIT, .id = 1, .solicit = {.hashed_nonce = hash}};
    for (unsigned i = 0; i < 20; i++)
        memcpy(many[i], id, 32);
    struct bypeer_pnrp_message request = {
        .type = BYPEER_PNRP_REQUEST, .id = 2, .request = {.nonce = nonce, .ids = {many[0], 20}}};
    watch_begin(&net, asker);
    net_inject_message(&net, &asker, node, &solicit);
    cr_assert_eq(seen.count[BYPEER_PNRP_ADVERTISE], 1u);
    net_inject_message(&net, &other, node, &request);
    cr_assert_eq(seen.count[BYPEER_PNRP_FLOOD], 0u);
    nonce[0] = 2;
    net_inject_message(&net, &asker, node, &request);
    cr_assert_eq(seen.count[BYPEER_PNRP_FLOOD], 0u);
    nonce[0] = 1;
    net_inject_message(&net, &asker, node, &request);
    cr_assert_eq(seen.count[BYPEER_PNRP_ACK], 1u);
    /* One ID was offered, and it is sent once, however often it is listed. */
    cr_assert_eq(seen.count[BYPEER_PNRP_FLOOD], 1u);
    net_inject_message(&net, &asker, node, &request);
    cr_assert_eq(seen.count[BYPEER_PNRP_FLOOD], 1u);
    /* What was offered long ago is not any more. */
    net_inject_message(&net, &asker, node, &solicit);
    net.now.ms += 20000;
    net_inject_message(&net, &asker, node, &request);
    cr_assert_eq(seen.count[BYPEER_PNRP_FLOOD], 1u);
    net_end(&net);
}

/* Conversations under many false sources: so many bytes a second; who answers the probe gets what he asked for. */
Test(pnrp_cloud, conversations_with_strangers_have_a_budget)
{
    struct net net;
    uint8_t ids[5][32], nonce[16] = {1}, hash[20];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node =
        net_add_with(&net, &(struct bypeer_pnrp_settings){.answers = true, .meter = {.stranger_bytes_s = 1000}});
    struct net_node *newcomer = net_add(&net, NULL, false);
    for (unsigned i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "0.name%u", i);
        net_publish(node, name, ids[i]);
    }
    net_run(&net, 100);
    bypeer_profile_hash(net.profile, &(struct bypeer_piece){nonce, sizeof(nonce)}, 1, hash);
    const struct bypeer_pnrp_message solicit = {
        .type = BYPEER_PNRP_SOLICIT, .id = 1, .solicit = {.hashed_nonce = hash}};
    const struct bypeer_pnrp_message request = {
        .type = BYPEER_PNRP_REQUEST, .id = 2, .request = {.nonce = nonce, .ids = {ids[0], 5}}};
    const struct bypeer_pnrp_counters *counters = bypeer_pnrp_counters(node->pnrp);
    uint64_t probes = counters->probes, floods = net.sent[BYPEER_PNRP_FLOOD];
    for (unsigned i = 0; i < 30; i++) {
        struct bypeer_pnrp_endpoint from = stranger((uint16_t)i, 5000);
        net_inject_message(&net, &from, node, &solicit);
        net_inject_message(&net, &from, node, &request);
    }
    probes = counters->probes - probes;
    floods = net.sent[BYPEER_PNRP_FLOOD] - floods - probes;
    cr_assert_gt(floods, 0u);
    cr_assert_leq(floods * 196, 4u * 1000);
    cr_assert_gt(probes, 0u);
    cr_assert_eq(bypeer_pnrp_contact(newcomer->pnrp, net.now, &node->endpoint), 0);
    net_run(&net, 300);
    for (unsigned i = 0; i < 5; i++)
        cr_assert(net_knows(newcomer, ids[i]));
    net_end(&net);
}

/* False entries in FLOODs: few tests a target, nothing kept, memory bounded. */
Test(pnrp_cloud, false_entries_cost_little)
{
    struct net net;
    uint8_t id[32], victim_address[16];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    net_publish(node, "0.here", id);
    net_run(&net, 3000);
    size_t idle = bypeer_pnrp_bytes(node->pnrp);
    struct bypeer_pnrp_endpoint liar = stranger(1, 5000), victim = stranger(2, 6000);
    memcpy(victim_address, victim.address, 16);
    watch_begin(&net, victim);
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
    cr_assert_leq(seen.count[BYPEER_PNRP_INQUIRE], 8u);
    cr_assert_gt(seen.count[BYPEER_PNRP_INQUIRE], 0u);
    cr_assert_lt(bypeer_pnrp_bytes(node->pnrp), (size_t)65536);
    net_run(&net, 5000);
    cr_assert_leq(seen.count[BYPEER_PNRP_INQUIRE], 16u);
    cr_assert_eq(bypeer_cache_count(bypeer_pnrp_cache(node->pnrp)), 0u);
    cr_assert_leq(bypeer_pnrp_bytes(node->pnrp), idle);
    net_end(&net);
}

/* Whoever takes over a neighbour's ID must have its certificate. */
Test(pnrp_cloud, an_id_is_not_taken_over_without_its_key)
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
    struct bypeer_pnrp_endpoint liar = stranger(1, 5000);
    watch_begin(&net, liar);
    const struct bypeer_pnrp_message flood = {
        .type = BYPEER_PNRP_FLOOD,
        .id = 1,
        .flood = {.validate = own,
                  .entry = {.id = id, .addresses = liar.address, .address_count = 1, .port = liar.port}}};
    net_inject_message(&net, &liar, node, &flood);
    cr_assert_eq(seen.count[BYPEER_PNRP_ACK], 1u);
    cr_assert_eq(seen.count[BYPEER_PNRP_INQUIRE], 1u);
    struct bypeer_pnrp_message asked;
    cr_assert_eq(bypeer_pnrp_read(&asked, net.profile, seen.last->bytes, seen.last->length), 0);
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
Test(pnrp_cloud, an_unsecured_id_stays_with_its_node)
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
Test(pnrp_cloud, an_entry_is_known_by_the_address_that_answered)
{
    struct net net;
    uint8_t far[32], addresses[2][16];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add_with(&net, &(struct bypeer_pnrp_settings){.answers = true, .cache_entries = 1000});
    struct bypeer_pnrp_endpoint victim = stranger(2, 5000), liar = stranger(3, 5000);
    memcpy(addresses[0], victim.address, 16);
    memcpy(addresses[1], liar.address, 16);
    memset(far, 0x55, sizeof(far));
    const struct bypeer_pnrp_message flood = {
        .type = BYPEER_PNRP_FLOOD,
        .id = 1,
        .flood = {.no_ack = true,
                  .validate = zero,
                  .entry = {.id = far, .addresses = addresses[0], .address_count = 2, .port = 5000}}};
    watch_begin(&net, victim);
    net_inject_message(&net, &liar, node, &flood);
    struct bypeer_pnrp_message asked;
    cr_assert_eq(seen.count[BYPEER_PNRP_INQUIRE], 1u);
    cr_assert_eq(bypeer_pnrp_read(&asked, net.profile, seen.last->bytes, seen.last->length), 0);
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
    struct bypeer_pnrp_endpoint liar = stranger(1, 5000);
    const struct bypeer_pnrp_message flood = {
        .type = BYPEER_PNRP_FLOOD,
        .id = 1,
        .flood = {.no_ack = true, .validate = zero, .revoke = bytes, .revoke_bytes = (uint16_t)length}};
    net_inject_message(net, &liar, to, &flood);
}

/* A secure name's revocation that was kept until the name is there again under its ID: its node is asked, once. */
Test(pnrp_cloud, a_replayed_revocation_removes_nothing)
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
Test(pnrp_cloud, revocations_leave_room_for_other_signatures)
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
    struct bypeer_pnrp_endpoint asker = stranger(1, 5000);
    make_inquire(own, 40, &message);
    net_inject_message(&net, &asker, node, &message);
    cr_assert_eq(net.job_count, 3u);
    net_end(&net);
}

/* A revocation of an unsecured name that anybody signed: its node is asked, and says that it is there. */
Test(pnrp_cloud, a_forged_revocation_removes_nothing)
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

/* Registered, with a full cache and nothing to do. */
Test(pnrp_cloud, an_idle_node_is_small)
{
    struct net net;
    uint8_t id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    net_publish(node, "0.here", id);
    net_run(&net, 5000);
    uint64_t random = 1;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t other[32];
        struct bypeer_pnrp_endpoint at = stranger((uint16_t)i, 3541);
        struct bypeer_id_number number = bypeer_id_load(id);
        /* As dense everywhere as a cloud of that many is, seen from one of them. */
        for (unsigned j = 0; j < 4; j++)
            number.words[j] ^= (random = random * 6364136223846793005u + 1442695040888963407u) >> (j == 0 ? i % 17 : 0);
        bypeer_id_store(other, number);
        bypeer_pnrp_preload(
            node->pnrp, net.now,
            &(struct bypeer_pnrp_entry){.id = other, .addresses = at.address, .address_count = 1, .port = at.port});
    }
    cr_assert_gt(bypeer_cache_count(bypeer_pnrp_cache(node->pnrp)), 40u);
    cr_assert_leq(bypeer_pnrp_bytes(node->pnrp), (size_t)16384, "%zu bytes with %u entries",
                  bypeer_pnrp_bytes(node->pnrp), bypeer_cache_count(bypeer_pnrp_cache(node->pnrp)));
    net_end(&net);
}

Test(pnrp_cloud, a_resolver_comes_back_to_who_was_busy)
{
    struct net net;
    struct bypeer_pnrp_message message;
    uint8_t id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add_with(&net, &(struct bypeer_pnrp_settings){.jobs_max = 1});
    struct net_node *resolver = net_add(&net, node, false);
    net_publish(node, "0.here", id);
    struct bypeer_pnrp_endpoint first = stranger(1, 5000);
    make_inquire(id, 40, &message);
    net_inject_message(&net, &first, node, &message);
    net.is_slow = true;
    uint64_t resolve = net_resolve(resolver, "0.here", 1);
    net_run(&net, 150);
    cr_assert_gt(bypeer_pnrp_counters(node->pnrp)->busy, 0u);
    cr_assert_eq(resolver->result_count, 0u);
    net.is_slow = false;
    net_do_jobs(&net);
    net_run(&net, 350);
    cr_assert_eq(resolver->finished, resolve);
    cr_assert_eq(resolver->result_count, 1u);
    net_end(&net);
}

/* Does the jobs of one node only; returns how many others are out. */
static unsigned do_jobs_of(struct net *net, const struct net_node *node)
{
    for (unsigned i = 0; i < net->job_count;) {
        struct bypeer_pnrp_job *job = net->jobs[i];
        if (job->owner != node) {
            i++;
            continue;
        }
        net->jobs[i] = net->jobs[--net->job_count];
        bypeer_pnrp_job_run(job);
        bypeer_pnrp_job_done(node->pnrp, net->now, job);
    }
    return net->job_count;
}

/* Whose threads are all busy asks again for what it cannot check, and has no more jobs out than it may. */
Test(pnrp_cloud, a_resolver_without_a_free_thread_asks_again)
{
    struct net net;
    struct bypeer_pnrp_message message;
    uint8_t id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    const struct bypeer_pnrp_settings settings = {.jobs_max = 1, .seeds = &node->endpoint, .seed_count = 1};
    struct net_node *resolver = net_add_with(&net, &settings);
    net_publish(node, "0.here", NULL);
    net_publish(resolver, "0.own", id);
    net_run(&net, 3000);
    net.is_slow = true;
    struct bypeer_pnrp_endpoint first = stranger(1, 5000);
    make_inquire(id, 40, &message);
    net_inject_message(&net, &first, resolver, &message);
    cr_assert_eq(net.job_count, 1u);
    unsigned inquires = net.sent[BYPEER_PNRP_INQUIRE];
    uint64_t resolve = net_resolve(resolver, "0.here", 1);
    for (unsigned i = 0; i < 35; i++) {
        net_run(&net, 10);
        cr_assert_eq(do_jobs_of(&net, node), 1u);
    }
    cr_assert_geq(net.sent[BYPEER_PNRP_INQUIRE] - inquires, 2u);
    cr_assert_eq(resolver->result_count, 0u);
    net.is_slow = false;
    net_do_jobs(&net);
    net_run(&net, 300);
    cr_assert_eq(resolver->finished, resolve);
    cr_assert_eq(resolver->result_count, 1u);
    net_end(&net);
}

/* A name that is withdrawn while all threads are busy is revoked when one is free. */
Test(pnrp_cloud, a_revocation_waits_for_a_free_thread)
{
    struct net net;
    struct bypeer_pnrp_message message;
    uint8_t id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *neighbour = net_add(&net, NULL, false);
    const struct bypeer_pnrp_settings settings = {.jobs_max = 1, .seeds = &neighbour->endpoint, .seed_count = 1};
    struct net_node *node = net_add_with(&net, &settings);
    net_publish(neighbour, "0.neighbour", NULL);
    uint64_t registration = net_publish(node, "0.here", id);
    net_run(&net, 3000);
    cr_assert(net_knows(neighbour, id));
    net.is_slow = true;
    struct bypeer_pnrp_endpoint first = stranger(1, 5000);
    make_inquire(id, 40, &message);
    net_inject_message(&net, &first, node, &message);
    cr_assert_eq(net.job_count, 1u);
    cr_assert_eq(bypeer_pnrp_unregister(node->pnrp, net.now, registration), 0);
    net_run(&net, 500);
    cr_assert_eq(net.job_count, 1u);
    cr_assert_eq(node->unregistered, 0u);
    cr_assert(net_knows(neighbour, id));
    net.is_slow = false;
    net_do_jobs(&net);
    net_run(&net, 500);
    cr_assert_not(net_knows(neighbour, id));
    cr_assert_eq(node->unregistered, 1u);
    cr_assert_eq(bypeer_pnrp_counters(neighbour->pnrp)->revoked, 1u);
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
    struct bypeer_pnrp_endpoint liar = stranger(1, 5000);
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
Test(pnrp_cloud, who_is_asked_in_a_search_cannot_make_another_be_forgotten)
{
    struct bypeer_pnrp_endpoint accomplice = stranger(2, 5000);
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
Test(pnrp_cloud, a_search_does_not_follow_who_is_not_meant)
{
    struct net net;
    struct net_node *node = lies_begin(&net);
    struct bypeer_pnrp_endpoint accomplice = stranger(2, 5000);
    const uint8_t other[32] = {0x55, 0, 1};
    lies_answer(&net, node, BYPEER_AUTHORITY_NOT_LOCAL, other, &accomplice);
    net_run(&net, 1000);
    cr_assert_eq(lies.lookups, 1u);
    net_end(&net);
}

Test(pnrp_cloud, a_search_asks_no_address_that_a_node_cannot_have)
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

Test(pnrp_cloud, entries_of_other_scopes_are_none)
{
    static const uint8_t addresses[][16] = {{0xfe, 0x80, [15] = 5}, {0xff, 0x02, [15] = 5}, {[15] = 1}, {[0] = 0}};
    struct net net;
    uint8_t id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    net_publish(node, "0.here", id);
    net_run(&net, 100);
    struct bypeer_pnrp_endpoint liar = stranger(1, 5000);
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

/* From the same seeds the same datagrams. */
Test(pnrp_cloud, a_simulation_can_be_repeated)
{
    uint64_t sent[2], bytes[2];
    for (unsigned run = 0; run < 2; run++) {
        struct net net;
        net_begin(&net, BYPEER_PROFILE_MODERN);
        for (unsigned i = 0; i < 6; i++) {
            char name[16];
            snprintf(name, sizeof(name), "0.node%u", i);
            net_publish(net_add(&net, i > 0 ? &net.nodes[0] : NULL, i == 0), name, NULL);
        }
        net.loss = 50;
        net_run(&net, 60000);
        sent[run] = bytes[run] = 0;
        for (unsigned i = 0; i < 6; i++) {
            sent[run] = sent[run] * 31 + bypeer_pnrp_counters(net.nodes[i].pnrp)->sent;
            bytes[run] = bytes[run] * 31 + bypeer_pnrp_counters(net.nodes[i].pnrp)->sent_bytes;
        }
        net_end(&net);
    }
    cr_assert_eq(sent[0], sent[1]);
    cr_assert_eq(bytes[0], bytes[1]);
}

/* Conversations that strangers begin: beyond a number they are told of nobody, until the others are over. */
Test(pnrp_cloud, conversations_are_bounded)
{
    struct net net;
    struct bypeer_pnrp_message read;
    uint8_t id[32], hash[20] = {1};
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    net_publish(node, "0.here", id);
    net_run(&net, 100);
    const struct bypeer_pnrp_message solicit = {
        .type = BYPEER_PNRP_SOLICIT, .id = 1, .solicit = {.hashed_nonce = hash}};
    for (unsigned i = 0; i < 2000; i++) {
        struct bypeer_pnrp_endpoint from = stranger((uint16_t)i, 5000);
        net_inject_message(&net, &from, node, &solicit);
    }
    cr_assert_leq(bypeer_pnrp_bytes(node->pnrp), (size_t)16384);
    struct bypeer_pnrp_endpoint late = stranger(3000, 5000);
    watch_begin(&net, late);
    net_inject_message(&net, &late, node, &solicit);
    cr_assert_eq(bypeer_pnrp_read(&read, net.profile, seen.last->bytes, seen.last->length), 0);
    cr_assert_eq(read.type, BYPEER_PNRP_ADVERTISE);
    cr_assert_eq(read.advertise.ids.count, 0);
    net_run(&net, 16000);
    net_inject_message(&net, &late, node, &solicit);
    cr_assert_eq(bypeer_pnrp_read(&read, net.profile, seen.last->bytes, seen.last->length), 0);
    cr_assert_eq(read.advertise.ids.count, 1);
    net_end(&net);
}
