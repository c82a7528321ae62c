/*
 * libbypeer: identities, groups, records and presence, as the Identity Manager, Grouping and Graphing functions of the
 * Windows Peer-to-Peer API have them.
 *
 *     struct bypeer *node;
 *     struct bypeer_peer_members *members;
 *     bypeer_connect(&node, NULL);
 *     if (bypeer_peer_enum_members(&members, node, "friends") == 0) {
 *         for (size_t at = 0; at < members->count; at++)
 *             puts(members->at[at].name);
 *         bypeer_peer_free(members);
 *     }
 *
 * What is a group, an identity, a member is named by text: a peer name, its authority, or a friendly name that one
 * alone has. Enumerations are snapshots; what they point to lives as long as they do, until bypeer_peer_free(). Events
 * come over bypeer_fd(), by bypeer_process(). Functions return what those of bypeer.h do; texts are UTF-8, "" where
 * there is none; times are Unix seconds. Threads: as a connection.
 */
#pragma once

#include "bypeer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every snapshot begins with what its texts lie in. */
void bypeer_peer_free(void *snapshot); /* NULL is fine */

/* --- identities --------------------------------------------------------------------------------------------------- */

struct bypeer_peer_identity {
    const char *identity; /* its peer name */
    const char *name;     /* for people */
    const char *profile;  /* "modern" or "windows" */
    const char *key;      /* public, in hex */
    int is_default;
};

struct bypeer_peer_identities {
    json_t *source;
    size_t count;
    struct bypeer_peer_identity at[];
};

int bypeer_peer_enum_identities(struct bypeer_peer_identities **ret_identities, struct bypeer *node);
/* Any of the three may be NULL: no classifier, the peer name, "modern". */
int bypeer_peer_identity_create(struct bypeer *node, const char *name, const char *classifier, const char *profile,
                                char ret_identity[BYPEER_NAME_TEXT]);
/* name NULL: back to the peer name. */
int bypeer_peer_identity_rename(struct bypeer *node, const char *identity, const char *name);
/* Refused as long as a group depends on it. */
int bypeer_peer_identity_delete(struct bypeer *node, const char *identity);
int bypeer_peer_identity_set_default(struct bypeer *node, const char *identity);
/* What an inviter wants to have: *ret_xml is the caller's to free(). identity NULL: the default one. */
int bypeer_peer_identity_xml(struct bypeer *node, const char *identity, char **ret_xml);
/* With its private key, encrypted; *ret_xml is the caller's to free(). */
int bypeer_peer_identity_export(struct bypeer *node, const char *identity, const char *password, char **ret_xml);
int bypeer_peer_identity_import(struct bypeer *node, const char *xml, const char *password,
                                char ret_identity[BYPEER_NAME_TEXT]);
/* A new key under the same name; the old one stays valid beside it for so many seconds (0: what bypeer-api(7) says).
 * identity NULL: the default one. */
int bypeer_peer_identity_rotate(struct bypeer *node, const char *identity, int64_t overlap_s);

/* --- groups ------------------------------------------------------------------------------------------------------- */

#define BYPEER_PEER_ADMINISTRATOR 1u
#define BYPEER_PEER_INVITING      2u
#define BYPEER_PEER_MEMBER        4u
#define BYPEER_PEER_SUPERNODE     8u

struct bypeer_peer_group {
    const char *group, *name, *profile;
    const char *identity;         /* that this node is in it with */
    const char *state;            /* "searching", "synchronizing", "connected", "alone", "unopened" */
    const char *prefix, *address; /* overlay addresses: the group's, this node's */
    unsigned roles;               /* this node's */
    int is_founder;
    int64_t until; /* of this node's membership; 0: none yet */
    int64_t members, neighbors;
};

struct bypeer_peer_groups {
    json_t *source;
    size_t count;
    struct bypeer_peer_group at[];
};

/* identity NULL: of all. */
int bypeer_peer_enum_groups(struct bypeer_peer_groups **ret_groups, struct bypeer *node, const char *identity);

struct bypeer_peer_founding {
    const char *name;
    /* NULL: the default one; made of the name; none; none, else whoever knows it may join; "modern". */
    const char *identity, *classifier, *comment, *password, *profile;
};
int bypeer_peer_group_create(struct bypeer *node, const struct bypeer_peer_founding *founding,
                             char ret_group[BYPEER_NAME_TEXT]);
/*
 * invitation: XML or a line. identity NULL: whom it is for, or the default one. password: of an invitation that wants
 * one, else NULL. Waits up to so many milliseconds (0: 30 s) until the group's records are here; a group that no member
 * was found of by then is joined, and goes on searching.
 */
int bypeer_peer_group_join(struct bypeer *node, const char *invitation, const char *identity, const char *password,
                           int timeout_ms, char ret_group[BYPEER_NAME_TEXT]);
int bypeer_peer_group_leave(struct bypeer *node, const char *group);
int bypeer_peer_group_connect(struct bypeer *node, const char *group, const char *endpoint); /* "[fd00::1]:3587" */

struct bypeer_peer_order {
    const char *identity; /* XML of whom it is for; NULL: an invitation by the group's password */
    unsigned roles;       /* 0: a member's */
    int64_t lifetime_s;   /* 0: as long as the issuer's own membership */
};
/* Both forms, to be free()d; either may be NULL. */
int bypeer_peer_group_invite(struct bypeer *node, const char *group, const struct bypeer_peer_order *order,
                             char **ret_line, char **ret_xml);
/* member NULL: this node's. roles 0: those that he has. */
int bypeer_peer_group_renew(struct bypeer *node, const char *group, const char *member, unsigned roles,
                            int64_t lifetime_s);
/* is_adopt: those whom the member invited stay. reason may be NULL. */
int bypeer_peer_group_revoke(struct bypeer *node, const char *group, const char *member, const char *reason,
                             int is_adopt);
/* The membership, and with a password the group's key under it where this node founded the group; *ret_xml is the
 * caller's to free(). It is imported where its identity is. */
int bypeer_peer_group_export(struct bypeer *node, const char *group, const char *password, char **ret_xml);
int bypeer_peer_group_import(struct bypeer *node, const char *xml, const char *password,
                             char ret_group[BYPEER_NAME_TEXT]);

struct bypeer_peer_member {
    const char *member, *name, *address, *key;
    unsigned roles;
    int64_t not_before, until;
    int is_self, is_present, is_revoked;
};

struct bypeer_peer_members {
    json_t *source;
    size_t count;
    struct bypeer_peer_member at[];
};

int bypeer_peer_enum_members(struct bypeer_peer_members **ret_members, struct bypeer *node, const char *group);

/* --- records ------------------------------------------------------------------------------------------------------ */

#define BYPEER_PEER_GUID 40 /* room for "6c796768-7732-406b-bc6e-5e9c0d864580" */

/* Types of the group's own records; applications choose GUIDs of their own. */
#define BYPEER_PEER_PRESENCE   "00000400-0000-0000-0000-000000000000"
#define BYPEER_PEER_MEMBERSHIP "01000000-0000-0000-0000-000000000000"
#define BYPEER_PEER_REVOCATION "03000000-0000-0000-0000-000000000000"

struct bypeer_peer_record {
    const char *id, *type; /* GUIDs */
    const char *creator, *modifier, *attributes;
    const void *payload; /* text has a NUL after it */
    size_t payload_bytes;
    int payload_is_text;
    int64_t version, created, modified, expires;
    int is_deleted;
};

struct bypeer_peer_records {
    json_t *source;
    size_t count;
    struct bypeer_peer_record at[];
};

/* Any may be NULL: of applications' types, of everybody, whatever is in it (the search language of bypeer-api(7)). */
int bypeer_peer_enum_records(struct bypeer_peer_records **ret_records, struct bypeer *node, const char *group,
                             const char *type, const char *creator, const char *search);

struct bypeer_peer_draft {
    const char *type;       /* GUID; of an update it may be NULL */
    const char *attributes; /* XML; NULL: none */
    const void *payload;    /* NULL: none */
    size_t payload_bytes;
    int payload_is_text; /* UTF-8 */
    int64_t lifetime_s;  /* 0: a day; of an update: as it was */
    int is_autorefresh;  /* it lives as long as this node is in the group */
};

int bypeer_peer_record_publish(struct bypeer *node, const char *group, const struct bypeer_peer_draft *draft,
                               char ret_id[BYPEER_PEER_GUID]);
int bypeer_peer_record_update(struct bypeer *node, const char *group, const char *id,
                              const struct bypeer_peer_draft *draft);
int bypeer_peer_record_delete(struct bypeer *node, const char *group, const char *id);

/* --- presence ----------------------------------------------------------------------------------------------------- */

struct bypeer_peer_present {
    const char *node, *member, *name, *attributes;
    int is_self;
};

struct bypeer_peer_presence {
    json_t *source;
    size_t count;
    struct bypeer_peer_present at[];
};

int bypeer_peer_enum_presence(struct bypeer_peer_presence **ret_presence, struct bypeer *node, const char *group);
/* is_on: whatever the group's own limit says. attributes: XML of a record's, for all to see; NULL: as they are. */
int bypeer_peer_set_presence(struct bypeer *node, const char *group, int is_on, const char *attributes);

/* --- events ------------------------------------------------------------------------------------------------------- */

enum bypeer_peer_change {
    BYPEER_PEER_MISSED, /* older events are gone: enumerate. The event has no record */
    BYPEER_PEER_ADDED,
    BYPEER_PEER_UPDATED,
    BYPEER_PEER_REMOVED,
    BYPEER_PEER_EXPIRED,
};

/* Valid during the call. */
struct bypeer_peer_event {
    enum bypeer_peer_change change;
    int64_t sequence;
    const struct bypeer_peer_record *record;
};

struct bypeer_peer_watch;
typedef void (*bypeer_peer_changed)(void *context, const struct bypeer_peer_event *event);
typedef void (*bypeer_peer_ended)(void *context, int error); /* it is gone; bypeer_error_text() says why */

/*
 * What happens to the records of a group (of one type; NULL: of applications' types) from now on.
 * When bypeer_fd() is readable, and after other calls on the connection, bypeer_process() calls changed() for each
 * event, in order.
 */
int bypeer_peer_watch_begin(struct bypeer_peer_watch **ret_watch, struct bypeer *node, const char *group,
                            const char *type, bypeer_peer_changed changed, bypeer_peer_ended ended, void *context);
/* No callback comes any more. May be called from a callback. */
void bypeer_peer_watch_cancel(struct bypeer_peer_watch *watch);

/* --- direct links ------------------------------------------------------------------------------------------------- */

#define BYPEER_PEER_DATA_MAX (256u << 10) /* bytes of one message */

/*
 * Connects to where the member's presence says that its node listens, and waits until the link is there, or so many
 * milliseconds (0: 30 s). The program there learns of it by its own bypeer_peer_direct_begin(). The link ends with the
 * connection that node is.
 */
int bypeer_peer_direct_open(struct bypeer *node, const char *group, const char *member, int timeout_ms,
                            int64_t *ret_link);
/* One message; they come whole and in order. -EREMOTEIO with the key "link_full": the peer takes less than it was sent,
 * and nothing of this one was; send it again later, or let the peer confirm. type: GUID, for the programs; NULL: zeros.
 */
int bypeer_peer_direct_send(struct bypeer *node, const char *group, int64_t link, const char *type, const void *bytes,
                            size_t length);
/* What was sent goes out first. */
int bypeer_peer_direct_close(struct bypeer *node, const char *group, int64_t link);

enum bypeer_peer_said {
    BYPEER_PEER_LOST, /* messages came faster than they were taken; of this event only the kind is there */
    BYPEER_PEER_OPENED,
    BYPEER_PEER_DATA,
    BYPEER_PEER_CLOSED,
};

/* Valid during the call. */
struct bypeer_peer_message {
    enum bypeer_peer_said said;
    int64_t link;
    int is_initiator; /* this node opened the link */
    const char *member;
    const char *type; /* of DATA, with what follows */
    const void *bytes;
    size_t length;
};

typedef void (*bypeer_peer_heard)(void *context, const struct bypeer_peer_message *message);

/* What happens on all direct links of a group from now on; as bypeer_peer_watch_begin(). */
int bypeer_peer_direct_begin(struct bypeer_peer_watch **ret_watch, struct bypeer *node, const char *group,
                             bypeer_peer_heard heard, bypeer_peer_ended ended, void *context);

#ifdef __cplusplus
}
#endif
