/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hooks.c - run the config's hooks with the OCI state on stdin
 *
 * A hook gets exactly the environment it names (none if it names none), "/" or the given directory as its
 * working directory, and no descriptor of ours: nothing of the container's image reaches host code
 * (CVE-2025-23266). A hook that fails or outlives its timeout ends the list. Spec: config.md, "POSIX-platform
 * Hooks". */
#include "runtime/life.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/log.h"
#include "runtime/base/spawn.h"

static int run_one(const struct spec_hook *h, const char *input, struct error *e)
{
	struct spawn s = { .path = h->path,
			   .argv = h->args,
			   .envp = h->env,
			   .input = input,
			   .input_size = strlen(input),
			   .timeout_ms = h->timeout > 0 ? h->timeout * 1000 : 0 };

	return spawn_run(&s, NULL, e);
}

void hooks_run_poststop(const struct spec *s, const struct state *state)
{
	const struct spec_hooks *hooks = &s->hooks[HOOK_POSTSTOP];
	struct error error;

	if (hooks->count == 0)
		return;
	auto_free char *input = state_to_json(state, STATUS_STOPPED, false, false);
	for (size_t i = 0; input && i < hooks->count; i++)
		if (run_one(&hooks->list[i], input, &error) < 0)
			log_warning("poststop hook: %s", error.msg);
}

int hooks_run(const struct spec *s, enum hook_kind kind, const struct state *state, enum status status,
	      struct error *e)
{
	const struct spec_hooks *hooks = &s->hooks[kind];

	if (hooks->count == 0)
		return 0;
	auto_free char *input = state_to_json(state, status, false, false);
	if (!input)
		return fail(e, ENOMEM, "%s hooks", hook_names[kind]);
	for (size_t i = 0; i < hooks->count; i++) {
		int r = run_one(&hooks->list[i], input, e);
		if (r < 0)
			return prefix(e, "%s hook", hook_names[kind]);
	}
	return 0;
}
