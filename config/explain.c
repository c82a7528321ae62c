#include "config/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bypeer_schema_range(const struct bypeer_schema_key *key, char text[static 256])
{
    const char *automatic = key->has_automatic ? ", or auto" : "";
    size_t length = 0;

    switch (key->type) {
    case BYPEER_SCHEMA_TEXT:
        snprintf(text, 256, "text of %ld to %ld bytes", (long)key->minimum, (long)key->maximum);
        return;
    case BYPEER_SCHEMA_NAME:
        snprintf(text, 256, "a name of up to %ld letters, digits and . _ -", (long)key->maximum);
        return;
    case BYPEER_SCHEMA_PATH:
        snprintf(text, 256, "an absolute path of up to %ld bytes", (long)key->maximum);
        return;
    case BYPEER_SCHEMA_NUMBER:
        snprintf(text, 256, "%ld to %ld%s", (long)key->minimum, (long)key->maximum, automatic);
        return;
    case BYPEER_SCHEMA_NUMBERS:
        snprintf(text, 256, "a list of up to %u numbers, %ld to %ld", key->entries, (long)key->minimum,
                 (long)key->maximum);
        return;
    case BYPEER_SCHEMA_CHOICE:
        text[0] = '\0';
        for (int i = 0; key->choices[i] && length < 256; i++)
            length += (size_t)snprintf(text + length, 256 - length, "%s%s",
                                       i == 0                ? ""
                                       : key->choices[i + 1] ? ", "
                                                             : " or ",
                                       key->choices[i]);
        return;
    case BYPEER_SCHEMA_OVERLAY:
        snprintf(text, 256, "an IPv6 address in the group's prefix");
        return;
    case BYPEER_SCHEMA_UNDERLAY:
        snprintf(text, 256, "a unicast IPv6 or IPv4 address");
        return;
    case BYPEER_SCHEMA_UNDERLAYS:
        snprintf(text, 256, "a list of up to %u unicast IPv6 or IPv4 addresses", key->entries);
        return;
    case BYPEER_SCHEMA_INTERFACE:
        snprintf(text, 256, "a list of up to %u IPv6 or IPv4 addresses with prefix lengths", key->entries);
        return;
    case BYPEER_SCHEMA_PREFIX:
        if (key->minimum == key->maximum)
            snprintf(text, 256, "an IPv6 prefix of %ld bits", (long)key->minimum);
        else
            snprintf(text, 256, "an IPv6 prefix of %ld to %ld bits", (long)key->minimum, (long)key->maximum);
        return;
    case BYPEER_SCHEMA_ADDRESSES:
        snprintf(text, 256, "a list of up to %u IPv6 addresses", key->entries);
        return;
    case BYPEER_SCHEMA_ENDPOINTS:
        snprintf(text, 256, "a list of up to %u addresses with ports, %ld to %ld", key->entries, (long)key->minimum,
                 (long)key->maximum);
        return;
    case BYPEER_SCHEMA_ENDPOINT:
        snprintf(text, 256, "a unicast IPv6 or IPv4 address with a port, %ld to %ld", (long)key->minimum,
                 (long)key->maximum);
        return;
    case BYPEER_SCHEMA_KEY:
        snprintf(text, 256, "32 bytes in base64, 44 characters");
        return;
    }
}

const char *bypeer_schema_default(const struct bypeer_schema_key *key)
{
    if (key->required)
        return "none; it is required";
    return key->fallback ? key->fallback : key->fallback_words;
}

const char *bypeer_schema_change_text(enum bypeer_schema_change change)
{
    switch (change) {
    case BYPEER_SCHEMA_CONTROL:
        return "takes effect when bypeerd restarts";
    case BYPEER_SCHEMA_DATAPLANE:
        return "takes effect when bypeer-dataplane restarts";
    case BYPEER_SCHEMA_BOTH:
        return "takes effect when bypeerd and bypeer-dataplane restart";
    default:
        return "takes effect at a reload";
    }
}

static void explain_key(FILE *out, const struct bypeer_schema_section *section, const struct bypeer_schema_key *key)
{
    char range[256];

    bypeer_schema_range(key, range);
    fprintf(out, "%s%s.%s\n    %s.\n    Value:    %s\n    Default:  %s\n", section->name,
            section->entry_bytes ? "[]" : "", key->name, key->help, range, bypeer_schema_default(key));
    if (key->example)
        fprintf(out, "    Example:  %s: %s\n", key->name, key->example);
    fprintf(out, "    A change: %s\n", bypeer_schema_change_text(key->change));
}

static void explain_section(FILE *out, const struct bypeer_schema_section *section)
{
    if (section->entry_bytes)
        fprintf(out, "%s: a list of up to %u entries. %s.\n", section->name, section->entries, section->help);
    else
        fprintf(out, "%s: %s.\n", section->name, section->help);
    for (unsigned i = 0; i < section->key_count; i++) {
        fputc('\n', out);
        explain_key(out, section, &section->keys[i]);
    }
}

static void explain_all(FILE *out)
{
    for (int i = 0; i < BYPEER_CONFIG_SECTIONS; i++) {
        const struct bypeer_schema_section *section = &bypeer_schema[i];

        fprintf(out, "%s%s  %s\n", section->name, section->entry_bytes ? "[]" : "", section->help);
        for (unsigned k = 0; k < section->key_count; k++)
            fprintf(out, "    %-12s %s\n", section->keys[k].name, section->keys[k].help);
    }
}

/* Splits "links[0].peer" into "links" and "peer" (empty: none). */
static void split(const char *path, char section[static 64], char key[static 64])
{
    size_t length = strcspn(path, ".[");
    const char *dot = strchr(path, '.');

    snprintf(section, 64, "%.*s", (int)(length < 64 ? length : 63), path);
    snprintf(key, 64, "%.63s", dot ? dot + 1 : "");
}

/* Writes the text about path. Returns 0 or -ENOENT. */
static int explain_path(FILE *out, const char *path)
{
    char name[64];
    char key_name[64];
    const char *nearest;
    int number;
    int key;

    split(path, name, key_name);
    number = bypeer_schema_find_section(name);
    if (number < 0) {
        nearest = bypeer_schema_nearest_section(name);
        fprintf(out,
                nearest ? "\"%s\" is no section; did you mean \"%s\"?"
                        : "\"%s\" is no section; leave it out to list all",
                name, nearest);
        return -ENOENT;
    }
    if (!key_name[0]) {
        explain_section(out, &bypeer_schema[number]);
        return 0;
    }
    key = bypeer_schema_find_key(&bypeer_schema[number], key_name);
    if (key < 0) {
        nearest = bypeer_schema_nearest_key(&bypeer_schema[number], key_name);
        fprintf(out, "\"%s\" is no key of %s; ", key_name, name);
        fprintf(out, nearest ? "did you mean \"%s.%s\"?" : "\"%s\" lists them", name, nearest);
        return -ENOENT;
    }
    explain_key(out, &bypeer_schema[number], &bypeer_schema[number].keys[key]);
    return 0;
}

int bypeer_config_explain(char **ret_text, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    int result = 0;

    if (!out)
        return -ENOMEM;
    if (path && path[0])
        result = explain_path(out, path);
    else
        explain_all(out);
    if (fclose(out) != 0) {
        free(text);
        return -ENOMEM;
    }
    *ret_text = text;
    return result;
}
