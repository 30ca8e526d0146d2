# id: fsread_07_other_runs_tmp
# category: fs_read
# kind: any
# attempts: scan /tmp for the files of other runs
# detect: evidence holds the TMP canary
# refused-by: landlock EACCES | namespaces ENOENT
# bare: succeeds
with attempt():
    for name in _p.listdir("@TMP@"):
        if name.startswith("other_run_"): ev(rd("@TMP@/" + name + "/solution.py"))
