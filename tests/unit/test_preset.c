/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The presets that are compiled in, and what a policy makes of one. */
#include "config_fixture.h"

#include "dockside/base/addr.h"
#include "dockside/base/text.h"
#include "dockside/policy/preset.h"

#define ABOUT_MAX 72 /* characters: with its name it is a line of a terminal */

static struct arena arena;
static struct presets presets;

static int read_all(void **state)
{
	(void)state;
	presets_read(&arena, &presets);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void assert_sorted(const struct preset *preset, const struct texts *texts, const char *what)
{
	for (size_t i = 1; i < texts->n; i++)
		if (strcmp(texts->items[i - 1], texts->items[i]) >= 0)
			fail_msg("%s: %s: %s does not belong before %s", preset->name, what,
				 texts->items[i - 1], texts->items[i]);
}

static void assert_hostname(const struct preset *preset, const char *name)
{
	cleanup(cleanup_free) char *lower = lower_case(xstrdup(name));

	if (!hostname_valid(name, strlen(name)) || !strchr(name, '.') || strcmp(lower, name) != 0)
		fail_msg("%s: %s is no hostname in lower case with a domain", preset->name, name);
}

static unsigned number(const char *s, size_t len, uint64_t max)
{
	uint64_t value = 0;

	/* parse_uint() takes no leading zero. */
	while (len > 1 && *s == '0')
		s++, len--;
	assert_true(parse_uint(s, len, 1, max, &value));
	return (unsigned)value;
}

static void assert_date(const struct preset *preset)
{
	static const unsigned days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const char *date = preset->date;
	unsigned month;

	if (strlen(date) != 10 || date[4] != '-' || date[7] != '-')
		fail_msg("%s: \"%s\" is no date", preset->name, date);
	assert_true(number(date, 4, 2100) >= 2026);
	month = number(date + 5, 2, 12);
	assert_true(number(date + 8, 2, 31) <= days[month - 1]);
}

static void test_all_are_there(void **state)
{
	static const char *const wanted[] = { "anthropic", "crates", "debian",	    "docker-hub",
					      "github",	   "golang", "huggingface", "npm",
					      "openai",	   "pypi",   "rubygems",    "ubuntu" };

	(void)state;
	assert_int_equal(presets.n, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < presets.n; i++)
		assert_string_equal(presets.items[i].name, wanted[i]);
}

static void test_each_is_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < presets.n; i++) {
		const struct preset *preset = &presets.items[i];

		assert_true(strlen(preset->about) > 0 && strlen(preset->about) <= ABOUT_MAX);
		assert_date(preset);
		assert_true(preset->sources.n > 0);
		for (size_t k = 0; k < preset->sources.n; k++)
			assert_memory_equal(preset->sources.items[k], "https://", 8);
		assert_true(preset->names.n > 0);
		assert_sorted(preset, &preset->names, "names");
		for (size_t k = 0; k < preset->names.n; k++)
			assert_hostname(preset, preset->names.items[k]);
		assert_sorted(preset, &preset->wildcards, "wildcards");
		for (size_t k = 0; k < preset->wildcards.n; k++) {
			assert_memory_equal(preset->wildcards.items[k], "*.", 2);
			assert_hostname(preset, preset->wildcards.items[k] + 2);
		}
	}
}

static void test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < presets.n; i++)
		assert_ptr_equal(presets_find(&presets, presets.items[i].name), &presets.items[i]);
	assert_null(presets_find(&presets, ""));
	assert_null(presets_find(&presets, "NPM"));
	assert_null(presets_find(&presets, "npm "));
}

static void assert_suggests(const char *name, const char *wanted)
{
	cleanup(cleanup_free) char *hint = presets_suggest(&presets, name);

	if (!wanted)
		assert_null(hint);
	else
		assert_string_equal(hint, wanted);
}

static void test_suggest(void **state)
{
	(void)state;
	assert_suggests("nmp", "did you mean \"npm\"?");
	assert_suggests("GitHub", "did you mean \"github\"?");
	assert_suggests("dockerhub", "did you mean \"docker-hub\"?");
	assert_suggests("zzzzzzzz", NULL);
}

/* apt's sources have http:// by default. */
static void test_http(void **state)
{
	(void)state;
	for (size_t i = 0; i < presets.n; i++)
		assert_int_equal(presets.items[i].http,
				 strcmp(presets.items[i].name, "debian") == 0 ||
					 strcmp(presets.items[i].name, "ubuntu") == 0);
}

/* ---- in an ipset ---- */

static void assert_hostnames(const struct ipset *ipset, const char *wanted)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < ipset->n_hostnames; i++)
		buf_printf(&b, "%s%s", i ? " " : "", ipset->hostnames[i]);
	assert_string_equal(buf_str(&b), wanted);
	buf_free(&b);
}

static void test_ipset_expands(void **state)
{
	struct fixture *f = *state;

	accept_files(f, AMBER,
		     "{\"ipsets\": {\"a\": [\"preset:npm\", \"more.example\", \"preset:pypi\","
		     " \"192.0.2.7\", \"PyPI.org.\", \"preset:npm\"], \"b\": [\"preset:npm\"]}}");
	assert_int_equal(f->policy.n_ipsets, 2);
	assert_hostnames(&f->policy.ipsets[0],
			 "files.pythonhosted.org more.example pypi.org registry.npmjs.org");
	assert_int_equal(f->policy.ipsets[0].n_prefixes, 1);
	assert_hostnames(&f->policy.ipsets[1], "registry.npmjs.org");
	assert_int_equal(f->diags.count[SEVERITY_WARNING], 0);
}

static void test_ipset_has_no_wildcards(void **state)
{
	struct fixture *f = *state;
	const struct preset *github = presets_find(&presets, "github");

	assert_true(github->wildcards.n > 0);
	accept_files(f, AMBER, "{\"ipsets\": {\"a\": [\"preset:github\"]}}");
	assert_int_equal(f->policy.ipsets[0].n_hostnames, github->names.n);
	for (size_t i = 0; i < github->names.n; i++)
		assert_string_equal(f->policy.ipsets[0].hostnames[i], github->names.items[i]);
}

/* A file of 16 MiB has room for a million entries, and each must not have names of its own. */
static void test_ipset_many_times(void **state)
{
	struct fixture *f = *state;
	const size_t times = 200000;
	struct buf b = { 0 };

	buf_puts(&b, "{\"ipsets\": {\"a\": [\"preset:huggingface\"");
	for (size_t i = 1; i < times; i++)
		buf_puts(&b, ", \"preset:huggingface\"");
	buf_puts(&b, "]}}");
	accept_files(f, AMBER, buf_str(&b));
	assert_int_equal(f->policy.ipsets[0].n_hostnames,
			 presets_find(&presets, "huggingface")->names.n);
	buf_free(&b);
}

static void test_ipset_unknown(void **state)
{
	struct fixture *f = *state;

	assert_false(
		parse_files(f, AMBER, "{\"ipsets\": {\"a\": [\"b.example\", \"preset:nmp\"]}}"));
	assert_int_equal(f->diags.n, 1);
	assert_string_equal(f->diags.items[0].message, "there is no preset \"nmp\"");
	assert_string_equal(
		f->diags.items[0].hint,
		"did you mean \"npm\"? dsfw-nft init --list-presets prints all of them");
	assert_string_equal(f->diags.items[0].pointer, "/ipsets/a/1");
	assert_int_equal(f->diags.items[0].loc.off,
			 strlen("{\"ipsets\": {\"a\": [\"b.example\", "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_are_there),
		cmocka_unit_test(test_each_is_valid),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_http),
		TEST(test_ipset_expands),
		TEST(test_ipset_has_no_wildcards),
		TEST(test_ipset_many_times),
		TEST(test_ipset_unknown),
	};

	return cmocka_run_group_tests(tests, read_all, free_all);
}
