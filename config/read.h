/*
 * From a document to a configuration: every value by its schema, defaults for the rest (read.c), then what the values
 * must be to each other (check.c).
 */
#pragma once

#include "config/document.h"
#include "config/schema.h"

/* Fills an all-zero config. What is wrong goes to the report; the value stays zero then. Returns 0 or -ENOMEM. */
int bypeer_config_read(struct bypeer_config *config, const struct bypeer_document *document,
                       struct bypeer_report *report);

/*
 * Names twice, links to no group, members outside their group's /48 and the like; values that failed to be read are
 * left out. Fills in the defaults that depend on other values. Returns 0 or -ENOMEM.
 */
int bypeer_config_check(struct bypeer_config *config, struct bypeer_report *report);
/* Line of a value, of its entry if it is a default. */
uint32_t bypeer_config_line(const struct bypeer_config *config, const char *section, uint32_t entry, const char *key);
