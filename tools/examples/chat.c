/*
 * chat GROUP: what is typed goes to every member of the group, and what they type comes here. Each line is a record
 * that lives for an hour, so it reaches also who is away for a moment.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/lib/peer.h"

#define TYPE "8a1f0c52-6f0e-4c39-9a51-2f4f3f0c7b11"

struct chat {
    struct bypeer *node;
    const char *group;
    int error;
};

/* The friendly name of a member; his peer name if he is not known (any more). */
static void print_name(const struct chat *chat, const char *member)
{
    struct bypeer_peer_members *members = NULL;
    const char *name = member;
    if (bypeer_peer_enum_members(&members, chat->node, chat->group) == 0)
        for (size_t at = 0; at < members->count; at++)
            if (strcmp(members->at[at].member, member) == 0)
                name = members->at[at].name;
    fputs(name, stdout);
    bypeer_peer_free(members);
}

static void on_changed(void *context, const struct bypeer_peer_event *event)
{
    const struct chat *chat = context;
    if (event->change == BYPEER_PEER_MISSED)
        puts("(some lines were missed)");
    if (event->change == BYPEER_PEER_ADDED) {
        print_name(chat, event->record->creator);
        printf(": %.*s\n", (int)event->record->payload_bytes, (const char *)event->record->payload);
    }
    fflush(stdout);
}

static void on_ended(void *context, int error)
{
    struct chat *chat = context;
    chat->error = error;
}

static int say(const struct chat *chat, const char *line)
{
    char id[BYPEER_PEER_GUID];
    const struct bypeer_peer_draft draft = {
        .type = TYPE,
        .payload = line,
        .payload_bytes = strlen(line),
        .payload_is_text = 1,
        .lifetime_s = 3600,
    };
    return draft.payload_bytes > 0 ? bypeer_peer_record_publish(chat->node, chat->group, &draft, id) : 0;
}

/* Until the input ends. Lines are read whole, so the library is asked first what it has kept. */
static int talk(struct chat *chat)
{
    char line[1024];
    struct pollfd ready[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = bypeer_fd(chat->node), .events = POLLIN}};
    for (;;) {
        int error = bypeer_process(chat->node);
        if (error || chat->error)
            return error ? error : chat->error;
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            return -errno;
        if (!(ready[0].revents & (POLLIN | POLLHUP)))
            continue;
        if (!fgets(line, sizeof(line), stdin))
            return 0;
        line[strcspn(line, "\n")] = '\0';
        error = say(chat, line);
        if (error)
            return error;
    }
}

int main(int count, char *arguments[])
{
    struct chat chat = {.group = arguments[1]};
    struct bypeer_peer_watch *watch;
    if (count != 2) {
        fprintf(stderr, "use: %s GROUP\n", arguments[0]);
        return 2;
    }
    int error = bypeer_connect(&chat.node, NULL);
    if (error) {
        fprintf(stderr, "bypeerd: %s\n", strerror(-error));
        return 1;
    }
    setvbuf(stdin, NULL, _IONBF, 0); /* what poll() does not see is not left behind */
    error = bypeer_peer_watch_begin(&watch, chat.node, chat.group, TYPE, on_changed, on_ended, &chat);
    if (!error)
        error = talk(&chat);
    if (error)
        fprintf(stderr, "%s\n", bypeer_error_text(chat.node));
    bypeer_close(chat.node);
    return error ? 1 : 0;
}
