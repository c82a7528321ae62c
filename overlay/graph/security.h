/*
 * A graph's security provider: who signs records and says which are valid, and who authenticates and encrypts links
 * ([MS-PPGRH] 3.1.7.1 and following; the original's PEER_SECURITY_INTERFACE). A graph without one has neither.
 *
 * Either all of a provider's functions are there or none, but for stored() and first(), which may be NULL. They are
 * called from within the graph's functions, on its thread, and must not call back into it.
 */
#pragma once

#include <stdbool.h>

#include "overlay/graph/buffer.h"
#include "overlay/graph/message.h"
#include "overlay/graph/record.h"

struct bypeer_graph_time {
    uint64_t ms;  /* from any origin; never goes back */
    uint64_t utc; /* 100 ns since 1601 */
};

/* What happened to a record of the database. */
enum bypeer_record_change {
    BYPEER_RECORD_ADDED = 1,
    BYPEER_RECORD_UPDATED = 2,
    BYPEER_RECORD_REMOVED = 3, /* a tombstone took its place, or it is invalid now */
    BYPEER_RECORD_EXPIRED = 4,
};

enum bypeer_graph_verdict {
    BYPEER_GRAPH_VALID,
    BYPEER_GRAPH_INVALID,
    BYPEER_GRAPH_DEFERRED, /* ask again later: what it depends on is not known yet */
};

struct bypeer_graph_security {
    void *context;
    /*
     * Signs an own record, which is complete but for its security data: of an update, record->security is still that of
     * the version before. *bytes: room in, length out. Negative: it is not published.
     */
    int (*secure)(void *context, struct bypeer_graph_time now, const struct bypeer_record *record,
                  uint8_t *ret_security, size_t *bytes);
    /* A record of a peer's, or of the store's, or, at a revalidation, of the database's. *ret_why: unless it is valid.
     */
    enum bypeer_graph_verdict (*validate)(void *context, struct bypeer_graph_time now,
                                          const struct bypeer_record *record, const char **ret_why);
    /* After the database has changed. */
    void (*stored)(void *context, struct bypeer_graph_time now, enum bypeer_record_change change,
                   const struct bypeer_record *record);
    /* Whether it is flooded and synchronised before all others. */
    bool (*first)(void *context, const struct bypeer_record *record);

    /* Links. peer_id: whom the initiator wants, as far as it knows; NULL: anybody. address: of the peer; it counts
     * tries of passwords. */
    int (*link_open)(void *context, void **ret_link, bool is_initiator, const char *peer_id,
                     enum bypeer_graph_link_kind kind, const struct bypeer_graph_address *address);
    /*
     * Takes a token of the peer's (NULL, 0: the initiator begins) and appends the answer, maybe nothing, to out. 1: the
     * peer is authenticated; 0: go on; negative: close, *ret_why says why. out is sent in any case.
     */
    int (*link_token)(void *context, void *link, struct bypeer_graph_time now, const uint8_t *token, size_t length,
                      struct bypeer_buffer *out, const char **ret_why);
    const char *(*link_peer)(void *context, void *link); /* the peer's ID, once authenticated */
    /* A frame's payload, to and from what is on the wire; appended to out. 0 or negative: the link is closed. */
    int (*link_seal)(void *context, void *link, const uint8_t *plain, size_t length, struct bypeer_buffer *out);
    int (*link_unseal)(void *context, void *link, const uint8_t *bytes, size_t length, struct bypeer_buffer *out);
    void (*link_close)(void *context, void *link);
};
