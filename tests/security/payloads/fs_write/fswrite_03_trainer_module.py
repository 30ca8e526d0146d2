# id: fswrite_03_trainer_module
# category: fs_write
# kind: any
# attempts: overwrite a Python module that the trainer imports later
# detect: the module changed
# refused-by: landlock EACCES | namespaces ENOENT
# bare: succeeds
with attempt(): wr("@PKG@", b"import os; os.environ['PWNED']='1'\n"); ev("overwrote")
