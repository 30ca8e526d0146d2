"""Run programs that nobody has read against tests, in a sandbox (Linux with Landlock and seccomp)."""

import sys

import grpo_rs as g

tests = g.stdio_tests([("1 2\n", "3\n"), ("5 7\n", "12\n")])
programs = {
    "right": "a, b = map(int, input().split()); print(a + b)",
    "right once": "print(3)",
    "endless": "while True: pass",
    "reads a file": "print(open('/etc/passwd').read())",
    "forges its exit": "import os; os._exit(0)",
}

runner = g.CodeRunner(g.Limits(cpu_s=1.0, wall_s=5.0, memory_mb=256))
print("this kernel has:", ", ".join(name for name, there in runner.protection.layers.items() if there))
try:
    results = runner.run(list(programs.values()), [tests] * len(programs))
except g.SandboxUnavailable as error:
    sys.exit(f"no program was run: {error}")

for name, result in zip(programs, results, strict=True):
    outcomes = ", ".join(case.outcome.name for case in result.cases)
    last = result.cases[0].stderr.strip().splitlines()[-1:]
    print(f"{name:<16} score {result.score:.1f}  {outcomes}  {' '.join(last)}")
