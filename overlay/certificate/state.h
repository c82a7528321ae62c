/* The inside of a certificate and of a chain. For this folder only. */
#pragma once

#include <openssl/x509.h>
#include <stdatomic.h>

#include "overlay/certificate/chain.h"

#define CERTIFICATE_ARC        "1.3.6.1.4.1.311.44."
#define CERTIFICATE_TYPE       CERTIFICATE_ARC "0.1"
#define CERTIFICATE_PEER_NAME  CERTIFICATE_ARC "0.2" /* of an otherName */
#define CERTIFICATE_CLASSIFIER CERTIFICATE_ARC "0.3" /* likewise */
#define CERTIFICATE_VERSION    CERTIFICATE_ARC "0.4"
#define CERTIFICATE_FLAGS      CERTIFICATE_ARC "2.2"
#define CERTIFICATE_GROUP      CERTIFICATE_ARC "3.1"
#define CERTIFICATE_GROUPING   CERTIFICATE_ARC "3.2"
#define CERTIFICATE_ROLES      CERTIFICATE_ARC "3.3"
#define CERTIFICATE_PEER_AUTH  CERTIFICATE_ARC "3.4" /* a purpose */
#define CERTIFICATE_LISTS      CERTIFICATE_ARC "3.5"
#define CERTIFICATE_SUBJECT    "2.5.29.7"
#define CERTIFICATE_ISSUER     "2.5.29.8"
#define CERTIFICATE_DNS        "2.5.29.17"
#define CERTIFICATE_ISSUER_KEY "2.5.29.35"
#define CERTIFICATE_PURPOSE    "2.5.29.37"
#define CERTIFICATE_SERVER     "1.3.6.1.5.5.7.3.1" /* a purpose */

#define CERTIFICATE_DWORD_BYTES 4
extern const uint8_t bypeer_certificate_version[CERTIFICATE_DWORD_BYTES];

struct bypeer_certificate {
    atomic_uint references;
    const struct bypeer_profile *profile;
    X509 *x509;
    uint8_t *der; /* OpenSSL's */
    size_t der_bytes;
    struct bypeer_certificate_facts facts;
    uint8_t serial[BYPEER_CERTIFICATE_SERIAL];
    char subject_friendly[BYPEER_FRIENDLY_NAME_TEXT_MAX], issuer_friendly[BYPEER_FRIENDLY_NAME_TEXT_MAX];
    struct bypeer_peer_name *classifiers;
    /* What is compared, whether or not there is a peer name in it; NULL: none. In x509. */
    const ASN1_OCTET_STRING *subject_names, *issuer_names;
    bool has_version, has_group, has_roles, has_classifiers;
};

struct bypeer_chain {
    atomic_uint references;
    const struct bypeer_profile *profile;
    uint8_t *bag;
    size_t bag_bytes, count;
    struct bypeer_certificate *certificates[BYPEER_CHAIN_MAX]; /* each a reference; from the root on */
};

/* extensions.c: reads all of x509's into facts and the rest. NULL, or what is wrong. */
const char *bypeer_certificate_read_extensions(struct bypeer_certificate *certificate);
/* Whether object is of that type, which is in dotted form. */
bool bypeer_certificate_is_type(const ASN1_OBJECT *object, const char *type);
/* Takes over x509, also when it fails. As bypeer_certificate_read(). */
int bypeer_certificate_take(struct bypeer_certificate **ret_certificate, const struct bypeer_profile *profile,
                            X509 *x509, const char **ret_why);
/* A chain of these, in their order; takes a reference of each. 0, -E2BIG, -ENOMEM. */
int bypeer_chain_make(struct bypeer_chain **ret_chain, struct bypeer_certificate *const certificates[], size_t count);
