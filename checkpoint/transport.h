/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transport.h - the bare connection to another node, by its address
 *
 *	ssh://[USER@]HOST[:PORT]   the system's ssh, with `coracle receive` as the command there
 *	tls://HOST:PORT            TLS 1.3, both sides with a certificate (checkpoint/tls.h)
 *	unix:PATH                  a socket of this machine
 *	exec:COMMAND               what the shell makes of it; its stdin and stdout
 *
 * One row of a table each. A transport gives a descriptor to read and one to write (often the same); the
 * program in between, if there is one, is our child and is ended with the transport. */
#ifndef CORACLE_TRANSPORT_H
#define CORACLE_TRANSPORT_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

struct tls_session;

struct transport_options {
	const char *receiver; /* ssh: the command on the other side; NULL: "coracle receive" */
	const char *tls_dir;  /* ca.pem, cert.pem, key.pem; NULL: TRANSPORT_TLS_DIR */
	int timeout_ms;	      /* for connecting */
};

#define TRANSPORT_TLS_DIR "/etc/coracle/tls"

struct transport {
	int in, out;		 /* non-blocking; the same number for a socket */
	pid_t helper;		 /* ssh or the command; 0 */
	struct tls_session *tls; /* NULL: plain. The handshake is still to be done (tls_handshake) */
	char *peer;		 /* for messages: the address as given */
};

void transport_free(struct transport *t);
DEFINE_AUTO(transport, struct transport)

/* Connect. -EINVAL: the address is none of the above. */
int transport_connect(const char *address, const struct transport_options *o, struct transport **ret,
		      struct error *e);

/* Take two descriptors that exist (stdin and stdout of `receive`). They are ours from now on. */
int transport_adopt(int in, int out, const char *peer, struct transport **ret, struct error *e);

/* `receive --listen`: unix:PATH or tls://ADDRESS:PORT ("tls://:PORT" listens everywhere). Returns the
 * listening socket. */
int transport_listen(const char *address, struct error *e);

/* One connection; `address` is what the socket listens on and says whether TLS is spoken. */
int transport_accept(int listener, const char *address, const struct transport_options *o,
		     struct transport **ret, struct error *e);

/* The parts of ssh://[USER@]HOST[:PORT] and tls://HOST:PORT; [v6] in brackets. Pure; new strings (NULL:
 * absent). A host or user that begins with "-" is refused: it would be an option to ssh. */
int transport_split(const char *text, char **ret_user, char **ret_host, char **ret_port, struct error *e);

#endif
