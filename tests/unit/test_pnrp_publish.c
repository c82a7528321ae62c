/* Names in clouds of a few nodes: what is published on one is found on any other, and what is gone is not. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdio.h>

#include "tests/unit/pnrp_net.h"

ParameterizedTestParameters(pnrp_publish, two_nodes)
{
    static int profiles[] = {BYPEER_PROFILE_MODERN, BYPEER_PROFILE_WINDOWS};
    return cr_make_param_array(int, profiles, 2);
}

ParameterizedTest(int *profile, pnrp_publish, two_nodes)
{
    struct net net;
    struct net_result result;
    char name[BYPEER_NAME_TEXT_MAX];
    uint8_t id[32];
    net_begin(&net, (enum bypeer_profile_id) * profile);
    struct net_node *publisher = net_add(&net, NULL, false);
    struct net_node *resolver = net_add(&net, publisher, false);
    net_secure_name(&net, "printer", name);
    net_publish(publisher, name, id);
    /* At once, with an empty cache: the seed is asked. */
    cr_assert_eq(net_find(resolver, name, 1000, &result), 1u);
    cr_assert_arr_eq(result.id, id, 32);
    cr_assert_str_eq(result.name, name);
    cr_assert_str_eq(result.comment, "of a test");
    cr_assert_eq(result.application_count, 1u);
    cr_assert_arr_eq(result.applications[0].address, publisher->endpoint.address, 16);
    cr_assert_eq(result.applications[0].port, 80);
    cr_assert_eq(result.service_count, 1u);
    /* The way there ends where the certificate came from. */
    cr_assert(resolver->hop.validation);
    cr_assert_eq(resolver->hop.verdict, BYPEER_HOP_ACCEPTED);
    cr_assert_arr_eq(resolver->hop.endpoint.address, publisher->endpoint.address, 16);
    net_end(&net);
}

/* Ten nodes, of which the first is everybody's seed; each publishes a name. */
static void ten_nodes(struct net *net, uint8_t ids[10][32], uint64_t registrations[10])
{
    net_begin(net, BYPEER_PROFILE_MODERN);
    for (unsigned i = 0; i < 10; i++) {
        char name[32];
        struct net_node *node = net_add(net, i > 0 ? &net->nodes[0] : NULL, i == 0);
        snprintf(name, sizeof(name), "0.node%u", i);
        registrations[i] = net_publish(node, name, ids[i]);
    }
}

Test(pnrp_publish, ten_nodes_find_each_other)
{
    struct net net;
    uint8_t ids[10][32];
    uint64_t registrations[10];
    ten_nodes(&net, ids, registrations);
    net_run(&net, 1000);
    for (unsigned i = 0; i < 10; i++)
        for (unsigned j = 0; j < 10; j++) {
            char name[32];
            struct net_result result;
            snprintf(name, sizeof(name), "0.node%u", j);
            if (i == j)
                continue;
            cr_assert_eq(net_find(&net.nodes[i], name, 1000, &result), 1u, "%u finds %u", i, j);
            cr_assert_arr_eq(result.id, ids[j], 32);
        }
    net_end(&net);
}

Test(pnrp_publish, found_on_any_other_within_a_second_and_gone_likewise)
{
    struct net net;
    uint8_t ids[10][32], id[32];
    uint64_t registrations[10];
    struct net_result result;
    ten_nodes(&net, ids, registrations);
    net_run(&net, 5000);
    for (unsigned i = 0; i < 10; i++) {
        char name[32];
        struct net_node *finder = &net.nodes[(i + 7) % 10];
        snprintf(name, sizeof(name), "0.late%u", i);
        uint64_t registration = net_publish(&net.nodes[i], name, id);
        cr_assert_eq(net_find(finder, name, 1000, &result), 1u, "late%u", i);
        cr_assert_arr_eq(result.id, id, 32);
        cr_assert_eq(bypeer_pnrp_unregister(net.nodes[i].pnrp, net.now, registration), 0);
        net_run(&net, 20);
        for (unsigned j = 0; j < 10; j++)
            cr_assert_eq(net_find(&net.nodes[j], name, 300, NULL), 0u);
        net_run(&net, 5000);
        cr_assert_eq(net.nodes[i].unregistered, 1u);
        for (unsigned j = 0; j < 10; j++)
            cr_assert_not(net_knows(&net.nodes[j], id), "%u still knows late%u", j, i);
    }
    net_end(&net);
}

Test(pnrp_publish, names_of_the_living_are_found_after_three_are_killed)
{
    struct net net;
    uint8_t ids[10][32];
    uint64_t registrations[10];
    struct net_result result;
    ten_nodes(&net, ids, registrations);
    net_run(&net, 30000);
    net_kill(&net.nodes[3]);
    net_kill(&net.nodes[5]);
    net_kill(&net.nodes[8]);
    for (unsigned i = 0; i < 10; i++)
        for (unsigned j = 0; j < 10; j++) {
            char name[32];
            snprintf(name, sizeof(name), "0.node%u", j);
            if (i == j || !net.nodes[i].pnrp)
                continue;
            if (net.nodes[j].pnrp)
                cr_assert_eq(net_find(&net.nodes[i], name, 10000, &result), 1u, "%u finds %u", i, j);
            else
                cr_assert_eq(net_find(&net.nodes[i], name, 100, &result), 0u);
        }
    net_end(&net);
}

Test(pnrp_publish, a_node_that_moved_is_found_where_it_is)
{
    struct net net;
    uint8_t ids[10][32];
    uint64_t registrations[10];
    struct net_result result;
    char name[BYPEER_NAME_TEXT_MAX];
    ten_nodes(&net, ids, registrations);
    net_secure_name(&net, "moves", name);
    net_publish(&net.nodes[4], name, NULL);
    net_run(&net, 10000);
    net_move(&net.nodes[4], 77);
    net_run(&net, 1000);
    cr_assert_eq(net_find(&net.nodes[2], name, 1000, &result), 1u);
    cr_assert_arr_eq(result.applications[0].address, net.nodes[4].endpoint.address, 16);
    /* Anybody can sign for such a name: each that hears of it asks first whether it is where it was. */
    net_run(&net, 30000);
    for (unsigned i = 0; i < 10; i++) {
        if (i == 4)
            continue;
        cr_assert_eq(net_find(&net.nodes[i], "0.node4", 1000, &result), 1u, "by %u", i);
        cr_assert_arr_eq(result.id, ids[4], 32);
        cr_assert_arr_eq(result.applications[0].address, net.nodes[4].endpoint.address, 16);
    }
    net_end(&net);
}

Test(pnrp_publish, several_instances_of_a_name)
{
    struct net net;
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *seed = net_add(&net, NULL, true);
    for (unsigned i = 0; i < 6; i++)
        net_publish(net_add(&net, seed, false), "0.shared", NULL);
    struct net_node *resolver = net_add(&net, seed, false);
    net_run(&net, 3000);
    uint64_t resolve = net_resolve(resolver, "0.shared", 6);
    net_run(&net, 10000);
    cr_assert_eq(resolver->finished, resolve);
    cr_assert_eq(resolver->status, 0);
    cr_assert_eq(resolver->result_count, 6u);
    for (unsigned i = 0; i < 6; i++)
        for (unsigned j = 0; j < i; j++)
            cr_assert_arr_neq(resolver->results[i].id, resolver->results[j].id, 32);
    net_end(&net);
}

Test(pnrp_publish, a_name_that_nobody_has_is_not_found)
{
    struct net net;
    uint8_t ids[10][32];
    uint64_t registrations[10];
    ten_nodes(&net, ids, registrations);
    net_run(&net, 2000);
    uint64_t resolve = net_resolve(&net.nodes[2], "0.nobody", 1);
    net_run(&net, 31000);
    cr_assert_eq(net.nodes[2].finished, resolve);
    cr_assert_eq(net.nodes[2].status, -ENOENT);
    net_end(&net);
}

Test(pnrp_publish, nobody_there)
{
    struct net net;
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *seed = net_add(&net, NULL, true);
    struct net_node *resolver = net_add(&net, seed, false);
    net_kill(seed);
    uint64_t resolve = net_resolve(resolver, "0.nobody", 1);
    net_run(&net, 31000);
    cr_assert_eq(resolver->finished, resolve);
    cr_assert_eq(resolver->status, -ETIMEDOUT);
    cr_assert_eq(bypeer_pnrp_state(resolver->pnrp), BYPEER_PNRP_ALONE);
    net_end(&net);
}

Test(pnrp_publish, a_tenth_of_all_datagrams_lost)
{
    struct net net;
    uint8_t ids[10][32];
    uint64_t registrations[10];
    ten_nodes(&net, ids, registrations);
    net.loss = 100;
    net_run(&net, 30000);
    for (unsigned i = 0; i < 10; i++)
        for (unsigned j = 0; j < 10; j++) {
            char name[32];
            snprintf(name, sizeof(name), "0.node%u", j);
            if (i != j)
                cr_assert_eq(net_find(&net.nodes[i], name, 30000, NULL), 1u, "%u finds %u", i, j);
        }
    net_end(&net);
}

Test(pnrp_publish, restart_keeps_the_id)
{
    struct net net;
    struct bypeer_peer_name name;
    const struct bypeer_application application = {.port = 80, .protocol = 6};
    uint8_t id[32], again[32];
    uint64_t registration;
    char why[160];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct net_node *after = net_add(&net, node, false);
    net_publish(node, "0.stays", id);
    net_kill(node);
    cr_assert_eq(bypeer_name_read(&name, "0.stays", why), 0);
    struct bypeer_pnrp_registration given = {
        .name = &name, .key = net.key, .applications = &application, .application_count = 1, .has_location = true};
    memcpy(given.location, id + 16, 16);
    cr_assert_eq(bypeer_pnrp_register(after->pnrp, net.now, &given, &registration, again), 0);
    cr_assert_arr_eq(id, again, 32);
    cr_assert_eq(bypeer_pnrp_register(after->pnrp, net.now, &given, &registration, again), -EEXIST);
    net_end(&net);
}

/* What is published later is what is found; a payload of several datagrams comes whole. */
Test(pnrp_publish, payload_and_update)
{
    struct net net;
    struct bypeer_peer_name name;
    struct net_result result;
    static uint8_t payload[BYPEER_PAYLOAD_MAX];
    char text[BYPEER_NAME_TEXT_MAX], why[160];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *publisher = net_add(&net, NULL, false);
    struct net_node *resolver = net_add(&net, publisher, false);
    net_secure_name(&net, "large", text);
    uint64_t registration = net_publish(publisher, text, NULL);
    cr_assert_eq(net_find(resolver, text, 1000, &result), 1u);
    cr_assert_eq(result.payload_type, BYPEER_PAYLOAD_NONE);
    cr_assert_eq(bypeer_name_read(&name, text, why), 0);
    for (unsigned i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7);
    const struct bypeer_pnrp_registration contents = {.name = &name,
                                                      .key = net.key,
                                                      .comment = "changed",
                                                      .payload_type = BYPEER_PAYLOAD_BINARY,
                                                      .payload = payload,
                                                      .payload_bytes = sizeof(payload)};
    cr_assert_eq(bypeer_pnrp_update(publisher->pnrp, registration, &contents), 0);
    cr_assert_eq(net_find(resolver, text, 3000, &result), 1u);
    cr_assert_str_eq(result.comment, "changed");
    cr_assert_eq(result.application_count, 0u);
    cr_assert_eq(result.payload_type, BYPEER_PAYLOAD_BINARY);
    cr_assert_eq(result.payload_bytes, (unsigned)sizeof(payload));
    cr_assert_arr_eq(result.payload, payload, sizeof(payload));
    net_end(&net);
}

/* What could never be signed or sent is refused at once, and what there is stays. */
Test(pnrp_publish, contents_that_cannot_be_answered_are_refused)
{
    struct net net;
    struct bypeer_peer_name name;
    struct net_result result;
    static uint8_t payload[BYPEER_PAYLOAD_MAX], chain[32768];
    uint8_t id[32];
    uint64_t registration, other;
    char text[BYPEER_NAME_TEXT_MAX], why[160];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *publisher = net_add(&net, NULL, false);
    struct net_node *resolver = net_add(&net, publisher, false);
    net_secure_name(&net, "text", text);
    cr_assert_eq(bypeer_name_read(&name, text, why), 0);
    memset(payload, 'a', sizeof(payload));
    struct bypeer_pnrp_registration given = {.name = &name,
                                             .key = net.key,
                                             .payload_type = BYPEER_PAYLOAD_STRING,
                                             .payload = payload,
                                             .payload_bytes = sizeof(payload)};
    cr_assert_eq(bypeer_pnrp_register(publisher->pnrp, net.now, &given, &registration, id), -EINVAL);
    given.payload_bytes--;
    cr_assert_eq(bypeer_pnrp_register(publisher->pnrp, net.now, &given, &registration, id), 0);
    payload[7] = 0;
    cr_assert_eq(bypeer_pnrp_update(publisher->pnrp, registration, &given), -EINVAL);
    given.payload_type = BYPEER_PAYLOAD_BINARY;
    given.payload_bytes = sizeof(payload);
    given.chain = chain;
    given.chain_bytes = sizeof(chain);
    cr_assert_eq(bypeer_pnrp_update(publisher->pnrp, registration, &given), -EINVAL);
    cr_assert_eq(bypeer_pnrp_register(publisher->pnrp, net.now, &given, &other, id), -EINVAL);
    cr_assert_eq(net_find(resolver, text, 3000, &result), 1u);
    cr_assert_eq(result.payload_type, BYPEER_PAYLOAD_STRING);
    cr_assert_eq(result.payload_bytes, (unsigned)sizeof(payload) - 1);
    net_end(&net);
}

/* Somebody on the way takes the signed payload out of the answer. */
static unsigned stripped;
static bool strip_payload(struct net *net, const struct net_datagram *datagram,
                          const struct bypeer_pnrp_message *message)
{
    struct bypeer_pnrp_answer answer;
    uint8_t buffer[BYPEER_PNRP_SLICE_BYTES];
    if (message->type != BYPEER_PNRP_AUTHORITY ||
        bypeer_pnrp_answer_read(&answer, net->profile, message->authority.slice, message->authority.slice_bytes) < 0 ||
        !answer.payload)
        return true;
    answer.payload = NULL;
    struct bypeer_pnrp_message rest = *message;
    size_t length = bypeer_pnrp_answer_write(&answer, net->profile, buffer, sizeof(buffer));
    rest.authority.size = rest.authority.slice_bytes = (uint16_t)length;
    rest.authority.slice = buffer;
    for (unsigned i = 0; i < net->node_count; i++)
        if (memcmp(net->nodes[i].endpoint.address, datagram->to.address, 16) == 0)
            net_inject_message(net, &datagram->from, &net->nodes[i], &rest);
    stripped++;
    return false;
}

Test(pnrp_publish, a_certificate_without_its_payload_is_none)
{
    struct net net;
    struct bypeer_peer_name name;
    struct net_result result;
    static const uint8_t payload[] = "important";
    uint8_t id[32];
    uint64_t registration;
    char text[BYPEER_NAME_TEXT_MAX], why[160];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *publisher = net_add(&net, NULL, false);
    struct net_node *resolver = net_add(&net, publisher, false);
    net_secure_name(&net, "text", text);
    cr_assert_eq(bypeer_name_read(&name, text, why), 0);
    const struct bypeer_pnrp_registration given = {.name = &name,
                                                   .key = net.key,
                                                   .payload_type = BYPEER_PAYLOAD_BINARY,
                                                   .payload = payload,
                                                   .payload_bytes = sizeof(payload)};
    cr_assert_eq(bypeer_pnrp_register(publisher->pnrp, net.now, &given, &registration, id), 0);
    net_run(&net, 1000);
    net.pass = strip_payload;
    cr_assert_eq(net_find(resolver, text, 2000, NULL), 0u);
    cr_assert_gt(stripped, 0u);
    net.pass = NULL;
    cr_assert_eq(net_find(resolver, text, 2000, &result), 1u);
    cr_assert_eq(result.payload_bytes, (unsigned)sizeof(payload));
    net_end(&net);
}

Test(pnrp_publish, own_names_only_when_wanted)
{
    struct net net;
    struct bypeer_peer_name name;
    uint64_t resolve;
    char why[160];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    struct net_node *other = net_add(&net, node, false);
    net_publish(node, "0.mine", NULL);
    net_publish(other, "0.yours", NULL);
    net_run(&net, 1000);
    cr_assert_eq(net_find(node, "0.mine", 2000, NULL), 0u);
    cr_assert_eq(bypeer_name_read(&name, "0.mine", why), 0);
    const struct bypeer_pnrp_query query = {.name = &name, .criterion = BYPEER_PNRP_ANY, .own = true};
    cr_assert_eq(bypeer_pnrp_resolve(node->pnrp, net.now, &query, &resolve), 0);
    net_run(&net, 10);
    cr_assert_eq(node->finished, resolve);
    cr_assert_eq(node->status, 0);
    cr_assert_eq(node->result_count, 1u);
    cr_assert_arr_eq(node->results[0].applications[0].address, node->endpoint.address, 16);
    net_end(&net);
}

/* Half of a cloud is cut off for a minute, the only seed in the other half. */
Test(pnrp_publish, a_cloud_cut_in_two_finds_itself_again)
{
    struct net net;
    uint8_t ids[10][32];
    uint64_t registrations[10];
    ten_nodes(&net, ids, registrations);
    net_run(&net, 60000);
    for (unsigned i = 0; i < 10; i++)
        net.nodes[i].side = i % 2;
    net.is_cut = true;
    net_run(&net, 60000);
    for (unsigned i = 0; i < 10; i++)
        for (unsigned j = 0; j < 10; j++) {
            char name[32];
            snprintf(name, sizeof(name), "0.node%u", j);
            if (i != j && i % 2 == j % 2)
                cr_assert_eq(net_find(&net.nodes[i], name, 10000, NULL), 1u, "cut: %u finds %u", i, j);
        }
    net_run(&net, 240000);
    for (unsigned i = 0; i < 10; i += 2)
        for (unsigned j = 1; j < 10; j += 2)
            cr_assert_not(net_knows(&net.nodes[i], ids[j]));
    net.is_cut = false;
    net_run(&net, 60000);
    for (unsigned i = 0; i < 10; i++)
        for (unsigned j = 0; j < 10; j++) {
            char name[32];
            snprintf(name, sizeof(name), "0.node%u", j);
            if (i != j)
                cr_assert_eq(net_find(&net.nodes[i], name, 2000, NULL), 1u, "again: %u finds %u", i, j);
        }
    net_end(&net);
}

/* The instance that is nearest has gone without a word: the other one is found. */
Test(pnrp_publish, another_instance_when_one_is_dead)
{
    struct net net;
    struct net_result result;
    uint8_t ids[2][32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *seed = net_add(&net, NULL, true);
    struct net_node *first = net_add(&net, seed, false), *second = net_add(&net, seed, false);
    struct net_node *resolver = net_add(&net, seed, false);
    net_publish(first, "0.twice", ids[0]);
    net_publish(second, "0.twice", ids[1]);
    net_run(&net, 3000);
    cr_assert_eq(net_find(resolver, "0.twice", 1000, &result), 1u);
    bool is_first = memcmp(result.id, ids[0], 32) == 0;
    net_kill(is_first ? first : second);
    cr_assert_eq(net_find(resolver, "0.twice", 6000, &result), 1u);
    cr_assert_arr_eq(result.id, ids[is_first ? 1 : 0], 32);
    net_end(&net);
}

Test(pnrp_publish, a_name_waits_for_the_network)
{
    struct net net;
    uint8_t id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *seed = net_add(&net, NULL, true);
    struct net_node *node = net_add(&net, seed, false), *resolver = net_add(&net, seed, false);
    cr_assert_eq(bypeer_pnrp_set_endpoints(node->pnrp, net.now, NULL, 0), 0);
    net_publish(node, "0.waits", id);
    net_run(&net, 3000);
    cr_assert(node->advertises);
    cr_assert_eq(net_find(resolver, "0.waits", 500, NULL), 0u);
    cr_assert_eq(bypeer_pnrp_set_endpoints(node->pnrp, net.now, &node->endpoint, 1), 0);
    net_run(&net, 200);
    cr_assert_eq(net_find(resolver, "0.waits", 1000, NULL), 1u);
    net_end(&net);
}

/* With nobody to tell, a name is gone at once. */
Test(pnrp_publish, leaving_alone)
{
    struct net net;
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *node = net_add(&net, NULL, false);
    uint64_t registration = net_publish(node, "0.alone", NULL);
    net_run(&net, 100);
    cr_assert(node->advertises);
    cr_assert_eq(bypeer_pnrp_unregister(node->pnrp, net.now, registration), 0);
    cr_assert_eq(bypeer_pnrp_unregister(node->pnrp, net.now, registration), -ENOENT);
    net_run(&net, 0);
    cr_assert_eq(node->unregistered, 1u);
    cr_assert_not(node->advertises);
    net_end(&net);
}

/* Nobody was reachable for so long that everybody was forgotten; there is no seed. */
static bool lose_all(struct net *net, const struct net_datagram *datagram, const struct bypeer_pnrp_message *message)
{
    (void)net;
    (void)datagram;
    (void)message;
    return false;
}

Test(pnrp_publish, an_outage_is_survived_without_a_seed)
{
    struct net net;
    uint8_t ids[10][32];
    uint64_t registrations[10];
    ten_nodes(&net, ids, registrations);
    net_run(&net, 60000);
    bypeer_pnrp_set_seeds(net.nodes[3].pnrp, NULL, 0);
    net.pass = lose_all;
    net_run(&net, 600000);
    cr_assert_eq(bypeer_cache_count(bypeer_pnrp_cache(net.nodes[3].pnrp)), 0u);
    net.pass = NULL;
    net_run(&net, 60000);
    cr_assert_eq(net_find(&net.nodes[3], "0.node7", 1000, NULL), 1u);
    cr_assert_eq(net_find(&net.nodes[7], "0.node3", 1000, NULL), 1u);
    net_end(&net);
}
