/*
 * Writing one array of the nearest-ID index: records one by one, then its trees and runs. names.h has the essay.
 * Thread: one per array.
 */
#pragma once

#include "overlay/tables/names_search.h"
#include "overlay/tables/writer.h"

/* How many entries of each section one array has. */
struct bypeer_names_room {
    uint32_t records, nodes, runs, extras, owns;
};
struct bypeer_names_room bypeer_names_delta_room(uint32_t names);

/* Entries of the sections of names, of which the others' counts are untouched. */
void bypeer_names_section_counts(uint32_t names, uint64_t counts[static BYPEER_TABLES_SECTIONS]);

/* An array while it is written. .first: where it begins in each section. */
struct bypeer_names_array {
    struct bypeer_names_view view;
    struct bypeer_names_room room, first, used;
    struct bypeer_name_part parts[BYPEER_CLOUDS_MAX];
    uint32_t number;
};

/* Array number of an index for so many names, whose sections view describes: empty. Nobody may read it. */
void bypeer_names_array_begin(struct bypeer_names_array *ret_array, const struct bypeer_names_view *view,
                              uint32_t names, uint32_t number);
/* The next record, ascending by cloud, then ID; more: its further addresses or NULL. Of .run, .extra and .dead what is
 * given is ignored. 0 or -ENOSPC. A record that finds no room for further addresses keeps its first. */
int bypeer_names_array_add(struct bypeer_names_array *array, uint32_t cloud, const struct bypeer_name_record *record,
                           const uint8_t (*more)[16]);
/* The own IDs of a cloud, ascending. 0 or -ENOSPC. */
int bypeer_names_array_own(struct bypeer_names_array *array, uint32_t cloud, const struct bypeer_name_own owns[],
                           uint32_t count);
/* Trees, runs and parts. */
void bypeer_names_array_finish(struct bypeer_names_array *array);
