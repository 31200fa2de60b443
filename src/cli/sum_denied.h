/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refused packets by destination: how many, when first and last, by which rule. */
#ifndef DOCKSIDE_CLI_SUM_DENIED_H
#define DOCKSIDE_CLI_SUM_DENIED_H

#include <stdbool.h>

#include "dockside/json/json_parse.h"

/* Packets of one network to one name or address, by one protocol and port, that one rule refused. */
struct denied_sum {
	char *network, *name, *address,
		*protocol; /* name NULL: none is known; address: the last one */
	char *rule, *rule_json;
	bool looked_up, more; /* more addresses than one */
	bool asked;	      /* a question for the name: there is no address */
	uint64_t count, first_ms, last_ms;
};

/* Zero-initialise; denied_sums_free(). */
struct denied_sums {
	struct denied_sum *items;
	size_t n, cap;
};

void denied_sums_add(struct denied_sums *sums, const struct json_node *event);
/* The most refused first: a table, or an object a line. */
void denied_sums_print(struct denied_sums *sums, bool json);
void denied_sums_free(struct denied_sums *sums);

#endif
