#include "config/schema.h"

#include <errno.h>
#include <string.h>

#define COUNT(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

/* Where a value goes: a member of bypeer_config, or of an entry's structure, and what is kept beside it. */
#define FIELD(structure, member) \
    .offset = offsetof(struct structure, member), .size = sizeof(((struct structure *)NULL)->member)
#define BESIDE(structure, member) \
    .beside_offset = offsetof(struct structure, member), .beside_size = sizeof(((struct structure *)NULL)->member)
#define TEXT(structure, member, least) \
    FIELD(structure, member), .minimum = (least), .maximum = sizeof(((struct structure *)NULL)->member) - 1
#define ENTRIES(structure, array, number)                                                           \
    .entry_bytes = sizeof(struct structure), .array_offset = offsetof(struct bypeer_config, array), \
    .count_offset = offsetof(struct bypeer_config, number)

static const char *const memory_modes[] = {"auto", "hugepages", "normal", NULL};
static const char *const idle_modes[] = {"sleep", "interrupt", "busy", NULL};
static const char *const profiles[] = {"modern", "windows", NULL};
static const char *const scopes[] = {"global", "link", NULL};
static const char *const booleans[] = {"false", "true", NULL};
static const char *const switches[] = {"false", "true", "auto", NULL};

static const struct bypeer_schema_key node_keys[] = {
    {.name = "name",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config, node.name, 1),
     .fallback_words = "the host name",
     .example = "alpha",
     .help = "Name of this node, for people"},
    {.name = "state",
     .type = BYPEER_SCHEMA_PATH,
     TEXT(bypeer_config, node.state, 1),
     .fallback = "/var/lib/bypeer",
     .help = "Directory of the database",
     .change = BYPEER_SCHEMA_CONTROL},
    /* A Unix socket's path ends at 107 bytes; "/dataplane.sock" goes after this. */
    {.name = "run",
     .type = BYPEER_SCHEMA_PATH,
     FIELD(bypeer_config, node.run),
     .minimum = 1,
     .maximum = 91,
     .fallback = "/run/bypeer",
     .help = "Directory of the sockets control.sock and dataplane.sock",
     .change = BYPEER_SCHEMA_BOTH},
};

static const struct bypeer_schema_key tables_keys[] = {
    {.name = "members",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, tables.members),
     .minimum = 1000,
     .maximum = 100000000,
     .fallback = "65536",
     .help = "Members that the tables have room for at the start; they grow by themselves",
     .change = BYPEER_SCHEMA_CONTROL},
    {.name = "members-max",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, tables.members_max),
     .minimum = 1000,
     .maximum = 100000000,
     .fallback = "100000000",
     .help = "Where growth ends; about 90 bytes of memory each, twice that while growing"},
    {.name = "links",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, tables.links),
     .minimum = 1,
     .maximum = 1000000,
     .fallback = "1024",
     .help = "Links that the tables have room for"},
    {.name = "prefixes",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, tables.prefixes),
     .minimum = 1,
     .maximum = 1000000,
     .fallback = "4096",
     .help = "Routes that the tables have room for"},
    {.name = "api-group",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config, tables.group, 1),
     .fallback_words = "none",
     .example = "bypeer",
     .help = "Unix group that may use the API beside root and the daemon's own user"},
};

static const struct bypeer_schema_key dataplane_keys[] = {
    {.name = "workers",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, dataplane.workers),
     .minimum = 1,
     .maximum = 64,
     .fallback = "1",
     .help = "Workers, each one loop on a core of its own",
     .change = BYPEER_SCHEMA_DATAPLANE},
    {.name = "cores",
     .type = BYPEER_SCHEMA_NUMBERS,
     FIELD(bypeer_config, dataplane.cores),
     BESIDE(bypeer_config, dataplane.core_count),
     .minimum = 0,
     .maximum = 1023,
     .entries = 64,
     .fallback_words = "the last ones that the process may use",
     .example = "[2, 3]",
     .help = "Cores of the workers, one for each",
     .change = BYPEER_SCHEMA_DATAPLANE},
    {.name = "main-core",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, dataplane.main_core),
     .minimum = 0,
     .maximum = 1023,
     .has_automatic = true,
     .automatic = -1,
     .fallback = "auto",
     .help = "Core of the threads that are no workers; auto: the first one that the process may use",
     .change = BYPEER_SCHEMA_DATAPLANE},
    {.name = "memory",
     .type = BYPEER_SCHEMA_CHOICE,
     FIELD(bypeer_config, dataplane.memory),
     .choices = memory_modes,
     .fallback = "auto",
     .help = "Hugepages, normal pages, or hugepages where there are any (auto)",
     .change = BYPEER_SCHEMA_DATAPLANE},
    {.name = "megabytes",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, dataplane.megabytes),
     .minimum = 32,
     .maximum = 1048576,
     .fallback = "128",
     .help = "Memory for packets, in MiB",
     .change = BYPEER_SCHEMA_DATAPLANE},
    {.name = "idle",
     .type = BYPEER_SCHEMA_CHOICE,
     FIELD(bypeer_config, dataplane.idle),
     .choices = idle_modes,
     .fallback = "interrupt",
     .help = "What a worker without packets does: waits for its devices, with naps where one has nothing to wait on "
             "(interrupt), naps that grow (sleep), or neither (busy), which costs a whole core",
     .change = BYPEER_SCHEMA_DATAPLANE},
    {.name = "idle-max-us",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, dataplane.idle_max_us),
     .minimum = 10,
     .maximum = 2000,
     .fallback = "1500",
     .help = "Longest nap, in microseconds",
     .change = BYPEER_SCHEMA_DATAPLANE},
    {.name = "burst",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, dataplane.burst),
     .minimum = 8,
     .maximum = 128,
     .fallback = "64",
     .help = "Packets that a worker takes from a port at once",
     .change = BYPEER_SCHEMA_DATAPLANE},
    {.name = "user",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config, dataplane.user, 1),
     .fallback_words = "root",
     .example = "bypeer-dataplane",
     .help = "User that bypeer-dataplane runs as, owner of the TAP devices",
     .change = BYPEER_SCHEMA_BOTH},
    {.name = "group",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config, dataplane.group, 1),
     .fallback_words = "root",
     .example = "bypeer-dataplane",
     .help = "Group that bypeer-dataplane runs as, owner of the TAP devices",
     .change = BYPEER_SCHEMA_BOTH},
    {.name = "file-prefix",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config, dataplane.file_prefix, 1),
     .fallback = "bypeer",
     .help = "Prefix of DPDK's run-time files; two nodes on one machine need two",
     .change = BYPEER_SCHEMA_DATAPLANE},
    {.name = "eal",
     .type = BYPEER_SCHEMA_TEXT,
     TEXT(bypeer_config, dataplane.eal, 0),
     .fallback_words = "none",
     .example = "\"--log-level=pmd:debug\"",
     .help = "Further arguments for DPDK's EAL, separated by spaces",
     .change = BYPEER_SCHEMA_DATAPLANE},
};

static const struct bypeer_schema_key port_keys[] = {
    {.name = "name",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config_port, name, 1),
     .required = true,
     .example = "uplink",
     .help = "Name of the port",
     .change = BYPEER_SCHEMA_BOTH},
    {.name = "device",
     .type = BYPEER_SCHEMA_TEXT,
     TEXT(bypeer_config_port, device, 1),
     .required = true,
     .example = "\"net_af_xdp0,iface=eth1\"",
     .help = "PCI address (0000:01:00.0) or DPDK virtual device with its arguments",
     .change = BYPEER_SCHEMA_DATAPLANE},
    {.name = "tap",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config_port, tap, 1),
     .fallback_words = "bp-NAME",
     .example = "bp-uplink",
     .help = "TAP device that stands for the port in the kernel",
     .change = BYPEER_SCHEMA_BOTH},
    {.name = "mtu",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config_port, mtu),
     .minimum = 1316,
     .maximum = 9000,
     .fallback = "1500",
     .help = "Largest IP packet of the underlay, in bytes",
     .change = BYPEER_SCHEMA_BOTH},
    {.name = "queues",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config_port, queues),
     .minimum = 1,
     .maximum = 64,
     .has_automatic = true,
     .fallback = "auto",
     .help = "Receive queues; auto: one for each worker",
     .change = BYPEER_SCHEMA_DATAPLANE},
    {.name = "addresses",
     .type = BYPEER_SCHEMA_INTERFACE,
     FIELD(bypeer_config_port, addresses),
     BESIDE(bypeer_config_port, address_count),
     .entries = 64,
     .fallback_words = "none",
     .example = "[\"2001:db8:1::1/64\", \"192.0.2.1/24\"]",
     .help = "Addresses that bypeerd puts on the TAP device"},
};

static const struct bypeer_schema_key overlay_keys[] = {
    {.name = "tap",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config, overlay.tap, 1),
     .fallback = "bypeer0",
     .help = "Network device of this host's own overlay traffic",
     .change = BYPEER_SCHEMA_BOTH},
    {.name = "mtu",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, overlay.mtu),
     .minimum = 1280,
     .maximum = 8964,
     .has_automatic = true,
     .fallback = "auto",
     .help = "Largest overlay packet of this host, in bytes; auto: that of the smallest link"},
};

static const struct bypeer_schema_key group_keys[] = {
    {.name = "name",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config_group, name, 1),
     .required = true,
     .example = "lab",
     .help = "Name of the group"},
    {.name = "prefix",
     .type = BYPEER_SCHEMA_PREFIX,
     FIELD(bypeer_config_group, prefix),
     .minimum = 48,
     .maximum = 48,
     .required = true,
     .example = "\"fd12:3456:789a::/48\"",
     .help = "The /48 of the group's members, from fd00::/8 (RFC 4193)"},
    {.name = "vni",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config_group, vni),
     .minimum = 1,
     .maximum = 16777215,
     .required = true,
     .example = "7",
     .help = "VXLAN network identifier of the group's links"},
    {.name = "address",
     .type = BYPEER_SCHEMA_OVERLAY,
     FIELD(bypeer_config_group, address),
     BESIDE(bypeer_config_group, has_address),
     .fallback_words = "none: the host takes no part",
     .example = "\"fd12:3456:789a::1\"",
     .help = "This node's own address in the group"},
};

static const struct bypeer_schema_key link_keys[] = {
    {.name = "name",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config_link, name, 1),
     .required = true,
     .example = "beta",
     .help = "Name of the link"},
    {.name = "group",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config_link, group, 1),
     .required = true,
     .example = "lab",
     .help = "Group whose packets it carries"},
    {.name = "peer",
     .type = BYPEER_SCHEMA_UNDERLAY,
     FIELD(bypeer_config_link, peer),
     .required = true,
     .example = "\"2001:db8:1::2\"",
     .help = "Underlay address of the other end"},
    {.name = "local",
     .type = BYPEER_SCHEMA_UNDERLAY,
     FIELD(bypeer_config_link, local),
     BESIDE(bypeer_config_link, has_local),
     .fallback_words = "the one that the kernel chooses for the peer",
     .example = "\"2001:db8:1::1\"",
     .help = "Underlay address of this end"},
    {.name = "vni",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config_link, vni),
     .minimum = 1,
     .maximum = 16777215,
     .has_automatic = true,
     .fallback = "auto",
     .help = "VXLAN network identifier agreed with the peer; auto: the group's"},
    {.name = "udp-port",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config_link, udp_port),
     .minimum = 1,
     .maximum = 65535,
     .fallback = "4790",
     .help = "UDP port of VXLAN-GPE, at both ends"},
    {.name = "mtu",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config_link, mtu),
     .minimum = 1280,
     .maximum = 8964,
     .has_automatic = true,
     .fallback = "auto",
     .help = "Largest overlay packet of the link, in bytes; auto: what fits the port's mtu"},
};

static const struct bypeer_schema_key member_keys[] = {
    {.name = "address",
     .type = BYPEER_SCHEMA_OVERLAY,
     FIELD(bypeer_config_member, address),
     .required = true,
     .example = "\"fd12:3456:789a::2\"",
     .help = "Overlay address of the member, in the /48 of its link's group"},
    {.name = "link",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config_member, link, 1),
     .required = true,
     .example = "beta",
     .help = "Link that leads to it"},
};

static const struct bypeer_schema_key route_keys[] = {
    {.name = "prefix",
     .type = BYPEER_SCHEMA_PREFIX,
     FIELD(bypeer_config_route, prefix),
     BESIDE(bypeer_config_route, bits),
     .minimum = 16,
     .maximum = 128,
     .required = true,
     .example = "\"fd12:3456:789a:b::/64\"",
     .help = "Network behind a member"},
    {.name = "link",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config_route, link, 1),
     .required = true,
     .example = "beta",
     .help = "Link that leads to it"},
};

static const struct bypeer_schema_key names_keys[] = {
    {.name = "nss",
     .type = BYPEER_SCHEMA_CHOICE,
     FIELD(bypeer_config, names.nss),
     .choices = booleans,
     .fallback = "true",
     .help = "Whether programs of this host may resolve names through libnss_bypeer, by the socket names.sock"},
    {.name = "unsecured",
     .type = BYPEER_SCHEMA_CHOICE,
     FIELD(bypeer_config, names.unsecured),
     .choices = booleans,
     .fallback = "false",
     .help = "Whether NSS and DNS answer unsecured names, too, which anybody may publish"},
    {.name = "dns",
     .type = BYPEER_SCHEMA_ENDPOINTS,
     FIELD(bypeer_config, names.dns),
     BESIDE(bypeer_config, names.dns_count),
     .minimum = 1,
     .maximum = 65535,
     .entries = BYPEER_CONFIG_DNS_MAX,
     .fallback_words = "none: there is no DNS responder",
     .example = "[\"[::1]:5354\"]",
     .help = "Where the DNS responder for pnrp.net listens"},
    {.name = "ids",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, names.ids),
     .minimum = 1000,
     .maximum = 16000000,
     .fallback = "65536",
     .help = "Known IDs of all clouds that the tables have room for at the start; they grow by themselves",
     .change = BYPEER_SCHEMA_CONTROL},
    {.name = "ids-max",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, names.ids_max),
     .minimum = 1000,
     .maximum = 16000000,
     .fallback = "16000000",
     .help = "Where growth ends"},
    {.name = "stranger-rate",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config, names.stranger_rate),
     .minimum = 1500,
     .maximum = 100000000,
     .fallback = "16384",
     .help = "Bytes a second of certificates to all sources together that have not shown to be where they say they are",
     .change = BYPEER_SCHEMA_CONTROL},
};

static const struct bypeer_schema_key cloud_keys[] = {
    {.name = "name",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config_cloud, name, 1),
     .required = true,
     .example = "global",
     .help = "Name of the cloud, on this node"},
    {.name = "profile",
     .type = BYPEER_SCHEMA_CHOICE,
     FIELD(bypeer_config_cloud, profile),
     .choices = profiles,
     .fallback = "modern",
     .help = "Cryptography of the cloud: modern, or windows to meet nodes that speak PNRP 4.0"},
    {.name = "scope",
     .type = BYPEER_SCHEMA_CHOICE,
     FIELD(bypeer_config_cloud, scope),
     .choices = scopes,
     .fallback = "global",
     .help = "Whether it spans everything that is routed, or one link"},
    {.name = "interface",
     .type = BYPEER_SCHEMA_NAME,
     TEXT(bypeer_config_cloud, interface, 1),
     .fallback_words = "none; required of scope link",
     .example = "eth0",
     .help = "Network interface of a cloud of scope link, in the kernel: that of a port is its tap"},
    {.name = "addresses",
     .type = BYPEER_SCHEMA_ADDRESSES,
     FIELD(bypeer_config_cloud, addresses),
     BESIDE(bypeer_config_cloud, address_count),
     .entries = BYPEER_CONFIG_CLOUD_ADDRESSES,
     .fallback_words = "chosen from the kernel's addresses of the scope, those of ports first, and followed",
     .example = "[\"2001:db8:1::1\"]",
     .help = "This node's addresses in the cloud"},
    {.name = "port",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config_cloud, port),
     .minimum = 1025,
     .maximum = 65535,
     .has_automatic = true,
     .fallback = "auto",
     .help = "UDP port of this node in the cloud; auto: the profile's, 3541 or 3540"},
    {.name = "seeds",
     .type = BYPEER_SCHEMA_ENDPOINTS,
     FIELD(bypeer_config_cloud, seeds),
     BESIDE(bypeer_config_cloud, seed_count),
     .minimum = 1025,
     .maximum = 65535,
     .entries = BYPEER_CONFIG_CLOUD_SEEDS,
     .fallback_words = "none",
     .example = "[\"[2001:db8::1]:3541\"]",
     .help = "Nodes to ask when nobody else is known"},
    {.name = "ssdp",
     .type = BYPEER_SCHEMA_CHOICE,
     FIELD(bypeer_config_cloud, ssdp),
     .choices = switches,
     .fallback = "auto",
     .help = "Whether nodes of the same link are found by SSDP and find this one; auto: of scope link only"},
    {.name = "cache",
     .type = BYPEER_SCHEMA_NUMBER,
     FIELD(bypeer_config_cloud, cache),
     .minimum = 0,
     .maximum = 16000000,
     .fallback = "0",
     .help = "Nodes' IDs to remember; 0: some hundred, as many as routing needs; more makes shorter ways"},
    {.name = "answers",
     .type = BYPEER_SCHEMA_CHOICE,
     FIELD(bypeer_config_cloud, answers),
     .choices = booleans,
     .fallback = "false",
     .help = "Whether others are answered also while nothing is published here: for seeds and supernodes"},
};

#define KEYS(array) .keys = (array), .key_count = COUNT(array)

const struct bypeer_schema_section bypeer_schema[BYPEER_CONFIG_SECTIONS] = {
    [BYPEER_CONFIG_NODE] = {"node", .help = "This node", KEYS(node_keys)},
    [BYPEER_CONFIG_TABLES] = {"tables", .help = "Size of the forwarding tables, and who may change them",
                              KEYS(tables_keys)},
    [BYPEER_CONFIG_DATAPLANE] = {"dataplane", .help = "The process that moves packets", KEYS(dataplane_keys)},
    [BYPEER_CONFIG_PORTS] = {"ports", .help = "Network ports that the data plane drives", KEYS(port_keys),
                             ENTRIES(bypeer_config_port, ports, port_count), .entries = 16,
                             .change = BYPEER_SCHEMA_BOTH},
    [BYPEER_CONFIG_OVERLAY] = {"overlay", .help = "This host's own overlay traffic", KEYS(overlay_keys)},
    [BYPEER_CONFIG_GROUPS] = {"groups", .help = "Private groups: their members reach each other and nobody else",
                              KEYS(group_keys), ENTRIES(bypeer_config_group, groups, group_count), .entries = 1000000},
    [BYPEER_CONFIG_LINKS] = {"links", .help = "Links to other nodes, VXLAN-GPE carrying IPv6", KEYS(link_keys),
                             ENTRIES(bypeer_config_link, links, link_count), .entries = 1000000},
    [BYPEER_CONFIG_MEMBERS] = {"members", .help = "Members that are reached by a link", KEYS(member_keys),
                               ENTRIES(bypeer_config_member, members, member_count), .entries = 100000000},
    [BYPEER_CONFIG_ROUTES] = {"routes", .help = "Networks behind members", KEYS(route_keys),
                              ENTRIES(bypeer_config_route, routes, route_count), .entries = 1000000},
    [BYPEER_CONFIG_NAMES] = {"names", .help = "Names: what programs of this host may ask, and room for what is known",
                             KEYS(names_keys)},
    [BYPEER_CONFIG_CLOUDS] = {"clouds", .help = "Clouds: where names are published and found, by PNRP",
                              KEYS(cloud_keys), ENTRIES(bypeer_config_cloud, clouds, cloud_count), .entries = 8},
};

bool bypeer_schema_is_list(enum bypeer_schema_type type)
{
    return type == BYPEER_SCHEMA_NUMBERS || type == BYPEER_SCHEMA_INTERFACE || type == BYPEER_SCHEMA_ADDRESSES ||
           type == BYPEER_SCHEMA_ENDPOINTS;
}

int bypeer_schema_find_section(const char *name)
{
    for (int i = 0; i < BYPEER_CONFIG_SECTIONS; i++)
        if (strcmp(bypeer_schema[i].name, name) == 0)
            return i;
    return -ENOENT;
}

int bypeer_schema_find_key(const struct bypeer_schema_section *section, const char *name)
{
    for (unsigned i = 0; i < section->key_count; i++)
        if (strcmp(section->keys[i].name, name) == 0)
            return (int)i;
    return -ENOENT;
}

static const char *schema_section_name(const void *context, unsigned i)
{
    (void)context;
    return i < BYPEER_CONFIG_SECTIONS ? bypeer_schema[i].name : NULL;
}

static const char *schema_key_name(const void *context, unsigned i)
{
    const struct bypeer_schema_section *section = context;

    return i < section->key_count ? section->keys[i].name : NULL;
}

static const char *schema_choice_name(const void *context, unsigned i)
{
    const struct bypeer_schema_key *key = context;

    return key->choices[i];
}

const char *bypeer_schema_nearest_section(const char *text)
{
    return bypeer_schema_nearest(text, schema_section_name, NULL);
}

const char *bypeer_schema_nearest_key(const struct bypeer_schema_section *section, const char *text)
{
    return bypeer_schema_nearest(text, schema_key_name, section);
}

const char *bypeer_schema_nearest_choice(const struct bypeer_schema_key *key, const char *text)
{
    return bypeer_schema_nearest(text, schema_choice_name, key);
}
