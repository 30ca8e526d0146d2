# id: zyg_26_reap_siblings
# category: zygote
# kind: any
# attempts: wait for children that are not its own (it shares its parent with its siblings)
# detect: evidence
# refused-by: kernel ECHILD
# bare: refused by any kernel
for options in (1, 1 | 0x40000000, 1 | 0x20000000):
    with attempt(): _p.waitpid(-1, options); ev("waited")
