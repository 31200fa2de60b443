/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving both files: in the good case, with every single operation failing, and with the process
 * ending right before every operation, then again during the recovery from that.
 */
#include <dirent.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dockside/base/err.h"
#include "dockside/base/file.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "dockside/system/save.h"

#define OLD_NETWORK "{\"networks\": []} // mine\n"
#define OLD_FIREWALL "{\"_url\": \"http://x/*\"}\n"
#define NEW_NETWORK "{\"networks\": [1]}\n"
#define NEW_FIREWALL "{}\n"
#define DEAD 42 /* exit status of a child that ended on purpose */
#define OPERATIONS_MAX 100

struct fixture {
	char dir[32];
	char network[64], firewall[80];
};

static void put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static char *text_of(const char *path)
{
	char *text = NULL;
	size_t len;

	if (read_file(path, JSON_SIZE_MAX, &text, &len, NULL) < 0)
		return xstrdup("(missing)");
	return text;
}

static void assert_text(const char *path, const char *expected)
{
	cleanup(cleanup_free) char *text = text_of(path);

	assert_string_equal(text, expected);
}

static void assert_sibling(const char *path, const char *suffix, const char *expected)
{
	cleanup(cleanup_free) char *sibling = xasprintf("%s%s", path, suffix);

	assert_text(sibling, expected);
}

/* Removes the directory with all that is in it; returns the number of files. */
static size_t remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	while (dir && (entry = readdir(dir))) {
		cleanup(cleanup_free) char *name = xasprintf("%s/%s", path, entry->d_name);

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlink(name) == 0)
			n++;
		else
			n += remove_tree(name);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
	return n;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	char sub[64];

	/* Thousands of flushes: in memory, if there is a place. */
	strcpy(f->dir, "/dev/shm/test_save.XXXXXX");
	if (!mkdtemp(f->dir)) {
		strcpy(f->dir, "/tmp/test_save.XXXXXX");
		assert_non_null(mkdtemp(f->dir));
	}
	snprintf(sub, sizeof(sub), "%s/sub", f->dir);
	assert_int_equal(mkdir(sub, 0700), 0);
	snprintf(f->network, sizeof(f->network), "%s/n.json", f->dir);
	snprintf(f->firewall, sizeof(f->firewall), "%s/sub/f.json", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	remove_tree(f->dir);
	free(f);
	return 0;
}

static void reset(struct fixture *f)
{
	remove_tree(f->dir);
	assert_int_equal(mkdir(f->dir, 0700), 0);
	*strrchr(f->firewall, '/') = '\0';
	assert_int_equal(mkdir(f->firewall, 0700), 0);
	f->firewall[strlen(f->firewall)] = '/';
	put_file(f->network, OLD_NETWORK, 0640);
	put_file(f->firewall, OLD_FIREWALL, 0604);
}

static int save_files(const struct save_file files[SAVE_FILES], const struct disk_hook *hook,
		      struct err *err)
{
	struct save *save;
	int r = save_prepare(files, hook, &save, err);

	return r < 0 ? r : save_commit(save, err);
}

static int save(const struct fixture *f, const struct disk_hook *hook, struct err *err)
{
	const struct save_file files[SAVE_FILES] = {
		[SAVE_NETWORK] = { f->network, NEW_NETWORK, OLD_NETWORK },
		[SAVE_FIREWALL] = { f->firewall, NEW_FIREWALL, OLD_FIREWALL },
	};

	return save_files(files, hook, err);
}

static enum save_recovery recover(const struct fixture *f)
{
	enum save_recovery recovery;
	struct err err = { 0 };

	if (save_recover(f->network, f->firewall, NULL, &recovery, &err) < 0)
		fail_msg("%s", err.text);
	return recovery;
}

/* Both or neither, modes kept, and nothing else left in the directories. */
static bool assert_pair(struct fixture *f)
{
	cleanup(cleanup_free) char *network = text_of(f->network);
	bool new = strcmp(network, NEW_NETWORK) == 0;
	struct stat st;

	assert_text(f->network, new ? NEW_NETWORK : OLD_NETWORK);
	assert_text(f->firewall, new ? NEW_FIREWALL : OLD_FIREWALL);
	assert_int_equal(stat(f->network, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(stat(f->firewall, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0604);
	assert_sibling(f->network, ".orig", new ? OLD_NETWORK : "(missing)");
	assert_sibling(f->firewall, ".orig", new ? OLD_FIREWALL : "(missing)");
	assert_int_equal(remove_tree(f->dir), new ? 4 : 2);
	return new;
}

/* ---- the good case ---- */

static void test_save(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	reset(f);
	assert_int_equal(save(f, NULL, &err), 0);
	assert_int_equal(recover(f), SAVE_CLEAN);
	assert_true(assert_pair(f));
}

static void test_unchanged(void **state)
{
	struct fixture *f = *state;
	struct save_file files[SAVE_FILES] = {
		[SAVE_NETWORK] = { f->network, NULL, NULL },
		[SAVE_FIREWALL] = { f->firewall, OLD_FIREWALL, NULL },
	};
	struct stat before, after;

	reset(f);
	assert_int_equal(stat(f->firewall, &before), 0);
	assert_int_equal(save_files(files, NULL, NULL), 0);
	assert_int_equal(stat(f->firewall, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	/* One of them only. */
	files[SAVE_FIREWALL].text = NEW_FIREWALL;
	assert_int_equal(save_files(files, NULL, NULL), 0);
	assert_text(f->firewall, NEW_FIREWALL);
	assert_text(f->network, OLD_NETWORK);
	assert_sibling(f->firewall, ".orig", OLD_FIREWALL);
	assert_int_equal(remove_tree(f->dir), 3);
}

static void test_orig(void **state)
{
	struct fixture *f = *state;
	struct save_file files[SAVE_FILES] = {
		[SAVE_NETWORK] = { f->network, "[1] /* new */", NULL },
		[SAVE_FIREWALL] = { f->firewall, NULL, NULL },
	};

	reset(f);
	assert_int_equal(save_files(files, NULL, NULL), 0);
	assert_sibling(f->network, ".orig", OLD_NETWORK);
	files[SAVE_NETWORK].text = "[2]";
	assert_int_equal(save_files(files, NULL, NULL), 0);
	assert_text(f->network, "[2]");
	assert_sibling(f->network, ".orig", OLD_NETWORK);
	assert_int_equal(remove_tree(f->dir), 3);
}

static void test_symlinks(void **state)
{
	struct fixture *f = *state;
	char link_path[96], dangling[96];
	struct fixture through;
	struct stat st;

	reset(f);
	through = *f;
	snprintf(link_path, sizeof(link_path), "%s/link", f->dir);
	assert_int_equal(symlink("sub/f.json", link_path), 0);
	snprintf(through.firewall, sizeof(through.firewall), "%s/link", f->dir);
	assert_int_equal(save(&through, NULL, NULL), 0);
	assert_text(f->firewall, NEW_FIREWALL);
	assert_int_equal(lstat(link_path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlink(link_path), 0);
	assert_true(assert_pair(f));

	reset(f);
	snprintf(dangling, sizeof(dangling), "%s/nowhere", f->dir);
	assert_int_equal(symlink(dangling, link_path), 0);
	assert_int_equal(save(&through, NULL, NULL), -ENOENT);
	assert_text(f->network, OLD_NETWORK);
}

static void test_new_files(void **state)
{
	struct fixture *f = *state;
	const struct save_file files[SAVE_FILES] = {
		[SAVE_NETWORK] = { f->network, NEW_NETWORK, NULL },
		[SAVE_FIREWALL] = { f->firewall, NEW_FIREWALL, NULL },
	};
	struct stat st;

	reset(f);
	unlink(f->network);
	unlink(f->firewall);
	assert_int_equal(save_files(files, NULL, NULL), 0);
	assert_text(f->network, NEW_NETWORK);
	assert_int_equal(stat(f->firewall, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(remove_tree(f->dir), 2);
}

static void test_owner(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	if (getuid() != 0)
		skip();
	reset(f);
	assert_int_equal(chown(f->network, 1234, 2345), 0);
	assert_int_equal(chmod(f->network, 0640), 0);
	assert_int_equal(save(f, NULL, NULL), 0);
	assert_int_equal(stat(f->network, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 2345);
	assert_true(assert_pair(f));
}

/* ---- refusals ---- */

static void test_edited_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	reset(f);
	put_file(f->firewall, "{\"_\": \"an edit that nobody has loaded\"}\n", 0604);
	assert_int_equal(save(f, NULL, &err), -ESTALE);
	assert_non_null(strstr(err.text, "f.json has been changed since it was read"));
	assert_text(f->network, OLD_NETWORK);
	err_free(&err);
	unlink(f->firewall);
	assert_int_equal(save(f, NULL, NULL), -ESTALE);
	assert_int_equal(remove_tree(f->dir), 1);
}

static void test_bad_names(void **state)
{
	struct fixture *f = *state;
	struct fixture same = *f, sibling = *f, none = *f;

	reset(f);
	strcpy(same.firewall, f->network);
	assert_int_equal(save(&same, NULL, NULL), -EINVAL);
	snprintf(sibling.firewall, sizeof(sibling.firewall), "%s.orig", f->network);
	assert_int_equal(save(&sibling, NULL, NULL), -EINVAL);
	snprintf(none.firewall, sizeof(none.firewall), "%s/none/f.json", f->dir);
	assert_int_equal(save(&none, NULL, NULL), -ENOENT);
	strcpy(none.firewall, f->dir);
	assert_int_equal(save(&none, NULL, NULL), -EISDIR);
	assert_int_equal(remove_tree(f->dir), 2);
}

/* A write that fails half-way, as on a full disk. */
static void test_disk_full(void **state)
{
	struct fixture *f = *state;
	pid_t pid;
	int status;

	reset(f);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit limit = { 10, 10 };

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(save(f, NULL, NULL) == -EFBIG ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(assert_pair(f));
}

/* ---- every operation ---- */

/* Lets operation number `at` fail, or the process end before it; 0: neither. */
struct accident {
	int n, fail_at, fail_code, die_at;
};

static int count_operations(void *data, const char *operation)
{
	struct accident *a = data;

	(void)operation;
	a->n++;
	if (a->n == a->die_at)
		_exit(DEAD);
	return a->n == a->fail_at ? a->fail_code : 0;
}

static int operations_of_save(struct fixture *f)
{
	struct accident a = { 0 };
	struct disk_hook hook = { count_operations, &a };

	reset(f);
	assert_int_equal(save(f, &hook, NULL), 0);
	assert_true(a.n > 15 && a.n < OPERATIONS_MAX);
	return a.n;
}

static void test_failures(void **state)
{
	static const int codes[] = { EIO, ENOSPC, EPERM };
	struct fixture *f = *state;
	int n = operations_of_save(f), n_saved = 0;

	for (int at = 1; at <= n; at++) {
		for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
			struct accident a = { .fail_at = at, .fail_code = codes[i] };
			struct disk_hook hook = { count_operations, &a };
			struct err err = { 0 };
			int r;

			reset(f);
			r = save(f, &hook, &err);
			assert_int_equal(r < 0, err.text != NULL);
			err_free(&err);
			/* recover() tidies up all that a successful save leaves. */
			if (r == 0)
				recover(f);
			else
				assert_int_equal(recover(f), SAVE_CLEAN);
			assert_int_equal(assert_pair(f), r == 0);
			n_saved += r == 0;
		}
	}
	assert_true(n_saved > 3 && n_saved < n);
}

/* Runs a save, or a recovery, in a child; returns whether it came to its end. */
static bool in_child(const struct fixture *f, bool saving, struct accident a)
{
	struct disk_hook hook = { count_operations, &a };
	enum save_recovery recovery;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (saving)
			save(f, &hook, NULL);
		else
			save_recover(f->network, f->firewall, &hook, &recovery, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == DEAD);
	return WEXITSTATUS(status) == 0;
}

static void test_deaths(void **state)
{
	struct fixture *f = *state;
	int n = operations_of_save(f), n_new = 0;
	bool was_new = false;

	for (int at = 1; at <= n; at++) {
		bool new;

		reset(f);
		assert_false(in_child(f, true, (struct accident){ .die_at = at }));
		recover(f);
		assert_int_equal(recover(f), SAVE_CLEAN);
		new = assert_pair(f);
		/* There is one point where it turns. */
		assert_true(new || !was_new);
		was_new = new;
		n_new += new;
	}
	assert_true(n_new > 3 && n_new < n - 3);
}

static bool saved_firewall(const struct fixture *f)
{
	cleanup(cleanup_free) char *text = text_of(f->firewall);

	return strcmp(text, NEW_FIREWALL) == 0;
}

/* The next save repairs too. */
static void test_save_after_death(void **state)
{
	struct fixture *f = *state;
	int n = operations_of_save(f), pending = 0;

	for (int at = 1; at <= n; at++) {
		const struct save_file files[SAVE_FILES] = {
			[SAVE_NETWORK] = { f->network, "[3]", NULL },
			[SAVE_FIREWALL] = { f->firewall, NULL, NULL },
		};
		bool finished;

		reset(f);
		assert_false(in_child(f, true, (struct accident){ .die_at = at }));
		pending += save_pending(f->network, f->firewall);
		assert_int_equal(save_files(files, NULL, NULL), 0);
		assert_false(save_pending(f->network, f->firewall));
		assert_text(f->network, "[3]");
		assert_sibling(f->network, ".orig", OLD_NETWORK);
		finished = saved_firewall(f);
		assert_sibling(f->firewall, ".orig", finished ? OLD_FIREWALL : "(missing)");
		assert_int_equal(remove_tree(f->dir), finished ? 4 : 3);
	}
	assert_true(pending > n / 2);
}

/* Dies in the save, again in each step of the recovery, and then recovers. */
static void test_deaths_while_recovering(void **state)
{
	struct fixture *f = *state;
	int n = operations_of_save(f);

	for (int at = 1; at <= n; at++) {
		bool complete = false;

		for (int again = 1; !complete; again++) {
			assert_true(again < OPERATIONS_MAX);
			reset(f);
			in_child(f, true, (struct accident){ .die_at = at });
			complete = in_child(f, false, (struct accident){ .die_at = again });
			recover(f);
			assert_pair(f);
		}
	}
}

/* One operation of the save fails, and the process dies while that is being undone. */
static void test_deaths_while_undoing(void **state)
{
	struct fixture *f = *state;
	int n = operations_of_save(f);

	for (int at = 1; at <= n; at++) {
		bool complete = false;

		for (int die = at + 1; !complete; die++) {
			struct accident a = { .fail_at = at, .fail_code = EIO, .die_at = die };

			assert_true(die < OPERATIONS_MAX);
			reset(f);
			complete = in_child(f, true, a);
			recover(f);
			assert_pair(f);
		}
	}
}

/* A caller can cancel a prepared save, and a save that cannot be prepared leaves nothing. */
static void test_cancelled(void **state)
{
	struct fixture *f = *state;
	struct save_file files[SAVE_FILES] = {
		[SAVE_NETWORK] = { f->network, NEW_NETWORK, OLD_NETWORK },
		[SAVE_FIREWALL] = { f->firewall, NEW_FIREWALL, OLD_FIREWALL },
	};
	struct save *prepared = NULL;

	reset(f);
	assert_int_equal(save_prepare(files, NULL, &prepared, NULL), 0);
	assert_text(f->network, OLD_NETWORK);
	save_cancel(prepared);
	assert_false(assert_pair(f));
	reset(f);
	files[SAVE_FIREWALL].old_text = "another";
	assert_true(save_prepare(files, NULL, &prepared, NULL) < 0);
	assert_false(assert_pair(f));
	reset(f);
	files[SAVE_NETWORK].text = files[SAVE_FIREWALL].text = NULL;
	assert_int_equal(save_prepare(files, NULL, &prepared, NULL), 0);
	save_cancel(prepared);
	assert_false(assert_pair(f));
}

/* Files that happen to lie about are not mistaken for a save. */
static void test_torn_marker(void **state)
{
	static const char *const markers[] = { "", "dsfw-nft save 1\n", "dsfw-nft save 1\n/x\n/y\n",
					       "dsfw-nft save 1\nx\n\nend\n",
					       "dsfw-nft save 1\n\n\nend\nmore" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(markers); i++) {
		cleanup(cleanup_free) char *marker = NULL, *staged = NULL;

		reset(f);
		marker = xasprintf("%s.dsfw-commit", f->network);
		staged = xasprintf("%s.dsfw-new", f->firewall);
		put_file(marker, markers[i], 0600);
		put_file(staged, NEW_FIREWALL, 0600);
		assert_int_equal(recover(f), SAVE_UNDONE);
		assert_false(assert_pair(f));
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_save),
		TEST(test_unchanged),
		TEST(test_orig),
		TEST(test_symlinks),
		TEST(test_new_files),
		TEST(test_owner),
		TEST(test_edited_meanwhile),
		TEST(test_bad_names),
		TEST(test_disk_full),
		TEST(test_failures),
		TEST(test_deaths),
		TEST(test_save_after_death),
		TEST(test_deaths_while_recovering),
		TEST(test_deaths_while_undoing),
		TEST(test_cancelled),
		TEST(test_torn_marker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
