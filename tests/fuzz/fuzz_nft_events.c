/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The summaries that we make of any bytes of nf_tables events are sound. */
#include <stdlib.h>
#include <string.h>

#include "dockside/kernel/nft_events.h"

#include "must.h"

static void check(void *data, const struct nft_transaction *t)
{
	(void)data;
	must(t->n_touched <= TOUCHED_MAX);
	must(!t->overflow || t->n_touched == TOUCHED_MAX);
	must(strnlen(t->process, PROCESS_NAME_SIZE) < PROCESS_NAME_SIZE);
	for (size_t i = 0; i < t->n_touched; i++) {
		const struct touched *touched = &t->touched[i];

		must(strnlen(touched->name, TOUCHED_NAME_SIZE) < TOUCHED_NAME_SIZE);
		must(touched->table < N_WATCHED && touched->how > 0 && touched->how < 16);
		for (size_t k = 0; k < i; k++)
			must(t->touched[k].table != touched->table ||
			     t->touched[k].kind != touched->kind ||
			     strcmp(t->touched[k].name, touched->name) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that ASan sees a read past the end. */
	char *copy = malloc(size ? size : 1);
	struct nft_transaction *pending = calloc(1, sizeof(*pending));

	must(copy && pending);
	if (size)
		memcpy(copy, data, size);
	(void)nft_events_parse(pending, copy, size, check, NULL);
	check(NULL, pending);
	free(pending);
	free(copy);
	return 0;
}
