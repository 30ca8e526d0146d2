# id: text_01_nul
# category: text
# kind: any
# attempts: a program with NUL in it
# detect: an error of the runner
# refused-by: verdict COMPILE_ERROR/RUNTIME_ERROR
# bare: not applicable (the interpreter refuses the text)
# generate: yes
SOURCE = "x = 1\0\nprint(5)\n"
