/*
 * One certificate of a chain: its syntax ([MS-PNRP] 2.2.3.5; extensions as [MS-PPSEC] 2.2 has them). For chain.c only.
 *
 *   version 3, serial number of 16 bytes, no unique IDs, names of up to 255 characters, key and signature as the
 * profile has them, and below 1.3.6.1.4.1.311.44, all of it critical:
 *
 *   .0.1  type         OCTET STRING, little-endian: 2 root, 1 member         every certificate
 *   .0.4  version      OCTET STRING: 01 00 02 00                             every certificate
 *   .3.1  peer name    GeneralNames of one otherName of type .0.2            root and last
 *   .3.3  roles        SEQUENCE OF OCTET STRING, a UUID each                 all but the root
 *   .3.5  classifiers  GeneralNames of otherNames of type .0.3; none: all    all but the root
 *
 * Strings are UniversalString, BMPString or UTF8String, and may end with one NUL: the empty classifier is a NUL.
 */
#pragma once

#include <openssl/x509.h>

#include "overlay/pnrp/name.h"

enum chain_certificate_type { CHAIN_MEMBER = 1, CHAIN_ROOT = 2 };

struct chain_certificate {
    X509 *x509;                /* borrowed */
    const uint8_t *public_key; /* as a CPA carries it; in x509 */
    /* Of its own and of its issuer's alternative names; NULL: none. In x509. */
    const ASN1_OCTET_STRING *subject_names, *issuer_names;
    uint8_t type; /* 0: not given */
    bool has_version, has_peer_name, has_roles, has_classifiers;
    bool is_admin, is_inviting; /* roles that may hand on; without either it is a member */
    struct bypeer_peer_name peer_name;
    struct bypeer_peer_name *classifiers; /* their classifier part; owned */
    size_t classifier_count;
};

/* NULL, or what is wrong with it. Either way the certificate is to be released. */
const char *chain_certificate_read(struct chain_certificate *ret_certificate, const struct bypeer_profile *profile,
                                   X509 *x509);
void chain_certificate_release(struct chain_certificate *certificate);
