/*
 * The commands of `bypeer`: one table (commands.c; options.c), from which come the parsing of arguments, help, shell
 * completion and the man page bypeer(1). A new command is one row there and one function.
 */
#pragma once

#include <stdbool.h>

struct cli;

/* What the shell can offer for a value. */
enum cli_values {
    CLI_VALUES_ANY, /* nothing */
    CLI_VALUES_FILE,
    CLI_VALUES_FORMAT, /* table, json */
    CLI_VALUES_GROUP,  /* names that the node knows */
    CLI_VALUES_LINK,
    CLI_VALUES_PEER,
    CLI_VALUES_KEY, /* keys of the configuration */
    CLI_VALUES_CLOUD,
    CLI_VALUES_NAME,      /* what the node publishes */
    CLI_VALUES_CRITERION, /* any, nearest, nearest64 */
    CLI_VALUES_PERIOD,    /* all, day, month */
    CLI_VALUES_PROFILE,   /* modern, windows */
    CLI_VALUES_PROTOCOL,  /* tcp, udp */
    CLI_VALUES_RELAY,     /* members of relay links */
    CLI_VALUES_JOINED,    /* groups that the node is in */
    CLI_VALUES_IDENTITY,
    CLI_VALUES_ROLE,
    CLI_VALUES_COMMAND, /* first words of commands */
};

enum cli_option_id {
    CLI_OPTION_NONE, /* ends a list */
    CLI_OPTION_CONFIG,
    CLI_OPTION_SOCKET,
    CLI_OPTION_OUTPUT,
    CLI_OPTION_HELP,
    CLI_OPTION_ADDRESS,
    CLI_OPTION_ADOPT,
    CLI_OPTION_ALL,
    CLI_OPTION_ATTRIBUTES,
    CLI_OPTION_BURST,
    CLI_OPTION_BYTES,
    CLI_OPTION_CLASSIFIER,
    CLI_OPTION_CLOUD,
    CLI_OPTION_COMMENT,
    CLI_OPTION_CREATOR,
    CLI_OPTION_CRITERION,
    CLI_OPTION_DEFAULT,
    CLI_OPTION_DIRECTORY,
    CLI_OPTION_ENDPOINT,
    CLI_OPTION_EXPIRES,
    CLI_OPTION_FRIENDLY_NAME,
    CLI_OPTION_GROUP,
    CLI_OPTION_IDENTITY,
    CLI_OPTION_INTERVAL,
    CLI_OPTION_KEEPALIVE,
    CLI_OPTION_IPV4,
    CLI_OPTION_LIMIT,
    CLI_OPTION_LINK,
    CLI_OPTION_LOCAL,
    CLI_OPTION_MTU,
    CLI_OPTION_MULTICAST,
    CLI_OPTION_NEW_KEY,
    CLI_OPTION_NEW_PRESHARED_KEY,
    CLI_OPTION_OPENMETRICS,
    CLI_OPTION_OFF,
    CLI_OPTION_OVERLAP,
    CLI_OPTION_OWN,
    CLI_OPTION_PASSWORD_FILE,
    CLI_OPTION_PAYLOAD,
    CLI_OPTION_PAYLOAD_FILE,
    CLI_OPTION_PEER,
    CLI_OPTION_PER,
    CLI_OPTION_PORT,
    CLI_OPTION_PREFIX,
    CLI_OPTION_PRESHARED_KEY_FILE,
    CLI_OPTION_PRIORITY,
    CLI_OPTION_PRIVATE_KEY_FILE,
    CLI_OPTION_PROFILE,
    CLI_OPTION_PROTOCOL,
    CLI_OPTION_PUBLIC_KEY,
    CLI_OPTION_QR,
    CLI_OPTION_QUOTA,
    CLI_OPTION_RATE,
    CLI_OPTION_REASON,
    CLI_OPTION_RESULTS,
    CLI_OPTION_ROLE,
    CLI_OPTION_RUNNING,
    CLI_OPTION_SEARCH,
    CLI_OPTION_TIMEOUT,
    CLI_OPTION_TYPE,
    CLI_OPTION_UDP_PORT,
    CLI_OPTION_UNDO,
    CLI_OPTION_UNSECURED,
    CLI_OPTION_VNI,
    CLI_OPTION_WITH,
    CLI_OPTION_WORKERS,
    CLI_OPTION_XML,
    CLI_OPTIONS,
};

struct cli_option {
    const char *name;  /* without its two hyphens */
    char letter;       /* 0: none */
    const char *value; /* name of its value; NULL: it takes none */
    enum cli_values values;
    const char *help; /* one line, no full stop */
};

/* By id. The first ones, up to HELP, go with every command. */
extern const struct cli_option cli_options[CLI_OPTIONS];

#define CLI_COMMAND_ARGUMENTS 2
#define CLI_COMMAND_OPTIONS   10

struct cli_argument {
    const char *name; /* NULL: no more */
    enum cli_values values;
    bool optional;
    bool repeats; /* the last one only */
};

struct cli_command {
    const char *word; /* those with the same word stand together */
    const char *verb; /* NULL: the word alone */
    struct cli_argument arguments[CLI_COMMAND_ARGUMENTS + 1];
    enum cli_option_id required[4];
    enum cli_option_id options[CLI_COMMAND_OPTIONS];
    bool implied;                /* of several with one word: the one that is meant when there is no verb */
    bool hidden;                 /* for completion */
    const char *help;            /* one line, no full stop */
    const char *details;         /* further sentences, or NULL */
    int (*run)(struct cli *cli); /* returns the exit status */
};

extern const struct cli_command cli_commands[];
extern const unsigned cli_command_count;

/* By word and verb (NULL: none was given); NULL: there is no such command. */
const struct cli_command *cli_command_find(const char *word, const char *verb);
/* The i-th of the different words, hidden ones left out, and the i-th verb of a word; NULL: no more. */
const char *cli_command_word(const void *unused, unsigned i);
const char *cli_command_verb(const void *word, unsigned i);
#define CLI_COMMAND_NAME 32
const char *cli_command_name(const struct cli_command *command, char name[static CLI_COMMAND_NAME]);

int cli_run_cloud_cache(struct cli *cli);
int cli_run_cloud_contact(struct cli *cli);
int cli_run_cloud_list(struct cli *cli);
int cli_run_cloud_load(struct cli *cli);
int cli_run_cloud_stats(struct cli *cli);
int cli_run_config_check(struct cli *cli);
int cli_run_config_explain(struct cli *cli);
int cli_run_config_reload(struct cli *cli);
int cli_run_config_show(struct cli *cli);
int cli_run_counters(struct cli *cli);
int cli_run_audit(struct cli *cli);
int cli_run_group_connect(struct cli *cli);
int cli_run_group_create(struct cli *cli);
int cli_run_group_export(struct cli *cli);
int cli_run_group_import(struct cli *cli);
int cli_run_group_invite(struct cli *cli);
int cli_run_group_join(struct cli *cli);
int cli_run_group_leave(struct cli *cli);
int cli_run_group_list(struct cli *cli);
int cli_run_group_issued(struct cli *cli);
int cli_run_group_members(struct cli *cli);
int cli_run_group_renew(struct cli *cli);
int cli_run_group_password(struct cli *cli);
int cli_run_group_revoke(struct cli *cli);
int cli_run_group_enroll(struct cli *cli);
int cli_run_group_dismiss(struct cli *cli);
int cli_run_group_attachments(struct cli *cli);
int cli_run_drain(struct cli *cli);
int cli_run_group_show(struct cli *cli);
int cli_run_presence_list(struct cli *cli);
int cli_run_presence_set(struct cli *cli);
int cli_run_record_delete(struct cli *cli);
int cli_run_record_list(struct cli *cli);
int cli_run_record_publish(struct cli *cli);
int cli_run_record_update(struct cli *cli);
int cli_run_record_watch(struct cli *cli);
int cli_run_groups_add(struct cli *cli);
int cli_run_groups_list(struct cli *cli);
int cli_run_groups_remove(struct cli *cli);
int cli_run_help(struct cli *cli);
int cli_run_identity_create(struct cli *cli);
int cli_run_identity_default(struct cli *cli);
int cli_run_identity_delete(struct cli *cli);
int cli_run_identity_export(struct cli *cli);
int cli_run_identity_import(struct cli *cli);
int cli_run_identity_list(struct cli *cli);
int cli_run_identity_rename(struct cli *cli);
int cli_run_identity_rotate(struct cli *cli);
int cli_run_identity_show(struct cli *cli);
int cli_run_identity_xml(struct cli *cli);
int cli_run_limits_list(struct cli *cli);
int cli_run_limits_remove(struct cli *cli);
int cli_run_limits_set(struct cli *cli);
int cli_run_policies_list(struct cli *cli);
int cli_run_policies_remove(struct cli *cli);
int cli_run_policies_set(struct cli *cli);
int cli_run_links_add(struct cli *cli);
int cli_run_links_list(struct cli *cli);
int cli_run_links_remove(struct cli *cli);
int cli_run_members_add(struct cli *cli);
int cli_run_members_count(struct cli *cli);
int cli_run_members_list(struct cli *cli);
int cli_run_members_load(struct cli *cli);
int cli_run_members_remove(struct cli *cli);
int cli_run_members_unload(struct cli *cli);
int cli_run_name_list(struct cli *cli);
int cli_run_name_lookup_path(struct cli *cli);
int cli_run_name_publish(struct cli *cli);
int cli_run_name_resolve(struct cli *cli);
int cli_run_name_unpublish(struct cli *cli);
int cli_run_name_update(struct cli *cli);
int cli_run_names(struct cli *cli);
int cli_run_peer_add(struct cli *cli);
int cli_run_peer_config(struct cli *cli);
int cli_run_peer_list(struct cli *cli);
int cli_run_peer_load(struct cli *cli);
int cli_run_peer_remove(struct cli *cli);
int cli_run_peer_show(struct cli *cli);
int cli_run_relay_add(struct cli *cli);
int cli_run_relay_config(struct cli *cli);
int cli_run_relay_list(struct cli *cli);
int cli_run_relay_members(struct cli *cli);
int cli_run_relay_mesh(struct cli *cli);
int cli_run_relay_remove(struct cli *cli);
int cli_run_routes_add(struct cli *cli);
int cli_run_routes_list(struct cli *cli);
int cli_run_routes_remove(struct cli *cli);
int cli_run_status(struct cli *cli);
int cli_run_trace(struct cli *cli);
int cli_run_usage(struct cli *cli);
int cli_run_version(struct cli *cli);
