/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain for people; the shape of the answer is in explain_json.h. */
#include "show_explain.h"

#include <string.h>

static bool int_of(const struct json_node *object, const char *key, long long *ret_value)
{
	const struct json_node *node = json_member(object, key, JSON_INT);

	if (!node)
		return false;
	*ret_value = (long long)node->u.integer;
	return true;
}

static void for_each(const struct json_node *object, const char *key, FILE *out,
		     void (*print)(const struct json_node *item, FILE *out))
{
	const struct json_node *list = json_member(object, key, JSON_ARRAY);

	for (size_t i = 0; list && i < list->u.children.n; i++)
		print(&list->u.children.items[i], out);
}

static void print_note(const struct json_node *note, FILE *out)
{
	if (note->kind == JSON_STRING)
		fprintf(out, "  note: %s\n", note->u.string.s);
}

static void print_lookup(const struct json_node *lookup, FILE *out)
{
	const char *of = json_text(lookup, "of", NULL),
		   *comment = json_text(lookup, "comment", NULL);

	fprintf(out, "      %s is in %s", json_text(lookup, "element", "?"),
		json_text(lookup, "set", "?"));
	if (of)
		fprintf(out, " (%s)", of);
	if (comment)
		fprintf(out, ": %s", comment);
	fputc('\n', out);
}

static void print_origin(const struct json_node *step, FILE *out)
{
	const char *entry = json_text(step, "entry", NULL), *file = json_text(step, "file", NULL);
	long long line, column;

	if (!entry || (!file && strcmp(entry, "built in") == 0))
		return;
	fprintf(out, "      %s%s%s", entry, file ? " at " : " (no longer configured)",
		file ? file : "");
	if (int_of(step, "line", &line) && int_of(step, "column", &column))
		fprintf(out, ":%lld:%lld", line, column);
	fputc('\n', out);
}

static void print_step(const struct json_node *step, FILE *out)
{
	const char *destination = json_text(step, "destination", NULL);
	long long rule, rules = 0, port = 0;

	int_of(step, "rules", &rules);
	fprintf(out, "  %s: %s, ", json_text(step, "hook", "?"), json_text(step, "chain", "?"));
	if (int_of(step, "rule", &rule))
		fprintf(out, "rule %lld of %lld: %s\n", rule, rules, json_text(step, "text", "?"));
	else
		fprintf(out, "none of %lld rule%s matches\n", rules, rules == 1 ? "" : "s");
	print_origin(step, out);
	for_each(step, "lookups", out, print_lookup);
	if (destination && int_of(step, "port", &port))
		fprintf(out, "      the destination becomes %s port %lld\n", destination, port);
}

static const char *verdict_text(const char *verdict)
{
	return strcmp(verdict, "pass") == 0	    ? "let pass"
	       : strcmp(verdict, "drop") == 0	    ? "DROPPED"
	       : strcmp(verdict, "reset") == 0	    ? "REFUSED with a reset"
	       : strcmp(verdict, "not judged") == 0 ? "NOT JUDGED"
						    : verdict;
}

static bool is_number(const char *text)
{
	return *text >= '0' && *text <= '9';
}

static void print_explanation(const struct json_node *item, FILE *out)
{
	const char *mac = json_text(item, "mac", NULL),
		   *protocol = json_text(item, "protocol", "?"),
		   *from = json_text(item, "container", NULL),
		   *to = json_text(item, "to_container", NULL);
	const struct json_node *table = json_member(item, "bridge_table", JSON_OBJECT);
	long long port, type, code;

	fprintf(out, "%s%s from %s", is_number(protocol) ? "protocol " : "", protocol,
		json_text(item, "source", "?"));
	if (from && mac)
		fprintf(out, " (%s, %s)", from, mac);
	else if (from || mac)
		fprintf(out, " (%s)", from ? from : mac);
	if (json_is_true(item, "dockside"))
		fprintf(out, ", the dockside container,");
	fprintf(out, " to %s", json_text(item, "destination", "?"));
	if (to)
		fprintf(out, " (%s)", to);
	if (int_of(item, "port", &port))
		fprintf(out, " port %lld", port);
	if (int_of(item, "type", &type) && int_of(item, "code", &code))
		fprintf(out, " type %lld code %lld", type, code);
	fprintf(out, ", a packet that is %s: %s\n", json_text(item, "state", "?"),
		verdict_text(json_text(item, "verdict", "?")));
	if (table)
		fprintf(out, "  table bridge dockside: %s\n", json_text(table, "text", "?"));
	for_each(item, "steps", out, print_step);
	fprintf(out, "  %s\n", json_text(item, "next", "?"));
	for_each(item, "notes", out, print_note);
}

void show_explain(const struct json_node *answer, FILE *out)
{
	for_each(answer, "explanations", out, print_explanation);
	for_each(answer, "notes", out, print_note);
}
