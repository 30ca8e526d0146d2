//! The Landlock ruleset of one run: what may be read, and the one directory that may be written.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope, make_bitflags, path_beneath_rules,
};

/// The newest version whose effects were tested; a kernel that has less enforces what it has.
const TESTED_ABI: ABI = ABI::V6;

/// Harmless devices that programs open by name.
const READABLE_DEVICES: [&str; 3] = ["/dev/zero", "/dev/urandom", "/dev/random"];

/// The version the kernel enforces, 0 where there is none.
pub(crate) fn abi_version() -> u32 {
    const LANDLOCK_CREATE_RULESET_VERSION: libc::c_ulong = 1;
    let no_attributes = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call reads no memory and creates nothing.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            no_attributes,
            0_usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(version).unwrap_or(0)
}

/// What one run may touch.
pub(crate) struct Paths<'a> {
    pub(crate) executable: [Option<&'a Path>; 2],
    pub(crate) readable: &'a [PathBuf],
    pub(crate) program: &'a Path,
    pub(crate) writable: &'a Path,
}

/// Builds the ruleset; the child only has to enter it. `None` where the kernel has no Landlock.
pub(crate) fn ruleset(paths: &Paths<'_>) -> Result<Option<OwnedFd>, RulesetError> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let execute = make_bitflags!(AccessFs::{ReadFile | Execute});
    let null = make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate});
    let never =
        make_bitflags!(AccessFs::{Execute | MakeChar | MakeBlock | MakeSock | MakeFifo | IoctlDev});
    let write: BitFlags<AccessFs> = AccessFs::from_all(TESTED_ABI) & !never;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(TESTED_ABI))?
        .handle_access(AccessNet::from_all(TESTED_ABI))?
        .scope(Scope::from_all(TESTED_ABI))?
        .create()?
        .add_rules(path_beneath_rules(paths.executable.into_iter().flatten(), execute))?
        .add_rules(path_beneath_rules(paths.readable, read))?
        .add_rules(path_beneath_rules(READABLE_DEVICES, read))?
        .add_rules(path_beneath_rules(["/dev/null"], null))?
        .add_rules(path_beneath_rules([paths.program], read))?
        .add_rules(path_beneath_rules([paths.writable], write))?;
    Ok(ruleset.into())
}
