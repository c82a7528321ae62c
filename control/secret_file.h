/*
 * Files with private keys: durable, for their owner alone.
 *
 * Thread: any.
 */
#pragma once

#include <stddef.h>

/* Writes the file anew, mode 0600: whole and safe from a power failure when 0 is returned, else as it was. directory is
 * the one that it lies in. */
int bypeer_secret_file_write(const char *directory, const char *path, const char *text, size_t length);
/* Makes a directory in another one, mode 0700; it may be there already. */
int bypeer_secret_file_make_directory(const char *parent, const char *directory);
/* Reads up to room bytes; returns how many. *ret_mode: who else may read it, may be NULL. Negative errno. */
long bypeer_secret_file_read(const char *path, char *ret_text, size_t room, unsigned *ret_mode);
