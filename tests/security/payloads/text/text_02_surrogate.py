# id: text_02_surrogate
# category: text
# kind: any
# attempts: a program that is no valid Unicode
# detect: an error of the runner
# refused-by: verdict COMPILE_ERROR/RUNTIME_ERROR/WRONG_OUTPUT/NO_ENTRY_POINT
# bare: not applicable (the interpreter refuses the text)
# generate: yes
SOURCE = "x = '\ud800'\nprint(x)\n"
