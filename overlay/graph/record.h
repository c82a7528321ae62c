/*
 * Records: what a graph replicates ([MS-PPGRH] 2.2.3, 3.1.7.27, 3.1.7.32).
 *
 *   | type 16 | id 16 | version 4 | flags 4 | creator | modifier | security | created 8 | expires 8 | modified 8 |
 *   | graph | protocol 2 | payload | attributes |
 *   creator, modifier, graph, attributes: | UTF-16 units with NUL, 4 bytes | units, little-endian |; none: 0
 *   security, payload:                    | bytes, 4 bytes | bytes |
 *
 * Integers in network byte order on the wire, in host order here. Strings are UTF-8 here. Times are the graph's peer
 * time: 100 ns since 1601. Threads: any; a record is immutable once it was made.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/graph/guid.h"
#include "overlay/profile/profile.h"

#define BYPEER_RECORD_AUTOREFRESH 1u /* local: never on the wire */
#define BYPEER_RECORD_DELETED     2u

#define BYPEER_RECORD_LEAST     90        /* bytes of any record on the wire */
#define BYPEER_RECORD_ID_UNITS  256       /* UTF-16 units of a creator, modifier or graph ID, with NUL */
#define BYPEER_RECORD_BYTES_MAX 62914560u /* of payload and attributes, if a graph sets no limit of its own */
#define BYPEER_PEER_TIME_SECOND UINT64_C(10000000)
#define BYPEER_PEER_TIME_1970   UINT64_C(116444736000000000)

/* Types that applications may not use. The first four are graphing's, two grouping's, two this platform's. */
#define BYPEER_RECORD_GRAPH_INFO   \
    (struct bypeer_guid)           \
    {                              \
        {                          \
            0x00, 0x00, 0x01, 0x00 \
        }                          \
    }
#define BYPEER_RECORD_SIGNATURE    \
    (struct bypeer_guid)           \
    {                              \
        {                          \
            0x00, 0x00, 0x02, 0x00 \
        }                          \
    }
#define BYPEER_RECORD_CONTACT      \
    (struct bypeer_guid)           \
    {                              \
        {                          \
            0x00, 0x00, 0x03, 0x00 \
        }                          \
    }
#define BYPEER_RECORD_PRESENCE     \
    (struct bypeer_guid)           \
    {                              \
        {                          \
            0x00, 0x00, 0x04, 0x00 \
        }                          \
    }
#define BYPEER_RECORD_MEMBERSHIP   \
    (struct bypeer_guid)           \
    {                              \
        {                          \
            0x01, 0x00, 0x00, 0x00 \
        }                          \
    }
#define BYPEER_RECORD_SECURITY     \
    (struct bypeer_guid)           \
    {                              \
        {                          \
            0x02, 0x00, 0x00, 0x00 \
        }                          \
    }
#define BYPEER_RECORD_REVOCATION   \
    (struct bypeer_guid)           \
    {                              \
        {                          \
            0x03, 0x00, 0x00, 0x00 \
        }                          \
    }
#define BYPEER_RECORD_ATTACHMENT   \
    (struct bypeer_guid)           \
    {                              \
        {                          \
            0x04, 0x00, 0x00, 0x00 \
        }                          \
    }

/* The record IDs of the two records of which a graph has one each. */
#define BYPEER_RECORD_GRAPH_INFO_ID                                                                        \
    (struct bypeer_guid)                                                                                   \
    {                                                                                                      \
        {                                                                                                  \
            0x6c, 0x79, 0x67, 0x68, 0x77, 0x32, 0x40, 0x6b, 0xbc, 0x6e, 0x5e, 0x9c, 0x0d, 0x86, 0x45, 0x80 \
        }                                                                                                  \
    }
#define BYPEER_RECORD_SIGNATURE_ID                                                                         \
    (struct bypeer_guid)                                                                                   \
    {                                                                                                      \
        {                                                                                                  \
            0x4c, 0x51, 0x5c, 0x94, 0x42, 0x52, 0x49, 0x4f, 0x84, 0x40, 0x34, 0xcc, 0x79, 0x76, 0x9c, 0x81 \
        }                                                                                                  \
    }

struct bypeer_record {
    struct bypeer_guid type, id;
    uint32_t version, flags;
    uint16_t protocol;    /* bypeer_record_protocol() of the graph's profile */
    const char *creator;  /* peer ID */
    const char *modifier; /* peer ID; NULL: none */
    uint64_t created, expires, modified;
    const char *graph;      /* graph ID */
    const char *attributes; /* XML of attributes.h; NULL: none */
    const uint8_t *security, *payload;
    size_t security_bytes, payload_bytes;
};

static inline bool bypeer_record_is_deleted(const struct bypeer_record *record)
{
    return record->flags & BYPEER_RECORD_DELETED;
}

/* Whether applications may not publish records of this type. */
bool bypeer_record_is_reserved(const struct bypeer_guid *type);
/* The version of records of a profile; it differs, so that neither takes the other's. */
uint16_t bypeer_record_protocol(const struct bypeer_profile *profile);

/* A copy in one piece of memory, with all that it points to; free() releases it. NULL: no memory. */
struct bypeer_record *bypeer_record_copy(const struct bypeer_record *record);
/* The bytes that a copy takes. */
size_t bypeer_record_memory(const struct bypeer_record *record);

/*
 * Reads one, as bypeer_record_copy() makes one; bytes behind it are ignored. 0; -EBADMSG: cut, a length that is out of
 * range, or a string that is no UTF-16 or has no NUL at its end; -ENOMEM. Whether it is legal is for
 * bypeer_record_fault().
 */
int bypeer_record_read(struct bypeer_record **ret_record, const uint8_t *bytes, size_t length);
/* The bytes that bypeer_record_write() needs; 0: a string is no UTF-8 or too long, and so it cannot be written. */
size_t bypeer_record_bytes(const struct bypeer_record *record);
/* Returns the bytes written; -ENOSPC; -EINVAL: as of bypeer_record_bytes(). Local flags stay here. */
long bypeer_record_write(const struct bypeer_record *record, uint8_t *ret_bytes, size_t room);

/* The greater wins if both have the same ID; 0: they are the same record in the same version (3.1.7.32). */
int bypeer_record_compare(const struct bypeer_record *a, const struct bypeer_record *b);

struct bypeer_record_rules {
    const struct bypeer_profile *profile;
    const char *graph; /* the graph's ID */
    uint32_t largest;  /* bytes of payload and attributes; 0: BYPEER_RECORD_BYTES_MAX */
    uint64_t now;      /* what has expired by then is refused; 0: it is not */
};
/* What is wrong with a record from a peer (3.1.7.27), before the security provider is asked; NULL: nothing. */
const char *bypeer_record_fault(const struct bypeer_record *record, const struct bypeer_record_rules *rules);

/*
 * A new record's ID, which is bound to its creator (2.2.3.1). Records of the types graph info and signature have their
 * constant one, and a revocation's is its target's: the security provider judges that.
 */
void bypeer_record_make_id(const struct bypeer_profile *profile, const char *creator,
                           const uint8_t random_bytes[static 16], struct bypeer_guid *ret_id);
/* The half of it that the creator decides. */
void bypeer_record_creator_half(const struct bypeer_profile *profile, const char *creator, uint8_t ret_half[static 8]);
/*
 * The hash of 16 bytes that record IDs and hash-based synchronisation have: bypeer_profile_hash()'s first ones in the
 * modern profile, MD5 in that of 2006.
 */
void bypeer_graph_hash(const struct bypeer_profile *profile, const struct bypeer_piece *pieces, size_t count,
                       uint8_t ret_hash[static 16]);
