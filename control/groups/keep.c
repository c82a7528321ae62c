/*
 * What of the groups is durable: rows and records in the database, the audit log, keys of groups in files.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/groups/state.h"
#include "control/secret_file.h"

/* --- records --- */

void joined_set_dirty(struct bypeer_joined *joined, const struct bypeer_guid *id)
{
    if (joined->dirty_count > 0 && bypeer_guid_is_equal(&joined->dirty[joined->dirty_count - 1], id))
        return;
    if (joined->dirty_count == joined->dirty_room) {
        size_t room = joined->dirty_room ? joined->dirty_room * 2 : 16;
        struct bypeer_guid *longer = realloc(joined->dirty, room * sizeof(*longer));
        if (!longer) {
            bypeer_log(BYPEER_LOG_ERROR, "group %s: no memory to note that a record changed: it is not durable",
                       joined->friendly);
            return;
        }
        joined->dirty = longer;
        joined->dirty_room = room;
    }
    joined->dirty[joined->dirty_count++] = *id;
}

static int keep_record(const struct bypeer_joined *joined, const struct bypeer_guid *id, struct bypeer_problem *problem)
{
    struct bypeer_store *store = joined->groups->node->store;
    const struct bypeer_record *record = bypeer_graph_find(joined->graph, id);
    if (!record)
        return bypeer_store_remove_record(store, joined->name_text, id->bytes, problem);
    size_t length = bypeer_record_bytes(record);
    uint8_t *bytes = malloc(length);
    if (!bytes)
        return bypeer_problem_no_memory(problem);
    long written = bypeer_record_write(record, bytes, length);
    int result = written < 0 ? bypeer_problem_set(problem, (int)written, "record", "a record\ncannot be written: %s\n",
                                                  strerror((int)-written))
                             : bypeer_store_put_record(store, joined->name_text, id->bytes,
                                                       record->flags & BYPEER_RECORD_AUTOREFRESH, bytes,
                                                       (size_t)written, problem);
    free(bytes);
    return result;
}

static int keep_joined(struct bypeer_joined *joined, struct bypeer_problem *problem)
{
    struct bypeer_store_joined row;
    int result = 0;
    if (!joined->is_stored)
        return 0;
    for (size_t at = 0; at < joined->dirty_count && result == 0; at++)
        result = keep_record(joined, &joined->dirty[at], problem);
    if (result < 0 || !joined->is_stale)
        return result;
    joined_row(joined, &row);
    return bypeer_store_put_joined(joined->groups->node->store, &row, problem);
}

static bool keep_is_clean(const struct bypeer_groups *groups)
{
    for (const struct bypeer_joined *joined = groups->joined; joined; joined = joined->next)
        if (joined->is_stored && (joined->dirty_count > 0 || joined->is_stale))
            return false;
    return groups->audit_count == 0 && !groups->issued;
}

int groups_flush(struct bypeer_groups *groups, struct bypeer_problem *problem)
{
    struct bypeer_store *store = groups->node->store;
    if (keep_is_clean(groups))
        return 0;
    int result = bypeer_store_begin(store, problem);
    for (struct bypeer_joined *joined = groups->joined; joined && result == 0; joined = joined->next)
        result = keep_joined(joined, problem);
    if (result == 0)
        result = groups_write_issued(groups, problem);
    for (unsigned at = 0; at < groups->audit_count && result == 0; at++)
        result = bypeer_store_put_audit(store, &groups->audit[at], problem);
    result = bypeer_store_end(store, result, problem);
    if (result < 0)
        return result;
    groups_free_issued(groups);
    groups->audit_count = 0;
    if (groups->audit_lost > 0)
        bypeer_log_limited(&groups->store_limit, BYPEER_LOG_WARNING,
                           "groups: %u entries of the audit log came faster than they were written, and are lost",
                           groups->audit_lost);
    groups->audit_lost = 0;
    for (struct bypeer_joined *joined = groups->joined; joined; joined = joined->next) {
        if (!joined->is_stored)
            continue;
        joined->dirty_count = 0;
        joined->is_stale = false;
    }
    return 0;
}

/* --- the audit log --- */

void bypeer_groups_audit(struct bypeer_groups *groups, const char *group, const char *action, const char *who,
                         const char *whom, const char *text)
{
    if (!groups->audit)
        groups->audit = calloc(GROUPS_AUDIT_PENDING, sizeof(*groups->audit));
    if (!groups->audit || groups->audit_count == GROUPS_AUDIT_PENDING) {
        groups->audit_lost++;
        return;
    }
    struct bypeer_store_audit *entry = &groups->audit[groups->audit_count++];
    *entry = (struct bypeer_store_audit){.time_s = (uint64_t)time(NULL)};
    snprintf(entry->group, sizeof(entry->group), "%s", group ? group : "");
    snprintf(entry->action, sizeof(entry->action), "%s", action);
    snprintf(entry->who, sizeof(entry->who), "%s", who ? who : "");
    snprintf(entry->whom, sizeof(entry->whom), "%s", whom ? whom : "");
    snprintf(entry->text, sizeof(entry->text), "%s", text ? text : "");
}

/* --- restoring --- */

struct keep_restoring {
    struct bypeer_joined *joined;
    struct bypeer_graph_time now;
    unsigned pass, refused;
};

/* A record is judged by what is known of its creator: revocations first, then memberships, then the rest. */
static unsigned keep_pass_of(const struct bypeer_record *record)
{
    if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_REVOCATION))
        return 0;
    if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_SECURITY))
        return 1;
    return bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_MEMBERSHIP) ? 2 : 3;
}

static int keep_on_record(void *context, uint32_t flags, const uint8_t *bytes, size_t length)
{
    struct keep_restoring *restoring = context;
    struct bypeer_record *record;
    int result = bypeer_record_read(&record, bytes, length);
    if (result == -ENOMEM)
        return result;
    if (result < 0) {
        restoring->refused += restoring->pass == 0 ? 1 : 0;
        return 0;
    }
    if (keep_pass_of(record) == restoring->pass) {
        record->flags |= flags & BYPEER_RECORD_AUTOREFRESH;
        result = bypeer_graph_restore(restoring->joined->graph, restoring->now, record);
        restoring->refused += result < 0 ? 1 : 0;
    }
    free(record);
    return 0;
}

int joined_restore(struct bypeer_joined *joined, struct bypeer_graph_time now, struct bypeer_problem *problem)
{
    struct keep_restoring restoring = {.joined = joined, .now = now};
    int result = 0;
    joined->is_restoring = true;
    for (; restoring.pass < 4 && result == 0; restoring.pass++)
        result = bypeer_store_each_record(joined->groups->node->store, joined->name_text, keep_on_record, &restoring,
                                          problem);
    joined->is_restoring = false;
    if (result == -ENOMEM)
        return bypeer_problem_no_memory(problem);
    if (restoring.refused > 0)
        bypeer_log(BYPEER_LOG_NOTICE, "group %s: %u records of the database count no more", joined->friendly,
                   restoring.refused);
    return result;
}

/* --- keys of groups --- */

struct keep_path {
    char all[300], own[360], file[400]; /* STATE/groups, STATE/groups/AUTHORITY, the file in it */
};

static void keep_find_path(const struct bypeer_groups *groups, const struct bypeer_peer_name *group,
                           struct keep_path *ret_path)
{
    char text[BYPEER_NAME_TEXT_MAX];
    bypeer_name_write(group, text);
    snprintf(ret_path->all, sizeof(ret_path->all), "%s/groups", groups->node->config->node.state);
    snprintf(ret_path->own, sizeof(ret_path->own), "%s/%.40s", ret_path->all, text);
    snprintf(ret_path->file, sizeof(ret_path->file), "%s/group.pem", ret_path->own);
}

static int keep_failed(const char *path, const char *what, int error, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, error, "group_key", "%.150s\ncannot be %s: %s\nlet the daemon's user do that",
                              path, what, strerror(-error));
}

int groups_read_key(const struct bypeer_groups *groups, const struct bypeer_profile *profile,
                    const struct bypeer_peer_name *group, struct bypeer_key **ret_key, struct bypeer_problem *problem)
{
    struct keep_path path;
    char text[BYPEER_KEY_TEXT_MAX];
    uint8_t authority[20];
    keep_find_path(groups, group, &path);
    long length = bypeer_secret_file_read(path.file, text, sizeof(text), NULL);
    if (length == -ENOENT)
        return -ENOENT;
    if (length < 0)
        return keep_failed(path.file, "read", (int)length, problem);
    struct bypeer_key *key;
    int result = bypeer_key_read(&key, profile, text, (size_t)length);
    explicit_bzero(text, sizeof(text));
    if (result == 0) {
        bypeer_key_authority(key, authority);
        if (memcmp(authority, group->authority, sizeof(authority)) == 0) {
            *ret_key = key;
            return 0;
        }
        bypeer_key_free(key);
    }
    return bypeer_problem_set(problem, -EBADMSG, "group_key",
                              "%.150s\nis not the key of its group\nrestore it from a backup, or remove it: then this "
                              "node is a member like others",
                              path.file);
}

int groups_write_key(const struct bypeer_groups *groups, const struct bypeer_peer_name *group,
                     const struct bypeer_key *key, struct bypeer_problem *problem)
{
    struct keep_path path;
    char text[BYPEER_KEY_TEXT_MAX];
    keep_find_path(groups, group, &path);
    int result = bypeer_key_write(key, text);
    if (result == 0)
        result = bypeer_secret_file_make_directory(groups->node->config->node.state, path.all);
    if (result == 0)
        result = bypeer_secret_file_make_directory(path.all, path.own);
    if (result == 0)
        result = bypeer_secret_file_write(path.own, path.file, text, strlen(text));
    explicit_bzero(text, sizeof(text));
    return result < 0 ? keep_failed(path.file, "written", result, problem) : 0;
}

bool groups_remove_key(const struct bypeer_groups *groups, const struct bypeer_peer_name *group)
{
    struct keep_path path;
    keep_find_path(groups, group, &path);
    bool is_removed = unlink(path.file) == 0;
    if (!is_removed && errno != ENOENT)
        bypeer_log(BYPEER_LOG_WARNING, "%s: cannot be removed: %s; remove it", path.file, strerror(errno));
    rmdir(path.own);
    return is_removed;
}
