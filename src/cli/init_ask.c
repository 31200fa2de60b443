/* SPDX-License-Identifier: GPL-2.0-or-later */
/* init's questions, on a terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "dockside/base/util.h"
#include "dockside/system/log.h"
#include "init_plan.h"

bool init_can_ask(const struct init_options *options, const char *what, const char *option)
{
	if (options->yes || isatty(STDIN_FILENO))
		return true;
	log_error("init: it asks %s, and standard input is no terminal: give %s, or --yes for what "
		  "it would propose",
		  what, option);
	return false;
}

char *init_answer(const char *question)
{
	cleanup(cleanup_free) char *line = NULL;
	size_t cap = 0;
	const char *begin;
	ssize_t len;

	printf("%s ", question);
	fflush(stdout);
	len = getline(&line, &cap, stdin);
	if (len < 0) {
		printf("\n");
		log_error("init: no answer; nothing was written");
		return NULL;
	}
	while (len > 0 && strchr(" \t\r\n", line[len - 1]))
		line[--len] = '\0';
	begin = line + strspn(line, " \t");
	return xstrdup(begin);
}

int init_yes(const char *question, bool otherwise)
{
	cleanup(cleanup_free) char *text =
		xasprintf("%s %s", question, otherwise ? "[Y/n]" : "[y/N]");

	for (;;) {
		cleanup(cleanup_free) char *answer = init_answer(text);

		if (!answer)
			return -1;
		if (!answer[0])
			return otherwise;
		if (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0)
			return 1;
		if (strcasecmp(answer, "n") == 0 || strcasecmp(answer, "no") == 0)
			return 0;
		printf("Answer y or n.\n");
	}
}
