/* SPDX-License-Identifier: GPL-2.0-or-later */
/* init.c - what test containers run: one static program that tells what it sees from inside
 * Linked statically, so that a bundle's root needs nothing but this file as /init.
 * Use: init COMMAND ARG... [-- COMMAND ARG...]...   the commands run in turn, in one process; the first that
 * fails ends it with 1.  A failure prints "COMMAND ARG: ERRNO" on stderr, the errno by its name (EPERM),
 * for tests compare names.  What is printed is plain lines, made for splitting: "key value".
 * As pid 1 of a container it does not reap; `reap` does. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* Every command gets its own words: v[0] is its name, n counts it, v[n] is NULL. 0 is success. */
typedef int command_fn(int n, char **v);

static int failed(char **v)
{
	const char *name = strerrorname_np(errno);

	fprintf(stderr, "%s %s: %s\n", v[0], v[1] ? v[1] : "", name ? name : "EUNKNOWN");
	return 1;
}

static const char *arg(int n, char **v, int i, const char *otherwise)
{
	return i < n ? v[i] : otherwise;
}

/* --- output and ending --------------------------------------------------------------------------------- */

static int cmd_true(int n, char **v)
{
	(void)n, (void)v;
	return 0;
}

static int cmd_exit(int n, char **v)
{
	fflush(NULL);
	_exit(atoi(arg(n, v, 1, "0")));
}

static int cmd_echo(int n, char **v)
{
	for (int i = 1; i < n; i++)
		printf("%s%s", i > 1 ? " " : "", v[i]);
	putchar('\n');
	return 0;
}

static int cmd_stderr(int n, char **v)
{
	for (int i = 1; i < n; i++)
		fprintf(stderr, "%s%s", i > 1 ? " " : "", v[i]);
	fputc('\n', stderr);
	return 0;
}

static int cmd_kill_self(int n, char **v)
{
	fflush(NULL);
	raise(atoi(arg(n, v, 1, "9")));
	return 0;
}

/* --- files -----------------------------------------------------------------------------------------------
 */

static int copy_out(int fd)
{
	char buf[65536];
	ssize_t r;

	while ((r = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, r, stdout);
	return r < 0 ? -1 : 0;
}

static int cmd_cat(int n, char **v)
{
	int fd, r;

	if (n == 1)
		return copy_out(0) < 0 ? failed(v) : 0;
	for (int i = 1; i < n; i++) {
		fd = open(v[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return failed((char *[]){ v[0], v[i] });
		r = copy_out(fd);
		close(fd);
		if (r < 0)
			return failed((char *[]){ v[0], v[i] });
	}
	return 0;
}

static int write_text(int n, char **v, int flags)
{
	const char *text = arg(n, v, 2, "");
	size_t len = strlen(text);
	int fd = open(v[1], O_WRONLY | O_CLOEXEC | flags, 0644);

	if (fd < 0)
		return failed(v);
	if (write(fd, text, len) != (ssize_t)len) {
		failed(v);
		close(fd);
		return 1;
	}
	return close(fd) < 0 ? failed(v) : 0;
}

static int cmd_write(int n, char **v)
{
	return write_text(n, v, O_CREAT | O_TRUNC);
}

static int cmd_append(int n, char **v)
{
	return write_text(n, v, O_CREAT | O_APPEND);
}

static int cmd_put(int n, char **v) /* as write, but the file must be there: /proc and /sys */
{
	return write_text(n, v, 0);
}

static int cmd_open(int n, char **v) /* open FILE [r|w|rw]: may it be opened? */
{
	const char *how = arg(n, v, 2, "r");
	int flags = !strcmp(how, "r") ? O_RDONLY : !strcmp(how, "w") ? O_WRONLY : O_RDWR;
	int fd = open(v[1], flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return failed(v);
	close(fd);
	return 0;
}

static int cmd_stat(int n, char **v)
{
	struct stat s;

	for (int i = 1; i < n; i++) {
		if (lstat(v[i], &s) < 0)
			return failed((char *[]){ v[0], v[i] });
		printf("path %s type %s mode %04o uid %u gid %u size %lld rdev %u:%u dev %u:%u ino %llu\n",
		       v[i],
		       S_ISREG(s.st_mode)    ? "file"
		       : S_ISDIR(s.st_mode)  ? "dir"
		       : S_ISLNK(s.st_mode)  ? "link"
		       : S_ISCHR(s.st_mode)  ? "char"
		       : S_ISBLK(s.st_mode)  ? "block"
		       : S_ISFIFO(s.st_mode) ? "fifo"
					     : "socket",
		       s.st_mode & 07777, s.st_uid, s.st_gid, (long long)s.st_size, major(s.st_rdev),
		       minor(s.st_rdev), major(s.st_dev), minor(s.st_dev), (unsigned long long)s.st_ino);
	}
	return 0;
}

static int cmd_statfs(int n, char **v)
{
	struct statfs s;

	(void)n;
	if (statfs(v[1], &s) < 0)
		return failed(v);
	printf("type %#lx blocks %llu bsize %ld flags %#lx\n", (long)s.f_type, (unsigned long long)s.f_blocks,
	       (long)s.f_bsize, (long)s.f_flags);
	return 0;
}

static int cmd_ls(int n, char **v)
{
	struct dirent **names;
	int count = scandir(arg(n, v, 1, "."), &names, NULL, alphasort);

	if (count < 0)
		return failed(v);
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i]->d_name, ".") && strcmp(names[i]->d_name, ".."))
			puts(names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return 0;
}

static int cmd_readlink(int n, char **v)
{
	char buf[PATH_MAX];

	for (int i = 1; i < n; i++) {
		ssize_t r = readlink(v[i], buf, sizeof(buf) - 1);

		if (r < 0)
			return failed((char *[]){ v[0], v[i] });
		printf("%.*s\n", (int)r, buf);
	}
	return 0;
}

static int cmd_access(int n, char **v) /* access FILE [rwx]: by the effective ids */
{
	const char *how = arg(n, v, 2, "");
	int mode = (strchr(how, 'r') ? R_OK : 0) | (strchr(how, 'w') ? W_OK : 0) |
		   (strchr(how, 'x') ? X_OK : 0);

	return faccessat(AT_FDCWD, v[1], mode, AT_EACCESS) < 0 ? failed(v) : 0;
}

static int cmd_mkdir(int n, char **v)
{
	return mkdir(v[1], strtoul(arg(n, v, 2, "755"), NULL, 8)) < 0 ? failed(v) : 0;
}

static int cmd_rm(int n, char **v)
{
	(void)n;
	return remove(v[1]) < 0 ? failed(v) : 0;
}

static int cmd_symlink(int n, char **v) /* symlink TARGET NAME */
{
	return symlink(v[1], arg(n, v, 2, "")) < 0 ? failed(v) : 0;
}

static int cmd_mknod(int n, char **v) /* mknod NAME c|b|p MAJOR MINOR */
{
	char kind = *arg(n, v, 2, "p");
	mode_t mode = kind == 'c' ? S_IFCHR : kind == 'b' ? S_IFBLK : S_IFIFO;

	return mknod(v[1], mode | 0666, makedev(atoi(arg(n, v, 3, "0")), atoi(arg(n, v, 4, "0")))) < 0
		       ? failed(v)
		       : 0;
}

static int cmd_chown(int n, char **v) /* chown FILE UID GID */
{
	return lchown(v[1], atoi(arg(n, v, 2, "-1")), atoi(arg(n, v, 3, "-1"))) < 0 ? failed(v) : 0;
}

static int cmd_chmod(int n, char **v)
{
	return chmod(v[1], strtoul(arg(n, v, 2, "644"), NULL, 8)) < 0 ? failed(v) : 0;
}

static int cmd_getxattr(int n, char **v)
{
	char buf[4096];
	ssize_t r = lgetxattr(v[1], arg(n, v, 2, ""), buf, sizeof(buf));

	if (r < 0)
		return failed(v);
	printf("%.*s\n", (int)r, buf);
	return 0;
}

static int cmd_wait_for(int n, char **v) /* wait_for FILE: until it is there */
{
	(void)n;
	while (access(v[1], F_OK) < 0)
		usleep(5000);
	return 0;
}

/* overwrite STOP: what a container does that wants to overwrite the runtime's binary.  Keeps a handle of
 * every program that runs here and is not ours (says "seen" at the first), and opens it for writing as soon
 * as nobody runs it.  Ends when STOP is there, and tells for each handle what came of it. */
static int cmd_overwrite(int n, char **v)
{
	struct stat own, other;
	ino_t inodes[16];
	int handles[16], count = 0;
	char path[64];

	(void)n;
	if (stat("/proc/self/exe", &own) < 0)
		return failed(v);
	for (int stop = 0; !stop;) {
		DIR *proc = opendir("/proc");
		struct dirent *d;

		stop = access(v[1], F_OK) == 0;
		while (proc && (d = readdir(proc))) {
			int known = 0, fd;

			snprintf(path, sizeof(path), "/proc/%.20s/exe", d->d_name);
			if (atoi(d->d_name) <= 0 || count == 16 || (fd = open(path, O_PATH | O_CLOEXEC)) < 0)
				continue;
			if (fstat(fd, &other) < 0 || other.st_ino == own.st_ino)
				known = 1;
			for (int i = 0; i < count; i++)
				known |= inodes[i] == other.st_ino;
			if (known) {
				close(fd);
				continue;
			}
			inodes[count] = other.st_ino;
			handles[count++] = fd;
			puts("seen");
			fflush(stdout);
		}
		if (proc)
			closedir(proc);
	}
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", handles[i]);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		while (fd < 0 && errno == ETXTBSY && usleep(1000) == 0)
			fd = open(path, O_WRONLY | O_CLOEXEC);
		printf("write %s\n", fd < 0 ? strerrorname_np(errno) : "opened");
	}
	return 0;
}

/* --- mounts ----------------------------------------------------------------------------------------------
 */

static int cmd_mounts(int n, char **v) /* mounts [DESTINATION]: lines of mountinfo */
{
	char line[8192], target[4096];
	FILE *f = fopen("/proc/self/mountinfo", "re");

	if (!f)
		return failed(v);
	while (fgets(line, sizeof(line), f)) {
		if (n > 1 && (sscanf(line, "%*s %*s %*s %*s %4095s", target) != 1 || strcmp(target, v[1])))
			continue;
		fputs(line, stdout);
	}
	fclose(f);
	return 0;
}

static int cmd_mount(int n, char **v) /* mount SOURCE TARGET TYPE [bind|ro|remount|FLAGS-NUMBER] [DATA] */
{
	const char *flags = arg(n, v, 4, "0");
	unsigned long bits = strstr(flags, "bind") ? MS_BIND : strtoul(flags, NULL, 0);

	bits |= strstr(flags, "remount") ? MS_REMOUNT : 0;
	bits |= strstr(flags, "ro") ? MS_RDONLY : 0;
	return mount(v[1], arg(n, v, 2, ""), arg(n, v, 3, ""), bits, arg(n, v, 5, NULL)) < 0 ? failed(v) : 0;
}

static int cmd_umount(int n, char **v)
{
	(void)n;
	return umount2(v[1], MNT_DETACH) < 0 ? failed(v) : 0;
}

/* --- who and where we are --------------------------------------------------------------------------------
 */

static int cmd_id(int n, char **v)
{
	gid_t groups[256];
	int count = getgroups(256, groups);

	(void)n, (void)v;
	printf("uid %u\neuid %u\ngid %u\negid %u\ngroups", getuid(), geteuid(), getgid(), getegid());
	for (int i = 0; i < count; i++)
		printf(" %u", groups[i]);
	printf("\npid %d\nppid %d\nsid %d\npgid %d\n", getpid(), getppid(), getsid(0), getpgid(0));
	return 0;
}

/* Lines of /proc/self/status as "Field value": those named, or all where none is. */
static int status_lines(const char *const *fields, int count)
{
	char line[4096], *colon, *value;
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		return failed((char *[]){ (char[]){ "status" }, NULL });
	while (fgets(line, sizeof(line), f)) {
		int wanted = count == 0;

		colon = strchr(line, ':');
		if (!colon)
			continue;
		*colon = '\0';
		value = colon + 1 + strspn(colon + 1, " \t");
		for (int i = 0; i < count; i++)
			wanted |= !strcmp(line, fields[i]);
		if (wanted)
			printf("%s %s", line, value);
	}
	fclose(f);
	return 0;
}

static int cmd_status(int n, char **v) /* status [FIELD...] */
{
	return status_lines((const char *const *)v + 1, n - 1);
}

static int cmd_caps(int n, char **v)
{
	static const char *const fields[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };

	(void)n, (void)v;
	return status_lines(fields, 5);
}

static int cmd_env(int n, char **v)
{
	const char *value;

	if (n == 1)
		for (char **e = environ; *e; e++)
			puts(*e);
	for (int i = 1; i < n; i++) {
		value = getenv(v[i]);
		printf("%s %s\n", v[i], value ? value : "(unset)");
	}
	return 0;
}

static int cmd_cwd(int n, char **v)
{
	char buf[PATH_MAX];

	(void)n;
	if (!getcwd(buf, sizeof(buf)))
		return failed(v);
	puts(buf);
	return 0;
}

static int cmd_umask(int n, char **v)
{
	mode_t m = umask(0);

	(void)n, (void)v;
	umask(m);
	printf("%04o\n", m);
	return 0;
}

static int cmd_fds(int n, char **v) /* "FD TARGET [cloexec]" of every open descriptor */
{
	char name[32], target[PATH_MAX];

	(void)n, (void)v;
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);
		ssize_t r;

		if (flags < 0)
			continue;
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		r = readlink(name, target, sizeof(target) - 1);
		printf("%d %.*s%s\n", fd, r < 0 ? 1 : (int)r, r < 0 ? "?" : target,
		       flags & FD_CLOEXEC ? " cloexec" : "");
	}
	return 0;
}

static int cmd_ns(int n, char **v)
{
	static const char *const kinds[] = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" };
	char name[64], target[256];

	(void)n, (void)v;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		ssize_t r;

		snprintf(name, sizeof(name), "/proc/self/ns/%s", kinds[i]);
		r = readlink(name, target, sizeof(target) - 1);
		printf("%s %.*s\n", kinds[i], r < 0 ? 1 : (int)r, r < 0 ? "?" : target);
	}
	return 0;
}

static int cmd_uname(int n, char **v)
{
	struct utsname u;

	(void)n;
	if (uname(&u) < 0)
		return failed(v);
	printf("hostname %s\ndomainname %s\nrelease %s\nmachine %s\n", u.nodename, u.domainname, u.release,
	       u.machine);
	return 0;
}

static int cmd_sethostname(int n, char **v)
{
	(void)n;
	return sethostname(v[1], strlen(v[1])) < 0 ? failed(v) : 0;
}

static int cmd_interfaces(int n, char **v)
{
	struct if_nameindex *list = if_nameindex();

	(void)n;
	if (!list)
		return failed(v);
	for (struct if_nameindex *i = list; i->if_index; i++)
		printf("%u %s\n", i->if_index, i->if_name);
	if_freenameindex(list);
	return 0;
}

static int cmd_rlimits(int n, char **v) /* "name soft hard", -1 is infinity */
{
	static const struct {
		const char *name;
		int which;
	} table[] = {
		{ "RLIMIT_AS", RLIMIT_AS },
		{ "RLIMIT_CORE", RLIMIT_CORE },
		{ "RLIMIT_CPU", RLIMIT_CPU },
		{ "RLIMIT_DATA", RLIMIT_DATA },
		{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
		{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
		{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
		{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
		{ "RLIMIT_NICE", RLIMIT_NICE },
		{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
		{ "RLIMIT_NPROC", RLIMIT_NPROC },
		{ "RLIMIT_RSS", RLIMIT_RSS },
		{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
		{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
		{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
		{ "RLIMIT_STACK", RLIMIT_STACK },
	};
	struct rlimit l;

	(void)n, (void)v;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (!getrlimit(table[i].which, &l))
			printf("%s %lld %lld\n", table[i].name, (long long)l.rlim_cur, (long long)l.rlim_max);
	return 0;
}

static int cmd_sched(int n, char **v)
{
	struct sched_param p = { 0 };
	cpu_set_t set;

	(void)n, (void)v;
	sched_getparam(0, &p);
	printf("policy %d\npriority %d\nnice %d\n", sched_getscheduler(0), p.sched_priority,
	       getpriority(PRIO_PROCESS, 0));
	/* ioprio_get(IOPRIO_WHO_PROCESS, 0) has no libc wrapper */
	printf("ioprio %ld\naffinity", syscall(SYS_ioprio_get, 1, 0));
	if (!sched_getaffinity(0, sizeof(set), &set))
		for (int i = 0; i < CPU_SETSIZE; i++)
			if (CPU_ISSET(i, &set))
				printf(" %d", i);
	putchar('\n');
	return 0;
}

static int cmd_prctl(int n, char **v)
{
	int death = 0;

	(void)n, (void)v;
	prctl(PR_GET_PDEATHSIG, &death);
	printf("no_new_privs %d\ndumpable %d\nsecurebits %d\nkeepcaps %d\npdeathsig %d\nseccomp %d\n",
	       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE), prctl(PR_GET_SECUREBITS),
	       prctl(PR_GET_KEEPCAPS), death, prctl(PR_GET_SECCOMP));
	return 0;
}

static int cmd_signals(int n, char **v) /* the masks, as the kernel tells them */
{
	static const char *const fields[] = { "SigBlk", "SigIgn", "SigCgt" };

	(void)n, (void)v;
	return status_lines(fields, 3);
}

static int cmd_clocks(int n, char **v)
{
	struct timespec m, b;

	(void)n, (void)v;
	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_BOOTTIME, &b);
	printf("monotonic %lld\nboottime %lld\n", (long long)m.tv_sec, (long long)b.tv_sec);
	return 0;
}

static int cmd_tty(int n, char **v)
{
	struct winsize w = { 0 };
	int fd;

	(void)n, (void)v;
	for (fd = 0; fd < 3; fd++)
		printf("fd %d %s\n", fd, isatty(fd) ? ttyname(fd) ? ttyname(fd) : "tty" : "none");
	ioctl(0, TIOCGWINSZ, &w);
	printf("rows %d cols %d\n", w.ws_row, w.ws_col);
	fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	printf("controlling %s\n", fd < 0 ? "no" : "yes");
	if (fd >= 0)
		close(fd);
	return 0;
}

/* --- time and signals ------------------------------------------------------------------------------------
 */

static int cmd_sleep(int n, char **v)
{
	double s = atof(arg(n, v, 1, "1"));
	struct timespec t = { (time_t)s, (long)((s - (time_t)s) * 1e9) };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
	return 0;
}

static int cmd_pause(int n, char **v) /* until SIGTERM or SIGINT (as pid 1 these need a handler), then 0 */
{
	sigset_t set;
	int sig;

	(void)n, (void)v;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigwait(&set, &sig);
	return 0;
}

static int cmd_trap(int n,
		    char **v) /* trap NUMBER...: says "ready", then "signal N" once for each, in any order */
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	for (int i = 1; i < n; i++)
		sigaddset(&set, atoi(v[i]));
	sigprocmask(SIG_BLOCK, &set, NULL);
	puts("ready");
	fflush(stdout);
	for (int i = 1; i < n; i++) {
		sigwait(&set, &sig);
		printf("signal %d\n", sig);
		fflush(stdout);
	}
	return 0;
}

static int cmd_ignore(int n, char **v)
{
	for (int i = 1; i < n; i++)
		if (signal(atoi(v[i]), SIG_IGN) == SIG_ERR)
			return failed(v);
	return 0;
}

static int cmd_winch(int n, char **v) /* winch N: the terminal's size now and after each of N changes */
{
	struct winsize w = { 0 };
	sigset_t set;
	int sig, count = atoi(arg(n, v, 1, "1"));

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i <= count; i++) {
		if (i)
			sigwait(&set, &sig);
		ioctl(0, TIOCGWINSZ, &w);
		printf("rows %d cols %d\n", w.ws_row, w.ws_col);
		fflush(stdout);
	}
	return 0;
}

/* --- use of resources ------------------------------------------------------------------------------------
 */

static int cmd_eat(int n, char **v) /* eat MIB: maps and touches; the pages stay */
{
	size_t len = strtoul(arg(n, v, 1, "1"), NULL, 0) << 20;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return failed(v);
	for (size_t i = 0; i < len; i += 4096)
		p[i] = 1;
	printf("eaten %zu\n", len);
	fflush(stdout);
	return 0;
}

static int cmd_forks(int n, char **v) /* forks N: how many of N children that wait can be made */
{
	int want = atoi(arg(n, v, 1, "1")), made = 0, why = 0;
	pid_t *pids = calloc(want + 1, sizeof(*pids));

	if (!pids)
		return failed(v);
	fflush(NULL);
	while (made < want) {
		pids[made] = fork();
		if (pids[made] < 0) {
			why = errno;
			break;
		}
		if (!pids[made])
			for (;;)
				pause();
		made++;
	}
	printf("made %d %s\n", made, why ? strerrorname_np(why) : "all");
	for (int i = 0; i < made; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	free(pids);
	return 0;
}

static int cmd_spin(int n, char **v) /* spin SECONDS of wall time; prints the processor time it got, in ms */
{
	struct timespec start, now, cpu;
	double s = atof(arg(n, v, 1, "1"));

	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while (now.tv_sec - start.tv_sec + (now.tv_nsec - start.tv_nsec) / 1e9 < s);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	printf("cpu_ms %lld\n", (long long)cpu.tv_sec * 1000 + cpu.tv_nsec / 1000000);
	return 0;
}

static int cmd_syscall(int n, char **v) /* syscall NUMBER ARG...: "result R" or the errno; for seccomp */
{
	long a[6] = { 0 }, r;

	for (int i = 0; i < 6 && i + 2 < n; i++)
		a[i] = strtol(v[i + 2], NULL, 0);
	r = syscall(strtol(v[1], NULL, 0), a[0], a[1], a[2], a[3], a[4], a[5]);
	if (r < 0)
		return failed(v);
	printf("result %ld\n", r);
	return 0;
}

static int cmd_int80(int n, char **v) /* int80 NUMBER ARG ARG: a system call of the 32-bit kind, as syscall */
{
#ifdef __x86_64__
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "0"(strtol(v[1], NULL, 0)), "b"(strtol(arg(n, v, 2, "0"), NULL, 0)),
			   "c"(strtol(arg(n, v, 3, "0"), NULL, 0))
			 : "memory", "r8", "r9", "r10", "r11");
	if ((int)r >= 0) {
		printf("result %d\n", (int)r);
		return 0;
	}
	errno = -(int)r;
#else
	(void)n;
	errno = ENOTSUP;
#endif
	return failed(v);
}

static int cmd_unshare(int n, char **v) /* unshare FLAGS-NUMBER */
{
	(void)n;
	return unshare(strtoul(v[1], NULL, 0)) < 0 ? failed(v) : 0;
}

/* --- processes and sockets -------------------------------------------------------------------------------
 */

static int cmd_child(int n,
		     char **v) /* child: the commands that follow run in a child too; the parent goes on */
{
	(void)n;
	fflush(NULL);
	return fork() < 0 ? failed(v) : 0;
}

static int cmd_orphan(int n, char **v) /* leaves a grandchild to pid 1 that ends after MS, with status 7 */
{
	int ms = atoi(arg(n, v, 1, "50"));
	pid_t p;

	fflush(NULL);
	p = fork();
	if (p < 0)
		return failed(v);
	if (!p) {
		if (!fork()) {
			usleep(ms * 1000);
			_exit(7);
		}
		_exit(0);
	}
	return waitpid(p, NULL, 0) < 0 ? failed(v) : 0;
}

static int cmd_reap(int n, char **v) /* until no child is left */
{
	(void)n, (void)v;
	while (wait(NULL) > 0)
		;
	return 0;
}

static int cmd_exec(int n, char **v) /* exec PROGRAM ARG...; takes all that follows, "--" too */
{
	(void)n;
	fflush(NULL);
	execv(v[1], v + 1);
	return failed(v);
}

static int cmd_notify(int n, char **v) /* notify TEXT: one datagram to $NOTIFY_SOCKET */
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET"), *text = arg(n, v, 1, "READY=1");
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!path) {
		fprintf(stderr, "notify: NOTIFY_SOCKET is not set\n");
		return 1;
	}
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (s < 0 || sendto(s, text, strlen(text), 0, (struct sockaddr *)&a, sizeof(a)) < 0)
		return failed(v);
	close(s);
	return 0;
}

static int cmd_connect(int n, char **v) /* connect PATH: to a unix socket; prints what it is sent */
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	(void)n;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", v[1]);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		return failed(v);
	r = copy_out(s);
	close(s);
	return r < 0 ? failed(v) : 0;
}

static int cmd_fd_write(int n, char **v) /* fd_write FD TEXT */
{
	const char *text = arg(n, v, 2, "");

	return write(atoi(v[1]), text, strlen(text)) < 0 ? failed(v) : 0;
}

static int cmd_fd_read(int n, char **v)
{
	(void)n;
	return copy_out(atoi(v[1])) < 0 ? failed(v) : 0;
}

static int cmd_args(int n, char **v)
{
	for (int i = 1; i < n; i++)
		printf("%d %s\n", i, v[i]);
	return 0;
}

/* clang-format off */
#define C(name, min_args) { #name, cmd_##name, min_args }
static const struct {
	const char *name;
	command_fn *run;
	int min_args;
} commands[] = {
	C(true, 0), C(exit, 0), C(echo, 0), C(stderr, 0), C(args, 0), C(kill_self, 1), C(cat, 0),
	C(write, 1), C(append, 1), C(put, 1), C(open, 1), C(stat, 1), C(statfs, 1), C(ls, 0),
	C(readlink, 1), C(access, 1), C(mkdir, 1), C(rm, 1), C(symlink, 2), C(mknod, 2),
	C(chown, 3), C(chmod, 2), C(getxattr, 2), C(wait_for, 1), C(mounts, 0), C(mount, 3),
	C(umount, 1), C(overwrite, 1), C(int80, 1), C(id, 0), C(status, 0), C(caps, 0), C(env, 0), C(cwd, 0), C(umask, 0),
	C(fds, 0), C(ns, 0), C(uname, 0), C(sethostname, 1), C(interfaces, 0), C(rlimits, 0),
	C(sched, 0), C(prctl, 0), C(signals, 0), C(clocks, 0), C(tty, 0), C(sleep, 0), C(pause, 0),
	C(trap, 1), C(ignore, 1), C(winch, 0), C(eat, 1), C(forks, 1), C(spin, 0), C(syscall, 1),
	C(unshare, 1), C(child, 0), C(orphan, 0), C(reap, 0), C(exec, 1), C(notify, 0),
	C(connect, 1), C(fd_write, 1), C(fd_read, 1),
};
#undef C
/* clang-format on */

static int run_one(int n, char **v)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, v[0]))
			continue;
		if (n - 1 < commands[i].min_args) {
			fprintf(stderr, "init: %s: wants %d words\n", v[0], commands[i].min_args);
			return 2;
		}
		return commands[i].run(n, v);
	}
	fprintf(stderr, "init: no command %s\n", v[0]);
	return 2;
}

int main(int argc, char **argv)
{
	int r = 0, n;

	for (int i = 1; i < argc && !r; i += n + 1) {
		int whole = !strcmp(argv[i], "exec"); /* its words may hold a "--" */

		for (n = 0; i + n < argc && (whole || strcmp(argv[i + n], "--")); n++)
			;
		argv[i + n] = NULL;
		if (n)
			r = run_one(n, argv + i);
		fflush(stdout);
	}
	return r;
}
