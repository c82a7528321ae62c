#include "control/names/identities.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/secret_file.h"

static int identity_failed(const char *path, const char *what, int error, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, error, "identity", "%s\ncannot be %s: %s\nlet the daemon's user do that", path,
                              what, strerror(-error));
}

static int identity_read(struct bypeer_key **ret_key, const char *path, const struct bypeer_profile *profile,
                         struct bypeer_problem *problem)
{
    char text[BYPEER_KEY_TEXT_MAX];
    long length = bypeer_secret_file_read(path, text, sizeof(text), NULL);
    if (length == -ENOENT)
        return bypeer_problem_set(problem, -ENOENT, "no_such_identity",
                                  "%s\nis not there\npublish a name by its classifier to make it", path);
    if (length < 0)
        return identity_failed(path, "read", (int)length, problem);
    int result = bypeer_key_read(ret_key, profile, text, (size_t)length);
    explicit_bzero(text, sizeof(text));
    if (result < 0)
        return bypeer_problem_set(problem, result, "identity",
                                  "%s\nis no private key of profile %s\nrestore it from a backup; without it the names "
                                  "under it cannot be published again",
                                  path, profile->name);
    return 0;
}

static int identity_make(struct bypeer_key **ret_key, const char *state, const char *path,
                         const struct bypeer_profile *profile, struct bypeer_problem *problem)
{
    char directory[288], text[BYPEER_KEY_TEXT_MAX];
    struct bypeer_key *key;
    snprintf(directory, sizeof(directory), "%s/identities", state);
    int result = bypeer_key_generate(&key, profile);
    if (result < 0)
        return identity_failed(path, "made", result, problem);
    result = bypeer_key_write(key, text);
    if (result == 0)
        result = bypeer_secret_file_make_directory(state, directory);
    if (result == 0)
        result = bypeer_secret_file_write(directory, path, text, strlen(text));
    explicit_bzero(text, sizeof(text));
    if (result < 0) {
        bypeer_key_free(key);
        return identity_failed(path, "written", result, problem);
    }
    *ret_key = key;
    return 0;
}

int bypeer_identity_load(struct bypeer_key **ret_key, const char *state, const struct bypeer_profile *profile,
                         bool make, struct bypeer_problem *problem)
{
    char path[320];
    snprintf(path, sizeof(path), "%s/identities/default.%s.pem", state, profile->name);
    int result = identity_read(ret_key, path, profile, problem);
    return result == -ENOENT && make ? identity_make(ret_key, state, path, profile, problem) : result;
}
