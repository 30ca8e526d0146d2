# id: fswrite_10_change_precious
# category: fs_write
# kind: any
# attempts: remove, rename, truncate, link and overwrite a file of the trainer
# detect: the file changed
# refused-by: landlock EACCES/EXDEV | namespaces ENOENT | abi1 landlock EACCES/EXDEV
# bare: succeeds
for act in (lambda: _p.unlink("@DROP@/precious"), lambda: _p.rename("@DROP@/precious", "@DROP@/stolen"), lambda: _p.rename("@DROP@/precious", "stolen"), lambda: _p.link("@DROP@/precious", "linked"), lambda: _p.open("@DROP@/precious", _p.O_WRONLY)):
    with attempt(): act(); ev("changed")
