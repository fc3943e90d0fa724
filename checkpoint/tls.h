/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls.h - TLS 1.3 with certificates on both sides, by OpenSSL
 *
 * The library is loaded when the first session is opened, not before (dlopen of libssl.so.3): nothing else
 * needs it. A directory holds ca.pem (who signs the nodes' certificates), cert.pem and key.pem (the node's
 * own; key.pem must not be readable by others). The one who connects also wants the other's certificate to
 * name the host; the one who accepts wants any that the CA has signed. Nothing of coracle's protocol is read
 * before both have proved themselves. */
#ifndef CORACLE_TLS_H
#define CORACLE_TLS_H

#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/error.h"

struct tls_session;

/* Over a connected, non-blocking socket. `host` NULL: we were connected to. */
int tls_open(const char *dir, int fd, const char *host, struct tls_session **ret, struct error *e);
void tls_free(struct tls_session *s);

/* Both certificates are proved when this returns 0. Waits for the socket, at most timeout_ms. */
int tls_handshake(struct tls_session *s, int timeout_ms, struct error *e);

/* As read(2) and write(2): -1 and EAGAIN when the socket is to be waited for, 0 at the end; other failures
 * are EPROTO, and tls_reason() has the library's words. */
ssize_t tls_read(struct tls_session *s, void *data, size_t size);
ssize_t tls_write(struct tls_session *s, const void *data, size_t size);
const char *tls_reason(const struct tls_session *s);

#endif
