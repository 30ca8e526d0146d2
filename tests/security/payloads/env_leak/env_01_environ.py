# id: env_01_environ
# category: env_leak
# kind: any
# attempts: read the trainer's environment from os.environ
# detect: evidence holds the ENV canary
# refused-by: nothing-there nothing
# bare: succeeds
import os
for key, value in os.environ.items():
    if "CANARY-" "ENV" in value: ev(value)
met("nothing")
