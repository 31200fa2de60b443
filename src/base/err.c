/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"

/* tail: what follows the message and ": ", or NULL. It may be the error's own text. */
static void printf_like(3, 0)
	replace(struct err *err, int code, const char *fmt, va_list ap, const char *tail)
{
	struct buf b = { 0 };

	buf_vprintf(&b, fmt, ap);
	if (tail)
		buf_printf(&b, ": %s", tail);
	free(err->text);
	err->text = buf_steal(&b);
	err->code = code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	assert(code > 0);
	va_start(ap, fmt);
	if (err)
		replace(err, code, fmt, ap, NULL);
	va_end(ap);
	return -code;
}

int err_errno(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	assert(code > 0);
	va_start(ap, fmt);
	if (err)
		replace(err, code, fmt, ap, strerror(code));
	va_end(ap);
	return -code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -EIO;
	assert(err->code > 0);
	va_start(ap, fmt);
	replace(err, err->code, fmt, ap, err->text);
	va_end(ap);
	return -err->code;
}

void err_free(struct err *err)
{
	if (!err)
		return;
	free(err->text);
	*err = (struct err){ 0 };
}
