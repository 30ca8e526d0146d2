# id: zyg_28_shared_with_zygote
# category: zygote
# kind: any
# attempts: find memory it shares with the zygote (a writable shared mapping), through which runs could talk
# detect: evidence
# refused-by: nothing-there nothing
# bare: not applicable
try: lines = rd("/proc/self/maps", 1 << 20).decode().splitlines()
except OSError: lines = []
for line in lines:
    if line.split()[1].startswith("rw") and line.split()[1].endswith("s"): ev(line)
met("nothing")
