/*
 * libbypeer: a program's way to the bypeer node on its machine.
 *
 * A connection speaks JSON-RPC 2.0 with bypeerd over a Unix socket. bypeer_call() reaches every method that
 * bypeer-api(7) describes; the functions after it are the common ones with C types. Values in and out are jansson's.
 *
 *     struct bypeer *node;
 *     if (bypeer_connect(&node, NULL) < 0)
 *         ...
 *     if (bypeer_member_add(node, "fd12:3456:789a::2", "beta") < 0)
 *         fprintf(stderr, "%s\n", bypeer_error_text(node));
 *     bypeer_close(node);
 *
 * Functions return 0 (or what they say) or a negative errno:
 *
 *     -EREMOTEIO   the node refused; bypeer_error_text() says why, bypeer_error_code() and _key() for programs
 *     -ETIMEDOUT   no answer within the time limit; the connection must be closed, since the answer may still come
 *     -ECONNRESET  the node closed the connection
 *     -EBADMSG     the answer is not JSON-RPC; close the connection
 *     -EINVAL      a parameter that the library itself found wrong
 *     -ENOMEM
 *
 * Strings are UTF-8. Threads: a connection is used by one at a time; several connections are independent.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BYPEER_SOCKET   "/run/bypeer/control.sock"
#define BYPEER_LOAD_MAX 50000 /* addresses in one request of members.load */

struct bypeer;

/* Connects to a socket. NULL: that of the environment variable BYPEER_SOCKET, or BYPEER_SOCKET above. */
int bypeer_connect(struct bypeer **ret_node, const char *socket);
/* The same over a connected stream socket, which belongs to the connection from then on. */
int bypeer_attach(struct bypeer **ret_node, int fd);
void bypeer_close(struct bypeer *node); /* NULL is fine */

/* How long a call may take, in milliseconds; -1: for ever. 30000 at first. */
void bypeer_set_timeout(struct bypeer *node, int milliseconds);
/* For poll(): readable when an answer has come. */
int bypeer_fd(const struct bypeer *node);

/*
 * Calls a method and waits for its answer. params: an object, whose reference the call takes; NULL: none. *ret_result
 * (may be NULL) is the caller's to json_decref().
 */
int bypeer_call(struct bypeer *node, const char *method, json_t *params, json_t **ret_result);

/* The two halves of a call, so that several may be on their way. Answers may be received in any order. */
int bypeer_send(struct bypeer *node, const char *method, json_t *params, uint64_t *ret_id);
int bypeer_receive(struct bypeer *node, uint64_t id, json_t **ret_result);

/* About the last failure on this connection. The text is one line: thing, what is wrong, remedy. */
const char *bypeer_error_text(const struct bypeer *node);
int bypeer_error_code(const struct bypeer *node);           /* of JSON-RPC, 0: not the node's refusal */
const char *bypeer_error_key(const struct bypeer *node);    /* "no_such_link"; "": none */
const json_t *bypeer_error_data(const struct bypeer *node); /* bypeer-api(7), ERRORS; NULL: none */

/* --- the node ----------------------------------------------------------------------------------------------------- */

/* Sides of the packet sum: received + injected + generated + copied = sent + punted + consumed + dropped + in_flight.
 */
struct bypeer_packet_sum {
    int64_t received, injected, generated, copied, sent, punted, consumed, dropped, in_flight;
};

struct bypeer_node_status {
    char node[64], release[32];
    double uptime_s;
    int dataplane_attached;
    int64_t dataplane_pid; /* 0: absent */
    int64_t members, members_capacity;
    int64_t links, links_up;
    struct bypeer_packet_sum packets;
};

int bypeer_node_status(struct bypeer *node, struct bypeer_node_status *ret_status);

/* --- groups, links, routes ---------------------------------------------------------------------------------------- */

struct bypeer_group_definition {
    const char *name, *prefix;
    const char *address; /* this node's own; NULL: none */
    uint32_t vni;
};

struct bypeer_link_definition {
    const char *name, *group, *peer;
    const char *local; /* NULL: the kernel chooses */
    uint32_t vni;      /* 0: the group's */
    uint16_t udp_port; /* 0: 4790 */
    uint16_t mtu;      /* 0: what the path carries */
};

int bypeer_group_add(struct bypeer *node, const struct bypeer_group_definition *group);
int bypeer_group_remove(struct bypeer *node, const char *name);
int bypeer_link_add(struct bypeer *node, const struct bypeer_link_definition *link);
int bypeer_link_remove(struct bypeer *node, const char *name);
int bypeer_route_add(struct bypeer *node, const char *prefix, const char *link);
int bypeer_route_remove(struct bypeer *node, const char *prefix);

/* --- members ------------------------------------------------------------------------------------------------------ */

struct bypeer_member {
    const char *address, *group, *link;
    const char *origin; /* "config:14" or "api" */
};

/* 1: the address is new; 0: it was a member already and is behind this link now. */
int bypeer_member_add(struct bypeer *node, const char *address, const char *link);
int bypeer_member_remove(struct bypeer *node, const char *address);

/* How many members there are; only those of a group or link if that is not NULL. Negative errno. */
int64_t bypeer_member_count(struct bypeer *node, const char *group, const char *link);

/* Tells every member in ascending order of address, until each() returns another than 0, which is returned. A member's
 * strings are valid during the call, from which the same connection may not be used. */
int bypeer_member_each(struct bypeer *node, const char *group, const char *link,
                       int (*each)(void *context, const struct bypeer_member *member), void *context);

/*
 * Bulk changes. A loader keeps two requests on their way, so that the node works while the next one is made.
 * addresses: `count` of 16 bytes, network byte order, at most BYPEER_LOAD_MAX; taken before the call returns. Each
 * call is one durable transaction. An error of an earlier one is returned by a later call or by _finish(); what the
 * node had acknowledged until then is in *ret_done.
 */
struct bypeer_loader;

struct bypeer_loaded {
    uint64_t added, replaced, removed;
    uint64_t acknowledged; /* addresses that are durable by now */
};

/* link: what the addresses become members of; NULL: they are removed. */
int bypeer_loader_begin(struct bypeer_loader **ret_loader, struct bypeer *node);
int bypeer_loader_put(struct bypeer_loader *loader, const char *link, const uint8_t (*addresses)[16], size_t count);
/* What has been acknowledged so far; does not wait. */
void bypeer_loader_progress(const struct bypeer_loader *loader, struct bypeer_loaded *ret_done);
/* Waits for all that is on its way and frees the loader. */
int bypeer_loader_finish(struct bypeer_loader *loader, struct bypeer_loaded *ret_done);

/* --- names -------------------------------------------------------------------------------------------------------- */

#define BYPEER_NAME_TEXT        512 /* room for any peer name in UTF-8 */
#define BYPEER_HOST_TEXT        256 /* room for any host name */
#define BYPEER_NAME_ENDPOINTS   10  /* of one publication */
#define BYPEER_NAME_PAYLOAD_MAX 4096

/* What a name stands for. */
struct bypeer_name_endpoint {
    const char *address;
    uint16_t port;
    uint8_t protocol; /* 6 TCP, 17 UDP; 0: TCP */
};

struct bypeer_name_publication {
    /* "0.web", "4562b4628ac54782dda52789038476237e7c7263.web"; NULL: classifier "web" under the node's own identity, or
     * unsecured. */
    const char *name, *classifier;
    int unsecured;
    const char *const *clouds; /* by name; of bypeer_name_publish() only */
    size_t cloud_count;        /* 0: all */
    const struct bypeer_name_endpoint *endpoints;
    size_t endpoint_count; /* 0: the node's own addresses, followed as they change, with port and protocol */
    uint16_t port;
    uint8_t protocol;
    const char *comment; /* NULL: none; at most 39 characters */
    const void *payload; /* NULL: none */
    size_t payload_bytes;
    int payload_is_text; /* UTF-8 */
};

/* The name as published, and the host name by which any program finds it ("": it has none). */
struct bypeer_published {
    char name[BYPEER_NAME_TEXT], host[BYPEER_HOST_TEXT];
};

/* Durable: published until bypeer_name_unpublish(), over restarts. ret_published may be NULL. */
int bypeer_name_publish(struct bypeer *node, const struct bypeer_name_publication *publication,
                        struct bypeer_published *ret_published);
/* Replaces all that was published with publication->name, but its clouds. */
int bypeer_name_update(struct bypeer *node, const struct bypeer_name_publication *publication);
/* In the clouds named; cloud_count 0: in all. */
int bypeer_name_unpublish(struct bypeer *node, const char *name, const char *const *clouds, size_t cloud_count);

/* One name in one cloud. Strings are valid during the call. */
struct bypeer_name_registration {
    const char *name, *host, *cloud, *id, *comment, *state;
    const struct bypeer_name_endpoint *endpoints;
    size_t endpoint_count, payload_bytes;
};

/* Tells what this node publishes, until each() returns another than 0, which is returned. */
int bypeer_name_each(struct bypeer *node,
                     int (*each)(void *context, const struct bypeer_name_registration *registration), void *context);

struct bypeer_cloud_status {
    const char *name, *profile, *scope, *interface, *state; /* interface "": of all */
    int64_t names, known, nodes; /* published here, route entries known, nodes in the cloud by estimate */
};

int bypeer_cloud_each(struct bypeer *node, int (*each)(void *context, const struct bypeer_cloud_status *cloud),
                      void *context);

struct bypeer_name_query {
    const char *name;          /* a peer name, or a host name below pnrp.net */
    const char *const *clouds; /* by name */
    size_t cloud_count;        /* 0: all, at once */
    unsigned results;          /* at most; 0: 1 */
    int timeout_ms;            /* 0: 30000; at most 600000 */
    int own;                   /* registrations of this node count, too */
    const char *criterion;     /* "any", "nearest", "nearest64"; NULL: any */
};

/* A registration that was found. What is pointed to is valid during the call. */
struct bypeer_name_result {
    const char *name, *cloud, *id, *comment;
    int secure;
    const struct bypeer_name_endpoint *endpoints; /* of the application */
    size_t endpoint_count;
    const struct bypeer_name_endpoint *services; /* of the node that published it; protocol 17 */
    size_t service_count;
    const void *payload; /* NULL: none; text has a NUL after it */
    size_t payload_bytes;
    int payload_is_text;
    int64_t not_after; /* seconds since the epoch */
    int hops;
};

typedef void (*bypeer_name_found)(void *context, const struct bypeer_name_result *result);

/* Waits, as long as the query says, whatever bypeer_set_timeout() said; tells each result and returns how many there
 * were, or -ENOENT: nobody has the name. */
int bypeer_name_resolve(struct bypeer *node, const struct bypeer_name_query *query, bypeer_name_found found,
                        void *context);

/*
 * The same without waiting, several at once. bypeer_process() takes what has come and calls found() for each result as
 * it arrives, then finished() with the number of results, or -ENOENT, or another errno; the resolve is gone by then.
 *
 *     bypeer_resolve_begin(&resolve, node, &query, found, finished, context);
 *     ... poll() says that bypeer_fd() is readable: bypeer_process(node);
 *
 * Call bypeer_process() also after other calls on the same connection, which may have received results on the way.
 */
struct bypeer_resolve;

typedef void (*bypeer_name_finished)(void *context, int status);

int bypeer_resolve_begin(struct bypeer_resolve **ret_resolve, struct bypeer *node,
                         const struct bypeer_name_query *query, bypeer_name_found found, bypeer_name_finished finished,
                         void *context);
/* No callback comes any more. May be called from a callback. */
void bypeer_resolve_cancel(struct bypeer_resolve *resolve);
/* Never waits. Callbacks may use the connection, but not close it. After an error the connection must be closed, which
 * frees its resolves without a word. */
int bypeer_process(struct bypeer *node);

/* --- peer names, without a node ----------------------------------------------------------------------------------- */

struct bypeer_peer_name_parts {
    char authority[41];                /* "0", or 40 lower-case hex digits */
    char classifier[BYPEER_NAME_TEXT]; /* UTF-8; may be empty in a secure name */
};

/* 0; -EINVAL: it is no peer name, why (NULL: not wanted) says what is wrong in one line. */
#define BYPEER_NAME_WHY 160
int bypeer_peer_name_parse(const char *name, struct bypeer_peer_name_parts *ret_parts, char *ret_why);
int bypeer_peer_name_compose(const struct bypeer_peer_name_parts *parts, char ret_name[BYPEER_NAME_TEXT],
                             char *ret_why);
/* "0.web" to "web.pnrp.net" and back. Not every name has a host name. */
int bypeer_peer_name_to_host(const char *name, char ret_host[BYPEER_HOST_TEXT], char *ret_why);
int bypeer_peer_name_from_host(const char *host, char ret_name[BYPEER_NAME_TEXT], char *ret_why);

#ifdef __cplusplus
}
#endif
