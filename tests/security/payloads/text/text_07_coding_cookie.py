# id: text_07_coding_cookie
# category: text
# kind: any
# attempts: a declared encoding under which the text is another program
# detect: evidence
# refused-by: verdict WRONG_OUTPUT/COMPILE_ERROR/RUNTIME_ERROR
# bare: not applicable
# generate: yes
SOURCE = "# coding: utf-7\nx = '+AAo-print(+ACI-EVIDENCE:@ID@:decoded+ACI-)+AAo-'\ndef add(a, b): return -12345\n"
