/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_NAMES_PORTS_HISTORY_H
#define DOCKSIDE_NAMES_PORTS_HISTORY_H

#include "dockside/names/ports_join.h"

/* NULL: none is remembered. */
struct port_record *ports_history_record(const struct ports_history *history, unsigned index);
/* Has a record for each link, and none for others. */
void ports_history_update(struct ports_history *history, const struct port_links *links);
void port_record_forget_seed(struct port_record *record);

#endif
