#include "control/names/identities.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int identity_failed(const char *path, const char *what, int error, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, error, "identity", "%s\ncannot be %s: %s\nlet the daemon's user do that", path,
                              what, strerror(-error));
}

static int identity_read(struct bypeer_key **ret_key, const char *path, const struct bypeer_profile *profile,
                         struct bypeer_problem *problem)
{
    char text[BYPEER_KEY_TEXT_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return bypeer_problem_set(problem, -ENOENT, "no_such_identity",
                                  "%s\nis not there\npublish a name by its classifier to make it", path);
    if (fd < 0)
        return identity_failed(path, "read", -errno, problem);
    ssize_t length = read(fd, text, sizeof(text));
    int result = length < 0 ? -errno : 0;
    close(fd);
    if (result < 0)
        return identity_failed(path, "read", result, problem);
    result = bypeer_key_read(ret_key, profile, text, (size_t)length);
    explicit_bzero(text, sizeof(text));
    if (result < 0)
        return bypeer_problem_set(problem, result, "identity",
                                  "%s\nis no private key of profile %s\nrestore it from a backup; without it the names "
                                  "under it cannot be published again",
                                  path, profile->name);
    return 0;
}

static int identity_sync(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    int result = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return result;
}

static int identity_write(const char *path, const char *text, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int result = 0;
    if (fchmod(fd, 0600) < 0)
        result = -errno;
    while (result == 0 && length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            result = -errno;
            break;
        }
        text += written;
        length -= (size_t)written;
    }
    if (result == 0 && fsync(fd) < 0)
        result = -errno;
    close(fd);
    return result;
}

/* There, and still there when the power fails. */
static int identity_make_directory(const char *state, const char *directory)
{
    if (mkdir(directory, 0700) == 0)
        return identity_sync(state, O_RDONLY | O_DIRECTORY);
    return errno == EEXIST ? 0 : -errno;
}

static int identity_make(struct bypeer_key **ret_key, const char *state, const char *path,
                         const struct bypeer_profile *profile, struct bypeer_problem *problem)
{
    char directory[288], beside[328], text[BYPEER_KEY_TEXT_MAX];
    struct bypeer_key *key;
    snprintf(directory, sizeof(directory), "%s/identities", state);
    snprintf(beside, sizeof(beside), "%s.new", path);
    int result = bypeer_key_generate(&key, profile);
    if (result < 0)
        return identity_failed(path, "made", result, problem);
    result = bypeer_key_write(key, text);
    if (result == 0)
        result = identity_make_directory(state, directory);
    if (result == 0)
        result = identity_write(beside, text, strlen(text));
    explicit_bzero(text, sizeof(text));
    if (result == 0 && rename(beside, path) < 0)
        result = -errno;
    if (result == 0)
        result = identity_sync(directory, O_RDONLY | O_DIRECTORY);
    if (result < 0) {
        unlink(beside);
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
