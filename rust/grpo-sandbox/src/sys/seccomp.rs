//! The system calls a program may not make.
//!
//! A deny-list in three answers: `EPERM` for what honest libraries try and survive, `ENOSYS` for
//! calls whose arguments a filter cannot see, and death (`SIGSYS`) for what only an attack makes.
//! Calls newer than the list answer `ENOSYS`, so a new kernel opens nothing.

use std::{collections::BTreeMap, env::consts::ARCH};

use libc::{c_long, sock_filter};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// Stands for the program's own process id, which is known only after the fork.
const OWN_PID: u32 = 0x5EAD_BEEF;
/// The last system call this list was written for (`mseal`); numbers from 424 on are the same everywhere.
const NEWEST_KNOWN_CALL: u32 = 462;
/// Set in the numbers of x86-64's second ABI, which would bypass every rule below.
const X32_BIT: u32 = 0x4000_0000;

/// System call numbers by name, without a line for each.
macro_rules! calls {
    ($($name:ident)*) => { &[$(libc::$name),*] };
}

/// No answer to a question on stdin needs these.
const KILL: &[c_long] = calls! {
    // other processes' memory and descriptors
    SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_process_madvise SYS_pidfd_getfd
    SYS_kcmp
    // namespaces and mounts
    SYS_unshare SYS_setns SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_open_tree
    SYS_move_mount SYS_mount_setattr SYS_fsopen SYS_fsconfig SYS_fsmount SYS_fspick
    SYS_open_by_handle_at
    // the kernel's own machinery, where its exploits live
    SYS_bpf SYS_perf_event_open SYS_userfaultfd SYS_io_uring_setup SYS_io_uring_enter
    SYS_io_uring_register SYS_keyctl SYS_add_key SYS_request_key SYS_init_module SYS_finit_module
    SYS_delete_module SYS_kexec_load SYS_reboot SYS_swapon SYS_swapoff SYS_acct SYS_quotactl
    SYS_fanotify_init
};
#[cfg(target_arch = "x86_64")]
const KILL_X86_64: &[c_long] = calls! {
    SYS_kexec_file_load SYS_iopl SYS_ioperm SYS_modify_ldt
};
#[cfg(not(target_arch = "x86_64"))]
const KILL_X86_64: &[c_long] = &[];

/// A library may try these and go on without.
const REFUSE: &[c_long] = calls! {
    // the network; `socketpair` has a rule of its own
    SYS_socket SYS_connect SYS_bind SYS_listen SYS_accept SYS_accept4
    // file metadata, which Landlock does not cover
    SYS_fchmod SYS_fchmodat SYS_fchown SYS_fchownat SYS_utimensat SYS_setxattr SYS_lsetxattr
    SYS_fsetxattr SYS_removexattr SYS_lremovexattr SYS_fremovexattr SYS_truncate SYS_name_to_handle_at
    // memory and messages that outlive or escape the limits
    SYS_memfd_create SYS_memfd_secret SYS_shmget SYS_semget SYS_msgget SYS_mq_open
    SYS_inotify_init1
    // other processes: signals, priorities, and leaving the group that is killed at the end
    SYS_pidfd_open SYS_pidfd_send_signal SYS_tkill SYS_rt_sigqueueinfo SYS_rt_tgsigqueueinfo
    SYS_setsid SYS_setpgid SYS_setpriority SYS_ioprio_set SYS_sched_setscheduler
    SYS_sched_setparam SYS_sched_setattr SYS_sched_setaffinity SYS_syslog
};
#[cfg(target_arch = "x86_64")]
const REFUSE_X86_64: &[c_long] = calls! {
    SYS_chmod SYS_chown SYS_lchown SYS_utime SYS_utimes SYS_futimesat SYS_inotify_init
};
#[cfg(not(target_arch = "x86_64"))]
const REFUSE_X86_64: &[c_long] = &[];

/// Their flags are behind a pointer; C libraries fall back to the older call on `ENOSYS`.
const UNKNOWN: &[c_long] = &[libc::SYS_clone3, libc::SYS_openat2];

/// What depends on the limits and on the kernel.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    /// Refuse new processes (threads stay allowed).
    pub(crate) single_process: bool,
    /// Refuse signals to any process but the caller itself.
    pub(crate) own_signals_only: bool,
}

/// Compiled filters, installed one after the other: the strictest answer wins.
pub(crate) struct Filters(Vec<Vec<sock_filter>>);

impl Filters {
    pub(crate) fn new(policy: Policy) -> Result<Self, seccompiler::Error> {
        let deny = |lists: &[&[c_long]]| {
            lists.concat().into_iter().map(|call| (call, Vec::new())).collect()
        };
        let errno = |code: i32| SeccompAction::Errno(code.unsigned_abs());
        let mut refused: BTreeMap<i64, Vec<SeccompRule>> =
            deny(&[REFUSE, REFUSE_X86_64, &[FCHMODAT2]]);
        refused.extend(conditional(policy)?);
        Ok(Self(vec![
            compile(refused, errno(libc::EPERM))?,
            compile(deny(&[UNKNOWN]), errno(libc::ENOSYS))?,
            compile(deny(&[KILL, KILL_X86_64]), SeccompAction::KillProcess)?,
        ]))
    }

    /// Puts the caller's process id where the rules left room for it. Allocates nothing.
    pub(super) fn set_own_pid(&mut self, pid: u32) {
        for instruction in
            self.0.iter_mut().flatten().filter(|instruction| instruction.k == OWN_PID)
        {
            instruction.k = pid;
        }
    }

    pub(super) fn programs(&mut self) -> impl Iterator<Item = &mut [sock_filter]> {
        self.0.iter_mut().map(Vec::as_mut_slice)
    }
}

/// Whether the kernel can filter system calls with the answers used here.
pub(crate) fn is_available() -> bool {
    let action = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: the call only reads the four bytes at `action`, which outlives it.
    let answer = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action)
    };
    answer == 0 && TargetArch::try_from(ARCH).is_ok()
}

/// Rules that look at arguments. Conditions within one rule are joined by "and", rules by "or".
fn conditional(policy: Policy) -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::Error> {
    use SeccompCmpOp::{Eq, MaskedEq, Ne};

    let rule = |argument: u8, operation: SeccompCmpOp, value: i32| {
        SeccompRule::new(vec![SeccompCondition::new(argument, Dword, operation, bits(value))?])
    };
    let has = |argument: u8, flag: i32| rule(argument, MaskedEq(bits(flag)), flag);
    let lacks = |argument: u8, flag: i32| rule(argument, MaskedEq(bits(flag)), 0);
    // Opening for reading and truncating at once needs no right to write before Landlock 3.
    let truncates = |argument: u8| {
        rule(argument, MaskedEq(bits(libc::O_TRUNC | libc::O_ACCMODE)), libc::O_TRUNC)
    };

    let mut clone = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_PARENT,
    ]
    .into_iter()
    .map(|flag| has(0, flag))
    .collect::<Result<Vec<_>, _>>()?;
    if policy.single_process {
        clone.push(lacks(0, libc::CLONE_THREAD)?);
    }
    let mut rules = BTreeMap::from([
        (libc::SYS_clone, clone),
        (libc::SYS_openat, vec![truncates(2)?]),
        // Unnamed stream pairs (asyncio's wake-up) reach nobody; datagram pairs can be given an address.
        (
            libc::SYS_socketpair,
            vec![rule(0, Ne, libc::AF_UNIX)?, lacks(1, 1)?, has(1, 2)?, has(1, 4)?, has(1, 8)?],
        ),
        (libc::SYS_prlimit64, vec![rule(0, Ne, 0)?]),
        // Signals by way of descriptors, holding up those who open a file, and outliving the caller.
        (
            libc::SYS_fcntl,
            vec![
                rule(1, Eq, libc::F_SETOWN)?,
                rule(1, Eq, F_SETSIG)?,
                rule(1, Eq, F_SETOWN_EX)?,
                rule(1, Eq, libc::F_SETLEASE)?,
            ],
        ),
        (
            libc::SYS_ioctl,
            vec![rule(1, Eq, FIOSETOWN)?, rule(1, Eq, SIOCSPGRP)?, rule(1, Eq, TIOCSTI)?],
        ),
        (libc::SYS_prctl, vec![rule(0, Eq, libc::PR_SET_PDEATHSIG)?]),
    ]);
    #[cfg(target_arch = "x86_64")]
    {
        rules.insert(libc::SYS_open, vec![truncates(1)?]);
        if policy.single_process {
            rules.extend([libc::SYS_fork, libc::SYS_vfork].map(|call| (call, Vec::new())));
        }
    }
    if policy.own_signals_only {
        let own = i32::from_ne_bytes(OWN_PID.to_ne_bytes());
        for call in [libc::SYS_kill, libc::SYS_tgkill] {
            rules.insert(call, vec![rule(0, Ne, own)?]);
        }
    }
    Ok(rules)
}

/// Missing from the `libc` crate on some targets.
const FCHMODAT2: c_long = 452;
const F_SETSIG: i32 = 10;
const F_SETOWN_EX: i32 = 15;
const FIOSETOWN: i32 = 0x8901;
const SIOCSPGRP: i32 = 0x8902;
const TIOCSTI: i32 = 0x5412;

fn bits(value: i32) -> u64 {
    u32::from_ne_bytes(value.to_ne_bytes()).into()
}

/// Compiles one list, with the guards against other ABIs and newer calls in front.
fn compile(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    answer: SeccompAction,
) -> Result<Vec<sock_filter>, seccompiler::Error> {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_GE: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const NO_SUCH_CALL: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();

    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, answer, TargetArch::try_from(ARCH)?)?;
    let compiled = BpfProgram::try_from(filter)?;
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    // A call of another architecture falls through to the compiled part, which begins by ending it.
    let mut program = vec![
        instruction(LOAD, 0, 0, 0),
        instruction(JUMP_GE, 0, 1, X32_BIT),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        instruction(JUMP_GE, 0, 1, NEWEST_KNOWN_CALL + 1),
        instruction(RETURN, 0, 0, NO_SUCH_CALL),
    ];
    program
        .extend(compiled.into_iter().map(|step| instruction(step.code, step.jt, step.jf, step.k)));
    Ok(program)
}
