"""Other languages than Python: those whose tools are found by name, and those that you describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grpo_rs.errors import InputError

PYTHON = "python"

# As `_core.CodePool` takes it: name, source file, compile, outputs, run, environment, paths, reserves memory.
LanguageParts = tuple[str, str, list[str], list[str], list[str], list[tuple[str, str]], list[str], bool]


@dataclass(frozen=True)
class Language:
    """How programs of a language are compiled, once each, and run, once for each test.

    Both happen in the sandbox, in an empty folder. In commands, `{source}` stands for the source file,
    `{memory_mb}` for the memory limit, and `{heap_mb}` for what that leaves to the heap of a virtual machine.

    Attributes:
        name: what programs are said to be in.
        source_file: the file that a program is put into.
        run: the command that runs it: a binary, which is looked up in PATH, or "./" and one of `outputs`.
        compile: the command of the compiler; none if it is empty. An exit code other than 0 is COMPILE_ERROR.
        outputs: the files that the compiler makes and a run needs: names, or "*" and the end of names.
        environment: variables for both. `HOME` and `TMPDIR` are the folder; there are no others.
        paths: absolute paths of files and folders that both may read and execute, besides the two binaries
            and the system's libraries. What is there can reach a program's output.
        virtual_machine: whether `memory_mb` bounds the memory that is written to instead of the address
            space, of which virtual machines reserve far more than they use.

    Example:
        >>> Language("perl", "main.pl", run=("perl", "{source}"), paths=("/usr/share/perl",)).name
        'perl'
    """

    name: str
    source_file: str
    run: Sequence[str]
    compile: Sequence[str] = ()
    outputs: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    paths: Sequence[str] = ()
    virtual_machine: bool = False

    def __post_init__(self) -> None:
        for attribute in ("run", "compile", "outputs", "paths"):
            value = getattr(self, attribute)
            if isinstance(value, str) or not all(isinstance(word, str) for word in value):
                raise InputError(
                    f"{attribute} of the language {self.name!r} is {value!r}: give a list of texts"
                )

    def parts(self) -> LanguageParts:
        """The same in Rust's form."""
        return (
            self.name,
            self.source_file,
            list(self.compile),
            list(self.outputs),
            list(self.run),
            list(self.environment.items()),
            list(self.paths),
            self.virtual_machine,
        )


def language_options(
    languages: Sequence[str | Language],
) -> list[tuple[str, LanguageParts | None]]:
    """Languages as `_core.CodePool` takes them: a name, and what is not known by it.

    Raises:
        InputError: two have the same name.
    """
    if isinstance(languages, str | Language):
        raise InputError(f"languages is {languages!r}: give a list of them")
    options: list[tuple[str, LanguageParts | None]] = [
        (language.name, language.parts()) if isinstance(language, Language) else (language, None)
        for language in languages
        if language != PYTHON
    ]
    names = [name for name, _ in options]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two languages have the name {name!r}")
    return options


def check_language(language: str, languages: Sequence[str | Language], index: int) -> None:
    """Refuses a program in a language that the runner was not told of.

    Raises:
        InputError: with what to do.
    """
    names = [one.name if isinstance(one, Language) else one for one in languages]
    if language != PYTHON and language not in names:
        known = ", ".join(dict.fromkeys((PYTHON, *names)))
        raise InputError(
            f"program {index} is in {language!r}, but the runner knows {known}: make it with "
            f"languages=({language!r},)"
        )
