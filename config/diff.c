#include "config/diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/index.h"
#include "config/show.h"
#include "config/value.h"

/* One section's entries in one of the two configurations. */
struct list {
    const struct bypeer_schema_section *section;
    enum bypeer_config_section number;
    const uint8_t *array;
    uint32_t count;
};

struct builder {
    struct bypeer_diff diff;
    size_t entry_room, setting_room;
    const struct bypeer_config *before, *after;
};

static struct list list_of(const struct bypeer_config *config, enum bypeer_config_section number)
{
    struct list list = {.section = &bypeer_schema[number], .number = number};

    memcpy(&list.array, (const uint8_t *)config + list.section->array_offset, sizeof(list.array));
    memcpy(&list.count, (const uint8_t *)config + list.section->count_offset, sizeof(list.count));
    return list;
}

static const uint8_t *list_entry(const struct list *list, uint32_t i)
{
    return list->array + (size_t)i * list->section->entry_bytes;
}

/* The first key of a section is what tells its entries apart; a prefix together with its bits, which follow it. */
static size_t list_identity_bytes(const struct list *list)
{
    const struct bypeer_schema_key *key = &list->section->keys[0];

    return key->size + (key->type == BYPEER_SCHEMA_PREFIX && list->number == BYPEER_CONFIG_ROUTES ? 1 : 0);
}

static int list_index(const struct list *list, struct bypeer_index *ret_index)
{
    const uint8_t *first = list->count ? list->array + list->section->keys[0].offset : NULL;

    return bypeer_index_make(ret_index, first, list->section->entry_bytes, list_identity_bytes(list), list->count);
}

static const void *list_find(const struct list *list, const struct bypeer_index *index, const uint8_t *entry)
{
    uint32_t number = bypeer_index_find(index, entry + list->section->keys[0].offset);

    return number == BYPEER_INDEX_NONE ? NULL : list_entry(list, number);
}

static bool same_value(const struct bypeer_schema_key *key, const uint8_t *before, const uint8_t *after)
{
    const void *one = before + key->offset;
    const void *other = after + key->offset;
    struct bypeer_config_address *addresses[2];
    uint32_t count;

    if (key->beside_size && memcmp(before + key->beside_offset, after + key->beside_offset, key->beside_size) != 0)
        return false;
    if (key->type != BYPEER_SCHEMA_INTERFACE)
        return memcmp(one, other, key->size) == 0;
    memcpy(&addresses[0], one, sizeof(addresses[0]));
    memcpy(&addresses[1], other, sizeof(addresses[1]));
    memcpy(&count, before + key->beside_offset, sizeof(count));
    return !count || memcmp(addresses[0], addresses[1], count * sizeof(*addresses[0])) == 0;
}

static int add_entry(struct builder *builder, enum bypeer_config_section section, const void *before, const void *after)
{
    struct bypeer_diff *diff = &builder->diff;

    if (diff->entry_count == builder->entry_room) {
        size_t room = builder->entry_room ? builder->entry_room * 2 : 64;
        struct bypeer_diff_entry *entries = realloc(diff->entries, room * sizeof(*entries));

        if (!entries)
            return -ENOMEM;
        diff->entries = entries;
        builder->entry_room = room;
    }
    diff->entries[diff->entry_count++] = (struct bypeer_diff_entry){section, before, after};
    return 0;
}

static struct bypeer_diff_setting *add_setting(struct builder *builder)
{
    struct bypeer_diff *diff = &builder->diff;

    if (diff->setting_count == builder->setting_room) {
        size_t room = builder->setting_room ? builder->setting_room * 2 : 32;
        struct bypeer_diff_setting *settings = realloc(diff->settings, room * sizeof(*settings));

        if (!settings)
            return NULL;
        diff->settings = settings;
        builder->setting_room = room;
    }
    diff->settings[diff->setting_count] = (struct bypeer_diff_setting){0};
    return &diff->settings[diff->setting_count++];
}

/* Every different value of two structures of one section. name: of a list's entry, else NULL. */
static int compare_settings(struct builder *builder, enum bypeer_config_section number, const char *name,
                            const uint8_t *before, const uint8_t *after)
{
    const struct bypeer_schema_section *section = &bypeer_schema[number];
    const uint32_t *lines = builder->after->lines[number];

    for (unsigned i = 0; i < section->key_count; i++) {
        const struct bypeer_schema_key *key = &section->keys[i];
        struct bypeer_diff_setting *setting;
        char text[BYPEER_SHOW_TEXT];

        if (same_value(key, before, after))
            continue;
        setting = add_setting(builder);
        if (!setting)
            return -ENOMEM;
        snprintf(setting->path, sizeof(setting->path), name ? "%s[%s].%s" : "%s%s.%s", section->name, name ? name : "",
                 key->name);
        bypeer_show_value(key, before, text);
        snprintf(setting->before, sizeof(setting->before), "%.*s", (int)sizeof(setting->before) - 1, text);
        bypeer_show_value(key, after, text);
        snprintf(setting->after, sizeof(setting->after), "%.*s", (int)sizeof(setting->after) - 1, text);
        setting->change = key->change;
        if (section->entry_bytes) {
            size_t entry = (size_t)(after - list_of(builder->after, number).array) / section->entry_bytes;

            setting->line = lines[entry * section->key_count + i];
        } else {
            setting->line = lines[i];
        }
    }
    return 0;
}

static int compare_ports(struct builder *builder)
{
    struct list before = list_of(builder->before, BYPEER_CONFIG_PORTS);
    struct list after = list_of(builder->after, BYPEER_CONFIG_PORTS);
    struct bypeer_index olds = {0};
    struct bypeer_index news = {0};
    int error = 0;

    if (list_index(&before, &olds) < 0 || list_index(&after, &news) < 0)
        error = -ENOMEM;
    for (uint32_t i = 0; !error && i < before.count; i++)
        bypeer_index_add(&olds, i);
    for (uint32_t i = 0; !error && i < after.count; i++)
        bypeer_index_add(&news, i);
    for (uint32_t i = 0; !error && i < before.count + after.count; i++) {
        bool gone = i < before.count;
        const struct bypeer_config_port *port =
            (const void *)(gone ? list_entry(&before, i) : list_entry(&after, i - before.count));
        const void *other = list_find(gone ? &after : &before, gone ? &news : &olds, (const uint8_t *)port);
        struct bypeer_diff_setting *setting;

        if (other) {
            error = gone ? 0 : compare_settings(builder, BYPEER_CONFIG_PORTS, port->name, other, (const void *)port);
            continue;
        }
        setting = add_setting(builder);
        if (!setting) {
            error = -ENOMEM;
            break;
        }
        snprintf(setting->path, sizeof(setting->path), "ports[%s]", port->name);
        snprintf(gone ? setting->before : setting->after, sizeof(setting->before), "%.*s",
                 (int)sizeof(setting->before) - 1, port->device);
        setting->line = gone ? 0 : port->origin.line;
        setting->change = bypeer_schema[BYPEER_CONFIG_PORTS].change;
    }
    bypeer_index_free(&olds);
    bypeer_index_free(&news);
    return error;
}

static bool same_entry(const struct bypeer_schema_section *section, const uint8_t *before, const uint8_t *after)
{
    for (unsigned i = 0; i < section->key_count; i++)
        if (!same_value(&section->keys[i], before, after))
            return false;
    return true;
}

/* Entries of `list` that `against` does not have; or, if changed is set, that it has differently or not at all. */
static int compare_list(struct builder *builder, struct list list, struct list against, bool changed)
{
    struct bypeer_index index;
    int error = list_index(&against, &index);

    if (error)
        return error;
    for (uint32_t i = 0; i < against.count; i++)
        bypeer_index_add(&index, i);
    for (uint32_t i = 0; !error && i < list.count; i++) {
        const uint8_t *entry = list_entry(&list, i);
        const void *other = list_find(&against, &index, entry);

        if (!changed && !other)
            error = add_entry(builder, list.number, entry, NULL);
        else if (changed && (!other || !same_entry(list.section, other, entry)))
            error = add_entry(builder, list.number, other, entry);
    }
    bypeer_index_free(&index);
    return error;
}

static int compare_lists(struct builder *builder)
{
    static const enum bypeer_config_section order[] = {BYPEER_CONFIG_PORTS, BYPEER_CONFIG_GROUPS,  BYPEER_CONFIG_LINKS,
                                                       BYPEER_CONFIG_PEERS, BYPEER_CONFIG_MEMBERS, BYPEER_CONFIG_ROUTES,
                                                       BYPEER_CONFIG_CLOUDS};
    const int count = (int)(sizeof(order) / sizeof(order[0]));
    int error = 0;

    for (int i = count - 1; i >= 0 && !error; i--)
        error = compare_list(builder, list_of(builder->before, order[i]), list_of(builder->after, order[i]), false);
    for (int i = 0; i < count && !error; i++)
        error = compare_list(builder, list_of(builder->after, order[i]), list_of(builder->before, order[i]), true);
    return error;
}

int bypeer_config_diff(struct bypeer_diff *ret_diff, const struct bypeer_config *before,
                       const struct bypeer_config *after)
{
    struct builder builder = {.before = before, .after = after};
    int error = 0;

    for (enum bypeer_config_section i = 0; i < BYPEER_CONFIG_SECTIONS && !error; i++)
        if (i == BYPEER_CONFIG_PORTS)
            error = compare_ports(&builder);
        else if (!bypeer_schema[i].entry_bytes)
            error = compare_settings(&builder, i, NULL, (const void *)before, (const void *)after);
    error = error ? error : compare_lists(&builder);
    if (error) {
        bypeer_diff_free(&builder.diff);
        return error;
    }
    *ret_diff = builder.diff;
    return 0;
}

void bypeer_diff_free(struct bypeer_diff *diff)
{
    free(diff->entries);
    free(diff->settings);
    *diff = (struct bypeer_diff){0};
}
