/* bypeer peer load: a file, or standard input, of one peer a line: its name, its public key, and its address if any. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/wireguard_key.h"
#include "tools/cli/cli.h"

#define BATCH    5000 /* peers a call, each a transaction */
#define WORDS    3
#define MESSAGES 20 /* about wrong lines; the rest is counted */

struct peer_load {
    struct cli *cli;
    const char *name; /* of the file, for messages */
    unsigned long lines, wrong;
    json_t *peers; /* of the whole file: nothing is sent of one that is wrong */
};

/* Takes a line apart, which is changed by it. Returns how many words it has. */
static unsigned split(char *line, char *words[static WORDS + 1])
{
    unsigned count = 0;
    line[strcspn(line, "#\r\n")] = '\0';
    for (char *word = strtok(line, " \t"); word && count <= WORDS; word = strtok(NULL, " \t"))
        words[count++] = word;
    return count;
}

static void take_line(struct peer_load *load, char *line)
{
    char *words[WORDS + 1];
    uint8_t key[BYPEER_WIREGUARD_KEY_BYTES];
    unsigned count = split(line, words);
    load->lines++;
    if (count == 0)
        return;
    if (count >= 2 && count <= WORDS && bypeer_wireguard_key_read(words[1], key)) {
        json_t *peer =
            json_pack("{s:s, s:s, s:s, s:s*}", "name", words[0], "group", load->cli->options[CLI_OPTION_GROUP],
                      "public_key", words[1], "address", count == WORDS ? words[2] : NULL);
        if (peer && json_array_append_new(load->peers, peer) == 0)
            return;
    }
    if (load->wrong++ < MESSAGES)
        fprintf(stderr, "%s:%lu: is no peer; write NAME PUBLIC-KEY [ADDRESS]\n", load->name, load->lines);
}

static int send_peers(const struct peer_load *load, size_t *ret_added)
{
    size_t count = json_array_size(load->peers);
    int status = CLI_OK;
    for (size_t from = 0; from < count && status == CLI_OK; from += BATCH) {
        json_t *batch = json_array(), *result = NULL;
        for (size_t at = from; at < count && at < from + BATCH; at++)
            json_array_append(batch, json_array_get(load->peers, at));
        status = cli_call(load->cli, "peers.load", json_pack("{s:o}", "peers", batch), &result);
        *ret_added += (size_t)cli_integer(result, "added");
        json_decref(result);
    }
    return status;
}

static int load_stream(struct peer_load *load, FILE *in)
{
    char *line = NULL;
    size_t room = 0, added = 0;
    while (getline(&line, &room, in) >= 0)
        take_line(load, line);
    free(line);
    if (ferror(in))
        return cli_fail(CLI_FAILED, "%s: cannot be read to its end", load->name);
    if (load->wrong)
        return cli_fail(CLI_FAILED, "%s: %lu wrong lines; nothing was loaded, mend them", load->name, load->wrong);
    int status = send_peers(load, &added);
    if (status != CLI_OK) {
        fprintf(stderr, "bypeer: %zu peers were loaded before\n", added);
        return status;
    }
    json_t *result = json_pack("{s:I}", "added", (json_int_t)added);
    cli_print_done(load->cli, result, "%zu peers are added", added);
    json_decref(result);
    return CLI_OK;
}

int cli_run_peer_load(struct cli *cli)
{
    bool standard = strcmp(cli->arguments[0], "-") == 0;
    struct peer_load load = {.cli = cli, .name = standard ? "standard input" : cli->arguments[0]};
    FILE *in = standard ? stdin : fopen(cli->arguments[0], "re");
    if (!in)
        return cli_fail(CLI_FAILED, "%s: %s", cli->arguments[0], strerror(errno));
    load.peers = json_array();
    int status = load_stream(&load, in);
    json_decref(load.peers);
    if (!standard)
        fclose(in);
    return status;
}
