/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that refused packets are written to (--log-file), a line of JSON each. */
#ifndef DOCKSIDE_DAEMON_DENIED_FILE_H
#define DOCKSIDE_DAEMON_DENIED_FILE_H

#include <stdbool.h>

#include "dockside/base/buf.h"

struct denied_file {
	const char *path; /* or NULL: there is none */
	int fd;		  /* or -1 */
	struct buf lines; /* to be written */
	bool failed;	  /* and it was said */
	bool torn;	  /* only the beginning of its last line was written */
};

/* path: borrowed; NULL: no file, and what is added is dropped. */
void denied_file_init(struct denied_file *file, const char *path);
void denied_file_close(struct denied_file *file);

/* Opens it, anew if it is open: it may have been moved away. */
void denied_file_open(struct denied_file *file);
/* Adds a line, for the next denied_file_write(). */
void denied_file_add(struct denied_file *file, const char *line);
/* Never waits. It drops what cannot be written, and says so once. */
void denied_file_write(struct denied_file *file);

#endif
