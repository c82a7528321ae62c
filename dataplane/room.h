/*
 * The unused room of an mbuf, closed to reads and writes in the sanitizer build.
 *
 * AddressSanitizer watches malloc'd memory only: a read past a packet's data stays within its mbuf and passes unseen.
 * So receive and inject close the room of each mbuf (all of its buffer but the data), the functions below open what a
 * node makes part of the data, and whoever hands an mbuf on to a device, a ring or its pool opens all of it. A node
 * therefore uses these instead of rte_pktmbuf_prepend() and its like. In any other build they are exactly those.
 *
 * Single-segment mbufs only; a multi-segment one is never closed.
 */
#pragma once

#include <rte_mbuf.h>

#if defined(__SANITIZE_ADDRESS__)
#define BYPEER_ROOM_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BYPEER_ROOM_WATCHED 1
#endif
#endif

#ifdef BYPEER_ROOM_WATCHED
#include <sanitizer/asan_interface.h>
#endif

/* Opens the whole buffer: before the mbuf leaves our nodes. */
static inline void bypeer_room_open(struct rte_mbuf *mbuf)
{
#ifdef BYPEER_ROOM_WATCHED
    ASAN_UNPOISON_MEMORY_REGION(mbuf->buf_addr, mbuf->buf_len);
#else
    (void)mbuf;
#endif
}

/* Closes all but the data, whatever was open before. A byte before data that is not aligned to 8 may stay open, a byte
 * after it never does: that is ASan's grain. */
static inline void bypeer_room_close(struct rte_mbuf *mbuf)
{
#ifdef BYPEER_ROOM_WATCHED
    if (mbuf->nb_segs != 1)
        return;
    ASAN_POISON_MEMORY_REGION(mbuf->buf_addr, mbuf->buf_len);
    ASAN_UNPOISON_MEMORY_REGION(rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len);
#else
    (void)mbuf;
#endif
}

static inline void bypeer_room_open_burst(struct rte_mbuf *const *mbufs, unsigned count)
{
#ifdef BYPEER_ROOM_WATCHED
    for (unsigned i = 0; i < count; i++)
        bypeer_room_open(mbufs[i]);
#else
    (void)mbufs;
    (void)count;
#endif
}

static inline void bypeer_room_close_burst(struct rte_mbuf *const *mbufs, unsigned count)
{
#ifdef BYPEER_ROOM_WATCHED
    for (unsigned i = 0; i < count; i++)
        bypeer_room_close(mbufs[i]);
#else
    (void)mbufs;
    (void)count;
#endif
}

/* rte_pktmbuf_prepend(): the new start of the data, or NULL if the headroom is too small. */
static inline void *bypeer_room_prepend(struct rte_mbuf *mbuf, uint16_t bytes)
{
    void *start = rte_pktmbuf_prepend(mbuf, bytes);
    bypeer_room_close(mbuf);
    return start;
}

/* rte_pktmbuf_append(): where the appended bytes begin, or NULL if the tailroom is too small. */
static inline void *bypeer_room_append(struct rte_mbuf *mbuf, uint16_t bytes)
{
    void *start = rte_pktmbuf_append(mbuf, bytes);
    bypeer_room_close(mbuf);
    return start;
}

/* rte_pktmbuf_trim(): removes bytes at the end; 0, or -1 if there are fewer. */
static inline int bypeer_room_trim(struct rte_mbuf *mbuf, uint16_t bytes)
{
    int status = rte_pktmbuf_trim(mbuf, bytes);
    bypeer_room_close(mbuf);
    return status;
}

/* Keeps bytes of the data from at on, both within it. */
static inline void bypeer_room_narrow(struct rte_mbuf *mbuf, uint16_t at, uint16_t bytes)
{
    mbuf->data_off = (uint16_t)(mbuf->data_off + at);
    mbuf->data_len = bytes;
    mbuf->pkt_len = bytes;
    bypeer_room_close(mbuf);
}

/* rte_pktmbuf_free_bulk() */
static inline void bypeer_room_free_bulk(struct rte_mbuf **mbufs, unsigned count)
{
    bypeer_room_open_burst(mbufs, count);
    rte_pktmbuf_free_bulk(mbufs, count);
}
