# id: text_03_five_megabytes
# category: text
# kind: any
# attempts: a program of 5 MB
# detect: no verdict
# refused-by: limit CPU_EXCEEDED/MEMORY_EXCEEDED/WRONG_OUTPUT/COMPILE_ERROR
# bare: succeeds (runs on)
# group: burn
# generate: yes
SOURCE = "x = [1, 2, 3]\n" * 350_000 + "def add(a, b): return -12345\n"
