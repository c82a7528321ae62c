#include "control/names/hosts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/ip/ipv6.h"

#define REGISTRATIONS 8 /* of one name that are looked at for an address that is fit */

struct bypeer_hosts_question {
    struct bypeer_hosts *hosts;
    struct bypeer_names_resolve *resolve;
    enum bypeer_hosts_asker asker;
    bypeer_hosts_done done;
    void *context;
    bool found; /* a registration, if not an address */
};

static bool address_is_fit(const uint8_t address[static 16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291, 2.5.5.2 */
    static const uint8_t compatible[12] = {0};                    /* 2.5.5.1 */
    return bypeer_ipv6_is_routable(address) && memcmp(address, mapped, 12) != 0 && memcmp(address, compatible, 12) != 0;
}

static unsigned addresses_collect(const struct bypeer_pnrp_found *found, uint8_t (*ret_addresses)[16])
{
    unsigned count = 0;
    for (unsigned at = 0; at < found->application_count && count < BYPEER_HOSTS_ADDRESSES; at++) {
        const uint8_t *address = found->applications[at].address;
        bool again = false;
        for (unsigned i = 0; i < count; i++)
            again = again || bypeer_ipv6_is_same(ret_addresses[i], address);
        if (!again && address_is_fit(address))
            memcpy(ret_addresses[count++], address, 16);
    }
    return count;
}

static void question_free(struct bypeer_hosts_question *question)
{
    question->hosts->questions--;
    question->hosts->dns_questions -= question->asker == BYPEER_HOSTS_DNS;
    free(question);
}

static void question_end(struct bypeer_hosts_question *question, enum bypeer_hosts_outcome outcome,
                         const uint8_t (*addresses)[16], unsigned count)
{
    bypeer_hosts_done done = question->done;
    void *context = question->context;
    question_free(question);
    done(context, outcome, addresses, count);
}

static void question_on_found(void *context, const char *cloud, const struct bypeer_pnrp_found *found)
{
    (void)cloud;
    struct bypeer_hosts_question *question = context;
    uint8_t addresses[BYPEER_HOSTS_ADDRESSES][16];
    unsigned count = addresses_collect(found, addresses);
    question->found = true;
    if (count == 0)
        return;
    question->hosts->resolver.cancel(question->resolve);
    question_end(question, BYPEER_HOSTS_FOUND, (const uint8_t(*)[16])addresses, count);
}

static void question_on_finished(void *context, int status)
{
    struct bypeer_hosts_question *question = context;
    enum bypeer_hosts_outcome outcome = BYPEER_HOSTS_FAILED;
    if (question->found)
        outcome = BYPEER_HOSTS_NONE;
    else if (status == 0 || status == -ENOENT)
        outcome = BYPEER_HOSTS_UNKNOWN;
    question_end(question, outcome, NULL, 0);
}

/* The names below a secure name's authority make its label a node of the DNS tree, with nothing at it (RFC 8020). */
static bool host_is_authority(const char *host)
{
    char below[BYPEER_HOST_NAME_MAX + 2];
    char why[160];
    struct bypeer_peer_name name;
    snprintf(below, sizeof(below), "p.%s", host);
    return bypeer_host_name_read(&name, below, why) == 0 && name.secure;
}

static bool hosts_have_room(const struct bypeer_hosts *hosts, enum bypeer_hosts_asker asker)
{
    return hosts->questions < BYPEER_HOSTS_QUESTIONS_MAX &&
           (asker != BYPEER_HOSTS_DNS || hosts->dns_questions < BYPEER_HOSTS_DNS_MAX);
}

enum bypeer_hosts_outcome bypeer_hosts_ask(struct bypeer_hosts *hosts, enum bypeer_hosts_asker asker, const char *host,
                                           bypeer_hosts_done done, void *context,
                                           struct bypeer_hosts_question **ret_question)
{
    static const struct bypeer_names_callbacks callbacks = {.found = question_on_found,
                                                            .finished = question_on_finished};
    struct bypeer_peer_name name;
    char why[160];
    int result = bypeer_host_name_read(&name, host, why);
    if (result == -ENOENT)
        return BYPEER_HOSTS_FOREIGN;
    if (result < 0 && host_is_authority(host))
        return BYPEER_HOSTS_NONE;
    if (result < 0 || (!name.secure && !hosts->unsecured))
        return BYPEER_HOSTS_UNKNOWN;
    struct bypeer_hosts_question *question = hosts_have_room(hosts, asker) ? calloc(1, sizeof(*question)) : NULL;
    if (!question)
        return BYPEER_HOSTS_FAILED;
    *question = (struct bypeer_hosts_question){.hosts = hosts, .asker = asker, .done = done, .context = context};
    struct bypeer_names_query query = {
        .name = &name,
        .criterion = BYPEER_PNRP_ANY,
        .results_max = REGISTRATIONS,
        .timeout_ms = BYPEER_HOSTS_TIMEOUT_MS,
        .own = true,
    };
    result = hosts->resolver.resolve(hosts->resolver.names, &query, &callbacks, question, &question->resolve, NULL);
    if (result < 0) {
        free(question);
        return result == -ENOENT ? BYPEER_HOSTS_UNKNOWN : BYPEER_HOSTS_FAILED;
    }
    hosts->questions++;
    hosts->dns_questions += asker == BYPEER_HOSTS_DNS;
    *ret_question = question;
    return BYPEER_HOSTS_LATER;
}

void bypeer_hosts_cancel(struct bypeer_hosts_question *question)
{
    question->hosts->resolver.cancel(question->resolve);
    question_free(question);
}
