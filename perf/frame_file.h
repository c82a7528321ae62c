/*
 * What the programs that write frames for net_pcap share: libpcap's format, a UDP header around a payload, and numbers
 * of a command line.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Number i of the sequence of a seed. */
uint64_t frame_random_at(uint64_t seed, uint64_t i);

/* libpcap's format: a file header, then each frame behind its time and length, in the host's byte order. */
bool frame_file_begin(FILE *file);
bool frame_file_put(FILE *file, const uint8_t *frame, uint32_t bytes);

/* Writes a UDP header whose payload lies behind it already; the IPv6 header before it gives the addresses. */
void frame_udp_finish(uint8_t *ipv6, uint16_t source_port, uint16_t destination_port, uint16_t udp_bytes);

/* A number of the command line, from least to most; else the program ends. */
uint32_t frame_number_argument(const char *name, const char *text, uint32_t least, uint32_t most);
/* An Ethernet address, an IPv6 address, 2 * bytes hexadecimal digits; likewise. */
void frame_mac_argument(const char *text, uint8_t ret_mac[static 6]);
void frame_address_argument(const char *name, const char *text, uint8_t ret_address[static 16]);
void frame_hex_argument(const char *name, const char *text, uint8_t *ret_bytes, size_t bytes);

/* Says what is wrong, beginning with the program's name; 1. */
int frame_fail(const char *what, const char *text);
