# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced after ../netns/lib.sh by the tests against a fake Engine API, see fake_docker.py.

fake=$t/fake.sock
fake_rules=$t/fake.rules
fake_log=$t/fake.log
fake_pid=
docker_tests=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
# shellcheck disable=SC2034 # where ../netns is
here=$docker_tests/../netns
export DOCKER_HOST=unix://$fake

fake_start()
{
	: >"$fake_rules"
	: >"$fake_log"
	python3 "$docker_tests/fake_docker.py" serve "$fake" "$fake_rules" "$fake_log" 2>$t/fake.err &
	fake_pid=$!
	until_true 5 fake_tell about Os linux || bail "no fake: $(<$t/fake.err)"
}

# The socket stays and nobody listens.
fake_stop()
{
	kill -KILL "$fake_pid"
	wait "$fake_pid" 2>/dev/null
}

fake_tell()
{
	python3 "$docker_tests/fake_docker.py" tell "$fake" "$@" 2>/dev/null
}

# fake_behaves RULE…: how it answers from now on
fake_behaves()
{
	printf '%s\n' "$@" >"$fake_rules.new" && mv "$fake_rules.new" "$fake_rules"
	: >"$fake_log"
}
