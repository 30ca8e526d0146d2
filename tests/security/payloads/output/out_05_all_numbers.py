# id: out_05_all_numbers
# category: output
# kind: stdio
# attempts: print every number, and NaN, so that a loose comparison finds the right one
# detect: passed
# refused-by: verdict WRONG_OUTPUT
# bare: not applicable (needs the harness it is for)
print("nan inf -inf 1e999", *range(-10, 2000))
