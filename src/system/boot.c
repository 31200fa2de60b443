/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/boot.h"

#include <fcntl.h>
#include <unistd.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"

uint32_t boot_number(void)
{
	cleanup(cleanup_close) int fd =
		open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char id[64];
	ssize_t n = fd < 0 ? -1 : read(fd, id, sizeof(id));

	return n > 0 ? (uint32_t)hash64(HASH_SEED, id, (size_t)n) : 0;
}
