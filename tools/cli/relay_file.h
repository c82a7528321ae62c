/*
 * What a member of relay links puts into his WireGuard: a wg-quick file, or what a later partner adds to it. All of it
 * comes from the result of relays.config.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* The whole file. private_key NULL: he has it in a file of his own, which the text names. */
void relay_file_write(FILE *out, const json_t *member, const char *private_key);

/*
 * A unified diff that adds the sections of partners from since on to file, named so in it. Where there is no such file,
 * to the one that was written when the partners before them came; of a WireGuard peer of the node, the sections alone.
 */
void relay_file_write_diff(FILE *out, const json_t *member, json_int_t since, const char *file);
/* Shell lines that tell a running interface of them. */
void relay_file_write_addconf(FILE *out, const json_t *member, json_int_t since);
/* Whether he has partners from since on. */
bool relay_file_has_news(const json_t *member, json_int_t since);
