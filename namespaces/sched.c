/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sched.c - scheduling, I/O priority, CPUs, personality and memory policy of a process
 *
 * Scheduling and I/O priorities above the ordinary take rights in the initial user namespace: by INIT itself
 * where it has them, by RUNTIME where the container has a user namespace. Personality and memory policy can
 * be set by the process alone. Spec: config.md, "Linux Process"; config-linux.md, "Personality", "Memory
 * policy". */
#include "namespaces/confine.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <linux/sched/types.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

static int set_scheduler(pid_t pid, const struct spec_scheduler *s, struct error *e)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = s->policy,
		.sched_flags = s->flags,
		.sched_nice = (int32_t)s->nice,
		.sched_priority = (uint32_t)s->priority,
		.sched_runtime = s->runtime,
		.sched_deadline = s->deadline,
		.sched_period = s->period,
	};

	if (syscall(SYS_sched_setattr, pid, &attr, 0) < 0)
		return fail(e, errno, "process.scheduler: set policy %u", s->policy);
	return 0;
}

static int set_io_priority(pid_t pid, const struct spec_io_priority *p, struct error *e)
{
	/* The idle class has one level. */
	int level = p->class == IOPRIO_CLASS_IDLE ? 0 : (int)p->priority;

	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, IOPRIO_PRIO_VALUE(p->class, level)) < 0)
		return fail(e, errno, "process.ioPriority: set class %d, priority %d", p->class, level);
	return 0;
}

bool confine_has_limits(const struct spec_process *p)
{
	return p->n_rlimits || p->scheduler || p->io_priority;
}

int sched_apply(pid_t pid, const struct spec_process *p, struct error *e)
{
	int r = p->scheduler ? set_scheduler(pid, p->scheduler, e) : 0;
	if (r == 0 && p->io_priority)
		r = set_io_priority(pid, p->io_priority, e);
	return r;
}

static int set_memory_policy(const struct spec_memory_policy *p, struct error *e)
{
	/* The kernel takes one bit less than it is told. */
	unsigned long bits = p->nodes.n_words ? p->nodes.n_words * 64 + 1 : 0;

	if (syscall(SYS_set_mempolicy, p->mode | (int)p->flags, p->nodes.bits, bits) < 0)
		return fail(e, errno, "linux.memoryPolicy: set mode %d, nodes \"%s\"", p->mode,
			    p->nodes.text ? p->nodes.text : "");
	return 0;
}

int sched_apply_own(const struct spec *s, struct error *e)
{
	if (s->personality != NUM_UNSET && personality((unsigned long)s->personality) < 0)
		return fail(e, errno, "linux.personality: set %d", (int)s->personality);
	return s->memory_policy ? set_memory_policy(s->memory_policy, e) : 0;
}

int sched_set_cpus(pid_t pid, const struct spec_set *cpus, struct error *e)
{
	uint64_t all[1024 / 64];

	memset(all, 0xff, sizeof(all));
	const void *bits = cpus ? (const void *)cpus->bits : all;
	size_t size = cpus ? cpus->n_words * sizeof(*cpus->bits) : sizeof(all);
	if (syscall(SYS_sched_setaffinity, pid, size, bits) < 0)
		return fail(e, errno, "run on CPUs %s", cpus ? cpus->text : "of the cpuset");
	return 0;
}
