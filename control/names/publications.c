/*
 * What is published: in the database, and registered in each cloud where it belongs.
 *
 * A name is published once its row is committed; its registrations, which come before, are taken back if that fails.
 * One that is missing for want of an address is made when there is one. The lower half of each PNRP ID is kept, too, so
 * that a registration has the same ID after a restart, and whoever remembers it finds it again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/identity/identities.h"
#include "control/names/state.h"

#define COMMENT_UNITS 39 /* UTF-16, [MS-PNRP] 2.2.3.1 */

/* --- identities --- */

int bypeer_names_authority(struct bypeer_names *names, const struct bypeer_profile *profile,
                           uint8_t ret_authority[static 20], struct bypeer_problem *problem)
{
    const struct bypeer_identity *identity =
        bypeer_identities_default(names->node->identities, profile, true, (uint64_t)time(NULL), problem);
    if (!identity)
        return -ENOENT;
    memcpy(ret_authority, identity->name.authority, sizeof(identity->name.authority));
    return 0;
}

/* Who a registration in a cloud of this profile is signed by; NULL: the name is not of this profile, or nobody's here.
 * An unsecured name is signed, too, by the default identity. */
static const struct bypeer_identity *
publications_identity(struct bypeer_names *names, const struct bypeer_peer_name *name, enum bypeer_profile_id id)
{
    const struct bypeer_profile *profile = bypeer_profile(id);
    return name->secure ? bypeer_identities_of(names->node->identities, profile, name->authority)
                        : bypeer_identities_default(names->node->identities, profile, true, (uint64_t)time(NULL), NULL);
}

/* Key and chain of a registration; false: there is none in this profile. */
static bool publications_sign(struct bypeer_names *names, const struct names_publication *publication,
                              enum bypeer_profile_id id, struct bypeer_pnrp_registration *registration)
{
    if (publication->profile) {
        registration->key = publication->key;
        registration->chain = publication->chain;
        registration->chain_bytes = publication->chain_bytes;
        return publication->profile->id == id;
    }
    const struct bypeer_identity *identity = publications_identity(names, &publication->name, id);
    if (!identity)
        return false;
    registration->key = identity->key;
    if (publication->name.secure && identity->delegation)
        registration->chain = bypeer_chain_bag(identity->delegation, &registration->chain_bytes);
    return true;
}

static bool publications_is_of(const struct names_publication *publication, const struct bypeer_identity *identity)
{
    return !publication->name.secure ||
           memcmp(publication->name.authority, identity->name.authority, sizeof(identity->name.authority)) == 0;
}

/* Another key signs from now on: what the old one signed is registered anew. */
static void names_on_identity(void *context, const struct bypeer_identity *identity)
{
    struct bypeer_names *names = context;
    for (struct bypeer_cloud *cloud = names->clouds; cloud; cloud = cloud->next) {
        if (cloud->closing || bypeer_cloud_profile(&cloud->config) != identity->profile)
            continue;
        for (struct names_publication *each = names->publications; each; each = each->next)
            if (publications_is_of(each, identity))
                names_unregister(each, cloud);
        names_register_all(names, cloud);
    }
}

static int names_may_delete_identity(void *context, const struct bypeer_identity *identity,
                                     struct bypeer_problem *problem)
{
    const struct bypeer_names *names = context;
    for (const struct names_publication *each = names->publications; each; each = each->next)
        if (each->name.secure && publications_is_of(each, identity))
            return bypeer_problem_set(problem, -EBUSY, "identity_in_use",
                                      "identity %.60s\nhas published %.90s\nunpublish that first", identity->name_text,
                                      each->stored.name);
    return 0;
}

void names_follow_identities(struct bypeer_names *names)
{
    const struct bypeer_identities_guard guard = {
        .context = names, .may_delete = names_may_delete_identity, .changed = names_on_identity};
    bypeer_identities_guard(names->node->identities, &guard);
}

/* --- checks --- */

static unsigned publications_utf16_units(const char *text)
{
    unsigned units = 0;
    for (; *text; text++)
        units += ((unsigned char)*text & 0xc0) == 0x80 ? 0 : (unsigned char)*text >= 0xf0 ? 2 : 1;
    return units;
}

static int publications_check(const struct bypeer_store_publication *publication, struct bypeer_problem *problem)
{
    if (publications_utf16_units(publication->comment) > COMMENT_UNITS)
        return bypeer_problem_set(problem, -EINVAL, "bad_comment", "comment\nis too long\nuse at most %u characters",
                                  COMMENT_UNITS);
    if (!publication->follow && publication->application_count == 0 && publication->payload_bytes == 0)
        return bypeer_problem_set(problem, -EINVAL, "nothing_to_publish",
                                  "name %.100s\nhas neither endpoint nor payload\ngive one of them", publication->name);
    return 0;
}

/* Whether a name is in a list of lines; the empty list has all. */
static bool publications_is_in(const char *clouds, const char *name)
{
    const size_t length = strlen(name);
    if (clouds[0] == '\0')
        return true;
    for (const char *line = clouds; *line; line += strcspn(line, "\n"), line += *line ? 1 : 0)
        if (strncmp(line, name, length) == 0 && (line[length] == '\n' || line[length] == '\0'))
            return true;
    return false;
}

static bool publications_belongs(const struct names_publication *publication, const struct bypeer_cloud *cloud)
{
    return !cloud->leaving && !cloud->closing && publications_is_in(publication->stored.clouds, cloud->config.name);
}

/* --- registrations --- */

static void publications_contents(const struct names_publication *publication, struct bypeer_application *own,
                                  struct bypeer_pnrp_registration *ret_registration)
{
    const struct bypeer_store_publication *stored = &publication->stored;
    *own = (struct bypeer_application){.port = stored->port, .protocol = stored->protocol};
    *ret_registration = (struct bypeer_pnrp_registration){
        .name = &publication->name,
        .has_prefix = stored->has_prefix,
        .comment = stored->comment[0] != '\0' ? stored->comment : NULL,
        .applications = stored->follow ? own : stored->applications,
        .application_count = stored->follow ? 1 : stored->application_count,
        .follow_addresses = stored->follow,
        .payload_type = stored->payload_type,
        .payload = stored->payload,
        .payload_bytes = stored->payload_bytes,
    };
    memcpy(ret_registration->prefix, stored->prefix, sizeof(stored->prefix));
}

/* Registers in one cloud. 0, also if it must wait for an address or is of another profile; or negative errno. */
static int publications_register(struct bypeer_names *names, struct names_publication *publication,
                                 struct bypeer_cloud *cloud)
{
    struct bypeer_pnrp_registration registration;
    struct bypeer_application own;
    uint64_t handle;
    uint8_t id[32];
    if (publication->registrations[cloud->number].handle != 0 || cloud->endpoint_count == 0)
        return 0;
    publications_contents(publication, &own, &registration);
    if (!publications_sign(names, publication, bypeer_cloud_profile(&cloud->config)->id, &registration))
        return 0;
    registration.has_location =
        !publication->profile && bypeer_store_find_location(names->node->store, publication->stored.name,
                                                            cloud->config.name, registration.location, NULL) == 1;
    int result = bypeer_pnrp_register(cloud->pnrp, bypeer_cloud_now(), &registration, &handle, id);
    bypeer_cloud_touched(cloud);
    if (result < 0)
        return result;
    publication->registrations[cloud->number].handle = handle;
    memcpy(publication->registrations[cloud->number].id, id, sizeof(id));
    publication->registrations[cloud->number].is_located =
        registration.has_location && memcmp(registration.location, id + 16, sizeof(registration.location)) == 0;
    return 0;
}

void names_unregister(struct names_publication *publication, struct bypeer_cloud *cloud)
{
    uint64_t handle = publication->registrations[cloud->number].handle;
    publication->registrations[cloud->number].handle = 0;
    if (handle == 0)
        return;
    cloud->unregistering++;
    if (bypeer_pnrp_unregister(cloud->pnrp, bypeer_cloud_now(), handle) < 0)
        cloud->unregistering--;
    bypeer_cloud_touched(cloud);
}

static bool publications_lacks_location(const struct names_publication *publication, const struct bypeer_cloud *cloud)
{
    return publication->registrations[cloud->number].handle != 0 &&
           !publication->registrations[cloud->number].is_located;
}

/* The lower halves of the IDs that the database does not have, within a transaction. */
static int publications_store_locations(struct bypeer_names *names, const struct names_publication *publication,
                                        struct bypeer_problem *problem)
{
    int result = 0;
    for (const struct bypeer_cloud *cloud = names->clouds; cloud && result == 0; cloud = cloud->next)
        if (publications_lacks_location(publication, cloud))
            result = bypeer_store_put_location(names->node->store, publication->stored.name, cloud->config.name,
                                               publication->registrations[cloud->number].id + 16, problem);
    return result;
}

/* That transaction is committed. */
static void publications_set_located(struct names_publication *publication)
{
    for (unsigned number = 1; number <= NAMES_CLOUDS_MAX; number++)
        publication->registrations[number].is_located = publication->registrations[number].handle != 0;
}

/* One transaction for all: each waits for the disk, and the loop with it. */
static void publications_store_all_locations(struct bypeer_names *names)
{
    struct bypeer_store *store = names->node->store;
    int result = bypeer_store_begin(store, NULL);
    for (const struct names_publication *each = names->publications; each && result == 0; each = each->next)
        result = publications_store_locations(names, each, NULL);
    if (bypeer_store_end(store, result, NULL) < 0)
        return;
    for (struct names_publication *each = names->publications; each; each = each->next)
        publications_set_located(each);
}

static void publications_try(struct bypeer_names *names, struct names_publication *publication,
                             struct bypeer_cloud *cloud)
{
    int result = publications_belongs(publication, cloud) ? publications_register(names, publication, cloud) : 0;
    if (result < 0)
        bypeer_log_limited(&cloud->log_limit, BYPEER_LOG_WARNING, "cloud %s: %s cannot be registered now: %s",
                           cloud->config.name, publication->stored.name, strerror(-result));
}

void names_register_all(struct bypeer_names *names, struct bypeer_cloud *cloud)
{
    bool lacking = false;
    for (struct names_publication *publication = names->publications; publication; publication = publication->next) {
        publications_try(names, publication, cloud);
        lacking = lacking || publications_lacks_location(publication, cloud);
    }
    for (struct names_publication *publication = names->delegated; publication; publication = publication->next)
        if (!publication->withdrawn)
            publications_try(names, publication, cloud);
    if (lacking)
        publications_store_all_locations(names);
}

void names_unregister_all(struct bypeer_names *names, struct bypeer_cloud *cloud)
{
    for (struct names_publication *publication = names->publications; publication; publication = publication->next)
        names_unregister(publication, cloud);
    for (struct names_publication *publication = names->delegated; publication; publication = publication->next)
        names_unregister(publication, cloud);
}

void names_forget_cloud(struct bypeer_names *names, const struct bypeer_cloud *cloud)
{
    for (struct names_publication *publication = names->publications; publication; publication = publication->next)
        publication->registrations[cloud->number].handle = 0;
    for (struct names_publication *publication = names->delegated; publication; publication = publication->next)
        publication->registrations[cloud->number].handle = 0;
}

/* --- the list --- */

static struct names_publication **publications_find(struct bypeer_names *names, const char *name)
{
    struct names_publication **link = &names->publications;
    while (*link && strcmp((*link)->stored.name, name) != 0)
        link = &(*link)->next;
    return link;
}

static int publications_refuse_missing(const char *name, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, -ENOENT, "not_published",
                              "name %.100s\nis not published here\nlist what is with: bypeer name list", name);
}

static int names_on_stored(void *context, const struct bypeer_store_publication *stored)
{
    struct bypeer_names *names = context;
    char why[160];
    struct names_publication *publication = calloc(1, sizeof(*publication));
    if (!publication)
        return -ENOMEM;
    publication->stored = *stored;
    if (bypeer_name_read(&publication->name, stored->name, why) < 0) {
        bypeer_log(BYPEER_LOG_WARNING, "kept in the database but not published: %s: %s", stored->name, why);
        free(publication);
        return 0;
    }
    *publications_find(names, stored->name) = publication;
    names->publication_count++;
    return 0;
}

int names_load(struct bypeer_names *names, struct bypeer_problem *problem)
{
    int result = bypeer_store_each_publication(names->node->store, names_on_stored, names, problem);
    return result == -ENOMEM ? bypeer_problem_no_memory(problem) : result;
}

void names_free_publications(struct bypeer_names *names)
{
    while (names->publications) {
        struct names_publication *next = names->publications->next;
        free(names->publications);
        names->publications = next;
    }
}

void bypeer_names_each(const struct bypeer_names *names,
                       void (*visit)(void *context, const struct bypeer_store_publication *publication,
                                     const struct bypeer_cloud *cloud, const uint8_t *id),
                       void *context)
{
    for (const struct names_publication *publication = names->publications; publication;
         publication = publication->next)
        for (const struct bypeer_cloud *cloud = names->clouds; cloud; cloud = cloud->next)
            if (publications_belongs(publication, cloud))
                visit(context, &publication->stored, cloud,
                      publication->registrations[cloud->number].handle != 0
                          ? publication->registrations[cloud->number].id
                          : NULL);
}

/* --- changes --- */

static int publications_refuse_cloud(const char *name, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, -ENOENT, "no_such_cloud",
                              "cloud \"%.64s\"\ndoes not exist\nlist the clouds with: bypeer cloud list", name);
}

/* Whether the name can be registered in some cloud at all: there is one of its profile, and the key. */
static int publications_check_clouds(struct bypeer_names *names, const struct names_publication *publication,
                                     struct bypeer_problem *problem)
{
    unsigned clouds = 0, signers = 0;
    for (const char *line = publication->stored.clouds; *line; line += strcspn(line, "\n"), line += *line ? 1 : 0) {
        char name[64] = "";
        size_t length = strcspn(line, "\n");
        memcpy(name, line, length < sizeof(name) ? length : sizeof(name) - 1);
        if (!bypeer_names_find_cloud(names, name))
            return publications_refuse_cloud(name, problem);
    }
    for (const struct bypeer_cloud *cloud = names->clouds; cloud; cloud = cloud->next) {
        if (!publications_belongs(publication, cloud))
            continue;
        clouds++;
        signers +=
            publications_identity(names, &publication->name, bypeer_cloud_profile(&cloud->config)->id) != NULL ? 1 : 0;
    }
    if (clouds == 0)
        return bypeer_problem_set(problem, -ENOENT, "no_cloud",
                                  "names\nare in no cloud\nadd one to clouds: in the configuration and reload");
    if (signers == 0)
        return bypeer_problem_set(problem, -ENOENT, "no_such_identity",
                                  "name %.100s\nis secure, and its key is not this node's in any of these clouds\n"
                                  "publish a classifier instead, under this node's own identity",
                                  publication->stored.name);
    return 0;
}

/* A transaction around the row of a publication and its locations. */
static int publications_store(struct bypeer_names *names, struct names_publication *publication,
                              struct bypeer_problem *problem)
{
    struct bypeer_store *store = names->node->store;
    int result = bypeer_store_begin(store, problem);
    if (result == 0)
        result = bypeer_store_put_publication(store, &publication->stored, problem);
    if (result == 0)
        result = publications_store_locations(names, publication, problem);
    result = bypeer_store_end(store, result, problem);
    if (result == 0)
        publications_set_located(publication);
    return result;
}

static int publications_begin(struct bypeer_names *names, struct names_publication *publication,
                              struct bypeer_problem *problem)
{
    int result = publications_check_clouds(names, publication, problem);
    for (struct bypeer_cloud *cloud = names->clouds; cloud && result == 0; cloud = cloud->next) {
        if (!publications_belongs(publication, cloud))
            continue;
        result = publications_register(names, publication, cloud);
        if (result < 0)
            bypeer_problem_set(problem, result, "not_registered",
                               "name %.80s\ncannot be registered in cloud %s: %s\ncheck endpoints, comment and payload",
                               publication->stored.name, cloud->config.name, strerror(-result));
    }
    if (result == 0)
        result = publications_store(names, publication, problem);
    if (result < 0)
        for (struct bypeer_cloud *cloud = names->clouds; cloud; cloud = cloud->next)
            names_unregister(publication, cloud);
    return result;
}

int bypeer_names_publish(struct bypeer_names *names, const struct bypeer_store_publication *wanted,
                         struct bypeer_problem *problem)
{
    char why[160];
    int result = publications_check(wanted, problem);
    if (result < 0)
        return result;
    struct names_publication **link = publications_find(names, wanted->name);
    if (*link)
        return bypeer_problem_set(problem, -EEXIST, "name_exists",
                                  "name %.100s\nis published already\nupdate it, or unpublish it first", wanted->name);
    if (names->publication_count >= BYPEER_PUBLICATIONS_MAX)
        return bypeer_problem_set(problem, -ENOSPC, "too_many_names",
                                  "names\n%u are published, which is the most\nunpublish some",
                                  names->publication_count);
    struct names_publication *publication = calloc(1, sizeof(*publication));
    if (!publication)
        return bypeer_problem_no_memory(problem);
    publication->stored = *wanted;
    if (bypeer_name_read(&publication->name, wanted->name, why) < 0)
        result =
            bypeer_problem_set(problem, -EINVAL, "bad_name", "name %.100s\n%s\nsee bypeer-api(7)", wanted->name, why);
    if (result == 0)
        result = publications_begin(names, publication, problem);
    if (result < 0) {
        free(publication);
        return result;
    }
    *link = publication;
    names->publication_count++;
    return 0;
}

/* What resolvers get in every cloud from now on; the first error of one ends it. */
static int publications_apply(struct bypeer_names *names, const struct names_publication *publication)
{
    struct bypeer_pnrp_registration contents;
    struct bypeer_application own;
    int result = 0;
    publications_contents(publication, &own, &contents);
    for (struct bypeer_cloud *cloud = names->clouds; cloud && result == 0; cloud = cloud->next) {
        uint64_t handle = publication->registrations[cloud->number].handle;
        if (handle == 0)
            continue;
        result = bypeer_pnrp_update(cloud->pnrp, handle, &contents);
        bypeer_cloud_touched(cloud);
    }
    return result;
}

int bypeer_names_update(struct bypeer_names *names, const struct bypeer_store_publication *wanted,
                        struct bypeer_problem *problem)
{
    struct names_publication *publication = *publications_find(names, wanted->name);
    if (!publication)
        return publications_refuse_missing(wanted->name, problem);
    int result = publications_check(wanted, problem);
    if (result < 0)
        return result;
    struct bypeer_store_publication before = publication->stored;
    publication->stored = *wanted;
    memcpy(publication->stored.clouds, before.clouds, sizeof(before.clouds));
    result = publications_apply(names, publication);
    if (result < 0)
        bypeer_problem_set(problem, result, "not_registered",
                           "name %.80s\ncannot be updated: %s\ncheck endpoints, comment and payload",
                           publication->stored.name, strerror(-result));
    else
        result = publications_store(names, publication, problem);
    if (result == 0)
        return 0;
    publication->stored = before;
    publications_apply(names, publication);
    return result;
}

/* Takes clouds out of a list of lines, all if count is 0. Returns how many were in it. */
static int publications_take_out(char *lines, const char *const clouds[], unsigned count)
{
    char *end = lines;
    int taken = 0;
    for (const char *line = lines, *next; *line; line = next) {
        const size_t length = strcspn(line, "\n");
        bool stays = count > 0;
        next = line + length + (line[length] == '\n' ? 1 : 0);
        for (unsigned at = 0; at < count && stays; at++)
            stays = strlen(clouds[at]) != length || memcmp(clouds[at], line, length) != 0;
        taken += stays ? 0 : 1;
        if (!stays)
            continue;
        memmove(end, line, (size_t)(next - line));
        end += next - line;
    }
    *end = '\0';
    return taken;
}

/* The clouds that remain when some are taken out, of those that it was published in by name, else of all that are open;
 * "": none does. Returns how many are taken out. */
static int publications_remaining(const struct bypeer_names *names, const struct names_publication *publication,
                                  const char *const clouds[], unsigned count,
                                  char ret_clouds[static BYPEER_STORE_CLOUDS_TEXT])
{
    size_t length = 0;
    memcpy(ret_clouds, publication->stored.clouds, BYPEER_STORE_CLOUDS_TEXT);
    for (const struct bypeer_cloud *cloud = names->clouds; cloud; cloud = cloud->next)
        if (publication->stored.clouds[0] == '\0' && publications_belongs(publication, cloud))
            length +=
                (size_t)snprintf(ret_clouds + length, BYPEER_STORE_CLOUDS_TEXT - length, "%s\n", cloud->config.name);
    return publications_take_out(ret_clouds, clouds, count);
}

int bypeer_names_unpublish(struct bypeer_names *names, const char *name, const char *const clouds[], unsigned count,
                           struct bypeer_problem *problem)
{
    struct names_publication **link = publications_find(names, name), *publication = *link;
    struct bypeer_store *store = names->node->store;
    if (!publication)
        return publications_refuse_missing(name, problem);
    for (unsigned at = 0; at < count; at++)
        if (!bypeer_names_find_cloud(names, clouds[at]))
            return publications_refuse_cloud(clouds[at], problem);
    struct bypeer_store_publication rest = publication->stored;
    int removed = publications_remaining(names, publication, clouds, count, rest.clouds);
    if (count > 0 && removed == 0)
        return 0;
    int result = bypeer_store_begin(store, problem);
    if (result == 0)
        result = rest.clouds[0] != '\0' ? bypeer_store_put_publication(store, &rest, problem)
                                        : bypeer_store_remove_publication(store, name, problem);
    result = bypeer_store_end(store, result, problem);
    if (result < 0)
        return result;
    for (struct bypeer_cloud *cloud = names->clouds; cloud; cloud = cloud->next)
        if (publications_belongs(publication, cloud) &&
            (rest.clouds[0] == '\0' || !publications_is_in(rest.clouds, cloud->config.name)))
            names_unregister(publication, cloud);
    if (rest.clouds[0] != '\0') {
        publication->stored = rest;
        return removed;
    }
    *link = publication->next;
    free(publication);
    names->publication_count--;
    return removed;
}
