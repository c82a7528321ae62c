/*
 * bypeer-prepared: stands in for bypeerd when perf/wireguard measures the data plane alone. It hands over tables in
 * which everything is settled already: peers with sessions, or pairs whose members the relay has heard.
 *
 *   bypeer-prepared hub DIRECTORY PEERS FRAMES [CONFIGURED]     as the run directory; each peer has so many frames in
 *                                                  the file; further ones, CONFIGURED in all, have no session
 *   bypeer-prepared relay DIRECTORY PAIRS
 *
 * The file is read over and over, so each time round the same counters come again, and a node that let them through
 * would be no node. So sessions are renewed, as control does when it gives a slot to another session: by the next use
 * of the slot (overlay/wireguard/counter.h), whose window is empty. A session is renewed when its last frame in the
 * file was accepted, which is half a file before its first one comes again (prepared_frames.c). That the new session
 * has the keys of the one before is what makes one file do for both; they are nobody's.
 *
 * Members of the relay are made known by the relay's own rules, with the messages of a handshake, in a sessions region
 * that is then handed over as one that a data plane left behind.
 *
 * Each line on standard input is answered by one with what the data plane says of itself:
 *   {"pid": 1, "mapped": 1, "missed": 0, "renewed": 0, "rekeyed": 0, "counters": {"packets.sent": 0, ...}}
 * "hear" has the members heard again first: to be said while no data plane runs. "rekey N": from now on N peers a
 * second are sent to by another session, with another key in another slot, and the one before is removed; what they
 * send stays as it is in the file. The end of the input is this program's own.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "control/dataplane/channel.h"
#include "overlay/relay/rules.h"
#include "overlay/wireguard/counter.h"
#include "overlay/wireguard/link.h"
#include "perf/frame_file.h"
#include "perf/prepared.h"

#define GROUP     1
#define REGION    1 /* of sessions */
#define NEXT_HOP  1
#define LOOK_MS   5 /* for sessions to renew: far less than half a file takes */
#define REKEY_MS  5
#define SPARE     8192 /* records and slots that wait for a grace period */
#define LISTEN_FD 3    /* sd_listen_fds(3) */

static struct {
    uv_loop_t loop;
    uv_poll_t input;
    uv_timer_t timer, rekey_timer;
    struct bypeer_channel *channel;
    struct bypeer_generation *generation;
    struct bypeer_memory memory; /* of sessions */
    struct bypeer_sessions sessions;
    uint32_t peers, configured, pairs, frames_each;
    uint64_t renewed;
    struct {
        uint32_t current, previous; /* slots that each peer is sent to by, once it was rekeyed; 0: the first */
    } * slots;
    uint32_t rekeys_s, next_rekey;
    uint64_t rekeyed, rekeys_from, rekey_start_ns;
} self;

static void require(int status, const char *what)
{
    if (status >= 0)
        return;
    exit(frame_fail(what, strerror(-status)));
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- the hub's peers --- */

static void put_session(uint32_t peer)
{
    struct bypeer_wireguard_session session = {.local_index = prepared_index(peer),
                                               .remote_index = peer,
                                               .region = REGION,
                                               .peer = peer,
                                               .created_ns = now_ns(),
                                               .use = 1};
    uint32_t slot;
    prepared_key(peer, true, session.send_key);
    prepared_key(peer, false, session.receive_key);
    bypeer_wireguard_session_finish(&session);
    require(bypeer_writer_take_session(self.generation->writer, &slot), "sessions");
    if (slot != peer)
        exit(frame_fail("sessions", "the writer does not begin with slot 1"));
    bypeer_writer_put_session(self.generation->writer, slot, &session);
}

static void put_peer_link(uint32_t peer, uint32_t slot)
{
    struct bypeer_link link = {.id = peer,
                               .kind = BYPEER_LINK_WIREGUARD,
                               .group = GROUP,
                               .adjacency = NEXT_HOP,
                               .mtu = PREPARED_MTU,
                               .udp_port = PREPARED_PORT,
                               .session = peer,
                               .serial = peer};
    memcpy(link.local, prepared_node, 16);
    prepared_host(peer, link.peer);
    link.peer_port = PREPARED_PORT;
    link.wireguard.current = slot;
    require(bypeer_wireguard_link_prepare(&link), "link");
    require(bypeer_writer_put_link(self.generation->writer, &link), "link");
}

static void put_peer(uint32_t peer)
{
    const bool is_active = peer <= self.peers;
    struct bypeer_destination member = {.link = peer, .group = GROUP, .prefix_bits = 128, .serial = peer};
    prepared_member(peer, member.key);
    put_peer_link(peer, is_active ? peer : 0);
    require(bypeer_writer_put_destination(self.generation->writer, &member), "member");
    if (is_active)
        put_session(peer);
}

static void put_peers(void)
{
    const struct bypeer_group group = {.id = GROUP};
    struct bypeer_adjacency adjacency = {.id = NEXT_HOP, .valid = 1, .mtu = 1500};
    memcpy(adjacency.ether, prepared_next_hop, 6);
    memcpy(adjacency.ether + 6, (const uint8_t[6]){2, 'p', 'c', 'a', 'p', 0}, 6); /* net_pcap's first port */
    require(bypeer_writer_put_group(self.generation->writer, &group), "group");
    require(bypeer_writer_put_adjacency(self.generation->writer, &adjacency), "next hop");
    require(bypeer_writer_put_endpoint(self.generation->writer, prepared_node, PREPARED_PORT), "endpoint");
    for (uint32_t peer = 1; peer <= self.configured; peer++)
        put_peer(peer);
}

/* As a handshake does: a session in a slot, the link that names it, and the one before is no more. false: no slot is
 * free before a grace period has passed. */
static bool rekey_peer(uint32_t peer)
{
    struct bypeer_writer *writer = self.generation->writer;
    uint64_t random = now_ns();
    uint32_t slot;
    if (bypeer_writer_take_session(writer, &slot) < 0)
        return false;
    const struct bypeer_wireguard_state *state = &self.sessions.wireguard[slot];
    struct bypeer_wireguard_session session = {
        .local_index = (uint32_t)(random_next(&random) << BYPEER_SESSION_SLOT_BITS) | slot,
        .remote_index = peer,
        .region = REGION,
        .peer = peer,
        .created_ns = now_ns(),
        .use = bypeer_counter_next_use(0, &state->next_counter, &state->greatest),
    };
    for (unsigned at = 0; at < sizeof(session.send_key); at += 8) {
        uint64_t word = random_next(&random);
        memcpy(session.send_key + at, &word, sizeof(word));
    }
    bypeer_wireguard_session_finish(&session);
    bypeer_writer_put_session(writer, slot, &session);
    put_peer_link(peer, slot);
    if (self.slots[peer].previous != 0)
        bypeer_writer_remove_session(writer, self.slots[peer].previous);
    self.slots[peer].previous = self.slots[peer].current;
    self.slots[peer].current = slot;
    return true;
}

static void rekey(uv_timer_t *timer)
{
    (void)timer;
    const uint64_t due = self.rekeys_from + (now_ns() - self.rekey_start_ns) / 1000000 * self.rekeys_s / 1000;
    while (self.rekeyed < due && rekey_peer(1 + self.next_rekey)) {
        self.next_rekey = (self.next_rekey + 1) % self.peers;
        self.rekeyed++;
    }
}

static void set_rekeys(uint32_t rekeys_s)
{
    self.rekeys_s = rekeys_s;
    self.rekeys_from = self.rekeyed;
    self.rekey_start_ns = now_ns();
    if (rekeys_s > 0)
        uv_timer_start(&self.rekey_timer, rekey, REKEY_MS, REKEY_MS);
    else
        uv_timer_stop(&self.rekey_timer);
}

/* Renews every session whose last frame in the file was accepted. */
static void renew(uv_timer_t *timer)
{
    (void)timer;
    for (uint32_t peer = 1; peer <= self.peers; peer++) {
        struct bypeer_wireguard_session *session =
            (struct bypeer_wireguard_session *)(uintptr_t)bypeer_writer_find_session(self.generation->writer, peer);
        if (__atomic_load_n(&self.sessions.wireguard[peer].greatest, __ATOMIC_RELAXED) !=
            bypeer_counter_of(session->use, self.frames_each - 1))
            continue;
        __atomic_store_n(&session->created_ns, now_ns(), __ATOMIC_RELAXED);
        __atomic_store_n(&session->use, session->use + 1, __ATOMIC_RELEASE);
        self.renewed++;
    }
}

/* --- the relay's pairs --- */

static void put_pair(uint32_t pair)
{
    struct bypeer_relay_record relay = {.serial = 1 + pair};
    for (uint32_t side = 0; side < 2; side++)
        prepared_relay(2 * pair + side, relay.keys[side]);
    require(bypeer_writer_put_relay(self.generation->writer, prepared_end(2 * pair) / 2, &relay), "relay addresses");
}

static struct bypeer_relay_end end_of(uint32_t user)
{
    const uint32_t end = prepared_end(user);
    return (struct bypeer_relay_end){&self.sessions.relays[end], &self.sessions.claims[end]};
}

static struct bypeer_relay_place place_of(uint32_t user)
{
    struct bypeer_relay_place place = {.port_and_mac = bypeer_relay_port_and_mac(PREPARED_PORT, prepared_next_hop)};
    uint8_t host[16];
    prepared_host(user + 1, host);
    memcpy(place.address, host, 16);
    return place;
}

/* The user sends a message to his partner: what the node learns of both. */
static void say(uint32_t user, struct bypeer_relay_message message, uint32_t now_s)
{
    struct bypeer_relay_place place = place_of(user), to;
    uint64_t serial = 1 + user / 2;
    message.bytes = BYPEER_WIREGUARD_DATA_MIN;
    bypeer_relay_hear(end_of(user), serial, &place, &message, now_s);
    bypeer_relay_where(end_of(user ^ 1), serial, &message, now_s, &to);
}

static void hear_pair(uint32_t a, uint32_t now_s)
{
    const uint32_t b = a + 1, of_a = prepared_relay_index(a), of_b = prepared_relay_index(b);
    for (uint32_t user = a; user <= b; user++) {
        *end_of(user).state = (struct bypeer_relay_state){0};
        *end_of(user).claims = (struct bypeer_relay_claims){0};
    }
    /* Nobody knows yet where b is, so a's first message is lost, and b's own one starts the handshake that succeeds. */
    say(a, (struct bypeer_relay_message){.type = BYPEER_WIREGUARD_INITIATION, .sender = ~of_a}, now_s);
    say(b, (struct bypeer_relay_message){.type = BYPEER_WIREGUARD_INITIATION, .sender = of_b}, now_s);
    say(a, (struct bypeer_relay_message){.type = BYPEER_WIREGUARD_RESPONSE, .sender = of_a, .receiver = of_b}, now_s);
    say(b, (struct bypeer_relay_message){.type = BYPEER_WIREGUARD_DATA, .receiver = of_a}, now_s);
    say(a, (struct bypeer_relay_message){.type = BYPEER_WIREGUARD_DATA, .receiver = of_b}, now_s);
    for (uint32_t user = a; user <= b; user++)
        if (!bypeer_relay_is_confirmed(end_of(user).state, 1 + a / 2, now_s))
            exit(frame_fail("relay", "a handshake did not confirm both members"));
}

static void hear_pairs(void)
{
    uint32_t now_s = (uint32_t)(now_ns() / 1000000000);
    for (uint32_t pair = 0; pair < self.pairs; pair++)
        hear_pair(2 * pair, now_s);
}

static void put_pairs(void)
{
    for (uint32_t pair = 0; pair < self.pairs; pair++)
        put_pair(pair);
}

/* --- what a control does --- */

static void make_sessions(void)
{
    uint64_t bytes = bypeer_sessions_bytes(&BYPEER_SESSIONS_LARGEST);
    char pid[32];
    require(bypeer_memory_create(&self.memory, BYPEER_MEMORY_SESSIONS, "bypeer-sessions", bytes, false), "sessions");
    require(
        bypeer_sessions_init(&self.sessions, self.memory.base, self.memory.bytes, &BYPEER_SESSIONS_LARGEST, REGION, 1),
        "sessions");
    /* As systemd gives back what a process before this one parked. */
    if (self.memory.fd == LISTEN_FD ? dup2(dup(LISTEN_FD), LISTEN_FD) < 0 : dup2(self.memory.fd, LISTEN_FD) < 0)
        require(-errno, "sessions");
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_FDNAMES", "sessions", 1);
}

static void make_tables(void)
{
    const struct bypeer_tables_size size = {
        .destinations = self.configured + self.configured / 8 < BYPEER_DESTINATIONS_MIN
                            ? BYPEER_DESTINATIONS_MIN
                            : self.configured + self.configured / 8,
        .links = self.configured + SPARE,
        .adjacencies = 8,
        .groups = 8,
        .prefixes = 8,
        .sessions = 3 * self.peers + SPARE,
        .relays = self.pairs,
    };
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    if (bypeer_generation_create(&self.generation, 1, BYPEER_LAYOUT_NEWEST, &size, true, &problem) < 0)
        exit(frame_fail("tables", bypeer_problem_text(&problem, text)));
    if (self.pairs > 0) {
        struct bypeer_relay_prefix prefix = {.bits = 64, .port = PREPARED_PORT, .secret = PREPARED_SECRET};
        memcpy(prefix.prefix, prepared_relay_prefix, 16);
        bypeer_writer_set_relay_prefix(self.generation->writer, &prefix);
        put_pairs();
        hear_pairs();
    } else {
        put_peers();
    }
    bypeer_writer_publish(self.generation->writer);
}

static void say_counters(const struct bypeer_status_view *view)
{
    for (uint32_t counter = 0; counter < view->size.counters; counter++) {
        char name[sizeof(view->counters[counter].name)];
        uint64_t sum = 0;
        bypeer_status_text(name, view->counters[counter].name, sizeof(name));
        for (uint32_t worker = 0; worker < view->size.workers; worker++)
            sum += bypeer_status_counter(view, worker, counter);
        printf("%s\"%s\": %" PRIu64, counter == 0 ? "" : ", ", name, sum);
    }
}

static void answer(void)
{
    const struct bypeer_dataplane_process *process = bypeer_channel_process(self.channel);
    uint64_t missed = 0;
    for (uint32_t port = 0; process && port < process->view.size.ports; port++)
        missed += process->view.ports[port].missed;
    printf("{\"pid\": %ld, \"mapped\": %" PRIu64 ", \"missed\": %" PRIu64 ", \"renewed\": %" PRIu64
           ", \"rekeyed\": %" PRIu64 ", \"counters\": {",
           process ? (long)process->pid : 0, bypeer_channel_mapped(self.channel), missed, self.renewed, self.rekeyed);
    if (process)
        say_counters(&process->view);
    puts("}}");
    fflush(stdout);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    char line[64];
    ssize_t length = read(STDIN_FILENO, line, sizeof(line) - 1);
    (void)poll;
    (void)events;
    if (status < 0 || length <= 0)
        exit(0);
    line[length] = '\0';
    if (strncmp(line, "hear", 4) == 0)
        hear_pairs();
    if (strncmp(line, "rekey ", 6) == 0 && self.slots)
        set_rekeys((uint32_t)strtoul(line + 6, NULL, 10));
    answer();
}

static void on_ports(void *context, const struct bypeer_handover *ports)
{
    (void)context;
    (void)ports;
}

static void on_attached(void *context, bool attached)
{
    (void)context;
    (void)attached;
}

static void on_need_layout(void *context, uint32_t layout)
{
    (void)context;
    (void)layout;
    exit(frame_fail("bypeer-dataplane", "reads other tables than this program writes: build both at once"));
}

static void on_adopt(void *context, const struct bypeer_tables *old)
{
    (void)context;
    (void)old;
}

int main(int argc, char **argv)
{
    char path[PATH_MAX], text[BYPEER_PROBLEM_TEXT];
    struct bypeer_problem problem;
    if ((argc == 5 || argc == 6) && strcmp(argv[1], "hub") == 0) {
        self.peers = frame_number_argument("PEERS", argv[3], 1, PREPARED_PEERS_MAX);
        self.frames_each = frame_number_argument("FRAMES", argv[4], 1, UINT32_MAX);
        self.configured = self.peers;
        if (argc == 6)
            self.configured = frame_number_argument("CONFIGURED", argv[5], self.peers, PREPARED_PEERS_MAX);
        self.slots = calloc(self.peers + 1u, sizeof(*self.slots));
        if (!self.slots)
            return frame_fail("peers", strerror(ENOMEM));
    } else if (argc == 4 && strcmp(argv[1], "relay") == 0) {
        self.pairs = frame_number_argument("PAIRS", argv[3], 1, PREPARED_PAIRS_MAX);
    } else {
        fputs("usage: bypeer-prepared hub DIRECTORY PEERS FRAMES [CONFIGURED]\n"
              "       bypeer-prepared relay DIRECTORY PAIRS\n",
              stderr);
        return 2;
    }
    const struct bypeer_channel_hooks hooks = {
        .attached = on_attached, .ports = on_ports, .adopt = on_adopt, .need_layout = on_need_layout};
    const struct bypeer_channel_settings settings = {.path = path, .user = (uid_t)-1, .group = (gid_t)-1};
    snprintf(path, sizeof(path), "%s/dataplane.sock", argv[2]);
    make_sessions();
    make_tables();
    uv_loop_init(&self.loop);
    if (bypeer_channel_open(&self.channel, &self.loop, &settings, &hooks, &problem) < 0)
        return frame_fail(path, bypeer_problem_text(&problem, text));
    bypeer_channel_use(self.channel, self.generation);
    uv_poll_init(&self.loop, &self.input, STDIN_FILENO);
    uv_poll_start(&self.input, UV_READABLE, on_input);
    if (self.peers > 0) {
        uv_timer_init(&self.loop, &self.timer);
        uv_timer_init(&self.loop, &self.rekey_timer);
        uv_timer_start(&self.timer, renew, LOOK_MS, LOOK_MS);
    }
    return uv_run(&self.loop, UV_RUN_DEFAULT);
}
