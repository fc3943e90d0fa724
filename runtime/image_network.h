/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_network.h - a container's wires at checkpoint and restore
 *
 * Rows of both stories; the mechanism is network.h. The record of the wires lies among the images, so that the
 * restored container has its addresses again, and its connections. Held by our own ports: while the container
 * stands still nothing comes in and no reset goes out, and CRIU need not lock anything. */
#ifndef CORACLE_IMAGE_NETWORK_H
#define CORACLE_IMAGE_NETWORK_H

#include "runtime/dump.h"
#include "runtime/restoring.h"

#define IMAGE_NETWORK_FILE "network.json"

/* ---- checkpoint ---- */

/* The container's record, if it has one, and the mounts that go with it into the dump's copy of the config. */
int image_network_open(struct dump *d, struct error *e);
int image_network_hold(const struct dump *d, struct error *e);
int image_network_release(const struct dump *d, struct error *e);
int image_network_save(const struct dump *d, struct error *e);

/* How CRIU is to hold the network: it need not where we do, or where nobody is outside. */
enum criu_network_lock image_network_lock(const struct dump *d);

/* ---- restore ---- */

/* What it is wired to: --switch, else the record among the images (or handed over by a migration), else the
 * config's annotations. Before mounts are staged: there are some that go with it. */
int image_network_plan(struct restore *r, struct error *e);
/* Links, addresses and routes are there, and nothing passes. */
int image_network_attach(struct restore *r, struct error *e);
void image_network_detach(struct restore *r);
/* All passes, and the neighbours are told where the addresses are now. */
int image_network_let_go(const struct restore *r, struct error *e);
/* The container runs: what was set for the moment before is set back. */
void image_network_settle(const struct restore *r);

#endif
