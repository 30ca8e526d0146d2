//! Pairs per second of `grpo_math::verify`, one thread, the gold compiled once per group of eight.

#![expect(missing_docs, reason = "criterion_group! makes a public function without one")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use grpo_math::{Gold, Options, verify};

/// Completions per prompt: how often one gold is reused.
const GROUP: usize = 8;

/// Length of the reasoning of the long case.
const REASONING_BYTES: usize = 32 * 1024;

fn word_problem(n: usize) -> String {
    format!(
        "Each box holds {n} eggs, and there are 12 boxes, so there are 12 * {n} = <<12*{n}={p}>>{p} \
         eggs.\nShe sells half of them, so {p} / 2 = {h} eggs.\nAt $2 each she earns 2 * {h} = ${p}.",
        p = 12 * n,
        h = 6 * n,
    )
}

/// Verifies `GROUP` replies against one gold.
fn bench(c: &mut Criterion, name: &str, gold: &str, replies: &[String]) {
    let options = Options::default();
    let mut group = c.benchmark_group("verify");
    group.throughput(Throughput::Elements(replies.len() as u64));
    group.bench_function(name, |b| {
        b.iter(|| {
            let gold = Gold::compile(black_box(gold), &options);
            let correct =
                replies.iter().filter(|r| verify(r, &gold, &options).score() == Some(1.0));
            black_box(correct.count())
        });
    });
    group.finish();
}

fn benches(c: &mut Criterion) {
    let replies = |end: fn(usize) -> String| -> Vec<String> {
        (0..GROUP).map(|n| format!("{}\n{}", word_problem(n + 40), end(12 * (n + 40)))).collect()
    };
    bench(c, "gsm8k/hash", "#### 504", &replies(|n| format!("#### {n}")));
    bench(c, "gsm8k/boxed", "504", &replies(|n| format!("So it is $\\boxed{{{n}}}$.")));
    bench(c, "gsm8k/phrase", "504", &replies(|n| format!("The answer is **{n}** dollars.")));
    bench(c, "gsm8k/last_number", "504", &replies(|n| format!("A: {n}")));
    bench(c, "fraction", "\\frac{1}{42}", &replies(|n| format!("\\boxed{{\\frac{{12}}{{{n}}}}}")));

    let reasoning = word_problem(41).repeat(REASONING_BYTES / word_problem(41).len() + 1);
    let thought: Vec<_> = (0..GROUP)
        .map(|n| format!("<think>{reasoning}</think>So it is $\\boxed{{{}}}$.", 12 * (n + 40)))
        .collect();
    bench(c, "reasoning_32k/think", "504", &thought);
    let open: Vec<_> = (0..GROUP).map(|n| format!("{reasoning}\nA: {}", 12 * (n + 40))).collect();
    bench(c, "reasoning_32k/last_number", "504", &open);
}

criterion_group!(all, benches);
criterion_main!(all);
