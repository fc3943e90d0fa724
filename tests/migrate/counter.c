/* SPDX-License-Identifier: GPL-2.0-or-later */
/* counter.c - what tests of migration run: it counts, keeps memory of which it knows every word, and watches the clock
 *
 *	counter MB RATE		MB of memory, RATE pages of it written each second
 *
 * Each millisecond it counts, and writes one line of fixed size over the last one into /state:
 *	COUNT GAP_US ERRORS PAGES
 * GAP_US is the longest time between two counts since the last look (a file /look is removed by it at each look,
 * and the gap begins anew), by the wall clock, which goes on while it stands still; ERRORS counts words that are
 * not what they should be; all memory is gone over once a second. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE  4096
#define WORDS (PAGE / 8)

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	return x;
}

/* Every page: its number, how often it was written, and words that follow from both. */
static void fill(uint64_t *page, uint64_t number, uint64_t version)
{
	page[0] = number;
	page[1] = version;
	for (size_t i = 2; i < WORDS; i += 32)
		page[i] = mix(number * 1000003 + version + i);
}

static int is_right(const uint64_t *page, uint64_t number)
{
	if (page[0] != number)
		return 0;
	for (size_t i = 2; i < WORDS; i += 32)
		if (page[i] != mix(number * 1000003 + page[1] + i))
			return 0;
	return 1;
}

int main(int argc, char **argv)
{
	size_t pages = argc > 1 ? (size_t)atol(argv[1]) * 256 : 256;
	long rate = argc > 2 ? atol(argv[2]) : 0;
	uint64_t count = 0, errors = 0, at = 0, checked = 0, versions = 0;
	int64_t last = 0, gap = 0;
	double due = 0;

	if (pages == 0)
		pages = 1;
	uint64_t *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				0);
	if (memory == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < pages; i++)
		fill(memory + i * WORDS, i, 0);
	int state = open("/state", O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (state < 0)
		return 2;
	for (;;) {
		char line[80];
		count++;
		due += (double)rate / 1000;
		for (; due >= 1; due -= 1) {
			at = (at + 7) % pages;
			if (!is_right(memory + at * WORDS, at))
				errors++;
			fill(memory + at * WORDS, at, ++versions);
		}
		for (size_t k = 0; k < pages / 1000 + 1; k++, checked = (checked + 1) % pages)
			if (!is_right(memory + checked * WORDS, checked))
				errors++;
		int64_t t = now_us();
		if (last && t - last > gap)
			gap = t - last;
		last = t;
		if (count % 10 == 0 && unlink("/look") == 0)
			gap = 0;
		int n = snprintf(line, sizeof(line), "%12llu %10lld %8llu %8zu\n", (unsigned long long)count,
				 (long long)gap, (unsigned long long)errors, pages);
		if (pwrite(state, line, (size_t)n, 0) != n)
			return 3;
		usleep(1000);
	}
}
