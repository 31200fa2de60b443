/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last accepted pair: kept and read again; with every single operation failing, and with the process
 * ending right before every operation; torn, edited, and written by somebody else.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "between.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/file.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/system/last_good.h"

#define NETWORK "/etc/dockside/network-config.json"
#define FIREWALL "/etc/dockside/firewall-config.json"
#define DEAD 42 /* exit status of a child that ended on purpose */
#define OPERATIONS_MAX 20

struct fixture {
	char parent[40];
	char dir[48];
	char file[64], file_new[72];
};

static struct src src(const char *name, const char *text)
{
	return (struct src){ (char *)name, (char *)text, strlen(text) };
}

static struct last_good_pair old_pair(void)
{
	return (struct last_good_pair){ src(NETWORK, "{\"networks\": []} // old\n"),
					src(FIREWALL, "{}"), 1000 };
}

static struct last_good_pair new_pair(void)
{
	return (struct last_good_pair){ src(NETWORK, ""), src(FIREWALL, "{\"_\": \"new\"}\n"),
					2000 };
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	strcpy(f->parent, "/dev/shm/test_last_good.XXXXXX");
	if (!mkdtemp(f->parent)) {
		strcpy(f->parent, "/tmp/test_last_good.XXXXXX");
		assert_non_null(mkdtemp(f->parent));
	}
	snprintf(f->dir, sizeof(f->dir), "%s/state", f->parent);
	snprintf(f->file, sizeof(f->file), "%s/" LAST_GOOD_FILE, f->dir);
	snprintf(f->file_new, sizeof(f->file_new), "%s.new", f->file);
	*state = f;
	return 0;
}

static void clear(const struct fixture *f)
{
	unlink(f->file);
	unlink(f->file_new);
	if (rmdir(f->dir) < 0)
		unlink(f->dir);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	clear(f);
	assert_int_equal(rmdir(f->parent), 0);
	free(f);
	return 0;
}

static int keep(const struct fixture *f, struct last_good_pair pair, const struct disk_hook *hook,
		struct err *err)
{
	struct last_good state = { .dir.hook = hook };
	int r = last_good_open(&state, f->dir, err);

	if (r >= 0)
		r = last_good_keep(&state, &pair, err);
	last_good_close(&state);
	return r;
}

static int load(const struct fixture *f, struct last_good_pair *ret_pair, struct err *err)
{
	struct last_good state = { 0 };
	int r = last_good_open(&state, f->dir, err);

	if (r >= 0)
		r = last_good_read(&state, NETWORK, FIREWALL, ret_pair, err);
	last_good_close(&state);
	return r;
}

static bool is(const struct last_good_pair *a, struct last_good_pair b)
{
	return strcmp(a->network.text, b.network.text) == 0 && a->network.len == b.network.len &&
	       strcmp(a->firewall.text, b.firewall.text) == 0 &&
	       a->firewall.len == b.firewall.len && a->at_s == b.at_s;
}

static void assert_kept(const struct fixture *f, struct last_good_pair expected)
{
	struct last_good_pair pair;
	struct err err = { 0 };

	if (load(f, &pair, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(is(&pair, expected));
	assert_string_equal(pair.network.name, NETWORK);
	assert_string_equal(pair.firewall.name, FIREWALL);
	last_good_pair_free(&pair);
}

static void assert_refused(const struct fixture *f, int r, const char *words)
{
	struct last_good_pair pair;
	struct err err = { 0 };

	assert_int_equal(load(f, &pair, &err), r);
	if (!strstr(err.text, words))
		fail_msg("got \"%s\", wanted \"%s\"", err.text, words);
	err_free(&err);
}

static void put_file(const char *path, const char *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

/* ---- the good case ---- */

static void test_keep(void **state)
{
	const struct fixture *f = *state;
	struct stat st;

	clear(f);
	assert_refused(f, -ENOENT, "there is no ");
	assert_int_equal(keep(f, old_pair(), NULL, NULL), 0);
	assert_kept(f, old_pair());
	assert_int_equal(stat(f->dir, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(keep(f, new_pair(), NULL, NULL), 0);
	assert_kept(f, new_pair());
	assert_int_equal(access(f->file_new, F_OK), -1);
}

/* The same pair is not written again, unless somebody has touched the file or taken the directory. */
static void test_again(void **state)
{
	const struct fixture *f = *state;
	struct last_good_pair pair = old_pair();
	struct last_good s = { 0 };
	struct stat before, after;

	clear(f);
	assert_int_equal(last_good_open(&s, f->dir, NULL), 0);
	assert_int_equal(last_good_keep(&s, &pair, NULL), 0);
	assert_int_equal(stat(f->file, &before), 0);
	pair.at_s++; /* as it was accepted again */
	assert_int_equal(last_good_keep(&s, &pair, NULL), 0);
	assert_int_equal(stat(f->file, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	put_file(f->file, "x", 1);
	assert_int_equal(last_good_keep(&s, &pair, NULL), 0);
	clear(f);
	assert_int_equal(last_good_keep(&s, &pair, NULL), 0);
	last_good_close(&s);
	assert_kept(f, pair);
}

/* ---- bad luck ---- */

struct trap {
	int at, n, code; /* code 0: the process ends */
};

static int spring(void *data, const char *operation)
{
	struct trap *trap = data;

	(void)operation;
	if (trap->n++ != trap->at)
		return 0;
	if (trap->code == 0)
		_exit(DEAD);
	return trap->code;
}

/* One after the other fails: the old pair is still there, or the new one where the failure is that of the
 * last flush; and the next try works. */
static void test_failures(void **state)
{
	const struct fixture *f = *state;
	int at = 0;

	for (; at < OPERATIONS_MAX; at++) {
		struct trap trap = { .at = at, .code = ENOSPC };
		struct disk_hook hook = { spring, &trap };
		struct last_good_pair pair;
		struct err err = { 0 };

		clear(f);
		assert_int_equal(keep(f, old_pair(), NULL, NULL), 0);
		if (keep(f, new_pair(), &hook, &err) == 0)
			break;
		assert_non_null(strstr(err.text, "No space left on device"));
		assert_int_equal(access(f->file_new, F_OK), -1);
		assert_int_equal(load(f, &pair, NULL), 0);
		assert_true(is(&pair, old_pair()) || is(&pair, new_pair()));
		last_good_pair_free(&pair);
		assert_int_equal(keep(f, new_pair(), NULL, NULL), 0);
		assert_kept(f, new_pair());
		err_free(&err);
	}
	assert_between(at, 5, OPERATIONS_MAX - 1);
}

static bool dies_keeping(const struct fixture *f, int at)
{
	struct trap trap = { .at = at };
	struct disk_hook hook = { spring, &trap };
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		keep(f, new_pair(), &hook, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == DEAD;
}

static void test_deaths(void **state)
{
	const struct fixture *f = *state;
	int at = 0;

	for (; at < OPERATIONS_MAX; at++) {
		struct last_good_pair pair;

		clear(f);
		assert_int_equal(keep(f, old_pair(), NULL, NULL), 0);
		if (!dies_keeping(f, at))
			break;
		assert_int_equal(load(f, &pair, NULL), 0);
		assert_true(is(&pair, old_pair()) || is(&pair, new_pair()));
		last_good_pair_free(&pair);
		/* Nor is what it has left in anybody's way. */
		assert_int_equal(keep(f, new_pair(), NULL, NULL), 0);
		assert_kept(f, new_pair());
		/* The first pair of all: there is none, or that one. */
		clear(f);
		assert_true(dies_keeping(f, at));
		if (load(f, &pair, NULL) == 0) {
			assert_true(is(&pair, new_pair()));
			last_good_pair_free(&pair);
		}
	}
	assert_between(at, 5, OPERATIONS_MAX - 1);
}

/* A write that fails half-way, as on a full disk. */
static void test_disk_full(void **state)
{
	const struct fixture *f = *state;
	int status;
	pid_t pid;

	clear(f);
	assert_int_equal(keep(f, old_pair(), NULL, NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit limit = { 64, 64 };

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(keep(f, new_pair(), NULL, NULL) == -EFBIG ? DEAD : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), DEAD);
	assert_kept(f, old_pair());
	assert_int_equal(access(f->file_new, F_OK), -1);
}

/* ---- what is not used ---- */

static void test_damaged(void **state)
{
	const struct fixture *f = *state;
	char *text;
	size_t len;

	clear(f);
	assert_int_equal(keep(f, new_pair(), NULL, NULL), 0);
	assert_int_equal(read_file(f->file, 4096, &text, &len, NULL), 0);
	for (size_t cut = 0; cut < len; cut++) {
		put_file(f->file, text, cut);
		assert_refused(f, -EBADMSG, "is not as it was written");
	}
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		put_file(f->file, text, len);
		assert_refused(f, -EBADMSG, "is not as it was written");
		text[i] ^= 1;
	}
	text = xreallocarray(text, len + 1, 1);
	text[len] = '\n';
	put_file(f->file, text, len + 1);
	assert_refused(f, -EBADMSG, "is not as it was written");
	put_file(f->file, text, len);
	assert_kept(f, new_pair());
	free(text);
}

/* The checksum is right, the rest is not. */
static void test_malformed(void **state)
{
	static const char *const bodies[] = {
		"",
		"accepted 1\n",
		"accepted -1\nnetwork-config 0 /n\nfirewall-config 0 /f\n",
		"accepted 1\nnetwork-config 1 /n\nfirewall-config 0 /f\n",
		"accepted 1\nnetwork-config 0 /n\nfirewall-config 0 /f\nx",
		"accepted 1\nnetwork-config 18446744073709551615 /n\nfirewall-config 2 /f\nx",
		"accepted 1\nnetwork-config 99999999 /n\nfirewall-config 0 /f\n",
	};
	const struct fixture *f = *state;

	clear(f);
	assert_int_equal(keep(f, old_pair(), NULL, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		cleanup(cleanup_free) char *text = NULL;
		char checksum[17];

		hex_format(checksum, hash64(HASH_SEED, bodies[i], strlen(bodies[i])), 16);
		text = xasprintf("dsfw-nft last-good 1\nchecksum %s\n%s", checksum, bodies[i]);
		put_file(f->file, text, strlen(text));
		assert_refused(f, -EBADMSG, "is not as it was written");
	}
}

static void test_other_files(void **state)
{
	const struct fixture *f = *state;
	struct last_good_pair pair = new_pair();

	clear(f);
	pair.firewall.name = (char *)"/etc/other.json";
	assert_int_equal(keep(f, pair, NULL, NULL), 0);
	assert_refused(f, -EXDEV, "it is of other files, " NETWORK " and /etc/other.json");
	pair.firewall.name = (char *)"/etc/two\nlines.json";
	assert_int_equal(keep(f, pair, NULL, NULL), -EINVAL);
}

static void test_not_ours(void **state)
{
	const struct fixture *f = *state;
	char elsewhere[64];

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", f->parent);
	clear(f);
	assert_int_equal(keep(f, old_pair(), NULL, NULL), 0);
	/* A symbolic link, a fifo or a directory in the file's place. */
	assert_int_equal(rename(f->file, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, f->file), 0);
	assert_refused(f, -EPERM, "is a symbolic link: it is not used");
	/* Writing replaces the link, not what it leads to; also one in the way of the new file. */
	assert_int_equal(symlink(elsewhere, f->file_new), 0);
	assert_int_equal(keep(f, new_pair(), NULL, NULL), 0);
	assert_kept(f, new_pair());
	unlink(f->file);
	assert_int_equal(rename(elsewhere, f->file), 0);
	assert_kept(f, old_pair());
	unlink(f->file);
	assert_int_equal(mkfifo(f->file, 0600), 0);
	assert_refused(f, -EPERM, "is not a regular file");
	unlink(f->file);
	assert_int_equal(keep(f, old_pair(), NULL, NULL), 0);
	/* Others can write. */
	assert_int_equal(chmod(f->file, 0620), 0);
	assert_refused(f, -EPERM, "others than its owner can write to ");
	assert_int_equal(chmod(f->file, 0600), 0);
	assert_int_equal(chmod(f->dir, 0777), 0);
	assert_refused(f, -EPERM, "others than its owner can write to the state directory ");
	assert_int_equal(keep(f, new_pair(), NULL, NULL), -EPERM);
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_kept(f, old_pair());
	if (getuid() == 0) {
		assert_int_equal(chown(f->file, 1234, 0), 0);
		assert_refused(f, -EPERM, "belongs to uid 1234, not to uid 0: it is not used");
		assert_int_equal(chown(f->file, 0, 0), 0);
		assert_int_equal(chown(f->dir, 1234, 0), 0);
		assert_refused(f, -EPERM, "belongs to uid 1234, not to uid 0: it is not used");
	}
	/* The directory itself. */
	assert_int_equal(rename(f->dir, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, f->dir), 0);
	assert_refused(f, -ELOOP, "is a symbolic link: it is not used");
	unlink(f->dir);
	assert_int_equal(rename(elsewhere, f->dir), 0);
	clear(f);
	put_file(f->dir, "x", 1);
	assert_refused(f, -ENOTDIR, "Not a directory");
	clear(f);
}

static void test_two_daemons(void **state)
{
	const struct fixture *f = *state;
	struct last_good_pair pair = old_pair();
	struct last_good first = { 0 };

	clear(f);
	assert_int_equal(last_good_open(&first, f->dir, NULL), 0);
	assert_refused(f, -EBUSY, "another daemon uses the state directory ");
	assert_int_equal(keep(f, new_pair(), NULL, NULL), -EBUSY);
	assert_int_equal(last_good_keep(&first, &pair, NULL), 0);
	last_good_close(&first);
	assert_kept(f, old_pair());
}

static void test_no_parent(void **state)
{
	struct fixture f = *(const struct fixture *)*state;

	clear(&f);
	strcat(f.dir, "/no");
	assert_refused(&f, -ENOENT, "make the state directory ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep),	  cmocka_unit_test(test_again),
		cmocka_unit_test(test_failures),  cmocka_unit_test(test_deaths),
		cmocka_unit_test(test_disk_full), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_not_ours),  cmocka_unit_test(test_two_daemons),
		cmocka_unit_test(test_no_parent),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
