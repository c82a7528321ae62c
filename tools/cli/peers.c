/* bypeer peer add, config, remove: what a WireGuard client is told. Its private key stays in this program. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/keys.h"
#include "tools/cli/peer_file.h"
#include "tools/cli/qr.h"
#include "tools/cli/table.h"

/* The file as a text, to be freed by wipe_text(); NULL: out of memory. */
static char *make_text(const json_t *from, const char *private_key)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return NULL;
    peer_file_print(out, from, private_key);
    return fclose(out) == 0 ? text : NULL;
}

static void wipe_text(char *text)
{
    if (text)
        keys_wipe(text, (unsigned)strlen(text));
    free(text);
}

/* Prints the peer's file, as --qr and -o json say. from is what peers.config answers. */
static int print_file(const struct cli *cli, json_t *from, const char *private_key)
{
    char *text = make_text(from, private_key);
    int status = CLI_OK;
    if (!text)
        return cli_fail(CLI_FAILED, "out of memory");
    if (cli->json) {
        json_object_set_new(from, "file", json_string(text));
        cli_print_json(from);
    } else if (!cli->options[CLI_OPTION_QR]) {
        fputs(text, stdout);
    } else if (qr_print(stdout, text, cli->colours) < 0) {
        status = cli_fail(CLI_FAILED, "the file is too long for a QR code; leave out --qr");
    }
    wipe_text(text);
    return status;
}

int cli_show_peer_file(struct cli *cli, const char *name, const struct keys *keys)
{
    json_t *from = NULL;
    int status = cli_call(cli, "peers.config", json_pack("{s:s}", "name", name), &from);
    if (status != CLI_OK)
        return status;
    if (keys && strcmp(keys->public_key, cli_text(from, "public_key")) != 0)
        status = cli_fail(CLI_FAILED, "%s has another public key than the one of that private key; use its own", name);
    else
        status = print_file(cli, from, keys ? keys->private_key : NULL);
    json_decref(from);
    return status;
}

/* The address that a peer has without --address is the daemon's to say, and --address none is no member. */
static int add_peer(struct cli *cli, const char *public_key)
{
    const char *shared_file = cli->options[CLI_OPTION_PRESHARED_KEY_FILE];
    char shared[BYPEER_WIREGUARD_KEY_TEXT] = "";
    long keepalive;
    int status = cli_number(cli, CLI_OPTION_KEEPALIVE, 0, 65535, -1, &keepalive);
    if (status == CLI_OK && shared_file && cli->options[CLI_OPTION_NEW_PRESHARED_KEY])
        status = cli_fail(CLI_USAGE, "--preshared-key-file and --new-preshared-key: give one of them");
    if (status == CLI_OK && shared_file)
        status = keys_read_shared(shared_file, shared);
    if (status != CLI_OK)
        return status;
    if (cli->options[CLI_OPTION_NEW_PRESHARED_KEY])
        keys_make_shared(shared);
    json_t *params =
        json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:o*, s:s*}", "name", cli->arguments[0], "group",
                  cli->options[CLI_OPTION_GROUP], "public_key", public_key, "address", cli->options[CLI_OPTION_ADDRESS],
                  "endpoint", cli->options[CLI_OPTION_ENDPOINT], "keepalive",
                  keepalive < 0 ? NULL : json_integer(keepalive), "preshared_key", shared[0] ? shared : NULL);
    keys_wipe(shared, sizeof(shared));
    if (!params)
        return cli_fail(CLI_USAGE, "an argument is no UTF-8");
    json_t *result = NULL;
    status = cli_call(cli, "peers.add", params, &result);
    if (status == CLI_OK && !cli->options[CLI_OPTION_NEW_KEY])
        cli_print_done(cli, result, "%s is added%s%s; its file: bypeer peer config %s", cli->arguments[0],
                       cli_text(result, "address")[0] ? " as " : "", cli_text(result, "address"), cli->arguments[0]);
    json_decref(result);
    return status;
}

int cli_run_peer_add(struct cli *cli)
{
    const char *public_key = cli->options[CLI_OPTION_PUBLIC_KEY];
    if ((public_key != NULL) == (cli->options[CLI_OPTION_NEW_KEY] != NULL))
        return cli_fail(CLI_USAGE, "peer add: give --public-key KEY that the peer made, or --new-key");
    if (public_key)
        return cli->options[CLI_OPTION_QR]
                   ? cli_fail(CLI_USAGE, "--qr: a code needs the private key; use --new-key, or peer config")
                   : add_peer(cli, public_key);
    struct keys keys;
    int status = keys_make(&keys);
    if (status == CLI_OK)
        status = add_peer(cli, keys.public_key);
    if (status == CLI_OK && (status = cli_show_peer_file(cli, cli->arguments[0], &keys)) != CLI_OK)
        fprintf(stderr, "bypeer: %s is added, and its key is lost; get another: bypeer peer config %s --new-key\n",
                cli->arguments[0], cli->arguments[0]);
    keys_wipe(&keys, sizeof(keys));
    return status;
}

/* The peer's key is lost, or somebody else has it: another one instead, which ends what runs by the old one. */
static int replace_key(struct cli *cli, struct keys *ret_keys)
{
    json_t *result = NULL;
    int status = keys_make(ret_keys);
    if (status != CLI_OK)
        return status;
    status = cli_call(cli, "peers.set_key",
                      json_pack("{s:s, s:s}", "name", cli->arguments[0], "public_key", ret_keys->public_key), &result);
    json_decref(result);
    return status;
}

int cli_run_peer_config(struct cli *cli)
{
    const char *file = cli->options[CLI_OPTION_PRIVATE_KEY_FILE];
    bool new_key = cli->options[CLI_OPTION_NEW_KEY] != NULL;
    struct keys keys;
    int status = CLI_OK;
    if (file && new_key)
        return cli_fail(CLI_USAGE, "--private-key-file and --new-key: give one of them");
    if (!file && !new_key)
        return cli->options[CLI_OPTION_QR]
                   ? cli_fail(CLI_USAGE, "--qr: a code needs the private key; use --private-key-file, or --new-key")
                   : cli_show_peer_file(cli, cli->arguments[0], NULL);
    status = file ? keys_read_private(file, &keys) : replace_key(cli, &keys);
    if (status == CLI_OK)
        status = cli_show_peer_file(cli, cli->arguments[0], &keys);
    keys_wipe(&keys, sizeof(keys));
    return status;
}

int cli_run_peer_remove(struct cli *cli)
{
    return cli_call_each(cli, "peers.remove", "name", "removed");
}
