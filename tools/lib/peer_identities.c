#include <errno.h>
#include <string.h>

#include "tools/lib/peer_values.h"

static bool identity_fill(void *element, json_t *object)
{
    struct bypeer_peer_identity *identity = element;
    *identity = (struct bypeer_peer_identity){
        .identity = value_text(object, "name"),
        .name = value_text(object, "friendly_name"),
        .profile = value_text(object, "profile"),
        .key = value_text(object, "public_key"),
        .is_default = peer_is_true(object, "default"),
    };
    return identity->identity[0];
}

int bypeer_peer_enum_identities(struct bypeer_peer_identities **ret_identities, struct bypeer *node)
{
    return peer_enumerate((void **)ret_identities, node, "identities.list", json_object(), "identities",
                          sizeof(struct bypeer_peer_identity), identity_fill);
}

/* A call whose answer is an identity; copies its name, if it is wanted. */
static int identity_call(struct bypeer *node, const char *method, json_t *params, char *ret_identity)
{
    json_t *result = NULL;
    int error = peer_call(node, method, params, &result);
    if (error)
        return error;
    const json_t *identity = json_object_get(result, "identity");
    if (!value_text(identity, "name")[0])
        error = value_malformed(node, method);
    else if (ret_identity)
        value_copy(identity, "name", ret_identity, BYPEER_NAME_TEXT);
    json_decref(result);
    return error;
}

int bypeer_peer_identity_create(struct bypeer *node, const char *name, const char *classifier, const char *profile,
                                char ret_identity[BYPEER_NAME_TEXT])
{
    return identity_call(
        node, "identities.create",
        json_pack("{s:s*, s:s*, s:s*}", "friendly_name", name, "classifier", classifier, "profile", profile),
        ret_identity);
}

int bypeer_peer_identity_rename(struct bypeer *node, const char *identity, const char *name)
{
    return identity_call(node, "identities.rename",
                         json_pack("{s:s, s:s*}", "identity", identity, "friendly_name", name), NULL);
}

int bypeer_peer_identity_delete(struct bypeer *node, const char *identity)
{
    return peer_call(node, "identities.delete", json_pack("{s:s}", "identity", identity), NULL);
}

int bypeer_peer_identity_set_default(struct bypeer *node, const char *identity)
{
    return peer_call(node, "identities.set_default", json_pack("{s:s}", "identity", identity), NULL);
}

int bypeer_peer_identity_xml(struct bypeer *node, const char *identity, char **ret_xml)
{
    json_t *result = NULL;
    int error = peer_call(node, "identities.show", json_pack("{s:s*}", "identity", identity), &result);
    if (error)
        return error;
    const char *xml = value_text(json_object_get(result, "identity"), "xml");
    char *copy = xml[0] ? strdup(xml) : NULL;
    if (copy)
        *ret_xml = copy;
    else
        error = xml[0] ? connection_fail(node, -ENOMEM, "out of memory") : value_malformed(node, "identities.show");
    json_decref(result);
    return error;
}

int bypeer_peer_identity_export(struct bypeer *node, const char *identity, const char *password, char **ret_xml)
{
    return peer_call_string(node, "identities.export",
                            json_pack("{s:s, s:s}", "identity", identity, "password", password), "xml", ret_xml);
}

int bypeer_peer_identity_import(struct bypeer *node, const char *xml, const char *password,
                                char ret_identity[BYPEER_NAME_TEXT])
{
    return identity_call(node, "identities.import", json_pack("{s:s, s:s}", "xml", xml, "password", password),
                         ret_identity);
}

int bypeer_peer_identity_rotate(struct bypeer *node, const char *identity, int64_t overlap_s)
{
    return identity_call(node, "identities.rotate",
                         json_pack("{s:s*, s:o*}", "identity", identity, "overlap_s", peer_unless_zero(overlap_s)),
                         NULL);
}
