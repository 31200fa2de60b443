/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sum_denied.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ask_denied.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/json/json_write.h"
#include "show_denied.h"
#include "term.h"

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* A name is one destination, whatever its addresses. */
static bool is_of(const struct denied_sum *sum, const struct denied_cell *cells, const char *name,
		  const char *address)
{
	return same(sum->name, name) && (name || same(sum->address, address)) &&
	       same(sum->network, cells[DENIED_NETWORK].full) &&
	       same(sum->protocol, cells[DENIED_PROTOCOL].full) &&
	       same(sum->rule, cells[DENIED_RULE].full);
}

static char *rule_json(const struct json_node *event)
{
	static const char *const keys[] = { "rule",   "file",	      "line",
					    "reason", "to_interface", "to_container" };
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct json_node *node = json_get(event, keys[i]);

		if (node)
			json_write_node(&out, keys[i], node);
	}
	return buf_steal(&b);
}

static struct denied_sum *take_sum(struct denied_sums *sums, const struct json_node *event,
				   const struct denied_cell *cells, const char *name,
				   const char *address)
{
	struct denied_sum *sum;

	for (size_t i = 0; i < sums->n; i++)
		if (is_of(&sums->items[i], cells, name, address))
			return &sums->items[i];
	sums->items = array_grow(sums->items, &sums->cap, sums->n, sizeof(*sums->items));
	sum = &sums->items[sums->n++];
	*sum = (struct denied_sum){
		.network = xstrdup(cells[DENIED_NETWORK].full),
		.name = name ? xstrdup(name) : NULL,
		.address = xstrdup(address),
		.protocol = xstrdup(cells[DENIED_PROTOCOL].full),
		.rule = xstrdup(cells[DENIED_RULE].full),
		.rule_json = rule_json(event),
		.looked_up = strcmp(json_text(event, "name_from", ""), "lookup") == 0,
		.asked = strcmp(json_text(event, "name_from", ""), "question") == 0,
		.first_ms = (uint64_t)json_integer(event, "time_ms"),
	};
	return sum;
}

void denied_sums_add(struct denied_sums *sums, const struct json_node *event)
{
	const char *name = json_text(event, "name", NULL);
	const char *address = denied_destination(event);
	struct denied_cell cells[N_DENIED_COLUMNS];
	struct denied_sum *sum;

	denied_cells(event, cells);
	sum = take_sum(sums, event, cells, name, address);
	if (strcmp(sum->address, address) != 0) {
		sum->more = true;
		free(sum->address);
		sum->address = xstrdup(address);
	}
	sum->count += denied_times(event);
	sum->last_ms = (uint64_t)json_integer(event, "time_ms");
	denied_cells_free(cells);
}

static int cmp_sums(const void *x, const void *y)
{
	const struct denied_sum *a = x, *b = y;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->last_ms != b->last_ms ? (a->last_ms > b->last_ms ? -1 : 1)
					: strcmp(a->address, b->address);
}

static char *destination(const struct denied_sum *sum)
{
	if (!sum->name)
		return xstrdup(sum->address);
	if (sum->asked)
		return xstrdup(sum->name);
	return xasprintf("%s (%s%s)", sum->name, sum->looked_up ? "looked up, " : "",
			 sum->more ? "several addresses" : sum->address);
}

static void print_table(const struct denied_sums *sums)
{
	static const char *const titles[] = { "COUNT", "FIRST",	   "LAST", "NETWORK",
					      "TO",    "PROTOCOL", "RULE" };
	struct term_table table = { .columns = ARRAY_SIZE(titles), .right = 1 };
	struct term term = term_of(stdout);

	for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
		term_table_add(&table, TERM_TITLE, titles[i]);
	for (size_t i = 0; i < sums->n; i++) {
		const struct denied_sum *sum = &sums->items[i];
		cleanup(cleanup_free) char *count = xasprintf("%" PRIu64, sum->count);
		cleanup(cleanup_free) char *first = denied_time(sum->first_ms, false);
		cleanup(cleanup_free) char *last = denied_time(sum->last_ms, false);
		cleanup(cleanup_free) char *to = destination(sum);

		term_table_add(&table, TERM_PLAIN, count);
		term_table_add(&table, TERM_PLAIN, first);
		term_table_add(&table, TERM_PLAIN, last);
		term_table_add(&table, TERM_PLAIN, sum->network);
		term_table_add(&table, TERM_PLAIN, to);
		term_table_add(&table, TERM_PLAIN, sum->protocol);
		term_table_add(&table, TERM_PLAIN, sum->rule);
	}
	term_table_finish(&table, &term, stdout);
}

static void print_json(const struct denied_sum *sum)
{
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	json_write_open(&out, NULL, '{');
	json_write_int(&out, "count", (int64_t)sum->count);
	json_write_int(&out, "first_ms", (int64_t)sum->first_ms);
	json_write_int(&out, "last_ms", (int64_t)sum->last_ms);
	json_write_string(&out, "network", sum->network);
	json_write_string(&out, "name", sum->name);
	json_write_bool(&out, "looked_up", sum->looked_up);
	json_write_string(&out, "address", sum->more ? NULL : sum->address);
	json_write_string(&out, "protocol", sum->protocol);
	if (sum->rule_json[0])
		buf_printf(&b, ",%s", sum->rule_json);
	json_write_close(&out, '}');
	printf("%s\n", buf_str(&b));
	buf_free(&b);
}

void denied_sums_print(struct denied_sums *sums, bool json)
{
	if (sums->n > 0)
		qsort(sums->items, sums->n, sizeof(*sums->items), cmp_sums);
	if (!json)
		print_table(sums);
	for (size_t i = 0; json && i < sums->n; i++)
		print_json(&sums->items[i]);
}

void denied_sums_free(struct denied_sums *sums)
{
	for (size_t i = 0; i < sums->n; i++) {
		struct denied_sum *sum = &sums->items[i];

		free(sum->network);
		free(sum->name);
		free(sum->address);
		free(sum->protocol);
		free(sum->rule);
		free(sum->rule_json);
	}
	free(sums->items);
}
