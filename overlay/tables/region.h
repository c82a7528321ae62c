/*
 * What every region has in common: a header that says what it is, and sections that lie within it.
 *
 * The maker calls bypeer_region_init() on zeroed memory, fills the region in, and bypeer_region_publish()es it. The
 * other side calls bypeer_region_check() once and from then on uses only the private copy that it returns: the memory
 * belongs to somebody else and may change between two looks.
 *
 *   0                64                     header_bytes
 *   | region header  | header of the kind ... sections[] | section 0 | section 1 | ...
 *                                                        ^ each starts on a cache line, in the order of its enum
 *
 * Versions. A region names the version of its layout and a hash of all sizes and offsets that this version has. Tables
 * may be of any version from BYPEER_LAYOUT_OLDEST to _NEWEST: a data plane says in HELLO which it reads, and control
 * writes the newest that both know (bypeer_layout_common()). Status and sessions are made before the maker knows who
 * will read them, so their layout has one version; they grow by giving meaning to reserved bytes only. Reserved bytes
 * are zero, and zero means what it meant before they had a meaning, so a reader of a newer release needs no second path
 * for an older region.
 *
 * Threads: any; nothing here has state. The layout hash is computed anew by each call (microseconds).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/tables/layout.h"

#define BYPEER_REGION_SECTIONS_MAX 40
#define BYPEER_REGION_WHY_BYTES    160

_Static_assert((unsigned)BYPEER_REGION_SECTIONS_MAX >= (unsigned)BYPEER_TABLES_SECTIONS, "room for every kind");

/* A checked region: private, so it cannot change behind its reader's back. */
struct bypeer_region {
    uint64_t bytes; /* of the region; the mapping may be longer */
    uint64_t generation;
    uint32_t layout;
    struct bypeer_section sections[BYPEER_REGION_SECTIONS_MAX]; /* of count and offset that fit in bytes */
};

/* Bytes of a region with counts[i] entries in section i; 0: it would not fit in 64 bits, or a count exceeds 32. */
uint64_t bypeer_region_bytes(enum bypeer_region_kind kind, const uint64_t counts[]);

/*
 * Writes the header and the sections' places into bytes of zeroed memory at base. The region is not published yet.
 * Returns 0; -EINVAL: bytes are too few, or the kind, layout or generation is none.
 */
int bypeer_region_init(void *base, uint64_t bytes, enum bypeer_region_kind kind, uint32_t layout, uint64_t generation,
                       uint64_t created_ns, const uint64_t counts[]);

/* Says that all below the header is filled in. Pairs with the load in bypeer_region_check(). */
void bypeer_region_publish(void *base);

/*
 * Checks that the bytes at base (mapped, aligned to a cache line) are a region of this kind: magic, version, hash, that
 * it fits, and of each section that it is aligned, lies behind the header and within the region, overlaps no other, and
 * has entries of the size that this release knows.
 * Returns 0; -EPROTO: it is none, or is broken; -ENOTSUP: a layout that this release does not read; -EAGAIN: not
 * published yet. On failure *ret_region is untouched and why is one line that names what was found and expected.
 */
int bypeer_region_check(struct bypeer_region *ret_region, enum bypeer_region_kind kind, const void *base,
                        uint64_t bytes, char why[static BYPEER_REGION_WHY_BYTES]);

/* Where a checked section begins. */
static inline const void *bypeer_region_section(const struct bypeer_region *region, const void *base, unsigned section)
{
    return (const uint8_t *)base + region->sections[section].offset;
}

/* Hash of every size and offset that this version of a kind's layout has; 0: this release does not know it. */
uint64_t bypeer_layout_hash(enum bypeer_region_kind kind, uint32_t layout);

/* The newest table layout that this release and one that knows oldest to newest have in common; 0: none. */
uint32_t bypeer_layout_common(uint32_t oldest, uint32_t newest);
