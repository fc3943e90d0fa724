/* SPDX-License-Identifier: GPL-2.0-or-later */
/* criu_explain.c - the one sentence that a log of CRIU's is about (pure)
 *
 * A log's first error is the reason, those after it are what followed from it; some are told always and mean
 * nothing. Where the reason is known, what to do about it stands first, and CRIU's own words behind it, for
 * they name the process, the file, the socket. A line is
 *	(00.012345)   1234: Error (criu/files-reg.c:1790): Can't lookup mount=42 for fd=3 path=/x
 * in which the pid before the colon stands only in lines of a restore's tasks. */
#include "checkpoint/criu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"

/* Not the reason of anything. */
static const char *const harmless[] = {
	"rlimit: Can't setup RLIMIT_NOFILE", /* without CAP_SYS_RESOURCE */
	"Can't keep kdat cache on non-tempfs",
	"Failed to initialize plugins",
	"Pre-resume script ret code",
	"RPC client reported script error",
	"Dumping FAILED",
	"Restoring FAILED",
};

static const struct {
	const char *words, *sentence;
} known[] = {
	{ "Connected TCP socket, consider",
	  "an established TCP connection is open: give --tcp-established, or "
	  "--tcp-close to have it closed on restore" },
	{ "In-flight connection",
	  "a TCP connection is being made at this moment: give --tcp-skip-in-flight" },
	{ "External socket is used",
	  "a unix socket is connected to one outside of the container: give --ext-unix-sk" },
	{ "Can't dump half of stream unix connection",
	  "a unix socket is connected to one outside of the container" },
	{ "closed in-flight socket", "a connection waits at a unix socket that nobody will accept: its "
				     "client has gone; try again later" },
	{ "Some file locks are hold", "files are locked: give --file-locks" },
	{ "Consider using --shell-job",
	  "a terminal or session of a process is outside of the container: give --shell-job" },
	{ "Can't create link remap", "a deleted file that has another name is open: give --link-remap" },
	{ "increase limit", "a deleted file that is open is larger than a checkpoint takes along" },
	{ "Can't lookup mount=", "a file is open that lies outside of the container's mounts" },
	{ "Open files on overmounted", "a file is open below a mount that another mount covers" },
	{ "Tracking memory is not available",
	  "this kernel does not tell which pages were written (CONFIG_MEM_SOFT_DIRTY): "
	  "there can be no pre-dump; checkpoint works without" },
	{ "MPTCP", "multipath TCP cannot be checkpointed" },
	{ "Can't dump that handle", "a process watches a file (inotify) that has no name for CRIU, as "
				    "systemd watches its control groups" },
	{ "Can't dump nested",
	  "a process has a namespace of its own inside the container (a sandboxed service)" },
	{ "io_uring", "a process uses io_uring, which cannot be checkpointed" },
	{ "Unsupported vma", "a process has memory mapped that cannot be checkpointed" },
	{ "uprobes", "a process is being probed (uprobes)" },
	{ "found while seizing",
	  "a process cannot be stopped: it is being traced (a debugger, strace), or about to end" },
	{ "is already traced", "a process is being traced (a debugger, strace)" },
	{ "Nested mount namespaces",
	  "processes have a mount namespace of their own inside a user namespace" },
	{ "nested pid namespace", "processes have a pid namespace of their own inside the container's" },
	{ "No mapping for", "the images have a mount that the config does not have" },
	{ "get 1:16 socket opt",
	  "this CRIU cannot dump sockets of this kernel (SO_PASSCRED): version 4.2 or later can" },
	{ "vdso", "this CRIU does not know this kernel's vdso: a later version may" },
	{ "Unable to freeze", "the container could not be frozen" },
	{ "Can't fork for", "a process could not be made: is its id taken?" },
	{ "has bad size",
	  "a file was changed after the checkpoint: the root directory must be as it was then" },
	{ "has bad mode",
	  "a file was changed after the checkpoint: the root directory must be as it was then" },
	{ "Can't open file", "a file that was open at the checkpoint is missing in the root directory" },
	{ "Can't get rlimit",
	  "a process belongs to another user than root: checkpointing it takes CAP_SYS_RESOURCE" },
	{ "tcp_repair", "TCP connections cannot be taken along (CAP_NET_ADMIN)" },
	{ "Can't bind inet socket", "an address that the container had is not here" },
	{ "CPU capabilities do not match", "this processor lacks what the checkpoint's had" },
	{ "No space left", "no space is left for the images" },
};

static bool has(const char *line, size_t size, const char *words)
{
	return memmem(line, size, words, strlen(words)) != NULL;
}

static bool is_reason(const char *line, size_t size)
{
	if (!has(line, size, "Error ("))
		return false;
	for (size_t i = 0; i < COUNT_OF(harmless); i++)
		if (has(line, size, harmless[i]))
			return false;
	return true;
}

/* A known reason counts more than one that came before it. */
static const char *sentence_of(const char *line, size_t size)
{
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (has(line, size, known[i].words))
			return known[i].sentence;
	return NULL;
}

struct reason {
	const char *line, *sentence;
	size_t size;
};

static struct reason find(const char *text, size_t size)
{
	struct reason first = { .line = NULL };

	for (const char *end = text + size, *next; text < end; text = next) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop : end) - text);
		next = stop ? stop + 1 : end;
		if (!is_reason(text, n))
			continue;
		const char *sentence = sentence_of(text, n);
		if (sentence)
			return (struct reason){ text, sentence, n };
		if (!first.line)
			first = (struct reason){ text, NULL, n };
	}
	return first;
}

/* "(00.01)   1234: Error (criu/x.c:1): Words" to pid and words. */
static const char *words_of(const struct reason *r, size_t *ret_size, long *ret_pid)
{
	const char *at = memmem(r->line, r->size, "Error (", 7), *end = r->line + r->size;
	const char *close = memchr(r->line, ')', r->size);

	*ret_pid = 0;
	if (close && close < at)
		*ret_pid = strtol(close + 1, NULL, 10);
	const char *words = memmem(at, (size_t)(end - at), "): ", 3);
	words = words ? words + 3 : at;
	const char *name = memmem(words, (size_t)(end - words), " (anon_inode:", 13);
	if (name) /* what stands before has no meaning for anybody */
		words = name + 1;
	*ret_size = (size_t)(end - words);
	return words;
}

static void tell_reason(const struct reason *r, char *buf, size_t buf_size)
{
	char process[48] = "";
	size_t size;
	long pid;

	const char *words = words_of(r, &size, &pid);
	if (pid > 0)
		snprintf(process, sizeof(process), "process %ld: ", pid);
	if (size > 200)
		size = 200;
	if (r->sentence)
		snprintf(buf, buf_size, "%s (CRIU: %s%.*s)", r->sentence, process, (int)size, words);
	else
		snprintf(buf, buf_size, "CRIU: %s%.*s", process, (int)size, words);
}

const char *criu_explain(const char *text, size_t size, const char *said, int code, char *buf,
			 size_t buf_size)
{
	struct reason r = find(text, size);
	size_t n;

	if (said) /* "Error (…): …" too, the first of them, where CRIU kept it */
		n = strlen(said);
	if (r.line)
		tell_reason(&r, buf, buf_size);
	else if (said && is_reason(said, n)) {
		r = (struct reason){ said, sentence_of(said, n), n };
		tell_reason(&r, buf, buf_size);
	} else if (code > 0)
		snprintf(buf, buf_size, "CRIU: %s", strerror(code));
	else
		snprintf(buf, buf_size, "CRIU gave up without saying why");
	buf[strcspn(buf, "\n")] = '\0';
	str_make_printable(buf);
	return buf;
}
