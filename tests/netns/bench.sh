#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The benchmarks still run, each part to its last row; how fast things are is not judged. TAP.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

export BENCH_NETWORKS=3 BENCH_RUNS=1 BENCH_ROUNDS=1 BENCH_IDLE=1 BENCH_FLOOD=60000 BENCH_FLOODS=1
export BENCH_QUESTIONS=500 BENCH_SECONDS=1

ends() # PART PATTERN: of its last line
{
	timeout 600 "$here/../bench/run" "$1" >$t/out 2>&1
	is "$1" "$? $(grep . $t/out | tail -n 1 | grep -coE "$2")" "0 1"
	tail -n 3 $t/out | comment
}
ends control '^diff, nothing changed +[0-9.]+'
ends packets '^new, TCP +[0-9.]+'
ends daemon '[0-9.]+ MiB resident, [0-9]+ wake-ups a minute'
ends flood '^all that were sent are counted'
ends gate '^apply, without a daemon +[0-9.]+'
finish
