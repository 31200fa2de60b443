/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_hosts.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

#define BLANKS " \t\r"

static int cmp_entry(const void *a, const void *b)
{
	const struct dns_hosts_entry *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->line > y->line) - (x->line < y->line);
}

/* A line whose end is a NUL. */
static void parse_line(struct dns_hosts *hosts, size_t *cap, char *line, size_t number)
{
	struct ipaddr addr;
	char *next;

	line[strcspn(line, "#")] = '\0';
	line += strspn(line, BLANKS);
	next = line + strcspn(line, BLANKS);
	if (!ipaddr_parse(line, (size_t)(next - line), &addr))
		return;
	for (;;) {
		char *name = next + strspn(next, BLANKS);

		if (*name == '\0')
			return;
		next = name + strcspn(name, BLANKS);
		if (*next)
			*next++ = '\0';
		hosts->entries = array_grow(hosts->entries, cap, hosts->n, sizeof(*hosts->entries));
		hosts->entries[hosts->n++] = (struct dns_hosts_entry){ name, number, addr };
	}
}

void dns_hosts_parse(const char *text, size_t len, struct dns_hosts *ret_hosts)
{
	struct dns_hosts hosts = { .text = xmalloc(len + 1) };
	size_t cap = 0, number = 0;
	char *line = hosts.text, *end = hosts.text + len;

	if (len > 0)
		memcpy(hosts.text, text, len);
	*end = '\0';
	for (char *p = hosts.text; p < end; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	while (line < end) {
		char *newline = memchr(line, '\n', (size_t)(end - line));

		if (!newline)
			newline = end;
		*newline = '\0';
		parse_line(&hosts, &cap, line, number++);
		line = newline + 1;
	}
	if (hosts.n > 0)
		qsort(hosts.entries, hosts.n, sizeof(*hosts.entries), cmp_entry);
	*ret_hosts = hosts;
}

void dns_hosts_free(struct dns_hosts *hosts)
{
	free(hosts->entries);
	free(hosts->text);
	*hosts = (struct dns_hosts){ 0 };
}

size_t dns_hosts_find(const struct dns_hosts *hosts, const char *name,
		      const struct dns_hosts_entry **ret_first)
{
	size_t from = 0, to = hosts->n, n = 0;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(hosts->entries[middle].name, name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	while (from + n < hosts->n && strcmp(hosts->entries[from + n].name, name) == 0)
		n++;
	*ret_first = n > 0 ? hosts->entries + from : hosts->entries;
	return n;
}
