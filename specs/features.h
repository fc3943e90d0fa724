/* SPDX-License-Identifier: GPL-2.0-or-later */
/* features.h - what this build can do, as the spec's features.md wants it told */
#ifndef CORACLE_FEATURES_H
#define CORACLE_FEATURES_H

/* The JSON text, indented, freed by the caller; NULL when memory is short. */
char *features_to_json(void);

#endif
