#include "perf/memif.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MEMIF_VERSION      0x0200
#define MEMIF_COOKIE       0x3e31f20
#define MEMIF_NO_INTERRUPT 1 /* of a ring: nobody is to be woken */
#define MEMIF_LOG2_RING    14

enum memif_type {
    MEMIF_NONE,
    MEMIF_ACK,
    MEMIF_HELLO,
    MEMIF_INIT,
    MEMIF_ADD_REGION,
    MEMIF_ADD_RING,
    MEMIF_CONNECT,
    MEMIF_CONNECTED,
    MEMIF_DISCONNECT,
};

/* Packed and in the host's byte order, 128 bytes whatever is in them. */
struct memif_message {
    uint16_t type;
    union {
        struct {
            char name[32];
            uint16_t version_least, version_most, region_most, to_client_most, from_client_most;
            uint8_t log2_ring_most;
        } __attribute__((packed)) hello;
        struct {
            uint16_t index;
            uint64_t bytes;
        } __attribute__((packed)) region;
        struct {
            uint16_t is_from_client;
            uint16_t index, region;
            uint32_t offset;
            uint8_t log2_slots;
            uint16_t private_bytes;
        } __attribute__((packed)) ring;
        char connected_name[32];
        uint8_t bytes[126];
    };
} __attribute__((packed));
_Static_assert(sizeof(struct memif_message) == 128, "as on the socket");

struct memif_slot {
    uint16_t flags, region;
    uint32_t bytes, offset, metadata;
};

struct memif_ring {
    uint32_t cookie;
    uint16_t flags, head;
    uint8_t beside[56];
    uint16_t tail;
    uint8_t beside_too[62];
    struct memif_slot slots[];
};
_Static_assert(offsetof(struct memif_ring, tail) == 64 && offsetof(struct memif_ring, slots) == 128, "on own lines");

/* --- handing over ------------------------------------------------------------------------------------------------- */

int memif_listen(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (listener < 0)
        return -errno;
    if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 1) < 0) {
        int result = -errno;
        close(listener);
        return result;
    }
    return listener;
}

static int memif_say(const struct memif *memif, const struct memif_message *message)
{
    ssize_t sent = send(memif->socket, message, sizeof(*message), MSG_NOSIGNAL);
    if (sent < 0)
        return -errno;
    return sent == sizeof(*message) ? 0 : -EPROTO;
}

/* *ret_fd: what came with it, or -1; the caller's. */
static int memif_hear(const struct memif *memif, struct memif_message *ret_message, int *ret_fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } room = {0};
    struct iovec data = {ret_message, sizeof(*ret_message)};
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof(room.bytes)};
    ssize_t got = recvmsg(memif->socket, &header, MSG_CMSG_CLOEXEC);
    if (got < 0)
        return -errno;
    const struct cmsghdr *part = CMSG_FIRSTHDR(&header);
    *ret_fd = -1;
    if (part != NULL && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(part), sizeof(*ret_fd));
    return got == sizeof(*ret_message) ? 0 : -ECONNRESET;
}

/* All of the file: the client counts only the pages that it used when it connected, and buffers may lie beyond. */
static int memif_add_region(struct memif *memif, uint16_t index, int fd)
{
    struct stat file;
    if (index != memif->region_count || index >= MEMIF_REGIONS || fstat(fd, &file) < 0)
        return -EPROTO;
    void *base = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    memif->regions[index].base = base;
    memif->regions[index].bytes = (uint64_t)file.st_size;
    memif->region_count++;
    return 0;
}

static int memif_add_ring(struct memif *memif, const struct memif_message *message)
{
    uint32_t slots = 1u << message->ring.log2_slots;
    uint64_t bytes = sizeof(struct memif_ring) + slots * sizeof(struct memif_slot);
    if (message->ring.index != 0 || message->ring.log2_slots > MEMIF_LOG2_RING ||
        message->ring.region >= memif->region_count ||
        message->ring.offset + bytes > memif->regions[message->ring.region].bytes)
        return -EPROTO;
    void *at = memif->regions[message->ring.region].base + message->ring.offset;
    if (message->ring.is_from_client) {
        memif->from_client = at;
        memif->from_mask = (uint16_t)(slots - 1);
    } else {
        memif->to_client = at;
        memif->to_mask = (uint16_t)(slots - 1);
    }
    return 0;
}

static int memif_connect(struct memif *memif)
{
    if (memif->to_client == NULL || memif->from_client == NULL || memif->to_client->cookie != MEMIF_COOKIE ||
        memif->from_client->cookie != MEMIF_COOKIE)
        return -EPROTO;
    memif->from_client->flags = MEMIF_NO_INTERRUPT;
    return memif_say(memif, &(struct memif_message){.type = MEMIF_CONNECTED, .connected_name = "perf"});
}

static int memif_obey(struct memif *memif, const struct memif_message *message, int fd)
{
    int result = 0;
    switch (message->type) {
    case MEMIF_INIT:
        break;
    case MEMIF_ADD_REGION:
        result = memif_add_region(memif, message->region.index, fd);
        break;
    case MEMIF_ADD_RING:
        result = memif_add_ring(memif, message);
        break;
    case MEMIF_CONNECT:
        return memif_connect(memif);
    default:
        return -EPROTO;
    }
    return result < 0 ? result : memif_say(memif, &(struct memif_message){.type = MEMIF_ACK});
}

int memif_accept(struct memif *ret_memif, int listener)
{
    struct memif memif = {.socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC)};
    struct memif_message message = {.type = MEMIF_HELLO,
                                    .hello = {.name = "perf",
                                              .version_least = MEMIF_VERSION,
                                              .version_most = MEMIF_VERSION,
                                              .region_most = MEMIF_REGIONS - 1,
                                              .log2_ring_most = MEMIF_LOG2_RING}};
    if (memif.socket < 0)
        return -errno;
    int result = memif_say(&memif, &message);
    while (result == 0 && message.type != MEMIF_CONNECT) {
        int fd = -1;
        result = memif_hear(&memif, &message, &fd);
        if (result == 0)
            result = memif_obey(&memif, &message, fd);
        if (fd >= 0)
            close(fd);
    }
    if (result < 0)
        memif_close(&memif);
    else
        *ret_memif = memif;
    return result;
}

bool memif_is_connected(const struct memif *memif)
{
    struct pollfd socket = {.fd = memif->socket};
    return poll(&socket, 1, 0) >= 0 && (socket.revents & (POLLHUP | POLLERR)) == 0;
}

void memif_close(struct memif *memif)
{
    for (uint32_t i = 0; i < memif->region_count; i++)
        munmap(memif->regions[i].base, memif->regions[i].bytes);
    close(memif->socket);
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

static struct memif_slot *memif_slot(const struct memif *memif, uint16_t ahead)
{
    return &memif->to_client->slots[(uint16_t)(memif->to_client->tail + ahead) & memif->to_mask];
}

uint16_t memif_room(const struct memif *memif)
{
    return (uint16_t)(__atomic_load_n(&memif->to_client->head, __ATOMIC_ACQUIRE) - memif->to_client->tail);
}

uint8_t *memif_buffer(const struct memif *memif, uint16_t ahead)
{
    const struct memif_slot *slot = memif_slot(memif, ahead);
    return memif->regions[slot->region].base + slot->offset;
}

void memif_set_bytes(struct memif *memif, uint16_t ahead, uint32_t bytes)
{
    struct memif_slot *slot = memif_slot(memif, ahead);
    slot->bytes = bytes;
    slot->flags = 0;
}

void memif_send(struct memif *memif, uint16_t count)
{
    __atomic_store_n(&memif->to_client->tail, (uint16_t)(memif->to_client->tail + count), __ATOMIC_RELEASE);
}

uint16_t memif_take(struct memif *memif)
{
    struct memif_ring *ring = memif->from_client;
    uint16_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE), count = (uint16_t)(head - ring->tail);
    if (count != 0)
        __atomic_store_n(&ring->tail, head, __ATOMIC_RELEASE);
    return count;
}
