# id: res_32_unremovable
# category: resources
# kind: any
# attempts: directories without rights, odd names and loops of links, which a careless clean-up cannot remove
# detect: files are left
# refused-by: verdict WRONG_OUTPUT
# bare: not applicable
import os
for act in (lambda: _p.mkdir("closed", 0o000), lambda: _p.mkdir(b"\xff\xfe\n"), lambda: _p.symlink("loop", "loop"), lambda: _p.symlink("/", "root"), lambda: os.makedirs("a/b"), lambda: open("a/b/f", "w"), lambda: _p.chmod("a/b", 0), lambda: _p.mkfifo("fifo"), lambda: _p.symlink("@DROP@", "drop")):
    try: act()
    except OSError: pass
