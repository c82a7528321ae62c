/* What `bypeer config show` and `explain` tell, and what a reload sees as changed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diff.h"
#include "config/show.h"

static const char sample[] = "node: { name: alpha }\n"
                             "dataplane:\n"
                             "  workers: 2\n"
                             "  eal: '--x=\"1\" --y'\n"
                             "ports:\n"
                             "  - { name: up, device: dev1, addresses: [\"2001:db8::1/64\", 192.0.2.1/24] }\n"
                             "groups:\n"
                             "  - name: lab\n"
                             "    prefix: \"fd12:3456:789a::/48\"\n"
                             "    vni: 7\n"
                             "links:\n"
                             "  - { name: beta, group: lab, peer: 192.0.2.2 }\n"
                             "  - { name: gamma, group: lab, peer: 192.0.2.3 }\n"
                             "members:\n"
                             "  - { address: \"fd12:3456:789a::2\", link: beta }\n"
                             "  - { address: \"fd12:3456:789a::3\", link: beta }\n"
                             "routes:\n"
                             "  - { prefix: \"fd12:3456:789a:b::/64\", link: beta }\n";

static struct bypeer_config *parse(const char *text)
{
    struct bypeer_config *config = NULL;
    struct bypeer_config_errors errors = {0};
    cr_assert_eq(bypeer_config_parse(&config, "/etc/x/test.yaml", text, strlen(text), &errors), 0, "%s",
                 errors.count ? errors.messages[0] : "no message");
    return config;
}

/* The sample with one piece of text replaced. */
static struct bypeer_config *parse_with(const char *from, const char *to)
{
    char text[4096];
    const char *at = strstr(sample, from);
    cr_assert_not_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - sample), sample, to, at + strlen(from));
    return parse(text);
}

struct wanted {
    const char *path, *value, *origin;
    unsigned found;
};

static int look(void *context, const struct bypeer_show_value *value)
{
    struct wanted *wanted = context;
    for (; wanted->path; wanted++) {
        if (strcmp(wanted->path, value->path) != 0)
            continue;
        wanted->found++;
        cr_expect_str_eq(value->value, wanted->value, "%s: %s", value->path, value->value);
        cr_expect_str_eq(value->origin, wanted->origin, "%s: %s", value->path, value->origin);
        cr_expect_eq(value->words != NULL, value->value[0] == '\0');
    }
    return 0;
}

Test(config_show, every_value_with_its_line_or_as_default)
{
    struct wanted wanted[] = {
        {"node.name", "alpha", "test.yaml:1", 0},
        {"node.run", "/run/bypeer", "default", 0},
        {"dataplane.workers", "2", "test.yaml:3", 0},
        {"dataplane.cores", "", "default", 0},
        {"dataplane.main-core", "auto", "default", 0},
        {"dataplane.idle", "interrupt", "default", 0},
        {"dataplane.eal", "\"--x=\\\"1\\\" --y\"", "test.yaml:4", 0},
        {"ports[0].tap", "bp-up", "default", 0},
        {"ports[0].queues", "2", "default", 0},
        {"ports[0].addresses", "[\"2001:db8::1/64\", 192.0.2.1/24]", "test.yaml:6", 0},
        {"groups[0].prefix", "\"fd12:3456:789a::/48\"", "test.yaml:9", 0},
        {"groups[0].address", "", "default", 0},
        {"links[1].peer", "192.0.2.3", "test.yaml:13", 0},
        {"links[1].vni", "7", "default", 0},
        {"links[1].mtu", "auto", "default", 0},
        {"members[1].address", "\"fd12:3456:789a::3\"", "test.yaml:16", 0},
        {"routes[0].prefix", "\"fd12:3456:789a:b::/64\"", "test.yaml:18", 0},
        {0},
    };
    struct bypeer_config *config = parse(sample);
    cr_expect_eq(bypeer_config_show(config, look, wanted), 0);
    for (struct wanted *each = wanted; each->path; each++)
        cr_expect_eq(each->found, 1, "%s", each->path);
    bypeer_config_free(config);
}

static int stop(void *context, const struct bypeer_show_value *value)
{
    (void)value;
    return ++*(int *)context == 3 ? 42 : 0;
}

Test(config_show, showing_stops_when_told)
{
    struct bypeer_config *config = parse(sample);
    int count = 0;
    cr_expect_eq(bypeer_config_show(config, stop, &count), 42);
    cr_expect_eq(count, 3);
    bypeer_config_free(config);
}

static void expect_explained(const char *path, int result, const char *part)
{
    char *text = NULL;
    cr_expect_eq(bypeer_config_explain(&text, path), result);
    cr_assert_not_null(text);
    cr_expect_not_null(strstr(text, part), "%s", text);
    free(text);
}

Test(config_show, keys_are_explained)
{
    expect_explained("dataplane.idle-max-us", 0, "10 to 2000");
    expect_explained("dataplane.idle-max-us", 0, "Default:  1500");
    expect_explained("links[3].peer", 0, "links[].peer");
    expect_explained("links", 0, "links[].udp-port");
    expect_explained(NULL, 0, "prefixes");
    expect_explained("dataplane.idle", 0, "sleep, interrupt or busy");
    expect_explained("dataplane.workers", 0, "when bypeer-dataplane restarts");
    expect_explained("linsk", -ENOENT, "did you mean \"links\"?");
    expect_explained("links.pear", -ENOENT, "did you mean \"links.peer\"?");
    expect_explained("links.zzz", -ENOENT, "\"links\" lists them");
}

Test(config_show, every_row_of_the_schema_is_whole)
{
    for (int i = 0; i < BYPEER_CONFIG_SECTIONS; i++) {
        const struct bypeer_schema_section *section = &bypeer_schema[i];
        cr_expect(section->key_count <= 16, "%s", section->name);
        for (unsigned k = 0; k < section->key_count; k++) {
            const struct bypeer_schema_key *key = &section->keys[k];
            char range[256];
            bypeer_schema_range(key, range);
            cr_expect(key->help && strlen(range) > 0 && key->size > 0, "%s.%s", section->name, key->name);
            cr_expect(key->required || key->fallback || key->fallback_words, "%s.%s", section->name, key->name);
            cr_expect(!key->required || key->example, "%s.%s", section->name, key->name);
        }
    }
}

static struct bypeer_diff difference(struct bypeer_config *before, struct bypeer_config *after)
{
    struct bypeer_diff diff;
    cr_assert_eq(bypeer_config_diff(&diff, before, after), 0);
    return diff;
}

Test(config_diff, the_same_file_changes_nothing_wherever_its_entries_stand)
{
    struct bypeer_config *before = parse(sample);
    struct bypeer_config *after = parse_with("  - { name: beta, group: lab, peer: 192.0.2.2 }\n"
                                             "  - { name: gamma, group: lab, peer: 192.0.2.3 }\n",
                                             "\n\n  - { name: gamma, group: lab, peer: 192.0.2.3 }\n"
                                             "  - { name: beta, group: lab, peer: 192.0.2.2, vni: 7 }\n");
    struct bypeer_diff diff = difference(before, after);
    cr_expect_eq(diff.entry_count, 0);
    cr_expect_eq(diff.setting_count, 0);
    bypeer_diff_free(&diff);
    bypeer_config_free(before);
    bypeer_config_free(after);
}

Test(config_diff, entries_that_come_go_and_change)
{
    struct bypeer_config *before = parse(sample);
    struct bypeer_config *after = parse_with("  - { address: \"fd12:3456:789a::2\", link: beta }\n"
                                             "  - { address: \"fd12:3456:789a::3\", link: beta }\n",
                                             "  - { address: \"fd12:3456:789a::3\", link: gamma }\n"
                                             "  - { address: \"fd12:3456:789a::4\", link: gamma }\n");
    struct bypeer_diff diff = difference(before, after);
    cr_assert_eq(diff.entry_count, 3);
    cr_expect(diff.entries[0].before == &before->members[0] && diff.entries[0].after == NULL);
    cr_expect(diff.entries[1].before == &before->members[1] && diff.entries[1].after == &after->members[0]);
    cr_expect(diff.entries[2].before == NULL && diff.entries[2].after == &after->members[1]);
    cr_expect_eq(diff.entries[0].section, BYPEER_CONFIG_MEMBERS);
    bypeer_diff_free(&diff);
    bypeer_config_free(before);
    bypeer_config_free(after);
}

Test(config_diff, a_default_that_follows_another_value_changes_with_it)
{
    struct bypeer_config *before = parse(sample);
    struct bypeer_config *after = parse_with("vni: 7", "vni: 8");
    struct bypeer_diff diff = difference(before, after);
    cr_assert_eq(diff.entry_count, 3, "the group and its two links");
    cr_expect_eq(diff.entries[0].section, BYPEER_CONFIG_GROUPS);
    cr_expect_eq(diff.entries[1].section, BYPEER_CONFIG_LINKS);
    cr_expect_eq(diff.entries[2].section, BYPEER_CONFIG_LINKS);
    bypeer_diff_free(&diff);
    bypeer_config_free(before);
    bypeer_config_free(after);
}

Test(config_diff, clouds_change_by_name)
{
    struct bypeer_config *before =
        parse("clouds: [{ name: a }, { name: b, port: 4000, seeds: [\"[2001:db8::1]:4000\"] }]\n");
    struct bypeer_config *after = parse("clouds: [{ name: b, port: 4000, seeds: [\"[2001:db8::2]:4000\"] }]\n");
    struct bypeer_diff diff = difference(before, after);
    cr_assert_eq(diff.entry_count, 2);
    cr_expect(diff.entries[0].before == &before->clouds[0] && diff.entries[0].after == NULL);
    cr_expect(diff.entries[1].before == &before->clouds[1] && diff.entries[1].after == &after->clouds[0]);
    bypeer_diff_free(&diff);
    bypeer_config_free(before);
    bypeer_config_free(after);
}

Test(config_diff, what_is_gone_comes_first_and_what_others_need_before_them)
{
    struct bypeer_config *before = parse(sample);
    struct bypeer_config *after = parse("groups: [{ name: two, prefix: \"fd00:0:1::/48\", vni: 1 }]\n"
                                        "links: [{ name: delta, group: two, peer: 192.0.2.9 }]\n"
                                        "members: [{ address: \"fd00:0:1::2\", link: delta }]\n"
                                        "routes: [{ prefix: \"fd00:0:1:1::/64\", link: delta }]\n");
    static const enum bypeer_config_section order[] = {
        BYPEER_CONFIG_ROUTES, BYPEER_CONFIG_MEMBERS, BYPEER_CONFIG_MEMBERS, BYPEER_CONFIG_LINKS,
        BYPEER_CONFIG_LINKS,  BYPEER_CONFIG_GROUPS,  BYPEER_CONFIG_PORTS,   BYPEER_CONFIG_GROUPS,
        BYPEER_CONFIG_LINKS,  BYPEER_CONFIG_MEMBERS, BYPEER_CONFIG_ROUTES};
    struct bypeer_diff diff = difference(before, after);
    cr_assert_eq(diff.entry_count, sizeof(order) / sizeof(order[0]));
    for (size_t i = 0; i < diff.entry_count; i++) {
        cr_expect_eq(diff.entries[i].section, order[i], "%zu", i);
        cr_expect_eq(diff.entries[i].after == NULL, i < 7, "%zu", i);
    }
    bypeer_diff_free(&diff);
    bypeer_config_free(before);
    bypeer_config_free(after);
}

static void expect_setting(struct bypeer_config *before, struct bypeer_config *after, const char *path, const char *old,
                           const char *new, uint32_t line, enum bypeer_schema_change change)
{
    struct bypeer_diff diff = difference(before, after);
    cr_assert_eq(diff.setting_count, 1, "%s: %zu", path, diff.setting_count);
    cr_expect_str_eq(diff.settings[0].path, path);
    cr_expect_str_eq(diff.settings[0].before, old);
    cr_expect_str_eq(diff.settings[0].after, new);
    cr_expect_eq(diff.settings[0].line, line);
    cr_expect_eq(diff.settings[0].change, change);
    bypeer_diff_free(&diff);
    bypeer_config_free(before);
    bypeer_config_free(after);
}

Test(config_diff, settings_tell_which_process_must_restart)
{
    expect_setting(parse(sample), parse_with("name: alpha", "name: omega"), "node.name", "alpha", "omega", 1,
                   BYPEER_SCHEMA_RELOAD);
    expect_setting(parse(sample), parse_with("eal: '--x=\"1\" --y'", "burst: 32\n  eal: '--x=\"1\" --y'"),
                   "dataplane.burst", "64", "32", 4, BYPEER_SCHEMA_DATAPLANE);
    expect_setting(parse(sample), parse_with("device: dev1", "device: dev2"), "ports[up].device", "dev1", "dev2", 6,
                   BYPEER_SCHEMA_DATAPLANE);
    expect_setting(parse(sample), parse_with(", 192.0.2.1/24", ""), "ports[up].addresses",
                   "[\"2001:db8::1/64\", 192.0.2.1/24]", "[\"2001:db8::1/64\"]", 6, BYPEER_SCHEMA_RELOAD);
    expect_setting(parse(sample), parse_with("  - { name: up", "  - { name: x, device: dev9 }\n  - { name: up"),
                   "ports[x]", "", "dev9", 6, BYPEER_SCHEMA_BOTH);
    expect_setting(parse_with("  - { name: up", "  - { name: x, device: dev9 }\n  - { name: up"), parse(sample),
                   "ports[x]", "dev9", "", 0, BYPEER_SCHEMA_BOTH);
}
