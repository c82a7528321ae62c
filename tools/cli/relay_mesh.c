/* bypeer relay mesh and add: members who come, a file for each of them, and what the others add to theirs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli/cli.h"
#include "tools/cli/new_key.h"
#include "tools/cli/relay_file.h"

#define MESH_MAX  300   /* members of one relays.mesh */
#define PAIRS_MAX 50000 /* of one relays.load */

#define INTERFACE_MAX        15
#define INTERFACE_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=+.-"

struct comer {
    char name[64];
    bool is_new; /* and gets a file; a WireGuard peer of the node has one already */
    char public_key[BYPEER_WIREGUARD_KEY_TEXT], private_key[BYPEER_WIREGUARD_KEY_TEXT]; /* "": none was given */
    char address[64];
    char file[512];
    FILE *out; /* of a new one: made before anything else, so that no key is lost for want of a place */
};

struct mesh {
    struct cli *cli;
    struct comer *comers;
    unsigned count;
    const char *directory;
    json_int_t members, pairs, since; /* that came of it */
    json_t *changes, *files;          /* for JSON */
};

/* --- who comes --- */

/* "NAME", "NAME=KEY" or "NAME=KEY@ADDRESS". */
static int read_comer(const char *text, struct comer *comer)
{
    size_t name = strcspn(text, "=");
    const char *key = text[name] ? text + name + 1 : "";
    size_t key_bytes = strcspn(key, "@");
    const char *address = key[key_bytes] ? key + key_bytes + 1 : "";
    uint8_t bytes[BYPEER_WIREGUARD_KEY_BYTES];
    if (name == 0 || name >= sizeof(comer->name) || memchr(text, '/', name) ||
        strlen(address) >= sizeof(comer->address))
        return cli_fail(CLI_USAGE, "%s: is no member; write NAME, NAME=KEY or NAME=KEY@ADDRESS", text);
    snprintf(comer->name, sizeof(comer->name), "%.*s", (int)name, text);
    if (*key) {
        if (key_bytes >= sizeof(comer->public_key))
            return cli_fail(CLI_USAGE, "%s: the key is too long; write 44 characters of base64", comer->name);
        snprintf(comer->public_key, sizeof(comer->public_key), "%.*s", (int)key_bytes, key);
        if (!bypeer_wireguard_key_read(comer->public_key, bytes))
            return cli_fail(CLI_USAGE,
                            "%s: the key is no WireGuard key; write 44 characters of base64, as wg pubkey "
                            "prints them",
                            comer->name);
    }
    snprintf(comer->address, sizeof(comer->address), "%s", address);
    return CLI_OK;
}

/* Whether the node has somebody of that name; refusal is the key of its answer if it has not. */
static int ask_for(struct cli *cli, const char *method, const char *name, const char *refusal, bool *ret_found)
{
    json_t *found = NULL, *params = json_pack("{s:s}", "name", name);
    int status = cli_connect(cli);
    if (status != CLI_OK || !params) {
        json_decref(params);
        return status != CLI_OK ? status : cli_fail(CLI_USAGE, "a name is no UTF-8");
    }
    int error = bypeer_call(cli->node, method, params, &found);
    const char *key = json_string_value(json_object_get(bypeer_error_data(cli->node), "key"));
    json_decref(found);
    *ret_found = error == 0;
    return error && !(error == -EREMOTEIO && key && strcmp(key, refusal) == 0) ? cli_call_failed(cli, error) : CLI_OK;
}

static int find_comer(struct cli *cli, struct comer *comer)
{
    bool is_member = false, is_peer = false;
    int status = ask_for(cli, "relays.config", comer->name, "no_such_member", &is_member);
    if (status == CLI_OK && !is_member)
        status = ask_for(cli, "peers.show", comer->name, "no_such_peer", &is_peer);
    comer->is_new = !is_member && !is_peer;
    return status;
}

static int name_file(const struct mesh *mesh, struct comer *comer)
{
    int length = snprintf(comer->file, sizeof(comer->file), "%s/%s.conf", mesh->directory, comer->name);
    if (length < 0 || (size_t)length >= sizeof(comer->file))
        return cli_fail(CLI_USAGE, "--directory: the path is too long for the file of %s; use a shorter one",
                        comer->name);
    return CLI_OK;
}

static int open_file(const struct mesh *mesh, struct comer *comer)
{
    int status = name_file(mesh, comer);
    if (status != CLI_OK || !comer->is_new)
        return status;
    /* wg-quick makes the interface's name of the file's. */
    if (strlen(comer->name) > INTERFACE_MAX || comer->name[strspn(comer->name, INTERFACE_CHARACTERS)])
        return cli_fail(CLI_USAGE,
                        "%s: wg-quick takes no file of this name; use at most %d letters, digits or any of _=+.-",
                        comer->name, INTERFACE_MAX);
    int fd = open(comer->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    comer->out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (comer->out)
        return CLI_OK;
    return cli_fail(CLI_FAILED, "%s: %s; use another --directory", comer->file, strerror(errno));
}

static int meet_comer(const struct mesh *mesh, struct comer *comer)
{
    int status = find_comer(mesh->cli, comer);
    if (status == CLI_OK && comer->is_new && !comer->public_key[0] && mesh->cli->options[CLI_OPTION_NEW_KEY] &&
        new_key_make(comer->private_key, comer->public_key) < 0)
        status = cli_fail(CLI_FAILED, "there are no random numbers for a key");
    return status == CLI_OK ? open_file(mesh, comer) : status;
}

/* --- the calls --- */

static json_t *describe_comer(const struct comer *comer)
{
    return json_pack("{s:s, s:s*, s:s*}", "name", comer->name, "public_key",
                     comer->public_key[0] ? comer->public_key : NULL, "address",
                     comer->address[0] ? comer->address : NULL);
}

static json_t *describe_comers(const struct mesh *mesh)
{
    json_t *members = json_array();
    for (unsigned i = 0; i < mesh->count; i++)
        json_array_append_new(members, describe_comer(&mesh->comers[i]));
    return members;
}

/* Calls a method with what all of them take besides; params is used up. */
static int join(struct mesh *mesh, const char *method, json_t *params)
{
    long lifetime;
    json_t *result = NULL;
    int status = cli_lifetime(mesh->cli, CLI_OPTION_EXPIRES, &lifetime);
    if (status != CLI_OK || !params) {
        json_decref(params);
        return status != CLI_OK ? status : cli_fail(CLI_USAGE, "an argument is no UTF-8");
    }
    if (mesh->cli->options[CLI_OPTION_GROUP])
        json_object_set_new(params, "group", json_string(mesh->cli->options[CLI_OPTION_GROUP]));
    if (lifetime >= 0)
        json_object_set_new(params, "lifetime_s", json_integer(lifetime));
    if (mesh->cli->options[CLI_OPTION_IPV4])
        json_object_set_new(params, "ipv4", json_true());
    status = cli_call(mesh->cli, method, params, &result);
    if (status == CLI_OK) {
        mesh->members += cli_integer(result, "members");
        mesh->pairs += cli_integer(result, "pairs");
        mesh->since = mesh->since ? mesh->since : cli_integer(result, "serial");
    }
    json_decref(result);
    return status;
}

static int join_slice(struct mesh *mesh, json_t *members, json_t *pairs)
{
    return join(mesh, "relays.load", json_pack("{s:O, s:O}", "members", members, "pairs", pairs));
}

/* More than fit one call: the members with the first pairs, then the other pairs. */
static int join_slices(struct mesh *mesh)
{
    json_t *members = describe_comers(mesh), *pairs = json_array();
    int status = CLI_OK;
    for (unsigned one = 0; one < mesh->count && status == CLI_OK; one++) {
        for (unsigned other = one + 1; other < mesh->count && status == CLI_OK; other++) {
            json_array_append_new(pairs, json_pack("[s, s]", mesh->comers[one].name, mesh->comers[other].name));
            if (json_array_size(pairs) < PAIRS_MAX)
                continue;
            status = join_slice(mesh, members, pairs);
            json_array_clear(members);
            json_array_clear(pairs);
        }
    }
    if (status == CLI_OK)
        status = join_slice(mesh, members, pairs);
    json_decref(members);
    json_decref(pairs);
    return status;
}

/* --- what comes of it --- */

static char *written(const json_t *member, json_int_t since, const char *file)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    if (file)
        relay_file_write_diff(out, member, since, file);
    else
        relay_file_write_addconf(out, member, since);
    fclose(out);
    return text;
}

/* To one who was there before: what he adds. */
static void tell_change(struct mesh *mesh, const struct comer *comer, const json_t *member)
{
    char *diff = written(member, mesh->since, comer->file), *addconf = written(member, mesh->since, NULL);
    if (mesh->cli->json)
        json_array_append_new(mesh->changes, json_pack("{s:s, s:s, s:s}", "name", comer->name, "diff", diff ? diff : "",
                                                       "addconf", addconf ? addconf : ""));
    else
        printf("%s adds to the file:\n\n%s\nor while it is up:\n\n%s\n", comer->name, diff ? diff : "",
               addconf ? addconf : "");
    free(diff);
    free(addconf);
}

static int write_file(struct mesh *mesh, struct comer *comer, const json_t *member)
{
    relay_file_write(comer->out, member, comer->private_key[0] ? comer->private_key : NULL);
    bool failed = ferror(comer->out);
    failed = fclose(comer->out) != 0 || failed;
    comer->out = NULL;
    if (failed)
        return cli_fail(CLI_FAILED, "%s: cannot be written; remove the member and add it again", comer->file);
    json_array_append_new(mesh->files, json_string(comer->file));
    if (!mesh->cli->json)
        printf("%s is written%s\n", comer->file,
               comer->private_key[0] ? ", with a private key that is kept nowhere else" : "");
    return CLI_OK;
}

static int tell_comer(struct mesh *mesh, struct comer *comer)
{
    json_t *member = NULL;
    int status = cli_call(mesh->cli, "relays.config", json_pack("{s:s}", "name", comer->name), &member);
    if (status != CLI_OK && comer->is_new)
        cli_fail(status, "%s: gets no file; remove the member and add it again", comer->name);
    if (status == CLI_OK && comer->is_new)
        status = write_file(mesh, comer, member);
    else if (status == CLI_OK && mesh->since && relay_file_has_news(member, mesh->since))
        tell_change(mesh, comer, member);
    json_decref(member);
    return status;
}

static int tell(struct mesh *mesh)
{
    int status = CLI_OK;
    mesh->changes = json_array();
    mesh->files = json_array();
    for (unsigned i = 0; i < mesh->count; i++) { /* one whose file fails costs the others nothing */
        int result = tell_comer(mesh, &mesh->comers[i]);
        status = result != CLI_OK ? result : status;
    }
    if (status == CLI_OK) {
        json_t *result = json_pack("{s:I, s:I, s:O, s:O}", "members", mesh->members, "pairs", mesh->pairs, "files",
                                   mesh->files, "changes", mesh->changes);
        cli_print_done(mesh->cli, result, "new: %lld %s, %lld %s", (long long)mesh->members,
                       mesh->members == 1 ? "member" : "members", (long long)mesh->pairs,
                       mesh->pairs == 1 ? "pair" : "pairs");
        json_decref(result);
    }
    json_decref(mesh->changes);
    json_decref(mesh->files);
    return status;
}

static void end_mesh(struct mesh *mesh)
{
    for (unsigned i = 0; i < mesh->count; i++) {
        struct comer *comer = &mesh->comers[i];
        if (comer->out) { /* nothing came of it */
            fclose(comer->out);
            unlink(comer->file);
        }
        explicit_bzero(comer->private_key, sizeof(comer->private_key));
    }
    free(mesh->comers);
}

static int begin_mesh(struct mesh *mesh, struct cli *cli, unsigned room)
{
    *mesh = (struct mesh){.cli = cli, .comers = calloc(room, sizeof(*mesh->comers))};
    mesh->directory = cli->options[CLI_OPTION_DIRECTORY] ? cli->options[CLI_OPTION_DIRECTORY] : ".";
    return mesh->comers ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

int cli_run_relay_mesh(struct cli *cli)
{
    struct mesh mesh;
    int status = begin_mesh(&mesh, cli, cli->argument_count);
    for (; status == CLI_OK && mesh.count < cli->argument_count; mesh.count++) {
        status = read_comer(cli->arguments[mesh.count], &mesh.comers[mesh.count]);
        if (status == CLI_OK)
            status = meet_comer(&mesh, &mesh.comers[mesh.count]);
    }
    if (status == CLI_OK && mesh.count <= MESH_MAX)
        status = join(&mesh, "relays.mesh", json_pack("{s:o}", "members", describe_comers(&mesh)));
    else if (status == CLI_OK)
        status = join_slices(&mesh);
    if (status == CLI_OK)
        status = tell(&mesh);
    end_mesh(&mesh);
    return status;
}

/* Those whom a later one is a pair with, from his side of the result. */
static int take_partners(struct mesh *mesh)
{
    json_t *member = NULL;
    size_t i;
    json_t *peer;
    int status = cli_call(mesh->cli, "relays.config", json_pack("{s:s}", "name", mesh->comers[0].name), &member);
    const json_t *peers = json_object_get(member, "peers");
    struct comer *grown =
        status == CLI_OK ? realloc(mesh->comers, (1 + json_array_size(peers)) * sizeof(*mesh->comers)) : NULL;
    if (status == CLI_OK && !grown)
        status = cli_fail(CLI_FAILED, "out of memory");
    mesh->comers = grown ? grown : mesh->comers;
    json_array_foreach (peers, i, peer) {
        if (status != CLI_OK || cli_integer(peer, "serial") < mesh->since)
            continue;
        struct comer *partner = &mesh->comers[mesh->count++];
        *partner = (struct comer){0};
        snprintf(partner->name, sizeof(partner->name), "%s", cli_text(peer, "name"));
        status = name_file(mesh, partner);
    }
    json_decref(member);
    return status;
}

int cli_run_relay_add(struct cli *cli)
{
    struct mesh mesh;
    int status = begin_mesh(&mesh, cli, 1);
    if (status == CLI_OK) {
        mesh.count = 1;
        status = read_comer(cli->arguments[0], &mesh.comers[0]);
    }
    if (status == CLI_OK)
        status = meet_comer(&mesh, &mesh.comers[0]);
    if (status == CLI_OK) {
        json_t *params = describe_comer(&mesh.comers[0]);
        if (params && cli->options[CLI_OPTION_WITH])
            json_object_set_new(params, "with", cli_values(cli, CLI_OPTION_WITH));
        status = join(&mesh, "relays.add", params);
    }
    if (status == CLI_OK && mesh.since)
        status = take_partners(&mesh);
    if (status == CLI_OK)
        status = tell(&mesh);
    end_mesh(&mesh);
    return status;
}
