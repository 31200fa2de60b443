/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dockside/base/text.h"

/* By name or by number. */
static int find_user(const char *user, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
	const struct passwd *entry;
	uint64_t number;

	errno = 0;
	entry = getpwnam(user);
	if (!entry && parse_uint(user, strlen(user), 1, UINT32_MAX - 1, &number)) {
		*ret_uid = (uid_t)number;
		*ret_gid = (gid_t)number;
		return 0;
	}
	if (!entry)
		return err_set(err, ENOENT, "there is no user %s: adduser --system --group %s",
			       user, user);
	if (entry->pw_uid == 0)
		return err_set(err, EPERM, "--user %s is root: the gate wants a user of its own",
			       user);
	*ret_uid = entry->pw_uid;
	*ret_gid = entry->pw_gid;
	return 0;
}

static int become(const char *user, struct err *err)
{
	uid_t uid = 0;
	gid_t gid = 0;
	int r = find_user(user, &uid, &gid, err);

	if (r < 0)
		return r;
	if (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_errno(err, errno, "become user %s", user);
	return 0;
}

static int drop_capabilities(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &header, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(err, errno, "drop all capabilities");
	return 0;
}

int gate_drop_privileges(const char *user, struct err *err)
{
	int r = 0;

	if (geteuid() == 0 && !user)
		return err_set(err, EPERM,
			       "the gate does not run as root: --user dsfw-gate, whom "
			       "`adduser --system --group dsfw-gate` makes");
	if (user && geteuid() == 0)
		r = become(user, err);
	else if (user)
		r = err_set(err, EPERM, "--user is for root, and the gate was not started by root");
	return r < 0 ? r : drop_capabilities(err);
}
