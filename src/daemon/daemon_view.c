/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/daemon_view.h"

#include <stdlib.h>

void daemon_view_free(struct daemon_view *view)
{
	judge_result_free(&view->judged);
	free(view->resolver);
	*view = (struct daemon_view){ 0 };
}
