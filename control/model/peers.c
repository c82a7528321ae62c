/*
 * WireGuard peers: links with a key, which come from anywhere; mostly with one member behind them, the peer itself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "control/model/entries.h"
#include "control/secret_file.h"
#include "overlay/profile/profile.h"

void bypeer_model_default_address(const struct bypeer_model_group *group, const uint8_t public_key[static 32],
                                  uint8_t ret_address[static 16])
{
    const struct bypeer_piece pieces[] = {{group->prefix, sizeof(group->prefix)}, {public_key, 32}};
    uint8_t hash[20];
    bypeer_profile_hash(bypeer_profile(BYPEER_PROFILE_MODERN), pieces, 2, hash);
    memcpy(ret_address, group->prefix, 6);
    memcpy(ret_address + 6, hash, 10);
}

void model_set_key(struct bypeer_model_link *link, const uint8_t public_key[static 32])
{
    memcpy(link->public_key, public_key, sizeof(link->public_key));
    bypeer_wireguard_key_write(public_key, link->key_text);
}

int model_read_preshared(const char *file, uint8_t ret_key[static 32], struct bypeer_problem *problem)
{
    char text[BYPEER_WIREGUARD_KEY_TEXT + 2] = "";
    unsigned mode = 0;
    long length = bypeer_secret_file_read(file, text, sizeof(text) - 1, &mode);
    if (length < 0)
        return bypeer_problem_set(problem, (int)length, "no_preshared_key",
                                  "%.120s\nthe preshared key in it cannot be read: %s\nlet this user read it", file,
                                  strerror((int)-length));
    text[strcspn(text, "\r\n")] = '\0';
    bool good = bypeer_wireguard_key_read(text, ret_key);
    explicit_bzero(text, sizeof(text));
    if (mode & 077)
        return bypeer_problem_set(problem, -EACCES, "open_file",
                                  "%.120s\nothers may read the preshared key in it\nchmod 600, and use another key",
                                  file);
    return good ? 0
                : bypeer_problem_set(problem, -EINVAL, "bad_key",
                                     "%.120s\nholds no key\nwrite what `wg genpsk` gives into it", file);
}

const struct bypeer_model_link *bypeer_model_find_peer(const struct bypeer_model *model, const char *key_text)
{
    return model_link(model, bypeer_ids_find(&model->peer_keys, key_text));
}

int model_key_exists(const struct bypeer_model_link *link, const struct bypeer_model_link *other,
                     struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, -EEXIST, "key_exists",
                              "peer \"%s\"\npeer \"%s\" has its public key already\neach peer has a key of its own",
                              link->name, other->name);
}

int model_holds_own_address(struct bypeer_model *model, const struct bypeer_model_link *link,
                            struct bypeer_problem *problem)
{
    uint32_t stored = 0;
    if (!link->wireguard || !link->has_address)
        return 0;
    int found = bypeer_store_find_member(model->store, link->address, &stored, problem);
    return found < 0 ? found : found == 1 && stored == link->id;
}

/* --- by API --- */

static int peers_check_address(const struct bypeer_model *model, const struct bypeer_model_link *link,
                               struct bypeer_problem *problem)
{
    char text[INET6_ADDRSTRLEN];
    const struct bypeer_destination *there = bypeer_writer_find_destination(model->writer, link->address);
    const char *remedy = "choose another address, or remove that member first";
    const char *wrong = model_member_is_wrong(model, link, link->address, &remedy);
    if (!wrong && (!there || there->link == link->id))
        return 0;
    inet_ntop(AF_INET6, link->address, text, sizeof(text));
    return bypeer_problem_set(problem, wrong ? -EINVAL : -EEXIST, wrong ? "bad_member" : "member_exists",
                              "peer \"%s\"\nits address %s %s\n%s", link->name, text,
                              wrong ? wrong : "is a member already", remedy);
}

/* Into the present transaction and the tables; what fails is as before. */
static int peers_start(struct bypeer_model *model, struct bypeer_model_link *link, struct bypeer_problem *problem)
{
    int result = model_check_link_fits(model, link, problem);
    if (result == 0 && link->has_address)
        result = peers_check_address(model, link, problem);
    if (result == 0)
        result = model_make_link_durable(model, link, problem);
    if (result == 0 && link->has_address)
        result = model_forget_kept_member(model, link->address, problem);
    if (result == 0 && link->has_address)
        result = bypeer_store_put_member(model->store, link->address, link->id, problem);
    if (result == 0)
        result = model_start_link(model, link, problem);
    if (result == 0 && link->has_address)
        result = model_put_member(model, link->address, link, 0, problem);
    return result;
}

static void peers_undo(struct bypeer_model *model, struct bypeer_model_link *link)
{
    const struct bypeer_destination *there = bypeer_writer_find_destination(model->writer, link->address);
    if (link->has_address && there && there->link == link->id)
        model_take_member(model, link->address);
    model_stop_link(model, link);
    link->stored = false;
    if (link->kept == 0)
        model_drop_link(model, link);
}

static int peers_add(struct bypeer_model *model, const struct bypeer_model_peer *peer, struct bypeer_problem *problem)
{
    int result = model_check_link(&peer->link, problem);
    if (result < 0)
        return result;
    const struct bypeer_model_group *group = model_find_group(model, peer->group);
    if (!group || !group->live)
        return bypeer_problem_set(problem, -ENOENT, "no_such_group",
                                  "group \"%s\"\ndoes not exist\nlist the groups with: bypeer groups", peer->group);
    if (group->followed)
        return model_refuse_followed("group", peer->group, problem);
    struct bypeer_model_link *link = model_find_link(model, peer->link.name);
    if (link && (link->live || link->stored))
        return bypeer_problem_set(problem, -EEXIST, "peer_exists",
                                  "peer \"%s\"\na %s has its name already%s\nchoose another name, or remove it first",
                                  link->name, link->wireguard ? "peer" : "link",
                                  link->line ? ", in the configuration file" : "");
    if (!link && !(link = model_new_link(model, 0, peer->link.name)))
        return bypeer_problem_no_memory(problem);
    model_define_link(link, &peer->link);
    link->group = group->id;
    link->stored = true;
    result = peers_start(model, link, problem);
    if (result < 0)
        peers_undo(model, link);
    return result;
}

int bypeer_model_add_peers(struct bypeer_model *model, const struct bypeer_model_peer *peers, size_t count,
                           struct bypeer_problem *problem)
{
    int result = model_reserve(model, count, count, problem);
    if (result < 0)
        return result;
    result = bypeer_store_begin(model->store, problem);
    size_t added = 0;
    while (result == 0 && added < count) {
        result = peers_add(model, &peers[added], problem);
        added += result == 0;
    }
    result = bypeer_store_end(model->store, result, problem);
    if (result < 0) {
        while (added-- > 0)
            peers_undo(model, model_find_link(model, peers[added].link.name));
        return result;
    }
    return model->kept > 0 ? model_wake(model, NULL, NULL, problem) : 0;
}

int bypeer_model_set_peer_key(struct bypeer_model *model, const char *name, const uint8_t public_key[static 32],
                              struct bypeer_problem *problem)
{
    struct bypeer_model_link *link = model_find_link(model, name);
    if (!link || !link->live || !link->wireguard)
        return bypeer_problem_set(problem, -ENOENT, "no_such_peer",
                                  "peer \"%.64s\"\ndoes not exist\nlist the peers with: bypeer peer", name);
    if (link->line)
        return bypeer_problem_set(problem, -EPERM, "configured",
                                  "peer \"%s\"\nis in line %u of the configuration file\nchange it there and reload",
                                  name, link->line);
    if (link->followed)
        return model_refuse_followed("peer", name, problem);
    char text[BYPEER_WIREGUARD_KEY_TEXT];
    bypeer_wireguard_key_write(public_key, text);
    const struct bypeer_model_link *other = bypeer_model_find_peer(model, text);
    if (other == link)
        return 0;
    if (other)
        return model_key_exists(link, other, problem);
    struct bypeer_model_link before = *link;
    model_stop_link(model, link);
    model_set_key(link, public_key);
    int result = model_make_link_durable(model, link, problem);
    if (result < 0) { /* as it was, but for its session */
        link->serial = before.serial;
        model_set_key(link, before.public_key);
    }
    int started = model_start_link(model, link, result < 0 ? NULL : problem);
    return result < 0 ? result : started;
}

/* --- by the engine of handshakes --- */

static struct bypeer_model_link *peers_live(const struct bypeer_model *model, uint32_t id)
{
    struct bypeer_model_link *link = model_link(model, id);
    return link && link->live && link->wireguard ? link : NULL;
}

int bypeer_model_set_endpoint(struct bypeer_model *model, uint32_t id, const uint8_t address[static 16], uint16_t port,
                              const uint8_t *local)
{
    struct bypeer_model_link *link = peers_live(model, id);
    if (!link)
        return -ENOENT;
    memcpy(link->peer, address, 16);
    link->peer_port = port;
    link->has_local = local != NULL;
    if (local)
        memcpy(link->local_address, local, 16);
    int result = model_refresh_link(model, link, NULL);
    if (model->hooks.link_changed)
        model->hooks.link_changed(model->hooks.entries_context, link, false);
    return result;
}

int bypeer_model_set_sessions(struct bypeer_model *model, uint32_t id, uint32_t current, uint32_t next)
{
    struct bypeer_model_link *link = peers_live(model, id);
    if (!link)
        return -ENOENT;
    link->current = current;
    link->next = next;
    return model_refresh_link(model, link, NULL);
}
