"""The program in a completion: replies as models write them, and replies that hold no program."""

import pytest
from grpo_rs._core import InputError, extract_program

ADD = "def add(a, b):\n    return a + b\n"

PROGRAMS = {
    "tagged": ("Sure:\n```python\nprint(1)\n```\n", "print(1)\n"),
    "tag in capitals": ("```Python\nprint(1)\n```", "print(1)\n"),
    "short tag": ("```py\nprint(1)\n```", "print(1)\n"),
    "version in the tag": ("```python3\nprint(1)\n```", "print(1)\n"),
    "attributes in the tag": ("```{.python .numberLines}\nprint(1)\n```", "print(1)\n"),
    "title after the tag": ('```python title="solution.py"\nprint(1)\n```', "print(1)\n"),
    "file name as the tag": ("```solution.py\nprint(1)\n```", "print(1)\n"),
    "no tag": ("```\nprint(1)\n```", "print(1)\n"),
    "tildes": ("~~~python\nprint(1)\n~~~", "print(1)\n"),
    "the last of two": ("```python\nprint(1)\n```\nBetter:\n```python\nprint(2)\n```", "print(2)\n"),
    "the tagged one, then its output": ("```python\nprint(1)\n```\nOutput:\n```\n1\n```", "print(1)\n"),
    "the tagged one, then code without a tag": ("```python\nprint(1)\n```\n```\nx = 1\n```", "print(1)\n"),
    "the one that looks like code": ("```\nprint(1)\n```\nIt prints\n```\n1\n```", "print(1)\n"),
    "shell after it": ("```python\nprint(1)\n```\nRun it:\n```bash\npython a.py\n```", "print(1)\n"),
    "JSON before it": ('```json\n{"a": 1}\n```\n```python\nprint(1)\n```', "print(1)\n"),
    "an unfinished last one": ("```python\nprint(1)\n```\nOr:\n```python\nprint(", "print(1)\n"),
    "only an unfinished one": ("Here:\n```python\ndef add(a, b):\n    return a + b", ADD),
    "given up and begun again": ("```python\nprint(\n```python\nprint(2)\n```", "print(2)\n"),
    "closing fence behind the code": ("```python\nprint(1)```", "print(1)\n"),
    "longer fence around fences": (
        '````python\nDOC = """\n```\nx\n```\n"""\n````',
        'DOC = """\n```\nx\n```\n"""\n',
    ),
    "fence inside a docstring": (
        '```python\ndef f():\n    """\n    ```\n    f()\n    ```\n    """\n```',
        'def f():\n    """\n    ```\n    f()\n    ```\n    """\n',
    ),
    "in a list": (
        "1. Add them:\n\n   ```python\n   def add(a, b):\n       return a + b\n   ```\n2. Done.",
        ADD,
    ),
    "fence beside the list's mark": ("- ```python\n  def add(a, b):\n      return a + b\n  ```", ADD),
    "only the fence is indented": ("  ```python\ndef add(a, b):\n    return a + b\n  ```", ADD),
    "body of a function": ("```python\n    return a + b\n```", "    return a + b\n"),
    "CRLF": ("Hi\r\n```python\r\nprint(1)\r\nprint(2)\r\n```\r\n", "print(1)\nprint(2)\n"),
    "behind a sentence": ("Here it is: ```python\nprint(1)\n```", "print(1)\n"),
    "end of turn at once": ("```python\nprint(1)\n```<|im_end|>", "print(1)\n"),
    "after the reasoning": (
        "<think>\n```python\nprint(0)\n```\n</think>\n```python\nprint(1)\n```",
        "print(1)\n",
    ),
    "reasoning opened by the template": (
        "```python\nprint(0)\n```\n</think>\n```python\nprint(1)\n```",
        "print(1)\n",
    ),
    "before reasoning without end": (
        "```python\nprint(1)\n```\n<think>\n```python\nprint(0)\n```",
        "print(1)\n",
    ),
    "reasoning twice": ("<think>a</think>\n<think>b</think>\n```python\nprint(1)\n```", "print(1)\n"),
    "tags that the program prints": (
        '```python\nprint("<think>")\nprint("</think>")\n```',
        'print("<think>")\nprint("</think>")\n',
    ),
    "in an answer": ("```python\nprint(0)\n```\n<answer>\n```python\nprint(1)\n```\n</answer>", "print(1)\n"),
    "in an answer without a fence": ("<answer>\nprint(1)\n</answer>", "print(1)\n"),
    "an answer without a program": ("```python\nprint(1)\n```\n<answer>yes</answer>", "print(1)\n"),
    "in PYTHON": ("[PYTHON]\ndef add(a, b):\n    return a + b\n[/PYTHON]\n[TESTS]\n...", ADD),
    "in code": ("Try <code>\nprint(1)\n</code> now", "print(1)\n"),
    "bare": (
        "a, b = map(int, input().split())\nprint(a + b)",
        "a, b = map(int, input().split())\nprint(a + b)\n",
    ),
    "bare between sentences": (
        "Here is the solution.\n\nimport sys\n\ndef add(a, b):\n    return a + b\n\nThis adds them.",
        "import sys\n\n" + ADD,
    ),
    "bare with a comment above": ("# adds\ndef add(a, b):\n    return a + b", "# adds\n" + ADD),
    "bare with a main guard": (
        "def main():\n    pass\n\nif __name__ == '__main__':\n    main()\nGood luck!",
        "def main():\n    pass\n\nif __name__ == '__main__':\n    main()\n",
    ),
    "session after the program": ("```python\nprint(1)\n```\n```python\n>>> add(1, 2)\n3\n```", "print(1)\n"),
}

NO_PROGRAM = {
    "nothing": "",
    "white space": " \n\n",
    "a refusal": "I cannot solve this problem, because the input is ambiguous.",
    "a number": "The answer is 42.",
    "prose with keywords": (
        "for example, if the list is empty we return zero\nimport the module first\nfrom here on it is easy"
    ),
    "a list in Markdown": "1. Read the input\n2. Sort it\n- print the result",
    "another language": "```javascript\nconsole.log(1)\n```",
    "text": "```text\nprint(1)\n```",
    "output": "```output\n3\n```",
    "shell": "```bash\npython solution.py\n```",
    "session": "```python\n>>> 1 + 1\n2\n```",
    "empty block": "```python\n```",
    "output without a tag": "It prints\n```\n1 2 3\n```",
    "reasoning without end": "<think>\n```python\nprint(1)\n```",
    "reasoning only": "<think>\n```python\nprint(1)\n```\n</think>",
    "the opening fence alone": "Here:\n```python",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    completion, program = PROGRAMS[name]
    assert extract_program(completion, "python") == program


@pytest.mark.parametrize("name", NO_PROGRAM)
def test_replies_without_a_program(name):
    assert extract_program(NO_PROGRAM[name], "python") is None


@pytest.mark.parametrize(
    ("language", "tag"),
    [
        ("c", "c"),
        ("c", "C"),
        ("cpp", "c++"),
        ("cpp", "cpp17"),
        ("c++", "cpp"),
        ("javascript", "js"),
        ("node", "javascript"),
        ("rust", "rs"),
        ("java", "Java"),
    ],
)
def test_each_language_has_its_tags(language, tag):
    reply = f"```{tag}\nx\n```\n```python\ny\n```"
    assert extract_program(reply, language) == "x\n"


def test_c_and_cpp_are_two_languages():
    assert extract_program("```cpp\nint main() {}\n```", "c") is None


def test_a_bare_c_program():
    reply = 'This works:\n#include <stdio.h>\nint main() {\n  puts("1");\n}\nIt prints 1.'
    assert extract_program(reply, "c") == '#include <stdio.h>\nint main() {\n  puts("1");\n}\n'


def test_an_unknown_language_is_an_error():
    with pytest.raises(InputError, match="language is 'cobol': give 'python'"):
        extract_program("x", "cobol")


@pytest.mark.parametrize(
    "piece", ["```", "```\n", "```python\n", "<think>\n", "</think>", "~~~\nx\n", "    ", "<", "x = (\n"]
)
def test_takes_linear_time(piece):
    extract_program(piece * 300_000, "python")
