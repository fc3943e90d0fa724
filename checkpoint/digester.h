/* SPDX-License-Identifier: GPL-2.0-or-later */
/* digester.h - digests of memory images, made while CRIU writes them
 *
 * The digest of some hundred megabytes takes a tenth of a second, and at the end of a dump the container stands
 * still for it. So a process of ours, started before, reads each pages-*.img as it grows (inotify(7)), on
 * another processor, and is done when CRIU is. */
#ifndef CORACLE_DIGESTER_H
#define CORACLE_DIGESTER_H

#include "checkpoint/manifest.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

struct digester;

/* Watch this directory of images; `signed_set`: SHA-256, else the fast checksum. */
int digester_start(int dir, bool signed_set, struct digester **ret, struct error *e);

/* No more will be written: the digests, in the arena. A file that it missed is simply not among them. */
int digester_finish(struct digester *d, struct arena *a, struct manifest_file **ret, size_t *ret_n,
		    struct error *e);

/* Ends it, whatever it does. */
void digester_free(struct digester *d);
DEFINE_AUTO(digester, struct digester)

#endif
