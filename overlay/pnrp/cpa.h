/*
 * What a publisher signs: the certified peer address (CPA, [MS-PNRP] 2.2.3.1) and the extended payload (2.2.3.3).
 *
 * Both are little-endian structures inside big-endian messages; IDs, service location and authority lie in them with
 * their least significant byte first. The structs here have all of them in natural order, most significant first.
 *
 * Times are Unix seconds; on the wire they are FILETIMEs (100 ns since 1601). Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/pnrp/message.h"

#define BYPEER_CPA_MAX              759 /* bytes, of either profile */
#define BYPEER_CPA_SERVICES_MAX     4
#define BYPEER_CPA_APPLICATIONS_MAX 10
#define BYPEER_COMMENT_MAX          78   /* bytes of a friendly name; 39 UTF-16 units */
#define BYPEER_PAYLOAD_MAX          4096 /* bytes of application data */
#define BYPEER_EXTENDED_MAX         (210 + BYPEER_PAYLOAD_MAX + 2)

/* An application's endpoint: what a name is resolved for. */
struct bypeer_application {
    uint8_t address[16];
    uint16_t port;
    uint16_t protocol; /* IANA: 6 TCP, 17 UDP */
};

struct bypeer_cpa {
    bool revoke;       /* R */
    bool has_extended; /* X: this registration has an extended payload */
    uint64_t not_after;
    uint8_t service_location[16];
    uint8_t nonce[16];
    bool has_authority; /* A */
    uint8_t authority[20];
    bool has_classifier; /* C */
    uint8_t classifier_hash[20];
    uint8_t comment_bytes; /* 0: none */
    bool comment_is_utf8;  /* U; else UTF-16LE */
    const uint8_t *comment;
    uint8_t service_count;
    struct bypeer_pnrp_endpoint services[BYPEER_CPA_SERVICES_MAX];
    uint8_t application_count;
    struct bypeer_application applications[BYPEER_CPA_APPLICATIONS_MAX];
    const uint8_t *public_key; /* profile->public_key_bytes */
    /* Filled in by reading only. */
    const uint8_t *signature;
    uint16_t signed_bytes; /* the signature is over so many from the start */
};

/* Reads an Encoded CPA of exactly length bytes. Syntax only; it points into bytes. 0 or -EBADMSG. */
int bypeer_cpa_read(struct bypeer_cpa *ret_cpa, const struct bypeer_profile *profile, const uint8_t *bytes,
                    size_t length);
/*
 * Writes it with room for the signature, which is profile->signature_bytes at the very end: *ret_signed bytes from the
 * start are to be signed. Returns the length, or 0 if room (at least BYPEER_CPA_MAX) is too small.
 */
size_t bypeer_cpa_write(const struct bypeer_cpa *cpa, const struct bypeer_profile *profile, uint8_t *ret_bytes,
                        size_t room, size_t *ret_signed);
/* The PNRP ID that the CPA certifies: from authority, classifier hash and service location. */
void bypeer_cpa_id(const struct bypeer_cpa *cpa, const struct bypeer_profile *profile, uint8_t ret_id[static 32]);

enum bypeer_payload_type {
    BYPEER_PAYLOAD_NONE = 0,
    BYPEER_PAYLOAD_BINARY = 1,
    BYPEER_PAYLOAD_STRING = 2, /* UTF-8 without NUL here */
};

struct bypeer_extended {
    enum bypeer_payload_type type;
    uint64_t not_after;
    uint8_t id[32];
    uint8_t nonce[16];
    const uint8_t *payload;
    uint16_t payload_bytes;
    bool payload_is_utf16; /* a string as Windows writes it: UTF-16LE in .payload */
    const uint8_t *signature;
    uint16_t signed_bytes;
};

/* As for a CPA; the ID is not compared with anything, nor the signature: it is of the CPA's key. 0 or -EBADMSG. */
int bypeer_extended_read(struct bypeer_extended *ret_extended, const struct bypeer_profile *profile,
                         const uint8_t *bytes, size_t length);
/*
 * As for a CPA. 0 also if there can be no such payload: empty, longer than BYPEER_PAYLOAD_MAX (of a string, with its
 * NUL), or a string with a NUL in it. The NUL is put behind it here.
 */
size_t bypeer_extended_write(const struct bypeer_extended *extended, const struct bypeer_profile *profile,
                             uint8_t *ret_bytes, size_t room, size_t *ret_signed);
