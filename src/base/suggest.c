/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/suggest.h"

#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64	 /* bytes of a word that is worth a guess */
#define WORD_BEGUN_MIN 3 /* and of the beginning of one */

/* Damerau-Levenshtein distance in bytes, neighbours swapped counting as one change ("optimal string
 * alignment": no letter is changed twice). */
static size_t word_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[3][WORD_MAX + 1]; /* of the table of distances: this one and the two before */

	for (size_t k = 0; k <= b_len; k++)
		row[0][k] = k;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = i;
		for (size_t k = 1; k <= b_len; k++) {
			size_t best = last[k - 1] + (a[i - 1] != b[k - 1]);

			if (last[k] + 1 < best)
				best = last[k] + 1;
			if (now[k - 1] + 1 < best)
				best = now[k - 1] + 1;
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
			    before[k - 2] + 1 < best)
				best = before[k - 2] + 1;
			now[k] = best;
		}
	}
	return row[a_len % 3][b_len];
}

/* The only word that begins with s, which has to be long enough to say something. */
static const char *only_word_begun(const char *s, size_t len, const char *const *words, size_t n)
{
	const char *found = NULL;

	for (size_t i = 0; len >= WORD_BEGUN_MIN && i < n; i++) {
		if (strncmp(words[i], s, len) != 0 || strlen(words[i]) > WORD_MAX)
			continue;
		if (found)
			return NULL;
		found = words[i];
	}
	return found;
}

const char *nearest_word(const char *s, const char *const *words, size_t n)
{
	const char *nearest = NULL, *begun = NULL;
	size_t len = strlen(s);
	size_t limit = 1 + len / 4;

	if (len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t word_len = strlen(words[i]), distance;

		if (word_len > WORD_MAX)
			continue;
		distance = word_distance(s, len, words[i], word_len);
		if (distance > limit || (nearest && distance == limit))
			continue;
		nearest = words[i];
		limit = distance;
	}
	/* One change is more likely than a word cut short, that than more. */
	if (!nearest || limit > 1)
		begun = only_word_begun(s, len, words, n);
	return begun ? begun : nearest;
}
