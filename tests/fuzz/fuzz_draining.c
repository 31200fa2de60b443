/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of draining networks, behind its checksum: what is taken is merged, and reads the same once written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/policy/draining.h"

#include "must.h"

static void check_merge(const struct draining_docs *docs)
{
	struct policy policy = { 0 };

	for (int i = 0; i < 2; i++) /* the second time, in place of the first */
		if (draining_merge(&policy, docs, NULL) < 0 ||
		    policy.n_draining != policy.n_networks)
			abort();
	for (size_t i = 0; i < policy.n_networks; i++)
		for (size_t k = 0; k < policy.networks[i].n_egress; k++)
			if (policy.networks[i].egress[k].to == DEST_IPSET &&
			    policy.networks[i].egress[k].ipset >= policy.n_ipsets)
				abort();
	policy_free(&policy);
}

static void check_again(const struct draining_docs *docs)
{
	struct buf first = { 0 }, second = { 0 };
	struct draining_docs again;

	draining_docs_write(docs, &first);
	if (draining_docs_read(first.data, first.len, &again, NULL) < 0)
		abort();
	draining_docs_write(&again, &second);
	if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
		abort();
	draining_docs_free(&again);
	buf_free(&first);
	buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Not xstrndup(): the text may have a NUL inside. */
	cleanup(cleanup_free) char *text = xcalloc(size + 1, 1);
	struct draining_docs docs;

	if (size > 0)
		memcpy(text, data, size);
	if (draining_docs_read(text, size, &docs, NULL) < 0)
		return 0;
	check_merge(&docs);
	check_again(&docs);
	draining_docs_free(&docs);
	return 0;
}
