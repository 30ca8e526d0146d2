# id: res_34_power
# category: resources
# kind: any
# attempts: one operation that never ends: 10 ** 10 ** 8 and more
# detect: no verdict
# refused-by: limit CPU_EXCEEDED/MEMORY_EXCEEDED
# bare: succeeds (runs on)
# group: burn
x = 10 ** 10 ** 7
y = pow(7, x, x + 1)
