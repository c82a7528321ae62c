/*
 * The configuration of a node, as read from one YAML file and checked against the schema (schema.c).
 *
 * Both processes read the same file: the data plane takes what is under dataplane and ports, node.run and overlay.tap,
 * control everything. Loading is all or nothing: on any error there is no configuration, only a list of messages that
 * each name file, line, key, value and remedy. A loaded configuration never changes; a reload loads a second one and
 * control applies the difference (config/diff.h).
 *
 * Thread: any; no state but the returned object.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Where an entry came from. line 0: not from the file. */
struct bypeer_config_origin {
    uint32_t line;
};

#define BYPEER_CONFIG_SECTIONS 15 /* of the schema, schema.h */

enum bypeer_memory_mode { BYPEER_MEMORY_AUTO, BYPEER_MEMORY_HUGEPAGES, BYPEER_MEMORY_NORMAL };
enum bypeer_idle_mode {
    BYPEER_IDLE_SLEEP,     /* naps that grow up to idle_max_us */
    BYPEER_IDLE_INTERRUPT, /* wait on the device where it has an interrupt, else naps */
    BYPEER_IDLE_BUSY,      /* never sleep: for dedicated cores */
};

enum bypeer_cloud_profile { BYPEER_CLOUD_MODERN, BYPEER_CLOUD_WINDOWS }; /* as in overlay/profile/profile.h */
enum bypeer_cloud_scope { BYPEER_CLOUD_GLOBAL, BYPEER_CLOUD_LINK };
enum bypeer_switch { BYPEER_SWITCH_OFF, BYPEER_SWITCH_ON, BYPEER_SWITCH_AUTO };

struct bypeer_config_address {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t bits;        /* of 128 (IPv4: 96 + prefix length) */
};

struct bypeer_config_port {
    struct bypeer_config_origin origin;
    char name[32];
    char device[256]; /* PCI address "0000:01:00.0" or a vdev string "net_af_xdp0,iface=eth0" */
    char tap[16];     /* exception path TAP; default "bp-" + name */
    uint16_t mtu;     /* of the underlay, bytes of IP: 1316 to 9000; default 1500 */
    uint16_t queues;  /* default: as many as workers */
    uint32_t address_count;
    struct bypeer_config_address *addresses; /* that control puts on the TAP */
};

struct bypeer_config_group {
    struct bypeer_config_origin origin;
    char name[64];
    uint8_t prefix[16]; /* /48 */
    uint32_t vni;
    uint8_t has_address;
    uint8_t address[16]; /* this node's own */
};

struct bypeer_config_link {
    struct bypeer_config_origin origin;
    char name[64];
    char group[64];
    uint8_t peer[16]; /* outer address of the peer; IPv4 as ::ffff:a.b.c.d */
    uint8_t has_local;
    uint8_t local[16]; /* default: the source address that the kernel chooses */
    uint32_t vni;      /* default: the group's */
    uint16_t udp_port; /* default 4790 */
    uint16_t mtu;      /* 0: from the port */
};

struct bypeer_config_member {
    struct bypeer_config_origin origin;
    uint8_t address[16];
    char link[64]; /* its link, and so its group */
};

struct bypeer_config_route {
    struct bypeer_config_origin origin;
    uint8_t prefix[16];
    uint8_t bits;
    char link[64];
};

/* Of UDP or TCP; IPv4 as ::ffff:a.b.c.d. */
struct bypeer_config_endpoint {
    uint8_t address[16];
    uint16_t port;
};

#define BYPEER_CONFIG_CLOUD_ADDRESSES 4 /* [MS-PNRP] 3.1.4.1: of a node in one cloud */
#define BYPEER_CONFIG_CLOUD_SEEDS     16

struct bypeer_config_cloud {
    struct bypeer_config_origin origin;
    char name[64];
    uint8_t profile;    /* enum bypeer_cloud_profile */
    uint8_t scope;      /* enum bypeer_cloud_scope */
    char interface[16]; /* of scope link */
    uint32_t address_count;
    uint8_t addresses[BYPEER_CONFIG_CLOUD_ADDRESSES][16]; /* none: chosen from the kernel's */
    uint16_t port;                                        /* default: the profile's */
    uint32_t seed_count;
    struct bypeer_config_endpoint seeds[BYPEER_CONFIG_CLOUD_SEEDS];
    uint8_t ssdp;    /* enum bypeer_switch; ON or OFF after loading */
    uint32_t cache;  /* 0: a small one; else a full one of so many entries */
    uint8_t answers; /* also without a registered name */
};

/* A WireGuard peer: a link, and, if it has an address, the member behind it. */
struct bypeer_config_peer {
    struct bypeer_config_origin origin;
    char name[64]; /* none that a link has */
    char group[64];
    uint8_t public_key[32];
    uint8_t has_address;
    uint8_t address[16];                    /* its own, in the group's prefix */
    struct bypeer_config_endpoint endpoint; /* where to begin; port 0: the peer begins */
    uint16_t keepalive;                     /* seconds; 0: none */
    char preshared_key_file[256];           /* empty: none */
};

#define BYPEER_CONFIG_DNS_MAX             8
#define BYPEER_CONFIG_WIREGUARD_ADDRESSES 16
#define BYPEER_CONFIG_WIREGUARD_DNS       4
#define BYPEER_CONFIG_GROUPING_ADDRESSES  4

struct bypeer_config {
    char file[4096];
    struct {
        char name[64];   /* default: host name */
        char state[256]; /* directory of the database; default /var/lib/bypeer */
        char run[256];   /* directory of sockets; default /run/bypeer */
    } node;
    struct {
        char group[64];       /* Unix group that may use the API beside root and the daemon's user; empty: none */
        uint32_t members;     /* entries that the first generation has room for; default 65536 */
        uint32_t members_max; /* growth ends here; default 100000000 */
        uint32_t links;       /* default 1024 */
        uint32_t prefixes;    /* default 4096 */
    } tables;
    struct {
        char user[64], group[64]; /* owner of the TAPs; empty: root */
        uint16_t workers;         /* 1 to 64; default 1 */
        uint16_t core_count;
        uint16_t cores[64]; /* of the workers; core_count 0 (default): the last ones that the process may use */
        int32_t main_core;  /* -1: the first one that the process may use */
        enum bypeer_memory_mode memory;
        uint32_t megabytes; /* of packet memory; default 128 */
        enum bypeer_idle_mode idle;
        uint32_t idle_max_us; /* longest nap; 10 to 2000, default 1500 */
        uint16_t burst;       /* 8 to 128; default 64 */
        char file_prefix[64]; /* of DPDK's run-time files; default "bypeer" */
        char eal[512];        /* further EAL arguments, split at spaces */
    } dataplane;
    struct {
        char tap[16]; /* of the host's own overlay traffic; default "bypeer0" */
        uint16_t mtu; /* 0: the smallest link's */
    } overlay;
    struct {
        uint8_t nss;       /* serve libnss_bypeer; default 1 */
        uint8_t unsecured; /* NSS and DNS answer unsecured names, too; default 0 */
        uint32_t dns_count;
        struct bypeer_config_endpoint dns[BYPEER_CONFIG_DNS_MAX]; /* where the DNS responder listens; none: off */
        uint32_t ids;           /* of other nodes that the first generation has room for; default 65536 */
        uint32_t ids_max;       /* growth ends here; default 16000000 */
        uint32_t stranger_rate; /* bytes a second to all unverified sources together; default 16384 */
    } names;
    struct {
        uint16_t port;         /* of UDP; default 51820 */
        char private_key[256]; /* file; empty: wireguard.key in node.state */
        uint32_t address_count;
        uint8_t addresses[BYPEER_CONFIG_WIREGUARD_ADDRESSES][16]; /* to listen on; none: those of the ports */
        char endpoint[128]; /* "host:port" for peers' files; empty: the first address and the port */
        uint32_t dns_count;
        uint8_t dns[BYPEER_CONFIG_WIREGUARD_DNS][16]; /* for peers' files */
    } wireguard;
    struct {
        uint8_t prefix[16];           /* that relay addresses are in; host bits zero */
        uint8_t bits;                 /* 16 to 80; 0: this node is no relay */
        uint8_t on_link;              /* answer neighbour solicitations for the prefix; default 0 */
        uint16_t port;                /* of every relay address; default 51820 */
        char ipv4_ports[16];          /* "52000-59999"; empty: no port variant */
        uint16_t port_low, port_high; /* the same; 0: none */
    } relay;
    struct {
        uint16_t port; /* of TCP, for members of the groups that this node is in; default 3587 */
        uint32_t address_count;
        uint8_t addresses[BYPEER_CONFIG_GROUPING_ADDRESSES][16]; /* that members are told; none: chosen */
    } grouping;
    uint32_t port_count, group_count, link_count, peer_count, member_count, route_count, cloud_count;
    struct bypeer_config_port *ports;
    struct bypeer_config_group *groups;
    struct bypeer_config_link *links;
    struct bypeer_config_peer *peers;
    struct bypeer_config_member *members;
    struct bypeer_config_route *routes;
    struct bypeer_config_cloud *clouds;
    /* Line of each value, by section, and in it by entry and key of the schema; 0: a default. For show.h. */
    uint32_t *lines[BYPEER_CONFIG_SECTIONS];
};

#define BYPEER_CONFIG_FILE "/etc/bypeer/bypeer.yaml" /* where both processes look */

/* What is wrong with a file: one message a line, in file order. Of very many, the first thousand and how many more. */
struct bypeer_config_errors {
    size_t count;
    char **messages; /* "bypeer.yaml:14: ports[0].mtu: 70000 is out of range; use 1316 to 9000" */
};

/*
 * Loads and checks a file. Returns 0 and *ret_config (free with bypeer_config_free()), or -EINVAL, or the negative
 * errno of reading; then *ret_config is untouched and *ret_errors, if not NULL, says why (bypeer_config_errors_free()).
 */
int bypeer_config_load(struct bypeer_config **ret_config, const char *file, struct bypeer_config_errors *ret_errors);
/* The same from memory; name stands for the file in messages. The fuzz target's entrance. */
int bypeer_config_parse(struct bypeer_config **ret_config, const char *name, const char *text, size_t length,
                        struct bypeer_config_errors *ret_errors);
void bypeer_config_free(struct bypeer_config *config);
void bypeer_config_errors_free(struct bypeer_config_errors *errors);
