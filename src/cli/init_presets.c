/* SPDX-License-Identifier: GPL-2.0-or-later */
/* init and the presets: which there are, and which the networks shall reach. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/exit_status.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"
#include "init_plan.h"

static void print_texts(const char *left, const struct texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		printf("    %-10s%s\n", i == 0 ? left : "", texts->items[i]);
}

void init_print_presets(const struct presets *presets)
{
	for (size_t i = 0; i < presets->n; i++) {
		const struct preset *preset = &presets->items[i];

		printf("%s%s: %s\n", i ? "\n" : "", preset->name, preset->about);
		print_texts("names", &preset->names);
		print_texts("wildcards", &preset->wildcards);
		print_texts("source", &preset->sources);
		printf("    %-10s%s\n", "date", preset->date);
	}
}

static void report_unknown(const struct init_plan *plan, const char *name)
{
	cleanup(cleanup_free) char *near = presets_suggest(&plan->all, name);
	struct buf found = { 0 };

	quote_found(&found, name, strlen(name));
	log_error(
		"init: there is no preset %s; %s%sdsfw-nft init --list-presets prints all of them",
		buf_str(&found), near ? near : "", near ? " " : "");
	buf_free(&found);
}

static bool add_one(struct init_plan *plan, const char *name)
{
	const struct preset *preset = presets_find(&plan->all, name);

	if (!preset) {
		report_unknown(plan, name);
		return false;
	}
	for (size_t i = 0; i < plan->n_presets; i++)
		if (plan->presets[i] == preset)
			return true;
	plan->presets[plan->n_presets++] = preset;
	return true;
}

bool init_add_presets(struct init_plan *plan, const char *list)
{
	for (const char *s = list + strspn(list, ", "); *s; s += strspn(s, ", ")) {
		cleanup(cleanup_free) char *name = xstrndup(s, strcspn(s, ", "));

		if (!add_one(plan, name))
			return false;
		s += strlen(name);
	}
	return true;
}

static int ask_presets(struct init_plan *plan)
{
	printf("\nPresets are lists of the names that a service documents:\n");
	for (size_t i = 0; i < plan->all.n; i++)
		printf("  %-12s %s\n", plan->all.items[i].name, plan->all.items[i].about);
	for (;;) {
		cleanup(cleanup_free) char *answer =
			init_answer("Which of them may the containers reach (with commas between "
				    "them) [none]?");

		if (!answer)
			return EXIT_FAILED;
		plan->n_presets = 0;
		if (strcmp(answer, "none") == 0 || init_add_presets(plan, answer))
			return EXIT_DONE;
	}
}

int init_choose_presets(const struct init_options *options, struct init_plan *plan)
{
	if (options->presets.n > 0 || options->yes) /* those were added already */
		return EXIT_DONE;
	if (!init_can_ask(options, "which services the containers may reach", "--preset NAME"))
		return EXIT_USAGE;
	return ask_presets(plan);
}
