#include "control/names/ssdp.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 32

static const char search_line[] = "M-SEARCH * HTTP/1.1";
static const char answer_line[] = "HTTP/1.1 200 OK";

void bypeer_ssdp_target(const struct bypeer_profile *profile, enum bypeer_pnrp_scope scope,
                        char ret_target[static BYPEER_SSDP_TARGET_MAX])
{
    static const char *const scopes[] = {
        [BYPEER_SCOPE_GLOBAL] = "Global", [BYPEER_SCOPE_SITE] = "SiteLocal", [BYPEER_SCOPE_LINK] = "LinkLocal"};
    snprintf(ret_target, BYPEER_SSDP_TARGET_MAX, "urn:Microsoft Windows Peer Name Resolution Protocol: V%u:IPV6:%s",
             profile->pnrp_major, scopes[scope]);
}

void bypeer_ssdp_group(enum bypeer_pnrp_scope scope, uint8_t ret_group[static 16])
{
    const uint8_t group[16] = {0xff, scope == BYPEER_SCOPE_LINK ? 0x02 : 0x05, [15] = 0x0c};
    memcpy(ret_group, group, 16);
}

size_t bypeer_ssdp_write_search(const char *target, enum bypeer_pnrp_scope scope,
                                char ret_text[static BYPEER_SSDP_MESSAGE_MAX])
{
    return (size_t)snprintf(ret_text, BYPEER_SSDP_MESSAGE_MAX,
                            "%s\r\nHOST: [%s]:%u\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: %s\r\n\r\n", search_line,
                            scope == BYPEER_SCOPE_LINK ? "ff02::c" : "ff05::c", BYPEER_SSDP_PORT, target);
}

size_t bypeer_ssdp_write_answer(const char *target, const struct bypeer_pnrp_endpoint *node,
                                char ret_text[static BYPEER_SSDP_MESSAGE_MAX])
{
    char address[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, node->address, address, sizeof(address));
    return (size_t)snprintf(ret_text, BYPEER_SSDP_MESSAGE_MAX,
                            "%s\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nST: %s\r\nUSN: %s\r\nAL: [%s]:%u\r\n\r\n",
                            answer_line, target, target, address, node->port);
}

/* --- reading --- */

/* A piece of the message, without the white space around it. */
struct piece {
    const char *text;
    size_t length;
};

struct headers {
    struct piece man, st, al;
};

static bool piece_is(struct piece piece, const char *text)
{
    return piece.text && piece.length == strlen(text) && memcmp(piece.text, text, piece.length) == 0;
}

/* The text up to the next CR LF, which is skipped; false: there is none, or what is before it is not printable ASCII.
 */
static bool ssdp_take_line(struct piece *rest, struct piece *ret_line)
{
    for (size_t at = 0; at < rest->length; at++) {
        if (rest->text[at] == '\r') {
            if (at + 1 >= rest->length || rest->text[at + 1] != '\n')
                return false;
            *ret_line = (struct piece){rest->text, at};
            rest->text += at + 2;
            rest->length -= at + 2;
            return true;
        }
        if ((unsigned char)rest->text[at] < ' ' || (unsigned char)rest->text[at] > '~')
            return false;
    }
    return false;
}

/* "NAME: value": which one of the headers that matter it is, or ret_headers unchanged. A second one of a name, or a
 * line without a colon, is refused. */
static bool ssdp_take_header(struct piece line, struct headers *headers)
{
    const char *colon = memchr(line.text, ':', line.length);
    if (!colon || colon == line.text)
        return false;
    const size_t name = (size_t)(colon - line.text);
    struct piece value = {colon + 1, line.length - name - 1};
    for (; value.length > 0 && *value.text == ' '; value.length--)
        value.text++;
    while (value.length > 0 && value.text[value.length - 1] == ' ')
        value.length--;
    struct piece *place = NULL;
    if (name == 3 && strncasecmp(line.text, "MAN", 3) == 0)
        place = &headers->man;
    else if (name == 2 && strncasecmp(line.text, "ST", 2) == 0)
        place = &headers->st;
    else if (name == 2 && strncasecmp(line.text, "AL", 2) == 0)
        place = &headers->al;
    if (place && place->text)
        return false;
    if (place)
        *place = value;
    return true;
}

/* A whole message with this first line, and nothing after its empty line. */
static bool ssdp_read(const char *text, size_t length, const char *first, struct headers *ret_headers)
{
    struct piece rest = {text, length}, line;
    struct headers headers = {0};
    if (length > BYPEER_SSDP_MESSAGE_MAX || !ssdp_take_line(&rest, &line) || !piece_is(line, first))
        return false;
    for (unsigned at = 0; at <= HEADERS_MAX; at++) {
        if (!ssdp_take_line(&rest, &line))
            return false;
        if (line.length == 0) {
            *ret_headers = headers;
            return rest.length == 0;
        }
        if (!ssdp_take_header(line, &headers))
            return false;
    }
    return false;
}

bool bypeer_ssdp_is_search(const char *text, size_t length, const char *target)
{
    struct headers headers;
    return ssdp_read(text, length, search_line, &headers) && piece_is(headers.man, "\"ssdp:discover\"") &&
           piece_is(headers.st, target);
}

/* "[address]:port". */
static bool ssdp_read_endpoint(struct piece value, struct bypeer_pnrp_endpoint *ret_endpoint)
{
    char text[INET6_ADDRSTRLEN + 8];
    if (value.length >= sizeof(text) || value.length < 1 || value.text[0] != '[')
        return false;
    memcpy(text, value.text + 1, value.length - 1);
    text[value.length - 1] = '\0';
    char *end = strchr(text, ']');
    if (!end || end[1] != ':' || end[2] == '\0' || strlen(end + 2) > 5 ||
        strspn(end + 2, "0123456789") != strlen(end + 2))
        return false;
    *end = '\0';
    unsigned long port = strtoul(end + 2, NULL, 10);
    if (port < BYPEER_PNRP_PORT_MIN || port > UINT16_MAX || inet_pton(AF_INET6, text, ret_endpoint->address) != 1 ||
        ret_endpoint->address[0] == 0xff)
        return false;
    ret_endpoint->port = (uint16_t)port;
    return true;
}

bool bypeer_ssdp_is_answer(const char *text, size_t length, const char *target, struct bypeer_pnrp_endpoint *ret_node)
{
    struct headers headers;
    struct bypeer_pnrp_endpoint node;
    if (!ssdp_read(text, length, answer_line, &headers) || !piece_is(headers.st, target) || !headers.al.text ||
        !ssdp_read_endpoint(headers.al, &node))
        return false;
    *ret_node = node;
    return true;
}
