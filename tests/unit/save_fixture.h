/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two files in a directory of their own, to be saved and recovered. */
#ifndef SAVE_FIXTURE_H
#define SAVE_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

struct fixture {
	char dir[32];
	char network[64], firewall[80];
};

static inline void put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static inline char *text_of(const char *path)
{
	char *text = NULL;
	size_t len;

	if (read_file(path, JSON_SIZE_MAX, &text, &len, NULL) < 0)
		return xstrdup("(missing)");
	return text;
}

static inline void assert_text(const char *path, const char *expected)
{
	cleanup(cleanup_free) char *text = text_of(path);

	assert_string_equal(text, expected);
}

static inline void assert_sibling(const char *path, const char *suffix, const char *expected)
{
	cleanup(cleanup_free) char *sibling = xasprintf("%s%s", path, suffix);

	assert_text(sibling, expected);
}

/* Removes the directory with all that is in it; returns the number of files. */
static inline size_t remove_tree(const char *path)
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

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	remove_tree(f->dir);
	free(f);
	return 0;
}

static inline void reset(struct fixture *f)
{
	remove_tree(f->dir);
	assert_int_equal(mkdir(f->dir, 0700), 0);
	*strrchr(f->firewall, '/') = '\0';
	assert_int_equal(mkdir(f->firewall, 0700), 0);
	f->firewall[strlen(f->firewall)] = '/';
	put_file(f->network, OLD_NETWORK, 0640);
	put_file(f->firewall, OLD_FIREWALL, 0604);
}

static inline int save_files(const struct save_file files[SAVE_FILES], const struct disk_hook *hook,
			     struct err *err)
{
	struct save *save;
	int r = save_prepare(files, hook, &save, err);

	return r < 0 ? r : save_commit(save, err);
}

static inline int save(const struct fixture *f, const struct disk_hook *hook, struct err *err)
{
	const struct save_file files[SAVE_FILES] = {
		[SAVE_NETWORK] = { f->network, NEW_NETWORK, OLD_NETWORK },
		[SAVE_FIREWALL] = { f->firewall, NEW_FIREWALL, OLD_FIREWALL },
	};

	return save_files(files, hook, err);
}

static inline enum save_recovery recover(const struct fixture *f)
{
	enum save_recovery recovery;
	struct err err = { 0 };

	if (save_recover(f->network, f->firewall, NULL, &recovery, &err) < 0)
		fail_msg("%s", err.text);
	return recovery;
}

/* Both or neither, modes kept, and nothing else left in the directories. */
static inline bool assert_pair(struct fixture *f)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
