"""Programs in other languages than Python: verdicts on honest ones, and what hostile ones get."""

import asyncio
import os
import pickle
import shutil
import time
from pathlib import Path

import grpo_rs as g
import pytest
from grpo_rs import CodeOutcome, CodeRunner, IsolationLevel, Language, Limits, stdio_tests

pytestmark = pytest.mark.skipif(
    not CodeRunner().protection.sufficient, reason="the kernel lacks Landlock or seccomp"
)

TOOLS = {"c": "gcc", "cpp": "g++", "javascript": "node", "rust": "rustc", "java": "javac"}
FOUND = tuple(language for language, tool in TOOLS.items() if shutil.which(tool))
LANGUAGES = [
    pytest.param(
        language, marks=pytest.mark.skipif(language not in FOUND, reason=f"there is no {TOOLS[language]}")
    )
    for language in TOOLS
]
needs_c = pytest.mark.skipif("c" not in FOUND, reason="there is no gcc")
needs_cpp = pytest.mark.skipif("cpp" not in FOUND, reason="there is no g++")
SUMS = stdio_tests([("1 2\n", "3\n"), ("5 7", "12")])
NOTHING = stdio_tests([("", "right")])
CANARY = "canary-7141"

ADD = {
    "c": '#include <stdio.h>\nint main(){long a,b;scanf("%ld %ld",&a,&b);printf("%ld\\n",a+b);}',
    "cpp": "#include <bits/stdc++.h>\nint main(){long a,b;std::cin>>a>>b;std::cout<<a+b<<std::endl;}",
    "javascript": (
        "const [a, b] = require('fs').readFileSync(0, 'utf8').trim().split(/\\s+/).map(Number);"
        "console.log(a + b)"
    ),
    "rust": (
        "use std::io::Read; fn main() { let mut s = String::new(); std::io::stdin().read_to_string(&mut s)"
        ".unwrap(); let t: i64 = s.split_whitespace().map(|x| x.parse::<i64>().unwrap())."
        'sum(); println!("{t}"); }'
    ),
    "java": (
        "import java.util.*;\nclass Helper { static int add(int a, int b) { return a + b; } }\n"
        "public class Solution { public static void main(String[] args) { Scanner in = ne"
        "w Scanner(System.in);"
        " System.out.println(Helper.add(in.nextInt(), in.nextInt())); } }"
    ),
}
FAILS = {
    "c": "#include <stdlib.h>\nint main(){exit(3);}",
    "cpp": '#include <stdexcept>\nint main(){throw std::runtime_error("no");}',
    "javascript": "throw new Error('no')",
    "rust": 'fn main() { panic!("no") }',
    "java": 'public class Main { public static void main(String[] a) { throw new RuntimeException("no"); } }',
}
BROKEN = {
    "c": "int main(){ return undeclared_name; }",
    "cpp": "int main(){ return undeclared_name; }",
    "rust": "fn main() { undeclared_name(); }",
    "java": "public class Main { public static void main(String[] a) { undeclared_name(); } }",
}
LOOPS = {
    "c": "int main(){volatile int x=0;for(;;)x++;}",
    "cpp": "int main(){volatile int x=0;for(;;)x=x+1;}",
    "javascript": "for(;;){}",
    "rust": "fn main() { let mut x = 0u64; loop { x = std::hint::black_box(x + 1); } }",
    "java": (
        "public class Main { static volatile int x; public static void main(String[] a) { for(;;) x++; } }"
    ),
}
HOGS = {
    "c": (
        "#include <stdlib.h>\n#include <string.h>\n#include <stdio.h>\nint main(){for(int i=0;i<64;i++)"
        '{char*p=malloc(64<<20);memset(p,1,64<<20);}puts("right");}'
    ),
    "cpp": (
        "#include <bits/stdc++.h>\nint main(){std::vector<std::vector<char>> v;for(int i=0;i<64;i++)"
        'v.emplace_back(64<<20,1);puts("right");}'
    ),
    "javascript": "const v=[];for(let i=0;i<4e6;i++)v.push(new Array(100).fill(i));console.log('right')",
    "rust": (
        "fn main() { let v: Vec<Vec<u8>> = (0..64).map(|_| vec![1u8; 64 << 20]).collect(); "
        'println!("{}", if v.len() > 1 { "right" } else { "" }); }'
    ),
    "java": (
        "import java.util.*; public class Main { public static void main(String[] a) { List<byte[]> v = "
        "new ArrayList<>(); for (int i = 0; i < 64; i++) { byte[] b = new byte[64 << 20]; "
        'Arrays.fill(b, (byte) 1); v.add(b); } System.out.println("right"); } }'
    ),
}
THREADS = {
    "c": (
        "#include <pthread.h>\n#include <stdio.h>\nvoid*f(void*p){*(int*)p=1;return 0"
        ";}\nint main(){pthread_t t[4];"
        "int r[4]={0};for(int i=0;i<4;i++)if(pthread_create(t+i,0,f,r+i))return 1;"
        'for(int i=0;i<4;i++)pthread_join(t[i],0);puts(r[0]+r[1]+r[2]+r[3]==4?"right":"wrong");}'
    ),
    "cpp": (
        "#include <bits/stdc++.h>\nint main(){std::atomic<int> n{0};std::vector<std::thre"
        "ad> t;for(int i=0;i<4;i++)"
        't.emplace_back([&]{n++;});for(auto&x:t)x.join();puts(n==4?"right":"wrong");}'
    ),
    "javascript": (
        "const {Worker,isMainThread,parentPort}=require('worker_threads');"
        "if(isMainThread){let n=0;for(let i=0;i<2;i++)new Worker(__filename).on('message',m=>{n+=m;"
        "if(n===2)console.log('right')})}else parentPort.postMessage(1)"
    ),
    "rust": (
        "use std::thread; fn main() { let t: Vec<_> = (0..4).map(|i| thread::spawn(move || i)).collect(); "
        "let n: i32 = t.into_iter().map(|t| t.join().unwrap()).sum(); "
        'println!("{}", if n == 6 { "right" } else { "wrong" }); }'
    ),
    "java": (
        "import java.util.stream.*; public class Main { public static void main(String[] "
        "a) throws Exception { "
        "int[] n = new int[4]; Thread[] t = new Thread[4]; for (int i = 0; i < 4; i++) { int k = i; "
        "t[i] = new Thread(() -> n[k] = 1); t[i].start(); } for (Thread x : t) x.join(); "
        'System.out.println(IntStream.of(n).sum() == 4 ? "right" : "wrong"); } }'
    ),
}
# Each prints what it reads of the file in stdin, if it can.
READS = {
    "c": (
        '#include <stdio.h>\nint main(){char n[4096],b[4096];scanf("%4095s",n);FILE*f=fopen(n,"r");'
        "if(!f)return 9;size_t k=fread(b,1,4096,f);fwrite(b,1,k,stdout);}"
    ),
    "javascript": "const f=require('fs');console.log(f.readFileSync(f.readFileSync(0,'utf8').trim(),'utf8'))",
    "java": (
        "import java.nio.file.*; public class Main { public static void main(String[] a) throws Exception { "
        "System.out.println(Files.readString(Path.of(new String(System.in.readAllBytes()).trim()))); } }"
    ),
}


@pytest.fixture(scope="module", params=["as they are", "without namespaces"])
def runner(request):
    most = None if request.param == "as they are" else IsolationLevel.LANDLOCK
    limits = Limits(cpu_s=3.0, wall_s=20.0)
    with CodeRunner(limits, languages=FOUND, max_isolation=most, workers=2) as runner:
        yield runner


def cases(runner, program, tests, language):
    return runner.run([program], [tests], language=language)[0].cases


def only(runner, program, tests, language):
    (case,) = cases(runner, program, tests, language)
    return case


@pytest.mark.parametrize("language", LANGUAGES)
def test_right_and_wrong_programs(runner, language):
    wrong = ADD[language].replace("a+b", "a-b").replace("a + b", "a - b").replace(".sum()", ".max().unwrap()")
    assert wrong != ADD[language]
    results = runner.run([ADD[language], wrong], [SUMS] * 2, language=language)
    outcomes = [[case.outcome.name for case in result.cases] for result in results]
    assert outcomes == [["PASSED"] * 2, ["WRONG_OUTPUT"] * 2], [c.stderr for r in results for c in r.cases]
    assert results[0].integrity == "outside"
    assert results[0].isolation == runner.protection.level


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failing_program_is_told_apart_from_a_wrong_one(runner, language):
    case = only(runner, FAILS[language], NOTHING, language)
    assert case.outcome.name in ("RUNTIME_ERROR", "KILLED_BY_SIGNAL")
    assert case.message.startswith("ended ")
    assert "no" in case.stderr or language == "c"


@pytest.mark.parametrize("language", [param for param in LANGUAGES if param.values[0] in BROKEN])
def test_what_does_not_compile(runner, language):
    for case in cases(runner, BROKEN[language], SUMS, language):
        assert case.outcome is CodeOutcome.COMPILE_ERROR
        assert "undeclared_name" in case.stderr
        assert "error" in case.message


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_endless_loop_ends_by_its_cpu_time(runner, language):
    assert only(runner, LOOPS[language], NOTHING, language).outcome is CodeOutcome.CPU_EXCEEDED


@pytest.mark.parametrize("language", LANGUAGES)
def test_memory_is_bounded(runner, language):
    case = only(runner, HOGS[language], NOTHING, language)
    expected = {"KILLED_BY_SIGNAL"} if language == "c" else {"MEMORY_EXCEEDED", "CPU_EXCEEDED"}
    assert case.outcome.name in expected, case
    assert case.peak_bytes is None or case.peak_bytes < 640 << 20


@pytest.mark.parametrize("language", LANGUAGES)
def test_threads_are_no_processes(runner, language):
    case = only(runner, THREADS[language], NOTHING, language)
    assert case.outcome is CodeOutcome.PASSED, case.stderr


@pytest.mark.parametrize("language", [param for param in LANGUAGES if param.values[0] in READS])
def test_files_of_the_machine_cannot_be_read(runner, language, tmp_path):
    canary = tmp_path / "canary"
    canary.write_text(CANARY)
    canary.chmod(0o644)
    paths = [
        "/etc/passwd",
        "/etc/hostname",
        str(canary),
        "/proc/self/environ",
        "/proc/1/cmdline",
        "/proc/version",
    ]
    paths.append(f"/proc/{os.getpid()}/cmdline")
    for case in cases(runner, READS[language], stdio_tests([(path, CANARY) for path in paths]), language):
        assert case.outcome is CodeOutcome.RUNTIME_ERROR
        assert case.stdout == ""


C_ATTACKS = {
    # Each exits with 7 if it was refused, and prints "right" if not.
    "fork": '#include <unistd.h>\n#include <stdio.h>\nint main(){if(fork()<0)return 7;puts("right");}',
    "fork bomb": (
        "#include <unistd.h>\n#include <stdio.h>\nint main(){int n=0;for(int i=0;i<1000;i++)if(fork()>=0)n++;"
        'if(!n)return 7;puts("right");}'
    ),
    "vfork by number": (
        "#define _GNU_SOURCE\n#include <unistd.h>\n#include <sys/syscall.h>\n#include <si"
        "gnal.h>\n#include <stdio.h>\n"
        "int main(){if(syscall(SYS_clone,SIGCHLD,0,0,0,0)<0&&syscall(SYS_clone3,0,0)<0)re"
        'turn 7;puts("right");}'
    ),
    "network": (
        "#include <sys/socket.h>\n#include <stdio.h>\nint main(){if(socket(AF_INET,SOCK_STREAM,0)<0&&"
        'socket(AF_INET,SOCK_DGRAM,0)<0&&socket(AF_UNIX,SOCK_STREAM,0)<0)return 7;puts("right");}'
    ),
    "write elsewhere": (
        '#include <stdio.h>\nint main(){char*n[]={"/tmp/x","/var/tmp/x","/dev/shm/x","/usr/x","/x","../x"};'
        'for(int i=0;i<6;i++)if(fopen(n[i],"w")){puts("right");return 0;}return 7;}'
    ),
    "execute a shell": (
        '#include <unistd.h>\n#include <stdio.h>\nint main(){execl("/bin/sh","sh","-c","echo right",NULL);'
        'execl("/usr/bin/id","id",NULL);return 7;}'
    ),
    "signal the parent": (
        "#include <signal.h>\n#include <unistd.h>\n#include <stdio.h>\nint main(){if(kill(getppid(),0)<0&&"
        'kill(1,0)<0&&kill(-1,0)<0)return 7;puts("right");}'
    ),
    "leave the group": (
        "#include <unistd.h>\n#include <stdio.h>\nint main(){if(setsid()<0&&setpgid(0,0)<"
        '0)return 7;puts("right");}'
    ),
}


@needs_c
@pytest.mark.parametrize("attack", C_ATTACKS)
def test_what_a_program_in_c_is_refused(runner, attack):
    case = only(runner, C_ATTACKS[attack], NOTHING, "c")
    assert (case.outcome, case.exit_code, case.stdout) == (CodeOutcome.RUNTIME_ERROR, 7, ""), case


@needs_c
def test_a_landlock_of_the_first_version_is_enough():
    weakest = {"max_isolation": IsolationLevel.LANDLOCK, "landlock_abi": 1}
    with CodeRunner(languages=["c"], workers=1, **weakest) as runner:
        results = runner.run(list(C_ATTACKS.values()), [NOTHING] * len(C_ATTACKS), language="c")
        assert runner.protection.landlock_abi == 1
        assert runner.run([ADD["c"]], [SUMS], language="c").passed.all()
    assert [result.cases[0].exit_code for result in results] == [7] * len(C_ATTACKS)


@needs_c
def test_a_trace_is_a_forbidden_call(runner):
    program = "#include <sys/ptrace.h>\nint main(){ptrace(PTRACE_TRACEME,0,0,0);}"
    assert only(runner, program, NOTHING, "c").outcome is CodeOutcome.FORBIDDEN


@needs_c
def test_threads_are_bounded():
    program = (
        "#include <pthread.h>\n#include <unistd.h>\n#include <stdio.h>\nvoid*f(void*p){pause();return 0;}\n"
        "int main(){pthread_attr_t a;pthread_attr_init(&a);pthread_attr_setstacksize(&a,16384);pthread_t t;"
        'int n=0;while(n<20000&&!pthread_create(&t,&a,f,0))n++;printf("%s\\n",n<5000?"bounded":"free");'
        "fflush(stdout);_exit(0);}"
    )
    with CodeRunner(Limits(memory_mb=4096), languages=["c"], workers=1) as runner:
        layers = runner.protection.layers
        if os.getuid() == 0 and not layers["own_user"] and not layers["cgroup"]:
            pytest.skip("nothing limits the threads of root")
        case = only(runner, program, stdio_tests([("", "bounded")]), "c")
    assert case.outcome is CodeOutcome.PASSED, case


@needs_c
def test_a_flood_of_output_is_a_clear_outcome(runner):
    program = (
        '#include <stdio.h>\nint main(){for(;;)puts("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");}'
    )
    assert only(runner, program, NOTHING, "c").outcome is CodeOutcome.OUTPUT_EXCEEDED


@needs_c
def test_a_binary_that_the_kernel_refuses_is_the_programs_fault(runner):
    loader = '__attribute__((section(".interp"))) const char i[]="/no/such/loader";int main(){}'
    huge = "char big[1L<<36];int main(){big[1L<<35]=1;return big[1L<<34];}"
    for program in (loader, huge):
        case = only(runner, program, NOTHING, "c")
        assert case.outcome.is_scorable, case
        assert case.outcome is not CodeOutcome.PASSED


@needs_c
@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/etc/hostname"])
def test_a_compiler_reads_no_file_of_the_machine(runner, path):
    programs = [
        f'#include "{path}"\nint main(){{}}',
        f'#include <stdio.h>\n__asm__(".section .rodata\\nx: .incbin \\"{path}\\"\\n.text"'
        f");\nextern char x[];"
        "int main(){puts(x);}",
    ]
    first_line = Path(path).read_text(errors="replace").split("\n", maxsplit=1)[0].split("\0")[0]
    assert first_line
    for program in programs:
        case = only(runner, program, NOTHING, "c")
        assert case.outcome is CodeOutcome.COMPILE_ERROR
        assert first_line not in case.stderr + case.stdout + case.message


@pytest.mark.skipif("rust" not in FOUND, reason="there is no rustc")
def test_rustc_includes_no_file_of_the_machine(runner):
    case = only(runner, 'fn main() { println!("{}", include_str!("/etc/passwd")); }', NOTHING, "rust")
    assert case.outcome is CodeOutcome.COMPILE_ERROR
    assert "root:" not in case.stderr


@needs_cpp
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "program",
    [
        '#include "/dev/zero"\nint main(){}',
        "template<int N,int M> struct A{static const int v=A<N-1,M>::v+A<N-1,M+1>::v;};"
        "template<int M> struct A<0,M>{static const int v=1;};int main(){return A<800,0>::v;}",
        '#include "main.cpp"\nint main(){}',
        "#define A(x) x x x x x x x x x x\n#define B(x) A(A(A(A(A(A(A(A(x))))))))\nint main(){B(oh no;)}",
        "int x[1L<<40]={1};int main(){return x[5];}",
    ],
    ids=["zeroes", "templates", "itself", "macros", "data"],
)
def test_a_bomb_for_the_compiler_is_bounded(program):
    with CodeRunner(languages=["cpp"], workers=1) as runner:
        case = only(runner, program, NOTHING, "cpp")
    assert case.outcome is CodeOutcome.COMPILE_ERROR
    assert len(case.stderr) <= 8192
    assert len(case.message) <= 300
    assert case.cpu_s < 40


def stamping(name="stamped"):
    """A language whose compiler puts random bytes into what it makes."""
    return Language(
        name,
        "main.txt",
        compile=(
            "/bin/sh",
            "-c",
            "head -c 16 /dev/urandom | od -An -tx1 > out; cat {source} >> out; sleep 0.2",
        ),
        outputs=("out",),
        run=("cat", "out"),
        paths=("/usr/bin",),
    )


def test_a_source_is_compiled_once_for_all_its_tests_and_copies():
    tests = stdio_tests([("", "?")] * 3)
    with CodeRunner(languages=[stamping()], workers=2) as runner:
        first = runner.run(["a", "a", "a", "b"], [tests] * 4, language="stamped")
        second = runner.run(["a"], [tests], language="stamped")
    printed = [[case.stdout for case in result.cases] for result in (*first, *second)]
    assert len(set(printed[0] + printed[1] + printed[2] + printed[4])) == 1
    assert printed[0][0].endswith("\na")
    assert printed[3][0].endswith("\nb")
    assert printed[3][0].split("\n")[0] != printed[0][0].split("\n")[0]


def test_two_languages_share_no_artefacts():
    languages = [stamping(), stamping("other")]
    with CodeRunner(languages=languages, workers=1) as runner:
        results = runner.run(["a", "a"], [NOTHING] * 2, language=["stamped", "other"])
    assert results[0].cases[0].stdout != results[1].cases[0].stdout


def test_a_language_of_your_own_without_a_compiler():
    shell = Language("shell", "main.sh", run=("/bin/sh", "{source}"))
    program = "read a b; echo $((a + b))"
    with CodeRunner(languages=[shell], workers=1) as runner:
        result = runner.run([program], [SUMS], language="shell")[0]
        refused = only(runner, "/usr/bin/id && echo right", NOTHING, "shell")
    assert result.passed
    # It may execute itself and the loader, and nothing else.
    assert refused.outcome is CodeOutcome.RUNTIME_ERROR


def test_a_compiler_that_makes_nothing_is_told():
    lazy = Language("lazy", "x", compile=("/bin/sh", "-c", "exit 0"), outputs=("out",), run=("./out",))
    with CodeRunner(languages=[lazy], workers=1) as runner:
        case = only(runner, "", NOTHING, "lazy")
    assert (case.outcome, case.message) == (CodeOutcome.COMPILE_ERROR, "the compiler made no out")


@needs_c
def test_links_are_not_brought_back():
    link = Language(
        "link", "x", compile=("/bin/sh", "-c", "ln -s /etc/passwd out"), outputs=("out",), run=("cat", "out"),
        paths=("/usr/bin",),
    )  # fmt: skip
    with CodeRunner(languages=[link], workers=1) as runner:
        case = only(runner, "", NOTHING, "link")
    assert (case.outcome, case.message) == (CodeOutcome.COMPILE_ERROR, "the compiler made no out")


@needs_c
def test_languages_can_be_mixed_with_python():
    python = "print(sum(map(int, input().split())))"
    with CodeRunner(languages=["c"], workers=2) as runner:
        results = runner.run([python, ADD["c"], python], [SUMS] * 3, language=["python", "c", "python"])
        assert results.passed.tolist() == [True] * 3
        streamed = dict(runner.stream(iter([ADD["c"], python]), [SUMS] * 2, language=iter(["c", "python"])))
        assert [streamed[index].passed for index in (0, 1)] == [True] * 2
        assert asyncio.run(runner.run_async([ADD["c"]], [SUMS], language="c")).passed.all()


@needs_c
def test_the_cpu_time_of_the_compiler_is_not_the_programs():
    with CodeRunner(Limits(cpu_s=0.02, total_cpu_s=0.05), languages=["c"], workers=1) as runner:
        assert runner.run([ADD["c"]], [SUMS], language="c")[0].passed


@needs_c
def test_a_checker_judges_other_languages_too():
    checker = g.Checker(
        "def check(stdin, expected, output): return int(output) == sum(map(int, stdin.split()))"
    )
    tests = stdio_tests([("1 2", "")], comparator=checker)
    with CodeRunner(languages=["c"], workers=1) as runner:
        assert runner.run([ADD["c"]], [tests], language="c")[0].passed
        assert runner.run(["int main(){}"], [tests], language="c")[0].passed is False


@needs_c
def test_nothing_of_a_run_is_there_for_the_next():
    writes = '#include <stdio.h>\nint main(){fputs("x",fopen("left","w"));puts("right");}'
    looks = '#include <stdio.h>\nint main(){puts(fopen("left","r")||fopen("main.c","r")?"wrong":"right");}'
    with CodeRunner(languages=["c"], workers=1) as runner:
        assert runner.run([writes, looks], [NOTHING] * 2, language="c").passed.all()


@needs_c
def test_stop_at_first_failure_compiles_and_stops():
    with CodeRunner(languages=["c"], workers=1, stop_at_first_failure=True) as runner:
        broken = runner.run([BROKEN["c"]], [SUMS], language="c")[0]
    assert [case.outcome.name for case in broken.cases] == ["COMPILE_ERROR", "SKIPPED"]


def test_what_a_runner_refuses():
    shell = Language("shell", "main.sh", run=("/bin/sh", "{source}"))
    with CodeRunner(languages=[shell], workers=1) as runner:
        with pytest.raises(g.InputError, match=r"knows python, shell.*languages=\('cpp',\)"):
            runner.run(["x"], [NOTHING], language="cpp")
        with pytest.raises(g.InputError, match="stdio_tests"):
            runner.run(["x"], [g.call_tests("f", [((1,), 1)])], language="shell")
        with pytest.raises(g.InputError, match="languages for 1"):
            runner.run(["x", "x"], [NOTHING] * 2, language=["shell"])
        with pytest.raises(g.InputError, match="no language for program 1"):
            list(runner.stream(["exit", "exit"], [NOTHING] * 2, language=["shell"]))
    with pytest.raises(g.InputError, match="c, cpp, javascript, rust, java"):
        CodeRunner(languages=["cobol"])
    with pytest.raises(g.InputError, match="list"):
        CodeRunner(languages="cpp")
    with pytest.raises(g.InputError, match="two languages"):
        CodeRunner(languages=[shell, shell])
    with pytest.raises(g.InputError, match="no such file"):
        CodeRunner(languages=[Language("x", "x", run=("no-such-binary-1",))])
    with pytest.raises(g.InputError, match="without /"):
        CodeRunner(languages=[Language("x", "../x", run=("/bin/sh",))])
    with pytest.raises(g.InputError, match="not among outputs"):
        CodeRunner(languages=[Language("x", "x", run=("./y",))])
    with pytest.raises(g.InputError, match="give both"):
        CodeRunner(languages=[Language("x", "x", compile=("/bin/sh",), run=("/bin/sh",))])
    with pytest.raises(g.InputError, match="absolute"):
        CodeRunner(languages=[Language("x", "x", run=("/bin/sh",), paths=("relative",))])
    with pytest.raises(g.InputError, match="list of texts"):
        Language("x", "x", run="/bin/sh x")


def test_a_missing_tool_is_an_error_with_a_remedy(monkeypatch):
    monkeypatch.setenv("PATH", "/no/such/folder")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    for language in TOOLS:
        with pytest.raises(g.InputError, match="install"):
            CodeRunner(languages=[language])


def test_a_runner_keeps_its_languages_when_it_is_pickled():
    shell = Language("shell", "main.sh", run=("/bin/sh", "{source}"))
    with pickle.loads(pickle.dumps(CodeRunner(languages=[shell], workers=1))) as runner:
        assert runner.run(["echo right"], [NOTHING], language="shell").passed.all()


def test_what_a_compiler_leaves_behind_is_ended():
    # The pipe is held open by what is left: the folder shows that it has ended.
    script = "for i in 1 2 3; do (sleep 1; echo late > late) & done; echo made > out"
    leaving = Language(
        "leaving",
        "main.txt",
        compile=("/bin/sh", "-c", script),
        outputs=("out",),
        run=("/bin/sh", "-c", "sleep 2; test -e late || cat out"),
        paths=("/usr/bin",),
    )
    tests = stdio_tests([("", "made")])
    with CodeRunner(Limits(processes=64), languages=[leaving], workers=1) as runner:
        if not runner.protection.layers["namespaces"]:
            pytest.skip("several processes need namespaces")
        assert runner.run(["x"], [tests], language="leaving").passed.all()


def test_a_stream_that_is_closed_ends_the_compiler():
    slow = Language(
        "slow",
        "main.txt",
        compile=("/bin/sh", "-c", "case $(cat {source}) in slow) sleep 100;; esac; echo made > out"),
        outputs=("out",),
        run=("cat", "out"),
        paths=("/usr/bin",),
    )
    begun = time.monotonic()
    with CodeRunner(languages=[slow], workers=2) as runner:
        stream = runner.stream(["quick", "slow", "slow"], [NOTHING] * 3, language="slow")
        assert next(stream)[0] == 0
        stream.close()
        again = runner.run(["quick"], [stdio_tests([("", "made")])], language="slow")
    assert again.passed.all()
    assert time.monotonic() - begun < 60
