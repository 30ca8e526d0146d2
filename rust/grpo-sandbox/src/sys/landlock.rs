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
    pub(crate) executable: &'a [PathBuf],
    pub(crate) readable: &'a [PathBuf],
    /// Folders of which the names may be read, with those beneath.
    pub(crate) listable: &'a [PathBuf],
    pub(crate) writable: &'a Path,
    /// Whether what is written may be executed: the output of a compiler.
    pub(crate) execute_written: bool,
}

/// Builds the ruleset; the child only has to enter it. `None` where the kernel has no Landlock, or
/// where `newest` is 0.
///
/// No version of Landlock above `newest` is used.
pub(crate) fn ruleset(paths: &Paths<'_>, newest: u32) -> Result<Option<OwnedFd>, RulesetError> {
    let Some(abi) = version(newest) else {
        return Ok(None);
    };
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let list = make_bitflags!(AccessFs::{ReadDir});
    let execute = make_bitflags!(AccessFs::{ReadFile | ReadDir | Execute});
    let null = make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate});
    let special = make_bitflags!(AccessFs::{MakeChar | MakeBlock | MakeSock | MakeFifo | IoctlDev});
    let mut write: BitFlags<AccessFs> = AccessFs::from_all(TESTED_ABI) & !special;
    if !paths.execute_written {
        write &= !BitFlags::from(AccessFs::Execute);
    }
    let handled = AccessFs::from_all(abi);
    let ruleset =
        Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(handled)?;
    let ruleset = match AccessNet::from_all(abi) {
        none if none.is_empty() => ruleset,
        network => ruleset.handle_access(network)?,
    };
    let ruleset = match Scope::from_all(abi) {
        none if none.is_empty() => ruleset,
        scope => ruleset.scope(scope)?,
    };
    let ruleset = ruleset
        .create()?
        .add_rules(path_beneath_rules(paths.executable, execute & handled))?
        .add_rules(path_beneath_rules(paths.readable, read & handled))?
        .add_rules(path_beneath_rules(paths.listable, list & handled))?
        .add_rules(path_beneath_rules(READABLE_DEVICES, read & handled))?
        .add_rules(path_beneath_rules(["/dev/null"], null & handled))?
        .add_rules(path_beneath_rules([paths.writable], write & handled))?;
    Ok(ruleset.into())
}

fn version(newest: u32) -> Option<ABI> {
    match newest.min(abi_version()) {
        0 => None,
        1 => Some(ABI::V1),
        2 => Some(ABI::V2),
        3 => Some(ABI::V3),
        4 => Some(ABI::V4),
        5 => Some(ABI::V5),
        _ => Some(TESTED_ABI),
    }
}
