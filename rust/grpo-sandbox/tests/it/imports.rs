//! A failure means that a program starts in an interpreter that lacks its modules, which costs time.

use grpo_sandbox::python_imports;
use proptest::prelude::*;

#[test]
fn imports_are_found_wherever_they_stand() {
    let cases: [(&str, &[&str]); 18] = [
        ("import os", &["os"]),
        ("import a.b as c, d", &["a", "d"]),
        ("import os, sys,re", &["os", "sys", "re"]),
        ("from x.y import z", &["x"]),
        ("from x import (\n    a,\n    b,\n)\nimport y", &["x", "y"]),
        ("x = 1; import a; import b", &["a", "b"]),
        ("def f():\n    import a\n", &["a"]),
        ("if x: import a", &["a"]),
        ("try:\n\timport a\nexcept: pass", &["a"]),
        ("import a, \\\n    b", &["a", "b"]),
        ("from \\\n  a import b", &["a"]),
        ("import a\r\nimport b\r\n", &["a", "b"]),
        ("import a\nimport a.b", &["a"]),
        ("# -*- coding: utf-8 -*-\nimport a  # import b", &["a"]),
        ("\"\"\"import a\nimport b\n\"\"\"\nimport c", &["c"]),
        ("s = 'it\\'s'; import a", &["a"]),
        ("s = '''\nimport a\n'''", &[]),
        ("import größe", &["größe"]),
    ];
    for (source, expected) in cases {
        assert_eq!(python_imports(source), expected, "{source}");
    }
}

#[test]
fn what_only_looks_like_an_import_is_none() {
    let sources = [
        "",
        "from . import a",
        "from .a import b",
        "important = 1",
        "x.import_module('a')",
        "'import a'",
        "\"\\\"\\nimport a\"",
        "# import a",
        "yield from a",
        "raise E from a",
        "print('from a import b')",
        "import",
        "from",
        "from a",
        "f(\nimport_a)",
        "'''",
    ];
    for source in sources {
        assert!(python_imports(source).is_empty(), "{source}: {:?}", python_imports(source));
    }
}

proptest! {
    #[test]
    fn any_text_is_scanned_without_a_panic(source in "(import |from |as |[a-zé.,;:'\"#()\\\\\n ]){0,40}") {
        for name in python_imports(&source) {
            prop_assert!(!name.is_empty() && source.contains(name));
        }
    }
}
