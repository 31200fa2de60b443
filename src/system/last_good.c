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
 * flushed, and renamed over the old one.
 */
#include "dockside/system/last_good.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"

#define HEAD "dsfw-nft last-good 1\nchecksum "
#define PATH_SIZE_MAX 4096
#define SIZE_MAX_ALL (2 * (size_t)JSON_SIZE_MAX + 4 * (size_t)PATH_SIZE_MAX)

int last_good_open(struct last_good *state, const char *directory, struct err *err)
{
	return state_dir_open(&state->dir, directory, err);
}

void last_good_close(struct last_good *state)
{
	if (!state)
		return;
	state->has_kept = false;
	state_dir_close(&state->dir);
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
	       fstatat(state->dir.fd, LAST_GOOD_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       disk_same_file(&st, &state->kept_st);
}

static void note_kept(struct last_good *state, uint64_t hash)
{
	state->kept = hash;
	state->has_kept =
		fstatat(state->dir.fd, LAST_GOOD_FILE, &state->kept_st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void render(const struct last_good_pair *pair, struct buf *b)
{
	buf_printf(b, "accepted %" PRIu64 "\nnetwork-config %zu %s\nfirewall-config %zu %s\n",
		   pair->at_s, pair->network.len, pair->network.name, pair->firewall.len,
		   pair->firewall.name);
	buf_add(b, pair->network.text, pair->network.len);
	buf_add(b, pair->firewall.text, pair->firewall.len);
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
	int r = state_dir_ensure(&state->dir, err);

	if (r < 0)
		return r;
	if (!can_be_kept(pair))
		return err_set(err, EINVAL,
			       "the names of the files are too long or have a line feed");
	if (is_there(state, hash))
		return 0;
	state->has_kept = false;
	render(pair, &text);
	r = state_dir_write(&state->dir, LAST_GOOD_FILE, HEAD, &text, err);
	buf_free(&text);
	if (r >= 0)
		note_kept(state, hash);
	return r;
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

	return take(&rest, "accepted ") && take_number(&rest, '\n', INT64_MAX, &pair->at_s) &&
	       take_file(&rest, "network-config ", &pair->network) &&
	       take_file(&rest, "firewall-config ", &pair->firewall) &&
	       take_text(&rest, &pair->network) && take_text(&rest, &pair->firewall) &&
	       rest.len == 0;
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
	int r = state_dir_read(&state->dir, LAST_GOOD_FILE, HEAD, SIZE_MAX_ALL, &text, err);

	if (r >= 0 && !parse(&text, &pair))
		r = err_set(err, EBADMSG,
			    "%s/" LAST_GOOD_FILE " is not as it was written: it is not used; "
			    "remove it",
			    state->dir.path);
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
