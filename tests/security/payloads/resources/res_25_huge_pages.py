# id: res_25_huge_pages
# category: resources
# kind: any
# attempts: huge pages, which a limit on pages may not count
# detect: evidence
# refused-by: rlimit ENOMEM/EPERM
# bare: needs reserved pages
import mmap
for flags in (0x40000, 0x40000 | 30 << 26):
    with attempt(): mmap.mmap(-1, 1 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flags); ev("huge pages")
