/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_files.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dockside/base/file.h"
#include "dockside/system/disk.h"

#define HOSTS_FILE "/etc/hosts"
#define HOSTS_MAX (64u << 20) /* block lists are long */
#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX (1u << 20)

/* The new contents of a file that is not as *known says, which is updated first: what is written in between is
 * read again the next time. Returns false where there are none; the caller frees *ret_text. */
static bool read_changed(const char *path, size_t max, struct stat *known, char **ret_text,
			 size_t *ret_len)
{
	struct stat st = { 0 };

	*ret_text = NULL;
	*ret_len = 0;
	if (stat(path, &st) < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return false;
		st = (struct stat){ .st_ino = 0, .st_size = -1 }; /* like no file */
	}
	if (disk_same_file(&st, known))
		return false;
	if (st.st_size >= 0 && read_file(path, max, ret_text, ret_len, NULL) < 0)
		return false;
	*known = st;
	return true;
}

unsigned dns_files_follow(struct dns_files *files)
{
	char hostname[HOSTNAME_MAX + 1] = "";
	unsigned changes = 0;
	char *text;
	size_t len;

	if (read_changed(HOSTS_FILE, HOSTS_MAX, &files->hosts_stat, &text, &len)) {
		dns_hosts_free(&files->hosts);
		dns_hosts_parse(text, len, &files->hosts);
		free(text);
		changes |= DNS_HOSTS_CHANGED;
	}
	if (read_changed(RESOLV_CONF, RESOLV_CONF_MAX, &files->conf_stat, &text, &len)) {
		if (gethostname(hostname, sizeof(hostname) - 1) < 0)
			hostname[0] = '\0';
		dns_conf_free(&files->conf);
		dns_conf_parse(text, len, hostname, &files->conf);
		free(text);
		changes |= DNS_CONF_CHANGED;
	}
	return changes;
}

void dns_files_free(struct dns_files *files)
{
	dns_hosts_free(&files->hosts);
	dns_conf_free(&files->conf);
}
