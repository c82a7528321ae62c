#include "overlay/identity/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/certificate/chain.h"
#include "overlay/identity/rotation.h"
#include "overlay/identity/xml.h"

#define WHY_BYTES 160

void bypeer_identity_name(struct bypeer_peer_name *ret_name, const struct bypeer_key *key,
                          const struct bypeer_peer_name *classifier)
{
    struct bypeer_peer_name name = *classifier;
    name.secure = true;
    bypeer_key_authority(key, name.authority);
    *ret_name = name;
}

int bypeer_identity_certify(struct bypeer_certificate **ret_idc, const struct bypeer_key *key,
                            const struct bypeer_peer_name *classifier, const char *friendly, uint64_t not_before,
                            uint64_t not_after, const uint8_t random[static BYPEER_CERTIFICATE_SERIAL],
                            const char **ret_why)
{
    char text[BYPEER_NAME_TEXT_MAX];
    struct bypeer_peer_name name;
    bypeer_identity_name(&name, key, classifier);
    bypeer_name_write(&name, text);
    const struct bypeer_certificate_order order = {.kind = BYPEER_CERTIFICATE_IDENTITY,
                                                   .issuer_key = key,
                                                   .random = random,
                                                   .subject = &name,
                                                   .subject_friendly = friendly && *friendly ? friendly : text,
                                                   .not_before = not_before,
                                                   .not_after = not_after};
    return bypeer_certificate_make(ret_idc, &order, ret_why);
}

int bypeer_identity_info_write(char **ret_text, struct bypeer_certificate *idc, const uint8_t *rotations,
                               size_t rotations_bytes)
{
    uint8_t *bag;
    size_t length;
    struct bypeer_xml_writer writer;
    int status = bypeer_bag_write(&bag, &length, &idc, 1);
    if (status != 0)
        return status;
    bypeer_xml_begin(&writer, "PEERIDENTITYINFO", "1.0");
    bypeer_xml_put_bytes(&writer, "IDC", bag, length);
    free(bag);
    if (rotations)
        bypeer_xml_put_bytes(&writer, "ROTATIONS", rotations, rotations_bytes);
    return bypeer_xml_end(&writer, ret_text);
}

int bypeer_identity_first_name(struct bypeer_peer_name *ret_name, const struct bypeer_certificate *idc,
                               const uint8_t *rotations, size_t rotations_bytes, char why[static WHY_BYTES])
{
    const struct bypeer_certificate_facts *facts = bypeer_certificate_facts(idc);
    const struct bypeer_profile *profile = bypeer_certificate_profile(idc);
    struct bypeer_peer_name name = facts->subject;
    struct bypeer_rotation first;
    if (rotations) {
        if (rotations_bytes < bypeer_rotation_bytes(profile) ||
            bypeer_rotation_read(&first, rotations, bypeer_rotation_bytes(profile)) != 0 || first.profile != profile) {
            snprintf(why, WHY_BYTES, "its ROTATIONS are no statements of replaced keys");
            return -EBADMSG;
        }
        bypeer_profile_hash(profile, &(struct bypeer_piece){first.old_key, profile->public_key_bytes}, 1,
                            name.authority);
    }
    if (bypeer_rotations_follow(profile, name.authority, rotations, rotations_bytes, facts->public_key, NULL) != 0) {
        snprintf(why, WHY_BYTES, "its ROTATIONS do not lead to the key of its certificate");
        return -EBADMSG;
    }
    *ret_name = name;
    return 0;
}

/* Of the profile whose keys it has. */
static int identity_read_bag(struct bypeer_certificate **ret_idc, const struct bypeer_xml_child *child,
                             char why[static WHY_BYTES])
{
    const char *problem, *first = NULL;
    uint8_t *bag;
    size_t length;
    int status = bypeer_xml_bytes(child, &bag, &length);
    if (status == -EBADMSG)
        snprintf(why, WHY_BYTES, "its IDC is no base64");
    if (status != 0)
        return status;
    status = -EBADMSG;
    for (unsigned id = 0; id < BYPEER_PROFILES && status == -EBADMSG; id++) {
        status = bypeer_bag_read_identity(ret_idc, bypeer_profile((enum bypeer_profile_id)id), bag, length, &problem);
        if (!first)
            first = problem;
    }
    if (status == -EBADMSG)
        snprintf(why, WHY_BYTES, "its certificate %s", first);
    free(bag);
    return status;
}

static int identity_read_xml(struct bypeer_identity_info *ret_info, const struct bypeer_xml *xml,
                             char why[static WHY_BYTES])
{
    const struct bypeer_xml_child *idc = bypeer_xml_find(xml, "IDC"), *child = bypeer_xml_find(xml, "ROTATIONS");
    struct bypeer_identity_info info;
    uint8_t *rotations = NULL;
    size_t rotations_bytes = 0;
    if (strcmp(xml->root, "PEERIDENTITYINFO") != 0 || strcmp(xml->version, "1.0") != 0 || !idc) {
        snprintf(why, WHY_BYTES, "it is no PEERIDENTITYINFO of version 1.0 with one IDC");
        return -EBADMSG;
    }
    int status = identity_read_bag(&info.idc, idc, why);
    if (status != 0)
        return status;
    if (child && (status = bypeer_xml_bytes(child, &rotations, &rotations_bytes)) == -EBADMSG)
        snprintf(why, WHY_BYTES, "its ROTATIONS are no base64");
    if (status == 0)
        status = bypeer_identity_first_name(&info.name, info.idc, rotations, rotations_bytes, why);
    free(rotations);
    if (status != 0)
        bypeer_certificate_free(info.idc);
    else
        *ret_info = info;
    return status;
}

int bypeer_identity_info_read(struct bypeer_identity_info *ret_info, const char *text, size_t length,
                              char why[static WHY_BYTES])
{
    struct bypeer_xml xml;
    int status = bypeer_xml_read(&xml, text, length, BYPEER_IDENTITY_XML_MAX, why);
    if (status != 0)
        return status;
    status = identity_read_xml(ret_info, &xml, why);
    bypeer_xml_release(&xml);
    return status;
}

void bypeer_identity_info_release(struct bypeer_identity_info *info)
{
    bypeer_certificate_free(info->idc);
    info->idc = NULL;
}
