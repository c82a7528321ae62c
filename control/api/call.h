/*
 * Private to the API: one call of one method, and the table of methods.
 *
 * A method gets parameters that were checked against its table row, and either fills in call->result and returns 0, or
 * returns a negative errno (or code of JSON-RPC) with call->problem filled in, or returns CALL_LATER and ends the call
 * by call_end() when it is done.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "control/api/api.h"
#include "overlay/pnrp/cpa.h"
#include "overlay/pnrp/name.h"

#define CALL_LATER 1

struct call {
    struct bypeer_node *node;
    struct bypeer_exchange *exchange;
    const struct method *method;
    json_t *id;         /* NULL: a notification */
    json_t *parameters; /* an object, or NULL; owned by the exchange */
    json_t *result;
    json_t *messages; /* further lines for the error's data, or NULL */
    struct bypeer_problem problem;
    bool ended;
    json_t *answer;
    void *later;                          /* the method's own, while it is under way */
    void (*cancelled)(struct call *call); /* lets go of what would come later; or NULL */
};

/* A method that had said CALL_LATER is done: 0 with its result, or negative errno with its problem. */
void call_end(struct call *call, int outcome);

/* Who asks, as struct bypeer_api_client has it. */
const void *call_who(const struct call *call);

/* Tells the client something before the answer; parameters are taken over. False: it cannot be told. */
bool call_notify(struct call *call, const char *method, json_t *parameters);

#define PARAMETERS_MAX 12

struct parameter {
    const char *name;
    enum { PARAMETER_STRING, PARAMETER_INTEGER, PARAMETER_BOOLEAN, PARAMETER_LIST } type;
    bool optional;
    json_int_t minimum, maximum; /* INTEGER; of a LIST, maximum is how many there may be */
};

struct method {
    const char *name;
    int (*run)(struct call *call);
    struct parameter parameters[PARAMETERS_MAX];
};

/* NULL: there is no such method. */
const struct method *method_find(const char *name);

/* Parameters by name; optional ones that are missing give NULL or fallback. */
const char *call_string(const struct call *call, const char *name);
json_int_t call_integer(const struct call *call, const char *name, json_int_t fallback);
bool call_boolean(const struct call *call, const char *name);

/* An address or prefix in a parameter; negative with the problem filled in. Underlay: IPv4 as ::ffff:a.b.c.d, too. */
int call_overlay_address(struct call *call, const char *name, const char *text, uint8_t ret_address[static 16]);
int call_underlay_address(struct call *call, const char *name, const char *text, uint8_t ret_address[static 16]);
int call_prefix(struct call *call, const char *name, const char *text, uint8_t ret_prefix[static 16],
                uint8_t *ret_bits);

/* "[address]:port" or "IPv4:port" in a parameter, of the underlay; likewise. */
int call_underlay_endpoint(struct call *call, const char *name, const char *text, uint8_t ret_address[static 16],
                           uint16_t *ret_port);
/* A WireGuard key; its text is never repeated, since it may be a private one in the wrong place. */
int call_key(struct call *call, const char *name, const char *text, uint8_t ret_key[static 32]);

/* Texts as the API gives them: RFC 5952, IPv4 dotted; "config:14" or "api". */
json_t *call_address_text(const uint8_t address[static 16]);
json_t *call_prefix_text(const uint8_t prefix[static 16], unsigned bits);
json_t *call_underlay_endpoint_text(const uint8_t address[static 16], uint16_t port); /* null: port 0 */
json_t *call_mac_text(const uint8_t mac[static 6]);
json_t *call_origin(uint32_t line, bool is_followed);

/* "[address]:port" with a port above 1024. */
bool call_read_endpoint(const char *text, struct bypeer_pnrp_endpoint *ret_endpoint);
json_t *call_endpoint_text(const struct bypeer_pnrp_endpoint *endpoint);
json_t *call_application(const struct bypeer_application *application);
json_t *call_id_text(const uint8_t id[static 32]);
json_t *call_host_name(const struct bypeer_peer_name *name); /* null: it has none */
/* The parameter "clouds"; negative with the problem filled in. */
#define CALL_CLOUDS_MAX 8
int call_clouds(struct call *call, const char *ret_clouds[static CALL_CLOUDS_MAX], unsigned *ret_count);
/* Negative with the problem: this node is in no cloud. */
int call_need_names(struct call *call);
json_t *call_clouds_list(const struct bypeer_node *node);

/* An identity as the API shows it; and that of a parameter, the default one if it is missing, NULL with the problem. */
struct bypeer_identity;
json_t *call_identity(const struct bypeer_identity *identity);
const struct bypeer_identity *call_find_identity(struct call *call, const char *name);

/* What the data plane counted of a link, into its entry. */
void call_add_traffic(const struct bypeer_node *node, const struct bypeer_model_link *link, json_t *entry);

/* The result {key: number}; returns 0. */
int call_number(struct call *call, const char *key, uint64_t number);

/* --- the methods, by file --- */

int method_version(struct call *call); /* status.c */
int method_status(struct call *call);
int method_counters(struct call *call);    /* counters.c */
int method_groups_list(struct call *call); /* entries.c */
int method_groups_add(struct call *call);
int method_groups_remove(struct call *call);
int method_links_list(struct call *call); /* links.c */
int method_links_add(struct call *call);
int method_links_remove(struct call *call);
int method_routes_list(struct call *call); /* entries.c */
int method_routes_add(struct call *call);
int method_routes_remove(struct call *call);
int method_members_list(struct call *call); /* members.c */
int method_members_count(struct call *call);
int method_members_add(struct call *call);
int method_members_remove(struct call *call);
int method_members_load(struct call *call);
int method_members_unload(struct call *call);
int method_peers_list(struct call *call); /* peers.c */
int method_peers_show(struct call *call);
int method_peers_add(struct call *call);
int method_peers_load(struct call *call);
int method_peers_remove(struct call *call);
int method_peers_set_key(struct call *call);
int method_peers_config(struct call *call);
int method_wireguard_show(struct call *call);
int method_names_publish(struct call *call); /* names.c */
int method_names_update(struct call *call);
int method_names_unpublish(struct call *call);
int method_names_list(struct call *call);
int method_names_resolve(struct call *call); /* resolve.c */
int method_names_lookup_path(struct call *call);
int method_identities_list(struct call *call); /* identities.c */
int method_identities_create(struct call *call);
int method_identities_show(struct call *call);
int method_identities_rename(struct call *call);
int method_identities_delete(struct call *call);
int method_identities_set_default(struct call *call);
int method_identities_rotate(struct call *call);
int method_identities_export(struct call *call); /* identity_files.c */
int method_identities_import(struct call *call);
int method_clouds_list(struct call *call); /* clouds.c */
int method_clouds_stats(struct call *call);
int method_clouds_cache(struct call *call);
int method_clouds_load(struct call *call);
int method_clouds_contact(struct call *call);
int method_relays_add(struct call *call); /* relays.c */
int method_relays_mesh(struct call *call);
int method_relays_load(struct call *call);
int method_relays_remove(struct call *call);
int method_relays_show(struct call *call); /* relays_list.c */
int method_relays_members(struct call *call);
int method_relays_list(struct call *call);
int method_relays_config(struct call *call);
int method_policies_list(struct call *call); /* policies.c */
int method_policies_set(struct call *call);
int method_policies_remove(struct call *call);
int method_usage_list(struct call *call); /* usage.c */
int method_limits_list(struct call *call);
int method_limits_set(struct call *call);
int method_limits_remove(struct call *call);
int method_group_create(struct call *call); /* group.c */
int method_group_list(struct call *call);
int method_group_show(struct call *call);
int method_group_members(struct call *call);
int method_group_join(struct call *call);
int method_group_leave(struct call *call);
int method_group_connect(struct call *call);
int method_group_invite(struct call *call); /* group_issue.c */
int method_group_renew(struct call *call);
int method_group_issued(struct call *call); /* group_issued.c */
int method_group_password(struct call *call);
int method_group_revoke(struct call *call);
int method_group_export(struct call *call);
int method_group_import(struct call *call);
int method_record_publish(struct call *call); /* records.c */
int method_record_update(struct call *call);
int method_record_delete(struct call *call);
int method_record_list(struct call *call);
int method_record_watch(struct call *call);
int method_direct_open(struct call *call); /* direct.c */
int method_direct_send(struct call *call);
int method_direct_close(struct call *call);
int method_direct_receive(struct call *call);
int method_presence_list(struct call *call); /* presence.c */
int method_presence_set(struct call *call);
int method_audit_list(struct call *call);   /* audit.c */
int method_group_enroll(struct call *call); /* attach.c */
int method_group_dismiss(struct call *call);
int method_group_attachments(struct call *call);
int method_drain_set(struct call *call);
int method_drain_show(struct call *call);
int method_trace(struct call *call);       /* trace.c */
int method_config_show(struct call *call); /* config.c */
int method_config_reload(struct call *call);
