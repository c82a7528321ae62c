/* Nodes with sockets of their own on one loop: what one publishes the other finds, over reloads and restarts. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "clouds_fixture.h"
#include "control/identity/identities.h"
#include "control/names/cloud.h"

TestSuite(clouds, .init = clouds_set_up, .fini = clouds_tear_down, .timeout = 120);

Test(clouds, what_is_published_is_found_with_all_that_belongs_to_it)
{
    char id[65], found[65];
    clouds_publish(
        &clouds_alpha,
        "{\"name\":\"0.web\",\"port\":8080,\"comment\":\"tür\",\"payload\":\"AP8=\",\"payload_type\":\"binary\"}", id);
    cr_assert_eq(clouds_find(&clouds_beta, "0.web", found), 1);
    cr_assert_str_eq(found, id);
    json_t *result = clouds_ask(&clouds_beta, "names.resolve", "{\"name\":\"WEB.pnrp.net.\"}");
    const json_t *first = json_array_get(json_object_get(result, "results"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(first, "comment")), "tür");
    cr_assert_str_eq(json_string_value(json_object_get(first, "payload")), "AP8=");
    cr_assert_str_eq(json_string_value(json_object_get(first, "payload_type")), "binary");
    cr_assert_str_eq(clouds_text_at(first, "endpoints", 0, "address"), "2001:db8::1");
    cr_assert_str_eq(clouds_text_at(first, "endpoints", 0, "protocol"), "tcp");
    json_decref(result);

    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.publish", "{\"name\":\"0.web\",\"port\":1}"), "name_exists");
    result = clouds_ask(&clouds_alpha, "names.update",
                        "{\"name\":\"0.web\",\"endpoints\":[{\"address\":\"2001:db8::9\",\"port\":1}]}");
    json_decref(result);
    result = clouds_ask(&clouds_beta, "names.resolve", "{\"name\":\"0.web\"}");
    first = json_array_get(json_object_get(result, "results"), 0);
    cr_assert_str_eq(clouds_text_at(first, "endpoints", 0, "address"), "2001:db8::9");
    cr_assert_null(json_object_get(first, "payload"));
    json_decref(result);

    json_decref(clouds_ask(&clouds_alpha, "names.unpublish", "{\"name\":\"0.web\"}"));
    cr_assert_str_eq(clouds_refusal(&clouds_beta, "names.resolve", "{\"name\":\"0.web\",\"timeout_ms\":300}"),
                     "name_not_found");
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.unpublish", "{\"name\":\"0.web\"}"), "not_published");
}

Test(clouds, a_classifier_is_published_under_the_identity_of_this_node)
{
    json_t *result = clouds_ask(&clouds_alpha, "names.publish", "{\"classifier\":\"printer\",\"port\":631}");
    char name[512], path[256];
    snprintf(name, sizeof(name), "%s", json_string_value(json_object_get(result, "name")));
    json_decref(result);
    cr_assert_eq(strlen(name), 48);
    struct stat status;
    snprintf(path, sizeof(path), "%s/identities/%.40s/%.40s.pem", clouds_alpha.fixture.directory, name, name);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
    cr_assert_eq(clouds_find(&clouds_beta, name, NULL), 1);
    /* It is nobody else's to publish. */
    char parameters[600];
    snprintf(parameters, sizeof(parameters), "{\"name\":\"%s\",\"port\":1}", name);
    cr_assert_str_eq(clouds_refusal(&clouds_beta, "names.publish", parameters), "no_such_identity");
}

/* Both while the old key is valid and when it is gone; the resolver checks the chain from the first key. */
Test(clouds, a_name_stays_when_the_key_of_its_identity_is_replaced)
{
    char name[512], parameters[600];
    json_t *result = clouds_ask(&clouds_alpha, "names.publish", "{\"classifier\":\"printer\",\"port\":631}");
    snprintf(name, sizeof(name), "%s", json_string_value(json_object_get(result, "name")));
    json_decref(result);
    snprintf(parameters, sizeof(parameters), "{\"identity\":\"%.40s\"}", name);
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "identities.delete", parameters), "identity_in_use");
    json_decref(clouds_ask(&clouds_alpha, "identities.rotate", "{\"overlap_s\":0}"));
    cr_assert_eq(clouds_find(&clouds_beta, name, NULL), 1);
    bypeer_identities_expire(clouds_alpha.fixture.node.identities, (uint64_t)time(NULL) + 1);
    result = clouds_ask(&clouds_alpha, "identities.show", "{}");
    cr_assert(json_is_null(json_object_get(json_object_get(result, "identity"), "old_key_until")));
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(result, "identity"), "rotations")), 1);
    json_decref(result);
    clouds_stop(&clouds_alpha);
    clouds_start(&clouds_alpha);
    cr_assert_eq(clouds_find(&clouds_beta, name, NULL), 1);
}

Test(clouds, a_restart_brings_back_the_same_registration)
{
    char id[65], again[65];
    clouds_publish(&clouds_alpha, "{\"name\":\"0.durable\",\"port\":80}", id);
    cr_assert_eq(clouds_find(&clouds_beta, "0.durable", again), 1);
    clouds_stop(&clouds_alpha);
    clouds_start(&clouds_alpha);
    json_t *list = clouds_ask(&clouds_alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 1);
    cr_assert_str_eq(clouds_text_at(list, "names", 0, "id"), id);
    cr_assert_str_eq(clouds_text_at(list, "names", 0, "state"), "published");
    json_decref(list);
    cr_assert_eq(clouds_find(&clouds_beta, "0.durable", again), 1);
    cr_assert_str_eq(again, id);
}

Test(clouds, nodes_are_remembered_for_the_next_start)
{
    clouds_publish(&clouds_alpha, "{\"name\":\"0.here\",\"port\":80}", NULL);
    clouds_publish(&clouds_beta, "{\"name\":\"0.there\",\"port\":80}", NULL);
    cr_assert_eq(clouds_find(&clouds_beta, "0.here", NULL), 1);
    clouds_stop(&clouds_beta);
    /* No seed any more: who was verified last is asked. */
    static const char without[] = "node: { name: beta, state: %s }\n"
                                  "clouds:\n"
                                  "  - { name: global, addresses: [\"2001:db8::2\"] }\n";
    node_fixture_write(&clouds_beta.fixture, clouds_configuration(&clouds_beta, without));
    clouds_start(&clouds_beta);
    cr_assert_eq(clouds_find(&clouds_beta, "0.here", NULL), 1);
}

Test(clouds, a_reload_opens_changes_and_closes_clouds)
{
    static const char two[] = "node: { name: alpha, state: %s }\n"
                              "clouds:\n"
                              "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 500 }\n"
                              "  - { name: second, addresses: [\"2001:db8::3\"], port: 4000, answers: true }\n";
    static const char none[] = "node: { name: alpha, state: %s }\n";
    char id[65], found[65];
    clouds_publish(&clouds_alpha, "{\"name\":\"0.web\",\"port\":80}", id);
    cr_assert_eq(clouds_find(&clouds_beta, "0.web", found), 1);

    clouds_reload(&clouds_alpha, two); /* another cache: the cloud is opened anew, with the same registration */
    json_t *list = clouds_ask(&clouds_alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 2, "in both clouds");
    cr_assert_str_eq(clouds_text_at(list, "names", 0, "id"), id);
    cr_assert_str_eq(clouds_text_at(list, "names", 1, "cloud"), "second");
    json_decref(list);
    cr_assert_eq(clouds_find(&clouds_beta, "0.web", found), 1);
    cr_assert_str_eq(found, id);

    clouds_reload(&clouds_alpha, none);
    list = clouds_ask(&clouds_alpha, "clouds.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "clouds")), 0);
    json_decref(list);
    cr_assert_str_eq(clouds_refusal(&clouds_beta, "names.resolve", "{\"name\":\"0.web\",\"timeout_ms\":500}"),
                     "name_not_found");
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.resolve", "{\"name\":\"0.web\"}"), "no_cloud");

    clouds_reload(&clouds_alpha, two);
    list = clouds_ask(&clouds_alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 2, "it was never unpublished");
    json_decref(list);
}

Test(clouds, a_name_can_be_in_some_clouds_only)
{
    static const char two[] = "node: { name: alpha, state: %s }\n"
                              "clouds:\n"
                              "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n"
                              "  - { name: second, addresses: [\"2001:db8::3\"], port: 4000, answers: true }\n";
    clouds_reload(&clouds_alpha, two);
    cr_assert_str_eq(
        clouds_refusal(&clouds_alpha, "names.publish", "{\"name\":\"0.a\",\"port\":1,\"clouds\":[\"third\"]}"),
        "no_such_cloud");
    clouds_publish(&clouds_alpha, "{\"name\":\"0.a\",\"port\":1,\"clouds\":[\"second\"]}", NULL);
    json_decref(clouds_ask(&clouds_alpha, "names.publish", "{\"name\":\"0.b\",\"port\":1}"));
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.unpublish", "{\"name\":\"0.b\",\"clouds\":[\"third\"]}"),
                     "no_such_cloud");
    json_decref(clouds_ask(&clouds_alpha, "names.unpublish", "{\"name\":\"0.b\",\"clouds\":[\"global\"]}"));
    clouds_stop(&clouds_alpha);
    clouds_start(&clouds_alpha);
    json_t *list = clouds_ask(&clouds_alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 2);
    cr_assert_str_eq(clouds_text_at(list, "names", 0, "cloud"), "second");
    cr_assert_str_eq(clouds_text_at(list, "names", 1, "cloud"), "second");
    json_decref(list);
}

Test(clouds, a_name_stays_in_a_cloud_that_is_not_configured_now)
{
    static const char three[] = "node: { name: alpha, state: %s }\n"
                                "clouds:\n"
                                "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n"
                                "  - { name: second, addresses: [\"2001:db8::3\"], port: 4000, answers: true }\n"
                                "  - { name: third, addresses: [\"2001:db8::3\"], port: 4001, answers: true }\n";
    static const char two[] = "node: { name: alpha, state: %s }\n"
                              "clouds:\n"
                              "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n"
                              "  - { name: third, addresses: [\"2001:db8::3\"], port: 4001, answers: true }\n";
    clouds_reload(&clouds_alpha, three);
    json_decref(
        clouds_ask(&clouds_alpha, "names.publish", "{\"name\":\"0.a\",\"port\":1,\"clouds\":[\"global\",\"second\"]}"));
    clouds_reload(&clouds_alpha, two);
    clouds_run_some();
    json_t *result = clouds_ask(&clouds_alpha, "names.unpublish", "{\"name\":\"0.a\",\"clouds\":[\"third\"]}");
    cr_expect_eq(json_integer_value(json_object_get(result, "removed")), 0, "it is not in there");
    json_decref(result);
    result = clouds_ask(&clouds_alpha, "names.unpublish", "{\"name\":\"0.a\",\"clouds\":[\"global\"]}");
    cr_expect_eq(json_integer_value(json_object_get(result, "removed")), 1);
    json_decref(result);
    clouds_reload(&clouds_alpha, three);
    json_t *list = clouds_ask(&clouds_alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 1);
    cr_expect_str_eq(clouds_text_at(list, "names", 0, "cloud"), "second");
    json_decref(list);
}

Test(clouds, each_profile_has_clouds_and_an_identity_of_its_own)
{
    static const char both[] = "node: { name: alpha, state: %s }\n"
                               "clouds:\n"
                               "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n"
                               "  - { name: old, profile: windows, addresses: [\"2001:db8::1\"], answers: true }\n";
    static const char other[] =
        "node: { name: beta, state: %s }\n"
        "clouds:\n"
        "  - { name: global, addresses: [\"2001:db8::2\"], seeds: [\"[2001:db8::1]:3541\"] }\n"
        "  - { name: old, profile: windows, addresses: [\"2001:db8::2\"], seeds: [\"[2001:db8::1]:3540\"] }\n";
    char modern[512], windows[512];
    clouds_reload(&clouds_alpha, both);
    clouds_reload(&clouds_beta, other);
    json_t *result =
        clouds_ask(&clouds_alpha, "names.publish", "{\"classifier\":\"both\",\"port\":1,\"clouds\":[\"old\"]}");
    snprintf(windows, sizeof(windows), "%s", json_string_value(json_object_get(result, "name")));
    json_decref(result);
    result = clouds_ask(&clouds_alpha, "names.publish", "{\"classifier\":\"both\",\"port\":1}");
    snprintf(modern, sizeof(modern), "%s", json_string_value(json_object_get(result, "name")));
    json_decref(result);
    cr_assert_str_neq(windows, modern);
    cr_assert_eq(clouds_find(&clouds_beta, windows, NULL), 1);
    cr_assert_eq(clouds_find(&clouds_beta, modern, NULL), 1);
}

Test(clouds, a_name_waits_for_an_address)
{
    static const char elsewhere[] = "node: { name: alpha, state: %s }\n"
                                    "clouds:\n"
                                    "  - { name: global, addresses: [\"2001:db8::77\"], answers: true }\n";
    char before[2][65], after[2][65];
    clouds_reload(&clouds_alpha, elsewhere);
    json_decref(clouds_ask(&clouds_alpha, "names.publish", "{\"name\":\"0.patient\",\"port\":80}"));
    json_decref(clouds_ask(&clouds_alpha, "names.publish", "{\"name\":\"0.too\",\"port\":80}"));
    json_t *list = clouds_ask(&clouds_alpha, "names.list", "{}");
    cr_assert_str_eq(clouds_text_at(list, "names", 0, "state"), "waiting");
    json_decref(list);
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.resolve", "{\"name\":\"0.x\"}"), "no_network");
    clouds_reload(&clouds_alpha, clouds_alpha_yaml);
    list = clouds_ask(&clouds_alpha, "names.list", "{}");
    cr_assert_str_eq(clouds_text_at(list, "names", 0, "state"), "published");
    json_decref(list);
    cr_assert_eq(clouds_find(&clouds_beta, "0.patient", before[0]), 1);
    cr_assert_eq(clouds_find(&clouds_beta, "0.too", before[1]), 1);
    clouds_stop(&clouds_alpha);
    clouds_start(&clouds_alpha);
    cr_assert_eq(clouds_find(&clouds_beta, "0.patient", after[0]), 1);
    cr_assert_eq(clouds_find(&clouds_beta, "0.too", after[1]), 1);
    cr_expect_str_eq(after[0], before[0], "its ID was kept when there was one");
    cr_expect_str_eq(after[1], before[1]);
}

Test(clouds, results_are_told_before_the_answer)
{
    clouds_publish(&clouds_alpha, "{\"name\":\"0.web\",\"port\":80}", NULL);
    struct clouds_reply reply;
    clouds_begin(&clouds_beta, &reply, "names.resolve", "{\"name\":\"0.web\",\"stream\":true}");
    clouds_wait_for(&reply);
    cr_assert_eq(reply.notices, 1);
    json_decref(reply.answer);
}

Test(clouds, who_is_gone_waits_for_nothing)
{
    struct clouds_reply reply, other;
    struct bypeer_exchange *exchange = clouds_begin(&clouds_beta, &reply, "names.resolve", "{\"name\":\"0.nobody\"}");
    cr_assert_not_null(exchange);
    clouds_run_some();
    bypeer_api_cancel(exchange);
    clouds_begin(&clouds_beta, &other, "names.resolve", "{\"name\":\"0.nobody\",\"timeout_ms\":100}");
    clouds_wait_for(&other);
    json_decref(other.answer);
    cr_assert_eq(reply.answers, 0);
}

Test(clouds, what_cannot_be_published_is_refused_with_a_reason)
{
    char long_comment[128];
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.publish", "{\"port\":1}"), "bad_parameter");
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.publish", "{\"name\":\"0.x\",\"classifier\":\"x\"}"),
                     "bad_parameter");
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.publish", "{\"name\":\"zz.x\"}"), "bad_name");
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.publish", "{\"name\":\"0.x\",\"endpoints\":[]}"),
                     "nothing_to_publish");
    cr_assert_str_eq(
        clouds_refusal(&clouds_alpha, "names.publish", "{\"name\":\"0.x\",\"endpoints\":[{\"address\":\"::1\"}]}"),
        "bad_parameter");
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.publish",
                                    "{\"name\":\"0.x\",\"payload\":\"*\",\"payload_type\":\"binary\"}"),
                     "bad_parameter");
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.publish", "{\"name\":\"0.x\",\"protocol\":\"sctp\"}"),
                     "bad_parameter");
    snprintf(long_comment, sizeof(long_comment), "{\"name\":\"0.x\",\"comment\":\"%040d\"}", 1);
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.publish", long_comment), "bad_comment");
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.resolve", "{\"name\":\"0.x\",\"clouds\":[\"other\"]}"),
                     "no_such_cloud");
    cr_assert_str_eq(clouds_refusal(&clouds_alpha, "names.resolve", "{\"name\":\"0.x\",\"criterion\":\"best\"}"),
                     "bad_parameter");
    json_t *list = clouds_ask(&clouds_alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 0, "nothing is half done");
    json_decref(list);
}
