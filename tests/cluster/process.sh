# Processes and cgroups of the test cluster. What was started is known twice: by a
# recorded pid with its start time, so that a recycled number is never taken for it,
# and by a cgroup of ours, which also holds what it started in turn.
# shellcheck shell=bash disable=SC2154,SC2034

if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
	CGROUP_VERSION=2 TRACK=/sys/fs/cgroup
else
	CGROUP_VERSION=1 TRACK=/sys/fs/cgroup/pids
fi

# Boot and start time of a process that runs; nothing for a zombie or none.
birth() {
	local stat
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
	stat=${stat##*) }
	# shellcheck disable=SC2086
	set -- $stat
	[ "$1" != Z ] && [ "$1" != X ] && echo "$(</proc/sys/kernel/random/boot_id) ${20}"
}

pid_of() { [ -e "$RUN/pid/$1" ] && echo "$(<"$RUN/pid/$1")"; }

alive() {
	local pid
	pid=$(pid_of "$1") && [ "$(birth "$pid")" = "$(cat "$RUN/born/$1" 2>/dev/null)" ]
}

# start NAME GROUP COMMAND...: in the background, in a cgroup of ours. The pid is
# recorded before the exec: there is no moment at which it runs unrecorded.
start() {
	local name=$1 group=$2
	shift 2
	! alive "$name" || return 0
	PART=$name
	rm -f "$RUN/born/$name"
	(
		echo "$BASHPID" >"$TRACK/$group/cgroup.procs"
		echo "$BASHPID" >"$RUN/pid/$name"
		birth "$BASHPID" >"$RUN/born/$name.new"
		mv "$RUN/born/$name.new" "$RUN/born/$name"
		exec setsid "$@" >>"$RUN/log/$name.log" 2>&1 </dev/null
	) &
	disown
	until [ -e "$RUN/born/$name" ]; do sleep 0.01; done
}

# stop NAME [SIGNAL]: returns when it is gone.
stop() {
	local i
	alive "$1" || return 0
	kill -s "${2:-KILL}" "$(pid_of "$1")" 2>/dev/null || true
	for ((i = 0; i < 500; i++)); do
		alive "$1" || return 0
		sleep 0.02
	done
	kill -s KILL "$(pid_of "$1")" 2>/dev/null || true
}

# wait_for NAME SECONDS COMMAND...: until it succeeds; fails at once when NAME has died.
wait_for() {
	local name=$1 until=$((SECONDS + $2))
	shift 2
	PART=$name
	until "$@" >/dev/null 2>&1; do
		alive "$name" || { say "$name has ended"; return 1; }
		[ $SECONDS -lt $until ] || { say "$name is not ready in time"; return 1; }
		sleep 0.1
	done
}

# A node's group holds two: "runtime" for the node's own programs and, made by the
# kubelet, "kubepods". Several kubelets on one machine need a root each, or each
# removes the others' pods.
make_group() {
	local hierarchy file
	if [ $CGROUP_VERSION = 2 ]; then
		mkdir -p "$TRACK/$1"
		for file in "$TRACK" "$TRACK/$1"; do
			for hierarchy in cpuset cpu io memory hugetlb pids; do
				echo "+$hierarchy" >"$file/cgroup.subtree_control" 2>/dev/null || true
			done
		done
	else
		for hierarchy in /sys/fs/cgroup/*/; do mkdir -p "$hierarchy$1" 2>/dev/null || true; done
		# A new cpuset group starts empty, and nothing can run in it.
		for file in cpuset.cpus cpuset.mems; do
			[ ! -e "/sys/fs/cgroup/cpuset/$file" ] || cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$1/$file"
		done
	fi
	mkdir -p "$TRACK/$1/runtime"
}

group_pids() { find "$TRACK/$1" -name cgroup.procs -exec cat {} + 2>/dev/null | grep -vx 0 || true; }

# Until it is empty: what is being forked meanwhile is met in the next round.
kill_group() {
	local i pids
	for ((i = 0; i < 200; i++)); do
		pids=$(group_pids "$1")
		[ -n "$pids" ] || return 0
		# shellcheck disable=SC2086
		kill -s KILL $pids 2>/dev/null || true
		sleep 0.05
	done
	say "processes in cgroup $1 do not end: $pids"
}

groups() {
	local group
	for group in "$TRACK"/sip-*; do [ ! -d "$group" ] || basename "$group"; done
}

remove_group() {
	local i
	for ((i = 0; i < 40; i++)); do
		find "/sys/fs/cgroup/$1" /sys/fs/cgroup/*/"$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
		[ -n "$(find "/sys/fs/cgroup/$1" /sys/fs/cgroup/*/"$1" -maxdepth 0 2>/dev/null)" ] || return 0
		sleep 0.05
	done
}
