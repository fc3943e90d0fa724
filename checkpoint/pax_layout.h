/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pax_layout.h - a header block as it lies in the file; for pax_write.c and pax_read.c */
#ifndef CORACLE_PAX_LAYOUT_H
#define CORACLE_PAX_LAYOUT_H

struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8], typeflag, linkname[100],
		magic[8] /* with the version */, uname[32], gname[32], devmajor[8], devminor[8], prefix[155],
		unused[12];
};
_Static_assert(sizeof(struct ustar) == 512, "a block");

#define OCTAL_MAX_7  07777777U
#define OCTAL_MAX_11 UINT64_C(077777777777)
#define XATTR_KEY    "SCHILY.xattr."

#endif
