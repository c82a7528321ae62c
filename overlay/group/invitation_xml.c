#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/group/invitation_form.h"

#define ROOT      "PEERINVITATION"
#define SEED_TEXT (INET6_ADDRSTRLEN + sizeof("[]:65535"))

static const char *const scopes[] = {[1] = "GLOBAL", [2] = "SITELOCAL", [3] = "LINKLOCAL"};

static const char *xml_text(const struct bypeer_xml *xml, const char *name)
{
    const struct bypeer_xml_child *child = bypeer_xml_find(xml, name);
    return child ? child->text : "";
}

/* "[address]:port" */
static int xml_take_seed(struct bypeer_invitation *invitation, const char *text)
{
    char address[INET6_ADDRSTRLEN];
    unsigned port;
    int end = 0;
    unsigned at = invitation->seed_count;
    if (at == BYPEER_INVITATION_SEEDS_MAX || sscanf(text, "[%45[0-9a-fA-F:.]]:%5u%n", address, &port, &end) != 2 ||
        text[end] != '\0' || port == 0 || port > UINT16_MAX ||
        inet_pton(AF_INET6, address, invitation->seeds[at].address) != 1)
        return -EINVAL;
    invitation->seeds[at].port = (uint16_t)port;
    invitation->seed_count++;
    return 0;
}

int invitation_take_place(struct bypeer_invitation *invitation, const struct bypeer_xml *xml, char why[static 160])
{
    const char *scope = xml_text(xml, "SCOPE");
    invitation->scope = 0;
    for (size_t at = 1; at < sizeof(scopes) / sizeof(*scopes); at++)
        if (strcmp(scope, scopes[at]) == 0)
            invitation->scope = (uint8_t)at;
    const char *cloud = xml_text(xml, "CLOUDNAME");
    if (invitation->scope == 0)
        return invitation_refuse(why, "its SCOPE is none of GLOBAL, SITELOCAL and LINKLOCAL");
    if (strlen(cloud) > BYPEER_INVITATION_CLOUD_MAX)
        return invitation_refuse(why, "its CLOUDNAME is too long");
    snprintf(invitation->cloud, sizeof(invitation->cloud), "%s", cloud);
    invitation->is_private_cloud = strcmp(xml_text(xml, "CLOUDFLAGS"), "1") == 0;
    for (size_t at = 0; at < xml->count; at++)
        if (strcmp(xml->children[at].name, "SEED") == 0 && xml_take_seed(invitation, xml->children[at].text))
            return invitation_refuse(why, "a SEED of it is no [address]:port, or the fifth");
    return 0;
}

int invitation_take_gmc(struct bypeer_invitation *invitation, const struct bypeer_profile *profile,
                        const struct bypeer_xml_child *child, char why[static 160])
{
    int status = bypeer_xml_bytes(child, &invitation->chain, &invitation->chain_bytes);
    if (status == -ENOMEM)
        return status;
    if (status || invitation->chain_bytes > BYPEER_INVITATION_CHAIN_MAX)
        return invitation_refuse(why, "its GMC is no base64, or too long");
    return invitation_take_chain(invitation, profile, why);
}

static int xml_take(struct bypeer_invitation *invitation, const struct bypeer_profile *profile,
                    const struct bypeer_xml *xml, char why[static 160])
{
    int status = invitation_take_place(invitation, xml, why);
    if (status)
        return status;
    const struct bypeer_xml_child *chain = bypeer_xml_find(xml, "GMC");
    if (chain)
        return invitation_take_gmc(invitation, profile, chain, why);
    invitation->wants_password = true;
    const char *friendly = xml_text(xml, "GROUPFRIENDLYNAME");
    if (strlen(friendly) >= sizeof(invitation->friendly))
        return invitation_refuse(why, "its GROUPFRIENDLYNAME is too long");
    snprintf(invitation->friendly, sizeof(invitation->friendly), "%s", friendly);
    status = bypeer_name_read(&invitation->group, xml_text(xml, "GROUPPEERNAME"), why);
    return status == 0 && !invitation->group.secure ? invitation_refuse(why, "it has neither GMC nor GROUPPEERNAME")
                                                    : status;
}

int invitation_read_xml(struct bypeer_invitation *invitation, const struct bypeer_profile *profile, const char *text,
                        size_t length, char why[static 160])
{
    struct bypeer_xml xml;
    int status = bypeer_xml_read(&xml, text, length, BYPEER_INVITATION_TEXT_MAX, why);
    if (status)
        return status == -EBADMSG ? -EINVAL : status;
    status = strcmp(xml.root, ROOT) == 0 ? xml_take(invitation, profile, &xml, why)
                                         : invitation_refuse(why, "it is XML, but no " ROOT);
    bypeer_xml_release(&xml);
    return status;
}

void invitation_put_place(struct bypeer_xml_writer *writer, const struct bypeer_invitation *invitation)
{
    bypeer_xml_put_text(writer, "CLOUDNAME", invitation->cloud);
    bypeer_xml_put_text(writer, "SCOPE", scopes[invitation->scope]);
    bypeer_xml_put_text(writer, "CLOUDFLAGS", invitation->is_private_cloud ? "1" : "0");
}

void invitation_put_seeds(struct bypeer_xml_writer *writer, const struct bypeer_invitation *invitation)
{
    char address[INET6_ADDRSTRLEN], seed[SEED_TEXT];
    for (unsigned at = 0; at < invitation->seed_count; at++) {
        inet_ntop(AF_INET6, invitation->seeds[at].address, address, sizeof(address));
        snprintf(seed, sizeof(seed), "[%s]:%u", address, invitation->seeds[at].port);
        bypeer_xml_put_text(writer, "SEED", seed);
    }
}

bool invitation_is_legal(const struct bypeer_invitation *invitation)
{
    return (invitation->chain_bytes == 0) == invitation->wants_password && invitation->scope >= 1 &&
           invitation->scope <= 3 && invitation->seed_count <= BYPEER_INVITATION_SEEDS_MAX &&
           invitation->chain_bytes <= BYPEER_INVITATION_CHAIN_MAX;
}

int bypeer_invitation_write_xml(const struct bypeer_invitation *invitation, char **ret_text)
{
    char group[BYPEER_NAME_TEXT_MAX];
    if (!invitation_is_legal(invitation))
        return -EINVAL;
    struct bypeer_xml_writer writer;
    bypeer_xml_begin(&writer, ROOT, invitation->wants_password ? "1.1" : "1.0");
    invitation_put_place(&writer, invitation);
    if (invitation->wants_password) {
        bypeer_name_write(&invitation->group, group);
        bypeer_xml_put_text(&writer, "GROUPPEERNAME", group);
        bypeer_xml_put_text(&writer, "GROUPFRIENDLYNAME", invitation->friendly);
    } else {
        bypeer_xml_put_bytes(&writer, "GMC", invitation->chain, invitation->chain_bytes);
    }
    invitation_put_seeds(&writer, invitation);
    return bypeer_xml_end(&writer, ret_text);
}
