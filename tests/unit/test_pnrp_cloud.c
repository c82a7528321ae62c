/* One node among others, some of them broken, overrun or absent: what it answers, ignores, counts and keeps. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "tests/unit/pnrp_stranger.h"

Test(pnrp_cloud, lookups_are_answered_with_the_nearest)
{
    struct net net;
    struct bypeer_pnrp_message message;
    struct bypeer_pnrp_answer answer;
    uint8_t id[32], other[32], path[18];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct bypeer_pnrp_endpoint asker = net_stranger(1, 5000);
    bypeer_pnrp_endpoint_put(path, &asker);
    net_watch(&net, asker);

    /* A node that nobody finds anything at says that it is not who is meant, and no more. */
    memset(other, 7, sizeof(other));
    net_make_lookup(other, other, path, &message);
    net_inject_message(&net, &asker, node, &message);
    net_last_answer(&net, &answer);
    cr_assert_eq(answer.flags, BYPEER_AUTHORITY_NOT_LOCAL);
    cr_assert_null(answer.entry.id);

    net_publish(node, "0.here", id);
    net_inject_message(&net, &asker, node, &message);
    net_last_answer(&net, &answer);
    cr_assert_eq(answer.flags & BYPEER_AUTHORITY_NOT_LOCAL, BYPEER_AUTHORITY_NOT_LOCAL);
    cr_assert_arr_eq(answer.entry.id, id, 32);
    cr_assert_arr_eq(answer.entry.addresses, node->endpoint.address, 16);

    /* To be asked for itself: there is nothing nearer. */
    net_make_lookup(other, id, path, &message);
    net_inject_message(&net, &asker, node, &message);
    net_last_answer(&net, &answer);
    cr_assert_eq(answer.flags & BYPEER_AUTHORITY_NOT_LOCAL, 0);
    cr_assert_null(answer.entry.id);
    cr_assert_eq(answer.flags & BYPEER_AUTHORITY_LEAF_SET, BYPEER_AUTHORITY_LEAF_SET);

    /* It was asked already. */
    net_make_lookup(other, other, path, &message);
    bypeer_pnrp_endpoint_put(path, &node->endpoint);
    net_inject_message(&net, &asker, node, &message);
    net_last_answer(&net, &answer);
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
    struct bypeer_pnrp_endpoint asker = net_stranger(1, 5000), many = net_stranger(2, 5000);
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
    net_watch(&net, asker);
    net_make_lookup(far, id, path, &message);
    size_t length = bypeer_pnrp_write(&message, net.profile, bytes, sizeof(bytes));
    net_inject(&net, &asker, node, bytes, length);
    net_last_answer(&net, &answer);
    cr_assert_arr_eq(answer.entry.id, far, 32);
    cr_assert_leq(net_seen.last->length, length);
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
    struct bypeer_pnrp_endpoint asker = net_stranger(1, 5000), low = net_stranger(1, 1024);
    const struct bypeer_pnrp_message message = {.type = BYPEER_PNRP_INQUIRE, .id = 3, .inquire = {.validate = id}};
    const struct bypeer_pnrp_counters *counters = bypeer_pnrp_counters(node->pnrp);
    net_watch(&net, asker);

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
    cr_assert_eq(net_seen.bytes, 0u);
    net_inject(&net, &asker, node, bytes, length);
    cr_assert_eq(net_seen.count[BYPEER_PNRP_AUTHORITY], 1u);
    cr_assert_eq(counters->received, 5u);
    net_end(&net);
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
    struct bypeer_pnrp_endpoint asker = net_stranger(1, 5000);
    net_watch(&net, asker);
    net.is_slow = true;
    net_make_inquire(id, 40, &message);
    net_inject_message(&net, &asker, node, &message);
    net_inject_message(&net, &asker, node, &message);
    cr_assert_eq(net.job_count, 1u);
    net_do_jobs(&net);
    cr_assert_eq(net_seen.count[BYPEER_PNRP_AUTHORITY], 1u);
    net_last_answer(&net, &answer);
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
    struct bypeer_pnrp_endpoint first = net_stranger(1, 5000), second = net_stranger(2, 5000);
    net_make_inquire(id, 40, &message);
    net_inject_message(&net, &first, node, &message);
    net_watch(&net, second);
    net_inject_message(&net, &second, node, &message);
    cr_assert_eq(net.job_count, 1u);
    net_last_answer(&net, &answer);
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
        struct bypeer_pnrp_endpoint from = net_stranger((uint16_t)i, 5000);
        net_make_inquire(id, i, &message);
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
    forger = net_stranger(3, 5000);
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
    struct bypeer_pnrp_endpoint asker = net_stranger(1, 5000), other = net_stranger(1, 5001);
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
    net_watch(&net, asker);
    net_inject_message(&net, &asker, node, &solicit);
    cr_assert_eq(net_seen.count[BYPEER_PNRP_ADVERTISE], 1u);
    net_inject_message(&net, &other, node, &request);
    cr_assert_eq(net_seen.count[BYPEER_PNRP_FLOOD], 0u);
    nonce[0] = 2;
    net_inject_message(&net, &asker, node, &request);
    cr_assert_eq(net_seen.count[BYPEER_PNRP_FLOOD], 0u);
    nonce[0] = 1;
    net_inject_message(&net, &asker, node, &request);
    cr_assert_eq(net_seen.count[BYPEER_PNRP_ACK], 1u);
    /* One ID was offered, and it is sent once, however often it is listed. */
    cr_assert_eq(net_seen.count[BYPEER_PNRP_FLOOD], 1u);
    net_inject_message(&net, &asker, node, &request);
    cr_assert_eq(net_seen.count[BYPEER_PNRP_FLOOD], 1u);
    /* What was offered long ago is not any more. */
    net_inject_message(&net, &asker, node, &solicit);
    net.now.ms += 20000;
    net_inject_message(&net, &asker, node, &request);
    cr_assert_eq(net_seen.count[BYPEER_PNRP_FLOOD], 1u);
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
        struct bypeer_pnrp_endpoint from = net_stranger((uint16_t)i, 5000);
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
        struct bypeer_pnrp_endpoint at = net_stranger((uint16_t)i, 3541);
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
    struct bypeer_pnrp_endpoint first = net_stranger(1, 5000);
    net_make_inquire(id, 40, &message);
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
    struct bypeer_pnrp_endpoint first = net_stranger(1, 5000);
    net_make_inquire(id, 40, &message);
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
    struct bypeer_pnrp_endpoint first = net_stranger(1, 5000);
    net_make_inquire(id, 40, &message);
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
        struct bypeer_pnrp_endpoint from = net_stranger((uint16_t)i, 5000);
        net_inject_message(&net, &from, node, &solicit);
    }
    cr_assert_leq(bypeer_pnrp_bytes(node->pnrp), (size_t)16384);
    struct bypeer_pnrp_endpoint late = net_stranger(3000, 5000);
    net_watch(&net, late);
    net_inject_message(&net, &late, node, &solicit);
    cr_assert_eq(bypeer_pnrp_read(&read, net.profile, net_seen.last->bytes, net_seen.last->length), 0);
    cr_assert_eq(read.type, BYPEER_PNRP_ADVERTISE);
    cr_assert_eq(read.advertise.ids.count, 0);
    net_run(&net, 16000);
    net_inject_message(&net, &late, node, &solicit);
    cr_assert_eq(bypeer_pnrp_read(&read, net.profile, net_seen.last->bytes, net_seen.last->length), 0);
    cr_assert_eq(read.advertise.ids.count, 1);
    net_end(&net);
}
