#include "tests/unit/walk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "overlay/fabric/send.h"
#include "overlay/ip/ethernet.h"

struct walk walk;

static char run_directory[] = "/tmp/bypeer-test-XXXXXX";
static struct bypeer_trace trace;
static struct bypeer_trace_numbers trace_numbers;
static struct bypeer_sessions sessions;
static struct bypeer_event_ring events;
static struct bypeer_worker second;
static struct rte_graph *second_graph;
static void *tables_memory, *sessions_memory;

static const uint8_t port_mac[WALK_PORTS][6] = {{0x02, 0, 0, 0, 0, 0x10}, {0x02, 0, 0, 0, 0, 0x11}};
static const uint8_t next_hop_mac[6] = {0x02, 0, 0, 0, 0, 0x99};

/* --- addresses ---------------------------------------------------------------------------------------------------- */

const uint8_t *walk_address(enum walk_member member)
{
    static uint8_t addresses[MEMBER_UNKNOWN + 1][16];
    uint8_t *address = addresses[member];
    bool in_other_group = member == MEMBER_X || member == MEMBER_HERE_X;
    address[0] = 0xfd;
    address[1] = in_other_group ? 0x99 : 0x12;
    address[15] = (uint8_t)member;
    return address;
}

const uint8_t *walk_prefix_member(void)
{
    static const uint8_t address[16] = {0xfd, 0x12, [7] = 0xb, [15] = 0x77};
    return address;
}

static void set_ends(struct bypeer_link *link, uint8_t peer)
{
    bool is_ipv4 = link->id == LINK_C;
    memcpy(link->peer,
           is_ipv4 ? (const uint8_t[16]){[10] = 0xff, 0xff, 192, 0, 2, peer}
                   : (const uint8_t[16]){0x20, 0x01, 0x0d, 0xb8, [15] = peer},
           16);
    memcpy(link->local,
           is_ipv4 ? (const uint8_t[16]){[10] = 0xff, 0xff, 192, 0, 2, 1}
                   : (const uint8_t[16]){0x20, 0x01, 0x0d, 0xb8, [15] = 1},
           16);
}

struct bypeer_link walk_link(enum walk_link id)
{
    static const uint8_t peers[] = {[LINK_A] = 0xa,    [LINK_B] = 0xb,      [LINK_C] = 0xc,   [LINK_X] = 0xa,
                                    [LINK_LOST] = 0xd, [LINK_ASTRAY] = 0xe, [LINK_HERE_X] = 0};
    bool in_other_group = id == LINK_X || id == LINK_HERE_X;
    struct bypeer_link link = {.id = id, .group = in_other_group ? 2 : 1, .session = id, .serial = 100 + id};
    if (id == LINK_HERE || id == LINK_HERE_X) {
        link.kind = BYPEER_LINK_LOCAL;
        return link;
    }
    link.kind = BYPEER_LINK_FABRIC;
    link.vni = in_other_group ? 8 : 7;
    link.udp_port = BYPEER_GPE_UDP_PORT;
    link.mtu = 1430;
    link.adjacency = id == LINK_LOST ? 0 : id;
    set_ends(&link, peers[id]);
    cr_assert_eq(bypeer_fabric_link_prepare(&link), 0);
    return link;
}

struct bypeer_link walk_turned(struct bypeer_link link)
{
    uint8_t peer[16];
    memcpy(peer, link.peer, 16);
    memcpy(link.peer, link.local, 16);
    memcpy(link.local, peer, 16);
    cr_assert_eq(bypeer_fabric_link_prepare(&link), 0);
    return link;
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

static void put_member(enum walk_member member, uint32_t link, uint32_t group, uint32_t flags)
{
    struct bypeer_destination record = {.link = link, .group = group, .flags = flags, .prefix_bits = 128};
    memcpy(record.key, walk_address(member), 16);
    cr_assert_eq(bypeer_writer_put_destination(walk.writer, &record), 1);
}

static void put_group(uint32_t id, enum walk_member here)
{
    struct bypeer_group group = {.id = id, .vni = 6 + id};
    memcpy(group.address, walk_address(here), 16);
    memcpy(group.prefix, group.address, 6);
    cr_assert_geq(bypeer_writer_put_group(walk.writer, &group), 0);
}

static void put_adjacency(uint32_t id, uint16_t port)
{
    struct bypeer_adjacency adjacency = {.id = id, .port = port, .valid = 1, .mtu = 1500};
    memcpy(adjacency.ether, next_hop_mac, 6);
    memcpy(adjacency.ether + 6, port_mac[port % WALK_PORTS], 6);
    cr_assert_geq(bypeer_writer_put_adjacency(walk.writer, &adjacency), 0);
}

static void make_tables(void)
{
    const struct bypeer_tables_size size = {.destinations = 1000,
                                            .links = 100,
                                            .adjacencies = 100,
                                            .groups = 10,
                                            .prefixes = 16,
                                            .names = 1000,
                                            .sessions = WALK_SLOTS - 1,
                                            .relays = WALK_RELAYS,
                                            .group_parts = 64};
    uint64_t bytes = bypeer_tables_bytes(&size);
    char why[160];
    tables_memory = aligned_alloc(4096, bytes);
    memset(tables_memory, 0, bytes);
    cr_assert_eq(bypeer_writer_create(&walk.writer, tables_memory, bytes, &size, BYPEER_LAYOUT_NEWEST, 1, 0x5eed, 1),
                 0);
    put_group(1, MEMBER_HERE);
    put_group(2, MEMBER_HERE_X);
    for (enum walk_link id = LINK_HERE; id <= LINK_HERE_X; id++) {
        struct bypeer_link link = walk_link(id);
        cr_assert_geq(bypeer_writer_put_link(walk.writer, &link), 0);
        put_adjacency(id, id == LINK_ASTRAY ? 9 : id == LINK_B);
    }
    put_member(MEMBER_HERE, LINK_HERE, 1, BYPEER_DESTINATION_LOCAL);
    put_member(MEMBER_A, LINK_A, 1, 0);
    put_member(MEMBER_B, LINK_B, 1, 0);
    put_member(MEMBER_C, LINK_C, 1, 0);
    put_member(MEMBER_LOST, LINK_LOST, 1, 0);
    put_member(MEMBER_NOWHERE, 99, 1, 0);
    put_member(MEMBER_ASTRAY, LINK_ASTRAY, 1, 0);
    put_member(MEMBER_X, LINK_X, 2, 0);
    put_member(MEMBER_HERE_X, LINK_HERE_X, 2, BYPEER_DESTINATION_LOCAL);
    struct bypeer_destination route = {.link = LINK_B, .group = 1, .prefix_bits = 64};
    memcpy(route.key, walk_prefix_member(), 8);
    cr_assert_geq(bypeer_writer_put_prefix(walk.writer, &route), 0);
    cr_assert_eq(bypeer_writer_commit_prefixes(walk.writer), 0);
    bypeer_writer_publish(walk.writer);
    cr_assert_eq(bypeer_tables_attach(&walk.tables, tables_memory, bytes, why), 0, "%s", why);
}

static void make_sessions(void)
{
    const struct bypeer_sessions_size size = {
        .workers = WALK_WORKERS, .links = WALK_LINKS, .slots = WALK_SLOTS, .relays = WALK_RELAYS, .groups = 4};
    uint64_t bytes = bypeer_sessions_bytes(&size);
    sessions_memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    memset(sessions_memory, 0, bytes);
    cr_assert_eq(bypeer_sessions_init(&sessions, sessions_memory, bytes, &size, 1, 1), 0);
}

/* --- the worker --------------------------------------------------------------------------------------------------- */

static struct rte_ring *make_ring(const char *kind, unsigned number)
{
    char name[RTE_RING_NAMESIZE];
    snprintf(name, sizeof(name), "%s%u", kind, number);
    struct rte_ring *ring = rte_ring_create(name, WALK_RING, SOCKET_ID_ANY, 0);
    cr_assert_not_null(ring);
    return ring;
}

static void make_port(uint16_t port)
{
    const struct rte_eth_conf configuration = {0};
    char name[16];
    walk.wire_in[port] = make_ring("in", port);
    walk.wire_out[port] = make_ring("out", port);
    snprintf(name, sizeof(name), "wire%u", port);
    struct rte_ring *out[WALK_WORKERS] = {walk.wire_out[port], walk.wire_out[port]};
    int id = rte_eth_from_rings(name, &walk.wire_in[port], 1, out, WALK_WORKERS, 0);
    cr_assert_geq(id, 0);
    cr_assert_eq(rte_eth_dev_configure((uint16_t)id, 1, WALK_WORKERS, &configuration), 0);
    cr_assert_eq(rte_eth_rx_queue_setup((uint16_t)id, 0, 64, 0, NULL, walk.pool), 0);
    for (uint16_t queue = 0; queue < WALK_WORKERS; queue++)
        cr_assert_eq(rte_eth_tx_queue_setup((uint16_t)id, queue, 64, 0, NULL), 0);
    cr_assert_eq(rte_eth_dev_start((uint16_t)id), 0);
    walk.worker.ports[port] = (struct bypeer_port){.port_id = (uint16_t)id, .mtu = 1500};
    memcpy(walk.worker.ports[port].mac, port_mac[port], 6);
    walk.worker.queues[port] = (struct bypeer_queue){.port = port, .port_id = (uint16_t)id};
}

static void start_eal(void)
{
    char prefix[32];
    snprintf(prefix, sizeof(prefix), "bypeer-test-%d", getpid());
    char *arguments[] = {"test", "--no-huge", "-m",          "64",    "--no-pci",      "--no-shconf", "--no-telemetry",
                         "-l",   "0",         "--log-level", "error", "--file-prefix", prefix};
    cr_assert_not_null(mkdtemp(run_directory));
    setenv("RUNTIME_DIRECTORY", run_directory, 1);
    cr_assert_geq(rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), arguments), 0, "%s", rte_strerror(rte_errno));
}

void walk_set_up(void)
{
    start_eal();
    cr_assert_eq(bypeer_packet_register(), 0);
    walk.pool_size = 2047;
    walk.pool =
        rte_pktmbuf_pool_create("pool", walk.pool_size, 0, 0, RTE_PKTMBUF_HEADROOM + WALK_FRAME_MAX, SOCKET_ID_ANY);
    cr_assert_not_null(walk.pool);
    trace.numbers = &trace_numbers;
    walk.worker.counters = walk.counters;
    make_sessions();
    walk.worker.shared = &sessions;
    walk.worker.sessions = sessions.entries;
    walk.worker.session_count = sessions.size.links;
    walk.worker.events = &events;
    cr_assert_eq(bypeer_aead_new(&walk.worker.aead, BYPEER_AEAD_BEST), 0);
    walk.worker.burst = 64;
    walk.worker.now_tsc = UINT64_C(1) << 40;
    walk.worker.now_realtime_s = 1000000;
    walk.worker.pool = walk.pool;
    walk.worker.punt = make_ring("punt", 0);
    walk.worker.inject = make_ring("inject", 0);
    walk.worker.trace = &trace;
    for (uint16_t port = 0; port < WALK_PORTS; port++)
        make_port(port);
    walk.worker.port_count = walk.worker.queue_count = WALK_PORTS;
    make_tables();
    walk.worker.tables = &walk.tables;
    RTE_PER_LCORE(bypeer_worker) = &walk.worker;
    cr_assert_eq(bypeer_graph_create(&walk.worker, &walk.graph), 0);
}

void walk_turn_to(unsigned index)
{
    if (index != 0 && second_graph == NULL) {
        second = walk.worker;
        second.index = 1;
        second.inject = make_ring("inject", 1);
        second.sessions = sessions.entries + sessions.size.links;
        cr_assert_eq(bypeer_graph_create(&second, &second_graph), 0);
    }
    second.now_ms = walk.worker.now_ms;
    RTE_PER_LCORE(bypeer_worker) = index == 0 ? &walk.worker : &second;
}

static void drain(struct rte_ring *ring)
{
    void *mbuf;
    while (rte_ring_dequeue(ring, &mbuf) == 0)
        rte_pktmbuf_free(mbuf);
}

void walk_tear_down(void)
{
    for (uint16_t port = 0; port < WALK_PORTS; port++) {
        drain(walk.wire_in[port]);
        drain(walk.wire_out[port]);
    }
    drain(walk.worker.punt);
    drain(walk.worker.inject);
    cr_assert_eq(rte_mempool_avail_count(walk.pool), walk.pool_size, "a buffer was lost");
    bypeer_graph_destroy(walk.graph);
    bypeer_graph_destroy(second_graph);
    bypeer_writer_free(walk.writer);
    bypeer_aead_free(walk.worker.aead);
    free(tables_memory);
    free(sessions_memory);
    rte_eal_cleanup();
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", run_directory);
    cr_assert_eq(system(command), 0);
}

uint64_t walk_dropped(enum bypeer_counter reason)
{
    return walk.counters[reason];
}

void walk_once(void)
{
    bypeer_worker_begin(RTE_PER_LCORE(bypeer_worker));
    walk_on();
}

void walk_on(void)
{
    static uint64_t walks;
    bypeer_graph_walk(RTE_PER_LCORE(bypeer_worker) == &second ? second_graph : walk.graph, walks++);

    uint64_t in = walk.injected, out = walk.taken + rte_ring_count(walk.worker.punt);
    for (unsigned i = 0; i < BYPEER_COUNTERS_USED; i++) {
        uint32_t class = bypeer_counter_names[i].class;
        if (class == BYPEER_COUNTER_RECEIVED || class == BYPEER_COUNTER_GENERATED || class == BYPEER_COUNTER_COPIED)
            in += walk.counters[i];
        else if (class == BYPEER_COUNTER_SENT || class == BYPEER_COUNTER_CONSUMED || class == BYPEER_COUNTER_DROPPED)
            out += walk.counters[i];
    }
    in -= rte_ring_count(walk.worker.inject);
    cr_assert_eq(in, out, "packet sum: %lu in, %lu out", in, out);
    unsigned held = rte_ring_count(walk.worker.punt) + rte_ring_count(walk.worker.inject);
    for (uint16_t port = 0; port < WALK_PORTS; port++)
        held += rte_ring_count(walk.wire_in[port]) + rte_ring_count(walk.wire_out[port]);
    cr_assert_eq(rte_mempool_avail_count(walk.pool) + held, walk.pool_size, "a buffer was lost");
}

/* --- packets in and out ------------------------------------------------------------------------------------------- */

struct rte_mbuf *walk_buffer(const uint8_t *data, size_t length)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(walk.pool);
    cr_assert_not_null(mbuf);
    memcpy(rte_pktmbuf_append(mbuf, (uint16_t)length), data, length);
    memset(bypeer_packet(mbuf), 0xa5, sizeof(struct bypeer_packet));
    return mbuf;
}

void walk_arrive(uint16_t port, const uint8_t *frame, size_t length)
{
    cr_assert_eq(rte_ring_enqueue(walk.wire_in[port], walk_buffer(frame, length)), 0);
}

void walk_inject(enum bypeer_device device, uint16_t port, const uint8_t *data, size_t length)
{
    struct rte_mbuf *mbuf = walk_buffer(data, length);
    *bypeer_packet(mbuf) = (struct bypeer_packet){.device = (uint8_t)device, .port = port};
    cr_assert_eq(rte_ring_enqueue(walk.worker.inject, mbuf), 0);
    walk.injected++;
}

static size_t take_out(struct rte_mbuf *mbuf, uint8_t *data)
{
    size_t length = mbuf->data_len;
    cr_assert_eq(mbuf->pkt_len, length);
    memcpy(data, rte_pktmbuf_mtod(mbuf, const void *), length);
    rte_pktmbuf_free(mbuf);
    return length;
}

size_t walk_sent(uint16_t port, uint8_t frame[static WALK_FRAME_MAX])
{
    void *mbuf;
    return rte_ring_dequeue(walk.wire_out[port], &mbuf) == 0 ? take_out(mbuf, frame) : 0;
}

size_t walk_punted(enum bypeer_device device, uint16_t port, uint8_t data[static WALK_FRAME_MAX])
{
    void *mbuf;
    if (rte_ring_dequeue(walk.worker.punt, &mbuf) != 0)
        return 0;
    walk.taken++;
    cr_assert_eq(bypeer_packet(mbuf)->device, device);
    if (device == BYPEER_DEVICE_UNDERLAY)
        cr_assert_eq(bypeer_packet(mbuf)->port, port);
    return take_out(mbuf, data);
}

size_t walk_packet(uint8_t *packet, const uint8_t *source, const uint8_t *destination, size_t length)
{
    static uint8_t varies;
    cr_assert_geq(length, BYPEER_IPV6_BYTES);
    bypeer_ipv6_write(packet, &(struct bypeer_ipv6){.source = source,
                                                    .destination = destination,
                                                    .payload_bytes = (uint16_t)(length - BYPEER_IPV6_BYTES),
                                                    .next_header = BYPEER_NEXT_UDP,
                                                    .hop_limit = 64});
    for (size_t i = BYPEER_IPV6_BYTES; i < length; i++)
        packet[i] = (uint8_t)(i * 13 + varies);
    varies++;
    return length;
}

size_t walk_frame(uint8_t *frame, enum walk_link id, const uint8_t *inner, size_t inner_bytes)
{
    struct bypeer_link link = walk_turned(walk_link(id));
    memcpy(frame, port_mac[id == LINK_B], 6);
    memcpy(frame + 6, next_hop_mac, 6);
    bypeer_store16(frame + BYPEER_ETHERNET_TYPE, link.underlay == 4 ? BYPEER_ETHERTYPE_IPV4 : BYPEER_ETHERTYPE_IPV6);
    uint8_t *at = frame + BYPEER_ETHERNET_BYTES + link.template_bytes;
    memcpy(at, inner, inner_bytes);
    bypeer_fabric_encapsulate(frame + BYPEER_ETHERNET_BYTES, &link,
                              &(struct bypeer_fabric_variable){
                                  .inner_bytes = (uint16_t)inner_bytes,
                                  .inner_sum = bypeer_checksum_fold(bypeer_checksum_sum(inner, inner_bytes)),
                                  .source_port = 50000,
                                  .ecn = bypeer_ipv6_traffic_class(inner) & 3,
                              });
    return BYPEER_ETHERNET_BYTES + (size_t)link.template_bytes + inner_bytes;
}

static uint16_t sum_of(uint32_t sum, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

bool walk_is_well_formed(const uint8_t *frame, size_t length)
{
    bool is_ipv4 = bypeer_load16(frame + BYPEER_ETHERNET_TYPE) == BYPEER_ETHERTYPE_IPV4;
    const uint8_t *ip = frame + BYPEER_ETHERNET_BYTES, *udp = ip + (is_ipv4 ? 20 : 40);
    size_t udp_length = length - (size_t)(udp - frame);
    uint32_t sum = 17u + (uint32_t)udp_length + sum_of(0, ip + (is_ipv4 ? 12 : 8), is_ipv4 ? 8 : 32);
    if (is_ipv4 && (sum_of(0, ip, 20) != 0xffff || bypeer_load16(ip + 2) != length - 14))
        return false;
    if (!is_ipv4 && bypeer_load16(ip + 4) != udp_length)
        return false;
    return bypeer_load16(udp + 4) == udp_length && bypeer_load16(udp + 6) != 0 &&
           sum_of(sum, udp, udp_length) == 0xffff;
}
