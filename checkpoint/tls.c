/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls.c - the few functions of OpenSSL 3 that mutual TLS 1.3 takes, in one table, loaded when used */
#include "checkpoint/tls.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <arpa/inet.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

/* Numbers of OpenSSL's public headers (ABI of libssl.so.3). */
enum {
	OSSL_FILETYPE_PEM = 1,
	OSSL_VERIFY_PEER_OR_FAIL = 1 | 2,
	OSSL_CTRL_MODE = 33,
	OSSL_CTRL_SET_MIN_PROTO_VERSION = 123,
	OSSL_CTRL_SET_TLSEXT_HOSTNAME = 55,
	OSSL_TLS1_3_VERSION = 0x0304,
	OSSL_MODE_PARTIAL_WRITE = 1 | 2, /* and the buffer may move between attempts */
	OSSL_ERROR_WANT_READ = 2,
	OSSL_ERROR_WANT_WRITE = 3,
	OSSL_ERROR_ZERO_RETURN = 6,
};

static struct {
	void *(*TLS_method)(void);
	void *(*SSL_CTX_new)(const void *method);
	void (*SSL_CTX_free)(void *ctx);
	long (*SSL_CTX_ctrl)(void *ctx, int cmd, long larg, void *parg);
	int (*SSL_CTX_use_certificate_chain_file)(void *ctx, const char *file);
	int (*SSL_CTX_use_PrivateKey_file)(void *ctx, const char *file, int type);
	int (*SSL_CTX_load_verify_locations)(void *ctx, const char *file, const char *path);
	void (*SSL_CTX_set_verify)(void *ctx, int mode, void *callback);
	void *(*SSL_new)(void *ctx);
	void (*SSL_free)(void *ssl);
	int (*SSL_set_fd)(void *ssl, int fd);
	long (*SSL_ctrl)(void *ssl, int cmd, long larg, void *parg);
	int (*SSL_set1_host)(void *ssl, const char *host);
	void *(*SSL_get0_param)(void *ssl);
	int (*SSL_connect)(void *ssl);
	int (*SSL_accept)(void *ssl);
	int (*SSL_read)(void *ssl, void *data, int size);
	int (*SSL_write)(void *ssl, const void *data, int size);
	int (*SSL_get_error)(const void *ssl, int ret);
	int (*X509_VERIFY_PARAM_set1_ip_asc)(void *param, const char *ip);
	unsigned long (*ERR_get_error)(void);
	void (*ERR_clear_error)(void);
	void (*ERR_error_string_n)(unsigned long code, char *buf, size_t size);
} ossl;

#define SYMBOL(name)                       \
	{                                  \
#name, (void **)&ossl.name \
	}
static const struct {
	const char *name;
	void **at;
} symbols[] = {
	SYMBOL(TLS_method),
	SYMBOL(SSL_CTX_new),
	SYMBOL(SSL_CTX_free),
	SYMBOL(SSL_CTX_ctrl),
	SYMBOL(SSL_CTX_use_certificate_chain_file),
	SYMBOL(SSL_CTX_use_PrivateKey_file),
	SYMBOL(SSL_CTX_load_verify_locations),
	SYMBOL(SSL_CTX_set_verify),
	SYMBOL(SSL_new),
	SYMBOL(SSL_free),
	SYMBOL(SSL_set_fd),
	SYMBOL(SSL_ctrl),
	SYMBOL(SSL_set1_host),
	SYMBOL(SSL_get0_param),
	SYMBOL(SSL_connect),
	SYMBOL(SSL_accept),
	SYMBOL(SSL_read),
	SYMBOL(SSL_write),
	SYMBOL(SSL_get_error),
	SYMBOL(X509_VERIFY_PARAM_set1_ip_asc),
	SYMBOL(ERR_get_error),
	SYMBOL(ERR_clear_error),
	SYMBOL(ERR_error_string_n),
};

struct tls_session {
	void *ctx, *ssl;
	int fd;
	bool client;
	char reason[200];
};

static int load(struct error *e)
{
	static void *library;

	if (library)
		return 0;
	/* libssl brings libcrypto with it, whose symbols are found through the same handle. */
	void *opened = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
	if (!opened)
		return refuse(e, ENOPKG, "tls:// needs OpenSSL 3 (Debian package libssl3): %s", dlerror());
	for (size_t i = 0; i < COUNT_OF(symbols); i++) {
		*symbols[i].at = dlsym(opened, symbols[i].name);
		if (!*symbols[i].at)
			return refuse(e, ENOPKG, "libssl.so.3 has no %s", symbols[i].name);
	}
	library = opened;
	return 0;
}

/* The oldest error in the library's queue is the cause; the queue is emptied. */
static void note_reason(struct tls_session *s, const char *otherwise)
{
	unsigned long code = ossl.ERR_get_error();

	if (code)
		ossl.ERR_error_string_n(code, s->reason, sizeof(s->reason));
	else
		snprintf(s->reason, sizeof(s->reason), "%s", otherwise);
	ossl.ERR_clear_error();
}

void tls_free(struct tls_session *s)
{
	if (!s)
		return;
	if (s->ssl)
		ossl.SSL_free(s->ssl);
	if (s->ctx)
		ossl.SSL_CTX_free(s->ctx);
	free(s);
}
DEFINE_AUTO(tls, struct tls_session)

/* A key that others can read proves nothing. */
static int check_key(const char *path, struct error *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return fail(e, errno, "%s", path);
	if (st.st_mode & 077)
		return refuse(e, EPERM, "%s: readable by others (mode %04o): chmod 600", path,
			      st.st_mode & 07777);
	return 0;
}

static int load_files(struct tls_session *s, const char *dir, struct error *e)
{
	auto_free char *ca = NULL, *cert = NULL, *key = NULL;

	if (asprintf(&ca, "%s/ca.pem", dir) < 0 || asprintf(&cert, "%s/cert.pem", dir) < 0 ||
	    asprintf(&key, "%s/key.pem", dir) < 0)
		return fail(e, ENOMEM, "%s", dir);
	int r = check_key(key, e);
	if (r < 0)
		return r;
	const char *file = ca;
	bool ok = ossl.SSL_CTX_load_verify_locations(s->ctx, ca, NULL) == 1;
	if (ok)
		ok = ossl.SSL_CTX_use_certificate_chain_file(s->ctx, file = cert) == 1;
	if (ok)
		ok = ossl.SSL_CTX_use_PrivateKey_file(s->ctx, file = key, OSSL_FILETYPE_PEM) == 1;
	if (!ok) {
		note_reason(s, "not usable");
		return refuse(e, EINVAL, "%s: %s", file, s->reason);
	}
	return 0;
}

/* The certificate must be for the host's name, or its address. */
static bool want_host(struct tls_session *s, const char *host)
{
	struct in6_addr any;

	if (inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1)
		return ossl.X509_VERIFY_PARAM_set1_ip_asc(ossl.SSL_get0_param(s->ssl), host) == 1;
	ossl.SSL_ctrl(s->ssl, OSSL_CTRL_SET_TLSEXT_HOSTNAME, 0, (void *)host);
	return ossl.SSL_set1_host(s->ssl, host) == 1;
}

int tls_open(const char *dir, int fd, const char *host, struct tls_session **ret, struct error *e)
{
	int r = load(e);
	if (r < 0)
		return r;
	AUTO(tls) struct tls_session *s = calloc(1, sizeof(*s));
	if (!s)
		return fail(e, ENOMEM, "TLS");
	s->fd = fd;
	s->client = host;
	s->ctx = ossl.SSL_CTX_new(ossl.TLS_method());
	if (!s->ctx ||
	    ossl.SSL_CTX_ctrl(s->ctx, OSSL_CTRL_SET_MIN_PROTO_VERSION, OSSL_TLS1_3_VERSION, NULL) != 1)
		return refuse(e, EINVAL, "OpenSSL cannot speak TLS 1.3");
	ossl.SSL_CTX_ctrl(s->ctx, OSSL_CTRL_MODE, OSSL_MODE_PARTIAL_WRITE, NULL);
	ossl.SSL_CTX_set_verify(s->ctx, OSSL_VERIFY_PEER_OR_FAIL, NULL);
	r = load_files(s, dir, e);
	if (r < 0)
		return r;
	s->ssl = ossl.SSL_new(s->ctx);
	if (!s->ssl || ossl.SSL_set_fd(s->ssl, fd) != 1 || (host && !want_host(s, host)))
		return refuse(e, EINVAL, "OpenSSL does not take %s", host ? host : "the connection");
	*ret = take_ptr(s);
	return 0;
}

int tls_handshake(struct tls_session *s, int timeout_ms, struct error *e)
{
	for (;;) {
		ossl.ERR_clear_error();
		int r = s->client ? ossl.SSL_connect(s->ssl) : ossl.SSL_accept(s->ssl);
		if (r == 1)
			return 0;
		int why = ossl.SSL_get_error(s->ssl, r);
		if (why != OSSL_ERROR_WANT_READ && why != OSSL_ERROR_WANT_WRITE) {
			note_reason(s, "the other side closed the connection");
			return refuse(e, EACCES, "TLS: %s", s->reason);
		}
		struct pollfd p = { .fd = s->fd, .events = why == OSSL_ERROR_WANT_READ ? POLLIN : POLLOUT };
		int n = poll(&p, 1, timeout_ms);
		if (n == 0)
			return refuse(e, ETIMEDOUT, "TLS: no handshake within %d ms", timeout_ms);
		if (n < 0 && errno != EINTR)
			return fail(e, errno, "poll");
	}
}

static ssize_t finish(struct tls_session *s, int r)
{
	if (r > 0)
		return r;
	int why = ossl.SSL_get_error(s->ssl, r);
	if (why == OSSL_ERROR_ZERO_RETURN)
		return 0;
	if (why == OSSL_ERROR_WANT_READ || why == OSSL_ERROR_WANT_WRITE) {
		errno = EAGAIN;
		return -1;
	}
	note_reason(s, "the connection broke");
	errno = EPROTO;
	return -1;
}

ssize_t tls_read(struct tls_session *s, void *data, size_t size)
{
	ossl.ERR_clear_error();
	return finish(s, ossl.SSL_read(s->ssl, data, size > 1 << 20 ? 1 << 20 : (int)size));
}

ssize_t tls_write(struct tls_session *s, const void *data, size_t size)
{
	ossl.ERR_clear_error();
	return finish(s, ossl.SSL_write(s->ssl, data, size > 1 << 20 ? 1 << 20 : (int)size));
}

const char *tls_reason(const struct tls_session *s)
{
	return s->reason;
}
