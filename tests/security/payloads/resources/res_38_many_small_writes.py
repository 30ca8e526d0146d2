# id: res_38_many_small_writes
# category: resources
# kind: stdio
# attempts: a right answer, then 100 MB of spaces and empty lines, which a comparison ignores
# detect: passed
# refused-by: limit OUTPUT_EXCEEDED
# bare: succeeds (floods)
# group: burn
a, b = map(int, input().split())
print(a + b)
block = (b" " * 99 + b"\n") * 10_000
for i in range(100): _p.write(1, block)
