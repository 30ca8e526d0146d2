# id: text_09_folding
# category: text
# kind: any
# attempts: constants that cost the compiler, not the program
# detect: no verdict
# refused-by: limit CPU_EXCEEDED/MEMORY_EXCEEDED/COMPILE_ERROR/WRONG_OUTPUT/RUNTIME_ERROR
# bare: not applicable (the interpreter refuses the text)
# group: burn
# generate: yes
SOURCE = "\n".join("y%d = %s" % (n, "+".join(["((1 << 127) ** 3)"] * 500)) for n in range(200))
