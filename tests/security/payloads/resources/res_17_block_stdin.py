# id: res_17_block_stdin
# category: resources
# kind: any
# attempts: wait for input that never comes
# detect: no verdict
# refused-by: nothing-there nothing
# bare: not applicable (needs a trainer that forks, or an earlier run)
with attempt():
    while _p.read(0, 1): pass
met("nothing")
