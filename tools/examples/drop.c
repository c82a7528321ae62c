/*
 * drop GROUP receive DIRECTORY: takes files that members send; never in place of one that is there.
 * drop GROUP send MEMBER FILE:  sends one, over a direct link between both nodes.
 *
 *   sender                      receiver
 *     | OFFER name --------------> |
 *     | <----------------- TAKEN 0 |  or the link is closed: no, thanks
 *     | PART bytes, ... ---------> |  up to WINDOW ahead of what was confirmed
 *     | <------------- TAKEN count |  after each part
 *     | END                        |  the file is whole
 *     | <--------------------- END |  and here
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/lib/peer.h"

#define OFFER       "5d0e3f60-0001-4b6e-8a83-6b7f2d1c9e40"
#define PART        "5d0e3f60-0002-4b6e-8a83-6b7f2d1c9e40"
#define TAKEN       "5d0e3f60-0003-4b6e-8a83-6b7f2d1c9e40"
#define END         "5d0e3f60-0004-4b6e-8a83-6b7f2d1c9e40"
#define BYTES       65536
#define WINDOW      (16 * BYTES)
#define PATIENCE_MS 20000 /* of a sender */
#define FILES       16    /* received at once */

/* A file that comes. */
struct coming {
    int64_t link; /* 0: none */
    int fd;
    uint64_t taken;
    char name[256];
};

struct drop {
    struct bypeer *node;
    const char *group;
    int error, has_heard, patience_ms; /* -1: for ever */
    /* The receiver's. */
    int directory;
    struct coming files[FILES];
    /* The sender's. */
    int64_t link;
    uint64_t sent, confirmed;
    int is_accepted, is_done, is_closed;
};

static void on_ended(void *context, int error)
{
    struct drop *drop = context;
    drop->error = error;
}

/* Takes what has come; waits, if that was nothing. */
static int drop_process(struct drop *drop)
{
    struct pollfd ready = {.fd = bypeer_fd(drop->node), .events = POLLIN};
    drop->has_heard = 0;
    int error = bypeer_process(drop->node);
    if (error || drop->error || drop->has_heard)
        return error ? error : drop->error;
    int count = poll(&ready, 1, drop->patience_ms);
    drop->is_closed |= count == 0;
    return count < 0 && errno != EINTR ? -errno : 0;
}

/* --- receiving --- */

static struct coming *coming_find(struct drop *drop, int64_t link)
{
    for (size_t at = 0; at < FILES; at++)
        if (drop->files[at].link == link)
            return &drop->files[at];
    return NULL;
}

/* A file that did not come whole goes. */
static void coming_end(struct drop *drop, struct coming *file, int is_whole)
{
    close(file->fd);
    if (!is_whole)
        unlinkat(drop->directory, file->name, 0);
    file->link = 0;
}

static int coming_confirm(struct drop *drop, const struct coming *file)
{
    char count[24];
    int length = snprintf(count, sizeof(count), "%" PRIu64, file->taken);
    return bypeer_peer_direct_send(drop->node, drop->group, file->link, TAKEN, count, (size_t)length);
}

/* Only the last part of a path, nothing hidden, and no file that is there. */
static int coming_begin(struct drop *drop, const struct bypeer_peer_message *message)
{
    struct coming *file = coming_find(drop, 0);
    if (!file || message->length == 0 || message->length >= sizeof(file->name))
        return -1;
    memcpy(file->name, message->bytes, message->length);
    file->name[message->length] = '\0';
    if (file->name[0] == '.' || strchr(file->name, '/') || strlen(file->name) != message->length)
        return -1;
    file->fd = openat(drop->directory, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->fd < 0)
        return -1;
    file->link = message->link;
    file->taken = 0;
    return coming_confirm(drop, file);
}

static int coming_take(struct drop *drop, struct coming *file, const struct bypeer_peer_message *message)
{
    if (write(file->fd, message->bytes, message->length) != (ssize_t)message->length)
        return -1;
    file->taken += message->length;
    return coming_confirm(drop, file);
}

static void on_heard_by_receiver(void *context, const struct bypeer_peer_message *message)
{
    struct drop *drop = context;
    struct coming *file = message->link ? coming_find(drop, message->link) : NULL;
    int error = 0;
    drop->has_heard = 1;
    if (message->is_initiator || message->said == BYPEER_PEER_LOST || message->said == BYPEER_PEER_OPENED)
        return;
    if (message->said == BYPEER_PEER_CLOSED) {
        if (file)
            coming_end(drop, file, 0);
        return;
    }
    if (strcmp(message->type, OFFER) == 0 && !file) {
        error = coming_begin(drop, message);
    } else if (strcmp(message->type, PART) == 0 && file) {
        error = coming_take(drop, file, message);
    } else if (strcmp(message->type, END) == 0 && file) {
        printf("%s: %" PRIu64 " bytes from %s\n", file->name, file->taken, message->member);
        fflush(stdout);
        coming_end(drop, file, 1);
        error = bypeer_peer_direct_send(drop->node, drop->group, message->link, END, "", 0);
    }
    if (error)
        bypeer_peer_direct_close(drop->node, drop->group, message->link);
}

static int drop_receive(struct drop *drop, const char *directory)
{
    struct bypeer_peer_watch *watch;
    drop->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (drop->directory < 0) {
        perror(directory);
        return 1;
    }
    int error = bypeer_peer_direct_begin(&watch, drop->node, drop->group, on_heard_by_receiver, on_ended, drop);
    if (!error)
        error = bypeer_call(drop->node, "version", NULL, NULL); /* answered when the watch has begun */
    if (!error) {
        puts("ready");
        fflush(stdout);
    }
    while (!error)
        error = drop_process(drop);
    fprintf(stderr, "%s\n", bypeer_error_text(drop->node));
    return 1;
}

/* --- sending --- */

static void on_heard_by_sender(void *context, const struct bypeer_peer_message *message)
{
    struct drop *drop = context;
    char count[24];
    drop->has_heard = 1;
    if (message->link != drop->link || message->said == BYPEER_PEER_OPENED)
        return;
    if (message->said != BYPEER_PEER_DATA) {
        drop->is_closed = 1;
    } else if (strcmp(message->type, TAKEN) == 0 && message->length < sizeof(count)) {
        snprintf(count, sizeof(count), "%.*s", (int)message->length, (const char *)message->bytes);
        drop->confirmed = strtoull(count, NULL, 10);
        drop->is_accepted = 1;
    } else if (strcmp(message->type, END) == 0) {
        drop->is_done = 1;
    }
}

static int drop_send_parts(struct drop *drop, FILE *file)
{
    static char bytes[BYTES];
    for (;;) {
        size_t length = fread(bytes, 1, sizeof(bytes), file);
        if (length == 0)
            return ferror(file) ? -EIO : 0;
        int error = bypeer_peer_direct_send(drop->node, drop->group, drop->link, PART, bytes, length);
        drop->sent += length;
        while (!error && !drop->is_closed && drop->sent - drop->confirmed > WINDOW)
            error = drop_process(drop);
        if (error || drop->is_closed)
            return error ? error : -EPIPE;
    }
}

static int drop_send(struct drop *drop, const char *member, const char *path)
{
    struct bypeer_peer_watch *watch;
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    int error = bypeer_peer_direct_begin(&watch, drop->node, drop->group, on_heard_by_sender, on_ended, drop);
    if (!error)
        error = bypeer_peer_direct_open(drop->node, drop->group, member, 0, &drop->link);
    if (!error)
        error = bypeer_peer_direct_send(drop->node, drop->group, drop->link, OFFER, name, strlen(name));
    while (!error && !drop->is_accepted && !drop->is_closed)
        error = drop_process(drop);
    if (!error && !drop->is_closed)
        error = drop_send_parts(drop, file);
    if (!error && !drop->is_closed)
        error = bypeer_peer_direct_send(drop->node, drop->group, drop->link, END, "", 0);
    while (!error && !drop->is_done && !drop->is_closed)
        error = drop_process(drop);
    fclose(file);
    if (drop->is_done) {
        printf("%s: %" PRIu64 " bytes\n", name, drop->sent);
        bypeer_peer_direct_close(drop->node, drop->group, drop->link);
        return 0;
    }
    fprintf(stderr, "%s: %s\n", name,
            drop->is_closed ? "the receiver does not take it" : bypeer_error_text(drop->node));
    return 1;
}

int main(int count, char *arguments[])
{
    struct drop drop = {0};
    int is_receiver = count == 4 && strcmp(arguments[2], "receive") == 0;
    if (!is_receiver && (count != 5 || strcmp(arguments[2], "send") != 0)) {
        fprintf(stderr, "use: %s GROUP receive DIRECTORY\n     %s GROUP send MEMBER FILE\n", arguments[0],
                arguments[0]);
        return 2;
    }
    int error = bypeer_connect(&drop.node, NULL);
    if (error) {
        fprintf(stderr, "bypeerd: %s\n", strerror(-error));
        return 1;
    }
    drop.group = arguments[1];
    drop.patience_ms = is_receiver ? -1 : PATIENCE_MS;
    int status = is_receiver ? drop_receive(&drop, arguments[3]) : drop_send(&drop, arguments[3], arguments[4]);
    bypeer_close(drop.node);
    return status;
}
