/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compress.c - the codecs of a channel: libzstd, liblz4 */
#include <errno.h>
#include <lz4.h>
#include <zstd.h>

#include "checkpoint/channel.h"

uint32_t codecs_available(void)
{
	return 1U << WIRE_PLAIN | 1U << WIRE_ZSTD | 1U << WIRE_LZ4;
}

/* zstd's fastest ordinary level: a link of 10 Gbit/s is slower than it. */
#define ZSTD_LEVEL 1

size_t codec_compress(enum wire_codec codec, const void *from, size_t size, void *to, size_t room)
{
	size_t n = 0;

	if (codec == WIRE_ZSTD) {
		static ZSTD_CCtx *context;
		if (!context)
			context = ZSTD_createCCtx();
		n = context ? ZSTD_compressCCtx(context, to, room, from, size, ZSTD_LEVEL) : 0;
		if (ZSTD_isError(n))
			n = 0;
	} else if (codec == WIRE_LZ4) {
		int r = LZ4_compress_default(from, to, (int)size, (int)room);
		n = r > 0 ? (size_t)r : 0;
	}
	return n < size ? n : 0;
}

int codec_expand(enum wire_codec codec, const void *from, size_t size, void *to, size_t plain)
{
	size_t n = 0;

	if (codec == WIRE_ZSTD) {
		static ZSTD_DCtx *context;
		if (!context)
			context = ZSTD_createDCtx();
		n = context ? ZSTD_decompressDCtx(context, to, plain, from, size) : 0;
		if (ZSTD_isError(n))
			n = 0;
	} else if (codec == WIRE_LZ4) {
		int r = LZ4_decompress_safe(from, to, (int)size, (int)plain);
		n = r > 0 ? (size_t)r : 0;
	}
	return n == plain ? 0 : -EBADMSG;
}
