#include <errno.h>
#include <string.h>

#include "config/schema.h"

bool bypeer_schema_is_list(enum bypeer_schema_type type)
{
    return type == BYPEER_SCHEMA_NUMBERS || type == BYPEER_SCHEMA_INTERFACE || type == BYPEER_SCHEMA_ADDRESSES ||
           type == BYPEER_SCHEMA_ENDPOINTS || type == BYPEER_SCHEMA_UNDERLAYS;
}

int bypeer_schema_find_section(const char *name)
{
    for (int i = 0; i < BYPEER_CONFIG_SECTIONS; i++)
        if (strcmp(bypeer_schema[i].name, name) == 0)
            return i;
    return -ENOENT;
}

int bypeer_schema_find_key(const struct bypeer_schema_section *section, const char *name)
{
    for (unsigned i = 0; i < section->key_count; i++)
        if (strcmp(section->keys[i].name, name) == 0)
            return (int)i;
    return -ENOENT;
}

static const char *schema_section_name(const void *context, unsigned i)
{
    (void)context;
    return i < BYPEER_CONFIG_SECTIONS ? bypeer_schema[i].name : NULL;
}

static const char *schema_key_name(const void *context, unsigned i)
{
    const struct bypeer_schema_section *section = context;

    return i < section->key_count ? section->keys[i].name : NULL;
}

static const char *schema_choice_name(const void *context, unsigned i)
{
    const struct bypeer_schema_key *key = context;

    return key->choices[i];
}

const char *bypeer_schema_nearest_section(const char *text)
{
    return bypeer_schema_nearest(text, schema_section_name, NULL);
}

const char *bypeer_schema_nearest_key(const struct bypeer_schema_section *section, const char *text)
{
    return bypeer_schema_nearest(text, schema_key_name, section);
}

const char *bypeer_schema_nearest_choice(const struct bypeer_schema_key *key, const char *text)
{
    return bypeer_schema_nearest(text, schema_choice_name, key);
}
