#include "control/names/nss_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int bypeer_nss_read(const char *bytes, size_t length, char ret_host[static BYPEER_HOST_NAME_MAX])
{
    const char *end = memchr(bytes, '\n', length);
    size_t host = end ? (size_t)(end - bytes) : length;
    if (host >= BYPEER_HOST_NAME_MAX)
        return -EBADMSG;
    for (size_t at = 0; at < host; at++)
        if (bytes[at] <= ' ' || bytes[at] > '~')
            return -EBADMSG;
    if (!end)
        return -EAGAIN;
    memcpy(ret_host, bytes, host);
    ret_host[host] = '\0';
    return 0;
}

size_t bypeer_nss_write(const uint8_t (*addresses)[16], unsigned count, char ret_bytes[static BYPEER_NSS_ANSWER_MAX])
{
    char *at = ret_bytes + sprintf(ret_bytes, "OK %u\n", count);
    for (unsigned i = 0; i < count; i++) {
        inet_ntop(AF_INET6, addresses[i], at, INET6_ADDRSTRLEN);
        at += strlen(at);
        *at++ = '\n';
    }
    return (size_t)(at - ret_bytes);
}
