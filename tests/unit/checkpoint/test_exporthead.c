/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_exporthead.c - the head of an export, and what a config demands of a host */
#include <stdio.h>
#include <string.h>

#include "checkpoint/exporthead.h"
#include "runtime/base/str.h"
#include "specs/default.h"
#include "specs/spec.h"
#include "tests/unit/unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void a_head_is_read_back(void **state)
{
	AUTO(export_head) struct export_head *h = export_head_new(), *back = NULL;
	struct export_base base = { "abc", "/var/base" };
	struct error e = { 0 };
	size_t size;

	(void)state;
	h->export_id = ID;
	h->container = "box";
	h->bytes = 123;
	h->layer = true;
	h->bases = &base;
	h->n_bases = 1;
	h->file_locks = true;
	auto_free char *text = export_head_to_json(h, &size);
	assert_int_equal(export_head_parse(text, size, &back, &e), 0);
	assert_string_equal(back->export_id, ID);
	assert_string_equal(back->bases[0].path, "/var/base");
	assert_int_equal(back->bytes, 123);
	assert_true(back->file_locks && !back->shell_job);
	for (size_t n = 0; n + 1 < size; n++) {
		struct export_head *none = NULL;
		assert_true(export_head_parse(text, n, &none, &e) < 0 || n + 2 >= size);
		export_head_free(none);
	}
}

static void an_id_is_no_path(void **state)
{
	static const char *const ids[] = {
		"../../../../etc", "", "0123", ID "0",
		"g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	};
	struct error e;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		AUTO(export_head) struct export_head *h = export_head_new(), *back = NULL;
		size_t size;
		h->export_id = ids[i];
		auto_free char *text = export_head_to_json(h, &size);
		assert_true(export_head_parse(text, size, &back, &e) < 0);
	}
}

static void expect(const char *from, const char *to, const char *sentence)
{
	struct default_options options;
	struct export_demand list[8];
	struct error e = { 0 };
	char *text, *at;

	default_options_init(&options);
	options.machine[0] = '\0';
	assert_int_equal(default_config(&options, &text, &e), 0);
	auto_free char *changed = calloc(1, strlen(text) + 1000);
	at = from ? strstr(text, from) : text;
	assert_non_null(at);
	sprintf(changed, "%.*s%s%s", (int)(at - text), text, to, at + (from ? strlen(from) : 0));
	free(text);
	AUTO(spec) struct spec *s = NULL;
	if (spec_parse(changed, strlen(changed), &s, &e) < 0)
		fail_msg("%s", e.msg);
	size_t n = export_demands(s, list, COUNT_OF(list));
	if (!sentence) {
		if (n)
			fail_msg("%s", list[0].text);
		return;
	}
	assert_true(n > 0);
	if (!strstr(list[0].text, sentence))
		fail_msg("\"%s\" is not in \"%s\"", sentence, list[0].text);
}

static void our_own_default_demands_nothing(void **state)
{
	(void)state;
	expect(NULL, "", NULL);
}

static void what_is_more_is_told(void **state)
{
	(void)state;
	expect("\"mounts\": [",
	       "\"mounts\": "
	       "[{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/etc\",\"options\":[\"rbind\"]},",
	       "bind mount of the host's /etc at /x");
	expect("\"mounts\": [",
	       "\"mounts\": [{\"destination\":\"/x\",\"type\":\"ext4\",\"source\":\"/dev/sda\"},",
	       "mount of a ext4 file system at /x");
	expect("\"CAP_CHOWN\"", "\"CAP_CHOWN\",\"CAP_SYS_ADMIN\"", "CAP_SYS_ADMIN");
	expect("\"type\": \"network\"", "\"type\": \"network\",\"path\":\"/proc/1/ns/net\"",
	       "the network namespace /proc/1/ns/net");
	expect("\"hostname\"", "\"hooks\":{\"prestart\":[{\"path\":\"/bin/evil\"}]},\"hostname\"",
	       "prestart hook /bin/evil");
	expect("\"linux\": {", "\"linux\": {\"sysctl\":{\"kernel.msgmax\":\"1\"},", "sysctl kernel.msgmax");
	expect("\"linux\": {",
	       "\"linux\": {\"devices\":[{\"path\":\"/dev/mem\",\"type\":\"c\",\"major\":1,\"minor\":1}],",
	       "device /dev/mem");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_read_back),
		cmocka_unit_test(an_id_is_no_path),
		cmocka_unit_test(our_own_default_demands_nothing),
		cmocka_unit_test(what_is_more_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
