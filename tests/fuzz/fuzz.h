/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz.h - the entry that libFuzzer calls; feed.c calls it for the files of a corpus */
#ifndef CORACLE_FUZZ_H
#define CORACLE_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
