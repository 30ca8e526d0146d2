# id: forge_25_stdio_print_only_first_line
# category: verdict
# kind: stdio2
# attempts: print a correct prefix only (checkers that zip() lines accept truncation)
# detect: passed although lines 2 and 3 are missing
# refused-by: verdict WRONG_OUTPUT
# bare: not applicable (needs the harness it is for)
a, b = map(int, (input() + " 0 0").split()[:2])
print(a + b)
