/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/sorted.h"

static const void *item_at(const struct sorted_array *array, size_t i)
{
	return i < array->n ? (const char *)array->items + i * array->size : NULL;
}

bool sorted_walk_next(struct sorted_walk *walk)
{
	const void *left = item_at(&walk->lefts, walk->i);
	const void *right = item_at(&walk->rights, walk->k);
	int order = !left ? 1 : !right ? -1 : walk->cmp(left, right);

	if (!left && !right)
		return false;
	walk->left = order <= 0 ? left : NULL;
	walk->right = order >= 0 ? right : NULL;
	walk->i += order <= 0;
	walk->k += order >= 0;
	return true;
}

const void *sorted_pointer(const void *item)
{
	return item ? *(const void *const *)item : NULL;
}

/* Counts the leading items with cmp(key, item) >= least. */
static size_t count(const struct sorted_array *array, const void *key, sorted_cmp cmp, int least)
{
	size_t lo = 0, hi = array->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp(key, item_at(array, mid)) >= least)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t sorted_before(const struct sorted_array *array, const void *key, sorted_cmp cmp)
{
	return count(array, key, cmp, 1);
}

size_t sorted_up_to(const struct sorted_array *array, const void *key, sorted_cmp cmp)
{
	return count(array, key, cmp, 0);
}
