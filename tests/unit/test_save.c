/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saving both files: in the good case, refused, and cancelled. */
#include "save_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

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

/* Somebody has edited one of the files: the other one is not written, as nobody has checked it with the edited one. */
static void test_other_edited_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct save_file files[SAVE_FILES] = {
		[SAVE_NETWORK] = { f->network, NULL, OLD_NETWORK },
		[SAVE_FIREWALL] = { f->firewall, NEW_FIREWALL, OLD_FIREWALL },
	};
	struct err err = { 0 };

	reset(f);
	put_file(f->network, "{\"_\": \"an edit that nobody has loaded\"}\n", 0640);
	assert_int_equal(save_files(files, NULL, &err), -ESTALE);
	assert_non_null(strstr(err.text, "n.json has been changed since it was read"));
	assert_text(f->firewall, OLD_FIREWALL);
	err_free(&err);
	unlink(f->network);
	assert_int_equal(save_files(files, NULL, NULL), -ESTALE);
	assert_text(f->firewall, OLD_FIREWALL);
	put_file(f->network, OLD_NETWORK, 0640);
	assert_int_equal(save_files(files, NULL, NULL), 0);
	assert_text(f->firewall, NEW_FIREWALL);
	assert_text(f->network, OLD_NETWORK);
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

/* ---- no save at all ---- */

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
	files[SAVE_FIREWALL].old_text = OLD_FIREWALL;
	assert_int_equal(save_prepare(files, NULL, &prepared, NULL), 0);
	save_cancel(prepared);
	assert_false(assert_pair(f));
}

/* A missing directory is for the reader of the files to report, unless a save was under way. */
static void test_no_directory(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *missing = xasprintf("%s/missing/firewall.json", f->dir);
	cleanup(cleanup_free) char *marker = xasprintf("%s.dsfw-commit", f->network);
	enum save_recovery recovery = SAVE_UNDONE;
	struct err err = { 0 };

	reset(f);
	assert_int_equal(save_recover(f->network, missing, NULL, &recovery, &err), 0);
	assert_int_equal(recovery, SAVE_CLEAN);
	assert_int_equal(save_recover(missing, f->firewall, NULL, &recovery, &err), 0);
	assert_null(err.text);
	put_file(marker, "", 0600);
	assert_int_equal(save_recover(f->network, missing, NULL, &recovery, &err), -ENOENT);
	assert_non_null(strstr(err.text, "directory of"));
	err_free(&err);
	assert_int_equal(remove_tree(f->dir), 3);
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
	const struct CMUnitTest tests[] = {
		TEST(test_save),
		TEST(test_unchanged),
		TEST(test_orig),
		TEST(test_symlinks),
		TEST(test_new_files),
		TEST(test_owner),
		TEST(test_edited_meanwhile),
		TEST(test_other_edited_meanwhile),
		TEST(test_bad_names),
		TEST(test_disk_full),
		TEST(test_cancelled),
		TEST(test_no_directory),
		TEST(test_torn_marker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
