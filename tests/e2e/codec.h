/*
 * What the node's code makes of bytes that another implementation wrote: a program of codec.c and one file for each
 * protocol. It reads lines "PROFILE WHAT HEX", and prints of each what it was read as, or "refused" and the error.
 */
#pragma once

#include "overlay/profile/profile.h"

/* Of each protocol's file: prints one line. bytes are a piece of memory of their own, so that a sanitizer sees what is
 * read beyond them. Negative: refused, and nothing is printed. */
int codec_print(const struct bypeer_profile *profile, const char *what, const uint8_t *bytes, size_t length);
