/*
 * The schema of the configuration: every key that bypeer.yaml may hold, once.
 *
 * From this one table come reading and checking (read.c), defaults, `bypeer config show` and `explain`, the differences
 * that a reload makes (diff.h), shell completion and the man page bypeer.yaml(5). A new key is one row here and one
 * member in config.h.
 *
 * A file is a mapping of sections; a section is one mapping of keys, or a list of entries, each such a mapping.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* The sections, in the order of the schema. */
enum bypeer_config_section {
    BYPEER_CONFIG_NODE,
    BYPEER_CONFIG_TABLES,
    BYPEER_CONFIG_DATAPLANE,
    BYPEER_CONFIG_PORTS,
    BYPEER_CONFIG_OVERLAY,
    BYPEER_CONFIG_GROUPS,
    BYPEER_CONFIG_LINKS,
    BYPEER_CONFIG_MEMBERS,
    BYPEER_CONFIG_ROUTES,
    BYPEER_CONFIG_NAMES,
    BYPEER_CONFIG_CLOUDS,
    BYPEER_CONFIG_WIREGUARD,
    BYPEER_CONFIG_PEERS,
    BYPEER_CONFIG_RELAY,
    BYPEER_CONFIG_GROUPING,
};
_Static_assert(BYPEER_CONFIG_GROUPING + 1 == BYPEER_CONFIG_SECTIONS, "one for each");

enum bypeer_schema_type {
    BYPEER_SCHEMA_TEXT,      /* minimum to maximum bytes */
    BYPEER_SCHEMA_NAME,      /* the same, of letters, digits, dots, hyphens and underscores */
    BYPEER_SCHEMA_PATH,      /* the same, beginning with a slash */
    BYPEER_SCHEMA_NUMBER,    /* minimum to maximum, or "auto" where the schema names a value for it */
    BYPEER_SCHEMA_NUMBERS,   /* a list of them; of at most `entries`, none twice */
    BYPEER_SCHEMA_CHOICE,    /* one of `choices` */
    BYPEER_SCHEMA_OVERLAY,   /* an overlay address: IPv6, within a group's /48 */
    BYPEER_SCHEMA_UNDERLAY,  /* an address of the network that carries the overlay: IPv6 or IPv4, unicast */
    BYPEER_SCHEMA_UNDERLAYS, /* a list of them, of at most `entries` */
    BYPEER_SCHEMA_INTERFACE, /* a list of addresses with prefix lengths */
    BYPEER_SCHEMA_PREFIX,    /* an IPv6 prefix of minimum to maximum bits */
    BYPEER_SCHEMA_ADDRESSES, /* a list of IPv6 addresses of this host, of at most `entries` */
    BYPEER_SCHEMA_ENDPOINTS, /* a list of IPv6 or IPv4 addresses with a port of minimum to maximum, "[address]:port" */
    BYPEER_SCHEMA_ENDPOINT,  /* one of them, of a single host */
    BYPEER_SCHEMA_KEY,       /* a WireGuard key in base64 (wireguard_key.h) */
};
/* Whether it is a list; of INTERFACE the array is apart from the structure, of the others in it. */
bool bypeer_schema_is_list(enum bypeer_schema_type type);

/* What a change of the value needs. */
enum bypeer_schema_change {
    BYPEER_SCHEMA_RELOAD = 0,    /* nothing but a reload */
    BYPEER_SCHEMA_CONTROL = 1,   /* a restart of bypeerd */
    BYPEER_SCHEMA_DATAPLANE = 2, /* a restart of bypeer-dataplane */
    BYPEER_SCHEMA_BOTH = 3,
};

struct bypeer_schema_key {
    const char *name;
    enum bypeer_schema_type type;
    bool required;
    bool has_automatic; /* NUMBER: the word "auto" stands for the value `automatic` */
    int64_t automatic;
    int64_t minimum, maximum;
    uint32_t entries;           /* of a list: at most */
    const char *const *choices; /* CHOICE: NULL-terminated, in the order of the enum */
    const char *fallback;       /* default as it would be written; NULL: none, the value stays empty */
    const char *fallback_words; /* what the default is where that is no constant */
    const char *example;
    const char *help; /* one line, no full stop */
    enum bypeer_schema_change change;
    /* Where it goes in the section's structure. Beside it, if size is not 0: a flag that it was given, how many
     * entries the list has, or the bits of a prefix. */
    size_t offset, size, beside_offset, beside_size;
};

struct bypeer_schema_section {
    const char *name;
    const char *help;
    const struct bypeer_schema_key *keys;
    unsigned key_count;
    /* A list's entries: an array with its count. entry_bytes 0: one mapping, its keys' offsets in bypeer_config. */
    size_t entry_bytes, array_offset, count_offset;
    uint32_t entries;                 /* at most */
    enum bypeer_schema_change change; /* of adding or removing an entry */
};

extern const struct bypeer_schema_section bypeer_schema[BYPEER_CONFIG_SECTIONS];

/* Index of a section or of a key in its section, by name; -ENOENT. */
int bypeer_schema_find_section(const char *name);
int bypeer_schema_find_key(const struct bypeer_schema_section *section, const char *name);

/*
 * The name in a list that is most like text, by edits (insert, delete, replace, swap neighbours); NULL if none is near
 * enough to be meant. get(context, i) names the candidates until it returns NULL.
 */
const char *bypeer_schema_nearest(const char *text, const char *(*get)(const void *context, unsigned i),
                                  const void *context);
/* For sections, the keys of a section, and the choices of a key. */
const char *bypeer_schema_nearest_section(const char *text);
const char *bypeer_schema_nearest_key(const struct bypeer_schema_section *section, const char *text);
const char *bypeer_schema_nearest_choice(const struct bypeer_schema_key *key, const char *text);
