/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mountopts.c - the options of one mount: one table, sorted by name
 *
 * Spec: config.md, "Linux mount options". */
#include "namespaces/mountopts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1U << 25)
#endif

enum kind {
	NOTHING,     /* the default, or what only chatters in the kernel's log */
	ATTR,	     /* set, clear: MOUNT_ATTR_* of the mount */
	ATTR_ALL,    /* … and of all below it */
	SUPER,	     /* set, clear: MS_* of the file system */
	PROPAGATION, /* set: MS_*; clear: 1 if all below is meant too */
	BIND,	     /* set: 1 if all below is meant too */
	REMOUNT,
	SPECIAL, /* set: enum mount_special */
	IDMAP,	 /* set: MOUNT_IDMAP or MOUNT_IDMAP_ALL; may have a value */
};

struct option {
	const char *name;
	enum kind kind;
	uint64_t set, clear;
};

/* The ways of keeping access times exclude each other: whichever is set, all others are cleared. */
#define ATIME MOUNT_ATTR__ATIME

static const struct option table[] = {
	{ "async", SUPER, 0, MS_SYNCHRONOUS },
	{ "atime", ATTR, MOUNT_ATTR_RELATIME, ATIME },
	{ "bind", BIND, 0, 0 },
	{ "copy-symlink", SPECIAL, MOUNT_COPY_SYMLINK, 0 },
	{ "defaults", NOTHING, 0, 0 },
	{ "dest-nofollow", SPECIAL, MOUNT_DEST_NOFOLLOW, 0 },
	{ "dev", ATTR, 0, MOUNT_ATTR_NODEV },
	{ "diratime", ATTR, 0, MOUNT_ATTR_NODIRATIME },
	{ "dirsync", SUPER, MS_DIRSYNC, 0 },
	{ "exec", ATTR, 0, MOUNT_ATTR_NOEXEC },
	{ "idmap", IDMAP, MOUNT_IDMAP, MOUNT_IDMAP_ALL },
	{ "iversion", SUPER, MS_I_VERSION, 0 },
	{ "lazytime", SUPER, MS_LAZYTIME, 0 },
	{ "loud", SUPER, 0, MS_SILENT },
	{ "mand", SUPER, MS_MANDLOCK, 0 },
	{ "noatime", ATTR, MOUNT_ATTR_NOATIME, ATIME },
	{ "nodev", ATTR, MOUNT_ATTR_NODEV, 0 },
	{ "nodiratime", ATTR, MOUNT_ATTR_NODIRATIME, 0 },
	{ "noexec", ATTR, MOUNT_ATTR_NOEXEC, 0 },
	{ "noiversion", SUPER, 0, MS_I_VERSION },
	{ "nolazytime", SUPER, 0, MS_LAZYTIME },
	{ "nomand", SUPER, 0, MS_MANDLOCK },
	{ "norelatime", ATTR, MOUNT_ATTR_RELATIME, ATIME },
	{ "nostrictatime", ATTR, MOUNT_ATTR_RELATIME, ATIME },
	{ "nosuid", ATTR, MOUNT_ATTR_NOSUID, 0 },
	{ "nosymfollow", ATTR, MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "private", PROPAGATION, MS_PRIVATE, 0 },
	{ "ratime", ATTR_ALL, MOUNT_ATTR_RELATIME, ATIME },
	{ "rbind", BIND, 1, 0 },
	{ "rdev", ATTR_ALL, 0, MOUNT_ATTR_NODEV },
	{ "rdiratime", ATTR_ALL, 0, MOUNT_ATTR_NODIRATIME },
	{ "relatime", ATTR, MOUNT_ATTR_RELATIME, ATIME },
	{ "remount", REMOUNT, 0, 0 },
	{ "rexec", ATTR_ALL, 0, MOUNT_ATTR_NOEXEC },
	{ "ridmap", IDMAP, MOUNT_IDMAP_ALL, MOUNT_IDMAP },
	{ "rnoatime", ATTR_ALL, MOUNT_ATTR_NOATIME, ATIME },
	{ "rnodev", ATTR_ALL, MOUNT_ATTR_NODEV, 0 },
	{ "rnodiratime", ATTR_ALL, MOUNT_ATTR_NODIRATIME, 0 },
	{ "rnoexec", ATTR_ALL, MOUNT_ATTR_NOEXEC, 0 },
	{ "rnorelatime", ATTR_ALL, MOUNT_ATTR_RELATIME, ATIME },
	{ "rnostrictatime", ATTR_ALL, MOUNT_ATTR_RELATIME, ATIME },
	{ "rnosuid", ATTR_ALL, MOUNT_ATTR_NOSUID, 0 },
	{ "rnosymfollow", ATTR_ALL, MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "ro", ATTR, MOUNT_ATTR_RDONLY, 0 },
	{ "rprivate", PROPAGATION, MS_PRIVATE, 1 },
	{ "rrelatime", ATTR_ALL, MOUNT_ATTR_RELATIME, ATIME },
	{ "rro", ATTR_ALL, MOUNT_ATTR_RDONLY, 0 },
	{ "rrw", ATTR_ALL, 0, MOUNT_ATTR_RDONLY },
	{ "rshared", PROPAGATION, MS_SHARED, 1 },
	{ "rslave", PROPAGATION, MS_SLAVE, 1 },
	{ "rstrictatime", ATTR_ALL, MOUNT_ATTR_STRICTATIME, ATIME },
	{ "rsuid", ATTR_ALL, 0, MOUNT_ATTR_NOSUID },
	{ "rsymfollow", ATTR_ALL, 0, MOUNT_ATTR_NOSYMFOLLOW },
	{ "runbindable", PROPAGATION, MS_UNBINDABLE, 1 },
	{ "rw", ATTR, 0, MOUNT_ATTR_RDONLY },
	{ "shared", PROPAGATION, MS_SHARED, 0 },
	{ "silent", SUPER, MS_SILENT, 0 },
	{ "slave", PROPAGATION, MS_SLAVE, 0 },
	{ "src-nofollow", SPECIAL, MOUNT_SRC_NOFOLLOW, 0 },
	{ "strictatime", ATTR, MOUNT_ATTR_STRICTATIME, ATIME },
	{ "suid", ATTR, 0, MOUNT_ATTR_NOSUID },
	{ "symfollow", ATTR, 0, MOUNT_ATTR_NOSYMFOLLOW },
	{ "sync", SUPER, MS_SYNCHRONOUS, 0 },
	{ "tmpcopyup", SPECIAL, MOUNT_COPY_UP, 0 },
	{ "unbindable", PROPAGATION, MS_UNBINDABLE, 0 },
};

static int compare_names(const void *name, const void *row)
{
	return strcmp(name, ((const struct option *)row)->name);
}

static const struct option *find(const char *name)
{
	return bsearch(name, table, COUNT_OF(table), sizeof(table[0]), compare_names);
}

const char *mountopts_name(size_t i)
{
	return i < COUNT_OF(table) ? table[i].name : NULL;
}

/* Later options win: what is set now is no longer cleared, and the other way round. */
static void change(uint64_t *set, uint64_t *clear, const struct option *option)
{
	*set = (*set & ~option->clear) | option->set;
	*clear = (*clear & ~option->set) | option->clear;
}

static void apply(struct mountopts *o, const struct option *option)
{
	switch (option->kind) {
	case ATTR:
		change(&o->set, &o->clear, option);
		break;
	case ATTR_ALL:
		change(&o->set_all, &o->clear_all, option);
		break;
	case SUPER:
		o->sb_set = (o->sb_set & ~(unsigned int)option->clear) | (unsigned int)option->set;
		o->sb_clear = (o->sb_clear & ~(unsigned int)option->set) | (unsigned int)option->clear;
		break;
	case PROPAGATION:
		o->propagation = option->set;
		o->propagation_recursive = option->clear;
		break;
	case BIND:
		o->bind = true;
		o->recursive = option->set;
		break;
	case REMOUNT:
		o->remount = true;
		break;
	case SPECIAL:
		o->special |= (unsigned int)option->set;
		break;
	case IDMAP:
		o->special = (o->special & ~(unsigned int)option->clear) | (unsigned int)option->set;
		o->idmap = NULL;
		break;
	case NOTHING:
		break;
	}
}

/* Cut at the next comma that is neither quoted nor escaped (overlay's lowerdir=a\,b, a context="x,y").
 * Returns the word, NULL at the end. */
static char *next_word(char **rest)
{
	char *word = *rest, *p = word;
	bool quoted = false;

	if (!p)
		return NULL;
	for (; *p && (quoted || *p != ','); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '\\' && p[1])
			p++;
	}
	*rest = *p ? p + 1 : NULL;
	*p = '\0';
	return word;
}

/* "idmap=uids=0-1000-1;gids=…" */
static bool apply_idmap(struct mountopts *o, char *word)
{
	bool recursive = str_starts(word, "ridmap=");

	if (!recursive && !str_starts(word, "idmap="))
		return false;
	apply(o, find(recursive ? "ridmap" : "idmap"));
	o->idmap = strchr(word, '=') + 1;
	return true;
}

static void apply_words(struct mountopts *o, char *rest)
{
	for (char *word; (word = next_word(&rest));) {
		if (!*word)
			continue;
		const struct option *option = find(word);
		if (option)
			apply(o, option);
		else if (!apply_idmap(o, word))
			o->data[o->n_data++] = word;
	}
}

/* Room for all the text, and for as many words as there could be. */
static int make_room(struct mountopts *o, char *const *options)
{
	size_t size = 1, words = 1;

	for (size_t i = 0; options[i]; i++) {
		size += strlen(options[i]) + 1;
		words++;
		for (const char *p = options[i]; *p; p++)
			words += *p == ',';
	}
	o->text = malloc(size);
	o->data = calloc(words, sizeof(*o->data));
	return o->text && o->data ? 0 : -ENOMEM;
}

int mountopts_parse(char *const *options, struct mountopts *ret, struct error *e)
{
	*ret = (struct mountopts){ 0 };
	if (!options || !options[0])
		return 0;
	if (make_room(ret, options) < 0) {
		mountopts_done(ret);
		return fail(e, ENOMEM, "mount options");
	}
	char *text = ret->text;
	for (size_t i = 0; options[i]; i++) {
		size_t size = strlen(options[i]) + 1;
		memcpy(text, options[i], size);
		apply_words(ret, text);
		text += size;
	}
	return 0;
}

void mountopts_done(struct mountopts *o)
{
	free(o->data);
	free(o->text);
	o->data = NULL;
	o->text = NULL;
	o->n_data = 0;
}

const char *mountopts_data(const struct mountopts *o, const char *key)
{
	size_t size = strlen(key);

	for (size_t i = o->n_data; i-- > 0;)
		if (strncmp(o->data[i], key, size) == 0 && o->data[i][size] == '=')
			return o->data[i] + size + 1;
	return NULL;
}
