//! The system calls a program may make, and what it is told about the others.
//!
//! Python programs get an allow-list; what is not on it does not exist (`ENOSYS`). Over it lie two
//! lists with clearer answers: `EPERM` for what honest libraries try and survive, and death (`SIGSYS`)
//! for what only an attack makes. Programs of other languages, whose needs nobody has listed, get
//! those two alone, and calls newer than them do not exist.
//!
//! A zygote installs the large filters once and its children inherit them: compiling a filter costs
//! the kernel about a microsecond per rule. A child adds the few rules that depend on its process id.

use std::{collections::BTreeMap, env::consts::ARCH, io};

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
    // the network; `socketpair` has a rule of its own. Options of a pair can make it hold more memory.
    SYS_socket SYS_connect SYS_bind SYS_listen SYS_accept SYS_accept4 SYS_setsockopt
    // file metadata, which Landlock does not cover
    SYS_fchmod SYS_fchmodat SYS_fchown SYS_fchownat SYS_utimensat SYS_setxattr SYS_lsetxattr
    SYS_fsetxattr SYS_removexattr SYS_lremovexattr SYS_fremovexattr SYS_truncate SYS_name_to_handle_at
    // memory and messages that outlive or escape the limits
    SYS_memfd_create SYS_memfd_secret SYS_shmget SYS_semget SYS_msgget SYS_mq_open
    SYS_inotify_init1
    // other processes: signals, priorities, and leaving the group that is killed at the end
    SYS_pidfd_open SYS_pidfd_send_signal SYS_tkill SYS_rt_sigqueueinfo SYS_rt_tgsigqueueinfo
    SYS_setpgid SYS_setpriority SYS_ioprio_set SYS_sched_setscheduler
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

/// All that the interpreter, its standard library, numpy and their threads need; some of it with
/// arguments that a rule of the other lists refuses.
const ALLOW: &[c_long] = calls! {
    // files, of which Landlock says which
    SYS_openat SYS_close SYS_close_range SYS_read SYS_write SYS_readv SYS_writev SYS_pread64
    SYS_pwrite64 SYS_preadv SYS_pwritev SYS_preadv2 SYS_pwritev2 SYS_lseek SYS_fstat SYS_newfstatat
    SYS_statx SYS_statfs SYS_fstatfs SYS_getdents64 SYS_faccessat SYS_faccessat2 SYS_readlinkat
    SYS_getcwd SYS_chdir SYS_fchdir SYS_mkdirat SYS_unlinkat SYS_renameat SYS_renameat2 SYS_linkat
    SYS_symlinkat SYS_ftruncate SYS_fallocate SYS_fsync SYS_fdatasync SYS_flock SYS_fadvise64
    SYS_copy_file_range SYS_sendfile SYS_umask SYS_getxattr SYS_lgetxattr SYS_fgetxattr
    SYS_listxattr SYS_llistxattr SYS_flistxattr
    // descriptors
    SYS_dup SYS_dup3 SYS_pipe2 SYS_fcntl SYS_ioctl SYS_ppoll SYS_pselect6 SYS_epoll_create1
    SYS_epoll_ctl SYS_epoll_pwait SYS_eventfd2 SYS_timerfd_create SYS_timerfd_settime
    SYS_timerfd_gettime SYS_signalfd4 SYS_socketpair SYS_sendto SYS_recvfrom SYS_sendmsg SYS_recvmsg
    SYS_shutdown SYS_getsockopt SYS_getsockname SYS_getpeername
    // memory
    SYS_brk SYS_mmap SYS_munmap SYS_mremap SYS_mprotect SYS_madvise SYS_mincore SYS_msync
    // threads, and the fork that only a zygote may make
    SYS_clone SYS_futex SYS_set_robust_list SYS_get_robust_list SYS_set_tid_address SYS_rseq
    SYS_sched_yield SYS_sched_getaffinity SYS_sched_getparam SYS_sched_getscheduler
    SYS_sched_get_priority_max SYS_sched_get_priority_min SYS_getcpu SYS_membarrier SYS_exit
    SYS_exit_group SYS_wait4 SYS_waitid SYS_restart_syscall
    // signals
    SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn SYS_rt_sigpending SYS_rt_sigtimedwait
    SYS_rt_sigsuspend SYS_sigaltstack SYS_kill SYS_tgkill
    // time
    SYS_nanosleep SYS_clock_nanosleep SYS_clock_gettime SYS_clock_getres SYS_gettimeofday SYS_times
    SYS_getitimer SYS_setitimer SYS_timer_create SYS_timer_settime SYS_timer_gettime
    SYS_timer_getoverrun SYS_timer_delete
    // who and where it is
    SYS_getpid SYS_getppid SYS_gettid SYS_getuid SYS_geteuid SYS_getgid SYS_getegid SYS_getgroups
    SYS_getresuid SYS_getresgid SYS_getpgid SYS_getsid SYS_getpriority SYS_getrusage SYS_prlimit64
    SYS_sysinfo SYS_uname SYS_getrandom SYS_capget SYS_prctl SYS_setsid
    // the filter of a child
    SYS_seccomp
};
#[cfg(target_arch = "x86_64")]
const ALLOW_X86_64: &[c_long] = calls! {
    SYS_open SYS_creat SYS_stat SYS_lstat SYS_access SYS_readlink SYS_getdents SYS_mkdir SYS_rmdir
    SYS_unlink SYS_rename SYS_link SYS_symlink SYS_dup2 SYS_pipe SYS_poll SYS_select SYS_epoll_create
    SYS_epoll_wait SYS_eventfd SYS_signalfd SYS_fork SYS_vfork SYS_pause SYS_alarm SYS_time
    SYS_getpgrp SYS_getrlimit SYS_setrlimit SYS_arch_prctl
};
#[cfg(target_arch = "aarch64")]
const ALLOW_X86_64: &[c_long] = calls! { SYS_getrlimit SYS_setrlimit };
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ALLOW_X86_64: &[c_long] = &[];
/// Newer than some targets of the `libc` crate.
const ALLOW_NEW: &[c_long] =
    &[435 /* clone3, refused with ENOSYS */, 449 /* futex_waitv */];

/// Compiled filters, installed one after the other: the strictest answer wins, then the latest.
pub(crate) struct Filters(Vec<Vec<sock_filter>>);

impl Filters {
    /// For an interpreter and all its children.
    pub(crate) fn zygote() -> Result<Self, seccompiler::Error> {
        let allowed = list(&[ALLOW, ALLOW_X86_64, ALLOW_NEW]);
        let mut filters = vec![compile(allowed, errno(libc::ENOSYS), SeccompAction::Allow)?];
        filters.extend(denials(BTreeMap::new())?);
        Ok(Self(filters))
    }

    /// What a child adds: no processes of its own, no signals to others, no further filters; it stays
    /// in its group, and its life tied to the supervisor's.
    pub(crate) fn child(may_fork: bool) -> Result<Self, seccompiler::Error> {
        let mut rules = own_signals()?;
        if may_fork {
            rules.insert(libc::SYS_clone, vec![has(0, libc::CLONE_PARENT)?]);
        } else {
            rules.append(&mut no_new_process()?);
        }
        // A zygote needs these: a session for those who may fork, descriptors that come with a request.
        for call in [libc::SYS_setsid, libc::SYS_seccomp, libc::SYS_sendmsg, libc::SYS_recvmsg] {
            rules.insert(call, Vec::new());
        }
        rules.insert(
            libc::SYS_prctl,
            vec![
                equals(0, libc::PR_SET_PDEATHSIG)?,
                equals(0, libc::PR_SET_SECCOMP)?,
                equals(0, libc::PR_SET_DUMPABLE)?,
            ],
        );
        Ok(Self(vec![compile(rules, SeccompAction::Allow, errno(libc::EPERM))?]))
    }

    /// No filter at all, where the user has asked for no isolation.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// For a program that is executed, in any language.
    pub(crate) fn executed(
        single_process: bool,
        own_signals_only: bool,
    ) -> Result<Self, seccompiler::Error> {
        let mut rules =
            BTreeMap::from([(libc::SYS_prctl, vec![equals(0, libc::PR_SET_PDEATHSIG)?])]);
        rules.insert(libc::SYS_setsid, Vec::new());
        if own_signals_only {
            rules.append(&mut own_signals()?);
        }
        if single_process {
            rules.append(&mut no_new_process()?);
        } else {
            rules.insert(libc::SYS_clone, vec![has(0, libc::CLONE_PARENT)?]);
        }
        Ok(Self(denials(rules)?))
    }

    /// Puts the caller's process id where the rules left room for it. Allocates nothing.
    pub(crate) fn set_own_pid(&mut self, pid: u32) {
        for instruction in
            self.0.iter_mut().flatten().filter(|instruction| instruction.k == OWN_PID)
        {
            instruction.k = pid;
        }
    }

    /// Installs them for good in this thread, which must have given up new privileges. Allocates nothing.
    pub(crate) fn install(&mut self) -> io::Result<()> {
        for program in &mut self.0 {
            let length = u16::try_from(program.len()).unwrap_or(0); // 0 is refused
            let header = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
            // SAFETY: the kernel copies `len` instructions from `filter`, both of which `program` backs.
            super::launch::check(unsafe {
                libc::syscall(
                    libc::SYS_seccomp,
                    libc::SECCOMP_SET_MODE_FILTER,
                    0,
                    &raw const header,
                )
            })?;
        }
        Ok(())
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

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// `EPERM`, `ENOSYS` and `SIGSYS`, with more rules for the first.
fn denials(mut more: Rules) -> Result<Vec<Vec<sock_filter>>, seccompiler::Error> {
    let mut refused = list(&[REFUSE, REFUSE_X86_64, &[FCHMODAT2]]);
    for (call, mut rules) in arguments()? {
        rules.append(&mut more.remove(&call).unwrap_or_default());
        refused.insert(call, rules);
    }
    refused.append(&mut more);
    Ok(vec![
        compile(refused, SeccompAction::Allow, errno(libc::EPERM))?,
        compile(list(&[UNKNOWN]), SeccompAction::Allow, errno(libc::ENOSYS))?,
        compile(list(&[KILL, KILL_X86_64]), SeccompAction::Allow, SeccompAction::KillProcess)?,
    ])
}

fn list(lists: &[&[c_long]]) -> Rules {
    lists.concat().into_iter().map(|call| (call, Vec::new())).collect()
}

fn errno(code: i32) -> SeccompAction {
    SeccompAction::Errno(code.unsigned_abs())
}

fn rule(
    argument: u8,
    operation: SeccompCmpOp,
    value: i32,
) -> Result<SeccompRule, seccompiler::Error> {
    let condition = SeccompCondition::new(argument, Dword, operation, bits(value))?;
    Ok(SeccompRule::new(vec![condition])?)
}

fn equals(argument: u8, value: i32) -> Result<SeccompRule, seccompiler::Error> {
    rule(argument, SeccompCmpOp::Eq, value)
}

fn has(argument: u8, flag: i32) -> Result<SeccompRule, seccompiler::Error> {
    rule(argument, SeccompCmpOp::MaskedEq(bits(flag)), flag)
}

fn lacks(argument: u8, flag: i32) -> Result<SeccompRule, seccompiler::Error> {
    rule(argument, SeccompCmpOp::MaskedEq(bits(flag)), 0)
}

/// Signals to any process but the caller itself.
fn own_signals() -> Result<Rules, seccompiler::Error> {
    let own = i32::from_ne_bytes(OWN_PID.to_ne_bytes());
    [libc::SYS_kill, libc::SYS_tgkill]
        .into_iter()
        .map(|call| Ok((call, vec![rule(0, SeccompCmpOp::Ne, own)?])))
        .collect()
}

/// New processes; threads stay allowed.
fn no_new_process() -> Result<Rules, seccompiler::Error> {
    let mut rules = BTreeMap::from([(libc::SYS_clone, vec![lacks(0, libc::CLONE_THREAD)?])]);
    #[cfg(target_arch = "x86_64")]
    rules.extend([libc::SYS_fork, libc::SYS_vfork].map(|call| (call, Vec::new())));
    Ok(rules)
}

/// Refusals that look at arguments. Conditions within one rule are joined by "and", rules by "or".
fn arguments() -> Result<Rules, seccompiler::Error> {
    // Opening for reading and truncating at once needs no right to write before Landlock 3.
    let truncates = |argument: u8| {
        rule(argument, SeccompCmpOp::MaskedEq(bits(libc::O_TRUNC | libc::O_ACCMODE)), libc::O_TRUNC)
    };
    // The access mode 3 asks Landlock for no right at all, and truncates all the same.
    let opens_for_nothing = |argument: u8| has(argument, libc::O_ACCMODE);
    let namespaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let mut rules = BTreeMap::from([
        (
            libc::SYS_clone,
            namespaces.into_iter().map(|flag| has(0, flag)).collect::<Result<Vec<_>, _>>()?,
        ),
        (libc::SYS_openat, vec![truncates(2)?, opens_for_nothing(2)?]),
        // Unnamed stream pairs (asyncio's wake-up) reach nobody; datagram pairs can be given an address.
        (
            libc::SYS_socketpair,
            vec![
                rule(0, SeccompCmpOp::Ne, libc::AF_UNIX)?,
                lacks(1, 1)?,
                has(1, 2)?,
                has(1, 4)?,
                has(1, 8)?,
            ],
        ),
        // Who is at the other end of the channel is nobody's business.
        (
            libc::SYS_getsockopt,
            vec![
                equals(2, libc::SO_PEERCRED)?,
                equals(2, SO_PEERGROUPS)?,
                equals(2, SO_PEERPIDFD)?,
            ],
        ),
        (libc::SYS_prlimit64, vec![rule(0, SeccompCmpOp::Ne, 0)?]),
        // Signals by way of descriptors, holding up those who open a file, and outliving the caller.
        (
            libc::SYS_fcntl,
            vec![
                equals(1, libc::F_SETOWN)?,
                equals(1, F_SETSIG)?,
                equals(1, F_SETOWN_EX)?,
                equals(1, libc::F_SETLEASE)?,
            ],
        ),
        (libc::SYS_ioctl, vec![equals(1, FIOSETOWN)?, equals(1, SIOCSPGRP)?, equals(1, TIOCSTI)?]),
    ]);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, vec![truncates(1)?, opens_for_nothing(1)?]);
    Ok(rules)
}

/// Missing from the `libc` crate on some targets.
const FCHMODAT2: c_long = 452;
const SO_PEERGROUPS: i32 = 59;
const SO_PEERPIDFD: i32 = 77;
const F_SETSIG: i32 = 10;
const F_SETOWN_EX: i32 = 15;
const FIOSETOWN: i32 = 0x8901;
const SIOCSPGRP: i32 = 0x8902;
const TIOCSTI: i32 = 0x5412;

fn bits(value: i32) -> u64 {
    u32::from_ne_bytes(value.to_ne_bytes()).into()
}

/// Compiles one list: `listed` answers what is in it, `other` everything else; with the guards against
/// other ABIs and newer calls in front.
fn compile(
    rules: Rules,
    other: SeccompAction,
    listed: SeccompAction,
) -> Result<Vec<sock_filter>, seccompiler::Error> {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_GE: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const NO_SUCH_CALL: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();

    let filter = SeccompFilter::new(rules, other, listed, TargetArch::try_from(ARCH)?)?;
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
