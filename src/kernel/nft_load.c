/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/kernel/nft_load.h"

#include <ctype.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/table/nft_script.h"
#include "dockside/table/rule_text.h"

struct nft_loader {
	struct nft_ctx *ctx; /* for what is committed */
};

static struct nft_ctx *new_context(void)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);

	if (!ctx)
		abort(); /* out of memory */
	nft_ctx_buffer_output(ctx);
	nft_ctx_buffer_error(ctx);
	return ctx;
}

void nft_loader_open(struct nft_loader **ret_loader)
{
	struct nft_loader *loader = xcalloc(1, sizeof(*loader));

	loader->ctx = new_context();
	*ret_loader = loader;
}

void nft_loader_close(struct nft_loader *loader)
{
	if (!loader)
		return;
	nft_ctx_free(loader->ctx);
	free(loader);
}

/* ------------------------------------------------------------------ errors */

/* "…:LINE:COL-COL: Error: TEXT" to its parts. */
static bool parse_complaint(const char *output, size_t *ret_line, const char **ret_text,
			    size_t *ret_len)
{
	static const char marker[] = ": Error: ";
	const char *found = strstr(output, marker), *p;
	uint64_t line;

	if (!found)
		return false;
	*ret_text = found + strlen(marker);
	*ret_len = strcspn(*ret_text, "\n");
	p = found;
	while (p > output && p[-1] != ':' && p[-1] != '\n') /* columns */
		p--;
	if (p == output || p[-1] != ':')
		return false;
	found = --p;
	while (p > output && isdigit((unsigned char)p[-1]))
		p--;
	if (!parse_uint(p, (size_t)(found - p), 1, SIZE_MAX, &line))
		return false;
	*ret_line = (size_t)line;
	return true;
}

static void describe_origin(struct buf *b, const struct origin *origin)
{
	unsigned line, column;

	if (!origin)
		return;
	buf_printf(b, ", made for %s", origin->entry);
	if (origin->network)
		buf_printf(b, " of network %s", origin->network);
	if (!origin->loc.src)
		return;
	loc_line_column(origin->loc, &line, &column);
	buf_printf(b, " (%s:%u:%u)", origin->loc.src->name, line, column);
}

/* The text of a 1-based line, cut to what fits a message. */
static void quote_line(struct buf *b, const struct script *script, size_t line)
{
	const char *p = buf_str(&script->text);
	size_t len;

	while (--line > 0 && (p = strchr(p, '\n')) != NULL)
		p++;
	if (!p)
		return;
	p += strspn(p, " \t");
	len = strcspn(p, "\n");
	buf_printf(b, "\"%.*s%s\"", (int)(len < 160 ? len : 160), p, len < 160 ? "" : "…");
}

static int load_error(const struct script *script, const char *output, int code, struct err *err)
{
	struct buf b = { 0 };
	const char *text;
	size_t line, len;
	int r;

	if (!parse_complaint(output, &line, &text, &len)) {
		len = strcspn(output, "\n");
		return err_set(err, code, "load ruleset: %.*s", (int)len,
			       len > 0 ? output : "libnftables gave no reason");
	}
	buf_printf(&b, "load ruleset: %.*s: ", (int)len, text);
	quote_line(&b, script, line);
	describe_origin(&b, script_origin(script, line));
	r = err_set(err, code, "%s", buf_str(&b));
	buf_free(&b);
	return r;
}

/* ------------------------------------------------------------------ rules in debug output */

/*
 * The chain that a line "inet dockside CHAIN" or "bridge dockside CHAIN" names, up to a blank; NULL: it
 * is no such line.
 */
static const char *chain_of_head(const char *line, enum table_family *ret_family)
{
	for (int i = 0; i < N_TABLES; i++) {
		const char *table = table_text((enum table_family)i);
		size_t len = strlen(table);

		if (strncmp(line, table, len) != 0 || line[len] != ' ')
			continue;
		*ret_family = (enum table_family)i;
		return line + len + 1;
	}
	return NULL;
}

/*
 * NFT_DEBUG_NETLINK prints for each rule such a line, then its expressions and user data on lines that
 * begin with two blanks.
 */
static void tell_rules(const char *output, nft_rule_fn on_rule, void *data)
{
	const char *p = output;

	while (*p) {
		enum table_family family = TABLE_INET;
		const char *name = chain_of_head(p, &family);
		size_t len = strcspn(p, "\n");

		p += len + (p[len] == '\n');
		if (name && strncmp(p, "  ", 2) == 0) {
			cleanup(cleanup_free) char *chain = xstrndup(name, strcspn(name, " \n"));

			on_rule(data, family, chain, p, rule_text_length(p));
		}
	}
}

static int script_file(const struct script *script, struct err *err)
{
	const char *p = buf_str(&script->text);
	size_t left = script->text.len;
	int fd = memfd_create("dsfw-nft", MFD_CLOEXEC);

	while (fd >= 0 && left > 0) {
		ssize_t n = write(fd, p, left);

		if (n < 0) {
			int r = err_errno(err, errno, "write the script to memory");

			close(fd);
			return r;
		}
		p += n;
		left -= (size_t)n;
	}
	return fd >= 0 ? fd : err_errno(err, errno, "memfd_create");
}

static int run_script(struct nft_ctx *ctx, int fd, const struct script *script, nft_rule_fn on_rule,
		      void *data, struct err *err)
{
	const char *output, *errors;
	char path[64];
	int r;

	/* From a file, not a buffer: only so libnftables tells the lines of its complaints. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	nft_ctx_output_set_debug(ctx, on_rule ? NFT_DEBUG_NETLINK : 0);
	errno = 0;
	r = nft_run_cmd_from_filename(ctx, path);
	/* Reading them empties them; unread they pile up (doc/kernel.md, "Errors pile up"). */
	output = nft_ctx_get_output_buffer(ctx);
	errors = nft_ctx_get_error_buffer(ctx);
	nft_ctx_output_set_debug(ctx, 0);
	if (r != 0)
		return load_error(script, errors, errno ? errno : EINVAL, err);
	if (on_rule)
		tell_rules(output, on_rule, data);
	return 0;
}

int nft_load(struct nft_loader *loader, const struct script *script, enum load_mode mode,
	     nft_rule_fn on_rule, void *data, struct err *err)
{
	cleanup(cleanup_close) int fd = script_file(script, err);
	struct nft_ctx *ctx;
	int r;

	if (fd < 0)
		return fd;
	if (mode == LOAD_COMMIT)
		return run_script(loader->ctx, fd, script, on_rule, data, err);
	/* A context keeps the commands of a script in its cache as long as the ruleset's generation
	 * is the same: after a dry run it would believe that all of them are in the kernel. */
	ctx = new_context();
	nft_ctx_set_dry_run(ctx, true);
	r = run_script(ctx, fd, script, on_rule, data, err);
	nft_ctx_free(ctx);
	return r;
}

static bool means_no_bridge(int code)
{
	return code == EOPNOTSUPP || code == ENOENT || code == EAFNOSUPPORT ||
	       code == EPROTONOSUPPORT;
}

char *nft_probe_bridge(void)
{
	static const enum base_hook hooks[] = { BASE_BIND, BASE_BIND_TO, BASE_BIND_OUTPUT };
	struct script script = { .table = "bridge " TABLE_NAME "-probe" };
	struct err err = { 0 };
	char *why = NULL;
	int r;

	buf_printf(&script.text, "add table %s", script.table);
	script_line(&script, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		buf_printf(&script.text, "add chain %s c%zu { %s }", script.table, i,
			   text_base_chain(hooks[i]));
		script_line(&script, NULL);
	}
	r = nft_load(NULL, &script, LOAD_CHECK, NULL, NULL, &err);
	if (r < 0 && means_no_bridge(-r))
		why = xstrdup(err.text);
	script_free(&script);
	err_free(&err);
	return why;
}

int nft_list_chain(struct nft_loader *loader, enum table_family family, const char *chain,
		   nft_rule_fn on_rule, void *data, struct err *err)
{
	struct nft_ctx *ctx = loader->ctx;
	const char *output, *errors;
	struct buf b = { 0 };
	int r;

	buf_printf(&b, "list chain %s %s", table_text(family), chain);
	nft_ctx_output_set_flags(ctx, NFT_CTX_OUTPUT_STATELESS);
	r = nft_run_cmd_from_buffer(ctx, buf_str(&b));
	output = nft_ctx_get_output_buffer(ctx);
	errors = nft_ctx_get_error_buffer(ctx);
	nft_ctx_output_set_flags(ctx, 0);
	buf_free(&b);
	if (r != 0)
		return err_set(err, EINVAL, "list chain %s: %.*s", chain,
			       (int)strcspn(errors, "\n"), errors);
	for (const char *p = output; *p;) {
		size_t len = strcspn(p, "\n");

		/* Two tabs deep are the rules, and first the line that makes it a base chain. */
		if (strncmp(p, "\t\t", 2) == 0 && strncmp(p, "\t\ttype ", 7) != 0)
			on_rule(data, family, chain, p + 2, len - 2);
		p += len + (p[len] == '\n');
	}
	return 0;
}
