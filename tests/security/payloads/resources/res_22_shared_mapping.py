# id: res_22_shared_mapping
# category: resources
# kind: any
# attempts: shared anonymous and unreserved mappings beyond the limit
# detect: evidence
# refused-by: rlimit ENOMEM
# bare: succeeds
# group: burn
import mmap
for flags in (mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000):
    with attempt(): mmap.mmap(-1, 2 << 30, flags); ev("2 GB mapped")
