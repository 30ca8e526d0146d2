# id: res_31_deep_tree
# category: resources
# kind: any
# attempts: directories nested 5,000 deep with long names, which a careless clean-up cannot remove
# detect: files are left
# refused-by: verdict CPU_EXCEEDED/WRONG_OUTPUT/OUTPUT_EXCEEDED
# bare: succeeds (leaves a deep tree)
# group: burn
try:
    for depth in range(5000): _p.mkdir("d" * 200); _p.chdir("d" * 200)
except OSError: pass
