# id: fsread_14_trainers_code
# category: fs_read
# kind: any
# attempts: read the code of the trainer that is not the interpreter's: tests and the module beside the secret
# detect: evidence
# refused-by: landlock EACCES | namespaces ENOENT
# bare: succeeds
for path in ("@PKG@", "@HERE@/test_attacks.py", "@HERE@/driver.py"):
    with attempt(): ev(rd(path)[:40])
