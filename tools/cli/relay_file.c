#include "tools/cli/relay_file.h"

#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

#define KEEPALIVE_S 25 /* a NAT forgets an idle flow after 30 s at the soonest */
#define CONTEXT     3u /* lines before the first that is added */

static bool is_news(const json_t *peer, json_int_t since)
{
    return cli_integer(peer, "serial") >= since;
}

bool relay_file_has_news(const json_t *member, json_int_t since)
{
    size_t i;
    json_t *peer;
    json_array_foreach (json_object_get(member, "peers"), i, peer) {
        if (is_news(peer, since))
            return true;
    }
    return false;
}

/* The sections of partners whose serial is from since on, before it (is_older), or all (since 0). */
static void relay_file_write_peers(FILE *out, const json_t *member, json_int_t since, bool is_older)
{
    size_t i;
    json_t *peer;
    json_array_foreach (json_object_get(member, "peers"), i, peer) {
        if (is_news(peer, since) == is_older)
            continue;
        fprintf(out, "\n[Peer]\n# %s\nPublicKey = %s\nEndpoint = %s\nAllowedIPs = %s/128\nPersistentKeepalive = %d\n",
                cli_text(peer, "name"), cli_text(peer, "public_key"), cli_text(peer, "endpoint"),
                cli_text(peer, "address"), KEEPALIVE_S);
    }
}

static void write_interface(FILE *out, const json_t *member, const char *private_key)
{
    fprintf(out, "# %s: relay links of group %s, by node %s\n[Interface]\n", cli_text(member, "name"),
            cli_text(member, "group"), cli_text(member, "node"));
    if (private_key)
        fprintf(out, "PrivateKey = %s\n", private_key);
    else
        fprintf(out, "# PrivateKey = the one that %s was made of\n", cli_text(member, "public_key"));
    fprintf(out, "Address = %s/48\n", cli_text(member, "address"));
}

void relay_file_write(FILE *out, const json_t *member, const char *private_key)
{
    write_interface(out, member, private_key);
    relay_file_write_peers(out, member, 0, false);
}

/* The file as it is, or as it was written; of a WireGuard peer of the node, nothing is known of it. NULL: no memory. */
static char *read_before(const json_t *member, json_int_t since, const char *file)
{
    char *text = NULL, part[4096];
    size_t bytes = 0, got;
    FILE *out = open_memstream(&text, &bytes);
    FILE *in = fopen(file, "re");
    if (out && in) {
        while ((got = fread(part, 1, sizeof(part), in)) > 0)
            fwrite(part, 1, got, out);
    } else if (out && !json_is_true(json_object_get(member, "of_peer"))) {
        write_interface(out, member, NULL);
        relay_file_write_peers(out, member, since, true);
    }
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    return text;
}

/* Each line of text with a sign before it. */
static void write_signed(FILE *out, const char *text, char sign)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        fprintf(out, "%c%.*s\n", sign, (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text; text++)
        lines += *text == '\n' || text[1] == '\0';
    return lines;
}

void relay_file_write_diff(FILE *out, const json_t *member, json_int_t since, const char *file)
{
    char *added = NULL, *before = read_before(member, since, file);
    size_t bytes = 0;
    FILE *sections = open_memstream(&added, &bytes);
    if (sections) {
        relay_file_write_peers(sections, member, since, false);
        fclose(sections);
    }
    if (before && added && !before[0]) {
        fputs(added, out);
    } else if (before && added) {
        unsigned lines = count_lines(before), context = lines < CONTEXT ? lines : CONTEXT;
        const char *last = before;
        for (unsigned skip = lines - context; skip > 0; skip--)
            last = strchr(last, '\n') + 1;
        bool is_cut = lines > 0 && before[strlen(before) - 1] != '\n';
        fprintf(out, "--- %s\n+++ %s\n@@ -%u,%u +%u,%u @@\n", file, file, lines ? lines - context + 1 : 0, context,
                lines ? lines - context + 1 : 1, context + count_lines(added));
        const char *end = is_cut ? strrchr(last, '\n') : NULL;
        const char *cut = end ? end + 1 : last;
        if (is_cut) {
            char *kept = strndup(last, (size_t)(cut - last));
            write_signed(out, kept ? kept : "", ' ');
            free(kept);
            fprintf(out, "-%s\n\\ No newline at end of file\n+%s\n", cut, cut);
        } else {
            write_signed(out, last, ' ');
        }
        write_signed(out, added, '+');
    }
    free(before);
    free(added);
}

void relay_file_write_addconf(FILE *out, const json_t *member, json_int_t since)
{
    fprintf(out, "wg addconf %s /dev/stdin <<'END'", cli_text(member, "name"));
    relay_file_write_peers(out, member, since, false);
    fputs("END\n", out);
}
