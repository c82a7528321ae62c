/*
 * Certificates of identities and of groups: X.509 with the extensions of [MS-PPSEC] 2.2 and [MS-PNRP] 2.2.3.5.
 *
 *   IDC  identity certificate     self-signed with the identity's key    who somebody is; TLS shows it
 *   GRC  group root certificate   self-signed with the group's key       the first of every chain
 *   GMC  group membership         signed by the one before it            a member, its roles and its key
 *
 * All of them are of version 3, with a serial number of 16 bytes, no unique IDs, friendly names of up to 255
 * characters, none of them a control character, as subject and issuer, key and signature as the profile has them, and
 * below 1.3.6.1.4.1.311.44, critical:
 *
 *   .0.1  type         OCTET STRING, little-endian: 1 GMC, 2 GRC, 3 IDC        every certificate
 *   .0.4  version      OCTET STRING: 01 00 02 00                               every GRC and GMC
 *   .3.1  group        GeneralNames of one otherName of type .0.2              GRC and GMC
 *   .3.3  roles        SEQUENCE OF OCTET STRING, a UUID each                   GMC
 *   .3.5  classifiers  GeneralNames of otherNames of type .0.3; none: all      GMC
 *
 * and not critical: 2.5.29.7 the subject's peer name, 2.5.29.8 the issuer's, 2.5.29.17 the DNS form of an identity's,
 * 2.5.29.35 the hash of the issuer's key, 2.5.29.37 the purposes, and BYPEER_CERTIFICATE_ADDRESS_OID of this program's
 * own: the member's overlay address, OCTET STRING of 16 bytes.
 *
 * Strings are UniversalString, BMPString or UTF8String when read, and may end with one NUL (the empty classifier is a
 * NUL). They are written as UTF8String in the modern profile, else as BMPString, with the NUL.
 *
 * Threads: a certificate is immutable, and its references are counted atomically. Making one takes a signature.
 */
#pragma once

#include "overlay/certificate/roles.h"
#include "overlay/pnrp/name.h"
#include "overlay/profile/key.h"

#define BYPEER_CERTIFICATE_BYTES_MAX   8192 /* DER; one with many classifiers is shorter */
#define BYPEER_CERTIFICATE_SERIAL      16
#define BYPEER_FRIENDLY_NAME_MAX       255                                /* characters */
#define BYPEER_FRIENDLY_NAME_TEXT_MAX  (4 * BYPEER_FRIENDLY_NAME_MAX + 1) /* UTF-8, with NUL */
#define BYPEER_CLASSIFIERS_MAX         32                                 /* of one membership, when made */
#define BYPEER_CERTIFICATE_ADDRESS_OID "2.25.163035080963097297196415475175700695659"
#define BYPEER_CERTIFICATE_FOREVER_S   (1000ull * 31556952) /* "infinite" in Windows: a thousand years */

enum bypeer_certificate_kind {
    BYPEER_CERTIFICATE_MEMBERSHIP = 1,
    BYPEER_CERTIFICATE_ROOT = 2,
    BYPEER_CERTIFICATE_IDENTITY = 3
};

struct bypeer_certificate;
struct x509_st; /* OpenSSL's X509 */

/* What a certificate says. Views: valid as long as the certificate is. */
struct bypeer_certificate_facts {
    enum bypeer_certificate_kind kind;
    const uint8_t *serial;     /* BYPEER_CERTIFICATE_SERIAL bytes */
    const uint8_t *public_key; /* profile->public_key_bytes, as a CPA carries it */
    /* Peer names; an unsecured, empty one where the certificate has none that can be read. */
    struct bypeer_peer_name subject, issuer, group;
    const char *subject_friendly, *issuer_friendly; /* UTF-8, never NULL */
    uint64_t not_before, not_after;                 /* Unix seconds */
    uint32_t roles;                                 /* BYPEER_ROLE_...; unknown ones are left out */
    const struct bypeer_peer_name *classifiers;     /* their classifier part */
    size_t classifier_count;                        /* of a membership, 0: all */
    bool has_purpose;                               /* peer and server authentication */
    bool has_address;
    uint8_t address[16]; /* of the member in the overlay */
};

/* What is to be made. All is borrowed for the call. */
struct bypeer_certificate_order {
    enum bypeer_certificate_kind kind;
    const struct bypeer_key *issuer_key; /* signs; of IDC and GRC it is the subject's own */
    const uint8_t *public_key;           /* of a GMC: the member's; else not looked at */
    const uint8_t *random;               /* BYPEER_CERTIFICATE_SERIAL random bytes: the serial number */
    const struct bypeer_peer_name *subject;
    const struct bypeer_peer_name *issuer;          /* of a GMC */
    const struct bypeer_peer_name *group;           /* of a GMC; a GRC's is its subject */
    const char *subject_friendly, *issuer_friendly; /* the latter of a GMC. UTF-8 */
    uint64_t not_before, not_after;                 /* Unix seconds */
    uint32_t roles;                                 /* of a GMC, at least one */
    const struct bypeer_peer_name *classifiers;     /* of a GMC */
    size_t classifier_count;
    const uint8_t *address; /* of a GMC: 16 bytes, or NULL */
};

/* 0; -EINVAL with what is wrong with the order in *ret_why (static text); -ENOMEM. The caller owns one reference. */
int bypeer_certificate_make(struct bypeer_certificate **ret_certificate, const struct bypeer_certificate_order *order,
                            const char **ret_why);
/* From DER, exactly. Syntax only: no signature is verified. -EBADMSG with what is wrong in *ret_why (static text, made
 * to follow "the certificate ..."); -ENOMEM. */
int bypeer_certificate_read(struct bypeer_certificate **ret_certificate, const struct bypeer_profile *profile,
                            const uint8_t *der, size_t length, const char **ret_why);
struct bypeer_certificate *bypeer_certificate_reference(struct bypeer_certificate *certificate);
void bypeer_certificate_free(struct bypeer_certificate *certificate); /* drops one reference; NULL is fine */

const struct bypeer_certificate_facts *bypeer_certificate_facts(const struct bypeer_certificate *certificate);
const struct bypeer_profile *bypeer_certificate_profile(const struct bypeer_certificate *certificate);
/* Its DER; valid as long as the certificate. */
const uint8_t *bypeer_certificate_der(const struct bypeer_certificate *certificate, size_t *ret_length);
/* For TLS; borrowed. */
struct x509_st *bypeer_certificate_x509(const struct bypeer_certificate *certificate);
/* Whether the issuer's key signed it, and it names the issuer by its friendly name. A certificate may be its own
 * issuer. One signature is verified. */
bool bypeer_certificate_is_signed_by(const struct bypeer_certificate *certificate,
                                     const struct bypeer_certificate *issuer);
