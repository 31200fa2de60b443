/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * init writes both files or neither, and over none that is there. Each is complete under a name of its own before a
 * hard link, which fails where there is a file, gives it the real one; if the second link fails, the first goes again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dockside/base/exit_status.h"
#include "dockside/base/file.h"
#include "dockside/base/util.h"
#include "dockside/system/disk.h"
#include "dockside/system/log.h"
#include "init_plan.h"

static int write_beside(const char *path, const struct buf *text, char **ret_beside,
			struct err *err)
{
	const struct stat like = { .st_mode = 0644, .st_uid = geteuid(), .st_gid = getegid() };
	cleanup(cleanup_free) char *beside = xasprintf("%s.%d.new", path, (int)getpid());
	int r = disk_write_new(NULL, beside, &like, buf_str(text), text->len, err);

	if (r >= 0) {
		*ret_beside = beside;
		beside = NULL;
	}
	return r;
}

static int give_name(const char *beside, const char *path, struct err *err)
{
	int r = disk_link(NULL, beside, path);

	if (r == -EEXIST)
		return err_set(err, EEXIST, "%s has come meanwhile, and is left alone", path);
	return r < 0 ? err_errno(err, -r, "make %s", path) : 0;
}

static int write_both(const char *network_path, const char *firewall_path,
		      const struct buf *network, const struct buf *firewall, struct err *err)
{
	cleanup(cleanup_free) char *network_beside = NULL, *firewall_beside = NULL;
	int r;

	r = write_beside(network_path, network, &network_beside, err);
	if (r >= 0)
		r = write_beside(firewall_path, firewall, &firewall_beside, err);
	if (r >= 0)
		r = give_name(network_beside, network_path, err);
	if (r >= 0) {
		r = give_name(firewall_beside, firewall_path, err);
		if (r < 0)
			disk_unlink(NULL, network_path, NULL);
	}
	if (r >= 0)
		r = disk_sync_directory(NULL, network_path, err);
	if (network_beside)
		disk_unlink(NULL, network_beside, NULL);
	if (firewall_beside)
		disk_unlink(NULL, firewall_beside, NULL);
	return r;
}

/* The last part of the path alone: whoever gives a longer one that is not there has mistyped it. */
static int make_directory(const char *path, struct err *err)
{
	cleanup(cleanup_free) char *directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	if (!directory[0] || mkdir(directory, 0755) == 0 || errno == EEXIST)
		return 0;
	return err_errno(err, errno, "make directory %s", directory);
}

int init_write(const char *network_path, const char *firewall_path, const struct buf *network,
	       const struct buf *firewall)
{
	cleanup(cleanup_free) char *network_full = path_absolute(network_path);
	cleanup(cleanup_free) char *firewall_full = path_absolute(firewall_path);
	struct err err = { 0 };
	int r = make_directory(network_full, &err);

	if (r >= 0)
		r = write_both(network_full, firewall_full, network, firewall, &err);
	if (r < 0)
		log_error("init: %s; nothing was written", err.text);
	err_free(&err);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
