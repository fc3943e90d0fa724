/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_process.c - the process object of an exec: from a file, or the container's own with flags over it
 *
 * Capabilities that are added go into the bounding, effective and permitted sets, never into the
 * inheritable one (CVE-2022-29162). A user is decimal "UID" or "UID:GID", the whole string (CVE-2026-30892).
 */
#include "runtime/exec_process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/stored_config.h"

static int from_file(const struct exec_options *o, struct arena **ret_arena, struct spec_process **ret,
		     struct error *e)
{
	auto_free char *text = NULL;
	size_t size;
	int r;

	if (str_eq(o->process_file, "-"))
		r = io_read_fd(0, CONFIG_LIMIT, &text, &size, e);
	else
		r = io_read_file(AT_FDCWD, o->process_file, CONFIG_LIMIT, &text, &size, e);
	if (r == 0)
		r = spec_parse_process(text, size, ret_arena, ret, e);
	return r < 0 ? prefix(e, "process file %s", o->process_file) : 0;
}

static int set_user(const char *text, struct spec_user *user, struct error *e)
{
	char uid[16];
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : strlen(text);

	if (n == 0 || n >= sizeof(uid))
		return refuse(e, EINVAL, "--user %s: expected UID or UID:GID, in decimal", text);
	memcpy(uid, text, n);
	uid[n] = '\0';
	if (str_to_u32(uid, &user->uid) < 0 || user->uid == ID_UNSET)
		return refuse(e, EINVAL, "--user %s: expected UID or UID:GID, in decimal", text);
	if (colon && (str_to_u32(colon + 1, &user->gid) < 0 || user->gid == ID_UNSET))
		return refuse(e, EINVAL, "--user %s: expected UID or UID:GID, in decimal", text);
	return 0;
}

/* a and b in one new list; either may be NULL. */
static char **joined(struct arena *arena, char **a, char **b)
{
	size_t n = strv_count(a), m = strv_count(b);
	char **all = arena_calloc(arena, n + m + 1, sizeof(*all));

	for (size_t i = 0; all && i < n; i++)
		all[i] = a[i];
	for (size_t i = 0; all && i < m; i++)
		all[n + i] = b[i];
	return all;
}

static int add_caps(struct arena *arena, struct spec_process *p, char **caps, struct error *e)
{
	struct spec_capabilities *sets = arena_alloc(arena, sizeof(*sets));

	if (!sets)
		return fail(e, ENOMEM, "capabilities");
	if (p->capabilities)
		*sets = *p->capabilities;
	sets->bounding = joined(arena, sets->bounding, caps);
	sets->effective = joined(arena, sets->effective, caps);
	sets->permitted = joined(arena, sets->permitted, caps);
	if (!sets->bounding || !sets->effective || !sets->permitted)
		return fail(e, ENOMEM, "capabilities");
	p->capabilities = sets;
	return 0;
}

/* Later words of the same name win, so that --env can change what the container has. */
static char **changed_env(struct arena *arena, char **old, char **added)
{
	char **env = joined(arena, old, added);
	size_t kept = 0;

	for (size_t i = 0; env && env[i]; i++) {
		size_t name = strcspn(env[i], "=");
		bool replaced = false;
		for (size_t j = i + 1; env[j] && !replaced; j++)
			replaced = strncmp(env[i], env[j], name + 1) == 0;
		if (!replaced)
			env[kept++] = env[i];
	}
	if (env)
		env[kept] = NULL;
	return env;
}

static int from_flags(const struct exec_options *o, struct spec *s, struct spec_process **ret,
		      struct error *e)
{
	struct spec_process *p = arena_alloc(s->arena, sizeof(*p));

	if (!p)
		return fail(e, ENOMEM, "process");
	if (!s->process)
		return refuse(e, EINVAL,
			      "the container's config.json has no process: give one with --process");
	*p = *s->process;
	p->args = o->args;
	p->terminal = o->tty;
	p->no_new_privileges |= o->no_new_privs;
	if (o->cwd)
		p->cwd = o->cwd;
	if (p->cwd[0] != '/')
		return refuse(e, EINVAL, "--cwd %s: expected an absolute path", p->cwd);
	if (o->env && !(p->env = changed_env(s->arena, p->env, o->env)))
		return fail(e, ENOMEM, "environment");
	if (o->n_additional_gids) {
		p->user.additional_gids = o->additional_gids;
		p->user.n_additional_gids = o->n_additional_gids;
	}
	if (o->apparmor)
		p->apparmor_profile = *o->apparmor ? o->apparmor : NULL;
	if (o->process_label)
		p->selinux_label = *o->process_label ? o->process_label : NULL;
	int r = o->user ? set_user(o->user, &p->user, e) : 0;
	if (r == 0 && o->caps)
		r = add_caps(s->arena, p, o->caps, e);
	*ret = p;
	return r;
}

int exec_process_make(const struct exec_options *o, struct spec *s, struct arena **ret_arena,
		      struct spec_process **ret, struct error *e)
{
	*ret_arena = NULL;
	if (o->process_file)
		return from_file(o, ret_arena, ret, e);
	if (!o->args || !o->args[0])
		return refuse(e, EINVAL, "exec needs a command or --process");
	return from_flags(o, s, ret, e);
}
