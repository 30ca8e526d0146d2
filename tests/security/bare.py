"""Runs payloads without any sandbox of ours, to see that they would succeed: `python bare.py [ID ...]`.

A payload that fails everywhere tests nothing. Each runs as an unprivileged user in a process, mount, network
and IPC namespace of its own, with limits and for a few seconds; only root can set that up. What was seen goes
into the `bare:` line of its header.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import corpus
import driver

SECONDS = 6
JAIL = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--net", "--ipc", "--uts", "--kill-child"]
USER = [
    *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
    *("prlimit", "--nproc=500", "--as=4000000000"),
]
SETUP = (
    "ip link set lo up 2>/dev/null; mount -t tmpfs tmpfs /mnt; cp -r {here} /mnt/attacks; "
    "mount -t tmpfs -o size=600m tmpfs /tmp; mount -t tmpfs -o size=64m tmpfs /dev/shm; "
    "mount -t tmpfs -o size=64m tmpfs /var/tmp; "
    # As root, and below the namespace's first process: nothing that is stopped or detached outlives it.
    'timeout -s KILL {seconds} "$@"'
)


def judge_naively(program, kind):
    """A harness as they often are: everything in one process, an exit code for a verdict."""
    if kind == "fn":
        program += "\n" + "".join(f"assert add{args} == {value}\n" for args, value in driver.CASES)
    return program


def inside(name):
    """Plays the trainer for one payload; prints what the attack achieved."""
    (payload,) = [payload for payload in corpus.load_all() if payload.id == name]
    canaries = driver.Canaries()
    kind = payload.header["kind"]
    program = judge_naively(payload.program(canaries.places()), kind)
    path = canaries.cwd / "program.py"
    path.write_text(program, encoding="utf-8", errors="surrogatepass")
    state = {"id": name, "evidence": [], "harm": [], "end": "the trainer died"}
    print(json.dumps(state), flush=True)
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(
            [sys.executable, "-S", path],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            close_fds=False,
        )
        try:
            child.communicate(b"2 3\n", timeout=SECONDS - 2)
            state["end"] = child.returncode
        except subprocess.TimeoutExpired:
            state["end"] = "still running"
            child.kill()
        out.seek(0)
        printed = out.read(1 << 22).decode(errors="replace")
    state["size"] = len(printed)
    state["evidence"] = [line[:150] for line in printed.splitlines() if line.startswith("EVIDENCE")][:3]
    state["met"] = sorted(
        {line.rpartition(":")[2] for line in printed.splitlines() if line.startswith("MET")}
    )
    state["harm"] = canaries.harm()[:3]
    state["said"] = printed[-200:]
    print(json.dumps(state), flush=True)


def outside(names):
    setup = SETUP.format(seconds=SECONDS + 2, here=shlex.quote(str(Path(__file__).resolve().parent)))
    for name in names:
        program = [sys.executable, "-B", "/mnt/attacks/bare.py", "--inside", name]
        command = [*JAIL, "sh", "-c", setup, "sh", *USER, *program]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS + 6,
                check=False,
                start_new_session=True,
                env={"PATH": os.environ["PATH"]},
            )
            lines = done.stdout.splitlines()  # the last is the one from after the attack, if that came
            yield (
                json.loads(lines[-1])
                if lines
                else {"id": name, "end": "nothing ran", "said": done.stderr[-300:]}
            )
        except subprocess.TimeoutExpired:
            yield {"id": name, "evidence": [], "harm": ["the trainer hangs"], "end": "no end"}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2])
    else:
        chosen = sys.argv[1:] or [payload.id for payload in corpus.load_all()]
        for result in outside(chosen):
            print(json.dumps(result), flush=True)
