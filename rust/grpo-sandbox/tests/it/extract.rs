//! A failure means that a reply's program is not found, or that something else is taken for it. The replies
//! themselves are in `tests/unit/test_extract_program.py`.

use grpo_sandbox::{Language, extract_program};
use proptest::prelude::*;

fn python(reply: &str) -> Option<String> {
    extract_program(reply, Language::Python)
}

#[test]
fn the_last_complete_block_counts() {
    let reply = "```python\nprint(1)\n```\n```py\nprint(2)\n```\n```python\nprint(";
    assert_eq!(python(reply).as_deref(), Some("print(2)\n"));
    assert_eq!(python("```python\nprint(1)\n").as_deref(), Some("print(1)\n"));
    assert_eq!(python("```js\nprint(1)\n```"), None);
}

#[test]
fn reasoning_is_set_aside() {
    assert_eq!(python("<think>```python\nprint(1)\n```</think>"), None);
    assert_eq!(python("<think>\n```python\nprint(1)\n```"), None);
    let answered = "so\n```python\nprint(1)\n```\n</think>\n```python\nprint(2)\n```";
    assert_eq!(python(answered).as_deref(), Some("print(2)\n"));
}

proptest! {
    #[test]
    fn any_reply_is_read_without_a_panic(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("```"), Just("```python"), Just("~~~~"), Just("\n"), Just("\r\n"), Just("  "), Just("<think>"),
                Just("</think>"), Just("<answer>"), Just("</answer>"), Just("print(1)"), Just("é"), Just("1. "),
                Just("[PYTHON]"), Just("[/PYTHON]"), Just("x = "), Just("`"), Just("def f():"), Just("#"),
            ],
            0..24,
        )
    ) {
        for language in [Language::Python, Language::C, Language::Java] {
            if let Some(program) = extract_program(&parts.concat(), language) {
                prop_assert!(program.ends_with('\n') && !program.trim().is_empty());
            }
        }
    }

    #[test]
    fn a_fenced_program_is_found_whatever_stands_around_it(
        before in "[a-z .,\n]{0,30}", body in "[a-z]{1,6} = [0-9]{1,4}", after in "[a-z .,\n]{0,30}"
    ) {
        let reply = format!("{before}\n```python\n{body}\n```\n{after}");
        prop_assert_eq!(python(&reply), Some(format!("{body}\n")));
    }
}
