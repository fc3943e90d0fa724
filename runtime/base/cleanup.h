/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cleanup.h - ownership, declared where a thing is declared
 *
 *	auto_close int fd = -1;			closed on every way out
 *	auto_free char *text = NULL;		freed on every way out
 *	AUTO(spec) struct spec *s = NULL;	spec_free(s) on every way out
 *	*ret_fd = take_fd(&fd);			handed over: the owner's copy becomes -1
 *
 * noun_free() frees all, noun_done() frees the contents; both accept NULL and half-built objects. */
#ifndef CORACLE_CLEANUP_H
#define CORACLE_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

/* close(2) without disturbing errno, so that it can run between a failure and its report. */
static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
}

#define auto_free  __attribute__((cleanup(cleanup_free)))
#define auto_close __attribute__((cleanup(cleanup_close), unused)) /* some only hold a place open */

/* AUTO(noun) calls noun_freep(), which DEFINE_AUTO(noun, struct noun) makes out of noun_free(). */
#define AUTO(noun) __attribute__((cleanup(noun##_freep)))
#define DEFINE_AUTO(noun, type)                   \
	static inline void noun##_freep(type **p) \
	{                                         \
		noun##_free(*p);                  \
	}

static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

#define take_ptr(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

/* Replace an owned descriptor: the old one is closed. */
static inline void replace_fd(int *fd, int with)
{
	cleanup_close(fd);
	*fd = with;
}

#endif
