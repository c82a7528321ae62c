/*
 * What is in effect, value by value with its origin; and what a key of the schema means.
 */
#pragma once

#include "config/schema.h"

#define BYPEER_SHOW_TEXT 8192 /* bytes that the text of any value takes, a list of 64 addresses included */

struct bypeer_show_value {
    const char *path;   /* "dataplane.workers", "links[0].peer" */
    const char *value;  /* as it could be written in the file; empty: nothing is set */
    const char *words;  /* for people, what nothing set means; NULL if value is not empty */
    const char *origin; /* "bypeer.yaml:14" or "default" */
    uint32_t line;      /* 0: default */
};

/* Tells every value in the order of the schema, until each() returns another than 0, which is returned. */
int bypeer_config_show(const struct bypeer_config *config, int (*each)(void *context, const struct bypeer_show_value *),
                       void *context);

/* The value of one key; structure: bypeer_config, or a list's entry. */
void bypeer_show_value(const struct bypeer_schema_key *key, const void *structure, char text[static BYPEER_SHOW_TEXT]);

/*
 * A text about a key ("links.peer", also as "links[0].peer"), a section ("links") or, if path is NULL or empty, all
 * of them. Returns 0 and the text, to be freed; -ENOENT with one that says so, and what may be meant; or -ENOMEM.
 */
int bypeer_config_explain(char **ret_text, const char *path);

/* For people: the values that a key takes ("10 to 2000"), and its default ("1500"; "required"). */
void bypeer_schema_range(const struct bypeer_schema_key *key, char text[static 256]);
const char *bypeer_schema_default(const struct bypeer_schema_key *key);
/* What a change of the value needs ("takes effect at a reload"). */
const char *bypeer_schema_change_text(enum bypeer_schema_change change);
