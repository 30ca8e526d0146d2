"""Says what would hold programs on this machine, and why a layer is missing."""

from __future__ import annotations

from grpo_rs.cli.terminal import Terminal
from grpo_rs.code import CodeRunner, IsolationLevel


def run(terminal: Terminal, min_isolation: IsolationLevel) -> int:
    """Prints the layers; returns the exit status: 1 if they are less than asked for."""
    with CodeRunner(min_isolation=min_isolation) as runner:
        protection = runner.protection
    version = f", Landlock version {protection.landlock_abi}" if protection.landlock_abi else ""
    terminal.print(
        f"isolation {protection.level.name.lower()} ({protection.level} of {max(IsolationLevel)}){version}\n"
    )
    width = max(map(len, protection.layers))
    for name, there in protection.layers.items():
        reason = " ".join(protection.reasons.get(name, "").split())
        terminal.print(f"{name.ljust(width)}  {'yes' if there else 'no '}  {reason}".rstrip())
    verdict = "Programs are run" if protection.sufficient else "No program is run"
    terminal.print(f"\n{verdict} where at least {min_isolation.name.lower()} is asked for")
    return 0 if protection.sufficient else 1
