/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/own_addrs.h"

#include <stdlib.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/link_addrs.h"

int own_addrs_read(struct own_addrs *ret_addrs, struct err *err)
{
	struct link_addrs addrs;
	int r = link_addrs_read(&addrs, err);

	if (r < 0)
		return r;
	*ret_addrs = (struct own_addrs){ xcalloc(addrs.n + 1, sizeof(*ret_addrs->items)), addrs.n };
	for (size_t i = 0; i < addrs.n; i++)
		ret_addrs->items[i] = addrs.items[i].addr;
	link_addrs_free(&addrs);
	return 0;
}

void own_addrs_free(struct own_addrs *addrs)
{
	free(addrs->items);
	*addrs = (struct own_addrs){ 0 };
}
