/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules as text, in order, for comparing one by one: what libnftables makes of a rule and
 * what the kernel gives back are both printed by libnftnl.
 */
#ifndef DOCKSIDE_TABLE_RULE_TEXT_H
#define DOCKSIDE_TABLE_RULE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise. */
struct rule_texts {
	char **items;
	size_t n;
	size_t cap;
};

void rule_texts_add(struct rule_texts *texts, const char *text, size_t len);
/* The same for a rule that the kernel gave back: it says in full what libnftables leaves to be
 * understood, so that this is taken out. */
void rule_texts_add_kernel(struct rule_texts *texts, const char *text, size_t len);
bool rule_texts_equal(const struct rule_texts *a, const struct rule_texts *b);
void rule_texts_free(struct rule_texts *texts);

/* Length of the lines at text that begin with two blanks: the expressions and user data of one rule
 * in libnftnl's output. */
size_t rule_text_length(const char *text);

#endif
