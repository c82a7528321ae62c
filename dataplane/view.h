/*
 * What all workers look at now: the tables of one generation, and the sessions that they count in.
 *
 * A view never changes; another one takes its place. The workers load the pointer at the start of each walk, and
 * whoever swapped it frees the old one after a grace period (broker.h). There is always one, if only an empty one.
 *
 * Threads: the broker swaps, workers load, the main thread makes and frees.
 */
#pragma once

#include "overlay/tables/memory.h"
#include "overlay/tables/sessions.h"
#include "overlay/tables/tables.h"

struct bypeer_view {
    struct bypeer_tables tables; /* .header NULL: none yet */
    struct bypeer_memory tables_memory;
    struct bypeer_sessions sessions; /* .entries NULL: none yet */
    struct bypeer_memory sessions_memory;
};

/* Only rcu_dereference() and bypeer_view_swap() touch it. */
extern struct bypeer_view *bypeer_view_now;

/* Publishes next and returns the view before it, which readers may still use for one grace period. */
struct bypeer_view *bypeer_view_swap(struct bypeer_view *next);
