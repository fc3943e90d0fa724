/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.h - run a part of a test in a child process: what changes ids, limits, namespaces or the root there
 * does not touch the test itself
 *
 * The child's function returns 0 or says what went wrong by child_says(); nothing of cmocka is called in it.
 */
#ifndef CORACLE_CHILD_H
#define CORACLE_CHILD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/error.h"

#define child_says(...) \
	(fprintf(stderr, "%s:%d: ", __FILE__, __LINE__), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), 1)

/* In the child: give up with a message unless the condition holds. */
#define child_expects(condition, ...)                   \
	do {                                            \
		if (!(condition))                       \
			return child_says(__VA_ARGS__); \
	} while (0)

/* The child's exit status, or 1000 + signal. */
static inline int in_child(int (*run)(void *), void *arg)
{
	int status;

	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int r = run(arg);
		fflush(NULL);
		_exit(r);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

#define need_root()                                     \
	do {                                            \
		if (geteuid() != 0) {                   \
			print_message("needs: root\n"); \
			skip();                         \
		}                                       \
	} while (0)

/* A line of /proc/self/status, without its name; "" if there is none. */
static inline const char *status_line(const char *name, char buf[static 256])
{
	FILE *f = fopen("/proc/self/status", "re");
	size_t n = strlen(name);

	while (f && fgets(buf, 256, f))
		if (strncmp(buf, name, n) == 0 && buf[n] == ':') {
			buf[strcspn(buf, "\n")] = '\0';
			fclose(f);
			return buf + n + 1 + strspn(buf + n + 1, " \t");
		}
	if (f)
		fclose(f);
	return strcpy(buf, "");
}

#endif
