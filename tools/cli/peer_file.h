/* The file that configures a peer's own WireGuard, as wg-quick(8) and the clients of phones and desktops read it. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* from: what peers.config answers. private_key: NULL: the peer has it, and the line is left to him. */
void peer_file_print(FILE *out, const json_t *from, const char *private_key);

/* Asks the daemon for what the peer's file says, and prints it as --qr and -o json say. keys: NULL: without its private
 * key. A status. */
struct cli;
struct keys;
int cli_show_peer_file(struct cli *cli, const char *name, const struct keys *keys);
