/*
 * Messages as bytes: type, length of the rest, then the fields of the type in the order of the header, unpadded. A
 * longer message than this release knows is read as far as it knows it: a later release appends fields. A shorter one
 * is none.
 */
#include "overlay/tables/handover.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define HANDOVER_HEADER 8 /* type and length */

_Static_assert(HANDOVER_HEADER + 4 + BYPEER_HANDOVER_PORTS_MAX * (32 + 6 + 2) <= BYPEER_HANDOVER_MAX, "PORTS fits");

unsigned bypeer_handover_fds(const struct bypeer_handover *message)
{
    switch (message->type) {
    case BYPEER_HANDOVER_HELLO:
        return 1u + (message->hello.has_sessions != 0) + (message->hello.has_tables != 0);
    case BYPEER_HANDOVER_SESSIONS:
        return message->sessions.has_fd != 0;
    case BYPEER_HANDOVER_SESSIONS_MADE:
    case BYPEER_HANDOVER_TABLES:
        return 1;
    default:
        return 0;
    }
}

/* A place in a message. Reading past the end fails for good and leaves zeroes; the caller looks at .bad once. */
struct cursor {
    uint8_t *write; /* or */
    const uint8_t *read;
    size_t left;
    bool bad;
};

static void cursor_field(struct cursor *cursor, void *field, size_t bytes)
{
    if (cursor->bad || bytes > cursor->left) {
        cursor->bad = true;
        return;
    }
    cursor->left -= bytes;
    if (cursor->write) {
        memcpy(cursor->write, field, bytes);
        cursor->write += bytes;
    } else if (cursor->read) {
        memcpy(field, cursor->read, bytes);
        cursor->read += bytes;
    }
}

/* A string takes its whole field. One without an end is cut when written and refused when read. */
static void cursor_string(struct cursor *cursor, char *field, size_t bytes)
{
    if (cursor->write)
        field[bytes - 1] = '\0';
    cursor_field(cursor, field, bytes);
    if (!cursor->bad && !memchr(field, '\0', bytes))
        cursor->bad = true;
}

/* Flags are 0 or 1 on the way. */
static void cursor_flag(struct cursor *cursor, uint8_t *field)
{
    if (cursor->write)
        *field = *field != 0;
    cursor_field(cursor, field, sizeof(*field));
    if (*field > 1)
        cursor->bad = true;
}

#define FIELD(member) cursor_field(cursor, &(member), sizeof(member))

static void cursor_ports(struct cursor *cursor, struct bypeer_handover *message)
{
    FIELD(message->ports.count);
    if (message->ports.count > BYPEER_HANDOVER_PORTS_MAX) {
        cursor->bad = true;
        return;
    }
    for (uint32_t i = 0; i < message->ports.count; i++) {
        struct bypeer_handover_port *port = &message->ports.port[i];
        cursor_string(cursor, port->name, sizeof(port->name));
        FIELD(port->mac);
        FIELD(port->mtu);
    }
}

static void cursor_traced(struct cursor *cursor, struct bypeer_handover *message)
{
    FIELD(message->traced.packet);
    FIELD(message->traced.worker);
    FIELD(message->traced.tsc);
    FIELD(message->traced.frame_bytes);
    FIELD(message->traced.head_bytes);
    cursor_string(cursor, message->traced.node, sizeof(message->traced.node));
    cursor_string(cursor, message->traced.next, sizeof(message->traced.next));
    if (message->traced.head_bytes > sizeof(message->traced.head)) {
        cursor->bad = true;
        return;
    }
    cursor_field(cursor, message->traced.head, message->traced.head_bytes);
}

/* One list of fields for both ways, so that they cannot differ. Returns false for a type that has none. */
static bool cursor_message(struct cursor *cursor, struct bypeer_handover *message)
{
    switch (message->type) {
    case BYPEER_HANDOVER_HELLO:
        FIELD(message->hello.pid);
        FIELD(message->hello.start_ticks);
        FIELD(message->hello.layout_oldest);
        FIELD(message->hello.layout_newest);
        cursor_flag(cursor, &message->hello.has_sessions);
        cursor_flag(cursor, &message->hello.has_tables);
        cursor_string(cursor, message->hello.release, sizeof(message->hello.release));
        return true;
    case BYPEER_HANDOVER_PORTS:
        cursor_ports(cursor, message);
        return true;
    case BYPEER_HANDOVER_SESSIONS:
        cursor_flag(cursor, &message->sessions.has_fd);
        return true;
    case BYPEER_HANDOVER_TABLES:
    case BYPEER_HANDOVER_MAPPED:
        FIELD(message->tables.generation);
        FIELD(message->tables.bytes);
        return true;
    case BYPEER_HANDOVER_REFUSED:
        FIELD(message->refused.generation);
        FIELD(message->refused.error);
        cursor_string(cursor, message->refused.text, sizeof(message->refused.text));
        return true;
    case BYPEER_HANDOVER_TRACE:
        FIELD(message->trace.packets);
        return true;
    case BYPEER_HANDOVER_TRACED:
        cursor_traced(cursor, message);
        return true;
    case BYPEER_HANDOVER_SESSIONS_MADE:
    case BYPEER_HANDOVER_TRACE_END:
    case BYPEER_HANDOVER_GRACE:
        return true;
    }
    return false;
}

size_t bypeer_handover_write(const struct bypeer_handover *message, uint8_t buffer[static BYPEER_HANDOVER_MAX])
{
    struct bypeer_handover copy = *message;
    struct cursor cursor = {.write = buffer + HANDOVER_HEADER, .left = BYPEER_HANDOVER_MAX - HANDOVER_HEADER};
    if (!cursor_message(&cursor, &copy) || cursor.bad)
        return 0;
    uint32_t header[2] = {copy.type, (uint32_t)(cursor.write - (buffer + HANDOVER_HEADER))};
    memcpy(buffer, header, sizeof(header));
    return HANDOVER_HEADER + header[1];
}

int bypeer_handover_read(struct bypeer_handover *ret_message, const uint8_t *bytes, size_t length)
{
    uint32_t header[2];
    if (length < HANDOVER_HEADER || length > BYPEER_HANDOVER_MAX)
        return -EBADMSG;
    memcpy(header, bytes, sizeof(header));
    if (header[1] != length - HANDOVER_HEADER)
        return -EBADMSG;

    struct bypeer_handover message = {.type = (enum bypeer_handover_type)header[0]};
    struct cursor cursor = {.read = bytes + HANDOVER_HEADER, .left = length - HANDOVER_HEADER};
    if (!cursor_message(&cursor, &message))
        return -ENOMSG;
    if (cursor.bad)
        return -EBADMSG;
    *ret_message = message;
    return 0;
}
