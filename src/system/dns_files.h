/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layer 5: /etc/hosts and /etc/resolv.conf, read again whenever they have changed. */
#ifndef DOCKSIDE_SYSTEM_DNS_FILES_H
#define DOCKSIDE_SYSTEM_DNS_FILES_H

#include <sys/stat.h>

#include "dns_conf.h"
#include "dns_hosts.h"

/* Zero-initialise. */
struct dns_files {
	struct dns_conf conf;
	struct dns_hosts hosts;
	struct stat conf_stat, hosts_stat; /* as they were when they were read */
};

enum dns_changes {
	DNS_CONF_CHANGED = 1,
	DNS_HOSTS_CHANGED = 2,
};

/* Reads the files that have changed (disk_same_file()); returns them as bits. A file that is there
 * but cannot be read stays as it was; one that is missing is an empty one. */
unsigned dns_files_follow(struct dns_files *files);
void dns_files_free(struct dns_files *files);

#endif
