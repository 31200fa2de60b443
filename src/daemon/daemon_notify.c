/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_notify.h"

#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "daemon_alarms.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

/* Networks whose packets are judged; *ret_audited: those of them that refuse nothing. */
static size_t count_managed(const struct services *s, size_t *ret_audited)
{
	struct judge_result judged;
	size_t managed = 0;

	*ret_audited = 0;
	daemon_judged_now(s->judged, NULL, daemon_repair_state(s->repair).doubtful, &judged);
	for (size_t i = 0; i < judged.n; i++) {
		enum judged_state state = judged.items[i].state;

		managed += state != JUDGED_UNMANAGED && state != JUDGED_NOT;
		*ret_audited += state == JUDGED_AUDIT;
	}
	judge_result_free(&judged);
	return managed;
}

/* Networks that are not judged have words of their own. */
static size_t count_alarms(const struct services *s)
{
	struct daemon_view view;

	daemon_view_begin(s, &view);
	daemon_names_told(s->names);
	return daemon_alarms(&view, NULL, NULL);
}

void daemon_notify(const struct services *s)
{
	const struct names *names = &s->enforcer->names;
	struct repair_state repair = daemon_repair_state(s->repair);
	cleanup(cleanup_free) char *not_judged = NULL;
	char audit[64] = "", alarms[64] = "";
	size_t managed, audited, n_alarms;

	if (!s->enforcer->running)
		return;
	not_judged = daemon_judged_names(s->judged);
	managed = count_managed(s, &audited);
	n_alarms = count_alarms(s);
	if (audited > 0)
		snprintf(audit, sizeof(audit), "; AUDIT: %zu of them refuse nothing", audited);
	if (n_alarms > 0)
		snprintf(alarms, sizeof(alarms), "; %zu ALARM%s: see dsfw-nft status", n_alarms,
			 n_alarms == 1 ? "" : "S");
	sd_notifyf(0, "STATUS=enforcing %zu network%s, %zu name%s%s%s%s%s%s%s%s%s%s", managed,
		   plural(managed), names->n, plural(names->n),
		   daemon_files_alarm(s->files)
			   ? " of the LAST ACCEPTED configuration, as the files have errors"
			   : "",
		   not_judged[0] ? "; NOT JUDGED: " : "", not_judged,
		   repair.trouble ? "; the ruleset could not be put right" : "", audit, alarms,
		   daemon_load_state(s->load).failed
			   ? "; the last change of the configuration failed"
			   : "",
		   daemon_settings_error(s->settings) ? "; host settings are missing" : "",
		   repair.limited ? "; somebody keeps changing the ruleset" : "");
}
