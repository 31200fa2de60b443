/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program's exit statuses, as dsfw-nft(8) explains them. */
#ifndef DOCKSIDE_BASE_EXIT_STATUS_H
#define DOCKSIDE_BASE_EXIT_STATUS_H

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_DIFFERENT = 1, /* of diff */
	EXIT_USAGE = 2,
	EXIT_CONFIG = 3,
	EXIT_REFUSED = 4, /* of explain: the packet is refused */
};

#endif
