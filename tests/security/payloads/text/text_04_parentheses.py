# id: text_04_parentheses
# category: text
# kind: any
# attempts: 100,000 parentheses (overflow of the compiler's stack)
# detect: the zygote died
# refused-by: verdict COMPILE_ERROR/RUNTIME_ERROR/MEMORY_EXCEEDED/KILLED_BY_SIGNAL
# bare: not applicable (the interpreter refuses the text)
# generate: yes
SOURCE = "x = " + "(" * 100_000 + "1" + ")" * 100_000
