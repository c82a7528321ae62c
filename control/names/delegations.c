/*
 * Names that a certificate chain delegates, for other parts of the daemon: registered like publications, but without a
 * row in the database.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/names/state.h"
#include "overlay/profile/openssl.h"

static void delegations_free(struct names_publication *publication)
{
    bypeer_key_free(publication->key);
    free(publication->chain);
    free(publication);
}

void names_free_delegations(struct bypeer_names *names)
{
    while (names->delegated) {
        struct names_publication *next = names->delegated->next;
        delegations_free(names->delegated);
        names->delegated = next;
    }
}

int bypeer_names_delegate(struct bypeer_names *names, const struct bypeer_names_delegated *delegated,
                          struct bypeer_names_delegation **ret_delegation, struct bypeer_problem *problem)
{
    struct names_publication *publication = calloc(1, sizeof(*publication));
    if (publication)
        publication->chain = malloc(delegated->chain_bytes);
    /* A reference of this module's own: it is held until no thread can be signing with it. */
    if (!publication || !publication->chain ||
        bypeer_key_from_pair(&publication->key, delegated->profile, bypeer_key_pair(delegated->key)) < 0) {
        if (publication)
            delegations_free(publication);
        return bypeer_problem_no_memory(problem);
    }
    const unsigned room = sizeof(publication->stored.applications) / sizeof(publication->stored.applications[0]);
    struct bypeer_store_publication *stored = &publication->stored;
    publication->profile = delegated->profile;
    publication->name = *delegated->name;
    publication->chain_bytes = delegated->chain_bytes;
    memcpy(publication->chain, delegated->chain, delegated->chain_bytes);
    bypeer_name_write(delegated->name, stored->name);
    stored->follow = delegated->application_count == 0;
    stored->port = delegated->port;
    stored->protocol = IPPROTO_TCP;
    stored->application_count = delegated->application_count < room ? delegated->application_count : room;
    if (stored->application_count > 0)
        memcpy(stored->applications, delegated->applications,
               stored->application_count * sizeof(*stored->applications));
    publication->next = names->delegated;
    names->delegated = publication;
    for (struct bypeer_cloud *cloud = bypeer_names_first_cloud(names); cloud; cloud = bypeer_names_next_cloud(cloud))
        names_register_all(names, cloud);
    *ret_delegation = (struct bypeer_names_delegation *)publication;
    return 0;
}

void bypeer_names_withdraw(struct bypeer_names *names, struct bypeer_names_delegation *delegation)
{
    struct names_publication *publication = (struct names_publication *)delegation;
    publication->withdrawn = true;
    for (struct bypeer_cloud *cloud = names->clouds; cloud; cloud = cloud->next)
        if (!cloud->closing)
            names_unregister(publication, cloud);
}
