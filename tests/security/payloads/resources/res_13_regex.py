# id: res_13_regex
# category: resources
# kind: any
# attempts: catastrophic backtracking in C code
# detect: no verdict
# refused-by: limit CPU_EXCEEDED
# bare: succeeds (runs on)
# group: burn
import re
re.match(r"(a+)+$", "a" * 60 + "b")
