#include "overlay/group/properties.h"

#include <errno.h>
#include <string.h>

#include "overlay/certificate/roles.h"
#include "overlay/graph/text.h"

/*
 *   major 1  minor 1  flags 4  2 (4)  membership 8  presence 8  comment  cloud  classifier  group  creator  friendly
 *   minor 1, the group has a password:  3 (4)  1 (4)  form of the password  role 16
 *   if it is not the default:  invited 4
 */
#define MAJOR           1
#define LIFETIMES       2
#define CREDENTIALS     3    /* memberships and passwords: nothing else is legal */
#define TEXT_BYTES_MAX  1024 /* of the longest text on the wire, a comment */
#define CLASSIFIER_TEXT (3 * BYPEER_CLASSIFIER_MAX + 1)
#define ROLE_BYTES      16

/* From text order to that of Windows' memory: three fields the other way round. It undoes itself. */
static void properties_swap(uint8_t ret_uuid[static ROLE_BYTES], const uint8_t uuid[static ROLE_BYTES])
{
    static const uint8_t order[ROLE_BYTES] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    for (unsigned at = 0; at < ROLE_BYTES; at++)
        ret_uuid[at] = uuid[order[at]];
}

/* Bytes that are left to read; after the first that were not there, all reads fail. */
struct properties_input {
    const uint8_t *at, *end;
    bool is_bad;
};

static uint64_t properties_take(struct properties_input *input, unsigned bytes)
{
    uint64_t value = 0;
    if (input->is_bad || (size_t)(input->end - input->at) < bytes) {
        input->is_bad = true;
        return 0;
    }
    for (unsigned at = 0; at < bytes; at++)
        value |= (uint64_t)input->at[at] << 8 * at;
    input->at += bytes;
    return value;
}

static void properties_take_text(struct properties_input *input, char *ret_text, size_t room)
{
    uint64_t bytes = properties_take(input, 4);
    ret_text[0] = '\0';
    if (input->is_bad || bytes > TEXT_BYTES_MAX || bytes % 2 || (size_t)(input->end - input->at) < bytes) {
        input->is_bad = true;
        return;
    }
    if (bytes == 0)
        return;
    size_t needed = bypeer_text_measure(input->at, bytes / 2);
    if (needed == 0 || needed > room)
        input->is_bad = true;
    else
        bypeer_text_take(input->at, bytes / 2, ret_text);
    input->at += bytes;
}

static void properties_take_name(struct properties_input *input, struct bypeer_peer_name *ret_name)
{
    char text[BYPEER_NAME_TEXT_MAX], why[160];
    properties_take_text(input, text, sizeof(text));
    if (!input->is_bad && (bypeer_name_read(ret_name, text, why) || !ret_name->secure))
        input->is_bad = true;
}

static void properties_take_password(struct properties_input *input, struct bypeer_group_properties *properties)
{
    if (properties_take(input, 4) != CREDENTIALS || properties_take(input, 4) != 1)
        input->is_bad = true;
    properties_take_text(input, properties->password, sizeof(properties->password));
    if (input->is_bad || properties->password[0] == '\0' || input->end - input->at < ROLE_BYTES) {
        input->is_bad = true;
        return;
    }
    properties->password_role = bypeer_role_of_uuid(input->at);
    input->is_bad = properties->password_role == 0;
    input->at += ROLE_BYTES;
}

int bypeer_properties_read(struct bypeer_group_properties *ret_properties, const uint8_t *bytes, size_t length)
{
    struct properties_input input = {bytes, bytes + length, false};
    struct bypeer_group_properties properties = {0};
    char classifier[CLASSIFIER_TEXT], why[160];
    uint64_t major = properties_take(&input, 1);
    uint64_t minor = properties_take(&input, 1);
    properties.flags = (uint32_t)properties_take(&input, 4);
    uint64_t lifetimes = properties_take(&input, 4);
    if (major != MAJOR || minor > 1 || lifetimes != LIFETIMES)
        return -EBADMSG;
    properties.membership_s = properties_take(&input, 8);
    properties.presence_s = properties_take(&input, 8);
    properties_take_text(&input, properties.comment, sizeof(properties.comment));
    properties_take_text(&input, properties.cloud, sizeof(properties.cloud));
    properties_take_text(&input, classifier, sizeof(classifier));
    properties_take_name(&input, &properties.group);
    properties_take_name(&input, &properties.creator);
    properties_take_text(&input, properties.friendly, sizeof(properties.friendly));
    properties.has_password = minor == 1;
    if (properties.has_password)
        properties_take_password(&input, &properties);
    if (!input.is_bad && input.at != input.end) {
        properties.invited = (uint32_t)properties_take(&input, 4);
        input.is_bad |= properties.invited == 0;
    }
    if (input.is_bad || input.at != input.end)
        return -EBADMSG;
    struct bypeer_peer_name said = properties.group;
    if (bypeer_classifier_read(&said, classifier, why) || !bypeer_name_is_equal(&said, &properties.group))
        return -EBADMSG;
    *ret_properties = properties;
    return 0;
}

/* Where the next byte goes; NULL: there was no room for one. */
struct properties_output {
    uint8_t *at, *end;
};

static void properties_put(struct properties_output *output, uint64_t value, unsigned bytes)
{
    if (!output->at || (size_t)(output->end - output->at) < bytes) {
        output->at = NULL;
        return;
    }
    for (unsigned at = 0; at < bytes; at++)
        *output->at++ = (uint8_t)(value >> 8 * at);
}

static void properties_put_text(struct properties_output *output, const char *text)
{
    size_t units = bypeer_text_units(text);
    properties_put(output, 2 * units, 4);
    if (!output->at || units == 0 || 2 * units > TEXT_BYTES_MAX || (size_t)(output->end - output->at) < 2 * units) {
        output->at = NULL;
        return;
    }
    output->at += bypeer_text_put(output->at, text);
}

static void properties_put_name(struct properties_output *output, const struct bypeer_peer_name *name)
{
    char text[BYPEER_NAME_TEXT_MAX];
    bypeer_name_write(name, text);
    properties_put_text(output, text);
}

static void properties_put_password(struct properties_output *output, const struct bypeer_group_properties *properties)
{
    properties_put(output, CREDENTIALS, 4);
    properties_put(output, 1, 4);
    properties_put_text(output, properties->password);
    const uint8_t *uuid = bypeer_role_uuid(properties->password_role);
    uint8_t role[ROLE_BYTES];
    if (!uuid) {
        output->at = NULL;
        return;
    }
    properties_swap(role, uuid);
    for (unsigned at = 0; at < ROLE_BYTES; at++)
        properties_put(output, role[at], 1);
}

size_t bypeer_properties_write(const struct bypeer_group_properties *properties, uint8_t *ret_bytes, size_t room)
{
    struct properties_output output = {ret_bytes, ret_bytes + room};
    char group[BYPEER_NAME_TEXT_MAX];
    bypeer_name_write(&properties->group, group);
    properties_put(&output, MAJOR, 1);
    properties_put(&output, properties->has_password, 1);
    properties_put(&output, properties->flags, 4);
    properties_put(&output, LIFETIMES, 4);
    properties_put(&output, properties->membership_s, 8);
    properties_put(&output, properties->presence_s, 8);
    properties_put_text(&output, properties->comment);
    properties_put_text(&output, properties->cloud);
    properties_put_text(&output, strchr(group, '.') + 1);
    properties_put_name(&output, &properties->group);
    properties_put_name(&output, &properties->creator);
    properties_put_text(&output, properties->friendly);
    if (properties->has_password)
        properties_put_password(&output, properties);
    if (properties->invited)
        properties_put(&output, properties->invited, 4);
    return output.at ? (size_t)(output.at - ret_bytes) : 0;
}

bool bypeer_properties_may_follow(const struct bypeer_group_properties *now, const struct bypeer_group_properties *next)
{
    return now->membership_s == next->membership_s && now->presence_s == next->presence_s &&
           strcmp(now->cloud, next->cloud) == 0 && bypeer_name_is_equal(&now->group, &next->group) &&
           bypeer_name_is_equal(&now->creator, &next->creator);
}
