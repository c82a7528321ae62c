/*
 * Addresses of host names below pnrp.net, for programs that know no peer names: what NSS (nss.h) and DNS (dns.h) share.
 *
 *   "server.p4562b46...7c7263.pnrp.net" -- peer name -- resolve -- addresses of the applications that are fit to give
 *
 * Fit is what a program on any machine may connect to: no loopback, link-local or multicast address, and no IPv4 in
 * IPv6's clothes, behind which loopback could hide. The first registration with such an address is the answer, in any
 * cloud. Unsecured names, which anybody may publish, are unknown here unless they were allowed.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include "control/names/names.h"

#define BYPEER_HOSTS_ADDRESSES     BYPEER_CPA_APPLICATIONS_MAX /* of one answer; each once */
#define BYPEER_HOSTS_QUESTIONS_MAX 256                         /* at once; one more is BYPEER_HOSTS_FAILED */
#define BYPEER_HOSTS_DNS_MAX       128                         /* of these by DNS, which the network may ask */
#define BYPEER_HOSTS_TIMEOUT_MS    2800                        /* a program waits 3 s (NSS), a DNS client 5 s */

enum bypeer_hosts_asker { BYPEER_HOSTS_NSS, BYPEER_HOSTS_DNS };

enum bypeer_hosts_outcome {
    BYPEER_HOSTS_LATER,   /* done() will tell */
    BYPEER_HOSTS_FOUND,   /* with addresses */
    BYPEER_HOSTS_NONE,    /* the name is there, without an address that is fit */
    BYPEER_HOSTS_UNKNOWN, /* nobody has it, or it is no name, or an unsecured one */
    BYPEER_HOSTS_FOREIGN, /* it is not below pnrp.net */
    BYPEER_HOSTS_FAILED,  /* nobody can tell: no network, nobody answered, or too many questions at once */
};

/* How names are resolved: bypeer_names_resolve() and bypeer_names_cancel(), or a test's own. */
struct bypeer_hosts_resolver {
    struct bypeer_names *names;
    int (*resolve)(struct bypeer_names *names, const struct bypeer_names_query *query,
                   const struct bypeer_names_callbacks *callbacks, void *context,
                   struct bypeer_names_resolve **ret_resolve, struct bypeer_problem *problem);
    void (*cancel)(struct bypeer_names_resolve *resolve);
};

struct bypeer_hosts {
    struct bypeer_hosts_resolver resolver;
    bool unsecured;         /* such names are answered, too; may change at any time */
    unsigned questions;     /* under way */
    unsigned dns_questions; /* of these, asked by DNS */
};

struct bypeer_hosts_question; /* one, until done() or bypeer_hosts_cancel() */

typedef void (*bypeer_hosts_done)(void *context, enum bypeer_hosts_outcome outcome, const uint8_t (*addresses)[16],
                                  unsigned count);

/*
 * Asks for a name. With BYPEER_HOSTS_LATER *ret_question is set and done() comes from the loop; any other outcome
 * (never BYPEER_HOSTS_FOUND) is the answer at once. hosts must outlive the question.
 */
enum bypeer_hosts_outcome bypeer_hosts_ask(struct bypeer_hosts *hosts, enum bypeer_hosts_asker asker, const char *host,
                                           bypeer_hosts_done done, void *context,
                                           struct bypeer_hosts_question **ret_question);
/* done() comes no more. */
void bypeer_hosts_cancel(struct bypeer_hosts_question *question);
