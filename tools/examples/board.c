/*
 * board GROUP [STATUS]: who of the group is present, and what each says of himself; anew whenever that changes.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lib/peer.h"

#define BEGIN "<attributes><attribute name=\"Status\" type=\"string\">"
#define END   "</attribute></attributes>"

struct board {
    struct bypeer *node;
    const char *group;
    int error, is_changed;
};

/* The attributes that say a status; to be freed. NULL: no memory. */
static char *status_write(const char *status)
{
    static const struct {
        char character;
        const char *text;
    } escapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}};
    char *xml = malloc(sizeof(BEGIN END) + 5 * strlen(status));
    if (!xml)
        return NULL;
    char *place = stpcpy(xml, BEGIN);
    for (; *status; status++) {
        size_t at = 0;
        while (at < 3 && escapes[at].character != *status)
            at++;
        if (at < 3)
            place = stpcpy(place, escapes[at].text);
        else
            *place++ = *status;
    }
    memcpy(place, END, sizeof(END));
    return xml;
}

/* Prints the status within attributes as this program writes them, and nothing of others. */
static void status_print(const char *xml)
{
    const char *end = strstr(xml, END);
    if (strncmp(xml, BEGIN, strlen(BEGIN)) != 0 || !end)
        return;
    fputs("  ", stdout);
    for (xml += strlen(BEGIN); xml < end; xml++) {
        const char *tail = *xml == '&' ? strchr(xml, ';') : NULL;
        putchar(!tail ? *xml : xml[1] == 'l' ? '<' : xml[1] == 'g' ? '>' : '&');
        xml = tail ? tail : xml;
    }
}

static int board_print(const struct board *board)
{
    struct bypeer_peer_presence *presence;
    int error = bypeer_peer_enum_presence(&presence, board->node, board->group);
    if (error)
        return error;
    printf("%zu present\n", presence->count);
    for (size_t at = 0; at < presence->count; at++) {
        const struct bypeer_peer_present *present = &presence->at[at];
        printf("  %s%s", present->name[0] ? present->name : present->member, present->is_self ? " (here)" : "");
        status_print(present->attributes);
        putchar('\n');
    }
    fflush(stdout);
    bypeer_peer_free(presence);
    return 0;
}

static void on_changed(void *context, const struct bypeer_peer_event *event)
{
    struct board *board = context;
    (void)event;
    board->is_changed = 1;
}

static void on_ended(void *context, int error)
{
    struct board *board = context;
    board->error = error;
}

/* Until something fails. */
static void board_show(struct board *board)
{
    struct pollfd ready = {.fd = bypeer_fd(board->node), .events = POLLIN};
    for (;;) {
        int error = board->is_changed ? board_print(board) : 0;
        board->is_changed = 0;
        if (!error)
            error = bypeer_process(board->node);
        if (error || board->error)
            return;
        if (!board->is_changed && poll(&ready, 1, -1) < 0 && errno != EINTR)
            return;
    }
}

int main(int count, char *arguments[])
{
    struct board board = {.group = arguments[1], .is_changed = 1};
    struct bypeer_peer_watch *watch;
    if (count != 2 && count != 3) {
        fprintf(stderr, "use: %s GROUP [STATUS]\n", arguments[0]);
        return 2;
    }
    int error = bypeer_connect(&board.node, NULL);
    if (error) {
        fprintf(stderr, "bypeerd: %s\n", strerror(-error));
        return 1;
    }
    char *status = count == 3 ? status_write(arguments[2]) : NULL;
    error =
        bypeer_peer_watch_begin(&watch, board.node, board.group, BYPEER_PEER_PRESENCE, on_changed, on_ended, &board);
    if (!error && status)
        error = bypeer_peer_set_presence(board.node, board.group, 1, status);
    if (!error)
        board_show(&board);
    fprintf(stderr, "%s\n", bypeer_error_text(board.node));
    free(status);
    bypeer_close(board.node);
    return 1;
}
