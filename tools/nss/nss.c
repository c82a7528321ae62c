/*
 * libnss_bypeer.so.2: names below pnrp.net for every program that calls getaddrinfo().
 *
 *     /etc/nsswitch.conf:   hosts: files bypeer [!UNAVAIL=return] dns
 *
 *   not ours   UNAVAIL: the next service is asked
 *   ours       SUCCESS, or NOTFOUND, also when bypeerd is down: such a name is no business of DNS
 *
 * The addresses are IPv6. libc alone is used, of it nothing that allocates; any thread may call at any time.
 */
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>

#include "tools/nss/ask.h"

enum nss_status _nss_bypeer_gethostbyname4_r(const char *name, struct gaih_addrtuple **pat, char *buffer, size_t buflen,
                                             int *errnop, int *h_errnop, int32_t *ttlp);
enum nss_status _nss_bypeer_gethostbyname3_r(const char *name, int af, struct hostent *host, char *buffer,
                                             size_t buflen, int *errnop, int *h_errnop, int32_t *ttlp, char **canonp);
enum nss_status _nss_bypeer_gethostbyname2_r(const char *name, int af, struct hostent *host, char *buffer,
                                             size_t buflen, int *errnop, int *h_errnop);
enum nss_status _nss_bypeer_gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t buflen,
                                            int *errnop, int *h_errnop);

struct found {
    unsigned count;
    uint8_t addresses[ANSWER_ADDRESSES][16];
};

static enum nss_status fail(enum nss_status status, int error, int *errnop, int host_error, int *h_errnop)
{
    *errnop = error;
    *h_errnop = host_error;
    return status;
}

static enum nss_status find(const char *name, int family, struct found *ret_found, int *errnop, int *h_errnop)
{
    if (!ask_is_ours(name))
        return fail(NSS_STATUS_UNAVAIL, ENOENT, errnop, HOST_NOT_FOUND, h_errnop);
    if (family != AF_INET6)
        return fail(NSS_STATUS_NOTFOUND, ENOENT, errnop, NO_DATA, h_errnop);
    ret_found->count = ask_addresses(name, ret_found->addresses);
    if (ret_found->count == 0)
        return fail(NSS_STATUS_NOTFOUND, ENOENT, errnop, HOST_NOT_FOUND, h_errnop);
    return NSS_STATUS_SUCCESS;
}

/* Takes bytes from the caller's buffer; NULL: there are not so many. */
static void *carve(char **buffer, size_t *left, size_t bytes)
{
    size_t gap = (size_t)(-(uintptr_t)*buffer & (alignof(max_align_t) - 1));
    if (*left < gap || *left - gap < bytes)
        return NULL;
    char *piece = *buffer + gap;
    *buffer = piece + bytes;
    *left -= gap + bytes;
    return piece;
}

static char *carve_copy(char **buffer, size_t *left, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = carve(buffer, left, bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

/* The caller comes again with a larger buffer. */
static enum nss_status too_small(int *errnop, int *h_errnop)
{
    return fail(NSS_STATUS_TRYAGAIN, ERANGE, errnop, NETDB_INTERNAL, h_errnop);
}

enum nss_status _nss_bypeer_gethostbyname4_r(const char *name, struct gaih_addrtuple **pat, char *buffer, size_t buflen,
                                             int *errnop, int *h_errnop, int32_t *ttlp)
{
    struct found found;
    enum nss_status status = find(name, AF_INET6, &found, errnop, h_errnop);
    if (status != NSS_STATUS_SUCCESS)
        return status;
    struct gaih_addrtuple *tuples = carve(&buffer, &buflen, found.count * sizeof(*tuples));
    char *copy = tuples ? carve_copy(&buffer, &buflen, name) : NULL;
    if (!copy)
        return too_small(errnop, h_errnop);
    for (unsigned i = 0; i < found.count; i++) {
        tuples[i] = (struct gaih_addrtuple){
            .next = i + 1 < found.count ? &tuples[i + 1] : NULL, .name = copy, .family = AF_INET6};
        memcpy(tuples[i].addr, found.addresses[i], 16);
    }
    if (*pat)
        **pat = tuples[0];
    else
        *pat = tuples;
    if (ttlp)
        *ttlp = 0;
    *h_errnop = NETDB_SUCCESS;
    return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_bypeer_gethostbyname3_r(const char *name, int af, struct hostent *host, char *buffer,
                                             size_t buflen, int *errnop, int *h_errnop, int32_t *ttlp, char **canonp)
{
    struct found found;
    enum nss_status status = find(name, af, &found, errnop, h_errnop);
    if (status != NSS_STATUS_SUCCESS)
        return status;
    char **list = carve(&buffer, &buflen, (found.count + 2) * sizeof(*list)); /* no aliases, and the addresses */
    char *addresses = list ? carve(&buffer, &buflen, (size_t)found.count * 16) : NULL;
    char *copy = addresses ? carve_copy(&buffer, &buflen, name) : NULL;
    if (!copy)
        return too_small(errnop, h_errnop);
    memcpy(addresses, found.addresses, (size_t)found.count * 16);
    list[0] = NULL;
    for (unsigned i = 0; i < found.count; i++)
        list[i + 1] = addresses + (size_t)i * 16;
    list[found.count + 1] = NULL;
    *host = (struct hostent){
        .h_name = copy, .h_aliases = list, .h_addrtype = AF_INET6, .h_length = 16, .h_addr_list = list + 1};
    if (ttlp)
        *ttlp = 0;
    if (canonp)
        *canonp = copy;
    *h_errnop = NETDB_SUCCESS;
    return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_bypeer_gethostbyname2_r(const char *name, int af, struct hostent *host, char *buffer,
                                             size_t buflen, int *errnop, int *h_errnop)
{
    return _nss_bypeer_gethostbyname3_r(name, af, host, buffer, buflen, errnop, h_errnop, NULL, NULL);
}

enum nss_status _nss_bypeer_gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t buflen,
                                            int *errnop, int *h_errnop)
{
    return _nss_bypeer_gethostbyname3_r(name, AF_INET, host, buffer, buflen, errnop, h_errnop, NULL, NULL);
}
