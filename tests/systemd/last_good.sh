#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Under a systemd, after a boot, with errors in the files: the last accepted configuration is enforced, Docker
# starts; and by the documented drop-in Docker does not where there is nothing to enforce. TAP.
# shellcheck disable=SC2016,SC2317 # what poll evaluates and calls
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"

unit=dsfw-nft.service
etc=/etc/dockside

show() # PROPERTY [UNIT]
{
	systemctl show -P "$1" "${2:-$unit}"
}

good_files()
{
	echo '{"networks": [{"name": "ds-a", "subnet": "172.30.1.0/24"}]}' >$etc/network-config.json
	echo '{"networks": {"ds-a": {"egress": [{"action": "drop"}]}}}' >$etc/firewall-config.json
}

drop_in() # UNIT LINE…
{
	mkdir -p /etc/systemd/system/"$1".d &&
		printf '%s\n' "[Unit]" "${@:2}" >/etc/systemd/system/"$1".d/test.conf
}

# states: of both
states()
{
	echo "$(show ActiveState) $(show ActiveState docker.service)"
}

chain_is_there()
{
	[[ $(nft list chain inet dockside ds-a-OUT 2>/dev/null) == *"goto refuse"* ]] && echo enforced
}

# at_boot: waits for what systemd does by itself
at_boot()
{
	poll 20 eval '[[ -z $(systemctl list-jobs --no-legend) ]]'
}

case $boot in
1)
	dpkg -i /test/package.deb >/dev/null 2>&1 || bail "it does not install"
	printf '%s\n' "[Service]" "Type=oneshot" "RemainAfterExit=yes" "ExecStart=true" "[Install]" \
		"WantedBy=multi-user.target" >/etc/systemd/system/docker.service
	good_files
	systemctl daemon-reload
	systemctl enable --now dsfw-nft docker >/dev/null 2>&1
	is "with good files it starts" "$(states) $(chain_is_there)" "active active enforced"
	is "the pair is kept" "$(stat -c '%a %U' /var/lib/dsfw-nft/last-good)" "600 root"
	echo '{"networks": {"ds-a": {"egres": []}}}' >$etc/firewall-config.json
	reboot_host
	;;
2)
	at_boot
	is "errors at boot: the last accepted configuration is enforced" "$(states) $(chain_is_there)" \
		"active active enforced"
	like "systemctl status says so" "$(show StatusText)" "LAST ACCEPTED configuration.*1 ALARM"
	like "the journal has it as an error" "$(journalctl -b -u $unit -p 3 -o cat)" "ALARM: since 20"
	rm -r $etc
	reboot_host
	;;
3)
	at_boot
	is "without the files' directory: likewise" "$(states) $(chain_is_there)" "active active enforced"
	mkdir $etc
	good_files
	is "a good reload ends that" "$(systemctl reload dsfw-nft && show StatusText)" "enforcing 1 network, 0 names"
	rm -r $etc /var/lib/dsfw-nft && mkdir $etc
	drop_in docker.service Requires=dsfw-nft.service After=dsfw-nft.service
	drop_in $unit ConditionPathExists=
	reboot_host
	;;
4)
	at_boot
	is "with the drop-in, and nothing to enforce: Docker does not start" \
		"$(show ActiveState docker.service) $(show Result docker.service)" "inactive success"
	like "but the unit tries" "$(show ActiveState)" "activating|failed"
	good_files
	poll 20 eval '[[ $(show ActiveState) == active ]]'
	systemctl start docker
	is "once there is, it does" "$(states)" "active active"
	before=$(show NRestarts) # it has tried while there was nothing to enforce
	systemctl kill -s KILL $unit
	poll 20 eval "[[ \$(show NRestarts) -gt $before && \$(show ActiveState) == active ]]"
	is "a crash does not stop Docker" "$(states)" "active active"
	finish
	;;
esac
