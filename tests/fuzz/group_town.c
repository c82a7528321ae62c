#include "tests/fuzz/group_town.h"

#include <stdlib.h>
#include <string.h>

#include "overlay/group/address.h"
#include "overlay/group/password.h"
#include "overlay/identity/identity.h"
#include "tests/group_tls.h"

#define FROM  UINT64_C(1900000000)
#define UNTIL UINT64_C(1990000000)

static void *need(void *what)
{
    if (!what)
        abort();
    return what;
}

static void town_check(int status)
{
    if (status)
        abort();
}

static struct bypeer_key *town_identity(const char *classifier, struct bypeer_peer_name *ret_name,
                                        struct bypeer_certificate **ret_idc)
{
    const struct bypeer_profile *profile = bypeer_profile(BYPEER_PROFILE_MODERN);
    struct bypeer_peer_name name = {.secure = true};
    uint8_t random[BYPEER_CERTIFICATE_SERIAL] = {1};
    struct bypeer_key *key;
    char why[160];
    const char *reason;
    town_check(bypeer_key_generate(&key, profile));
    town_check(bypeer_classifier_read(&name, classifier, why));
    bypeer_identity_name(ret_name, key, &name);
    town_check(bypeer_identity_certify(ret_idc, key, ret_name, classifier, FROM, UNTIL, random, &reason));
    return key;
}

static void town_publish(struct group_town *town, const struct bypeer_peer_name *group,
                         const struct bypeer_peer_name *founder)
{
    uint8_t payload[BYPEER_ATTACHMENT_BYTES_MAX];
    struct bypeer_attachment attachment = {.member = *founder, .supernode = *founder, .sequence = 1};
    struct bypeer_guid id;
    bypeer_group_address(bypeer_profile(BYPEER_PROFILE_MODERN), group, founder, attachment.member_address);
    struct bypeer_record_draft draft = {
        .type = BYPEER_RECORD_ATTACHMENT,
        .payload = payload,
        .payload_bytes =
            bypeer_attachment_write(&attachment, bypeer_profile(BYPEER_PROFILE_MODERN), payload, sizeof(payload)),
        .expires = town->now.utc + 1000 * BYPEER_PEER_TIME_SECOND,
        .is_internal = true,
    };
    town_check(bypeer_graph_publish(town->graph, town->now, &draft, &id));
    draft.type = (struct bypeer_guid){{0xaa}};
    draft.attributes = "<attributes><attribute name=\"a\" type=\"int\">1</attribute></attributes>";
    town_check(bypeer_graph_publish(town->graph, town->now, &draft, &id));
}

static struct group_town *town_make(void)
{
    const struct bypeer_profile *profile = bypeer_profile(BYPEER_PROFILE_MODERN);
    struct group_town *town = need(calloc(1, sizeof(*town)));
    struct bypeer_peer_name group, names[2];
    struct bypeer_key *group_key, *keys[2];
    struct bypeer_chain *chains[2];
    char why[160], id[BYPEER_NAME_TEXT_MAX];
    town->now.ms = 1;
    town->now.utc = (FROM + 10000) * BYPEER_PEER_TIME_SECOND + BYPEER_PEER_TIME_1970;
    town_check(bypeer_key_generate(&group_key, profile));
    town_check(bypeer_group_name(group_key, "town", &group, why));
    bypeer_name_write(&group, town->group_id);
    for (unsigned at = 0; at < 2; at++)
        keys[at] = town_identity(at ? "guest" : "founder", &names[at], &town->idc[at]);
    const struct bypeer_group_subject founder = {names[0], bypeer_key_public(keys[0]), "Founder"};
    town_check(bypeer_group_found(group_key, &group, "Town", &founder, FROM, UNTIL, &chains[0], why));
    struct bypeer_group_properties properties = {
        .friendly = "Town",
        .group = group,
        .creator = names[0],
        .has_password = true,
        .password = "form",
        .password_role = BYPEER_ROLE_MEMBER,
    };
    struct bypeer_group_settings settings = {
        .profile = profile,
        .group = group,
        .self = names[0],
        .key = keys[0],
        .group_key = group_key,
        .found = &properties,
        .tls = group_tls(&town->idc[0]),
    };
    settings.chain = bypeer_chain_bag(chains[0], &settings.chain_bytes);
    town_check(bypeer_group_open(&town->founder, &settings, town->now, why));
    bypeer_name_write(&names[0], id);
    const struct bypeer_graph_settings graph = {
        .profile = profile,
        .graph_id = town->group_id,
        .peer_id = id,
        .friendly_name = "founder",
        .scope = BYPEER_GRAPH_GLOBAL,
        .security = bypeer_group_security(town->founder),
        .is_creator = true,
    };
    town_check(bypeer_graph_open(&town->graph, &graph, town->now));
    bypeer_group_use_graph(town->founder, town->graph);
    const struct bypeer_graph_address address = {{[15] = 1}, 3587};
    town_check(bypeer_graph_listen(town->graph, town->now, &address, 1));
    bypeer_group_turn(town->founder, town->now);
    town_publish(town, &group, &names[0]);
    const struct bypeer_group_order order = {.subject = {names[1], bypeer_key_public(keys[1]), "Guest"},
                                             .roles = BYPEER_ROLE_MEMBER};
    town_check(bypeer_group_issue(town->founder, town->now, &order, &chains[1], why));
    settings.self = names[1];
    settings.key = keys[1];
    settings.group_key = NULL;
    settings.found = NULL;
    settings.tls = group_tls(&town->idc[1]);
    settings.chain = bypeer_chain_bag(chains[1], &settings.chain_bytes);
    town_check(bypeer_group_open(&town->guest, &settings, town->now, why));
    for (unsigned at = 0; at < 2; at++)
        bypeer_chain_free(chains[at]);
    return town;
}

struct group_town *group_town(void)
{
    static struct group_town *town;
    if (!town)
        town = town_make();
    return town;
}
