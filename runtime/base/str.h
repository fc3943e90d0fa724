/* SPDX-License-Identifier: GPL-2.0-or-later */
/* str.h - strings and strict numbers
 *
 * A number is the whole string or an error: no sign where none is allowed, no blanks, no tail, no overflow
 * (an `exec --user 1` that parses as 0 is a hole other runtimes had). */
#ifndef CORACLE_STR_H
#define CORACLE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static inline bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static inline bool str_starts(const char *s, const char *start)
{
	return strncmp(s, start, strlen(start)) == 0;
}

bool str_ends(const char *s, const char *end);

/* 0 or -EINVAL (not a decimal number) or -ERANGE; *ret is set only on success. Decimal only. */
int str_to_u64(const char *s, uint64_t *ret);
int str_to_i64(const char *s, int64_t *ret);
int str_to_u32(const char *s, uint32_t *ret);
int str_to_int(const char *s, int *ret);
/* Octal file modes: 1 to 5 octal digits, at most 07777. */
int str_to_mode(const char *s, uint32_t *ret);
/* Sizes as people type them: "512M", "1G", "1024", suffixes b k m g t in either case, powers of 1024. */
int str_to_bytes(const char *s, int64_t *ret);

/* True if every byte is printable ASCII or part of UTF-8 text, no control characters. */
bool str_is_printable(const char *s);
/* Replace control characters by '?', in place: text of strangers before it is printed. */
void str_make_printable(char *s);

/* snprintf into a fixed buffer; -ENAMETOOLONG if it did not fit. */
int str_format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* NULL-terminated lists of strings. */
size_t strv_count(char *const *v);
bool strv_has(char *const *v, const char *s);

#endif
