# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced after lib.sh: the image dsfw-nft without `docker build`, which takes a minute (dockerfile.sh does it): it has the
# program and the libraries of this machine, or, with $SIDECAR_TREE, that directory's content and the program.

# As the last stage of the Dockerfile, whose lines with square brackets are the changes.
program_image()
{
	local tree=$t/tree library changes
	mkdir -p $tree/{etc,usr/sbin,proc,sys,dev,run,var} || return
	if [[ -n ${SIDECAR_TREE:-} ]]; then
		cp -a "$SIDECAR_TREE/." $tree || return
	else
		# The program loads libcurl when it asks Docker.
		library=$(ldconfig -p | sed -n 's/.*libcurl\.so\.4 .* => //p' | head -1)
		{ ldd "$DSFW_NFT" && ldd "$library" && echo "$library"; } | grep -oE '/[^ ]+' | sort -u | while read -r library; do
			cp --parents -L "$library" $tree || return
		done
		mkdir $tree/bin && ln -s ../run $tree/var/run && cp "$(type -p busybox)" $tree/bin/busybox &&
			ln -s busybox $tree/bin/sh && ln -s busybox $tree/bin/touch || return
		printf 'root:x:0:0:root:/:/bin/sh\n' >$tree/etc/passwd
		echo 'hosts: files dns' >$tree/etc/nsswitch.conf
	fi
	cp "$DSFW_NFT" $tree/usr/sbin/dsfw-nft && chown -R 0:0 $tree/usr/sbin/dsfw-nft || return
	mapfile -t changes < <(grep -E '^(ENTRYPOINT|CMD|HEALTHCHECK) ' "$lab/../../scripts/Dockerfile")
	[[ ${#changes[@]} -eq 3 ]] || return
	image_from $tree dsfw-nft "${changes[@]}" && rm -r $tree
}
