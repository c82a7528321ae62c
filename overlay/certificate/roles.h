/*
 * Roles of a group's members ([MS-PPSEC] 3.1.4.1), as bits here and as UUIDs in certificates.
 *
 *   role           may issue                      classifiers that a membership gets
 *   administrator  all roles                      none listed: all
 *   inviting       inviting, member               participant
 *   member         nothing                        participant
 *   supernode      nothing by itself              of the role beside it
 *
 * The supernode is this program's own: its attachments count for other members. Only an administrator gives it; Windows
 * ignores its UUID. Threads: any; nothing here has state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BYPEER_ROLE_ADMINISTRATOR 1u
#define BYPEER_ROLE_INVITING      2u
#define BYPEER_ROLE_MEMBER        4u
#define BYPEER_ROLE_SUPERNODE     8u
#define BYPEER_ROLES_ALL          15u

#define BYPEER_ROLES_TEXT_MAX 48

/* Whether who has the roles issuer may give all of these. Nobody gives none at all. */
bool bypeer_roles_may_issue(uint32_t issuer, uint32_t roles);
/* One bit, of a UUID in text order or in that of Windows' memory; 0: a role that is not known here. */
uint32_t bypeer_role_of_uuid(const uint8_t uuid[static 16]);
/* The UUID of one bit, in text order; NULL: of no one role. */
const uint8_t *bypeer_role_uuid(uint32_t role);
/* "administrator", "inviting", "member" or "supernode", or several with commas between. 0 or -EINVAL. */
int bypeer_roles_read(uint32_t *ret_roles, const char *text);
void bypeer_roles_write(uint32_t roles, char ret_text[static BYPEER_ROLES_TEXT_MAX]);
