# id: zyg_24_raise_own_limits
# category: zygote
# kind: any
# attempts: raise its own hard limits
# detect: evidence
# refused-by: rlimit EPERM
# bare: succeeds
import resource
for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE"):
    number = getattr(resource, name)
    hard = resource.getrlimit(number)[1]
    if hard == resource.RLIM_INFINITY: ev(name + " is unlimited"); continue
    try: resource.setrlimit(number, (hard + 1, hard + 1)); ev("raised " + name)
    except ValueError: met("EPERM")
    except OSError as error: met(error)
