# id: out_02_both_streams
# category: output
# kind: any
# attempts: flood both streams by turns (a reader that drains one at a time hangs)
# detect: no verdict
# refused-by: limit OUTPUT_EXCEEDED
# bare: succeeds (floods)
# group: burn
for i in range(100_000): _p.write(1, b"o" * 4096); _p.write(2, b"e" * 4096)
