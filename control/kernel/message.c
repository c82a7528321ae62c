#include "control/kernel/message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* What is left of a message or attribute; reads copy, so alignment does not matter. */
struct cursor {
    const uint8_t *at;
    size_t left;
};

static bool cursor_take(struct cursor *cursor, void *ret_bytes, size_t bytes)
{
    if (cursor->left < bytes)
        return false;
    memcpy(ret_bytes, cursor->at, bytes);
    cursor->at += bytes;
    cursor->left -= bytes;
    return true;
}

static size_t message_align(size_t bytes)
{
    return (bytes + 3u) & ~(size_t)3u; /* NLMSG_ALIGNTO and RTA_ALIGNTO are both 4 */
}

/* One attribute; .type 0 ends the list. */
struct attribute {
    uint16_t type;
    struct cursor value;
};

/* Takes the next attribute. 1: there was one, 0: the end, -EBADMSG. */
static int attribute_next(struct cursor *list, struct attribute *ret_attribute)
{
    struct rtattr header;
    if (list->left == 0)
        return 0;
    if (list->left < sizeof(header))
        return -EBADMSG;
    memcpy(&header, list->at, sizeof(header));
    if (header.rta_len < sizeof(header) || header.rta_len > list->left)
        return -EBADMSG;
    ret_attribute->type = header.rta_type & 0x3fffu /* without NLA_F_NESTED, NLA_F_NET_BYTEORDER */;
    ret_attribute->value = (struct cursor){list->at + sizeof(header), header.rta_len - sizeof(header)};
    size_t step = message_align(header.rta_len);
    step = step < list->left ? step : list->left; /* the last one may come without padding */
    list->at += step;
    list->left -= step;
    return 1;
}

static bool attribute_u32(const struct attribute *attribute, uint32_t *ret_value)
{
    struct cursor value = attribute->value;
    return cursor_take(&value, ret_value, sizeof(*ret_value));
}

/* Ten zero bytes and 0xffff, then IPv4: RFC 4291 2.5.5.2. */
static void address_map(uint8_t ret_address[static 16], const uint8_t v4[static 4])
{
    memset(ret_address, 0, 10);
    memset(ret_address + 10, 0xff, 2);
    memcpy(ret_address + 12, v4, 4);
}

static bool address_is_mapped(const uint8_t address[static 16])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, prefix, sizeof(prefix)) == 0;
}

static bool attribute_address(const struct attribute *attribute, uint8_t family, uint8_t ret_address[static 16])
{
    size_t bytes = attribute->value.left;
    if (family == AF_INET6 && bytes == 16) {
        memcpy(ret_address, attribute->value.at, 16);
        return true;
    }
    if (family == AF_INET && bytes == 4) {
        address_map(ret_address, attribute->value.at);
        return true;
    }
    return false;
}

/* Prefix length in 128 bits; false: longer than the family's addresses. */
static bool family_bits(uint8_t family, uint8_t length, uint8_t *ret_bits)
{
    if (family == AF_INET6 && length <= 128)
        *ret_bits = length;
    else if (family == AF_INET && length <= 32)
        *ret_bits = (uint8_t)(96 + length);
    else
        return false;
    return true;
}

static int link_read(struct bypeer_kernel_message *message, struct cursor body)
{
    struct ifinfomsg header;
    struct attribute attribute;
    struct bypeer_kernel_link *link = &message->link;
    if (!cursor_take(&body, &header, sizeof(header)))
        return -EBADMSG;
    if (header.ifi_family != AF_UNSPEC) /* a bridge's or IPv6's view of a link: nothing that we ask for */
        return 0;
    message->kind = BYPEER_KERNEL_LINK;
    link->index = (uint32_t)header.ifi_index;
    link->up = (header.ifi_flags & IFF_UP) != 0;
    link->carrier = (header.ifi_flags & IFF_LOWER_UP) != 0;
    int more;
    while ((more = attribute_next(&body, &attribute)) > 0) {
        size_t bytes = attribute.value.left;
        if (attribute.type == IFLA_IFNAME) {
            if (bytes == 0 || bytes > sizeof(link->name) || attribute.value.at[bytes - 1] != 0)
                return -EBADMSG;
            memcpy(link->name, attribute.value.at, bytes);
        } else if (attribute.type == IFLA_ADDRESS && bytes == sizeof(link->mac)) {
            memcpy(link->mac, attribute.value.at, sizeof(link->mac));
            link->has_mac = 1;
        } else if (attribute.type == IFLA_MTU && !attribute_u32(&attribute, &link->mtu)) {
            return -EBADMSG;
        }
    }
    return more;
}

static int address_read(struct bypeer_kernel_message *message, struct cursor body)
{
    struct ifaddrmsg header;
    struct attribute attribute;
    struct bypeer_kernel_address *address = &message->address;
    if (!cursor_take(&body, &header, sizeof(header)))
        return -EBADMSG;
    if (!family_bits(header.ifa_family, header.ifa_prefixlen, &address->bits))
        return header.ifa_family == AF_INET || header.ifa_family == AF_INET6 ? -EBADMSG : 0;
    address->index = header.ifa_index;
    bool found = false, local = false;
    int more;
    while ((more = attribute_next(&body, &attribute)) > 0) {
        /* IFA_ADDRESS is the peer's on a point-to-point interface; IFA_LOCAL, where there is one, is ours. */
        if (attribute.type != IFA_LOCAL && (attribute.type != IFA_ADDRESS || local))
            continue;
        if (!attribute_address(&attribute, header.ifa_family, address->address))
            return -EBADMSG;
        found = true;
        local = attribute.type == IFA_LOCAL;
    }
    if (more == 0 && !found)
        return -EBADMSG;
    message->kind = BYPEER_KERNEL_ADDRESS;
    return more;
}

/* RTA_METRICS: attributes within the attribute, of which the MTU matters. */
static int metrics_read(struct cursor list, uint32_t *ret_mtu)
{
    struct attribute attribute;
    int more;
    while ((more = attribute_next(&list, &attribute)) > 0)
        if (attribute.type == RTAX_MTU && !attribute_u32(&attribute, ret_mtu))
            return -EBADMSG;
    return more;
}

/* RTA_VIA: an IPv4 route by an IPv6 gateway (RFC 5549). */
static bool via_read(struct cursor value, uint8_t ret_gateway[static 16])
{
    uint16_t family;
    if (!cursor_take(&value, &family, sizeof(family)) || family > UINT8_MAX)
        return false;
    struct attribute address = {.value = value};
    return attribute_address(&address, (uint8_t)family, ret_gateway);
}

/* RTA_MULTIPATH: several next hops; the first one stands for all, so that a flow has one path. */
static int multipath_read(struct bypeer_kernel_route *route, struct cursor list)
{
    struct rtnexthop hop;
    if (list.left < sizeof(hop))
        return -EBADMSG;
    memcpy(&hop, list.at, sizeof(hop));
    if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > list.left)
        return -EBADMSG;
    route->index = (uint32_t)hop.rtnh_ifindex;
    struct cursor inner = {list.at + sizeof(hop), hop.rtnh_len - sizeof(hop)};
    struct attribute attribute;
    int more;
    while ((more = attribute_next(&inner, &attribute)) > 0) {
        bool good = true;
        if (attribute.type == RTA_GATEWAY)
            good = attribute_address(&attribute, route->family, route->gateway);
        else if (attribute.type == RTA_VIA)
            good = via_read(attribute.value, route->gateway);
        else
            continue;
        if (!good)
            return -EBADMSG;
        route->has_gateway = 1;
    }
    return more;
}

static int route_attribute_read(struct bypeer_kernel_route *route, const struct attribute *attribute)
{
    bool good = true;
    switch (attribute->type) {
    case RTA_DST:
        good = attribute_address(attribute, route->family, route->prefix);
        break;
    case RTA_OIF:
        good = attribute_u32(attribute, &route->index);
        break;
    case RTA_GATEWAY:
        good = attribute_address(attribute, route->family, route->gateway);
        route->has_gateway = 1;
        break;
    case RTA_VIA:
        good = via_read(attribute->value, route->gateway);
        route->has_gateway = 1;
        break;
    case RTA_PREFSRC:
        good = attribute_address(attribute, route->family, route->source);
        route->has_source = 1;
        break;
    case RTA_METRICS:
        return metrics_read(attribute->value, &route->mtu);
    case RTA_MULTIPATH:
        return multipath_read(route, attribute->value);
    default:
        break;
    }
    return good ? 0 : -EBADMSG;
}

static int route_read(struct bypeer_kernel_message *message, struct cursor body)
{
    struct rtmsg header;
    struct attribute attribute;
    struct bypeer_kernel_route *route = &message->route;
    if (!cursor_take(&body, &header, sizeof(header)))
        return -EBADMSG;
    if (header.rtm_family != AF_INET && header.rtm_family != AF_INET6)
        return 0;
    if (!family_bits(header.rtm_family, header.rtm_dst_len, &route->bits))
        return -EBADMSG;
    route->family = header.rtm_family;
    route->type = header.rtm_type;
    if (route->family == AF_INET) /* so that a default route covers IPv4 only */
        address_map(route->prefix, (const uint8_t[4]){0});
    int more;
    while ((more = attribute_next(&body, &attribute)) > 0) {
        int bad = route_attribute_read(route, &attribute);
        if (bad < 0)
            return bad;
    }
    message->kind = BYPEER_KERNEL_ROUTE;
    return more;
}

static int neighbour_read(struct bypeer_kernel_message *message, struct cursor body)
{
    struct ndmsg header;
    struct attribute attribute;
    struct bypeer_kernel_neighbour *neighbour = &message->neighbour;
    if (!cursor_take(&body, &header, sizeof(header)))
        return -EBADMSG;
    if ((header.ndm_family != AF_INET && header.ndm_family != AF_INET6) || (header.ndm_flags & NTF_PROXY))
        return 0;
    neighbour->index = (uint32_t)header.ndm_ifindex;
    neighbour->state = header.ndm_state;
    bool found = false;
    int more;
    while ((more = attribute_next(&body, &attribute)) > 0) {
        uint32_t flags;
        if (attribute.type == NDA_DST) {
            if (!attribute_address(&attribute, header.ndm_family, neighbour->address))
                return -EBADMSG;
            found = true;
        } else if (attribute.type == NDA_LLADDR && attribute.value.left == sizeof(neighbour->mac)) {
            memcpy(neighbour->mac, attribute.value.at, sizeof(neighbour->mac));
            neighbour->has_mac = 1;
        } else if (attribute.type == NDA_FLAGS_EXT) {
            if (!attribute_u32(&attribute, &flags))
                return -EBADMSG;
            neighbour->managed = (flags & NTF_EXT_MANAGED) != 0;
        }
    }
    if (more == 0 && !found)
        return -EBADMSG;
    message->kind = BYPEER_KERNEL_NEIGHBOUR;
    return more;
}

/* NLMSG_ERROR and the end of a dump begin with 0 or a negative errno; a dump's may lack it. */
static int answer_read(struct bypeer_kernel_message *message, struct cursor body, bool required)
{
    int32_t error = 0;
    if (!cursor_take(&body, &error, sizeof(error)) && required)
        return -EBADMSG;
    if (error > 0 || error < -4095) /* MAX_ERRNO of the kernel */
        return -EBADMSG;
    message->error = error;
    return 0;
}

static int body_read(struct bypeer_kernel_message *message, uint16_t type, struct cursor body)
{
    switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        message->gone = type == RTM_DELLINK;
        return link_read(message, body);
    case RTM_NEWADDR:
    case RTM_DELADDR:
        message->gone = type == RTM_DELADDR;
        return address_read(message, body);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        message->gone = type == RTM_DELROUTE;
        return route_read(message, body);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        message->gone = type == RTM_DELNEIGH;
        return neighbour_read(message, body);
    case NLMSG_ERROR:
        message->kind = BYPEER_KERNEL_ANSWER;
        return answer_read(message, body, true);
    case NLMSG_DONE:
        message->kind = BYPEER_KERNEL_DONE;
        return answer_read(message, body, false);
    case NLMSG_OVERRUN:
        message->kind = BYPEER_KERNEL_OVERRUN;
        return 0;
    default:
        return 0;
    }
}

long bypeer_kernel_message_read(struct bypeer_kernel_message *ret_message, const void *bytes, size_t length)
{
    struct nlmsghdr header;
    struct cursor cursor = {bytes, length};
    struct bypeer_kernel_message message = {.kind = BYPEER_KERNEL_OTHER};
    if (!cursor_take(&cursor, &header, sizeof(header)))
        return -EBADMSG;
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > length)
        return -EBADMSG;
    cursor.left = header.nlmsg_len - sizeof(header);
    message.sequence = header.nlmsg_seq;
    int error = body_read(&message, header.nlmsg_type, cursor);
    if (error < 0)
        return error;
    *ret_message = message;
    size_t step = message_align(header.nlmsg_len);
    return (long)(step < length ? step : length);
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static struct nlmsghdr *request_begin(uint8_t *buffer, uint32_t sequence, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    header->nlmsg_seq = sequence;
    return header;
}

/* Puts an address in the bytes of its family. */
static void request_put_address(struct nlmsghdr *header, uint16_t type, const uint8_t address[static 16])
{
    bool v4 = address_is_mapped(address);
    mnl_attr_put(header, type, v4 ? 4 : 16, v4 ? address + 12 : address);
}

static uint8_t address_family(const uint8_t address[static 16])
{
    return address_is_mapped(address) ? AF_INET : AF_INET6;
}

/* Prefix length as the family counts it. */
static uint8_t address_length(const uint8_t address[static 16], uint8_t bits)
{
    if (!address_is_mapped(address))
        return bits;
    return bits > 96 ? (uint8_t)(bits - 96) : 0;
}

size_t bypeer_kernel_write_link(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence, uint32_t index,
                                const struct bypeer_kernel_link_change *change)
{
    struct nlmsghdr *header = request_begin(buffer, sequence, RTM_NEWLINK, NLM_F_ACK);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifi_family = AF_UNSPEC;
    info->ifi_index = (int)index;
    if (change->set_up) {
        info->ifi_change |= IFF_UP;
        info->ifi_flags |= change->up ? IFF_UP : 0;
    }
    if (change->no_multicast)
        info->ifi_change |= IFF_MULTICAST;
    if (change->mac != NULL)
        mnl_attr_put(header, IFLA_ADDRESS, 6, change->mac);
    if (change->mtu != 0)
        mnl_attr_put_u32(header, IFLA_MTU, change->mtu);
    if (change->no_link_local || change->link_local) {
        struct nlattr *families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
        struct nlattr *v6 = mnl_attr_nest_start(header, AF_INET6);
        mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE,
                        change->link_local ? IN6_ADDR_GEN_MODE_EUI64 : IN6_ADDR_GEN_MODE_NONE);
        mnl_attr_nest_end(header, v6);
        mnl_attr_nest_end(header, families);
    }
    return header->nlmsg_len;
}

size_t bypeer_kernel_write_address(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence, bool add,
                                   const struct bypeer_kernel_address *address)
{
    uint16_t type = add ? RTM_NEWADDR : RTM_DELADDR;
    uint16_t flags = add ? NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE : NLM_F_ACK;
    struct nlmsghdr *header = request_begin(buffer, sequence, type, flags);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ifa_family = address_family(address->address);
    info->ifa_prefixlen = address_length(address->address, address->bits);
    info->ifa_index = address->index;
    info->ifa_flags = info->ifa_family == AF_INET6 ? IFA_F_NODAD : 0;
    request_put_address(header, IFA_LOCAL, address->address);
    request_put_address(header, IFA_ADDRESS, address->address);
    return header->nlmsg_len;
}

size_t bypeer_kernel_write_route(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence, bool add,
                                 uint32_t index, const uint8_t prefix[static 16], uint8_t bits, const uint8_t *source)
{
    uint16_t type = add ? RTM_NEWROUTE : RTM_DELROUTE;
    uint16_t flags = add ? NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE : NLM_F_ACK;
    struct nlmsghdr *header = request_begin(buffer, sequence, type, flags);
    struct rtmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->rtm_family = address_family(prefix);
    info->rtm_dst_len = address_length(prefix, bits);
    info->rtm_table = RT_TABLE_MAIN;
    info->rtm_protocol = RTPROT_STATIC;
    info->rtm_scope = info->rtm_family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    info->rtm_type = RTN_UNICAST;
    request_put_address(header, RTA_DST, prefix);
    mnl_attr_put_u32(header, RTA_OIF, index);
    if (source != NULL)
        request_put_address(header, RTA_PREFSRC, source);
    return header->nlmsg_len;
}

size_t bypeer_kernel_write_route_question(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence,
                                          const uint8_t destination[static 16], const uint8_t *source)
{
    struct nlmsghdr *header = request_begin(buffer, sequence, RTM_GETROUTE, 0);
    struct rtmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->rtm_family = address_family(destination);
    info->rtm_dst_len = address_length(destination, 128);
    request_put_address(header, RTA_DST, destination);
    if (source != NULL && address_family(source) == info->rtm_family) {
        info->rtm_src_len = info->rtm_dst_len;
        request_put_address(header, RTA_SRC, source);
    }
    return header->nlmsg_len;
}

size_t bypeer_kernel_write_neighbour(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence, bool want,
                                     uint32_t index, const uint8_t address[static 16])
{
    uint16_t type = want ? RTM_NEWNEIGH : RTM_DELNEIGH;
    uint16_t flags = want ? NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE : NLM_F_ACK;
    struct nlmsghdr *header = request_begin(buffer, sequence, type, flags);
    struct ndmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
    info->ndm_family = address_family(address);
    info->ndm_ifindex = (int)index;
    info->ndm_state = NUD_NONE;
    info->ndm_flags = want ? NTF_USE : 0;
    request_put_address(header, NDA_DST, address);
    if (want)
        mnl_attr_put_u32(header, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
    return header->nlmsg_len;
}

size_t bypeer_kernel_write_dump(uint8_t buffer[static BYPEER_KERNEL_REQUEST_MAX], uint32_t sequence,
                                enum bypeer_kernel_kind kind, uint32_t index)
{
    uint16_t type = kind == BYPEER_KERNEL_LINK      ? RTM_GETLINK
                    : kind == BYPEER_KERNEL_ADDRESS ? RTM_GETADDR
                                                    : RTM_GETNEIGH;
    struct nlmsghdr *header = request_begin(buffer, sequence, type, NLM_F_DUMP);
    if (kind == BYPEER_KERNEL_LINK)
        mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
    else if (kind == BYPEER_KERNEL_ADDRESS)
        mnl_nlmsg_put_extra_header(header, sizeof(struct ifaddrmsg));
    else
        mnl_nlmsg_put_extra_header(header, sizeof(struct ndmsg));
    if (kind == BYPEER_KERNEL_NEIGHBOUR && index != 0)
        mnl_attr_put_u32(header, NDA_IFINDEX, index);
    return header->nlmsg_len;
}
