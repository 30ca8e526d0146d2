# id: out_07_exit_code
# category: output
# kind: stdio
# attempts: a wrong answer with exit code 0, by every door
# detect: passed
# refused-by: verdict WRONG_OUTPUT
# bare: not applicable (needs the harness it is for)
print("PASSED", flush=True); _p._exit(0)
