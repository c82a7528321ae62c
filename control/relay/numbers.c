#include <errno.h>
#include <stdlib.h>

#include "control/relay/state.h"

#define NUMBERS_BLOCK   256
#define NUMBERS_COUNTER "relay_numbers"

int relay_numbers_use(struct bypeer_store *store, uint32_t number, uint32_t *blocks, struct bypeer_problem *problem)
{
    while (number > (uint64_t)*blocks * NUMBERS_BLOCK) {
        uint64_t counted;
        int result = bypeer_store_count_up(store, NUMBERS_COUNTER, &counted, problem);
        if (result < 0)
            return result;
        *blocks = (uint32_t)counted;
    }
    return 0;
}

/* A counter only counts up: to read it, that is taken back. */
int relay_numbers_load(struct relay_numbers *numbers, struct bypeer_store *store, struct bypeer_problem *problem)
{
    uint64_t next = 1;
    int result = bypeer_store_begin(store, problem);
    if (result == 0)
        result = bypeer_store_count_up(store, NUMBERS_COUNTER, &next, problem);
    if (bypeer_store_end(store, result < 0 ? result : -ECANCELED, problem) != -ECANCELED)
        return result;
    numbers->blocks = (uint32_t)(next - 1);
    while (numbers->fresh <= (uint64_t)numbers->blocks * NUMBERS_BLOCK && numbers->fresh <= BYPEER_RELAY_PAIRS_MAX)
        relay_numbers_give(numbers, numbers->fresh++, true);
    return 0;
}

uint32_t relay_numbers_take(struct relay_numbers *numbers)
{
    if (numbers->ready_count > 0)
        return numbers->ready[--numbers->ready_count];
    return numbers->fresh <= BYPEER_RELAY_PAIRS_MAX ? numbers->fresh++ : 0;
}

static void numbers_push(uint32_t **list, uint32_t *count, uint32_t *room, uint32_t number)
{
    if (*count == *room) {
        uint32_t larger = *room ? *room * 2 : 64;
        uint32_t *grown = realloc(*list, larger * sizeof(*grown));
        if (!grown)
            return;
        *list = grown;
        *room = larger;
    }
    (*list)[(*count)++] = number;
}

void relay_numbers_give(struct relay_numbers *numbers, uint32_t number, bool waits)
{
    if (waits)
        numbers_push(&numbers->waiting, &numbers->waiting_count, &numbers->waiting_room, number);
    else
        numbers_push(&numbers->ready, &numbers->ready_count, &numbers->ready_room, number);
}

void relay_numbers_ripen(struct relay_numbers *numbers, uint32_t from)
{
    uint32_t kept = 0;
    for (uint32_t at = 0; at < numbers->waiting_count; at++) {
        if (numbers->waiting[at] < from)
            numbers->waiting[kept++] = numbers->waiting[at];
        else
            relay_numbers_give(numbers, numbers->waiting[at], false);
    }
    numbers->waiting_count = kept;
}

void relay_numbers_free(struct relay_numbers *numbers)
{
    free(numbers->ready);
    free(numbers->waiting);
    *numbers = (struct relay_numbers){0};
}
