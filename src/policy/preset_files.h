/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of rulesets/presets/, which scripts/presets-to-c turns into src/policy/preset_files.c. */
#ifndef DOCKSIDE_POLICY_PRESET_FILES_H
#define DOCKSIDE_POLICY_PRESET_FILES_H

#include <stddef.h>

/* The lines of all files, one file after the other; each file is one JSON object. NULL ends it. */
extern const char *const preset_lines[];
/* The index of each file's first line. */
extern const size_t preset_begins[];
extern const size_t n_presets;

#endif
