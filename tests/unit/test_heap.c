/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items come out of a heap in the order of their keys, whatever was done to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dockside/base/heap.h"
#include "dockside/base/util.h"

#define N 500u

static void test_empty(void **state)
{
	struct heap heap = { 0 };
	struct heap_node node = { 0 };

	(void)state;
	assert_null(heap_first(&heap));
	heap_remove(&heap, &node); /* which is in none */
	assert_int_equal(heap.n, 0);
	heap_put(&heap, &node, 7);
	assert_ptr_equal(heap_first(&heap), &node);
	heap_remove(&heap, &node);
	assert_null(heap_first(&heap));
	heap_put(&heap, &node, UINT64_MAX);
	assert_ptr_equal(heap_first(&heap), &node);
	heap_free(&heap);
}

static uint32_t draw(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* The smallest key of those that are in, by looking at all. */
static uint64_t smallest(const struct heap_node *nodes)
{
	uint64_t key = UINT64_MAX;

	for (size_t i = 0; i < N; i++)
		if (nodes[i].place != 0 && nodes[i].key < key)
			key = nodes[i].key;
	return key;
}

static void assert_places(const struct heap *heap)
{
	for (size_t i = 0; i < heap->n; i++)
		assert_int_equal(heap->nodes[i]->place, i + 1);
}

static void test_many(void **state)
{
	struct heap_node nodes[N] = { 0 };
	struct heap heap = { 0 };
	uint32_t seed = 1;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 20000; i++) {
		struct heap_node *node = &nodes[draw(&seed) % N];
		size_t was_in = node->place != 0;

		if (draw(&seed) % 3 == 0) {
			heap_remove(&heap, node);
			n -= was_in;
		} else {
			heap_put(&heap, node, draw(&seed) % 1000); /* many are equal */
			n += 1 - was_in;
		}
		assert_int_equal(heap.n, n);
		if (n > 0)
			assert_int_equal(heap_first(&heap)->key, smallest(nodes));
	}
	assert_places(&heap);
	for (uint64_t last = 0; n > 0; n--) {
		struct heap_node *first = heap_first(&heap);

		assert_true(first->key >= last);
		last = first->key;
		heap_remove(&heap, first);
		assert_int_equal(first->place, 0);
	}
	assert_null(heap_first(&heap));
	heap_free(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
