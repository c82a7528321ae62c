#include "tools/lib/peer_values.h"

static bool identity_fill(void *element, json_t *object)
{
    struct bypeer_peer_identity *identity = element;
    *identity = (struct bypeer_peer_identity){
        .identity = value_text(object, "identity"),
        .name = value_text(object, "name"),
        .profile = value_text(object, "profile"),
        .key = value_text(object, "key"),
        .is_default = peer_is_true(object, "default"),
    };
    return identity->identity[0];
}

int bypeer_peer_enum_identities(struct bypeer_peer_identities **ret_identities, struct bypeer *node)
{
    return peer_enumerate((void **)ret_identities, node, "identities.list", json_object(), "identities",
                          sizeof(struct bypeer_peer_identity), identity_fill);
}

int bypeer_peer_identity_create(struct bypeer *node, const char *name, const char *classifier, const char *profile,
                                char ret_identity[BYPEER_NAME_TEXT])
{
    return peer_call_text(node, "identities.create",
                          json_pack("{s:s*, s:s*, s:s*}", "name", name, "classifier", classifier, "profile", profile),
                          "identity", ret_identity, BYPEER_NAME_TEXT);
}

int bypeer_peer_identity_rename(struct bypeer *node, const char *identity, const char *name)
{
    return peer_call(node, "identities.rename", json_pack("{s:s, s:s}", "identity", identity, "name", name), NULL);
}

int bypeer_peer_identity_delete(struct bypeer *node, const char *identity)
{
    return peer_call(node, "identities.delete", json_pack("{s:s}", "identity", identity), NULL);
}

int bypeer_peer_identity_set_default(struct bypeer *node, const char *identity)
{
    return peer_call(node, "identities.default", json_pack("{s:s}", "identity", identity), NULL);
}

int bypeer_peer_identity_xml(struct bypeer *node, const char *identity, char **ret_xml)
{
    return peer_call_string(node, "identities.show", json_pack("{s:s*}", "identity", identity), "xml", ret_xml);
}

int bypeer_peer_identity_export(struct bypeer *node, const char *identity, const char *password, char **ret_xml)
{
    return peer_call_string(node, "identities.export",
                            json_pack("{s:s, s:s}", "identity", identity, "password", password), "xml", ret_xml);
}

int bypeer_peer_identity_import(struct bypeer *node, const char *xml, const char *password,
                                char ret_identity[BYPEER_NAME_TEXT])
{
    return peer_call_text(node, "identities.import", json_pack("{s:s, s:s}", "xml", xml, "password", password),
                          "identity", ret_identity, BYPEER_NAME_TEXT);
}
