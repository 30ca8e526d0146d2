//! Finding the answer in a reply of 32 kB, by the mark that ends it; and in hostile ones of 100 kB.
//!
//! A gold and answers of one digit: beside the search there is next to nothing to do.

#![expect(missing_docs, reason = "criterion_group! makes a public function without one")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use grpo_math::{Gold, Options, verify};

/// Length of the reasoning before the answer.
const REASONING_BYTES: usize = 32 * 1024;

/// Length of a hostile reply.
const HOSTILE_BYTES: usize = 100_000;

const PROSE: &str = "Each box holds 41 eggs, and there are 12 boxes, so there are 12 * 41 = \
    <<12*41=492>>492 eggs.\nShe sells half of them, so 492 / 2 = 246 eggs.\nAt $2 each she earns 2 * \
    246 = $492.\n";

const LATEX: &str = "Let me think. Since $x^2 - 3x + 2 = 0$, we have $\\frac{x-1}{x-2} = \\sqrt{5}$ and \
    \\[ y = \\frac{3}{4} \\] so wait, the value is \\( 7 \\), is it?\n\n";

/// What ends a reply, by the strategy that finds the answer there.
const ENDS: [(&str, &str); 5] = [
    ("boxed", "So it is $\\boxed{5}$."),
    ("hash", "\n#### 5"),
    ("phrase", "The answer is 5."),
    ("math_span", "Thus $x = 5$."),
    ("last_number", "A: 5"),
];

const HOSTILE: [(&str, &str); 7] = [
    ("dollars", "$ $ $"),
    ("braces", "{"),
    ("open_boxes", "\\boxed{"),
    ("boxes", "\\boxed{1} and "),
    ("answers", "final answer aaa is "),
    ("tags", "<answer>"),
    ("sums", "1 + "),
];

fn bench(c: &mut Criterion, group: &str, name: &str, reply: &str) {
    let options = Options::default();
    let gold = Gold::compile("5", &options);
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Bytes(reply.len() as u64));
    group.bench_function(name, |b| b.iter(|| verify(black_box(reply), &gold, &options)));
    group.finish();
}

fn benches(c: &mut Criterion) {
    for (style, part) in [("prose", PROSE), ("latex", LATEX)] {
        let reasoning = part.repeat(REASONING_BYTES / part.len());
        for (mark, end) in ENDS {
            let thought = format!("<think>{reasoning}</think>{end}");
            bench(c, "extract/think", &format!("{style}/{mark}"), &thought);
            bench(c, "extract/open", &format!("{style}/{mark}"), &format!("{reasoning}{end}"));
        }
    }
    for (name, part) in HOSTILE {
        bench(c, "extract/hostile", name, &part.repeat(HOSTILE_BYTES / part.len()));
    }
}

criterion_group!(all, benches);
criterion_main!(all);
