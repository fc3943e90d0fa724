/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit.h - what every unit test includes: cmocka and the headers it wants before it */
#ifndef CORACLE_UNIT_H
#define CORACLE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* cmocka's fail() is a macro, ours a function of error.h: only fail_msg() is kept of theirs. */
#undef fail
#undef fail_msg
#define fail_msg(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

#endif
