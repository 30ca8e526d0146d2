# id: out_08_late_output
# category: output
# kind: stdio
# attempts: the right answer on stderr, in the title of the process and after stdout was closed
# detect: passed
# refused-by: verdict WRONG_OUTPUT
# bare: not applicable (needs the harness it is for)
a, b = map(int, input().split())
print(a + b, file=sys.stderr); _p.close(1)
try: print(a + b, flush=True)
except OSError: pass
sys.stdout = None
