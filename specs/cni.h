/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cni.h - what CNI plugins read and write (CNI specification 1.1.0): configuration in, results and errors out
 *
 * Versions 0.3.0 to 1.1.0 are spoken; they differ in what a result says of itself. */
#ifndef CORACLE_CNI_H
#define CORACLE_CNI_H

#include "specs/network.h"
#include "specs/switchconf.h"

#define CNI_LATEST "1.1.0"

/* Error codes of the specification, "Error"; from 100 on a plugin's own. */
enum cni_code {
	CNI_BAD_VERSION = 1,
	CNI_BAD_FIELD = 2,
	CNI_NO_CONTAINER = 3,
	CNI_BAD_ENVIRONMENT = 4,
	CNI_IO = 5,
	CNI_BAD_JSON = 6,
	CNI_BAD_CONFIG = 7,
	CNI_NOT_AVAILABLE = 50,
	CNI_FAILED = 100,
	CNI_CHECK_FAILED = 101,
};

struct cni_mapping { /* runtimeConfig.portMappings */
	uint32_t host_port, container_port;
	const char *protocol, *host_ip; /* NULL: tcp; all */
};

struct cni_rates { /* runtimeConfig.bandwidth, bits per second */
	uint64_t ingress, egress;
};

struct cni_attachment { /* cni.dev/valid-attachments */
	const char *container, *ifname;
};

struct cni_runtime {
	struct cni_mapping *mappings;
	size_t n_mappings;
	char **ips; /* "10.1.0.5/16" */
	const char *mac;
	struct cni_rates rates;
};

struct cni_config {
	struct arena *arena;
	const char *version, *name;
	const char *switch_name; /* ours: "switch"; NULL: the network's name */
	const char *switch_dir;	 /* ours: "switchDir"; NULL: the default */
	struct cni_runtime runtime;
	struct cni_attachment *valid;
	size_t n_valid;
	const struct json *previous; /* prevResult; NULL */
};

void cni_config_free(struct cni_config *c);
DEFINE_AUTO(cni_config, struct cni_config)

/* *ret_code is the specification's number for what went wrong. */
int cni_parse(const char *text, size_t size, struct cni_config **ret, enum cni_code *ret_code,
	      struct error *e);

bool cni_knows_version(const char *version);
/* Is version a at least b? */
bool cni_version_is_from(const char *a, const char *b);

/* The wishes of an attachment. */
int cni_wishes(const struct cni_config *c, const char *container, const char *ifname, struct network **ret,
	       struct error *e);

/* Texts, freed by the caller; NULL when memory is short. */
char *cni_result(const struct cni_config *c, const struct network *n, const struct switchconf *s,
		 const char *netns);
char *cni_error(const char *version, enum cni_code code, const char *msg);
char *cni_versions(const char *version);

/* Does a result of ours name these addresses (CHECK)? */
bool cni_result_has(const struct json *result, const struct net_port *port);

#endif
