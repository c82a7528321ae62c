/*
 * WireGuard keys that are made here, for whoever leaves that to this program: the private one is shown once and kept
 * nowhere.
 */
#pragma once

#include "config/wireguard_key.h"

/* 0, or -EIO: there are no random numbers. */
int new_key_make(char ret_private[static BYPEER_WIREGUARD_KEY_TEXT], char ret_public[static BYPEER_WIREGUARD_KEY_TEXT]);
