/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_list.c - coracle list: all containers below the state root, as a table, as JSON, as ids alone */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/commands.h"
#include "specs/default.h"
#include "specs/state.h"

struct list_options {
	const char *format;
	bool quiet;
};

static const struct opt list_table[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct list_options, format), "FORMAT",
	  "table (default) or json" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct list_options, quiet), NULL, "print ids only" },
	{ .kind = OPT_END },
};

/* One line of the table; columns grow with what is in them. */
enum column { COL_ID, COL_PID, COL_STATUS, COL_BUNDLE, COL_CREATED, COL_OWNER, COL_MAX };

struct row {
	char *cells[COL_MAX];
};

struct list {
	struct row *rows;
	size_t n;
};

static const char *const titles[COL_MAX] = { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER" };

/* The user's name by /etc/passwd alone: name services would load libraries. */
static char *owner_name(uint32_t uid)
{
	char *name = NULL;
	FILE *f = fopen("/etc/passwd", "re");

	for (struct passwd *pw; f && !name && (pw = fgetpwent(f));)
		if (pw->pw_uid == uid)
			name = strdup(pw->pw_name);
	if (f)
		fclose(f);
	if (!name && asprintf(&name, "#%u", uid) < 0)
		return NULL;
	return name;
}

static bool fill_row(struct row *row, const struct container *c)
{
	const struct state *s = c->state;
	enum status status = container_status(c);
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", s && status != STATUS_STOPPED ? (int)s->pid : 0);
	row->cells[COL_ID] = strdup(c->id);
	row->cells[COL_PID] = strdup(pid);
	row->cells[COL_STATUS] = strdup(status_names[status]);
	row->cells[COL_BUNDLE] = strdup(s && s->bundle ? s->bundle : "-");
	row->cells[COL_CREATED] = strdup(s && s->created ? s->created : "-");
	row->cells[COL_OWNER] = s ? owner_name(s->owner) : strdup("-");
	for (size_t i = 0; i < COL_MAX; i++)
		if (!row->cells[i])
			return false;
	return true;
}

static void print_table(const struct list *l)
{
	size_t width[COL_MAX] = { 0 };
	struct row head;

	memcpy(head.cells, titles, sizeof(titles));
	for (size_t col = 0; col < COL_MAX; col++) {
		width[col] = strlen(titles[col]);
		for (size_t i = 0; i < l->n; i++)
			if (strlen(l->rows[i].cells[col]) > width[col])
				width[col] = strlen(l->rows[i].cells[col]);
	}
	for (size_t i = 0; i <= l->n; i++) {
		const struct row *row = i == 0 ? &head : &l->rows[i - 1];
		for (size_t col = 0; col < COL_MAX - 1; col++)
			printf("%-*s   ", (int)width[col], row->cells[col]);
		puts(row->cells[COL_MAX - 1]);
	}
}

static void list_done(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t col = 0; col < COL_MAX; col++)
			free(l->rows[i].cells[col]);
	free(l->rows);
}

/* What a container without a record is in the JSON: its id and that it is being created. */
static void print_json(const struct container *c, bool first)
{
	auto_free char *json = c->state ? state_to_json(c->state, container_status(c), true, false) : NULL;

	if (!first)
		fputs(",", stdout);
	if (json)
		fputs(json, stdout);
	else
		printf("{\"ociVersion\":\"" DEFAULT_OCI_VERSION
		       "\",\"id\":\"%s\",\"status\":\"creating\",\"pid\":0,"
		       "\"bundle\":\"\",\"rootfs\":\"\",\"created\":\"0001-01-01T00:00:00Z\",\"owner\":\"\"}",
		       c->id);
}

/* One that was deleted after we read the directory is none; one that cannot be read is a warning. */
static int open_listed(const struct globals *g, const char *id, struct container **ret)
{
	struct error problem;

	int r = container_open(g, id, false, ret, &problem);
	if (r < 0 && r != -ENOENT)
		log_warning("%s", problem.msg);
	return r;
}

static void print_all_json(const struct globals *g, char **ids)
{
	bool first = true;

	putchar('[');
	for (char **id = ids; *id; id++) {
		AUTO(container) struct container *c = NULL;
		if (open_listed(g, *id, &c) < 0)
			continue;
		print_json(c, first);
		first = false;
	}
	puts("]");
}

static int print_all_rows(const struct globals *g, char **ids, struct error *e)
{
	struct list l = { calloc(strv_count(ids) + 1, sizeof(*l.rows)), 0 };
	int r = l.rows ? 0 : fail(e, ENOMEM, "list containers");

	for (char **id = ids; r == 0 && *id; id++) {
		AUTO(container) struct container *c = NULL;
		if (open_listed(g, *id, &c) < 0)
			continue;
		if (!fill_row(&l.rows[l.n++], c))
			r = fail(e, ENOMEM, "list containers");
	}
	if (r == 0)
		print_table(&l);
	list_done(&l);
	return r;
}

static int run_list(struct call *call, struct error *e)
{
	const struct list_options *o = call->options;
	bool json = o->format && str_eq(o->format, "json");
	char **ids = NULL;

	if (o->format && !json && !str_eq(o->format, "table"))
		return usage(e, "list: option --format: `%s` is neither table nor json", o->format);
	int r = container_ids(call->globals, &ids, e);
	if (r < 0)
		return r;
	if (o->quiet)
		for (char **id = ids; *id; id++)
			puts(*id);
	else if (json)
		print_all_json(call->globals, ids);
	else
		r = print_all_rows(call->globals, ids, e);
	container_ids_free(ids);
	return r;
}

const struct command cmd_list = {
	.name = "list",
	.arguments = "",
	.summary = "list the containers",
	.options = list_table,
	.options_size = sizeof(struct list_options),
	.run = run_list,
};
