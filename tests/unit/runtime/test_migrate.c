/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_migrate.c - what the target makes of a stranger's config, claim and images */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/imagestream.h"
#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "runtime/migrate.h"

static const char config[] =
	"{\"ociVersion\": \"1.0.2\", \"process\": {\"args\": [\"x\"], \"rlimits\": [{\"soft\": "
	"18446744073709551615}]},"
	" \"root\": {\"path\": \"/etc\", \"readonly\": true},"
	" \"mounts\": [{\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},"
	" {\"destination\": \"/data\", \"type\": \"bind\", \"source\": \"/srv/../etc\", \"options\": "
	"[\"ro\"]},"
	" {\"destination\": \"/more\", \"source\": \"/srv/more\", \"options\": [\"rbind\"]}]}";

static char *rewrite(const char *text, struct claim *c, struct config_policy *p, struct obstacles *o)
{
	char *shared[] = { (char *)"/srv/", NULL }, *made = NULL;
	struct error e;

	p->bundle = "/var/lib/coracle/containers/web";
	p->shared = shared;
	memset(o, 0, sizeof(*o));
	int r = config_rewrite(text, strlen(text), c, p, &made, o, &e);
	p->shared = NULL;
	return r == 0 ? made : NULL;
}

static void test_no_path_of_the_source_is_used(void **state)
{
	struct claim_volume volumes[] = { { "/data", VOLUME_COPY }, { "/more", VOLUME_DROP } };
	struct claim c = { .volumes = volumes, .n_volumes = 2 };
	struct config_policy p = { 0 };
	struct obstacles o;

	(void)state;
	auto_free char *made = rewrite(config, &c, &p, &o);
	assert_non_null(made);
	assert_int_equal(o.n, 0);
	assert_non_null(strstr(made, "\"/var/lib/coracle/containers/web/rootfs\""));
	assert_non_null(strstr(made, "\"/var/lib/coracle/containers/web/volumes/0\""));
	assert_non_null(strstr(made, "\"/var/lib/coracle/containers/web/volumes/1\""));
	assert_null(strstr(made, "/etc"));
	assert_null(strstr(made, "/srv"));
	/* what is not replaced stays, to the last digit */
	assert_non_null(strstr(made, "\"soft\": 18446744073709551615"));
	assert_non_null(strstr(made, "\"readonly\":true"));
}

static void test_what_the_source_would_decide_is_an_obstacle(void **state)
{
	static const struct {
		const char *text, *words;
		int mode; /* of /data */
		bool shared_root;
	} cases[] = {
		{ "{\"root\":{\"path\":\"r\"},\"mounts\":[{\"destination\":\"/"
		  "data\",\"type\":\"bind\",\"source\":\"/x\"}]}",
		  "bind mount of the source's files", -1, false },
		{ "{\"root\":{\"path\":\"r\"},\"mounts\":[{\"destination\":\"/"
		  "data\",\"type\":\"bind\",\"source\":\"/srv/../etc\"}]}",
		  "does not allow a shared volume at /srv/../etc", VOLUME_SHARED, false },
		{ "{\"root\":{\"path\":\"r\"},\"mounts\":[{\"destination\":\"/"
		  "data\",\"type\":\"bind\",\"source\":\"/srvx\"}]}",
		  "does not allow a shared volume", VOLUME_SHARED, false },
		{ "{\"root\":{\"path\":\"/etc\"}}", "does not allow a shared root at /etc", -1, true },
		{ "{\"root\":{\"path\":\"rootfs\"}}", "does not allow a shared root", -1, true },
		{ "{\"root\":{\"path\":\"r\"},\"hooks\":{\"poststop\":[{\"path\":\"/bin/sh\"}]}}",
		  "poststop hooks", -1, false },
		{ "{\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":\"/proc/"
		  "1/ns/pid\"}]}}",
		  "joins a namespace", -1, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct claim_volume volume = { "/data", cases[i].mode };
		struct claim c = { .volumes = &volume,
				   .n_volumes = cases[i].mode >= 0,
				   .shared_rootfs = cases[i].shared_root };
		struct config_policy p = { 0 };
		struct obstacles o;
		auto_free char *made = rewrite(cases[i].text, &c, &p, &o);
		if (o.n != 1 || !strstr(o.v[0].what, cases[i].words))
			fail_msg("case %zu: %zu obstacles, %s", i, o.n, o.n ? o.v[0].what : "");
		assert_true(*o.v[0].todo);
	}
}

static void test_what_the_policy_allows_passes(void **state)
{
	struct claim_volume volume = { "/data", VOLUME_SHARED };
	struct claim c = { .volumes = &volume, .n_volumes = 1, .shared_rootfs = true };
	struct config_policy p = { .allow_hooks = true };
	struct obstacles o;

	(void)state;
	auto_free char *made = rewrite(
		"{\"root\":{\"path\":\"/srv/root\"},\"hooks\":{\"poststop\":[{\"path\":\"/bin/true\"}]},"
		"\"mounts\":[{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/srv/data\"}]}",
		&c, &p, &o);
	assert_non_null(made);
	assert_int_equal(o.n, 0);
	assert_non_null(strstr(made, "/srv/root"));
	assert_non_null(strstr(made, "/srv/data"));
}

static void test_claims_of_strangers(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"migration\":1}",
		"{\"migration\":\"../../etc/"
		"passwd\",\"name\":\"a\",\"config\":\"\",\"memoryBytes\":0,\"fileBytes\":0,"
		"\"fileEntries\":0}",
		"{\"migration\":\"0123456789abcdef0123456789abcdef\",\"name\":\"../"
		"a\",\"config\":\"\",\"memoryBytes\":0,"
		"\"fileBytes\":0,\"fileEntries\":0}",
		"{\"migration\":\"0123456789abcdef0123456789abcdef\",\"name\":\".\",\"config\":\"\","
		"\"memoryBytes\":0,"
		"\"fileBytes\":0,\"fileEntries\":0}",
		"{\"migration\":\"0123456789abcdef0123456789abcdef\",\"name\":\"a\",\"config\":\"\","
		"\"memoryBytes\":-1,"
		"\"fileBytes\":0,\"fileEntries\":0}",
		"{\"migration\":\"0123456789abcdef0123456789abcdef\",\"name\":\"a\",\"config\":\"\","
		"\"memoryBytes\":0,"
		"\"fileBytes\":0,\"fileEntries\":0,\"run\":\"rm\"}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		AUTO(arena) struct arena *a = arena_new();
		struct claim c = { 0 };
		struct error e;
		assert_true(claim_read(a, bad[i], strlen(bad[i]), &c, &e) < 0);
	}
}

/* ---- images ---- */

static char directory[] = "/tmp/coracle-images-XXXXXX";

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory_again(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static size_t put(uint8_t *at, const char *name, uint64_t size, const char *contents)
{
	size_t n = strlen(name);

	memset(at, 0, IMAGESTREAM_HEADER);
	wire_put_u16(at, (uint16_t)n);
	wire_put_u64(at + 4, size);
	memcpy(at + IMAGESTREAM_HEADER, name, n);
	memcpy(at + IMAGESTREAM_HEADER + n, contents, strlen(contents));
	return IMAGESTREAM_HEADER + n + strlen(contents);
}

static void test_images_arrive_cut_anywhere(void **state)
{
	struct error e;
	uint8_t stream[200];

	(void)state;
	auto_close int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t step = 1; step < 20; step++) {
		AUTO(imagestream) struct imagestream *s = NULL;
		char one[32], two[32];
		snprintf(one, sizeof(one), "core-%zu.img", step);
		snprintf(two, sizeof(two), "empty-%zu.img", step);
		size_t n = put(stream, one, 5, "hello");
		n += put(stream + n, two, 0, "");
		memset(stream + n, 0, IMAGESTREAM_HEADER);
		n += IMAGESTREAM_HEADER;
		assert_int_equal(imagestream_new(dir, 1000, &s, &e), 0);
		for (size_t at = 0; at < n; at += step) {
			assert_false(imagestream_is_whole(s));
			assert_int_equal(imagestream_feed(s, stream + at, n - at < step ? n - at : step, &e),
					 0);
		}
		assert_true(imagestream_is_whole(s));
		auto_free char *text = NULL;
		assert_int_equal(io_read_file(dir, one, 100, &text, NULL, &e), 0);
		assert_string_equal(text, "hello");
		assert_int_equal(faccessat(dir, two, F_OK, 0), 0);
		assert_true(imagestream_feed(s, "x", 1, &e) < 0); /* after the end */
	}
}

static void test_images_of_strangers(void **state)
{
	static const struct {
		const char *name;
		uint64_t size;
		int expected;
	} cases[] = {
		{ "../passwd", 1, -EPROTO }, { "a/b", 1, -EPROTO },
		{ ".hidden", 1, -EPROTO },   { "-option", 1, -EPROTO },
		{ "new\nline", 1, -EPROTO }, { "big.img", 2000, -EFBIG },
		{ "there.img", 1, -EEXIST }, { "huge.img", UINT64_MAX, -EFBIG },
	};
	struct error e;
	uint8_t stream[200];

	(void)state;
	auto_close int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(symlinkat("/tmp/coracle-decoy", dir, "there.img"), 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		AUTO(imagestream) struct imagestream *s = NULL;
		size_t n = put(stream, cases[i].name, cases[i].size, "x");
		assert_int_equal(imagestream_new(dir, 1000, &s, &e), 0);
		assert_int_equal(imagestream_feed(s, stream, n, &e), cases[i].expected);
		assert_int_equal(imagestream_feed(s, stream, n, &e), -EPROTO); /* nothing more is taken */
	}
	assert_int_not_equal(access("/tmp/coracle-decoy", F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_path_of_the_source_is_used),
		cmocka_unit_test(test_what_the_source_would_decide_is_an_obstacle),
		cmocka_unit_test(test_what_the_policy_allows_passes),
		cmocka_unit_test(test_claims_of_strangers),
		cmocka_unit_test(test_images_arrive_cut_anywhere),
		cmocka_unit_test(test_images_of_strangers),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory_again);
}
