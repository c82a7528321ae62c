/*
 * A member that lies: real credentials, and a node of its own that takes anything for valid and says what it is told
 * to.
 *
 *   bypeer-rogue IDENTITY PASSWORD INVITATION ADDRESS PORT
 *
 * IDENTITY is a file of `bypeer identity export`, INVITATION one of `bypeer group invite`. It connects to one member,
 * says "connected" when it has synchronised, and then answers each line of its standard input by one:
 *
 *   attach MEMBER SUPERNODE SEQUENCE   publishes an attachment, peer names as they are listed
 *   keep MEMBER SUPERNODE              keeps the record that there is of one, answers with its sequence
 *   replay                             floods what was kept, byte by byte as it was
 *   repeat                             publishes the payload of what was kept as its own
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/groups/tls.h"
#include "overlay/graph/frame.h"
#include "overlay/graph/graph.h"
#include "overlay/group/address.h"
#include "overlay/group/group.h"
#include "overlay/group/invitation.h"
#include "overlay/identity/export.h"

#define FILE_MAX   (256 * 1024)
#define LIFE       (3600 * BYPEER_PEER_TIME_SECOND)
#define NAME_WIDTH "511"

struct rogue {
    int socket;
    uint32_t link;
    bool is_closing;
    struct bypeer_peer_name self;
    char self_id[BYPEER_NAME_TEXT_MAX], group_id[BYPEER_NAME_TEXT_MAX];
    const struct bypeer_profile *profile;
    struct bypeer_peer_name group_name;
    struct bypeer_group_node *group;
    struct bypeer_graph *graph;
    struct bypeer_graph_security security; /* the group's, but for what is valid */
    const struct bypeer_graph_security *honest;
    void *session; /* of the link */
    struct bypeer_record *kept;
};

static _Noreturn void rogue_fail(const char *what, const char *why)
{
    fprintf(stderr, "rogue: %s: %s\n", what, why);
    exit(1);
}

static struct bypeer_graph_time rogue_now(void)
{
    struct timespec steady, real;
    clock_gettime(CLOCK_MONOTONIC, &steady);
    clock_gettime(CLOCK_REALTIME, &real);
    return (struct bypeer_graph_time){
        .ms = (uint64_t)steady.tv_sec * 1000 + (uint64_t)steady.tv_nsec / 1000000,
        .utc = BYPEER_PEER_TIME_1970 + (uint64_t)real.tv_sec * BYPEER_PEER_TIME_SECOND + (uint64_t)real.tv_nsec / 100,
    };
}

static char *rogue_read_file(const char *path, size_t *ret_length)
{
    char *text = malloc(FILE_MAX);
    FILE *file = fopen(path, "r");
    if (!text || !file)
        rogue_fail(path, strerror(errno));
    *ret_length = fread(text, 1, FILE_MAX - 1, file);
    text[*ret_length] = '\0';
    text[strcspn(text, "\n")] = *text == '<' ? '\n' : '\0'; /* a password or a line has one line */
    fclose(file);
    return text;
}

/* --- security: of the group, but for what is valid --- */

static enum bypeer_graph_verdict rogue_validate(void *context, struct bypeer_graph_time now,
                                                const struct bypeer_record *record, const char **ret_why)
{
    struct rogue *rogue = context;
    rogue->honest->validate(rogue->honest->context, now, record, ret_why); /* who is who it learns there */
    return BYPEER_GRAPH_VALID;
}

static int rogue_secure(void *context, struct bypeer_graph_time now, const struct bypeer_record *record,
                        uint8_t *ret_security, size_t *bytes)
{
    struct rogue *rogue = context;
    return rogue->honest->secure(rogue->honest->context, now, record, ret_security, bytes);
}

static void rogue_stored(void *context, struct bypeer_graph_time now, enum bypeer_record_change change,
                         const struct bypeer_record *record)
{
    struct rogue *rogue = context;
    rogue->honest->stored(rogue->honest->context, now, change, record);
}

static int rogue_link_open(void *context, void **ret_link, bool is_initiator, const char *peer_id,
                           enum bypeer_graph_link_kind kind, const struct bypeer_graph_address *address)
{
    struct rogue *rogue = context;
    int result =
        rogue->honest->link_open(rogue->honest->context, &rogue->session, is_initiator, peer_id, kind, address);
    *ret_link = rogue->session;
    return result;
}

static int rogue_link_token(void *context, void *link, struct bypeer_graph_time now, const uint8_t *token,
                            size_t length, struct bypeer_buffer *out, const char **ret_why)
{
    struct rogue *rogue = context;
    return rogue->honest->link_token(rogue->honest->context, link, now, token, length, out, ret_why);
}

static const char *rogue_link_peer(void *context, void *link)
{
    struct rogue *rogue = context;
    return rogue->honest->link_peer(rogue->honest->context, link);
}

static int rogue_link_seal(void *context, void *link, const uint8_t *plain, size_t length, struct bypeer_buffer *out)
{
    struct rogue *rogue = context;
    return rogue->honest->link_seal(rogue->honest->context, link, plain, length, out);
}

static int rogue_link_unseal(void *context, void *link, const uint8_t *bytes, size_t length, struct bypeer_buffer *out)
{
    struct rogue *rogue = context;
    return rogue->honest->link_unseal(rogue->honest->context, link, bytes, length, out);
}

static void rogue_link_close(void *context, void *link)
{
    struct rogue *rogue = context;
    rogue->honest->link_close(rogue->honest->context, link);
}

/* --- the stream --- */

static bool rogue_send(void *context, uint32_t link, const uint8_t *bytes, size_t length)
{
    struct rogue *rogue = context;
    (void)link;
    while (length > 0) {
        ssize_t sent = send(rogue->socket, bytes, length, MSG_NOSIGNAL);
        if (sent < 0)
            rogue_fail("stream", strerror(errno));
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void rogue_close(void *context, uint32_t link)
{
    struct rogue *rogue = context;
    (void)link;
    rogue->is_closing = true;
}

static void rogue_status(void *context, uint32_t flags)
{
    (void)context;
    if (flags & BYPEER_GRAPH_SYNCHRONIZED)
        puts("connected");
}

static void rogue_linked(void *context, const struct bypeer_graph_link_event *event)
{
    (void)context;
    if (event->change != BYPEER_GRAPH_LINK_CONNECTED)
        rogue_fail("link", event->why);
}

static int rogue_connect(const char *address, const char *port)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (fd < 0 || inet_pton(AF_INET6, address, &to.sin6_addr) != 1 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        rogue_fail(address, strerror(errno));
    return fd;
}

/* --- what it is told to do --- */

static const struct bypeer_record *rogue_find(struct rogue *rogue, const char *member, const char *supernode,
                                              struct bypeer_attachment *ret_attachment)
{
    char text[2][BYPEER_NAME_TEXT_MAX];
    const struct bypeer_record *record = NULL;
    while ((record = bypeer_graph_next(rogue->graph, &BYPEER_RECORD_ATTACHMENT, record))) {
        if (bypeer_record_is_deleted(record) ||
            bypeer_attachment_read(ret_attachment, rogue->profile, record->payload, record->payload_bytes) != 0)
            continue;
        bypeer_name_write(&ret_attachment->member, text[0]);
        bypeer_name_write(&ret_attachment->supernode, text[1]);
        if (strcmp(text[0], member) == 0 && strcmp(text[1], supernode) == 0)
            return record;
    }
    return NULL;
}

static int rogue_publish(struct rogue *rogue, const uint8_t *payload, size_t length)
{
    struct bypeer_graph_time now = rogue_now();
    struct bypeer_guid id;
    const struct bypeer_record_draft draft = {
        .type = BYPEER_RECORD_ATTACHMENT,
        .payload = payload,
        .payload_bytes = length,
        .expires = bypeer_graph_peer_time(rogue->graph, now) + LIFE,
        .is_internal = true,
    };
    return bypeer_graph_publish(rogue->graph, now, &draft, &id);
}

static int rogue_attach(struct rogue *rogue, const char *member, const char *supernode, uint64_t sequence)
{
    uint8_t payload[BYPEER_ATTACHMENT_BYTES_MAX];
    char why[160];
    struct bypeer_attachment attachment = {
        .sequence = sequence,
        .member_key = {0x66, 1},
        .supernode_key = {0x66, 2},
        .endpoints = {{.address = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x66}, .port = 51820}},
        .endpoint_count = 1,
    };
    if (bypeer_name_read(&attachment.member, member, why) < 0 ||
        bypeer_name_read(&attachment.supernode, supernode, why) < 0)
        return -EINVAL;
    bypeer_group_address(rogue->profile, &rogue->group_name, &attachment.member, attachment.member_address);
    return rogue_publish(rogue, payload,
                         bypeer_attachment_write(&attachment, rogue->profile, payload, sizeof(payload)));
}

/* Past its own graph, which would send the newest version only. */
static int rogue_replay(struct rogue *rogue)
{
    struct bypeer_buffer sealed = {0}, frames = {0};
    uint8_t unit[BYPEER_FRAME_GROUP];
    size_t bytes = bypeer_record_bytes(rogue->kept);
    if (bytes > sizeof(unit) - BYPEER_GRAPH_RECORD_AT)
        return -EMSGSIZE;
    bypeer_record_write(rogue->kept, unit + BYPEER_GRAPH_RECORD_AT, bytes);
    const struct bypeer_graph_message message = {.type = BYPEER_GRAPH_FLOOD,
                                                 .flood = {unit + BYPEER_GRAPH_RECORD_AT, bytes}};
    size_t length = bypeer_graph_message_write(&message, rogue->profile, unit, BYPEER_GRAPH_RECORD_AT + bytes);
    int result = rogue_link_seal(rogue, rogue->session, unit, length, &sealed);
    if (result == 0)
        result = bypeer_frame_append(&frames, sealed.bytes, sealed.length);
    if (result == 0)
        rogue_send(rogue, rogue->link, frames.bytes, frames.length);
    bypeer_buffer_clear(&sealed);
    bypeer_buffer_clear(&frames);
    return result;
}

static void rogue_obey(struct rogue *rogue, const char *line)
{
    char word[16], member[512], supernode[512];
    unsigned long long sequence = 0;
    struct bypeer_attachment attachment;
    int result = -EINVAL;
    int count = sscanf(line, "%15s %" NAME_WIDTH "s %" NAME_WIDTH "s %llu", word, member, supernode, &sequence);
    if (count == 4 && strcmp(word, "attach") == 0) {
        result = rogue_attach(rogue, member, supernode, sequence);
    } else if (count == 3 && strcmp(word, "keep") == 0) {
        const struct bypeer_record *record = rogue_find(rogue, member, supernode, &attachment);
        free(rogue->kept);
        rogue->kept = record ? bypeer_record_copy(record) : NULL;
        result = rogue->kept ? 0 : -ENOENT;
    } else if (count == 1 && rogue->kept && strcmp(word, "replay") == 0) {
        result = rogue_replay(rogue);
    } else if (count == 1 && rogue->kept && strcmp(word, "repeat") == 0) {
        result = rogue_publish(rogue, rogue->kept->payload, rogue->kept->payload_bytes);
    }
    puts(result < 0 ? strerror(-result) : "done");
}

static void rogue_loop(struct rogue *rogue)
{
    uint8_t bytes[65536];
    char line[2048];
    struct pollfd polls[] = {{.fd = rogue->socket, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    while (!rogue->is_closing && poll(polls, 2, 100) >= 0) {
        if (polls[0].revents) {
            ssize_t length = recv(rogue->socket, bytes, sizeof(bytes), 0);
            if (length <= 0)
                rogue_fail("stream", "closed by the peer");
            bypeer_graph_receive(rogue->graph, rogue_now(), rogue->link, bytes, (size_t)length);
        }
        if (polls[1].revents) {
            if (!fgets(line, sizeof(line), stdin))
                return;
            rogue_obey(rogue, line);
        }
        if (bypeer_graph_deadline(rogue->graph) <= rogue_now().ms)
            bypeer_graph_tick(rogue->graph, rogue_now());
        bypeer_group_turn(rogue->group, rogue_now());
    }
}

/* --- opening --- */

static void rogue_open(struct rogue *rogue, const struct bypeer_identity_export *identity,
                       const struct bypeer_invitation *invitation, struct bypeer_tls *tls)
{
    char why[160] = "";
    const struct bypeer_group_settings settings = {
        .profile = rogue->profile,
        .group = invitation->group,
        .self = identity->name,
        .key = identity->key,
        .chain = invitation->chain,
        .chain_bytes = invitation->chain_bytes,
        .tls = bypeer_tls_functions(tls),
    };
    if (bypeer_group_open(&rogue->group, &settings, rogue_now(), why) < 0)
        rogue_fail("group", why);
    rogue->honest = bypeer_group_security(rogue->group);
    rogue->security = (struct bypeer_graph_security){
        .context = rogue,
        .secure = rogue_secure,
        .validate = rogue_validate,
        .stored = rogue_stored,
        .link_open = rogue_link_open,
        .link_token = rogue_link_token,
        .link_peer = rogue_link_peer,
        .link_seal = rogue_link_seal,
        .link_unseal = rogue_link_unseal,
        .link_close = rogue_link_close,
    };
    rogue->self = identity->name;
    rogue->group_name = invitation->group;
    bypeer_name_write(&rogue->self, rogue->self_id);
    bypeer_name_write(&rogue->group_name, rogue->group_id);
    const struct bypeer_graph_settings graph = {
        .profile = rogue->profile,
        .graph_id = rogue->group_id,
        .peer_id = rogue->self_id,
        .friendly_name = "rogue",
        .scope = BYPEER_GRAPH_GLOBAL,
        .sink = {.send = rogue_send, .close = rogue_close, .link = rogue_linked, .status = rogue_status},
        .sink_context = rogue,
        .security = &rogue->security,
        .seed = {0x66},
    };
    if (bypeer_graph_open(&rogue->graph, &graph, rogue_now()) < 0)
        rogue_fail("graph", "cannot be opened");
    bypeer_group_use_graph(rogue->group, rogue->graph);
}

int main(int count, char *arguments[])
{
    struct rogue rogue = {0};
    struct bypeer_identity_export identity;
    struct bypeer_invitation invitation;
    struct bypeer_tls *tls;
    struct bypeer_graph_address to = {.port = 0};
    char why[160] = "";
    size_t lengths[3], der_bytes;
    if (count != 6)
        rogue_fail("usage", "bypeer-rogue IDENTITY PASSWORD INVITATION ADDRESS PORT");
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    char *texts[] = {rogue_read_file(arguments[1], &lengths[0]), rogue_read_file(arguments[2], &lengths[1]),
                     rogue_read_file(arguments[3], &lengths[2])};
    if (bypeer_identity_export_read(&identity, texts[0], lengths[0], texts[1], why) < 0)
        rogue_fail(arguments[1], why);
    rogue.profile = bypeer_key_profile(identity.key);
    if (bypeer_invitation_read(&invitation, rogue.profile, texts[2], strlen(texts[2]), why) < 0)
        rogue_fail(arguments[3], why);
    const uint8_t *der = bypeer_certificate_der(identity.idc, &der_bytes);
    if (bypeer_tls_open(&tls, identity.key, der, der_bytes) < 0)
        rogue_fail("tls", "cannot be opened");
    rogue_open(&rogue, &identity, &invitation, tls);
    rogue.socket = rogue_connect(arguments[4], arguments[5]);
    inet_pton(AF_INET6, arguments[4], to.address);
    to.port = (uint16_t)atoi(arguments[5]);
    if (bypeer_graph_connect(rogue.graph, rogue_now(), &to, NULL, BYPEER_GRAPH_NEIGHBOR, &rogue.link) < 0)
        rogue_fail("graph", "cannot connect");
    bypeer_graph_connected(rogue.graph, rogue_now(), rogue.link);
    rogue_loop(&rogue);
    bypeer_group_use_graph(rogue.group, NULL);
    bypeer_graph_free(rogue.graph);
    bypeer_group_free(rogue.group);
    bypeer_tls_close(tls);
    free(rogue.kept);
    bypeer_invitation_clear(&invitation);
    bypeer_identity_export_release(&identity);
    for (int at = 0; at < 3; at++)
        free(texts[at]);
    return 0;
}
