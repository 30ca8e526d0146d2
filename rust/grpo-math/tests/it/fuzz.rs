//! The inputs that fuzzing began with, and those it has found something wrong with.

use std::fs;
use std::path::Path;

#[path = "../../../../fuzz/checks.rs"]
mod checks;

#[test]
fn seeds_and_regressions_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    for target in ["extract", "parse", "compare"] {
        let mut replayed = 0;
        for folder in ["seeds", "regressions"] {
            for entry in fs::read_dir(root.join(folder).join(target)).unwrap() {
                checks::check(target, &fs::read(entry.unwrap().path()).unwrap());
                replayed += 1;
            }
        }
        assert!(replayed > 10, "{target}: {replayed} inputs");
    }
}
