/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.h - the error value
 *
 * Everything that can fail returns 0 (or a count, or a descriptor) or a negative errno, and takes a
 * `struct error *e` last. The message says what was tried on what; callers prefix what they were doing.
 * The value has a fixed size: nothing is allocated while failing, and it crosses a socket as it is.
 * A successful call leaves `e` alone. Only commands print it. */
#ifndef CORACLE_ERROR_H
#define CORACLE_ERROR_H

struct error {
	int code; /* a positive errno; 0: no error was recorded */
	char msg[480];
};

/* Record "text: strerror(errnum)" and return -errnum. errnum 0 or negative counts as EINVAL/its absolute. */
int fail(struct error *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Record the text alone (the caller's sentence says it all) and return -errnum. */
int refuse(struct error *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "text: " before the recorded message and return -e->code, so that callers can write
 * `return prefix(e, "mount %s", dest);` */
int prefix(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
