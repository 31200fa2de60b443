/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells one start of the machine from another. */
#ifndef DOCKSIDE_SYSTEM_BOOT_H
#define DOCKSIDE_SYSTEM_BOOT_H

#include <stdint.h>

/* Another number after each start of the machine (boot_id, random(4)); 0: /proc does not say. */
uint32_t boot_number(void);

#endif
