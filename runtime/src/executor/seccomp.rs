//! Seccomp: system calls that no task needs, and that have let programs out of rooms like these.
//!
//! Comes in: nothing. Goes out: filters that the calling thread puts on itself for good, and all that it becomes. What
//! is denied says `EPERM`, as it would without rights; `clone3` says `ENOSYS`, since a filter cannot see its flags and C
//! libraries then take `clone`; families of sockets say `EAFNOSUPPORT`. It never kills: a task that tries something is to
//! say so in its log.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule, TargetArch,
};

/// Denied whatever their arguments: mounts, other processes' memory, keys, the kernel's own programs and modules, handles of files,
/// rings that pass by filters, and what is the whole machine's.
const DENIED: &[libc::c_long] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_setns,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_open_by_handle_at,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Flags of `clone` and `unshare` that make namespaces.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// For `unshare` alone: in `clone` its bit is part of a signal's number.
const CLONE_NEWTIME: u64 = 0x80;

/// Ways to type into somebody's terminal.
const TERMINAL_REQUESTS: [u64; 2] = [0x5412 /* TIOCSTI */, 0x541c /* TIOCLINUX */];

/// Personalities that programs ask for: the usual one, 32 bits, fixed addresses (sanitizers), and the question which it is.
const PERSONALITIES: [u64; 4] = [0, 8, 0x0004_0000, 0xffff_ffff];

/// Families of sockets, all others being denied: many are rarely used and often broken.
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// On `x86_64` each call has a second number, of the x32 ABI.
#[cfg(target_arch = "x86_64")]
const X32: libc::c_long = 0x4000_0000;
/// Numbers that only that ABI has: `ptrace`, `kexec_load`, `process_vm_readv`, `process_vm_writev`.
#[cfg(target_arch = "x86_64")]
const X32_DENIED: [libc::c_long; 4] = [X32 + 521, X32 + 528, X32 + 539, X32 + 540];

/// Rules by the number of a call; no rule: denied always.
type Rules = BTreeMap<libc::c_long, Vec<Rule>>;

/// Puts the filters on the calling thread.
pub(crate) fn load() -> Result<(), String> {
    for filter in filters()? {
        seccompiler::apply_filter(&filter).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn filters() -> Result<[BpfProgram; 3], String> {
    let rules = || -> Result<_, seccompiler::BackendError> {
        Ok([
            (denied()?, libc::EPERM),
            (Rules::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS),
            (sockets()?, libc::EAFNOSUPPORT),
        ])
    };
    let [a, b, c] = rules().map_err(|error| error.to_string())?;
    Ok([compile(a)?, compile(b)?, compile(c)?])
}

fn compile((rules, errno): (Rules, libc::c_int)) -> Result<BpfProgram, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let errno = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(with_second_numbers(rules), SeccompAction::Allow, errno, arch);
    filter.and_then(BpfProgram::try_from).map_err(|error| error.to_string())
}

fn denied() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend(X32_DENIED.map(|call| (call, Vec::new())));
    let flag = |flag: u64| Rule::new(vec![condition(0, Op::MaskedEq(flag), flag)?]);
    let namespaces = || NAMESPACES.iter().map(|bit| flag(u64::from(bit.unsigned_abs())));
    rules.insert(libc::SYS_clone, namespaces().collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_unshare, namespaces().chain([flag(CLONE_NEWTIME)]).collect::<Result<_, _>>()?);
    let requests =
        TERMINAL_REQUESTS.map(|request| condition(1, Op::Eq, request).and_then(|is| Rule::new(vec![is])));
    rules.insert(libc::SYS_ioctl, requests.into_iter().collect::<Result<_, _>>()?);
    let strange = PERSONALITIES.iter().map(|known| condition(0, Op::Ne, *known)).collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_personality, vec![Rule::new(strange)?]);
    Ok(rules)
}

fn sockets() -> Result<Rules, seccompiler::BackendError> {
    let unknown = FAMILIES.iter().map(|family| condition(0, Op::Ne, u64::from(family.unsigned_abs())));
    let unknown = Rule::new(unknown.collect::<Result<_, _>>()?)?;
    let netlink = u64::from(libc::AF_NETLINK.unsigned_abs());
    // Of the kernel's own sockets only those that tell of addresses and routes, which C libraries use.
    let other_netlink = Rule::new(vec![condition(0, Op::Eq, netlink)?, condition(2, Op::Ne, 0)?])?;
    Ok(Rules::from([
        (libc::SYS_socket, vec![unknown.clone(), other_netlink.clone()]),
        (libc::SYS_socketpair, vec![unknown, other_netlink]),
    ]))
}

fn condition(argument: u8, operator: Op, value: u64) -> Result<Condition, seccompiler::BackendError> {
    Condition::new(argument, Length::Dword, operator, value)
}

#[cfg(target_arch = "x86_64")]
fn with_second_numbers(rules: Rules) -> Rules {
    let second: Rules = rules
        .iter()
        .filter(|(call, _)| **call < X32)
        .map(|(call, rules)| (call + X32, rules.clone()))
        .collect();
    rules.into_iter().chain(second).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn with_second_numbers(rules: Rules) -> Rules {
    rules
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The filters cannot be taken off again: so each look at them has a thread of its own.
    fn behind_the_filters<T: Send + 'static>(look: fn() -> T) -> T {
        std::thread::spawn(move || {
            load().unwrap();
            look()
        })
        .join()
        .unwrap()
    }

    #[test]
    fn denied_calls_say_so_and_usual_ones_work() {
        let said = behind_the_filters(|| {
            let family = rustix::net::AddressFamily::from_raw;
            let socket =
                |raw: u16| rustix::net::socket(family(raw), rustix::net::SocketType::STREAM, None).map(drop);
            let thread = std::thread::spawn(|| {}).join().is_ok();
            let all = [rustix::process::chroot("/"), socket(1), socket(2), socket(38 /* AF_ALG */)];
            (thread, all.map(|said| said.err().map(rustix::io::Errno::raw_os_error)))
        });
        assert_eq!(said, (true, [Some(libc::EPERM), None, None, Some(libc::EAFNOSUPPORT)]));
    }
}
