/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy as a drawing, in Graphviz' language. Pure. */
#ifndef DOCKSIDE_REPORT_GRAPH_H
#define DOCKSIDE_REPORT_GRAPH_H

#include "dockside/base/buf.h"
#include "dockside/policy/model.h"

/*
 * Appends a digraph for `dot`: a box for each network, what it may reach on the right, an arrow for
 * each pair with all the rules between the two, in the order in which they are tried. Names and
 * comments are quoted, so that `dot` takes nothing in them for its own language.
 */
void graph_policy(const struct policy *policy, struct buf *b);

#endif
