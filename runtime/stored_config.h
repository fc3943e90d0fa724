/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stored_config.h - the config.json that a container was created from (its copy in the state directory) */
#ifndef CORACLE_STORED_CONFIG_H
#define CORACLE_STORED_CONFIG_H

#include "runtime/container.h"
#include "specs/spec.h"

/* Most bytes of a config.json or process file that are read at all. */
#define CONFIG_LIMIT (16U << 20)

int config_load(const struct container *c, struct spec **ret, struct error *e);

#endif
