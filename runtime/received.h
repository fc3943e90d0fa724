/* SPDX-License-Identifier: GPL-2.0-or-later */
/* received.h - bundles that `receive` makes, and their end */
#ifndef CORACLE_RECEIVED_H
#define CORACLE_RECEIVED_H

#include "runtime/base/error.h"

/* An empty file in the bundle: made by receive, and so ours to remove. */
#define RECEIVED_MARK ".coracle-received"

/* Remove a directory with all that is in it (never through a link, never across a mount); a warning if it cannot
 * be done. */
void remove_directory(const char *path);

/* The same for a bundle, if it has the mark. */
void received_bundle_remove(const char *bundle);

#endif
