/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorted arrays: two of them in one walk, and a place in one. */
#ifndef DOCKSIDE_BASE_SORTED_H
#define DOCKSIDE_BASE_SORTED_H

#include <stdbool.h>
#include <stddef.h>

/* A key, or an item of the left array, against an item of the (right) array, as for bsearch(3). */
typedef int (*sorted_cmp)(const void *key, const void *item);

struct sorted_array {
	const void *items;
	size_t n, size;
};

#define SORTED_ARRAY(items, n) ((struct sorted_array){ (items), (n), sizeof(*(items)) })

/* Desired against actual: each step is a pair of equal items, or an item that the other array does not have, with
 * NULL for that. */
struct sorted_walk {
	struct sorted_array lefts, rights;
	sorted_cmp cmp;
	size_t i, k;		  /* the next ones */
	const void *left, *right; /* of this step */
};

/* False after the last step. */
bool sorted_walk_next(struct sorted_walk *walk);
/* Reads the pointer out of an item of an array of pointers; NULL for NULL. */
const void *sorted_pointer(const void *item);

/* Counts the items that are less than the key: its index, or the index that it would get. */
size_t sorted_before(const struct sorted_array *array, const void *key, sorted_cmp cmp);
/* Counts the items that are not greater than the key. */
size_t sorted_up_to(const struct sorted_array *array, const void *key, sorted_cmp cmp);

#endif
