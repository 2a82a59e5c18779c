//! Hostile commands, and what must hold. Each prints `held` when its attack was refused and `ESCAPED: ...` when not.

use taskbot_runtime::executor::Layer;

use super::Ending::{Killed, TimedOut};
use super::{Ending, HostileCommand};

/// Of the shared memory that one of them leaves: `0x7a5b`, as `/proc/sysvipc/shm` shows it.
pub const SHARED_MEMORY_KEY: &str = " 31323 ";

const HELD: Ending = Ending::Held;

/// A command that must be refused what it tries.
const fn refused(name: &'static str, needs: &'static [Layer], script: &'static str) -> HostileCommand {
    HostileCommand { name, needs, script, ending: HELD, says: "held" }
}

/// A command that must be stopped.
const fn stopped(
    name: &'static str,
    ending: Ending,
    says: &'static str,
    script: &'static str,
) -> HostileCommand {
    HostileCommand { name, needs: &[], script, ending, says }
}

const ROOM: &[Layer] = &[Layer::Bubblewrap];
const FILTER: &[Layer] = &[Layer::Seccomp];
const GROUP: &[Layer] = &[Layer::Cgroup];

pub const COMMANDS: &[HostileCommand] = &[
    // What takes all that there is.
    stopped(
        "fork bomb",
        TimedOut,
        "",
        "bomb() { bomb | bomb & }; bomb 2>/dev/null; while :; do sleep 1; done",
    ),
    refused(
        "memory of one process",
        GROUP,
        "python3 -c 'x = b\"x\" * (1 << 30); print(\"ESCAPED: 1 GiB\")'; echo held",
    ),
    refused(
        "memory of many processes",
        GROUP,
        "for i in 1 2 3 4 5 6 7 8; do \
         python3 -c 'import sys, time; x = b\"x\" * (60 << 20); time.sleep(1); open(sys.argv[1], \"w\")' fits$i & done; \
         wait; [ $(ls | grep -c fits) -lt 8 ] && echo held",
    ),
    stopped(
        "disk filler",
        Killed,
        "of disk that it may use",
        "i=0; while :; do head -c 8388608 /dev/zero > f$i; i=$((i+1)); done",
    ),
    stopped(
        "inode filler",
        Killed,
        "more than the 2000 files",
        "python3 -c 'import itertools\nfor i in itertools.count(): open(str(i), \"w\").close()'",
    ),
    HostileCommand {
        name: "inode filler in memory",
        needs: ROOM,
        script: "python3 -c 'import itertools\nfor i in itertools.count(): open(f\"/tmp/{i}\", \"w\").close()'",
        ending: Killed,
        says: "files that it may in /tmp",
    },
    stopped(
        "deep directories",
        Killed,
        "nested deeper",
        "python3 -c 'import os, time\nfor i in range(3000): os.mkdir(\"d\"); os.chdir(\"d\")\ntime.sleep(50)'",
    ),
    stopped(
        "disk filler behind a directory without rights",
        Killed,
        "of disk that it may use",
        "mkdir d; cd d; i=0; while [ $i -lt 12 ]; do head -c 8388608 /dev/zero > f$i; i=$((i+1)); done; chmod 000 .; sleep 50",
    ),
    stopped("flood of output", TimedOut, "", "exec yes 'all work and no play'"),
    stopped(
        "processor burner",
        TimedOut,
        "",
        "for i in 1 2 3 4; do (while :; do :; done) & done; while :; do :; done",
    ),
    refused(
        "threads without end",
        GROUP,
        "python3 - <<'E'\nimport threading, time\nn = 0\ntry:\n    while n < 1000:\n        \
         threading.Thread(target=time.sleep, args=(1,), daemon=True).start(); n += 1\nexcept RuntimeError: pass\n\
         print('held' if n < 200 else 'ESCAPED: %d threads' % n, flush=True)\nE",
    ),
    refused(
        "descriptors without end",
        &[],
        "python3 - <<'E'\nfiles = []\ntry:\n    while len(files) < 100000: files.append(open('/dev/null'))\n\
         except OSError: pass\nprint('held' if len(files) <= 1024 else 'ESCAPED: %d' % len(files))\nE",
    ),
    refused("sparse file of 1 EiB", &[], "truncate -s 1E big && echo ESCAPED: 1 EiB; rm -f big; echo held"),
    refused(
        "filling /dev/shm and /tmp",
        ROOM,
        "head -c 1G /dev/zero > /dev/shm/f && echo ESCAPED: shm; rm -f /dev/shm/f; \
         head -c 1G /dev/zero > /tmp/f && echo ESCAPED: tmp; rm -f /tmp/f; echo held",
    ),
    refused(
        "core dumps",
        &[],
        "ulimit -c unlimited 2>/dev/null && echo ESCAPED: limit; for i in 1 2 3; do sh -c 'kill -SEGV $$'; done; \
         ls core* 2>/dev/null && echo ESCAPED: core; echo held",
    ),
    refused(
        "raising its limits",
        &[],
        "python3 - <<'E'\nfrom attack import *\nimport resource as r\n\
         for one in (r.RLIMIT_NOFILE, r.RLIMIT_FSIZE, r.RLIMIT_NPROC, r.RLIMIT_AS):\n    \
         refused('limit', r.setrlimit, one, (r.RLIM_INFINITY, r.RLIM_INFINITY))\nprint('held')\nE",
    ),
    refused(
        "a better nice value",
        ROOM,
        "python3 -c 'from attack import *; import os; refused(\"nice\", os.nice, -20)'; echo held",
    ),
    // What stays.
    stopped("ignoring TERM", TimedOut, "", "trap '' TERM HUP INT; while :; do sleep 1; done"),
    refused(
        "double fork in a session of its own",
        &[],
        "(setsid sh -c 'trap \"\" TERM HUP; sleep 3000 & sleep 3000' >/dev/null 2>&1 &) ; sleep 0.2; echo held",
    ),
    refused(
        "an orphan without environment, descriptors and terminal",
        &[],
        "env -i setsid python3 -c 'import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n\
         os.closerange(0, 1024); time.sleep(3000)'; echo held",
    ),
    refused(
        "a program whose file is gone",
        &[],
        "cp /usr/bin/sleep s; ./s 3000 & rm s; sleep 0.2; echo held",
    ),
    refused(
        "shared memory left behind",
        ROOM,
        "python3 - <<'E'\nfrom attack import *\nprint('made', call(number(29, 194), 0x7a5b, 4096, 0o1666))\nprint('held')\nE",
    ),
    refused("stopping itself with others", &[], "(sleep 3000 & kill -STOP $!) ; echo held"),
    // Other processes.
    refused("kill -9 -1", ROOM, "kill -9 -1; echo held"),
    refused(
        "signals to the first process",
        ROOM,
        "for s in KILL STOP TERM; do kill -$s 1 $PPID 2>/dev/null; done; echo held",
    ),
    refused(
        "signals to the daemon by its number",
        ROOM,
        "kill -0 $HOST_PID 2>/dev/null && grep -q hostile /proc/$HOST_PID/cmdline && echo ESCAPED: signal; echo held",
    ),
    refused(
        "processes of others in /proc",
        ROOM,
        "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; done 2>/dev/null | grep -q '[h]ostile_tasks' && echo ESCAPED: seen; echo held",
    ),
    refused(
        "ptrace",
        FILTER,
        "python3 - <<'E'\nfrom attack import *\nimport os\n\
         for pid in (1, os.getppid()): denied('ptrace', ['EPERM'], number(101, 117), 16, pid, 0, 0)\nprint('held')\nE",
    ),
    refused(
        "memory of other processes",
        FILTER,
        "python3 - <<'E'\nfrom attack import *\n\
         denied('process_vm_readv', ['EPERM'], number(310, 270), 1, 0, 0, 0, 0, 0)\n\
         denied('pidfd_getfd', ['EPERM'], number(438, 438), 0, 0, 0)\n\
         refused('memory of 1', open, '/proc/1/mem', 'r+b')\nprint('held')\nE",
    ),
    refused(
        "environment of the daemon",
        &[],
        "env | grep -E 'CARGO|RUST' && echo ESCAPED: own; cat /proc/1/environ 2>/dev/null | grep -q CARGO && echo ESCAPED: of 1; echo held",
    ),
    refused(
        "inherited descriptors",
        &[],
        "n=$(python3 -c 'import os; print(sum(os.path.exists(f\"/proc/self/fd/{n}\") for n in range(3, 1024)))'); \
         [ \"$n\" = 0 ] && echo held",
    ),
    // Files of others.
    refused(
        "the daemon's store",
        ROOM,
        "cat \"$STATE/taskbot.db\" && echo ESCAPED: read; ls \"$STATE\" && echo ESCAPED: listed; echo held",
    ),
    refused(
        "the checkout of another run",
        ROOM,
        "echo x >> \"$OTHER/file\" && cat \"$OTHER/file\" && echo ESCAPED: read; echo held",
    ),
    refused(
        "a hard link to a secret",
        ROOM,
        "ln \"$STATE/taskbot.db\" l && echo ESCAPED: linked; ln -s \"$STATE/taskbot.db\" s; cat s && echo ESCAPED: read; echo held",
    ),
    refused(
        "homes of people",
        ROOM,
        "ls /home /root /var/lib 2>/dev/null | grep . && echo ESCAPED: listed; echo held",
    ),
    refused(
        "passwords and keys",
        ROOM,
        "cat /etc/shadow /etc/ssh/ssh_host_* && echo ESCAPED: read; ls /etc/ssl/private && echo ESCAPED; echo held",
    ),
    refused(
        "its own checkout",
        &[],
        "echo x > \"$TASK/attack.py\" && echo ESCAPED: written; rm -f \"$TASK/attack.py\"; [ -s \"$TASK/attack.py\" ] && echo held",
    ),
    refused(
        "the system's files",
        ROOM,
        "for f in /usr/x /etc/x /x /usr/bin/env /run/taskbot/taskbot /dev/x; do (echo x > $f) 2>/dev/null && echo ESCAPED: $f; done; echo held",
    ),
    refused(
        "moving its own directory",
        ROOM,
        "mv \"$W\" \"$W-away\" && echo ESCAPED: moved; rmdir \"$W\" && echo ESCAPED: removed; echo held",
    ),
    // Rights.
    refused(
        "set-user-id programs",
        ROOM,
        "cp /usr/bin/id i; chmod 6755 i; [ \"$(./i -u)\" = \"$(id -u)\" ] || echo ESCAPED: i; \
         echo | su -c 'echo ESCAPED: su' 2>/dev/null; grep -q 'NoNewPrivs:.1' /proc/self/status && echo held",
    ),
    refused(
        "becoming root",
        ROOM,
        "python3 - <<'E'\nfrom attack import *\nimport os\nif os.getuid() == 0: print('ESCAPED: is root')\n\
         refused('setuid', os.setuid, 0)\nrefused('setgroups', os.setgroups, [0])\nprint('held')\nE\n\
         grep -E 'Cap(Inh|Prm|Eff|Amb):' /proc/self/status | grep -v ':.0000000000000000' && echo ESCAPED: capabilities; echo held",
    ),
    refused(
        "mounts",
        FILTER,
        "python3 - <<'E'\nfrom attack import *\nimport os\nrefused('chroot', os.chroot, '/')\n\
         for name, nr in (('mount', number(165, 40)), ('umount2', number(166, 39)), ('pivot_root', number(155, 41)), \
         ('open_tree', 428), ('move_mount', 429), ('fsopen', 430), ('mount_setattr', 442)): denied(name, ['EPERM'], nr, 0, 0, 0, 0, 0)\n\
         print('held')\nE",
    ),
    refused(
        "namespaces of its own",
        FILTER,
        "unshare -Ur true 2>/dev/null && echo ESCAPED: unshare; python3 - <<'E'\nfrom attack import *\n\
         denied('clone3', ['ENOSYS'], 435, 0, 0)\ndenied('setns', ['EPERM'], number(308, 268), 0, 0)\n\
         denied('clone', ['EPERM'], number(56, 220), 0x10000000 | 17, 0, 0, 0, 0)\n\
         denied('unshare', ['EPERM'], number(272, 97), 0x20000)\nprint('held')\nE",
    ),
    refused(
        "dark corners of the kernel",
        FILTER,
        "python3 - <<'E'\nfrom attack import *\n\
         for name, nr in (('bpf', number(321, 280)), ('perf_event_open', number(298, 241)), ('userfaultfd', number(323, 282)), \
         ('kexec_load', number(246, 104)), ('init_module', number(175, 105)), ('finit_module', number(313, 273)), \
         ('delete_module', number(176, 106)), ('open_by_handle_at', number(304, 265)), ('io_uring_setup', 425), \
         ('io_uring_enter', 426), ('quotactl', number(179, 60)), ('swapon', number(167, 224)), ('acct', number(163, 89)), \
         ('syslog', number(103, 116)), ('fanotify_init', number(300, 262))): denied(name, ['EPERM'], nr, 0, 0, 0, 0, 0)\n\
         denied('personality', ['EPERM'], number(135, 92), 0x0400000)\nprint('held')\nE",
    ),
    refused(
        "the second numbers of system calls",
        FILTER,
        "python3 - <<'E'\nfrom attack import *\nimport platform\nif platform.machine() == 'x86_64':\n    \
         for nr in (165, 272, 425): denied('x32', ['EPERM', 'ENOSYS'], 0x40000000 + nr, 0, 0, 0, 0)\nprint('held')\nE",
    ),
    refused(
        "the kernel's keys",
        FILTER,
        "python3 - <<'E'\nfrom attack import *\n\
         for nr in (number(248, 217), number(249, 218), number(250, 219)): denied('keys', ['EPERM'], nr, 0, 0, 0, 0, 0)\nprint('held')\nE",
    ),
    refused(
        "typing into a terminal",
        FILTER,
        "python3 - <<'E'\nfrom attack import *\nimport os\nrefused('terminal', open, '/dev/tty', 'r+b')\n\
         denied('TIOCSTI', ['EPERM'], number(16, 29), 1, 0x5412, 0)\ndenied('TIOCLINUX', ['EPERM'], number(16, 29), 1, 0x541c, 0)\nprint('held')\nE",
    ),
    refused(
        "devices",
        ROOM,
        "mknod d b 8 0 && echo ESCAPED: made; cat /dev/mem /dev/kmsg /dev/sda /dev/vda 2>/dev/null && echo ESCAPED: read; echo held",
    ),
    refused("the clock", FILTER, "date -s '2001-01-01' >/dev/null 2>&1 && echo ESCAPED: set; echo held"),
    refused("the machine's name", &[], "hostname pwned 2>/dev/null && echo ESCAPED: named; echo held"),
    refused(
        "settings of the kernel",
        ROOM,
        "for f in /proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches /proc/sysrq-trigger /proc/self/oom_score_adj_min; do \
         (echo h > $f) 2>/dev/null && echo ESCAPED: $f; done; [ -e /sys/kernel ] && echo ESCAPED: sys; echo held",
    ),
    refused(
        "leaving its control group",
        ROOM,
        "[ -n \"$(find / -xdev -name cgroup.procs 2>/dev/null)\" ] && echo ESCAPED; \
         mkdir /sys/fs/cgroup/x 2>/dev/null && echo ESCAPED: group; echo held",
    ),
    refused(
        "a way out by the root of others",
        ROOM,
        "cat \"/proc/1/root$STATE/taskbot.db\" && echo ESCAPED: root; \
         ls /proc/1/cwd/ >/dev/null 2>&1 && [ -e \"/proc/1/cwd$STATE\" ] && echo ESCAPED; \
         cd /; cd ../../..; [ -e \"$STATE\" ] && echo ESCAPED: above; echo held",
    ),
    // The network.
    refused(
        "services of the machine and its network",
        ROOM,
        "python3 - <<'E'\nfrom attack import *\nimport os, socket\n\
port = int(os.environ['PORT'])\n\
         for host, port in (('127.0.0.1', port), ('169.254.169.254', 80), ('10.0.0.1', 53), ('1.1.1.1', 443), ('::1', port)):\n    \
         refused(host, socket.create_connection, (host, port), 2)\nprint('held')\nE",
    ),
    refused(
        "abstract sockets of the machine",
        ROOM,
        "python3 - <<'E'\nfrom attack import *\nimport os, socket\n\
         refused('abstract', socket.socket(socket.AF_UNIX).connect, '\\0' + os.environ['ABSTRACT'])\nprint('held')\nE",
    ),
    refused(
        "raw sockets and rare families",
        &[Layer::Seccomp, Layer::Bubblewrap],
        "python3 - <<'E'\nfrom attack import *\nimport socket\n\
         refused('raw', socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)\n\
         for family in (17, 38, 40, 21, 29, 31, 44): denied('family %d' % family, ['EAFNOSUPPORT'], number(41, 198), family, 2, 0)\n\
         denied('netlink', ['EAFNOSUPPORT'], number(41, 198), 16, 3, 12)\nprint('held')\nE",
    ),
];
