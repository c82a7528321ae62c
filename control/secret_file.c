#include "control/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int secret_sync(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    int result = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return result;
}

static int secret_fill(const char *path, const char *text, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int result = fchmod(fd, 0600) < 0 ? -errno : 0;
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

int bypeer_secret_file_write(const char *directory, const char *path, const char *text, size_t length)
{
    char beside[PATH_MAX];
    if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside))
        return -ENAMETOOLONG;
    int result = secret_fill(beside, text, length);
    if (result == 0 && rename(beside, path) < 0)
        result = -errno;
    if (result == 0)
        return secret_sync(directory, O_RDONLY | O_DIRECTORY);
    unlink(beside);
    return result;
}

int bypeer_secret_file_make_directory(const char *parent, const char *directory)
{
    if (mkdir(directory, 0700) == 0)
        return secret_sync(parent, O_RDONLY | O_DIRECTORY);
    return errno == EEXIST ? 0 : -errno;
}

long bypeer_secret_file_read(const char *path, char *ret_text, size_t room, unsigned *ret_mode)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    long result = fstat(fd, &status) < 0 ? -errno : 0;
    if (result == 0)
        result = read(fd, ret_text, room);
    if (result < 0)
        result = -errno;
    else if (ret_mode)
        *ret_mode = status.st_mode & 07777;
    close(fd);
    return result;
}
