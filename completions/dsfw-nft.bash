# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Completion of dsfw-nft for bash. tests/commands compares it with the program, option by option.

_dsfw_nft_commands='init compile check apply diff graph daemon gate teardown status denied learn explain metrics reload refresh
	reconcile allow deny set-network remove-network set-ipset add-ipset del-ipset remove-ipset version help'

# COMMAND: its options
_dsfw_nft_options()
{
	local files='--network-config --firewall-config'
	local enforce="$files --mark-bit --forward-policy --log-group --gate-user"
	local client='--socket --json'
	case $1 in
	init) echo '--directory --network --subnet --preset --dns --yes --list-presets' ;;
	compile) echo "$files --mark-bit --log-group --gate-user --output -o --resolve --gate-document" ;;
	check) echo "$enforce --kernel --resolve --json" ;;
	apply) echo "$enforce --gate-socket --json" ;;
	diff) echo "$enforce --json" ;;
	graph) echo "$files --output -o" ;;
	daemon) echo "$enforce --socket --gate-socket --denied-log --metrics-listen --verbose" ;;
	gate) echo '--gate-socket --gate-port --policy --user' ;;
	denied) echo "$client --follow --tail --summary --network --container --since" ;;
	learn) echo "$files $client --since --apply --yes" ;;
	explain)
		echo "$files --mark-bit $client --from --to --proto --port --type --src --mac" \
			"--offline --no-resolve"
		;;
	metrics) echo '--socket --output -o' ;;
	teardown) echo "$files" ;;
	status) echo "$client --wait-networks --watch --interval" ;;
	reload | refresh | reconcile | allow | deny | add-ipset | del-ipset | remove-ipset) echo "$client" ;;
	set-ipset) echo "$client --replace" ;;
	set-network) echo "$client --network --firewall" ;;
	remove-network) echo "$client --force" ;;
	esac
}

# The names in the files where they usually are: of networks, and of ipsets (which hold no braces).
_dsfw_nft_networks()
{
	sed -E 's,(^|[[:space:]])//.*,,' /etc/dockside/network-config.json 2>/dev/null |
		grep -oE '"name"[[:space:]]*:[[:space:]]*"[^"]+"' | cut -d '"' -f 4
}

_dsfw_nft_ipsets()
{
	sed -E 's,(^|[[:space:]])//.*,,' /etc/dockside/firewall-config.json 2>/dev/null | tr -d '\n' |
		grep -oE '"ipsets"[[:space:]]*:[[:space:]]*\{[^}]*' |
		grep -oE '"[^"]+"[[:space:]]*:[[:space:]]*\[' | cut -d '"' -f 2
}

# The program knows them all.
_dsfw_nft_presets()
{
	dsfw-nft init --list-presets 2>/dev/null | sed -nE 's/^([a-z0-9-]+): .*/\1/p'
}

# OPTION: whether it takes an argument
_dsfw_nft_takes_argument()
{
	[[ $1 == --@(network-config|firewall-config|mark-bit|forward-policy|output|socket|network|firewall|from|to|proto|port|type|src|mac|log-group|gate-user|denied-log|metrics-listen|interval|since|tail|container|directory|subnet|preset|dns|gate-socket|gate-port|policy|user) ||
		$1 == -o ]]
}

# OPTION: completes its argument in $cur, of $command
_dsfw_nft_argument()
{
	case $1 in
	--forward-policy) mapfile -t COMPREPLY < <(compgen -W 'drop allow-accept' -- "$cur") ;;
	--proto) mapfile -t COMPREPLY < <(compgen -W 'tcp udp icmp' -- "$cur") ;;
	--from) mapfile -t COMPREPLY < <(compgen -W "$(_dsfw_nft_networks)" -- "$cur") ;;
	--to) mapfile -t COMPREPLY < <(compgen -A hostname -W host -- "$cur") ;;
	--port | --type | --src | --mac | --since | --subnet | --dns | --gate-port | --interval) ;;
	--metrics-listen) mapfile -t COMPREPLY < <(compgen -W '127.0.0.1:9853 none' -- "$cur") ;;
	--directory)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	--preset) mapfile -t COMPREPLY < <(compgen -W "help $(_dsfw_nft_presets)" -- "$cur") ;;
	--gate-user | --user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
	--log-group) mapfile -t COMPREPLY < <(compgen -W '20 none' -- "$cur") ;;
	--mark-bit) mapfile -t COMPREPLY < <(compgen -W '0x10000000' -- "$cur") ;;
	--network | --firewall)
		[[ $command != init ]] || return
		if [[ $command == denied ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_dsfw_nft_networks)" -- "$cur")
			return
		fi
		[[ $cur == @* ]] || return
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -P @ -- "${cur#@}")
		;;
	*)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	esac
}

# The operands so far, beside the command and its options.
_dsfw_nft_count_operands()
{
	local i n=0
	for ((i = 2; i < COMP_CWORD; i++)); do
		if _dsfw_nft_takes_argument "${COMP_WORDS[i]}"; then
			[[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
			((i++))
		elif [[ ${COMP_WORDS[i]} != -* ]]; then
			((n++))
		fi
	done
	echo "$n"
}

_dsfw_nft()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$_dsfw_nft_commands" -- "$cur")
		return
	fi
	# "=" is a word of its own: --forward-policy = drop
	[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
	[[ $cur == = ]] && cur=
	if _dsfw_nft_takes_argument "$prev"; then
		_dsfw_nft_argument "$prev"
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_dsfw_nft_options "$command")" -- "$cur")
	elif [[ $(_dsfw_nft_count_operands) -eq 0 ]]; then
		case $command in
		help) mapfile -t COMPREPLY < <(compgen -W "$_dsfw_nft_commands" -- "$cur") ;;
		allow | deny | set-network | remove-network | learn)
			mapfile -t COMPREPLY < <(compgen -W "$(_dsfw_nft_networks)" -- "$cur")
			;;
		set-ipset | add-ipset | del-ipset | remove-ipset)
			mapfile -t COMPREPLY < <(compgen -W "$(_dsfw_nft_ipsets)" -- "$cur")
			;;
		esac
	fi
} && complete -F _dsfw_nft dsfw-nft
