/* SPDX-License-Identifier: GPL-2.0-or-later */
/* knobs.c - linux.resources as lines for the files of a group: one table, pure
 *
 * A row takes one key to one file by one format; rows are written in their order. A format sees the whole of
 * the resources, for cgroup v2 has joined what was two in v1 (quota and period) and parted what was one
 * (memory and swap). Zero stands for "unset" where engines mean it so; -1 for "no limit". What only v1 has
 * was refused when the config was read (specs/validate.c). knobs_apply.c writes the lines.
 * Spec: config-linux.md, "Control groups". */
#include "cgroups/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

#define NAME_SIZE 64
#define TEXT_SIZE 96

struct format {
	const struct spec_resources *r;
	const struct knobs_now *now;
	knob_sink *emit;
	void *context;
	struct error *e;
	bool burst_is_set;
};

struct knob {
	const char *key;
	int controller;
	const char *file;
	size_t offset; /* of the number or the text in struct spec_resources; of a list's pointer */
	int (*format)(struct format *f, const struct knob *k);
	size_t count; /* of a list: offset of its count */
	const char *word;
};

/* ---- what formats are made of ---- */

static int64_t number(const struct format *f, const struct knob *k)
{
	return *(const int64_t *)((const char *)f->r + k->offset);
}

static bool is_set(int64_t value)
{
	return value != NUM_UNSET && value != 0;
}

static int emit_to(struct format *f, const struct knob *k, const char *file, const char *text,
		   enum knob_rank rank, bool tried)
{
	const struct knob_line line = { .key = k->key,
					.file = file,
					.text = text,
					.controller = k->controller,
					.rank = rank,
					.tried = tried };
	return f->emit(f->context, &line, f->e);
}

static int emit_text(struct format *f, const struct knob *k, const char *text, enum knob_rank rank)
{
	return emit_to(f, k, k->file, text, rank, false);
}

static int emit_number(struct format *f, const struct knob *k, int64_t value, enum knob_rank rank)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text), "%" PRId64, value);
	return emit_text(f, k, text, rank);
}

/* A number, "max" for a negative one. */
static int emit_limit(struct format *f, const struct knob *k, int64_t value)
{
	return value < 0 ? emit_text(f, k, "max", KNOB_DEFAULT) : emit_number(f, k, value, KNOB_MUST);
}

/* ---- one number, one file ---- */

static int format_pids(struct format *f, const struct knob *k)
{
	int64_t value = number(f, k); /* 0 is a limit: no process may be added */

	return value == NUM_UNSET ? 0 : emit_limit(f, k, value);
}

static int format_text(struct format *f, const struct knob *k)
{
	const char *text = *(const char *const *)((const char *)f->r + k->offset);

	return text && *text ? emit_text(f, k, text, KNOB_MUST) : 0;
}

/* ---- memory ---- */

static int format_reservation(struct format *f, const struct knob *k)
{
	int64_t value = number(f, k);

	if (!is_set(value))
		return 0;
	return value < 0 ? emit_text(f, k, "0", KNOB_DEFAULT) : emit_number(f, k, value, KNOB_MUST);
}

/* The limit has two rows, one before swap's and one after it: what is raised is raised before anything is
 * lowered, or an update of both would squeeze the processes for a moment. */
static bool raises_memory(const struct format *f)
{
	int64_t now = f->now->memory_limit, value = f->r->memory_limit;

	return now >= 0 && (value < 0 || value > now);
}

static int format_memory_raise(struct format *f, const struct knob *k)
{
	int64_t value = number(f, k);

	return is_set(value) && raises_memory(f) ? emit_limit(f, k, value) : 0;
}

static int format_memory_lower(struct format *f, const struct knob *k)
{
	int64_t value = number(f, k);

	return is_set(value) && !raises_memory(f) ? emit_limit(f, k, value) : 0;
}

/* memory.swap counts memory and swap together, memory.swap.max swap alone. */
static int format_swap(struct format *f, const struct knob *k)
{
	int64_t both = number(f, k), memory = f->r->memory_limit;

	if (!is_set(both)) /* without a limit of memory there is none of both */
		return memory < 0 && memory != NUM_UNSET ? emit_text(f, k, "max", KNOB_DEFAULT) : 0;
	if (both < 0)
		return emit_text(f, k, "max", KNOB_DEFAULT);
	if (!is_set(memory))
		memory = f->now->memory_limit;
	if (memory < 0)
		return refuse(f->e, EINVAL,
			      "linux.resources.memory.swap: cannot be limited while memory.limit is not");
	if (both < memory)
		return refuse(f->e, EINVAL,
			      "linux.resources.memory.swap: %" PRId64 " is below memory.limit, %" PRId64
			      ", which is part of it",
			      both, memory);
	/* No swap at all is also what a kernel without swap accounting gives. */
	return emit_number(f, k, both - memory, both > memory ? KNOB_MUST : KNOB_MAY);
}

/* ---- cpu ---- */

static int format_idle(struct format *f, const struct knob *k)
{
	int64_t value = number(f, k);

	return value == NUM_UNSET ? 0 : emit_number(f, k, value, value ? KNOB_MUST : KNOB_DEFAULT);
}

static int format_shares(struct format *f, const struct knob *k)
{
	int64_t value = number(f, k);

	if (!is_set(value) || is_set(f->r->cpu_idle)) /* an idle group has no weight: EINVAL */
		return 0;
	if (value < 0)
		return refuse(f->e, EINVAL, "linux.resources.cpu.shares: %" PRId64 " is negative", value);
	return emit_number(f, k, (int64_t)cpu_weight_of_shares((uint64_t)value), KNOB_MUST);
}

static bool sets_cpu_max(const struct format *f)
{
	return is_set(f->r->cpu_quota) || is_set(f->r->cpu_period);
}

/* The kernel wants burst <= quota at every moment: a lowered burst goes before the quota, a raised one may
 * have to wait for it. */
static int format_burst(struct format *f, const struct knob *k)
{
	int64_t value = number(f, k);
	char text[TEXT_SIZE];

	if (value == NUM_UNSET || f->burst_is_set)
		return 0;
	bool tried = k->word && sets_cpu_max(f);
	snprintf(text, sizeof(text), "%" PRId64, value);
	int r = emit_to(f, k, k->file, text, value ? KNOB_MUST : KNOB_DEFAULT, tried);
	f->burst_is_set = r >= 0;
	return tried ? 0 : r;
}

/* cpu.max takes "QUOTA [PERIOD]"; a period left out stays what it is. */
static int format_cpu_max(struct format *f, const struct knob *k)
{
	int64_t quota = f->r->cpu_quota, period = f->r->cpu_period;
	char text[TEXT_SIZE], number_text[24];
	const char *first = number_text;

	if (!sets_cpu_max(f))
		return 0;
	snprintf(number_text, sizeof(number_text), "%" PRId64, quota);
	if (!is_set(quota))
		first = f->now->cpu_quota;
	else if (quota < 0)
		first = "max";
	bool unlimited = str_eq(first, "max");
	if (!is_set(period))
		return emit_text(f, k, first, unlimited ? KNOB_DEFAULT : KNOB_MUST);
	snprintf(text, sizeof(text), "%s %" PRId64, first, period);
	return emit_text(f, k, text, unlimited ? KNOB_MAY : KNOB_MUST);
}

/* ---- block I/O ---- */

static int check_weight(struct format *f, const struct knob *k, int64_t weight)
{
	if (weight >= 10 && weight <= 1000)
		return 0;
	return refuse(f->e, EINVAL, "linux.resources.%s: %" PRId64 " is not between 10 and 1000", k->key,
		      weight);
}

/* BFQ's own scale is v1's; without it io.weight's, to which the weight is converted. */
static int emit_weight(struct format *f, const struct knob *k, const char *device, int64_t weight)
{
	char text[TEXT_SIZE];

	int r = check_weight(f, k, weight);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%s%" PRId64, device, weight);
	if (emit_to(f, k, "io.bfq.weight", text, KNOB_MUST, true) >= 0)
		return 0;
	snprintf(text, sizeof(text), "%s%" PRIu64, device, io_weight_of_blkio((uint64_t)weight));
	return emit_text(f, k, text, KNOB_MUST);
}

static int format_io_weight(struct format *f, const struct knob *k)
{
	return is_set(number(f, k)) ? emit_weight(f, k, "", number(f, k)) : 0;
}

static int format_io_weights(struct format *f, const struct knob *k)
{
	char device[TEXT_SIZE];
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->r->n_block_weight_devices; i++) {
		const struct spec_block_weight *w = &f->r->block_weight_devices[i];
		snprintf(device, sizeof(device), "%" PRId64 ":%" PRId64 " ", w->major, w->minor);
		if (is_set(w->weight))
			r = emit_weight(f, k, device, w->weight);
	}
	return r;
}

static int format_io_max(struct format *f, const struct knob *k)
{
	const struct spec_block_rate *list = *(struct spec_block_rate *const *)((const char *)f->r +
										k->offset);
	size_t count = *(const size_t *)((const char *)f->r + k->count);
	char text[TEXT_SIZE];
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		int used = snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %s=", list[i].major,
				    list[i].minor, k->word);
		if (list[i].rate) /* 0 ends a limit, as in v1 */
			snprintf(text + used, sizeof(text) - (size_t)used, "%" PRIu64, list[i].rate);
		else
			snprintf(text + used, sizeof(text) - (size_t)used, "max");
		r = emit_text(f, k, text, list[i].rate ? KNOB_MUST : KNOB_DEFAULT);
	}
	return r;
}

/* ---- huge pages, rdma ---- */

/* "2MB", "64KB": it becomes part of a file's name. */
static bool is_page_size(const char *s)
{
	size_t digits = strspn(s, "0123456789");

	return digits > 0 && digits < 10 && s[0] != '0' && s[digits] && strchr("KMG", s[digits]) &&
	       str_eq(s + digits + 1, "B");
}

/* Reservations where the kernel counts them (5.7), and page faults always: a mapping without reservation is
 * only counted there. */
static int format_hugetlb(struct format *f, const struct knob *k)
{
	char file[NAME_SIZE], text[TEXT_SIZE];

	for (size_t i = 0; i < f->r->n_hugepage_limits; i++) {
		const struct spec_hugepage_limit *h = &f->r->hugepage_limits[i];
		if (!is_page_size(h->page_size))
			return refuse(f->e, EINVAL, "linux.resources.%s: \"%.100s\" is not a page size",
				      k->key, h->page_size);
		snprintf(text, sizeof(text), "%" PRIu64, h->limit);
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", h->page_size);
		int r = emit_to(f, k, file, text, KNOB_MAY, false);
		if (r < 0)
			return r;
		snprintf(file, sizeof(file), "hugetlb.%s.max", h->page_size);
		r = emit_to(f, k, file, text, KNOB_MUST, false);
		if (r < 0)
			return r;
	}
	return 0;
}

static int format_rdma(struct format *f, const struct knob *k)
{
	char text[512], handles[40] = "", objects[40] = "";
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->r->n_rdma; i++) {
		const struct spec_rdma_limit *d = &f->r->rdma[i];
		if (!*d->device || strpbrk(d->device, " \t\n"))
			return refuse(f->e, EINVAL,
				      "linux.resources.rdma: \"%.100s\" is not the name of a device",
				      d->device);
		if (d->hca_handles != NUM_UNSET)
			snprintf(handles, sizeof(handles), " hca_handle=%" PRId64, d->hca_handles);
		if (d->hca_objects != NUM_UNSET)
			snprintf(objects, sizeof(objects), " hca_object=%" PRId64, d->hca_objects);
		if (str_format(text, sizeof(text), "%s%s%s", d->device, handles, objects) < 0)
			return refuse(f->e, EINVAL, "linux.resources.rdma: \"%.100s…\" is too long",
				      d->device);
		if (*handles || *objects)
			r = emit_text(f, k, text, KNOB_MUST);
		*handles = *objects = '\0';
	}
	return r;
}

/* ---- unified ---- */

/* The controller whose file this is; refused: what is no file of the group itself, and what moves, kills or
 * stops processes. */
static int unified_controller(const char *key, struct error *e)
{
	static const char *const core[] = { "cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure" };
	size_t size = strcspn(key, ".");

	if (size == 0 || !key[size] || !key[size + 1] || strchr(key, '/'))
		return refuse(e, EINVAL,
			      "linux.resources.unified: the specified key has not the form CONTROLLER.VALUE "
			      "`%.100s`",
			      key);
	if (str_ends(key, ".pressure"))
		return CONTROLLER_CORE;
	int c = controller_find(key, size);
	if (c < 0)
		return refuse(e, ENOTSUP,
			      "linux.resources.unified: %.100s: the requested cgroup controller `%.*s` is "
			      "not available",
			      key, (int)size, key);
	for (size_t i = 0; c == CONTROLLER_CORE && i < COUNT_OF(core); i++)
		if (str_eq(key, core[i]))
			return c;
	if (c == CONTROLLER_CORE)
		return refuse(e, EPERM, "linux.resources.unified: %.100s is not for a config to write", key);
	return c;
}

/* One write per line: files such as io.max take one at a time. */
static int format_unified(struct format *f, const struct knob *k)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->r->n_unified; i++) {
		const struct spec_unified *u = &f->r->unified[i];
		int controller = unified_controller(u->key, f->e);
		if (controller < 0)
			return controller;
		const struct knob row = { .key = k->key, .controller = controller, .file = u->key };
		if (!*u->value)
			r = emit_text(f, &row, "\n", KNOB_MUST);
		for (const char *line = u->value; r == 0 && *line;) {
			size_t size = strcspn(line, "\n");
			auto_free char *text = strndup(line, size);
			if (!text)
				return fail(f->e, ENOMEM, "linux.resources.unified");
			if (size)
				r = emit_text(f, &row, text, KNOB_MUST);
			line += size + (line[size] != '\0');
		}
	}
	return r;
}

/* ---- the table ---- */

#define AT(member) offsetof(struct spec_resources, member)

static const struct knob knobs[] = {
	{ "memory.limit", CONTROLLER_MEMORY, "memory.max", AT(memory_limit), format_memory_raise },
	{ "memory.swap", CONTROLLER_MEMORY, "memory.swap.max", AT(memory_swap), format_swap },
	{ "memory.limit", CONTROLLER_MEMORY, "memory.max", AT(memory_limit), format_memory_lower },
	{ "memory.reservation", CONTROLLER_MEMORY, "memory.low", AT(memory_reservation), format_reservation },
	{ "cpu.idle", CONTROLLER_CPU, "cpu.idle", AT(cpu_idle), format_idle },
	{ "cpu.shares", CONTROLLER_CPU, "cpu.weight", AT(cpu_shares), format_shares },
	{ "cpu.burst", CONTROLLER_CPU, "cpu.max.burst", AT(cpu_burst), format_burst, .word = "first" },
	{ "cpu.quota", CONTROLLER_CPU, "cpu.max", AT(cpu_quota), format_cpu_max },
	{ "cpu.burst", CONTROLLER_CPU, "cpu.max.burst", AT(cpu_burst), format_burst },
	{ "cpu.cpus", CONTROLLER_CPUSET, "cpuset.cpus", AT(cpuset_cpus), format_text },
	{ "cpu.mems", CONTROLLER_CPUSET, "cpuset.mems", AT(cpuset_mems), format_text },
	{ "pids.limit", CONTROLLER_PIDS, "pids.max", AT(pids_limit), format_pids },
	{ "blockIO.weight", CONTROLLER_IO, "io.weight", AT(block_weight), format_io_weight },
	{ "blockIO.weightDevice", CONTROLLER_IO, "io.weight", AT(block_weight_devices), format_io_weights },
	{ "blockIO.throttleReadBpsDevice", CONTROLLER_IO, "io.max", AT(block_read_bps), format_io_max,
	  AT(n_block_read_bps), "rbps" },
	{ "blockIO.throttleWriteBpsDevice", CONTROLLER_IO, "io.max", AT(block_write_bps), format_io_max,
	  AT(n_block_write_bps), "wbps" },
	{ "blockIO.throttleReadIOPSDevice", CONTROLLER_IO, "io.max", AT(block_read_iops), format_io_max,
	  AT(n_block_read_iops), "riops" },
	{ "blockIO.throttleWriteIOPSDevice", CONTROLLER_IO, "io.max", AT(block_write_iops), format_io_max,
	  AT(n_block_write_iops), "wiops" },
	{ "hugepageLimits", CONTROLLER_HUGETLB, NULL, AT(hugepage_limits), format_hugetlb },
	{ "rdma", CONTROLLER_RDMA, "rdma.max", AT(rdma), format_rdma },
	{ "unified", CONTROLLER_CORE, NULL, AT(unified), format_unified }, /* last: it has the last word */
};

int knobs_format(const struct spec_resources *r, const struct knobs_now *now, knob_sink *emit, void *context,
		 struct error *e)
{
	struct format f = { .r = r, .now = now, .emit = emit, .context = context, .e = e };

	for (size_t i = 0; i < COUNT_OF(knobs); i++) {
		int err = knobs[i].format(&f, &knobs[i]);
		if (err < 0)
			return err;
	}
	return 0;
}

struct needs {
	unsigned int controllers;
	const char **keys;
};

static int note_need(void *context, const struct knob_line *line, struct error *e)
{
	struct needs *n = context;

	(void)e;
	if (line->rank == KNOB_MUST && line->controller != CONTROLLER_CORE) {
		if (!(n->controllers & 1U << line->controller))
			n->keys[line->controller] = line->key;
		n->controllers |= 1U << line->controller;
	}
	return 0;
}

int knobs_need(const struct spec_resources *r, unsigned int *ret, const char *keys[CONTROLLER_MAX],
	       struct error *e)
{
	/* Whatever the group is like now makes no difference to the controllers: values that suit any. */
	static const struct knobs_now any = { .memory_limit = 0, .cpu_quota = "0" };
	struct needs needs = { .keys = keys };

	int err = knobs_format(r, &any, note_need, &needs, e);
	if (err == 0)
		*ret = needs.controllers;
	return err;
}
