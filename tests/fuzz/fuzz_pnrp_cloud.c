/*
 * A node with a name and a resolve under way, among others that say anything at any time. The input is a list of
 * commands: time passes, a datagram comes, an answer to what the node sent last, a signature is ready.
 */
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/cloud.h"
#include "overlay/profile/key.h"

#define JOBS_MAX  128
#define BYTES_MAX (4u << 20) /* nothing that comes may make a node larger than this */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct bypeer_pnrp *pnrp;
    struct bypeer_pnrp_time now;
    struct bypeer_pnrp_endpoint asked; /* whom the last message went to */
    uint8_t message_id[4];             /* its ID */
    struct bypeer_pnrp_job *jobs[JOBS_MAX];
    unsigned job_count;
    uint64_t registration, resolve;
};

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t take(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

static void send(void *context, unsigned local, const struct bypeer_pnrp_endpoint *to, const uint8_t *bytes,
                 size_t length)
{
    struct world *world = context;
    if (local > 1 || length < BYPEER_PNRP_HEADER_BYTES || length > BYPEER_PNRP_DATAGRAM_MAX)
        abort();
    world->asked = *to;
    memcpy(world->message_id, bytes + 8, sizeof(world->message_id));
}

static bool job(void *context, struct bypeer_pnrp_job *work)
{
    struct world *world = context;
    if (world->job_count == JOBS_MAX)
        abort();
    world->jobs[world->job_count++] = work;
    return true;
}

static void found(void *context, uint64_t resolve, const struct bypeer_pnrp_found *what)
{
    (void)context;
    (void)resolve;
    if (strlen(what->comment) > 3 * BYPEER_COMMENT_MAX)
        abort();
}

static void finished(void *context, uint64_t resolve, int status)
{
    struct world *world = context;
    (void)status;
    if (world->resolve == resolve)
        world->resolve = 0;
}

static void unregistered(void *context, uint64_t registration)
{
    struct world *world = context;
    if (world->registration != registration)
        abort();
    world->registration = 0;
}

static const struct bypeer_pnrp_sink sink = {
    .send = send, .job = job, .found = found, .finished = finished, .unregistered = unregistered};

static struct bypeer_pnrp_endpoint endpoint(uint8_t number)
{
    struct bypeer_pnrp_endpoint made = {.address = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, number}, .port = 3541};
    made.address[15] = 1;
    return made;
}

static void publish(struct world *world, const struct bypeer_key *key)
{
    static const struct bypeer_application application = {.port = 80, .protocol = 6};
    struct bypeer_peer_name name;
    uint8_t id[32];
    char why[160];
    if (world->registration || bypeer_name_read(&name, "0.here", why) < 0)
        return;
    const struct bypeer_pnrp_registration given = {.name = &name,
                                                   .key = key,
                                                   .has_location = true,
                                                   .applications = &application,
                                                   .application_count = 1,
                                                   .follow_addresses = true,
                                                   .payload_type = BYPEER_PAYLOAD_BINARY,
                                                   .payload = (const uint8_t *)"payload",
                                                   .payload_bytes = 7};
    bypeer_pnrp_register(world->pnrp, world->now, &given, &world->registration, id);
}

static void resolve(struct world *world)
{
    struct bypeer_peer_name name;
    char why[160];
    if (world->resolve || bypeer_name_read(&name, "0.there", why) < 0)
        return;
    const struct bypeer_pnrp_query query = {.name = &name, .criterion = BYPEER_PNRP_ANY, .results_max = 2};
    bypeer_pnrp_resolve(world->pnrp, world->now, &query, &world->resolve);
}

/* A datagram; its header is put right, so that what comes after it is read. */
static void receive(struct world *world, struct input *input, bool is_answer)
{
    uint8_t bytes[BYPEER_PNRP_DATAGRAM_MAX];
    struct bypeer_pnrp_endpoint from = is_answer ? world->asked : endpoint(take(input));
    size_t length = (size_t)take(input) << 8 | take(input);
    length = length < input->left ? length : input->left;
    length = length < sizeof(bytes) ? length : sizeof(bytes);
    memcpy(bytes, input->at, length);
    input->at += length;
    input->left -= length;
    if (length >= 7)
        memcpy(bytes, (const uint8_t[]){0, 0x10, 0, 0x0c, 0x51, 5, 0}, 7);
    if (is_answer && length >= 20)
        memcpy(bytes + 16, world->message_id, 4);
    bypeer_pnrp_receive(world->pnrp, world->now, 0, &from, bytes, length);
}

static void finish_job(struct world *world, bool lie)
{
    if (world->job_count == 0)
        return;
    struct bypeer_pnrp_job *work = world->jobs[--world->job_count];
    bypeer_pnrp_job_run(work);
    /* No fuzzer guesses a signature. */
    if (lie)
        work->result = 0;
    bypeer_pnrp_job_done(world->pnrp, world->now, work);
}

static void pass(struct world *world, uint32_t ms)
{
    uint64_t until = world->now.ms + ms;
    for (unsigned turns = 0; bypeer_pnrp_deadline(world->pnrp) <= until && turns < 100; turns++) {
        uint64_t due = bypeer_pnrp_deadline(world->pnrp);
        world->now.ms = due > world->now.ms ? due : world->now.ms;
        bypeer_pnrp_tick(world->pnrp, world->now);
    }
    world->now.ms = until;
    world->now.unix_s += ms / 1000;
}

static void obey(struct world *world, struct input *input, const struct bypeer_key *key)
{
    const struct bypeer_pnrp_endpoint own[2] = {endpoint(200), endpoint(201)};
    uint8_t command = take(input);
    switch (command % 8) {
    case 0:
        pass(world, 100u * take(input));
        break;
    case 1:
    case 2:
        receive(world, input, false);
        break;
    case 3:
        receive(world, input, true);
        break;
    case 4:
        finish_job(world, command & 0x80);
        break;
    case 5:
        resolve(world);
        break;
    case 6:
        if (command & 0x80)
            bypeer_pnrp_unregister(world->pnrp, world->now, world->registration);
        publish(world, key);
        break;
    default:
        bypeer_pnrp_set_endpoints(world->pnrp, world->now, own, (command >> 6) % 3);
        break;
    }
    if (bypeer_pnrp_bytes(world->pnrp) > BYTES_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bypeer_key *key;
    struct world world = {.now = {.ms = 1000, .unix_s = 1800000000}};
    struct input input = {data, size};
    const struct bypeer_pnrp_endpoint seed = endpoint(1), own = endpoint(200);
    const struct bypeer_profile *profile = bypeer_profile(BYPEER_PROFILE_MODERN);
    const struct bypeer_pnrp_settings settings = {.profile = profile,
                                                  .scope = BYPEER_SCOPE_GLOBAL,
                                                  .sink = &sink,
                                                  .sink_context = &world,
                                                  .seeds = &seed,
                                                  .seed_count = 1};
    if (!key && bypeer_key_generate(&key, profile) < 0)
        return 0;
    if (bypeer_pnrp_create(&world.pnrp, &settings, world.now) < 0)
        return 0;
    bypeer_pnrp_set_endpoints(world.pnrp, world.now, &own, 1);
    publish(&world, key);
    resolve(&world);
    while (input.left > 0)
        obey(&world, &input, key);
    while (world.job_count > 0)
        finish_job(&world, false);
    bypeer_pnrp_free(world.pnrp);
    return 0;
}
