/* SPDX-License-Identifier: GPL-2.0-or-later */
/* str.c - strings and strict numbers */
#include "runtime/base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

bool str_ends(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && memcmp(s + n - m, end, m) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int str_to_u64(const char *s, uint64_t *ret)
{
	uint64_t value = 0;

	if (!is_digit(*s))
		return -EINVAL;
	for (; *s; s++) {
		if (!is_digit(*s))
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

int str_to_i64(const char *s, int64_t *ret)
{
	uint64_t magnitude;
	bool negative = *s == '-';

	int r = str_to_u64(s + negative, &magnitude);
	if (r < 0)
		return r;
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*ret = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return 0;
}

int str_to_u32(const char *s, uint32_t *ret)
{
	uint64_t value;

	int r = str_to_u64(s, &value);
	if (r < 0)
		return r;
	if (value > UINT32_MAX)
		return -ERANGE;
	*ret = (uint32_t)value;
	return 0;
}

int str_to_int(const char *s, int *ret)
{
	int64_t value;

	int r = str_to_i64(s, &value);
	if (r < 0)
		return r;
	if (value < INT_MIN || value > INT_MAX)
		return -ERANGE;
	*ret = (int)value;
	return 0;
}

int str_to_mode(const char *s, uint32_t *ret)
{
	uint32_t value = 0;

	if (!*s)
		return -EINVAL;
	for (size_t i = 0; s[i]; i++) {
		if (s[i] < '0' || s[i] > '7' || i >= 5)
			return -EINVAL;
		value = value * 8 + (uint32_t)(s[i] - '0');
	}
	if (value > 07777)
		return -ERANGE;
	*ret = value;
	return 0;
}

/* The power of two that a size's suffix stands for, or -1. */
static int suffix_shift(char c)
{
	switch (c) {
	case 'b':
	case 'B':
		return 0;
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	case 't':
	case 'T':
		return 40;
	default:
		return -1;
	}
}

int str_to_bytes(const char *s, int64_t *ret)
{
	char digits[32];
	uint64_t value;
	size_t n = strlen(s);

	if (n == 0 || n >= sizeof(digits))
		return -EINVAL;
	int shift = is_digit(s[n - 1]) ? 0 : suffix_shift(s[n - 1]);
	if (shift < 0)
		return -EINVAL;
	if (!is_digit(s[n - 1]))
		n--;
	memcpy(digits, s, n);
	digits[n] = '\0';
	int r = str_to_u64(digits, &value);
	if (r < 0)
		return r;
	if (value > (uint64_t)INT64_MAX >> shift)
		return -ERANGE;
	*ret = (int64_t)(value << shift);
	return 0;
}

bool str_is_printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

void str_make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

int str_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	return n;
}

size_t strv_count(char *const *v)
{
	size_t n = 0;

	if (v)
		while (v[n])
			n++;
	return n;
}

bool strv_has(char *const *v, const char *s)
{
	for (; v && *v; v++)
		if (str_eq(*v, s))
			return true;
	return false;
}
