/* Sessions, endpoints and relay addresses: what is put, and what a reader then finds. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tables/relays.h"
#include "overlay/tables/tables.h"
#include "overlay/tables/writer.h"

#define SLOTS 20

static const struct bypeer_tables_size small = {.destinations = 1000,
                                                .links = 10,
                                                .adjacencies = 10,
                                                .groups = 4,
                                                .prefixes = 16,
                                                .sessions = SLOTS,
                                                .relays = 100};

/* A region, its writer and a reader. */
struct side {
    void *memory;
    struct bypeer_writer *writer;
    struct bypeer_tables tables;
};
static struct side side;

static struct side make(const struct bypeer_tables_size *size, uint64_t seed)
{
    struct side made;
    char why[160];
    uint64_t bytes = bypeer_tables_bytes(size);
    made.memory = aligned_alloc(4096, bytes);
    memset(made.memory, 0, bytes);
    cr_assert_eq(bypeer_writer_create(&made.writer, made.memory, bytes, size, BYPEER_LAYOUT_NEWEST, 7, seed, 1), 0);
    bypeer_writer_publish(made.writer);
    cr_assert_eq(bypeer_tables_attach(&made.tables, made.memory, bytes, why), 0, "%s", why);
    return made;
}

static void unmake(struct side *made)
{
    bypeer_writer_free(made->writer);
    free(made->memory);
}

static void set_up(void)
{
    side = make(&small, 4711);
}

static void tear_down(void)
{
    unmake(&side);
}

TestSuite(writer_wireguard, .init = set_up, .fini = tear_down);

/* No reader holds anything: every grace period ends at once. */
static void pass_grace_period(struct side *of)
{
    bypeer_writer_reclaim(of->writer, bypeer_writer_request(of->writer));
}

static uint32_t index_of(uint32_t slot)
{
    return (0xabcu << BYPEER_SESSION_SLOT_BITS) | slot;
}

static struct bypeer_wireguard_session session_of(uint32_t slot, uint32_t serial)
{
    struct bypeer_wireguard_session session = {
        .local_index = index_of(slot), .serial = serial, .use = 3, .send_key = {0x51}, .receive_key = {0x52}};
    bypeer_wireguard_session_finish(&session);
    return session;
}

static uint32_t take(struct side *of)
{
    uint32_t slot = 0;
    cr_assert_eq(bypeer_writer_take_session(of->writer, &slot), 0);
    cr_assert(slot >= 1 && slot <= SLOTS);
    return slot;
}

static uint32_t put(struct side *of, uint32_t serial)
{
    uint32_t slot = take(of);
    struct bypeer_wireguard_session session = session_of(slot, serial);
    bypeer_writer_put_session(of->writer, slot, &session);
    return slot;
}

static const uint8_t *raw(const struct side *of, uint32_t slot)
{
    return (const uint8_t *)&of->tables.sessions[slot];
}

static bool is_wiped(const struct side *of, uint32_t slot)
{
    for (size_t i = 0; i < sizeof(struct bypeer_wireguard_session); i++)
        if (raw(of, slot)[i] != 0)
            return false;
    return true;
}

Test(writer_wireguard, a_session_is_seen_whole_once_it_is_put)
{
    uint32_t slot = take(&side);
    cr_assert_null(bypeer_tables_session(&side.tables, index_of(slot)));
    cr_assert_null(bypeer_tables_session_in(&side.tables, slot));
    struct bypeer_wireguard_session session = session_of(slot, 9);
    bypeer_writer_put_session(side.writer, slot, &session);
    const struct bypeer_wireguard_session *found = bypeer_tables_session(&side.tables, index_of(slot));
    cr_assert_not_null(found);
    cr_assert(bypeer_wireguard_session_is_whole(found));
    cr_assert_eq(found->use, 3);
    cr_assert_eq(bypeer_tables_session_in(&side.tables, slot), found);
    cr_assert_null(bypeer_tables_session(&side.tables, index_of(slot) ^ 1u << 31), "another index of this slot");
    cr_assert_null(bypeer_tables_session(&side.tables, 0));
    cr_assert_null(bypeer_tables_session(&side.tables, SLOTS + 1), "no such slot");
    cr_assert_null(bypeer_tables_session_in(&side.tables, UINT32_MAX));
}

Test(writer_wireguard, a_removed_session_is_gone_at_once_and_its_keys_after_a_grace_period)
{
    uint32_t slot = put(&side, 9);
    uint64_t token = bypeer_writer_request(side.writer);
    bypeer_writer_remove_session(side.writer, slot);
    cr_assert_null(bypeer_tables_session(&side.tables, index_of(slot)));
    cr_assert_eq(raw(&side, slot)[32], 0x51, "a worker may be sealing with it");
    bypeer_writer_reclaim(side.writer, token);
    cr_assert_eq(raw(&side, slot)[32], 0x51, "that was asked for before");
    pass_grace_period(&side);
    cr_assert(is_wiped(&side, slot));
}

Test(writer_wireguard, slots_are_used_again_only_after_a_grace_period)
{
    uint32_t slots[SLOTS], slot;
    for (uint32_t i = 0; i < SLOTS; i++)
        slots[i] = put(&side, i);
    cr_assert_eq(bypeer_writer_take_session(side.writer, &slot), -ENOSPC);
    bypeer_writer_remove_session(side.writer, slots[7]);
    bypeer_writer_remove_session(side.writer, slots[3]);
    cr_assert_eq(bypeer_writer_take_session(side.writer, &slot), -EAGAIN);
    pass_grace_period(&side);
    cr_assert_eq(take(&side), slots[7], "what was freed first is used first");
    cr_assert_eq(take(&side), slots[3]);
    bypeer_writer_give_session(side.writer, slots[3]);
    cr_assert_eq(bypeer_writer_take_session(side.writer, &slot), -EAGAIN);
    pass_grace_period(&side);
    cr_assert_eq(take(&side), slots[3]);
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(side.writer, &usage);
    cr_assert_eq(usage.used.sessions, SLOTS);
}

Test(writer_wireguard, what_is_not_in_that_state_is_left_alone)
{
    uint32_t slot = put(&side, 9);
    struct bypeer_wireguard_session other = session_of(slot, 10);
    bypeer_writer_put_session(side.writer, slot, &other);
    bypeer_writer_put_session(side.writer, slot + 1, &other);
    bypeer_writer_put_session(side.writer, UINT32_MAX, &other);
    bypeer_writer_give_session(side.writer, slot);
    bypeer_writer_remove_session(side.writer, slot + 1);
    bypeer_writer_remove_session(side.writer, 0);
    cr_assert_eq(bypeer_writer_find_session(side.writer, slot)->serial, 9, "a session never changes");
    cr_assert_null(bypeer_writer_find_session(side.writer, slot + 1));
    bypeer_writer_remove_session(side.writer, slot);
    bypeer_writer_remove_session(side.writer, slot);
    pass_grace_period(&side);
    for (uint32_t i = 0; i < SLOTS; i++)
        take(&side); /* each once */
    cr_assert_eq(bypeer_writer_take_session(side.writer, &slot), -ENOSPC);
}

/* Adopted and blocked slots lie ahead of those that were never used; each slot still has one owner at a time. */
Test(writer_wireguard, a_restart_puts_sessions_where_they_were)
{
    bool has[SLOTS + 1] = {false};
    const uint32_t adopted[] = {2, 5, SLOTS};
    for (unsigned i = 0; i < 3; i++) {
        struct bypeer_wireguard_session session = session_of(adopted[i], 50 + i);
        cr_assert_eq(bypeer_writer_adopt_session(side.writer, adopted[i], &session), 0);
        cr_assert_eq(bypeer_writer_adopt_session(side.writer, adopted[i], &session), -EEXIST);
        cr_assert_eq(bypeer_writer_adopt_session(side.writer, adopted[i] + 1, &session), -EINVAL, "not its index");
        cr_assert_eq(bypeer_tables_session(&side.tables, index_of(adopted[i]))->serial, 50 + i);
        has[adopted[i]] = true;
    }
    bypeer_writer_block_session(side.writer, 1);
    bypeer_writer_block_session(side.writer, 2); /* in use: not blocked */
    has[1] = true;
    bypeer_writer_remove_session(side.writer, 5);
    pass_grace_period(&side);
    has[5] = false;
    for (uint32_t i = 0; i < SLOTS - 3; i++) {
        uint32_t slot = put(&side, i);
        cr_assert_not(has[slot], "slot %u", slot);
        has[slot] = true;
    }
    uint32_t slot;
    cr_assert_eq(bypeer_writer_take_session(side.writer, &slot), -ENOSPC);
    bypeer_writer_remove_session(side.writer, 2);
    pass_grace_period(&side);
    cr_assert_eq(take(&side), 2);
    struct bypeer_wireguard_session used = session_of(3, 1);
    cr_assert_eq(bypeer_writer_adopt_session(side.writer, 3, &used), -EEXIST);
}

static const uint8_t here[16] = {0x20, 1, [15] = 1}, there[16] = {0x20, 1, [15] = 2};

static const struct bypeer_destination *endpoint(const struct side *of, const uint8_t address[16], uint16_t port)
{
    uint8_t key[16];
    const uint8_t *pointer = key;
    const struct bypeer_destination *found;
    bypeer_ingress_key(of->tables.header->hash_seed, address, BYPEER_INGRESS_ENDPOINT | port, key);
    bypeer_ingresses_lookup(&of->tables, &pointer, 1, &found);
    return found;
}

Test(writer_wireguard, an_endpoint_has_one_owner)
{
    struct bypeer_link fabric = {.id = 1, .kind = BYPEER_LINK_FABRIC, .vni = 5, .udp_port = 4790};
    struct bypeer_cloud_record cloud = {.number = 1, .port = 3541, .address_count = 1};
    memcpy(fabric.local, here, 16);
    memcpy(fabric.peer, there, 16);
    memcpy(cloud.addresses[0], here, 16);
    cr_assert_eq(bypeer_writer_put_endpoint(side.writer, here, 51820), 0);
    cr_assert_eq(endpoint(&side, here, 51820)->flags, BYPEER_DESTINATION_WIREGUARD);
    cr_assert_null(endpoint(&side, there, 51820));
    cr_assert_eq(bypeer_writer_put_endpoint(side.writer, here, 51820), -EEXIST);
    cr_assert_eq(bypeer_writer_put_link(side.writer, &fabric), 1);
    cr_assert_eq(bypeer_writer_put_cloud(side.writer, &cloud), 1);
    cr_assert_eq(bypeer_writer_put_endpoint(side.writer, here, 4790), -EEXIST, "a fabric link's");
    cr_assert_eq(bypeer_writer_put_endpoint(side.writer, here, 3541), -EEXIST, "a cloud's");
    fabric.udp_port = 51820;
    cr_assert_eq(bypeer_writer_put_link(side.writer, &fabric), -EEXIST);
    cloud.port = 51820;
    cr_assert_eq(bypeer_writer_put_cloud(side.writer, &cloud), -EEXIST);

    cr_assert_eq(bypeer_writer_remove_endpoint(side.writer, here, 51820), 0);
    cr_assert_eq(bypeer_writer_remove_endpoint(side.writer, here, 51820), -ENOENT);
    cr_assert_null(endpoint(&side, here, 51820));
    cr_assert_eq(bypeer_writer_put_cloud(side.writer, &cloud), 0);
    for (uint16_t port = 1; port <= BYPEER_ENDPOINTS_MAX; port++)
        cr_assert_eq(bypeer_writer_put_endpoint(side.writer, there, port), 0);
    cr_assert_eq(bypeer_writer_put_endpoint(side.writer, there, 1000), -ENOSPC);
}

Test(writer_wireguard, a_hub_link_leads_out_but_not_in)
{
    struct bypeer_link link = {.id = 3, .kind = BYPEER_LINK_WIREGUARD, .udp_port = 51820};
    link.wireguard.current = 7;
    link.peer_port = 40000;
    memcpy(link.local, here, 16);
    memcpy(link.peer, there, 16);
    cr_assert_eq(bypeer_writer_put_link(side.writer, &link), 1);
    link.id = 4; /* a second peer behind the same NAT */
    cr_assert_eq(bypeer_writer_put_link(side.writer, &link), 1);
    cr_assert_null(endpoint(&side, here, 51820));
    cr_assert_eq(bypeer_tables_link(&side.tables, 3)->wireguard.current, 7);
    cr_assert_eq(bypeer_writer_remove_link(side.writer, 3), 0);
    cr_assert_eq(bypeer_tables_link(&side.tables, 3)->kind, BYPEER_LINK_NONE);
}

#define SECRET UINT64_C(0xfeedfacecafebeef)

/* A pair, of which side 1 is a port. */
static struct bypeer_relay_record relay_of(uint32_t number, uint64_t serial)
{
    static const uint8_t ipv4[4] = {192, 0, 2, 1};
    struct bypeer_relay_record record = {.serial = serial, .links = {0, 5}};
    memcpy(record.keys[0], here, 16);
    bypeer_relay_address_set_end(SECRET, 2 * number, record.keys[0]);
    bypeer_relay_port_key(record.keys[1], ipv4, 52000);
    return record;
}

static struct side with_relays(const struct bypeer_tables_size *size)
{
    const struct bypeer_relay_prefix prefix = {.prefix = {0x20, 2}, .bits = 64, .port = 51820, .secret = SECRET};
    struct side made = make(size, 1);
    bypeer_writer_set_relay_prefix(made.writer, &prefix);
    made.tables.relay_prefix = prefix;
    return made;
}

static void expect_relay(const struct side *of, uint32_t number, const struct bypeer_relay_record *record)
{
    for (uint32_t way = 0; way < 2; way++) {
        uint32_t end;
        const struct bypeer_relay_record *found = bypeer_relays_find(&of->tables, record->keys[way], &end);
        cr_assert_not_null(found);
        cr_assert_eq(end, 2 * number + way);
        cr_assert_eq(found->serial, record->serial);
        cr_assert_eq(memcmp(found->keys, record->keys, sizeof(found->keys)), 0);
        cr_assert_eq(memcmp(found->links, record->links, sizeof(found->links)), 0);
    }
}

Test(writer_wireguard, a_pair_is_found_by_either_key)
{
    struct side of = with_relays(&small);
    struct bypeer_relay_record record = relay_of(7, 77);
    uint32_t end;
    cr_assert_null(bypeer_relays_find(&of.tables, record.keys[0], &end));
    cr_assert_null(bypeer_relays_find(&of.tables, record.keys[1], &end));
    cr_assert_eq(bypeer_writer_put_relay(of.writer, 7, &record), 1);
    expect_relay(&of, 7, &record);
    uint8_t other[16];
    for (unsigned bit = 0; bit < 128; bit++) {
        memcpy(other, record.keys[0], 16);
        other[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_null(bypeer_relays_find(&of.tables, other, &end), "nothing is found by a key that is nearly right");
    }
    const uint8_t *key = record.keys[0];
    const struct bypeer_destination *member;
    bypeer_destinations_lookup(&of.tables, &key, 1, &member);
    cr_assert_null(member, "no overlay address");

    record.links[1] = 6; /* the member has another hub link now */
    cr_assert_eq(bypeer_writer_put_relay(of.writer, 7, &record), 0);
    expect_relay(&of, 7, &record);
    cr_assert_eq(bypeer_writer_remove_relay(of.writer, 7), 0);
    cr_assert_null(bypeer_relays_find(&of.tables, record.keys[0], &end));
    cr_assert_null(bypeer_relays_find(&of.tables, record.keys[1], &end));
    cr_assert_eq(bypeer_writer_remove_relay(of.writer, 7), -ENOENT);
}

Test(writer_wireguard, what_could_not_be_found_or_is_anothers_is_refused)
{
    struct side of = with_relays(&small);
    struct bypeer_relay_record record = relay_of(7, 77), other = relay_of(8, 78);
    cr_assert_eq(bypeer_writer_put_relay(of.writer, 8, &record), -EINVAL, "the address tells another number");
    cr_assert_eq(bypeer_writer_put_relay(of.writer, 0, &record), -EINVAL);
    cr_assert_eq(bypeer_writer_put_relay(of.writer, 7, &(struct bypeer_relay_record){.serial = 0}), -EINVAL);
    record = relay_of(small.relays + 1, 77);
    cr_assert_eq(bypeer_writer_put_relay(of.writer, small.relays + 1, &record), -ENOSPC);
    cr_assert_eq(bypeer_writer_remove_relay(of.writer, small.relays + 1), -ENOENT);
    cr_assert_eq(bypeer_writer_put_relay(of.writer, 8, &other), 1);
    other.serial = 79;
    cr_assert_eq(bypeer_writer_put_relay(of.writer, 8, &other), -EINVAL, "the number is another pair's");
}

Test(writer_wireguard, a_number_that_was_given_up_may_be_seen_until_a_grace_period_has_passed)
{
    struct side of = with_relays(&small);
    struct bypeer_writer_usage usage;
    struct bypeer_relay_record record = relay_of(7, 77);
    for (unsigned round = 0; round < 3 * small.relays; round++) { /* more often than there are numbers */
        cr_assert_eq(bypeer_writer_put_relay(of.writer, 7, &record), 1);
        bypeer_writer_usage(of.writer, &usage);
        cr_assert_eq(usage.used.relays, 1);
        cr_assert_eq(usage.retired, 0);
        cr_assert_eq(bypeer_writer_remove_relay(of.writer, 7), 0);
        uint64_t token = bypeer_writer_request(of.writer);
        bypeer_writer_reclaim(of.writer, token - 1);
        bypeer_writer_usage(of.writer, &usage);
        cr_assert_eq(usage.used.relays, 0);
        cr_assert_eq(usage.retired, 1);
        bypeer_writer_reclaim(of.writer, token);
    }
}

Test(writer_wireguard, a_pair_that_a_reader_found_stays_whole_until_his_grace_period_has_passed)
{
    struct side of = with_relays(&small);
    struct bypeer_relay_record record = relay_of(7, 77);
    uint32_t end;
    cr_assert_eq(bypeer_writer_put_relay(of.writer, 7, &record), 1);
    const struct bypeer_relay_record *found = bypeer_relays_find(&of.tables, record.keys[0], &end);
    cr_assert_eq(bypeer_writer_remove_relay(of.writer, 7), 0);
    cr_assert_null(bypeer_relays_find(&of.tables, record.keys[0], &end));
    cr_assert_eq(found->serial, 77, "else workers take its states for those of a pair that is none");
    cr_assert_eq(memcmp(found->keys, record.keys, sizeof(record.keys)), 0);
    cr_assert_eq(bypeer_writer_put_relay(of.writer, 7, &record), 1, "the same pair comes back at any time");
    expect_relay(&of, 7, &record);
}

Test(writer_wireguard, the_next_generation_holds_the_same)
{
    struct bypeer_tables_size larger = small;
    larger.sessions = 2 * SLOTS;
    struct side next = make(&larger, 1);
    struct bypeer_relay_record record = relay_of(9, 99);
    struct bypeer_relay_prefix prefix = {.prefix = {0x20, 2}, .bits = 64, .port = 51820, .secret = SECRET};
    struct bypeer_wireguard_config config = {.public_key = {7}, .load_per_s = 100};
    bypeer_writer_set_relay_prefix(side.writer, &prefix);
    cr_assert_eq(bypeer_writer_put_relay(side.writer, 9, &record), 1);
    bypeer_writer_put_endpoint(side.writer, here, 51820);
    bypeer_writer_set_wireguard(side.writer, &config);
    uint32_t removed = put(&side, 5), kept = put(&side, 6), begun = take(&side);
    bypeer_writer_remove_session(side.writer, removed);

    cr_assert_eq(bypeer_writer_copy(next.writer, side.writer), 0);
    next.tables.relay_prefix = prefix;
    expect_relay(&next, 9, &record);
    cr_assert_eq(endpoint(&next, here, 51820)->flags, BYPEER_DESTINATION_WIREGUARD);
    cr_assert_eq(next.tables.header->relay_prefix.bits, 64);
    cr_assert_eq(next.tables.wireguard->load_per_s, 100);
    cr_assert_eq(bypeer_tables_session(&next.tables, index_of(kept))->serial, 6);
    cr_assert_null(bypeer_tables_session(&next.tables, index_of(removed)));
    struct bypeer_wireguard_session session = session_of(begun, 8);
    bypeer_writer_put_session(next.writer, begun, &session); /* its handshake has ended meanwhile */
    cr_assert_eq(bypeer_tables_session(&next.tables, index_of(begun))->serial, 8);
    for (uint32_t i = 0; i < 2 * SLOTS - 2; i++) {
        uint32_t slot;
        cr_assert_eq(bypeer_writer_take_session(next.writer, &slot), 0);
        cr_assert(slot != kept && slot != begun);
    }

    struct bypeer_tables_size smaller = small;
    smaller.sessions = 1;
    struct side none = make(&smaller, 1);
    cr_assert_eq(bypeer_writer_copy(none.writer, side.writer), -ENOSPC);
    unmake(&none);
    unmake(&next);
}
