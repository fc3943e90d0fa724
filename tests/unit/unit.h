/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit.h - what every unit test includes: cmocka and the headers it wants before it */
#ifndef CORACLE_UNIT_H
#define CORACLE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
