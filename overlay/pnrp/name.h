/*
 * Peer names, and what is derived from them ([MS-PNRP] 2.2.4, 3.1.4.4.1).
 *
 *   0.JohnDoe.Games                                          unsecured: anybody may register it
 *   4562b4628ac54782dda52789038476237e7c7263.printer         secure: only the holder of the key that hashes to this
 *
 *   authority "." classifier     the first dot separates
 *
 * Text in and out is UTF-8; the classifier is kept in UTF-16 code units, since its limits and hash are over those.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/profile/profile.h"

#define BYPEER_AUTHORITY_BYTES  20
#define BYPEER_CLASSIFIER_MAX   149                                      /* UTF-16 code units, [MS-PNRP] 2.2.4 */
#define BYPEER_NAME_TEXT_MAX    (40 + 1 + 3 * BYPEER_CLASSIFIER_MAX + 1) /* UTF-8, with NUL */
#define BYPEER_HOST_NAME_MAX    254                                      /* with NUL */
#define BYPEER_HOST_NAME_DOMAIN "pnrp.net"

struct bypeer_peer_name {
    bool secure;
    uint8_t authority[BYPEER_AUTHORITY_BYTES]; /* of a secure name: the digest in its natural order; else zero */
    uint16_t classifier_length;                /* code units */
    uint16_t classifier[BYPEER_CLASSIFIER_MAX];
};

/*
 * Reads "AUTHORITY.CLASSIFIER"; a secure name may end after its authority, with or without the dot. Upper-case hex
 * digits of the authority are taken, too. 0; -EINVAL with one line in why that says what is wrong with it.
 */
int bypeer_name_read(struct bypeer_peer_name *ret_name, const char *text, char why[static 160]);
/* The text, always with its dot; returns its length without NUL. A lone surrogate is written as U+FFFD. */
size_t bypeer_name_write(const struct bypeer_peer_name *name, char ret_text[static BYPEER_NAME_TEXT_MAX]);
bool bypeer_name_is_equal(const struct bypeer_peer_name *a, const struct bypeer_peer_name *b);

/* The UTF-8 of UTF-16 code units in host order, 3 bytes a unit at most; returns its length; there is no NUL behind it.
 * A lone surrogate becomes U+FFFD. */
size_t bypeer_utf8_write(const uint16_t units[], size_t count, char *ret_text);

/* A classifier from UTF-8 (0 to 149 code units), as of bypeer_name_read(); the authority stays as it is. */
int bypeer_classifier_read(struct bypeer_peer_name *name, const char *text, char why[static 160]);
/* As it is hashed and sent: code units in UTF-16BE. */
void bypeer_classifier_put(const struct bypeer_peer_name *name, uint8_t ret_units[static 2 * BYPEER_CLASSIFIER_MAX]);

/* SHA of the classifier: over UTF-16LE without NUL; that of an empty one is the hash of nothing. */
void bypeer_name_classifier_hash(const struct bypeer_profile *profile, const struct bypeer_peer_name *name,
                                 uint8_t ret_hash[static 20]);
/* The upper half of the name's PNRP IDs. From hashes alone: what a CPA holds. authority NULL: unsecured. */
void bypeer_name_p2p_id(const struct bypeer_profile *profile, const struct bypeer_peer_name *name,
                        uint8_t ret_p2p_id[static 16]);
void bypeer_p2p_id(const struct bypeer_profile *profile, const uint8_t *authority,
                   const uint8_t classifier_hash[static 20], uint8_t ret_p2p_id[static 16]);

/*
 * Host names: classifier.pnrp.net for unsecured names, classifier.AUTHORITY.pnrp.net for secure ones, whose label gets
 * a leading "p" when it begins with a digit. Only what maps one to one is taken: a classifier of one label of
 * [a-z0-9-]; a guard "p" is put where it would begin or end with "-" or "p"; an empty one is the label "p".
 */
/* 0 and the name; -ENOENT: not below pnrp.net; -EINVAL with why: below it, and no name. Case and a final dot are
 * ignored. */
int bypeer_host_name_read(struct bypeer_peer_name *ret_name, const char *host, char why[static 160]);
/* 0; -EINVAL with why: the classifier has no host name form. */
int bypeer_host_name_write(const struct bypeer_peer_name *name, char ret_host[static BYPEER_HOST_NAME_MAX],
                           char why[static 160]);
