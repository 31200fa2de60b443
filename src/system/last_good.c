/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. Both texts are in one file, so that no half of a pair can be there:
 *
 *	dsfw-nft last-good 1
 *	checksum 0123456789abcdef            of all that follows this line
 *	accepted 1795900000                  seconds since 1970
 *	network-config 123 /etc/dockside/network-config.json
 *	firewall-config 456 /etc/dockside/firewall-config.json
 *
 * and then 123 bytes of the one and 456 bytes of the other. A new pair is written to a file beside it,
 * flushed, and renamed over the old one. The checksum tells a torn or edited file from what we wrote; root
 * alone can write there, so it need not withstand forgery.
 */
#include "dockside/system/last_good.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"

#define HEAD "dsfw-nft last-good 1\n"
#define FILE_NEW LAST_GOOD_FILE ".new"
#define PATH_SIZE_MAX 4096
#define SIZE_MAX_ALL (2 * (size_t)JSON_SIZE_MAX + 4 * (size_t)PATH_SIZE_MAX)
#define CHECKSUM_DIGITS 16

/* Of a system call. */
static int result(int r)
{
	return r < 0 ? -errno : 0;
}

/* ---- the directory ---- */

/* Whether somebody else could have written what is there. */
static int check_owner(const struct stat *st, const char *what, struct err *err)
{
	if (st->st_uid != geteuid())
		return err_set(err, EPERM,
			       "%s belongs to uid %u, not to uid %u: it is not used; chown it, or "
			       "remove it",
			       what, st->st_uid, geteuid());
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, EPERM,
			       "others than its owner can write to %s (mode %04o): it is not used; "
			       "chmod go-w it",
			       what, st->st_mode & 07777);
	return 0;
}

static int open_directory(const char *path, struct err *err)
{
	int made = mkdir(path, 0700), code = errno, fd;
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return err_set(
			err, ELOOP,
			"the state directory %s is a symbolic link: it is not used; give its "
			"target as STATE_DIRECTORY",
			path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && made < 0)
		return err_errno(err, code, "make the state directory %s", path);
	return fd < 0 ? err_errno(err, errno, "open the state directory %s", path) : fd;
}

static int check_and_lock(int fd, const char *path, struct err *err)
{
	cleanup(cleanup_free) char *what = xasprintf("the state directory %s", path);
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "%s", what);
	r = check_owner(&st, what, err);
	if (r < 0)
		return r;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(err, EBUSY,
			       "another daemon uses %s: give each its own as STATE_DIRECTORY",
			       what);
	return err_errno(err, errno, "lock %s", what);
}

static void forget_directory(struct last_good *state)
{
	if (state->opened)
		close(state->fd);
	state->opened = false;
	state->has_kept = false;
}

/* Also after somebody has removed it. */
static int ensure_directory(struct last_good *state, struct err *err)
{
	struct stat st;
	int fd, r;

	if (state->opened && fstat(state->fd, &st) == 0 && st.st_nlink > 0)
		return 0;
	forget_directory(state);
	fd = open_directory(state->directory, err);
	if (fd < 0)
		return fd;
	r = check_and_lock(fd, state->directory, err);
	if (r < 0) {
		close(fd);
		return r;
	}
	state->fd = fd;
	state->opened = true;
	return 0;
}

int last_good_open(struct last_good *state, const char *directory, struct err *err)
{
	free(state->directory);
	state->directory = xstrdup(directory);
	return ensure_directory(state, err);
}

void last_good_close(struct last_good *state)
{
	if (!state)
		return;
	forget_directory(state);
	free(state->directory);
	state->directory = NULL;
}

/* ---- writing ---- */

static uint64_t pair_hash(const struct last_good_pair *pair)
{
	const struct src *srcs[] = { &pair->network, &pair->firewall };
	uint64_t hash = HASH_SEED;

	for (size_t i = 0; i < ARRAY_SIZE(srcs); i++) {
		hash = hash64(hash, srcs[i]->name, strlen(srcs[i]->name) + 1);
		hash = hash64(hash, &srcs[i]->len, sizeof(srcs[i]->len));
		hash = hash64(hash, srcs[i]->text, srcs[i]->len);
	}
	return hash;
}

/* Nobody has touched the file since we wrote or read it. */
static bool is_there(const struct last_good *state, uint64_t hash)
{
	struct stat st;

	return state->has_kept && state->kept == hash &&
	       fstatat(state->fd, LAST_GOOD_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       disk_same_file(&st, &state->kept_st);
}

static void note_kept(struct last_good *state, uint64_t hash)
{
	state->kept = hash;
	state->has_kept =
		fstatat(state->fd, LAST_GOOD_FILE, &state->kept_st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void render(const struct last_good_pair *pair, struct buf *b)
{
	struct buf body = { 0 };
	char checksum[CHECKSUM_DIGITS + 1];

	buf_printf(&body, "accepted %" PRIu64 "\nnetwork-config %zu %s\nfirewall-config %zu %s\n",
		   pair->at_s, pair->network.len, pair->network.name, pair->firewall.len,
		   pair->firewall.name);
	buf_add(&body, pair->network.text, pair->network.len);
	buf_add(&body, pair->firewall.text, pair->firewall.len);
	hex_format(checksum, hash64(HASH_SEED, body.data, body.len), CHECKSUM_DIGITS);
	buf_printf(b, HEAD "checksum %s\n", checksum);
	buf_add(b, body.data, body.len);
	buf_free(&body);
}

/* A killed daemon, or somebody else, may have left something by that name: it goes. */
static int write_new(const struct last_good *state, const struct buf *text)
{
	cleanup(cleanup_close) int fd = -1;
	int r = disk_before(state->hook, "unlink");

	if (r >= 0)
		r = result(unlinkat(state->fd, FILE_NEW, 0));
	if (r == -ENOENT)
		r = 0;
	if (r >= 0)
		r = disk_before(state->hook, "create");
	if (r >= 0) {
		fd = openat(state->fd, FILE_NEW,
			    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = result(fd);
	}
	if (r >= 0)
		r = disk_before(state->hook, "write");
	if (r >= 0)
		r = disk_write_all(fd, text->data, text->len);
	if (r >= 0)
		r = disk_before(state->hook, "sync");
	return r < 0 ? r : result(fsync(fd));
}

/* A file system that cannot flush a directory says EINVAL. */
static int place(const struct last_good *state)
{
	int r = disk_before(state->hook, "rename");

	if (r >= 0)
		r = result(renameat(state->fd, FILE_NEW, state->fd, LAST_GOOD_FILE));
	if (r >= 0)
		r = disk_before(state->hook, "sync directory");
	if (r >= 0)
		r = result(fsync(state->fd));
	return r == -EINVAL ? 0 : r;
}

static bool can_be_kept(const struct last_good_pair *pair)
{
	const struct src *srcs[] = { &pair->network, &pair->firewall };

	for (size_t i = 0; i < ARRAY_SIZE(srcs); i++)
		if (srcs[i]->len > JSON_SIZE_MAX || strlen(srcs[i]->name) > PATH_SIZE_MAX ||
		    srcs[i]->name[0] == '\0' || strchr(srcs[i]->name, '\n'))
			return false;
	return true;
}

int last_good_keep(struct last_good *state, const struct last_good_pair *pair, struct err *err)
{
	uint64_t hash = pair_hash(pair);
	struct buf text = { 0 };
	int r = ensure_directory(state, err);

	if (r < 0)
		return r;
	if (!can_be_kept(pair))
		return err_set(err, EINVAL,
			       "the names of the files are too long or have a line feed");
	if (is_there(state, hash))
		return 0;
	state->has_kept = false;
	render(pair, &text);
	r = write_new(state, &text);
	if (r >= 0)
		r = place(state);
	buf_free(&text);
	if (r < 0) {
		unlinkat(state->fd, FILE_NEW, 0);
		return err_errno(err, -r, "write %s/" LAST_GOOD_FILE, state->directory);
	}
	note_kept(state, hash);
	return 0;
}

/* ---- reading ---- */

/* The rest of a file's text. */
struct rest {
	const char *s;
	size_t len;
};

static bool take(struct rest *rest, const char *word)
{
	size_t len = strlen(word);

	if (rest->len < len || memcmp(rest->s, word, len) != 0)
		return false;
	rest->s += len;
	rest->len -= len;
	return true;
}

/* Takes the text before the next such byte, and that byte. */
static bool take_until(struct rest *rest, char end, const char **ret_s, size_t *ret_len)
{
	const char *at = rest->len > 0 ? memchr(rest->s, end, rest->len) : NULL;

	if (!at)
		return false;
	*ret_s = rest->s;
	*ret_len = (size_t)(at - rest->s);
	rest->len -= *ret_len + 1;
	rest->s = at + 1;
	return true;
}

static bool take_number(struct rest *rest, char end, uint64_t max, uint64_t *ret_number)
{
	const char *s;
	size_t len;

	return take_until(rest, end, &s, &len) && parse_uint(s, len, 0, max, ret_number);
}

/* "network-config 123 /etc/…" */
static bool take_file(struct rest *rest, const char *what, struct src *src)
{
	const char *s;
	uint64_t size;
	size_t len;

	if (!take(rest, what) || !take_number(rest, ' ', JSON_SIZE_MAX, &size) ||
	    !take_until(rest, '\n', &s, &len) || len > PATH_SIZE_MAX)
		return false;
	src->name = xstrndup(s, len);
	src->len = (size_t)size;
	return true;
}

static bool take_text(struct rest *rest, struct src *src)
{
	if (rest->len < src->len)
		return false;
	src->text = xmalloc(src->len + 1);
	memcpy(src->text, rest->s, src->len);
	src->text[src->len] = '\0';
	rest->s += src->len;
	rest->len -= src->len;
	return true;
}

static bool parse(const struct buf *text, struct last_good_pair *pair)
{
	struct rest rest = { buf_str(text), text->len };
	char checksum[CHECKSUM_DIGITS + 1];
	const char *s;
	size_t len;

	if (!take(&rest, HEAD "checksum ") || !take_until(&rest, '\n', &s, &len))
		return false;
	hex_format(checksum, hash64(HASH_SEED, rest.s, rest.len), CHECKSUM_DIGITS);
	return len == CHECKSUM_DIGITS && memcmp(s, checksum, len) == 0 &&
	       take(&rest, "accepted ") && take_number(&rest, '\n', INT64_MAX, &pair->at_s) &&
	       take_file(&rest, "network-config ", &pair->network) &&
	       take_file(&rest, "firewall-config ", &pair->firewall) &&
	       take_text(&rest, &pair->network) && take_text(&rest, &pair->firewall) &&
	       rest.len == 0;
}

/* Up to SIZE_MAX_ALL + 1 bytes, so that a longer one is known as such. */
static int read_all(int fd, struct buf *b)
{
	char chunk[65536];

	while (b->len <= SIZE_MAX_ALL) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		buf_add(b, chunk, (size_t)n);
	}
	return -EFBIG;
}

/* O_NONBLOCK: a fifo would hold us up. */
static int read_text(const struct last_good *state, struct buf *text, struct err *err)
{
	cleanup(cleanup_free) char *path = xasprintf("%s/" LAST_GOOD_FILE, state->directory);
	cleanup(cleanup_close) int fd =
		openat(state->fd, LAST_GOOD_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ENOENT, "there is no %s", path);
	if (fd < 0 && errno == ELOOP)
		return err_set(err, EPERM, "%s is a symbolic link: it is not used; remove it",
			       path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "read %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EPERM, "%s is not a regular file: it is not used; remove it",
			       path);
	r = check_owner(&st, path, err);
	if (r < 0)
		return r;
	r = read_all(fd, text);
	return r < 0 ? err_errno(err, -r, "read %s", path) : 0;
}

static int check_paths(const struct last_good_pair *pair, const char *network_path,
		       const char *firewall_path, struct err *err)
{
	assert(pair->network.name && pair->firewall.name); /* parse() has seen to that */
	if (strcmp(pair->network.name, network_path) == 0 &&
	    strcmp(pair->firewall.name, firewall_path) == 0)
		return 0;
	return err_set(err, EXDEV, "it is of other files, %s and %s: it is not used",
		       pair->network.name, pair->firewall.name);
}

int last_good_read(struct last_good *state, const char *network_path, const char *firewall_path,
		   struct last_good_pair *ret_pair, struct err *err)
{
	struct last_good_pair pair = { 0 };
	struct buf text = { 0 };
	int r = ensure_directory(state, err);

	if (r >= 0)
		r = read_text(state, &text, err);
	if (r >= 0 && !parse(&text, &pair))
		r = err_set(err, EBADMSG,
			    "%s/" LAST_GOOD_FILE " is not as it was written, by its checksum: it "
			    "is not used; remove it",
			    state->directory);
	if (r >= 0)
		r = check_paths(&pair, network_path, firewall_path, err);
	buf_free(&text);
	if (r < 0) {
		last_good_pair_free(&pair);
		return r;
	}
	note_kept(state, pair_hash(&pair));
	*ret_pair = pair;
	return 0;
}

void last_good_pair_free(struct last_good_pair *pair)
{
	if (!pair)
		return;
	src_free(&pair->network);
	src_free(&pair->firewall);
	*pair = (struct last_good_pair){ 0 };
}
