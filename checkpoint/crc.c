/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crc.c - CRC-32C, by the processor's own instruction (x86-64 with SSE 4.2) or by tables
 *
 * The instruction takes eight bytes each third cycle: more than any link carries. The tables take eight bytes
 * a step, too ("slicing by eight"). */
#include <stdbool.h>
#include <string.h>

#include "checkpoint/wire.h"

#define POLYNOMIAL 0x82F63B78U /* Castagnoli's, bits reversed */

static uint32_t table[8][256];

static void fill_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
		table[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int k = 1; k < 8; k++)
			table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
}

static uint32_t crc_tables(uint32_t crc, const uint8_t *p, size_t n)
{
	if (!table[0][1])
		fill_table();
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t low = wire_get_u32(p) ^ crc, high = wire_get_u32(p + 4);
		crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
		      table[4][low >> 24] ^ table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^
		      table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
	}
	for (; n; n--, p++)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t c = crc;

	for (; n >= 8; n -= 8, p += 8) {
		uint64_t word;
		memcpy(&word, p, 8);
		c = __builtin_ia32_crc32di(c, word);
	}
	crc = (uint32_t)c;
	for (; n; n--, p++)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
}

static bool has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#else
#define crc_instruction crc_tables
static bool has_instruction(void)
{
	return false;
}
#endif

uint32_t wire_crc(uint32_t crc, const void *data, size_t size)
{
	return ~(has_instruction() ? crc_instruction : crc_tables)(~crc, data, size);
}
