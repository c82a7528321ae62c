/*
 * Searches: an XML text that says which records are wanted; a function of the node, never on the wire.
 *
 *   <peersearch><and>
 *     <clause attrib="Topic" type="string" compare="equal">che*</clause>
 *     <or> <clause ...> ... </or>
 *   </and></peersearch>
 *
 * compare: equal (default), notequal, less, greater, lessorequal, greaterorequal. In a string's value "*" stands for
 * any characters and "?" for one; "\*", "\?" and "\\" for themselves. A clause holds if any attribute of that name and
 * type satisfies it; the reserved names stand for the record's own fields.
 *
 * Ownership: a search owns all of its own; bypeer_record_search_free(). Threads: a search is immutable.
 */
#pragma once

#include "overlay/graph/attributes.h"
#include "overlay/graph/record.h"

#define BYPEER_RECORD_SEARCH_DEPTH   16  /* clauses within and, or */
#define BYPEER_RECORD_SEARCH_CLAUSES 256 /* of one search, ands and ors with them */

struct bypeer_record_search;

/* 0; -EINVAL with one line in why that says what is wrong with it; -ENOMEM. */
int bypeer_record_search_read(struct bypeer_record_search **ret_search, const char *xml,
                              char why[static BYPEER_ATTRIBUTE_WHY]);
void bypeer_record_search_free(struct bypeer_record_search *search); /* NULL is fine */
bool bypeer_record_search_matches(const struct bypeer_record_search *search, const struct bypeer_record *record);
