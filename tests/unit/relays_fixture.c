#include "tests/unit/relays_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

struct node_fixture relays_fixture;
struct bypeer_problem relays_problem;
struct bypeer_relay_joined relays_joined;

void relays_set_up(void)
{
    node_fixture_begin(&relays_fixture, RELAYS_HEAD RELAYS_RELAY);
    node_fixture_open(&relays_fixture, NULL);
}

void relays_tear_down(void)
{
    node_fixture_end(&relays_fixture);
}

struct bypeer_relays *relays(void)
{
    return relays_fixture.node.relays;
}

/* A relays_key that stands for one relays_member. */
const uint8_t *relays_key(unsigned number)
{
    static uint8_t keys[4096][32];
    memset(keys[number], 0x40, 32);
    memcpy(keys[number], &number, sizeof(number));
    return keys[number];
}

/* Members "a", "b", ... up to "z", each with a relays_key of his own. */
struct bypeer_relay_entry relays_entry(char letter)
{
    static char names[26][2];
    names[letter - 'a'][0] = letter;
    return (struct bypeer_relay_entry){.name = names[letter - 'a'], .public_key = relays_key((unsigned)letter)};
}

int relays_mesh(const char *letters, uint64_t expires_s)
{
    struct bypeer_relay_entry entries[26];
    size_t count = 0;
    for (; letters[count]; count++)
        entries[count] = relays_entry(letters[count]);
    struct bypeer_relay_joining joining = {
        .group = "lab", .entries = entries, .entry_count = count, .has_expiry = true, .expires_s = expires_s};
    return bypeer_relays_join(relays(), &joining, &relays_joined, &relays_problem);
}

const struct bypeer_relay_member *relays_member(char letter)
{
    return bypeer_relays_find_member(relays(), (char[]){letter, '\0'});
}

/* The relays_pair of two, and the side of the first; NULL: they are none. */
const struct bypeer_relay_pair *relays_pair(char one, char other, unsigned *ret_side)
{
    const struct bypeer_relay_pair *at = NULL;
    while (relays_member(one) &&
           (at = bypeer_relays_next_of_member(relays(), relays_member(one), at, ret_side)) != NULL)
        if (relays_member(other) && at->members[1 - *ret_side] == relays_member(other)->id)
            return at;
    return NULL;
}

/* What a worker finds under an address. */
const struct bypeer_relay_record *relays_look_up(const uint8_t address[static 16])
{
    uint32_t end;
    struct bypeer_tables tables;
    char why[160];
    const struct bypeer_memory *memory = &relays_fixture.node.generation->memory;
    cr_assert_eq(bypeer_tables_attach(&tables, memory->base, memory->bytes, why), 0, "%s", why);
    return bypeer_relays_find(&tables, address, &end);
}

bool relays_reaches(char one, char other)
{
    unsigned side;
    const struct bypeer_relay_pair *found = relays_pair(one, other, &side);
    return found && relays_look_up(found->addresses[side]) != NULL;
}
