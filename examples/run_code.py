"""Run programs that nobody has read against tests, in a sandbox (Linux; see `grpo-rs sandbox`)."""

import sys

import grpo_rs as g

sums = g.stdio_tests([("1 2\n", "3\n"), ("5 7\n", "12\n")])
calls = g.assert_tests("assert add(2, 3) == 5\nassert add('a', 'b') == 'ab'")
work = {
    "right": ("a, b = map(int, input().split()); print(a + b)", sums),
    "right once": ("print(3)", sums),
    "endless": ("while True: pass", sums),
    "reads a file": ("print(open('/etc/passwd').read())", sums),
    "forges its exit": ("import os; os._exit(0)", sums),
    "a function": ("def add(a, b): return a + b", calls),
    "forges equality": ("class Same:\n    __eq__ = lambda *_: True\n\nadd = lambda a, b: Same()", calls),
}

with g.CodeRunner(g.Limits(cpu_s=1.0, wall_s=5.0)) as runner:
    protection = runner.protection
    print(f"this kernel has: {', '.join(name for name, there in protection.layers.items() if there)}")
    programs, tests = zip(*work.values(), strict=True)
    try:
        results = runner.run(programs, tests)
    except g.SandboxUnavailable as error:
        sys.exit(f"no program was run: {error}")

for name, result in zip(work, results, strict=True):
    outcomes = ", ".join(case.outcome.name for case in result.cases)
    print(f"{name:<16} score {result.score:.1f}  {outcomes}  {result.cases[0].message}")
