/*
 * Every method with its parameters: what is not in this table is refused before a method runs.
 */
#include <string.h>

#include "control/api/call.h"

#define RELAY_MESH_MAX     300 /* members of one call: 44850 pairs */
#define RATE_MAX           INT64_C(1000000000000)
#define RELAY_LIFETIME_MAX 3153600000 /* s: a hundred years */
#define GROUP_LIFETIME_MAX 3153600000

/* clang-format off */
#define TEXT(key)                        {.name = (key), .type = PARAMETER_STRING}
#define NUMBER(key, low, high)           {.name = (key), .type = PARAMETER_INTEGER, .minimum = (low), .maximum = (high)}
#define LIST(key, most)                  {.name = (key), .type = PARAMETER_LIST, .maximum = (most)}
#define OPTIONAL_LIST(key, most)         {.name = (key), .optional = true, .type = PARAMETER_LIST, .maximum = (most)}
#define OPTIONAL_TEXT(key)               {.name = (key), .optional = true, .type = PARAMETER_STRING}
#define OPTIONAL_BOOLEAN(key)            {.name = (key), .optional = true, .type = PARAMETER_BOOLEAN}
#define OPTIONAL_NUMBER(key, low, high) \
    {.name = (key), .optional = true, .type = PARAMETER_INTEGER, .minimum = (low), .maximum = (high)}

static const struct method methods[] = {
    {"version",        method_version,        {{0}}},
    {"status",         method_status,         {{0}}},
    {"counters",       method_counters,       {OPTIONAL_BOOLEAN("per_worker")}},
    {"groups.list",    method_groups_list,    {{0}}},
    {"groups.add",     method_groups_add,     {TEXT("name"), TEXT("prefix"), NUMBER("vni", 1, 0xffffff),
                                               OPTIONAL_TEXT("address")}},
    {"groups.remove",  method_groups_remove,  {TEXT("name")}},
    {"links.list",     method_links_list,     {{0}}},
    {"links.add",      method_links_add,      {TEXT("name"), TEXT("group"), TEXT("peer"), OPTIONAL_TEXT("local"),
                                               OPTIONAL_NUMBER("vni", 1, 0xffffff),
                                               OPTIONAL_NUMBER("udp_port", 1, 65535),
                                               OPTIONAL_NUMBER("mtu", 1280, 8964)}},
    {"links.remove",   method_links_remove,   {TEXT("name")}},
    {"peers.list",     method_peers_list,     {OPTIONAL_NUMBER("after", 0, UINT32_MAX), OPTIONAL_NUMBER("limit", 1, 10000),
                                               OPTIONAL_TEXT("group")}},
    {"peers.show",     method_peers_show,     {TEXT("name")}},
    {"peers.add",      method_peers_add,      {TEXT("name"), TEXT("group"), TEXT("public_key"),
                                               OPTIONAL_TEXT("preshared_key"), OPTIONAL_TEXT("address"),
                                               OPTIONAL_TEXT("endpoint"), OPTIONAL_NUMBER("keepalive", 0, 65535)}},
    {"peers.load",     method_peers_load,     {LIST("peers", 10000)}},
    {"peers.remove",   method_peers_remove,   {TEXT("name")}},
    {"peers.set_key",  method_peers_set_key,  {TEXT("name"), TEXT("public_key")}},
    {"peers.config",   method_peers_config,   {TEXT("name")}},
    {"wireguard.show", method_wireguard_show, {{0}}},
    {"routes.list",    method_routes_list,    {{0}}},
    {"routes.add",     method_routes_add,     {TEXT("prefix"), TEXT("link")}},
    {"routes.remove",  method_routes_remove,  {TEXT("prefix")}},
    {"members.list",   method_members_list,   {OPTIONAL_TEXT("after"), OPTIONAL_NUMBER("limit", 1, 10000),
                                               OPTIONAL_TEXT("group"), OPTIONAL_TEXT("link")}},
    {"members.count",  method_members_count,  {OPTIONAL_TEXT("group"), OPTIONAL_TEXT("link")}},
    {"members.add",    method_members_add,    {TEXT("address"), TEXT("link")}},
    {"members.remove", method_members_remove, {TEXT("address")}},
    {"members.load",   method_members_load,   {TEXT("link"), LIST("addresses", 50000)}},
    {"members.unload", method_members_unload, {LIST("addresses", 50000)}},
    {"names.publish",  method_names_publish,  {OPTIONAL_TEXT("name"), OPTIONAL_TEXT("classifier"),
                                               OPTIONAL_BOOLEAN("unsecured"), OPTIONAL_LIST("clouds", 8),
                                               OPTIONAL_LIST("endpoints", 10), OPTIONAL_NUMBER("port", 0, 65535),
                                               OPTIONAL_TEXT("protocol"), OPTIONAL_TEXT("comment"),
                                               OPTIONAL_TEXT("payload"), OPTIONAL_TEXT("payload_type"),
                                               OPTIONAL_TEXT("prefix")}},
    {"names.update",   method_names_update,   {TEXT("name"), OPTIONAL_LIST("endpoints", 10),
                                               OPTIONAL_NUMBER("port", 0, 65535), OPTIONAL_TEXT("protocol"),
                                               OPTIONAL_TEXT("comment"), OPTIONAL_TEXT("payload"),
                                               OPTIONAL_TEXT("payload_type")}},
    {"names.unpublish", method_names_unpublish, {TEXT("name"), OPTIONAL_LIST("clouds", 8)}},
    {"names.list",     method_names_list,     {{0}}},
    {"names.resolve",  method_names_resolve,  {TEXT("name"), OPTIONAL_LIST("clouds", 8),
                                               OPTIONAL_NUMBER("results", 1, 64),
                                               OPTIONAL_NUMBER("timeout_ms", 1, 600000), OPTIONAL_TEXT("criterion"),
                                               OPTIONAL_BOOLEAN("own"), OPTIONAL_BOOLEAN("stream")}},
    {"names.lookup_path", method_names_lookup_path, {TEXT("name"), OPTIONAL_TEXT("cloud"),
                                               OPTIONAL_NUMBER("timeout_ms", 1, 600000)}},
    {"clouds.list",    method_clouds_list,    {{0}}},
    {"clouds.stats",   method_clouds_stats,   {TEXT("cloud")}},
    {"clouds.cache",   method_clouds_cache,   {TEXT("cloud"), OPTIONAL_TEXT("after"),
                                               OPTIONAL_NUMBER("limit", 1, 10000)}},
    {"clouds.load",    method_clouds_load,    {TEXT("cloud"), LIST("entries", 20000)}},
    {"clouds.contact", method_clouds_contact, {TEXT("cloud"), TEXT("node")}},
    {"relays.show",    method_relays_show,    {{0}}},
    {"relays.members", method_relays_members, {OPTIONAL_NUMBER("after", 0, 0x7fffffff),
                                               OPTIONAL_NUMBER("limit", 1, 10000), OPTIONAL_TEXT("group")}},
    {"relays.list",    method_relays_list,    {OPTIONAL_NUMBER("after", 0, 0x7fffffff),
                                               OPTIONAL_NUMBER("limit", 1, 10000), OPTIONAL_TEXT("group"),
                                               OPTIONAL_TEXT("member")}},
    {"relays.config",  method_relays_config,  {TEXT("name")}},
    {"relays.add",     method_relays_add,     {TEXT("name"), OPTIONAL_TEXT("group"), OPTIONAL_TEXT("public_key"),
                                               OPTIONAL_TEXT("address"), OPTIONAL_LIST("with", 50000),
                                               OPTIONAL_NUMBER("lifetime_s", 0, RELAY_LIFETIME_MAX),
                                               OPTIONAL_BOOLEAN("ipv4")}},
    {"relays.mesh",    method_relays_mesh,    {OPTIONAL_TEXT("group"), LIST("members", RELAY_MESH_MAX),
                                               OPTIONAL_NUMBER("lifetime_s", 0, RELAY_LIFETIME_MAX),
                                               OPTIONAL_BOOLEAN("ipv4")}},
    {"relays.load",    method_relays_load,    {OPTIONAL_TEXT("group"), OPTIONAL_LIST("members", 50000),
                                               LIST("pairs", 50000),
                                               OPTIONAL_NUMBER("lifetime_s", 0, RELAY_LIFETIME_MAX),
                                               OPTIONAL_BOOLEAN("ipv4")}},
    {"relays.remove",  method_relays_remove,  {TEXT("name"), OPTIONAL_TEXT("with")}},
    {"usage.list",     method_usage_list,     {OPTIONAL_NUMBER("after", 0, UINT32_MAX), OPTIONAL_NUMBER("limit", 1, 10000),
                                               OPTIONAL_TEXT("group")}},
    {"limits.list",    method_limits_list,    {{0}}},
    {"limits.set",     method_limits_set,     {OPTIONAL_TEXT("name"), OPTIONAL_TEXT("group"),
                                               OPTIONAL_NUMBER("rate", 0, RATE_MAX), OPTIONAL_NUMBER("burst", 0, RATE_MAX),
                                               OPTIONAL_NUMBER("quota", 0, INT64_MAX), OPTIONAL_TEXT("period")}},
    {"limits.remove",  method_limits_remove,  {OPTIONAL_TEXT("name"), OPTIONAL_TEXT("group")}},
    {"group.create",   method_group_create,   {TEXT("name"), OPTIONAL_TEXT("classifier"), OPTIONAL_TEXT("identity"),
                                               OPTIONAL_TEXT("profile"), OPTIONAL_TEXT("comment"),
                                               OPTIONAL_TEXT("password")}},
    {"group.list",     method_group_list,     {{0}}},
    {"group.show",     method_group_show,     {TEXT("group")}},
    {"group.members",  method_group_members,  {TEXT("group")}},
    {"group.invite",   method_group_invite,   {TEXT("group"), OPTIONAL_TEXT("identity"), OPTIONAL_LIST("roles", 4),
                                               OPTIONAL_NUMBER("lifetime_s", 60, GROUP_LIFETIME_MAX)}},
    {"group.join",     method_group_join,     {TEXT("invitation"), OPTIONAL_TEXT("identity"), OPTIONAL_TEXT("password"),
                                               OPTIONAL_NUMBER("timeout_ms", 1, 600000)}},
    {"group.leave",    method_group_leave,    {TEXT("group")}},
    {"group.connect",  method_group_connect,  {TEXT("group"), TEXT("endpoint")}},
    {"group.renew",    method_group_renew,    {TEXT("group"), OPTIONAL_TEXT("member"), OPTIONAL_LIST("roles", 4),
                                               OPTIONAL_NUMBER("lifetime_s", 60, GROUP_LIFETIME_MAX)}},
    {"group.revoke",   method_group_revoke,   {TEXT("group"), TEXT("member"), OPTIONAL_TEXT("reason"),
                                               OPTIONAL_BOOLEAN("adopt")}},
    {"group.enroll",   method_group_enroll,   {TEXT("group"), TEXT("name"), OPTIONAL_TEXT("public_key"),
                                               OPTIONAL_NUMBER("lifetime_s", 60, GROUP_LIFETIME_MAX),
                                               OPTIONAL_NUMBER("priority", 0, 127)}},
    {"group.dismiss",  method_group_dismiss,  {TEXT("group"), TEXT("member")}},
    {"group.attachments", method_group_attachments, {TEXT("group")}},
    {"drain.set",      method_drain_set,      {OPTIONAL_BOOLEAN("off")}},
    {"drain.show",     method_drain_show,     {{0}}},
    {"record.publish", method_record_publish, {TEXT("group"), TEXT("type"), OPTIONAL_TEXT("payload"),
                                               OPTIONAL_TEXT("payload_type"), OPTIONAL_TEXT("attributes"),
                                               OPTIONAL_NUMBER("lifetime_s", 1, GROUP_LIFETIME_MAX),
                                               OPTIONAL_BOOLEAN("refresh")}},
    {"record.update",  method_record_update,  {TEXT("group"), TEXT("id"), OPTIONAL_TEXT("payload"),
                                               OPTIONAL_TEXT("payload_type"), OPTIONAL_TEXT("attributes"),
                                               OPTIONAL_NUMBER("lifetime_s", 1, GROUP_LIFETIME_MAX)}},
    {"record.delete",  method_record_delete,  {TEXT("group"), TEXT("id")}},
    {"record.list",    method_record_list,    {TEXT("group"), OPTIONAL_TEXT("type"), OPTIONAL_TEXT("creator"),
                                               OPTIONAL_TEXT("search"), OPTIONAL_BOOLEAN("all"),
                                               OPTIONAL_TEXT("after"), OPTIONAL_NUMBER("limit", 1, 10000)}},
    {"record.watch",   method_record_watch,   {TEXT("group"), OPTIONAL_NUMBER("after", 0, INT64_MAX),
                                               OPTIONAL_NUMBER("timeout_ms", 1, 600000), OPTIONAL_TEXT("type"),
                                               OPTIONAL_TEXT("creator"), OPTIONAL_TEXT("search"),
                                               OPTIONAL_BOOLEAN("all")}},
    {"presence.list",  method_presence_list,  {TEXT("group")}},
    {"presence.set",   method_presence_set,   {TEXT("group"), OPTIONAL_BOOLEAN("present"), OPTIONAL_TEXT("attributes")}},
    {"audit.list",     method_audit_list,     {OPTIONAL_TEXT("group"), OPTIONAL_NUMBER("after", 0, INT64_MAX),
                                               OPTIONAL_NUMBER("limit", 1, 10000)}},
    {"policies.list",  method_policies_list,  {{0}}},
    {"policies.set",   method_policies_set,   {TEXT("group"), OPTIONAL_NUMBER("multicast", 0, 1000000),
                                               OPTIONAL_LIST("rules", BYPEER_GROUP_RULES_MAX)}},
    {"policies.remove", method_policies_remove, {TEXT("group")}},
    {"trace",          method_trace,          {NUMBER("packets", 1, 1000), OPTIONAL_NUMBER("timeout_ms", 1, 600000)}},
    {"config.show",    method_config_show,    {{0}}},
    {"config.reload",  method_config_reload,  {{0}}},
};
/* clang-format on */

const struct method *method_find(const char *name)
{
    for (size_t at = 0; at < sizeof(methods) / sizeof(methods[0]); at++)
        if (strcmp(methods[at].name, name) == 0)
            return &methods[at];
    return NULL;
}
