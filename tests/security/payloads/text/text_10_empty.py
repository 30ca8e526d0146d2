# id: text_10_empty
# category: text
# kind: any
# attempts: nothing at all
# detect: passed
# refused-by: verdict WRONG_OUTPUT/NO_ENTRY_POINT/NO_PROGRAM/RUNTIME_ERROR
# bare: not applicable (the interpreter refuses the text)
# generate: yes
SOURCE = " \n\t\n# nothing\n"
