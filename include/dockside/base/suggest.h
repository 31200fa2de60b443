/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guesses what a misspelt word was meant to be. */
#ifndef DOCKSIDE_BASE_SUGGEST_H
#define DOCKSIDE_BASE_SUGGEST_H

#include <stddef.h>

/* The known word nearest to s (Damerau-Levenshtein <= 1 + len / 4), or the only one that begins with s, if that is
 * not one change away; NULL: none. */
const char *nearest_word(const char *s, const char *const *words, size_t n);

#endif
