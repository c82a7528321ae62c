/* identities.*: who this node is. Export and import, which take their time, are in identity_files.c. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/api/call.h"
#include "control/identity/identities.h"

static uint64_t identities_now(void)
{
    return (uint64_t)time(NULL);
}

json_t *call_identity(const struct bypeer_identity *identity)
{
    char key[sodium_base64_ENCODED_LEN(BYPEER_PUBLIC_KEY_MAX, sodium_base64_VARIANT_ORIGINAL)];
    sodium_bin2base64(key, sizeof(key), bypeer_key_public(identity->key), identity->profile->public_key_bytes,
                      sodium_base64_VARIANT_ORIGINAL);
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:I, s:s, s:i, s:o}", "name", identity->name_text, "friendly_name",
                     identity->friendly, "profile", identity->profile->name, "default", identity->is_default,
                     "credential", identity->is_credential, "created", (json_int_t)identity->created, "public_key", key,
                     "rotations", (int)identity->rotation_count, "old_key_until",
                     identity->old_key ? json_integer((json_int_t)identity->old_until) : json_null());
}

const struct bypeer_identity *call_find_identity(struct call *call, const char *name)
{
    const char *text = call_string(call, name);
    if (text)
        return bypeer_identities_find(call->node->identities, text, &call->problem);
    return bypeer_identities_default(call->node->identities, bypeer_profile(BYPEER_PROFILE_MODERN), false,
                                     identities_now(), &call->problem);
}

int method_identities_list(struct call *call)
{
    const struct bypeer_identities *identities = call->node->identities;
    const struct bypeer_problem *problem;
    const char *what;
    json_t *list = json_array(), *unreadable = json_array();
    for (size_t at = 0; at < bypeer_identities_count(identities); at++)
        json_array_append_new(list, call_identity(bypeer_identities_at(identities, at)));
    for (size_t at = 0; (what = bypeer_identities_unreadable(identities, at, &problem)); at++) {
        char text[BYPEER_PROBLEM_TEXT];
        json_array_append_new(unreadable,
                              json_pack("{s:s, s:s}", "file", what, "why", bypeer_problem_text(problem, text)));
    }
    call->result = json_pack("{s:o, s:o}", "identities", list, "unreadable", unreadable);
    return 0;
}

static int identities_result(struct call *call, const struct bypeer_identity *identity)
{
    call->result = json_pack("{s:o}", "identity", call_identity(identity));
    return 0;
}

int method_identities_create(struct call *call)
{
    const char *name = call_string(call, "profile");
    const struct bypeer_profile *profile = bypeer_profile_find(name ? name : "modern");
    const struct bypeer_identity *identity;
    if (!profile)
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_profile",
                                  "profile \"%.60s\"\nis none\nuse modern or windows", name);
    int result =
        bypeer_identities_create(call->node->identities, profile, call_string(call, "classifier"),
                                 call_string(call, "friendly_name"), identities_now(), &identity, &call->problem);
    if (result == 0 && call_boolean(call, "default"))
        result = bypeer_identities_set_default(call->node->identities, identity, &call->problem);
    return result < 0 ? result : identities_result(call, identity);
}

int method_identities_show(struct call *call)
{
    const struct bypeer_identity *identity = call_find_identity(call, "identity");
    char *xml;
    if (!identity)
        return call->problem.error;
    int result = bypeer_identity_info_write(&xml, identity->idc, identity->rotations, identity->rotations_bytes);
    if (result < 0)
        return bypeer_problem_no_memory(&call->problem);
    json_t *shown = call_identity(identity);
    json_object_set_new(shown, "host", call_host_name(&identity->name));
    json_object_set_new(shown, "xml", json_string(xml));
    free(xml);
    call->result = json_pack("{s:o}", "identity", shown);
    return 0;
}

int method_identities_rename(struct call *call)
{
    const struct bypeer_identity *identity = call_find_identity(call, "identity");
    if (!identity)
        return call->problem.error;
    int result = bypeer_identities_rename(call->node->identities, identity, call_string(call, "friendly_name"),
                                          identities_now(), &call->problem);
    return result < 0 ? result : identities_result(call, identity);
}

int method_identities_delete(struct call *call)
{
    const struct bypeer_identity *identity = call_find_identity(call, "identity");
    if (!identity)
        return call->problem.error;
    int result = bypeer_identities_delete(call->node->identities, identity, &call->problem);
    return result < 0 ? result : call_number(call, "removed", 1);
}

int method_identities_set_default(struct call *call)
{
    const struct bypeer_identity *identity = call_find_identity(call, "identity");
    if (!identity)
        return call->problem.error;
    int result = bypeer_identities_set_default(call->node->identities, identity, &call->problem);
    return result < 0 ? result : identities_result(call, identity);
}

int method_identities_rotate(struct call *call)
{
    const struct bypeer_identity *identity = call_find_identity(call, "identity");
    if (!identity)
        return call->problem.error;
    uint64_t overlap_s = (uint64_t)call_integer(call, "overlap_s", BYPEER_ROTATION_OVERLAP_S);
    int result =
        bypeer_identities_rotate(call->node->identities, identity, overlap_s, identities_now(), &call->problem);
    return result < 0 ? result : identities_result(call, identity);
}
