/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/log.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dockside/base/buf.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

static enum log_level max_level = LOG_LEVEL_INFO;

/* sd-daemon(3), syslog(3) */
static const char *const journal_prefixes[] = {
	[LOG_LEVEL_ERROR] = "<3>",
	[LOG_LEVEL_WARNING] = "<4>",
	[LOG_LEVEL_INFO] = "<6>",
	[LOG_LEVEL_DEBUG] = "<7>",
};
static_assert(ARRAY_SIZE(journal_prefixes) == LOG_LEVEL_DEBUG + 1, "a prefix for each level");

static const char *const plain_prefixes[] = {
	[LOG_LEVEL_ERROR] = "error: ",
	[LOG_LEVEL_WARNING] = "warning: ",
	[LOG_LEVEL_INFO] = "",
	[LOG_LEVEL_DEBUG] = "",
};
static_assert(ARRAY_SIZE(plain_prefixes) == LOG_LEVEL_DEBUG + 1, "a prefix for each level");

void log_set_level(enum log_level level)
{
	max_level = level;
}

bool log_wants(enum log_level level)
{
	return level <= max_level;
}

/* JOURNAL_STREAM is "DEVICE:INODE" of the stream that systemd gave us, and we may have been redirected
 * since (systemd.exec(5)). */
bool log_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	const char *colon = text ? strchr(text, ':') : NULL;
	uint64_t device, inode;
	struct stat st;

	return colon && parse_uint(text, (size_t)(colon - text), 0, UINT64_MAX, &device) &&
	       parse_uint(colon + 1, strlen(colon + 1), 0, UINT64_MAX, &inode) &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* Standard error that cannot be written to is nobody's to report. */
static void write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

/* One write(2), so that lines of several processes do not mix. A message of several lines (a
 * library's) keeps them; in the journal each needs the severity. */
static void log_lines(enum log_level level, const char *message)
{
	bool journal = log_is_journal();
	const char *prefix = journal ? journal_prefixes[level] : plain_prefixes[level];
	struct buf out = { 0 };

	do {
		size_t len = strcspn(message, "\n");
		buf_puts(&out, prefix);
		buf_add(&out, message, len);
		buf_putc(&out, '\n');
		message += len + (message[len] == '\n');
		if (!journal)
			prefix = "  ";
	} while (*message);
	write_all(out.data, out.len);
	buf_free(&out);
}

static void printf_like(2, 0) log_va(enum log_level level, const char *fmt, va_list ap)
{
	int saved_errno = errno;
	struct buf message = { 0 };

	if (log_wants(level)) {
		buf_vprintf(&message, fmt, ap);
		log_lines(level, buf_str(&message));
		buf_free(&message);
	}
	errno = saved_errno;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(level, fmt, ap);
	va_end(ap);
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
}

void log_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(LOG_LEVEL_WARNING, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}

static bool has_net_admin(void)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN));
}

void log_failure(const char *command, int r, const char *text)
{
	bool lacks = (r == -EPERM || r == -EACCES) && !has_net_admin();

	log_error("%s: %s%s", command, text,
		  lacks ? ": it needs CAP_NET_ADMIN, as root has it" : "");
}
