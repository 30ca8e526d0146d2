# id: out_01_ten_megabytes
# category: output
# kind: any
# attempts: 10 MB of stdout
# detect: anything but a clear outcome
# refused-by: limit OUTPUT_EXCEEDED
# bare: succeeds (floods)
# group: burn
for i in range(10): _p.write(1, b"x" * (1 << 20))
