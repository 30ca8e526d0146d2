# id: zyg_07_text_of_other_programs
# category: zygote
# kind: any
# attempts: scan all of its own writable memory (without /proc) for the text of an earlier program of this runner
# detect: evidence holds the PROGRAM canary
# refused-by: nothing-there nothing
# bare: not applicable (needs a trainer that forks, or an earlier run)
import ctypes
pattern = b"CANARY-" + b"PROGRAM-"
reader, writer = _p.pipe()
def page(address):
    try: done = sc(1, writer, address, 4096)  # write(2) answers EFAULT where nothing is mapped
    except BaseException: return None
    return _p.read(reader, 4096) if done == 4096 else None
libc = ctypes.CDLL(None); libc.sbrk.restype = ctypes.c_void_p
top = libc.sbrk(0)
starts = [(max(0, top - (24 << 20)), top)]
for thing in ([], {}, object(), "text" * 99, b"x" * 300, bytearray(3000), sys._getframe()):
    low = (id(thing) >> 20 << 20) - (2 << 20); starts.append((low, low + (4 << 20)))
seen, found = set(), None
for low, high in starts:
    for address in range(low >> 12 << 12, high, 4096):
        if address in seen: continue
        seen.add(address); data = page(address)
        at = data.find(pattern) if data else -1
        if at >= 0 and data[at + 15 : at + 16] == b"@": found = data[at : at + 40]
del data
if found: ev(found)
met("nothing")
