#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# scripts/Dockerfile, built by a real dockerd without a registry and without a network: debian:bookworm-slim is a Debian of
# scripts/debian-root that has the packages. Then the stack of agents runs with that image. TAP.
# shellcheck disable=SC2317 # what others call
top=$(dirname "$(realpath "$0")")/../..
roots=${DEBIAN_ROOTS:-${XDG_CACHE_HOME:-/var/cache}/dsfw-nft-test}
if [[ -z ${NETNS_TEST_INSIDE:-} && $(id -u) -eq 0 ]]; then
	if mountpoint -q /source; then
		echo "1..0 # SKIP in another Debian there is none to make an image of"
		exit 0
	fi
	"$top/scripts/debian-root" bookworm-image /source/scripts/install-packages build runtime >&2 || {
		echo "Bail out! no Debian to make an image of"
		exit 1
	}
fi
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# Layers are no copies of all below them; on tmpfs, overlays do.
# shellcheck disable=SC2034 # stack_lib.sh reads it
dockerd_options=(--storage-driver overlay2)
# shellcheck source=tests/docker/stack_lib.sh
. "$lab/stack_lib.sh"

tar -c -C "$roots/bookworm-image" --exclude=./var/cache/apt/archives --exclude=./usr/share/doc --exclude=./source . |
	docker import - debian:bookworm-slim >/dev/null || bail "no image of Debian"

# shown FORMAT: of the image
shown()
{
	docker image inspect -f "$1" dsfw-nft 2>&1
}

(cd "$top" && docker build -f scripts/Dockerfile --build-arg MIRROR=http://mirror.example/debian -t dsfw-nft .) >$t/build 2>&1
status=$?
result "docker build" "$([[ $status -eq 0 ]] || tail -n 40 $t/build)"
is "the program is that of this tree" "$(docker run --rm dsfw-nft version 2>&1)" "$("$DSFW_NFT" version)"
is "it starts the daemon, and Docker asks for its health" "$(shown '{{.Config.Entrypoint}} {{.Config.Cmd}}{{.Config.Healthcheck.Test}}')" \
	"[/usr/sbin/dsfw-nft] [daemon --socket /run/dockside/firewall.sock][CMD /usr/sbin/dsfw-nft status]"
like "apt would ask the mirror" "$(docker run --rm --entrypoint cat dsfw-nft /etc/apt/sources.list)" \
	'^deb (\[[^]]*\] )?http://mirror.example/debian/? bookworm main'

stack_up compose-agents agent-1 agent-2
listens agent-2 || bail "agent-2 does not listen"
agents_are_confined "with this image"
until_true 5 refused_by_name
result "denied knows" "$(refused_by_name || policy denied)"
status_is_good
finish
