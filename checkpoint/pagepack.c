/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pagepack.c - contents of frames, compressed and back
 *
 * zstd by default at its level 1, lz4 at its fastest: see tests/bench/README.md for what they cost and save on
 * the memory of real programs. */
#include <errno.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "checkpoint/pageframe.h"

#define ZSTD_LEVEL 1

struct page_packer {
	enum page_codec codec;
	int level;
	ZSTD_CCtx *zstd_out;
	ZSTD_DCtx *zstd_in;
	void *lz4;
};

int page_packer_new(enum page_codec codec, int level, struct page_packer **ret, struct error *e)
{
	struct page_packer *p = calloc(1, sizeof(*p));

	if (!p)
		return fail(e, ENOMEM, "compress pages");
	p->codec = codec;
	p->level = level ? level : ZSTD_LEVEL;
	if ((codec == PAGE_CODEC_ZSTD && !(p->zstd_out = ZSTD_createCCtx())) ||
	    (codec == PAGE_CODEC_LZ4 && !(p->lz4 = malloc((size_t)LZ4_sizeofState())))) {
		page_packer_free(p);
		return fail(e, ENOMEM, "compress pages");
	}
	*ret = p;
	return 0;
}

void page_packer_free(struct page_packer *p)
{
	if (!p)
		return;
	ZSTD_freeCCtx(p->zstd_out);
	ZSTD_freeDCtx(p->zstd_in);
	free(p->lz4);
	free(p);
}

static size_t pack(struct page_packer *p, const void *data, size_t size, void *out, size_t room)
{
	size_t n;
	int lz4;

	switch (p->codec) {
	case PAGE_CODEC_ZSTD:
		n = ZSTD_compressCCtx(p->zstd_out, out, room, data, size, p->level);
		return ZSTD_isError(n) ? 0 : n;
	case PAGE_CODEC_LZ4:
		lz4 = LZ4_compress_fast_extState(p->lz4, data, out, (int)size, (int)room, 1);
		return lz4 > 0 ? (size_t)lz4 : 0;
	case PAGE_CODEC_NONE:
	case PAGE_CODEC_MAX:
		break;
	}
	return 0;
}

size_t page_pack(struct page_packer *p, const void *data, size_t size, void *out, enum page_codec *ret_codec)
{
	/* what saves less than a sixteenth is not worth being unpacked */
	size_t n = size ? pack(p, data, size, out, size - size / 16) : 0;

	*ret_codec = n ? p->codec : PAGE_CODEC_NONE;
	return n ? n : size;
}

int page_unpack(struct page_packer *p, enum page_codec codec, const void *data, size_t size, void *out,
		size_t raw, struct error *e)
{
	size_t n = 0;
	int lz4;

	if (codec == PAGE_CODEC_ZSTD) {
		if (!p->zstd_in && !(p->zstd_in = ZSTD_createDCtx()))
			return fail(e, ENOMEM, "unpack pages");
		n = ZSTD_decompressDCtx(p->zstd_in, out, raw, data, size);
	} else if (codec == PAGE_CODEC_LZ4) {
		lz4 = LZ4_decompress_safe(data, out, (int)size, (int)raw);
		n = lz4 < 0 ? 0 : (size_t)lz4;
	}
	if (n != raw)
		return refuse(e, EPROTO, "frame of memory pages: contents that do not unpack to %zu bytes",
			      raw);
	return 0;
}
