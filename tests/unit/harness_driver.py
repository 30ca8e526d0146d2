"""A zygote without a sandbox: loads the harness, then forks a child for each job it is sent.

Run as `python -s -P -S -B harness_driver.py HARNESS CORE [SITE]` with pickled jobs on stdin, their results on
stdout. It plays the parts of the supervisor and of the compiled zygote loop.
"""

import fcntl
import importlib.util
import os
import pickle
import select
import sys


def load_core(path):
    spec = importlib.util.spec_from_file_location("_core", path)
    core = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)
    return core


def start(namespace, core, mode, payload, descriptors):
    """Forks a child with the given descriptors as 0, 1, ..., and runs the harness in it."""
    pid = os.fork()
    if pid:
        return pid
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for fd in descriptors]
    for number, fd in enumerate(high):
        os.dup2(fd, number)
    os.closerange(len(descriptors), 1024)
    namespace["main"](core, mode, payload)
    raise AssertionError("main returned")


def exchange(outgoing, incoming):
    """Writes each (fd, bytes) and reads each fd to its end; returns what was read."""
    poll = select.poll()
    rest = dict(outgoing)
    read = dict.fromkeys(incoming, b"")
    for fd in rest:
        os.set_blocking(fd, False)
        poll.register(fd, select.POLLOUT)
    for fd in read:
        poll.register(fd, select.POLLIN)
    open_fds = {*rest, *read}
    while open_fds:
        for fd, _ in poll.poll():
            if fd in read:
                chunk = os.read(fd, 1 << 16)
                read[fd] += chunk
                done = not chunk
            else:
                try:
                    rest[fd] = rest[fd][os.write(fd, rest[fd]) :] if rest[fd] else b""
                    done = not rest[fd]
                except BrokenPipeError:
                    done = True
            if done:
                poll.unregister(fd)
                os.close(fd)
                open_fds.discard(fd)
    return list(read.values())


def one_child(namespace, core, job):
    pipes = [os.pipe() for _ in range(5)]
    ours = [pipes[0][1], pipes[1][0], pipes[2][0], pipes[3][1], pipes[4][0]]
    theirs = [pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][0], pipes[4][1]]
    pid = start(namespace, core, job["mode"], job["payload"], theirs)
    for fd in theirs:
        os.close(fd)
    read = exchange([(ours[0], job["stdin"]), (ours[3], job["requests"])], [ours[1], ours[2], ours[4]])
    return (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), *read)


def split_children(namespace, core, job):
    null = os.open(os.devnull, os.O_RDWR)
    requests, replies, reports, errors = (os.pipe() for _ in range(4))
    solution_fds = [null, null, null, requests[0], replies[1]]
    tests_fds = [null, null, errors[1], null, reports[1], requests[1], replies[0]]
    pids = [
        start(namespace, core, 1, job["solution"], solution_fds),
        start(namespace, core, 2, job["tests"], tests_fds),
    ]
    for fd in {*solution_fds, *tests_fds}:
        os.close(fd)
    stderr, frames = exchange([], [errors[0], reports[0]])
    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return (statuses[1], b"", stderr, frames)


def main():
    harness, core_path, *site = sys.argv[1:]
    sys.path += site
    jobs = os.fdopen(fcntl.fcntl(0, fcntl.F_DUPFD, 100), "rb")
    results = os.fdopen(fcntl.fcntl(1, fcntl.F_DUPFD, 100), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    core = load_core(core_path)
    with open(harness) as file:  # noqa: PTH123 - pathlib would be one more module in every child
        namespace = {"__name__": "harness"}
        exec(compile(file.read(), harness, "exec"), namespace)
    while True:
        try:
            job = pickle.load(jobs)
        except EOFError:
            return
        if "preload" in job:
            result = namespace["prepare"](job["preload"])
        elif "solution" in job:
            result = split_children(namespace, core, job)
        else:
            result = one_child(namespace, core, job)
        pickle.dump(result, results)
        results.flush()


main()
