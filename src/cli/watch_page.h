/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_CLI_WATCH_PAGE_H
#define DOCKSIDE_CLI_WATCH_PAGE_H

#include "dockside/base/buf.h"
#include "term.h"
#include "watch_view.h"

/*
 * Appends the page, each line with its line feed: at most height lines (0: all that there is to say) of at most
 * term->width columns (0: of any). Pure, but for the time zone.
 */
void watch_page(const struct watch_view *view, const struct term *term, size_t height,
		struct buf *b);

#endif
