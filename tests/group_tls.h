/*
 * TLS that is played: each side's certificate, one byte for Finished, and then in the clear what would be encrypted.
 */
#pragma once

#include "overlay/certificate/certificate.h"
#include "overlay/group/tls.h"

/* Shows *idc, as it is when a session begins. */
struct bypeer_group_tls group_tls(struct bypeer_certificate **idc);
