/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every fuzzer includes this: what libFuzzer calls, and a check that ends the run. */
#ifndef DOCKSIDE_TESTS_FUZZ_MUST_H
#define DOCKSIDE_TESTS_FUZZ_MUST_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The compiler leaves assert() out where NDEBUG is defined; this check stays. */
#define must(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
