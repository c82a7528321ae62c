/*
 * Attributes of a record: an XML text that searches look into ([MS-PPGRH] 2.2.3.2).
 *
 *   <attributes><attribute name="Topic" type="string">chess</attribute> ... </attributes>
 *
 * A name has at most 40 characters of A-Z, a-z, 0-9 and may come several times; types are string, int (digits) and date
 * (ISO 8601). Six names are reserved for what a record has anyway: reserved_names in attributes.c.
 *
 * Texts are UTF-8. Ownership: what is read is one piece of memory; free() releases it. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYPEER_ATTRIBUTE_NAME_MAX 40
#define BYPEER_ATTRIBUTE_WHY      160
#define BYPEER_ATTRIBUTES_MAX     1024 /* of one record */

enum bypeer_attribute_type { BYPEER_ATTRIBUTE_STRING, BYPEER_ATTRIBUTE_INT, BYPEER_ATTRIBUTE_DATE };

struct bypeer_attribute {
    const char *name, *value;
    enum bypeer_attribute_type type;
};

struct bypeer_attributes {
    size_t count;
    struct bypeer_attribute at[];
};

/* 0; -EINVAL with one line in why that says what is wrong with it; -ENOMEM. */
int bypeer_attributes_read(struct bypeer_attributes **ret_attributes, const char *xml,
                           char why[static BYPEER_ATTRIBUTE_WHY]);

/* ISO 8601 as peer time: 2026-11-22, 2026-11-22T20:15:30[.123][Z|+01:00]; without a zone it is UTC. 0 or -EINVAL. */
int bypeer_date_read(uint64_t *ret_peer_time, const char *text);
