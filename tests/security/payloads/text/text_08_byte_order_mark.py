# id: text_08_byte_order_mark
# category: text
# kind: any
# attempts: a byte order mark, form feeds and every kind of line end
# detect: an error of the runner
# refused-by: verdict WRONG_OUTPUT/COMPILE_ERROR/RUNTIME_ERROR
# bare: not applicable (the interpreter refuses the text)
# generate: yes
SOURCE = "\ufeff\f# coding: no-such-codec\r\x0bx = 1\r\ny = 2\u2028z = 3\n"
