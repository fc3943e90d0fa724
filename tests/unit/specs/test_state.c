/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_state.c - the record comes back as it was written; nothing else is a record; the OCI state */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/str.h"
#include "specs/state.h"

static struct spec_key_value annotations[] = { { "key \"one\"", "value\n" }, { "", "empty key" } };

static const struct state sample = {
	.id = "web",
	.pid = 4242,
	.start_time = 18446744073709551615U,
	.bundle = "/bundles/web",
	.rootfs = "/bundles/web/rootfs",
	.created = "2026-01-02T03:04:05.000000006Z",
	.owner = 1000,
	.cgroup = "/coracle/web",
	.cgroup_joined = true,
	.rdt = "gold",
	.unit = "",
	.rdt_monitored = true,
	.oci_version = "1.2.0",
	.terminal = true,
	.hooks = 5,
	.annotations = annotations,
	.n_annotations = 2,
};

struct directory {
	char path[64];
	int fd;
};

static int make_directory(void **state)
{
	static struct directory d;

	snprintf(d.path, sizeof(d.path), "%s", "/tmp/test_state.XXXXXX");
	if (!mkdtemp(d.path))
		return -1;
	d.fd = open(d.path, O_DIRECTORY | O_CLOEXEC);
	*state = &d;
	return d.fd < 0 ? -1 : 0;
}

static int remove_directory(void **state)
{
	struct directory *d = *state;

	unlinkat(d->fd, "state.json", 0);
	close(d->fd);
	return rmdir(d->path);
}

static void test_record_comes_back(void **state)
{
	struct directory *d = *state;
	AUTO(state) struct state *s = NULL;
	struct error e = { 0 };
	struct stat st;

	if (state_write(d->fd, &sample, &e) < 0 || state_read(d->fd, &s, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(s->id, sample.id);
	assert_int_equal(s->pid, sample.pid);
	assert_true(s->start_time == sample.start_time);
	assert_string_equal(s->bundle, sample.bundle);
	assert_string_equal(s->rootfs, sample.rootfs);
	assert_string_equal(s->created, sample.created);
	assert_int_equal(s->owner, 1000);
	assert_string_equal(s->cgroup, sample.cgroup);
	assert_true(s->cgroup_joined);
	assert_string_equal(s->rdt, "gold");
	assert_true(!s->rdt_made && s->rdt_monitored);
	assert_string_equal(s->oci_version, "1.2.0");
	assert_false(s->systemd_cgroup);
	assert_true(s->terminal);
	assert_false(s->no_process);
	assert_int_equal(s->hooks, 5);
	assert_int_equal(s->n_annotations, 2);
	assert_string_equal(s->annotations[0].key, "key \"one\"");
	assert_string_equal(s->annotations[0].value, "value\n");
	assert_int_equal(fstatat(d->fd, "state.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_a_missing_record_is_enoent(void **state)
{
	struct directory *d = *state;
	AUTO(state) struct state *s = NULL;
	struct error e = { 0 };

	assert_int_equal(state_read(d->fd, &s, &e), -ENOENT);
	assert_null(s);
}

/* The good record with one piece of text replaced. */
static void expect_error(struct directory *d, const char *from, const char *to, const char *message)
{
	AUTO(state) struct state *s = NULL;
	auto_free char *text = NULL;
	struct error e = { 0 };
	char changed[2048];

	assert_int_equal(state_write(d->fd, &sample, &e), 0);
	assert_int_equal(io_read_file(d->fd, "state.json", 4096, &text, NULL, &e), 0);
	const char *at = strstr(text, from);
	assert_non_null(at);
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	assert_int_equal(io_replace_file(d->fd, "state.json", changed, strlen(changed), 0600, &e), 0);
	assert_true(state_read(d->fd, &s, &e) < 0);
	assert_string_equal(e.msg, message);
}

static void test_what_we_did_not_write_is_refused(void **state)
{
	static const struct {
		const char *from, *to, *message;
	} rows[] = {
		{ "\"pid\":4242,", "", "state.json: pid: missing" },
		{ "4242", "-1", "state.json: pid: -1 is out of range (0 to 2147483647)" },
		{ "4242", "4294967297", "state.json: pid: 4294967297 is out of range (0 to 2147483647)" },
		{ "4242", "\"4242\"", "state.json: pid: expected a number" },
		{ "4242", "4242, \"more\": 1", "state.json: more: unknown key" },
		{ "record\":1", "record\":2",
		  "state.json: coracle_version_record: format 2 is not the one this coracle writes (1)" },
		{ "18446744073709551615", "18446744073709551616",
		  "state.json: start_time: 18446744073709551616 is out of range (0 to "
		  "18446744073709551615)" },
		{ "/coracle/web", "../coracle",
		  "state.json: cgroup: \"../coracle\" is not an absolute path" },
		{ "\"id\":\"web\"", "\"id\":\"\"", "state.json: id: empty" },
		{ "}}", "}", "state.json: line 1, column 446: parse error: premature EOF" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect_error(*state, rows[i].from, rows[i].to, rows[i].message);
}

static void test_oci_state(void **state)
{
	struct state plain = sample;

	(void)state;
	auto_free char *text = state_to_json(&sample, STATUS_RUNNING, false, false);
	assert_string_equal(text,
			    "{\"ociVersion\":\"1.2.0\",\"id\":\"web\",\"pid\":4242,\"status\":\"running\","
			    "\"bundle\":\"/bundles/web\",\"annotations\":"
			    "{\"key \\\"one\\\"\":\"value\\n\",\"\":\"empty key\"}}");
	plain.n_annotations = 0;
	auto_free char *stopped = state_to_json(&plain, STATUS_STOPPED, true, false);
	assert_string_equal(stopped,
			    "{\"ociVersion\":\"1.2.0\",\"id\":\"web\",\"pid\":0,\"status\":\"stopped\","
			    "\"bundle\":\"/bundles/web\",\"rootfs\":\"/bundles/web/rootfs\","
			    "\"created\":\"2026-01-02T03:04:05.000000006Z\",\"owner\":\"1000\"}");
	auto_free char *indented = state_to_json(&plain, STATUS_PAUSED, false, true);
	assert_string_equal(indented,
			    "{\n  \"ociVersion\": \"1.2.0\",\n  \"id\": \"web\",\n  \"pid\": 4242,\n"
			    "  \"status\": \"paused\",\n  \"bundle\": \"/bundles/web\"\n}");
}

static void test_every_status_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < STATUS_MAX; i++)
		assert_non_null(status_names[i]);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(test_record_comes_back),
		IN_DIRECTORY(test_a_missing_record_is_enoent),
		IN_DIRECTORY(test_what_we_did_not_write_is_refused),
		cmocka_unit_test(test_oci_state),
		cmocka_unit_test(test_every_status_has_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
