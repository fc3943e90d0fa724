/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tick.c - the longest time that a container stood still, as seen from within
 *
 *	tick FILE [COMMAND...]	looks at the clock every half a millisecond; the longest gap, in nanoseconds, stands in
 *				the first 8 bytes of FILE (set them to 0 to begin anew). COMMAND runs beside it.
 * The clock is the real one: a restored container's monotonic clock goes on where it was. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	int fd = open(argv[1], O_RDWR | O_CREAT, 0644);

	if (argc < 2 || fd < 0 || ftruncate(fd, 4096) < 0)
		return 1;
	volatile int64_t *gap = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (argc > 2 && fork() == 0) {
		execv(argv[2], argv + 2);
		_exit(127);
	}
	for (int64_t last = now(), this;; last = this) {
		struct timespec pause = { 0, 500000 };
		nanosleep(&pause, NULL);
		this = now();
		if (this - last > *gap)
			*gap = this - last;
	}
}
