/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wp_internal.h - own memory tracking: what wp.c, wp_arm.c and wp_scan.c share, and the kernel's words for it
 *
 * PAGEMAP_SCAN and UFFD_FEATURE_WP_ASYNC came with Linux 6.7; the headers that we build against are older. */
#ifndef CORACLE_WP_INTERNAL_H
#define CORACLE_WP_INTERNAL_H

#include <linux/userfaultfd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#include "checkpoint/track.h"

#ifndef PAGEMAP_SCAN
#define PAGE_IS_WPALLOWED (1 << 0)
#define PAGE_IS_WRITTEN	  (1 << 1)
#define PAGE_IS_FILE	  (1 << 2)
#define PAGE_IS_PRESENT	  (1 << 3)
#define PAGE_IS_SWAPPED	  (1 << 4)
#define PAGE_IS_PFNZERO	  (1 << 5)

struct page_region {
	uint64_t start, end, categories;
};

#define PM_SCAN_WP_MATCHING   (1 << 0)
#define PM_SCAN_CHECK_WPASYNC (1 << 1)

struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask,
		category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define WP_FEATURES (UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_HUGETLBFS_SHMEM)

/* ---- arming (wp_arm.c) ---- */

struct wp_target {
	pid_t pid;
	int pidfd, mem;
	int uffd;	     /* out: a userfaultfd of its memory, ours alone; -1: `error` says why */
	int error;	     /* out: errno */
	uint32_t stopped_us; /* out */
};

/* Give each target a userfaultfd that only we have. Done by a child that finishes its work whatever becomes of us. */
int wp_arm(struct wp_target *targets, size_t n, struct error *e);

/* Shake hands with the kernel over it. -EOPNOTSUPP: the features are not there. */
int wp_handshake(int uffd, struct error *e);

/* ---- scanning (wp_scan.c) ---- */

enum wp_kind {
	WP_SKIP,    /* the kernel's, or a file's: nothing that an image would hold */
	WP_PRIVATE, /* pages that are its own */
	WP_SHARED,  /* anonymous shared memory */
};

struct wp_mapping {
	uint64_t start, end, offset, inode;
	enum wp_kind kind;
};

/* One line of /proc/PID/maps (pure). -EINVAL: not one. */
int wp_mapping_parse(const char *line, struct wp_mapping *ret);

struct wp_process {
	pid_t pid;
	uint64_t image;
	int pidfd, mem, pagemap, maps, uffd;
	bool listed; /* in the last list */
};

struct wp_scan {
	struct page_sender *sender;
	uint8_t *buffer; /* PAGE_FRAME_CONTENTS */
	struct page_region *region;
	struct wp_mapping *mapping; /* of the process at hand */
	size_t mappings_room;
	size_t page_size;
	int stop;
	struct track_round_stats stats;
};
#define WP_REGIONS 2048

/* Its handles are of a memory that has no user any more: it ended, or executed something. */
bool wp_memory_is_gone(const struct wp_process *p);
/* Find, protect again and pass on what was written. -ESRCH: its memory is gone (it ended, or executed something). */
int wp_scan_process(struct wp_scan *s, struct wp_process *p, struct error *e);
/* Only count. */
int wp_count_process(struct wp_scan *s, struct wp_process *p, uint64_t *ret, struct error *e);

/* ---- the tracker (wp.c), behind track.h ---- */

struct wp_tracker;
int wp_tracker_new(const struct track_source *source, struct wp_tracker **ret, struct error *e);
void wp_tracker_free(struct wp_tracker *t);
int wp_tracker_round(struct wp_tracker *t, struct page_sender *s, int stop, struct track_round_stats *ret,
		     struct error *e);
int wp_tracker_count(struct wp_tracker *t, uint64_t *ret, struct error *e);
/* NULL: this kernel can; else why not. */
const char *wp_why_not(void);

#endif
