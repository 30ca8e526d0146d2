# id: zyg_20_new_session
# category: zygote
# kind: any
# attempts: leave its session and process group, out of reach of a kill by group
# detect: evidence
# refused-by: seccomp EPERM
# bare: succeeds
with attempt(): _p.setsid(); ev("session")
with attempt(): _p.setpgid(0, 0); ev("group")
