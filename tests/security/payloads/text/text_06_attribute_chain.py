# id: text_06_attribute_chain
# category: text
# kind: any
# attempts: a chain of 100,000 attributes (overflow of the compiler's stack)
# detect: the zygote died
# refused-by: verdict COMPILE_ERROR/RUNTIME_ERROR/MEMORY_EXCEEDED/KILLED_BY_SIGNAL
# bare: not applicable (the interpreter refuses the text)
# generate: yes
SOURCE = "x = 1\nx" + ".real" * 100_000
