/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/user.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>

#include "dockside/base/util.h"

#define ENTRY_MAX (1u << 20) /* bytes; longer ones are nonsense */

int user_find(const char *name, uint32_t *ret_uid, struct err *err)
{
	struct passwd entry, *found = NULL;
	size_t size = 1024;
	int r = ERANGE;

	while (r == ERANGE && size <= ENTRY_MAX) {
		cleanup(cleanup_free) char *buf = xmalloc(size);

		r = getpwnam_r(name, &entry, buf, size, &found);
		size *= 2;
	}
	if (!found)
		return r == 0 || r == ENOENT || r == ESRCH
			       ? err_set(err, ENOENT, "there is no user %s", name)
			       : err_errno(err, r, "look up user %s", name);
	*ret_uid = entry.pw_uid;
	return 0;
}
