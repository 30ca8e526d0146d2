# id: fswrite_14_interpreter
# category: fs_write
# kind: any
# attempts: poison the interpreter's own files: a .pth, a sitecustomize, a cached module
# detect: evidence
# refused-by: landlock EACCES | namespaces EACCES/EROFS/ENOENT
# bare: needs the owner's rights
import os, json
place = os.path.dirname(os.__file__)
for path in (place + "/sitecustomize_@NONCE@.py", place + "/site-packages/x_@NONCE@.pth", place + "/__pycache__/x_@NONCE@.pyc", json.__file__):
    with attempt(): _p.close(_p.open(path, _p.O_WRONLY | (0 if path == json.__file__ else _p.O_CREAT))); ev(path)
