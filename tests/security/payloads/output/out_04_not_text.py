# id: out_04_not_text
# category: output
# kind: stdio
# attempts: NULs, invalid UTF-8, terminal codes and digits of other scripts around a wrong answer
# detect: passed
# refused-by: verdict WRONG_OUTPUT
# bare: not applicable (needs the harness it is for)
a, b = map(int, input().split())
_p.write(1, b"\0\xff\xfe\x1b[2K\r%d\0\n" % (a + b)); _p.write(1, "\u200b\u2028\ufeff٥\n".encode())
