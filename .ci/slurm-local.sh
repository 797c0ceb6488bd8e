#!/bin/bash
# A private Slurm cluster on this machine, for the tests of recipes submit: no systemd, no cgroups, no database, nothing outside DIR.
#
#   slurm-local.sh start DIR [NODES]   start munged, slurmctld and NODES (3) slurmd, wait until all nodes are idle
#   eval "$(slurm-local.sh env DIR)"   SLURM_CONF for sbatch, squeue, scontrol
#   slurm-local.sh fail DIR NODE       end one node's slurmd and what it started, as a crash would (by id)
#   slurm-local.sh revive DIR NODE     start that slurmd again
#   slurm-local.sh stop DIR            end what start has started, by id, newest first
#
# Needs Debian's slurmctld slurmd slurm-client munge (slurm-wlm is these and documentation). Everything lives in DIR: configuration, key, sockets, logs, pids.
# It ends by id, and only daemons whose id and start time it wrote down, and programs that carry this cluster's SLURM_CONF and a node's name in their environment.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2; }
say() { echo "slurm-local: $*" >&2; }

# started PID: when a process started, in ticks after boot; nothing if there is none. The id and this name a process for good.
started() { local s; s=$(cat "/proc/$1/stat" 2>/dev/null) || return 0; s=${s##*) }; set -- $s; [ "$1" = Z ] || echo "${20}"; }
remember() { echo "$2 $(started "$2") $1" >>"$DIR/pids"; }  # remember NAME PID

# spawn NAME COMMAND...: in the foreground of a new session, output to a file
spawn() {
	local name=$1; shift
	setsid "$@" >"$DIR/log/$name.out" 2>&1 </dev/null &
	remember "$name" $!
}

# until SECONDS WHAT COMMAND...: wait for a command to succeed
until_ok() {
	local end=$((SECONDS + $1)) what=$2; shift 2
	until "$@" >/dev/null 2>&1; do
		if [ $SECONDS -ge "$end" ]; then say "no $what"; tail -n 3 "$DIR"/log/* >&2 || true; return 1; fi
		sleep 0.1
	done
}

# end PID START SIGNAL: signal a process if it is the one that was written down
end() { [ "$(started "$1")" = "$2" ] && kill "-$3" "$1" 2>/dev/null || true; }

# jobs_of NODE: what this cluster runs on a node: the processes with its SLURM_CONF and SLURMD_NODENAME in their environment. Each job's slurmstepd, which leaves
# slurmd's tree, is the parent of the first of them.
jobs_of() {
	local e p
	for e in /proc/[0-9]*/environ; do
		p=${e#/proc/}; p=${p%/environ}
		if { tr '\0' '\n' <"$e"; } 2>/dev/null | awk -v c="SLURM_CONF=$DIR/slurm.conf" -v n="SLURMD_NODENAME=$1" '$0==c{a=1} $0==n{b=1} END{exit !(a&&b)}'; then echo "$p"; fi
	done
}
steps_of() { local p; for p in "$@"; do awk '/^PPid:/{print $2}' "/proc/$p/status" 2>/dev/null; done | sort -u | while read -r p; do [ "$(cat "/proc/$p/comm" 2>/dev/null)" = slurmstepd ] && echo "$p" || true; done; }

configure() {
	local host cores memory
	host=$(hostname -s); cores=$(nproc); memory=$(awk '/MemTotal/{print int($2/1024)}' /proc/meminfo)
	# ports beyond the usual ones (6817, 6818), so that a real cluster on this machine is left alone
	local port=${SLURM_LOCAL_PORT:-17817} p
	for p in $(seq "$port" $((port + NODES))); do
		if (: <"/dev/tcp/127.0.0.1/$p") 2>/dev/null; then say "port $p is taken: set SLURM_LOCAL_PORT to the first of $((NODES + 1)) free ones"; exit 1; fi
	done
	cat >"$DIR/slurm.conf" <<CONF
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
# a requeued job is not started again before its credential has expired, which takes 120 s by default
AuthInfo=socket=$DIR/munge.socket,cred_expire=5
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool.%n
SlurmctldPidFile=$DIR/slurmctld.pid
SlurmdPidFile=$DIR/slurmd.%n.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd.%n.log
# no cgroups, no systemd, no affinity, no MPI
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
# no database: what ended is in a text file
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$DIR/log/jobs.txt
# whole cores as consumable resources; each node says what it has, whatever the machine has
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=2
# a lost node shows within seconds, not in five minutes; it serves again as soon as it registers
SlurmdTimeout=5
SlurmctldTimeout=10
InactiveLimit=0
KillWait=2
UnkillableStepTimeout=20
ReturnToService=2
MinJobAge=300
# GPUs that are none: --gres=gpu:1 gives a task its number in CUDA_VISIBLE_DEVICES
GresTypes=gpu
NodeName=n[1-$NODES] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + NODES))] CPUs=$cores RealMemory=$memory Gres=gpu:1 State=UNKNOWN
PartitionName=local Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
	echo "Name=gpu File=/dev/null" >"$DIR/gres.conf"
}

node() { spawn "slurmd.$1" env SLURM_CONF="$DIR/slurm.conf" slurmd -D -N "$1"; }
idle() { [ "$(sinfo -h -N -o %T | grep -c '^idle$')" -eq "$NODES" ]; }

start() {
	NODES=${1:-3}
	for c in munged slurmctld slurmd sbatch; do command -v $c >/dev/null || { say "$c is not installed: apt-get install --no-install-recommends slurmctld slurmd slurm-client munge"; exit 1; }; done
	[ ! -e "$DIR/pids" ] || { say "$DIR has a cluster: stop it first"; exit 1; }
	rm -rf "$DIR"/spool.* "$DIR/state" # a job of a cluster that was killed here would be recovered
	mkdir -p "$DIR/state" "$DIR/log"
	configure
	: >"$DIR/pids"
	trap '[ $? -eq 0 ] || stop' EXIT
	for i in $(seq "$NODES"); do mkdir -p "$DIR/spool.n$i"; done
	[ -e "$DIR/munge.key" ] || (umask 077; head -c 1024 /dev/urandom >"$DIR/munge.key")
	export SLURM_CONF="$DIR/slurm.conf"
	# --force: a socket below a folder that others may write to, such as /tmp, is an error otherwise
	spawn munged munged --foreground --force --num-threads=2 --key-file="$DIR/munge.key" --socket="$DIR/munge.socket" --pid-file="$DIR/munged.pid" --log-file="$DIR/log/munged.log" --seed-file="$DIR/munge.seed"
	until_ok 20 munged munge --no-input --socket="$DIR/munge.socket"
	spawn slurmctld slurmctld -D -i -c
	until_ok 30 slurmctld scontrol --oneliner ping
	for i in $(seq "$NODES"); do node "n$i"; done
	until_ok 60 "idle nodes" idle
	say "$NODES nodes are idle after $SECONDS s"
}

stop() {
	[ -e "$DIR/pids" ] || { say "no cluster in $DIR"; return 0; }
	export SLURM_CONF="$DIR/slurm.conf"
	timeout 10 scancel --full --state=RUNNING,PENDING -u "$(id -un)" 2>/dev/null || true
	for _ in $(seq 50); do [ -n "$(timeout 5 squeue -h 2>/dev/null)" ] || break; sleep 0.1; done
	local pid at name left
	while read -r pid at name; do end "$pid" "$at" TERM; done < <(tac "$DIR/pids")
	for _ in $(seq 100); do
		left=
		while read -r pid at name; do [ "$(started "$pid")" != "$at" ] || left=$name; done <"$DIR/pids"
		[ -n "$left" ] || break
		sleep 0.1
	done
	while read -r pid at name; do end "$pid" "$at" KILL; done < <(tac "$DIR/pids")
	for name in $(awk '$3 ~ /^slurmd\./ {sub("slurmd.", "", $3); print $3}' "$DIR/pids" | sort -u); do lost "$name"; done
	rm -f "$DIR/pids"
	say "stopped"
}

# lost NODE: end what still runs there, slurmstepds first, so that none of them reports how the programs ended
lost() {
	local jobs steps p
	jobs=$(jobs_of "$1"); steps=$(steps_of $jobs)
	for p in $steps $jobs; do kill -KILL "$p" 2>/dev/null || true; done
}

# fail NODE: no warning to anyone, as when a machine loses its power. slurmd goes first, for it would tell the controller of slurmstepds that end
fail() {
	local pid at name
	while read -r pid at name; do [ "$name" != "slurmd.$1" ] || end "$pid" "$at" KILL; done <"$DIR/pids"
	lost "$1"
}

[ $# -ge 2 ] || usage
command=$1; mkdir -p "$2"; DIR=$(cd "$2" && pwd); shift 2
case $command in
start) start "$@" ;;
stop) stop ;;
env) echo "export SLURM_CONF='$DIR/slurm.conf'" ;;
fail) fail "$1" ;;
revive) export SLURM_CONF="$DIR/slurm.conf"; node "$1" ;;
*) usage ;;
esac
