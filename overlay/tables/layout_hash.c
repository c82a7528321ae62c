/*
 * A layout as numbers: every field with its name, place and size, hashed per version. Two builds that disagree about
 * any of them (another compiler, a patched header) get different hashes and refuse each other's regions, instead of
 * reading a field where another one is.
 */
#include <string.h>

#include <xxhash.h>

#include "overlay/tables/region.h"

struct layout_field {
    const char *name;
    uint32_t offset, bytes;
    uint32_t since; /* layout version */
};

#define FIELD_SINCE(type, field, version)                                                               \
    {                                                                                                   \
#type "." #field, offsetof(struct type, field), sizeof(((struct type *)NULL)->field), (version) \
    }
#define FIELD(type, field) FIELD_SINCE(type, field, 1)
#define SIZE(type)                       \
    {                                    \
#type, 0, sizeof(struct type), 1 \
    }

static const struct layout_field layout_region[] = {
    SIZE(bypeer_region_header),
    FIELD(bypeer_region_header, magic),
    FIELD(bypeer_region_header, kind),
    FIELD(bypeer_region_header, layout),
    FIELD(bypeer_region_header, layout_hash),
    FIELD(bypeer_region_header, bytes),
    FIELD(bypeer_region_header, generation),
    FIELD(bypeer_region_header, published),
    FIELD(bypeer_region_header, created_ns),
    SIZE(bypeer_section),
    FIELD(bypeer_section, offset),
    FIELD(bypeer_section, count),
    FIELD(bypeer_section, entry_bytes),
};

static const struct layout_field layout_tables[] = {
    SIZE(bypeer_tables_header),
    FIELD(bypeer_tables_header, hash_seed),
    FIELD(bypeer_tables_header, relay_prefix),
    FIELD(bypeer_tables_header, grace_request),
    FIELD(bypeer_tables_header, prefix_root),
    FIELD(bypeer_tables_header, names_root),
    FIELD(bypeer_tables_header, limits),
    FIELD(bypeer_tables_header, judged),
    FIELD(bypeer_tables_header, sections),
    SIZE(bypeer_relay_prefix),
    FIELD(bypeer_relay_prefix, prefix),
    FIELD(bypeer_relay_prefix, bits),
    FIELD(bypeer_relay_prefix, flags),
    FIELD(bypeer_relay_prefix, port),
    FIELD(bypeer_relay_prefix, port_low),
    FIELD(bypeer_relay_prefix, port_high),
    FIELD(bypeer_relay_prefix, secret),
    SIZE(bypeer_relay_record),
    FIELD(bypeer_relay_record, serial),
    FIELD(bypeer_relay_record, keys),
    FIELD(bypeer_relay_record, links),
    FIELD(bypeer_relay_record, is_there),
    SIZE(bypeer_bucket),
    FIELD(bypeer_bucket, tags),
    FIELD(bypeer_bucket, flags),
    FIELD(bypeer_bucket, version),
    FIELD(bypeer_bucket, slots),
    SIZE(bypeer_destination),
    FIELD(bypeer_destination, key),
    FIELD(bypeer_destination, link),
    FIELD(bypeer_destination, group),
    FIELD(bypeer_destination, flags),
    FIELD(bypeer_destination, prefix_bits),
    FIELD(bypeer_destination, serial),
    FIELD(bypeer_destination, others),
#ifdef BYPEER_NEXT_LAYOUT
    FIELD_SINCE(bypeer_destination, expires_s, 2),
#endif
    SIZE(bypeer_link),
    FIELD(bypeer_link, id),
    FIELD(bypeer_link, kind),
    FIELD(bypeer_link, underlay),
    FIELD(bypeer_link, template_bytes),
    FIELD(bypeer_link, group),
    FIELD(bypeer_link, adjacency),
    FIELD(bypeer_link, vni),
    FIELD(bypeer_link, peer_port),
    FIELD(bypeer_link, mtu),
    FIELD(bypeer_link, udp_port),
    FIELD(bypeer_link, session),
    FIELD(bypeer_link, serial),
    FIELD(bypeer_link, peer),
    FIELD(bypeer_link, local),
    FIELD(bypeer_link, header),
    FIELD(bypeer_link, wireguard.header),
    FIELD(bypeer_link, wireguard.current),
    FIELD(bypeer_link, wireguard.next),
    FIELD(bypeer_link, wireguard.persistent_s),
    SIZE(bypeer_adjacency),
    FIELD(bypeer_adjacency, id),
    FIELD(bypeer_adjacency, port),
    FIELD(bypeer_adjacency, valid),
    FIELD(bypeer_adjacency, ether),
    FIELD(bypeer_adjacency, mtu),
    SIZE(bypeer_group),
    FIELD(bypeer_group, id),
    FIELD(bypeer_group, vni),
    FIELD(bypeer_group, prefix),
    FIELD(bypeer_group, address),
    FIELD(bypeer_group, flags),
    FIELD(bypeer_group, rules),
    FIELD(bypeer_group, multicast),
    FIELD(bypeer_group, rule_count),
    FIELD(bypeer_group, multicast_links),
    FIELD(bypeer_group, multicast_rate),
    SIZE(bypeer_policy_rule),
    FIELD(bypeer_policy_rule, from_roles),
    FIELD(bypeer_policy_rule, to_roles),
    FIELD(bypeer_policy_rule, protocol),
    FIELD(bypeer_policy_rule, verdict),
    FIELD(bypeer_policy_rule, port_low),
    FIELD(bypeer_policy_rule, port_high),
    SIZE(bypeer_multicast_receiver),
    FIELD(bypeer_multicast_receiver, link),
    FIELD(bypeer_multicast_receiver, address),
    SIZE(bypeer_group_part),
    FIELD(bypeer_group_part, next),
    FIELD(bypeer_group_part, receivers),
    FIELD(bypeer_group_part, rules),
    SIZE(bypeer_prefix_node),
    FIELD(bypeer_prefix_node, high),
    FIELD(bypeer_prefix_node, low),
    SIZE(bypeer_cloud_record),
    FIELD(bypeer_cloud_record, number),
    FIELD(bypeer_cloud_record, flags),
    FIELD(bypeer_cloud_record, port),
    FIELD(bypeer_cloud_record, version_major),
    FIELD(bypeer_cloud_record, version_minor),
    FIELD(bypeer_cloud_record, address_count),
    FIELD(bypeer_cloud_record, cookie_secret),
    FIELD(bypeer_cloud_record, stranger_bytes_s),
    FIELD(bypeer_cloud_record, verified_answers_s),
    FIELD(bypeer_cloud_record, answers_s),
    FIELD(bypeer_cloud_record, learn_s),
    FIELD(bypeer_cloud_record, addresses),
    SIZE(bypeer_name_record),
    FIELD(bypeer_name_record, id),
    FIELD(bypeer_name_record, address),
    FIELD(bypeer_name_record, port),
    FIELD(bypeer_name_record, address_count),
    FIELD(bypeer_name_record, flags),
    FIELD(bypeer_name_record, extra),
    FIELD(bypeer_name_record, run),
    FIELD(bypeer_name_record, dead),
    SIZE(bypeer_name_extra),
    FIELD(bypeer_name_extra, addresses),
    SIZE(bypeer_name_node),
    FIELD(bypeer_name_node, keys),
    SIZE(bypeer_name_group),
    FIELD(bypeer_name_group, count),
    FIELD(bypeer_name_group, keys),
    FIELD(bypeer_name_group, first),
    SIZE(bypeer_name_crowd),
    FIELD(bypeer_name_crowd, word),
    FIELD(bypeer_name_crowd, run_at),
    SIZE(bypeer_name_part),
    FIELD(bypeer_name_part, first),
    FIELD(bypeer_name_part, count),
    FIELD(bypeer_name_part, groups),
    FIELD(bypeer_name_part, nodes),
    FIELD(bypeer_name_part, leaves),
    FIELD(bypeer_name_part, own_first),
    FIELD(bypeer_name_part, own_count),
    SIZE(bypeer_name_run),
    FIELD(bypeer_name_run, levels),
    SIZE(bypeer_name_own),
    FIELD(bypeer_name_own, id),
    FIELD(bypeer_name_own, leaf_low),
    FIELD(bypeer_name_own, leaf_high),
    SIZE(bypeer_wireguard_session),
    FIELD(bypeer_wireguard_session, local_index),
    FIELD(bypeer_wireguard_session, remote_index),
    FIELD(bypeer_wireguard_session, region),
    FIELD(bypeer_wireguard_session, peer),
    FIELD(bypeer_wireguard_session, flags),
    FIELD(bypeer_wireguard_session, created_ns),
    FIELD(bypeer_wireguard_session, send_key),
    FIELD(bypeer_wireguard_session, receive_key),
    FIELD(bypeer_wireguard_session, timestamp),
    FIELD(bypeer_wireguard_session, use),
    FIELD(bypeer_wireguard_session, pair),
    FIELD(bypeer_wireguard_session, serial),
    FIELD(bypeer_wireguard_session, checksum),
    SIZE(bypeer_limit),
    FIELD(bypeer_limit, id),
    FIELD(bypeer_limit, flags),
    FIELD(bypeer_limit, bits_s),
    FIELD(bypeer_limit, burst),
    FIELD(bypeer_limit, cost),
    FIELD(bypeer_limit, ahead),
    FIELD(bypeer_limit, capacity),
    FIELD(bypeer_limit, room),
    SIZE(bypeer_wireguard_config),
    FIELD(bypeer_wireguard_config, public_key),
    FIELD(bypeer_wireguard_config, cookie_secret),
    FIELD(bypeer_wireguard_config, load_per_s),
};

static const struct layout_field layout_status[] = {
    SIZE(bypeer_status_header),
    FIELD(bypeer_status_header, pid),
    FIELD(bypeer_status_header, start_ticks),
    FIELD(bypeer_status_header, release),
    FIELD(bypeer_status_header, tsc_hz),
    FIELD(bypeer_status_header, grace_completed),
    FIELD(bypeer_status_header, tables_generation),
    FIELD(bypeer_status_header, heartbeat),
    FIELD(bypeer_status_header, sections),
    SIZE(bypeer_counter_name),
    FIELD(bypeer_counter_name, name),
    FIELD(bypeer_counter_name, text),
    FIELD(bypeer_counter_name, class),
    SIZE(bypeer_status_worker),
    FIELD(bypeer_status_worker, lcore),
    FIELD(bypeer_status_worker, state),
    FIELD(bypeer_status_worker, quiescent_tsc),
    FIELD(bypeer_status_worker, walks),
    FIELD(bypeer_status_worker, busy_tsc),
    FIELD(bypeer_status_worker, sleep_tsc),
    FIELD(bypeer_status_worker, counters),
    SIZE(bypeer_status_port),
    FIELD(bypeer_status_port, name),
    FIELD(bypeer_status_port, driver),
    FIELD(bypeer_status_port, mac),
    FIELD(bypeer_status_port, mtu),
    FIELD(bypeer_status_port, queues),
    FIELD(bypeer_status_port, link_up),
    FIELD(bypeer_status_port, speed_mbps),
    FIELD(bypeer_status_port, missed),
    FIELD(bypeer_status_port, errors),
    SIZE(bypeer_event_ring),
    FIELD(bypeer_event_ring, head),
    FIELD(bypeer_event_ring, events),
};

static const struct layout_field layout_sessions[] = {
    SIZE(bypeer_sessions_header),
    FIELD(bypeer_sessions_header, workers),
    FIELD(bypeer_sessions_header, links),
    FIELD(bypeer_sessions_header, slots),
    FIELD(bypeer_sessions_header, relays),
    FIELD(bypeer_sessions_header, groups),
    FIELD(bypeer_sessions_header, rows),
    FIELD(bypeer_sessions_header, sections),
    SIZE(bypeer_session),
    FIELD(bypeer_session, received_packets),
    FIELD(bypeer_session, received_bytes),
    FIELD(bypeer_session, sent_packets),
    FIELD(bypeer_session, sent_bytes),
    FIELD(bypeer_session, last_received_ns),
    FIELD(bypeer_session, link_serial),
    SIZE(bypeer_peer_state),
    FIELD(bypeer_peer_state, link_serial),
    FIELD(bypeer_peer_state, activity),
    FIELD(bypeer_peer_state, moved_ns),
    FIELD(bypeer_peer_state, untold),
    FIELD(bypeer_peer_state, seen),
    SIZE(bypeer_activity),
    FIELD(bypeer_activity, sent_ns),
    FIELD(bypeer_activity, received_ns),
    FIELD(bypeer_activity, unanswered_ns),
    FIELD(bypeer_activity, owed_ns),
    FIELD(bypeer_activity, asked_ns),
    SIZE(bypeer_seen_words),
    FIELD(bypeer_seen_words, words),
    FIELD(bypeer_seen_words, check),
    SIZE(bypeer_wireguard_state),
    FIELD(bypeer_wireguard_state, next_counter),
    FIELD(bypeer_wireguard_state, greatest),
    FIELD(bypeer_wireguard_state, heard),
    SIZE(bypeer_window),
    FIELD(bypeer_window, words),
    SIZE(bypeer_relay_state),
    FIELD(bypeer_relay_state, tag),
    FIELD(bypeer_relay_state, live),
    FIELD(bypeer_relay_state, endpoint),
    FIELD(bypeer_relay_state, until_s),
    FIELD(bypeer_relay_state, next_counter),
    FIELD(bypeer_relay_state, heard_s),
    FIELD(bypeer_relay_state, packets),
    FIELD(bypeer_relay_state, bytes),
    SIZE(bypeer_relay_claims),
    FIELD(bypeer_relay_claims, serial),
    FIELD(bypeer_relay_claims, candidate),
    FIELD(bypeer_relay_claims, offered),
    FIELD(bypeer_relay_claims, initiation),
    FIELD(bypeer_relay_claims, moved_s),
    FIELD(bypeer_relay_claims, old),
    FIELD(bypeer_relay_claims, offered_to),
    FIELD(bypeer_relay_claims, packets_high),
    SIZE(bypeer_relay_endpoint),
    FIELD(bypeer_relay_endpoint, address),
    FIELD(bypeer_relay_endpoint, port_and_mac),
    FIELD(bypeer_relay_endpoint, seal),
    SIZE(bypeer_link_meter),
    FIELD(bypeer_link_meter, sent),
    FIELD(bypeer_link_meter, received),
    FIELD(bypeer_link_meter, share),
    FIELD(bypeer_link_meter, multicast),
    SIZE(bypeer_group_meter),
    FIELD(bypeer_group_meter, share),
    FIELD(bypeer_group_meter, trunks),
    SIZE(bypeer_share),
    FIELD(bypeer_share, round),
    FIELD(bypeer_share, allowance),
    FIELD(bypeer_share, debt),
    FIELD(bypeer_share, rounds),
    FIELD(bypeer_share, members),
};

static uint64_t hash_fields(uint64_t hash, const struct layout_field *fields, size_t count, uint32_t layout)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].since > layout)
            continue;
        uint32_t place[2] = {fields[i].offset, fields[i].bytes};
        hash = XXH64(fields[i].name, strlen(fields[i].name), hash);
        hash = XXH64(place, sizeof(place), hash);
    }
    return hash;
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

uint64_t bypeer_layout_hash(enum bypeer_region_kind kind, uint32_t layout)
{
    uint32_t oldest = kind == BYPEER_REGION_TABLES ? BYPEER_LAYOUT_OLDEST : 1;
    uint32_t newest = kind == BYPEER_REGION_TABLES ? BYPEER_LAYOUT_NEWEST : 1;
    if (layout < oldest || layout > newest)
        return 0;

    uint64_t hash = hash_fields(layout, layout_region, COUNT(layout_region), layout);
    switch (kind) {
    case BYPEER_REGION_TABLES:
        return hash_fields(hash, layout_tables, COUNT(layout_tables), layout);
    case BYPEER_REGION_STATUS:
        return hash_fields(hash, layout_status, COUNT(layout_status), layout);
    case BYPEER_REGION_SESSIONS:
        return hash_fields(hash, layout_sessions, COUNT(layout_sessions), layout);
    }
    return 0;
}

uint32_t bypeer_layout_common(uint32_t oldest, uint32_t newest)
{
    uint32_t common = newest < BYPEER_LAYOUT_NEWEST ? newest : BYPEER_LAYOUT_NEWEST;
    return common >= oldest && common >= BYPEER_LAYOUT_OLDEST ? common : 0;
}
