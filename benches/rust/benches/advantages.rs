//! Time of `grpo_batch::advantages` on one step's rewards, ids bucketed anew each time, one thread.
//!
//! Microseconds of a step that takes seconds: this guards against an accident, and proves no speed-up.

#![expect(missing_docs, reason = "criterion_group! makes a public function without one")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use grpo_batch::{AdvantageOptions, Groups, advantages};

/// Groups and completions of each.
const SHAPES: [(u32, u32); 3] = [(32, 16), (128, 8), (1024, 8)];

/// Rewards of 0 and 1 in no regular order: some groups are all right or all wrong, as in training.
fn step(groups: u32, size: u32) -> (Vec<f64>, Vec<i64>) {
    (0..groups * size)
        .map(|row| {
            let draw = row.wrapping_mul(2_654_435_761) >> 16;
            let reward = f64::from(u8::from(draw % 100 < (row / size) % 101));
            (reward, i64::from(row / size))
        })
        .unzip()
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("advantages");
    for (groups, size) in SHAPES {
        let (rewards, ids) = step(groups, size);
        group.throughput(Throughput::Elements(u64::from(groups * size)));
        group.bench_function(BenchmarkId::from_parameter(format!("{groups}x{size}")), |b| {
            b.iter(|| {
                let groups = Groups::new(black_box(&ids));
                black_box(advantages(black_box(&rewards), &groups, &AdvantageOptions::default()))
            });
        });
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
