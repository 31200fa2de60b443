/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/table/rule_text.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"

void rule_texts_add(struct rule_texts *texts, const char *text, size_t len)
{
	texts->items = array_grow(texts->items, &texts->cap, texts->n, sizeof(char *));
	texts->items[texts->n++] = xstrndup(text, len);
}

/* The line, if it has that head and tail, without the tail. */
static bool without_tail(struct buf *b, const char *line, size_t len, const char *head,
			 const char *tail)
{
	size_t tail_len = strlen(tail);

	if (strncmp(line, head, strlen(head)) != 0 || len < tail_len ||
	    memcmp(line + len - tail_len, tail, tail_len) != 0)
		return false;
	buf_add(b, line, len - tail_len);
	buf_puts(b, " ]");
	return true;
}

/* A lookup without flags. */
static bool plain_lookup(struct buf *b, const char *line, size_t len)
{
	return without_tail(b, line, len, "  [ lookup ", " 0x0 ]");
}

/* Elements that are deleted, or added to a set without timeouts, have none. */
static bool plain_dynset(struct buf *b, const char *line, size_t len)
{
	static const char tail[] = " timeout 0ms ]";

	return without_tail(b, line, len, "  [ dynset delete ", tail) ||
	       without_tail(b, line, len, "  [ dynset add ", tail);
}

/* Finds the text that follows word in the line, up to a blank; *ret_len is 0 if word is missing. */
static const char *word_after(const char *line, const char *word, int *ret_len)
{
	const char *found = strstr(line, word);

	found = found ? found + strlen(word) : "";
	*ret_len = (int)strcspn(found, " \n");
	return found;
}

/* A translation to one address and one port: both ends of the ranges, and the flags that say so
 * (NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED, linux/netfilter/nf_nat.h). */
static bool plain_nat(struct buf *b, const char *line, size_t len)
{
	cleanup(buf_free) struct buf full = { 0 };
	int family_len, addr_len, port_len;
	const char *family = word_after(line, "[ nat dnat ", &family_len);
	const char *addr = word_after(line, " addr_min reg ", &addr_len);
	const char *port = word_after(line, " proto_min reg ", &port_len);

	buf_printf(&full,
		   "  [ nat dnat %.*s addr_min reg %.*s addr_max reg %.*s proto_min reg %.*s "
		   "proto_max reg %.*s flags 0x3 ]",
		   family_len, family, addr_len, addr, addr_len, addr, port_len, port, port_len,
		   port);
	if (full.len != len || memcmp(full.data, line, len) != 0)
		return false;
	buf_printf(b, "  [ nat dnat %.*s addr_min reg %.*s proto_min reg %.*s ]", family_len,
		   family, addr_len, addr, port_len, port);
	return true;
}

/* The same to the host itself. */
static bool plain_redirect(struct buf *b, const char *line, size_t len)
{
	cleanup(buf_free) struct buf full = { 0 };
	int port_len;
	const char *port = word_after(line, "[ redir proto_min reg ", &port_len);

	buf_printf(&full, "  [ redir proto_min reg %.*s proto_max reg %.*s flags 0x2 ]", port_len,
		   port, port_len, port);
	if (full.len != len || memcmp(full.data, line, len) != 0)
		return false;
	buf_printf(b, "  [ redir proto_min reg %.*s flags 0x2 ]", port_len, port);
	return true;
}

void rule_texts_add_kernel(struct rule_texts *texts, const char *text, size_t len)
{
	cleanup(buf_free) struct buf b = { 0 };
	const char *end = text + len;

	while (text < end) {
		size_t n = strcspn(text, "\n");

		if (n > (size_t)(end - text))
			n = (size_t)(end - text);
		if (!plain_lookup(&b, text, n) && !plain_dynset(&b, text, n) &&
		    !plain_nat(&b, text, n) && !plain_redirect(&b, text, n))
			buf_add(&b, text, n);
		text += n;
		if (text < end) {
			buf_putc(&b, '\n');
			text++;
		}
	}
	rule_texts_add(texts, buf_str(&b), b.len);
}

size_t rule_text_length(const char *text)
{
	size_t len = 0;

	while (strncmp(text + len, "  ", 2) == 0) {
		len += strcspn(text + len, "\n");
		len += text[len] == '\n';
	}
	while (len > 0 && text[len - 1] == '\n')
		len--;
	return len;
}

void rule_texts_free(struct rule_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (struct rule_texts){ 0 };
}

bool rule_texts_equal(const struct rule_texts *a, const struct rule_texts *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}
