/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "show_reach.h"

#include <stdio.h>

#include "dockside/base/buf.h"
#include "dockside/system/log.h"

static void show_lookup(const struct json_node *lookup)
{
	const struct json_node *addrs = json_member(lookup, "addresses", JSON_ARRAY);
	const char *name = json_text(lookup, "name", "?");
	const char *message = json_text(lookup, "message", NULL);
	const char *hint = json_text(lookup, "hint", NULL);
	struct buf b = { 0 };

	if (message) {
		log_warning("%s: %s, kept as asked%s%s", name, message, hint ? "; " : "",
			    hint ? hint : "");
		return;
	}
	for (size_t i = 0; addrs && i < addrs->u.children.n; i++)
		if (addrs->u.children.items[i].kind == JSON_STRING)
			buf_printf(&b, "%s%s", b.len ? ", " : "",
				   addrs->u.children.items[i].u.string.s);
	if (b.len > 0)
		printf("%s: %s\n", name, buf_str(&b));
	else
		log_warning("%s: none of its addresses may be opened; the log says why", name);
	buf_free(&b);
}

static size_t show_list(const struct json_node *answer, const char *key)
{
	const struct json_node *list = json_member(answer, key, JSON_ARRAY);
	size_t n = list ? list->u.children.n : 0;

	for (size_t i = 0; i < n; i++)
		if (list->u.children.items[i].kind == JSON_STRING)
			log_warning("%s", list->u.children.items[i].u.string.s);
	return n;
}

bool show_reach(const struct json_node *answer, bool quiet)
{
	const struct json_node *lookup = json_member(answer, "lookup", JSON_OBJECT);

	if (lookup && !quiet)
		show_lookup(lookup);
	show_list(answer, "refused");
	return show_list(answer, "reachable") == 0;
}
