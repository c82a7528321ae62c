/*
 * Attachments: "this member is reachable through this supernode" (DESIGN D8), a record of type
 * BYPEER_RECORD_ATTACHMENT. Ours: the original has none.
 *
 *   0       1      2         3          4         8          16               32              64
 *   version flags  priority  endpoints  0         sequence   member's address member's key    supernode's key
 *   96 endpoints, 18 bytes each: address, port
 *      member's peer name, supernode's peer name: each 2 bytes of length, UTF-8
 *      signature of the member: profile->signature_bytes, or nothing
 *
 * Integers are big-endian. A supernode's own record is an attachment whose member is itself. The keys are WireGuard's
 * (X25519); a member key of zeros: the member is plainly on its supernode, without WireGuard between them.
 *
 * Threads: any; nothing here has state.
 */
#pragma once

#include <stdbool.h>

#include "overlay/graph/record.h"
#include "overlay/pnrp/name.h"

struct bypeer_key;

#define BYPEER_ATTACHMENT_ENDPOINTS_MAX 4
#define BYPEER_ATTACHMENT_DRAINING      1u /* leaves soon: choose another where there is one */
#define BYPEER_ATTACHMENT_FIXED_BYTES   96
#define BYPEER_ATTACHMENT_BYTES_MAX                                                                          \
    (BYPEER_ATTACHMENT_FIXED_BYTES + 18 * BYPEER_ATTACHMENT_ENDPOINTS_MAX + 2 * (2 + BYPEER_NAME_TEXT_MAX) + \
     BYPEER_SIGNATURE_MAX)

struct bypeer_attachment {
    uint8_t flags;
    uint8_t priority;  /* the lowest is chosen first */
    uint64_t sequence; /* of one (member, supernode): the highest counts */
    struct bypeer_peer_name member;
    uint8_t member_address[16]; /* overlay */
    uint8_t member_key[32];     /* WireGuard; zero: none */
    struct bypeer_peer_name supernode;
    uint8_t supernode_key[32]; /* WireGuard */
    struct {
        uint8_t address[16]; /* underlay; IPv4 as ::ffff:a.b.c.d */
        uint16_t port;
    } endpoints[BYPEER_ATTACHMENT_ENDPOINTS_MAX];
    unsigned endpoint_count;
    bool is_signed; /* by the member */
    uint8_t signature[BYPEER_SIGNATURE_MAX];
};

/* Why an attachment does not count; SOUND: it does. */
enum bypeer_attachment_fault {
    BYPEER_ATTACHMENT_SOUND,
    BYPEER_ATTACHMENT_MALFORMED,
    BYPEER_ATTACHMENT_UNKNOWN_MEMBER,    /* no valid membership of it here (yet) */
    BYPEER_ATTACHMENT_UNKNOWN_SUPERNODE, /* likewise */
    BYPEER_ATTACHMENT_ADDRESS,           /* not the member's address */
    BYPEER_ATTACHMENT_ROLE,              /* the supernode it names has no such role */
    BYPEER_ATTACHMENT_STRANGER,          /* published neither by the member nor by the supernode, nor signed */
    BYPEER_ATTACHMENT_SIGNATURE,         /* signed, but not by the member */
    BYPEER_ATTACHMENT_STALE,             /* a newer one of this member and supernode is known */
    BYPEER_ATTACHMENT_FAULTS,
};
const char *bypeer_attachment_fault_text(enum bypeer_attachment_fault fault); /* for people; never NULL */

/* 0 or -EBADMSG. */
int bypeer_attachment_read(struct bypeer_attachment *ret_attachment, const struct bypeer_profile *profile,
                           const uint8_t *bytes, size_t length);
/* Returns the length, or 0 if room (BYPEER_ATTACHMENT_BYTES_MAX is enough) is too small. */
size_t bypeer_attachment_write(const struct bypeer_attachment *attachment, const struct bypeer_profile *profile,
                               uint8_t *ret_bytes, size_t room);
/* Signs member, supernode, their keys and the sequence with the member's identity key. 0 or -EIO. For a member that
 * lets its supernode publish: nodes publish for themselves, but judge what others signed, and what is signed is defined
 * here. */
int bypeer_attachment_sign(struct bypeer_attachment *attachment, const struct bypeer_peer_name *group,
                           const struct bypeer_key *key);
/* Whether the signature, if there is one, is by public_key. */
bool bypeer_attachment_is_signed_by(const struct bypeer_attachment *attachment, const struct bypeer_profile *profile,
                                    const struct bypeer_peer_name *group, const uint8_t *public_key);
