#include "control/dataplane/generation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

int bypeer_generation_create(struct bypeer_generation **ret_generation, uint64_t number, uint32_t layout,
                             const struct bypeer_tables_size *size, bool huge, struct bypeer_problem *problem)
{
    uint64_t bytes = bypeer_tables_bytes(size);
    if (bytes == 0)
        return bypeer_problem_set(problem, -EINVAL, "capacity",
                                  "tables\n%u members, %u links or %u prefixes are outside the limits\n"
                                  "see the limits with: bypeer config explain tables",
                                  size->destinations, size->links, size->prefixes);
    struct bypeer_generation *generation = calloc(1, sizeof(*generation));
    if (!generation)
        return bypeer_problem_set(problem, -ENOMEM, "memory", "tables\nno memory left\ngive the process more memory");
    *generation =
        (struct bypeer_generation){.number = number, .layout = layout, .size = *size, .memory = BYPEER_MEMORY_NONE};
    int result = bypeer_memory_create(&generation->memory, BYPEER_MEMORY_TABLES, "bypeer-tables", bytes, huge);
    if (result < 0) {
        bypeer_generation_free(generation);
        return bypeer_problem_set(problem, result, "memory",
                                  "tables\n%llu MiB for %u members cannot be had: %s\n"
                                  "lower tables.members, or give the machine more memory",
                                  (unsigned long long)(bytes >> 20), size->destinations, strerror(-result));
    }
    uint64_t seed;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        result = -EIO;
    if (result == 0)
        result = bypeer_writer_create(&generation->writer, generation->memory.base, generation->memory.bytes, size,
                                      layout, number, seed, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
    if (result < 0) {
        bypeer_generation_free(generation);
        return bypeer_problem_set(problem, result, "memory", "tables\ncannot be made: %s\nsee the log",
                                  strerror(-result));
    }
    bypeer_grace_init(&generation->grace, number);
    *ret_generation = generation;
    return 0;
}

void bypeer_generation_free(struct bypeer_generation *generation)
{
    if (!generation)
        return;
    bypeer_writer_free(generation->writer);
    bypeer_memory_free(&generation->memory);
    free(generation);
}

/* Doubles a count until it is enough. */
static uint32_t generation_enlarge(uint32_t count, uint32_t need, uint32_t limit)
{
    if (need <= count)
        return count;
    uint64_t larger = count > 0 ? count : 1;
    while (larger < need)
        larger *= 2;
    return larger > limit ? limit : (uint32_t)larger;
}

int bypeer_generation_grow(const struct bypeer_tables_size *size, const struct bypeer_tables_size *need,
                           uint32_t members_max, struct bypeer_tables_size *ret_size, struct bypeer_problem *problem)
{
    struct bypeer_tables_size larger = *size;
    larger.destinations = generation_enlarge(size->destinations, need->destinations, BYPEER_DESTINATIONS_MAX);
    larger.links = generation_enlarge(size->links, need->links, BYPEER_TABLES_IDS_MAX);
    larger.adjacencies = generation_enlarge(size->adjacencies, need->adjacencies, BYPEER_TABLES_IDS_MAX);
    larger.groups = generation_enlarge(size->groups, need->groups, BYPEER_TABLES_IDS_MAX);
    larger.prefixes = generation_enlarge(size->prefixes, need->prefixes, BYPEER_TABLES_IDS_MAX);
    const uint32_t sessions = bypeer_tables_sessions_for(larger.links);
    larger.sessions =
        generation_enlarge(size->sessions, need->sessions > sessions ? need->sessions : sessions, BYPEER_SESSIONS_MAX);
    larger.group_parts = generation_enlarge(size->group_parts, need->group_parts, BYPEER_GROUP_PARTS_MAX);
    larger.relays = generation_enlarge(size->relays, need->relays, BYPEER_RELAYS_MAX);
    if (need->destinations > members_max && need->destinations > size->destinations) {
        larger.destinations = generation_enlarge(members_max, need->destinations, BYPEER_DESTINATIONS_MAX);
        return bypeer_problem_set(problem, -ENOSPC, "capacity",
                                  "members\n%u are too many: tables.members-max is %u\n"
                                  "raise it and reload; tables for %u members take %llu MiB",
                                  need->destinations, members_max, larger.destinations,
                                  (unsigned long long)(bypeer_tables_bytes(&larger) >> 20));
    }
    if (larger.destinations > members_max && larger.destinations > size->destinations)
        larger.destinations = members_max > size->destinations ? members_max : size->destinations;
    *ret_size = larger;
    return 0;
}
