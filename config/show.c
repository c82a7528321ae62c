#include "config/show.h"

#include <stdio.h>
#include <string.h>

#include "config/value.h"

/* Text that means something else in YAML, or nothing, unless it is quoted. */
static bool needs_quotes(const char *text)
{
    size_t plain = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/");

    return text[plain] || text[0] == '-';
}

static size_t append(char *text, size_t length, const char *value)
{
    const char *quote = needs_quotes(value) ? "\"" : "";
    size_t room = BYPEER_SHOW_TEXT - length;
    size_t bytes = strlen(value) + 2 * strlen(quote);

    if (bytes >= room)
        return length;
    snprintf(text + length, room, "%s%s%s", quote, value, quote);
    return length + bytes;
}

/* Backslashes and quotes, which only free text may hold. */
static void escape(const char *value, char escaped[static 2 * BYPEER_VALUE_TEXT])
{
    size_t length = 0;

    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            escaped[length++] = '\\';
        escaped[length++] = *value;
    }
    escaped[length] = '\0';
}

static void show_list(const struct bypeer_schema_key *key, const uint8_t *structure, char *text)
{
    char value[BYPEER_VALUE_TEXT];
    const uint8_t *array = structure + key->offset;
    size_t element = key->size / (key->entries ? key->entries : 1);
    uint32_t count = (uint32_t)bypeer_value_integer(structure + key->beside_offset, key->beside_size);
    size_t length = 0;

    if (key->type == BYPEER_SCHEMA_INTERFACE) {
        memcpy(&array, structure + key->offset, sizeof(array));
        element = sizeof(struct bypeer_config_address);
    }
    for (uint32_t i = 0; i < count; i++) {
        length += (size_t)snprintf(text + length, BYPEER_SHOW_TEXT - length, "%s", i ? ", " : "[");
        bypeer_value_write(key, array + i * element, 0, value);
        length = append(text, length, value);
    }
    if (count)
        snprintf(text + length, BYPEER_SHOW_TEXT - length, "]");
}

void bypeer_show_value(const struct bypeer_schema_key *key, const void *structure, char text[static BYPEER_SHOW_TEXT])
{
    char value[BYPEER_VALUE_TEXT];
    char escaped[2 * BYPEER_VALUE_TEXT];
    const uint8_t *base = structure;
    uint8_t bits = 0;

    text[0] = '\0';
    if (bypeer_schema_is_list(key->type)) {
        show_list(key, base, text);
        return;
    }
    if (key->type == BYPEER_SCHEMA_PREFIX)
        bits = key->beside_size ? base[key->beside_offset] : (uint8_t)key->minimum;
    if (key->beside_size && !bypeer_value_integer(base + key->beside_offset, key->beside_size))
        return;
    bypeer_value_write(key, base + key->offset, bits, value);
    escape(value, escaped);
    if (value[0])
        append(text, 0, escaped);
}

static int show_structure(const struct bypeer_config *config, const char *file, int number, uint32_t entry,
                          const uint8_t *structure, int (*each)(void *context, const struct bypeer_show_value *),
                          void *context)
{
    const struct bypeer_schema_section *section = &bypeer_schema[number];
    const uint32_t *lines = config->lines[number] + (size_t)entry * section->key_count;
    char path[64];
    char text[BYPEER_SHOW_TEXT];
    char origin[320];
    int result = 0;

    for (unsigned i = 0; i < section->key_count && !result; i++) {
        const struct bypeer_schema_key *key = &section->keys[i];
        struct bypeer_show_value value = {path, text, NULL, origin, lines[i]};

        if (section->entry_bytes)
            snprintf(path, sizeof(path), "%s[%u].%s", section->name, entry, key->name);
        else
            snprintf(path, sizeof(path), "%s.%s", section->name, key->name);
        bypeer_show_value(key, structure, text);
        if (!text[0])
            value.words = key->fallback_words ? key->fallback_words : "none";
        if (lines[i])
            snprintf(origin, sizeof(origin), "%.255s:%u", file, lines[i]);
        else
            snprintf(origin, sizeof(origin), "default");
        result = each(context, &value);
    }
    return result;
}

int bypeer_config_show(const struct bypeer_config *config, int (*each)(void *context, const struct bypeer_show_value *),
                       void *context)
{
    const char *slash = strrchr(config->file, '/');
    const char *file = slash ? slash + 1 : config->file;
    const uint8_t *base = (const uint8_t *)config;
    int result = 0;

    for (int i = 0; i < BYPEER_CONFIG_SECTIONS && !result; i++) {
        const struct bypeer_schema_section *section = &bypeer_schema[i];
        const uint8_t *array;
        uint32_t count;

        if (!section->entry_bytes) {
            result = show_structure(config, file, i, 0, base, each, context);
            continue;
        }
        memcpy(&array, base + section->array_offset, sizeof(array));
        memcpy(&count, base + section->count_offset, sizeof(count));
        for (uint32_t entry = 0; entry < count && !result; entry++)
            result =
                show_structure(config, file, i, entry, array + (size_t)entry * section->entry_bytes, each, context);
    }
    return result;
}
