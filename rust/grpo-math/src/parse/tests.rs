//! What texts are read as, in the plain form in which messages show it.

use super::parse;
use crate::budget::Budget;
use crate::display::describe;

fn read(text: &str) -> Option<String> {
    let read = parse(text, &mut Budget::default()).unwrap();
    (!read.is_fallback).then(|| describe(&read.expr))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn forms_are_read_as_meant() {
    #[rustfmt::skip] // a table
    let forms = [
        ("The answer is 5", "5"),
        (r"\sum_{k=1}^{10^9} \frac1k", "sum(1/k, k = 1..10^9)"),
        (r"\lim_{x\to 0^+} \frac{\sin x}{x}", "limit(sin(x)/x, x -> 0)"),
        (r"\lim_{n \to \infty} (1+\frac1n)^n", "limit((1 + 1/n)^n, n -> infinity)"),
        (r"\int_0^{\pi} \sin x \, dx", "integral(sin(x), x = 0..pi)"),
        (r"\int_0^1 \frac{dx}{1+x^2}", "integral(1/(1 + x^2), x = 0..1)"),
        (r"\frac{d}{dx} x^2", "d1/dx(x^2)"),
        (r"\frac{d}{dx}(\sin x)", "d1/dx(sin(x))"),
        ("|x-1|+|x+2|", "|x - 1| + |x + 2|"),
        ("||x|-1|", "||x| - 1|"),
        ("2|x|", "2|x|"),
        ("|2x-3|<5", "|2x - 3| < 5"),
        (r"\left|\frac{a}{b}\right|", "|a/b|"),
        (r"[-1,1]\cup\{3\}", "[-1, 1] U {3}"),
        (r"(-\infty,1[", "(-infinity, 1["),
        (r"\text{(B)}", "(B)"),
        (r"\textbf{(C)}\ 12", "(C) 12"),
        (r"x=1\text{ or }x=-1", "x = 1 or x = -1"),
        (r"\text{Alice and Bob}", r#""Alice and Bob""#),
        (r"\{(x,y) \mid x+y=1\}", "{(x, y) | x + y = 1}"),
        (r"\{x\in\mathbb{R}\mid x^2<4\}", "{x in R | x^2 < 4}"),
        (r"\{1,2,\ldots,n\}", "{1, 2, …, n}"),
        (r"x \in (-\infty,-1)\cup(2,\infty)", "x in (-infinity, -1) U (2, infinity)"),
        (r"x\le -1 \text{ or } x \ge 3", "x <= -1 or x >= 3"),
        (r"\mathbb{Z}^+", "Z+"),
        (r"\mathbb R", "R"),
        ("f'(x)=2x", "f'(x) = 2x"),
        (r"f^{-1}(x)=\frac{x-1}{2}", "f^-1(x) = (x - 1)/2"),
        (r"\log_3 81", "log(81, 3)"),
        (r"\log_{2}{8}", "log(8, 2)"),
        (r"\log 100", "log(100)"),
        (r"\ln(e^2)", "ln(e^2)"),
        ("e^{-x^2/2}", "e^(-x^2/2)"),
        (r"\frac{-b\pm\sqrt{b^2-4ac}}{2a}", "(-b ± sqrt(b^2 - 4a*c))/(2a)"),
        (r"\sqrt[3]{2}", "root(2, 3)"),
        (r"\sqrt[3]2", "root(2, 3)"),
        ("2^{1/2}", "2^(1/2)"),
        ("10^{-3}", "10^(-3)"),
        ("a_{n+1}=2a_n+1", "a_n+1 = 2a_n + 1"),
        (r"\angle ABC = 60^\circ", "angle ABC = 60°"),
        (r"\triangle ABC \sim \triangle DEF", "triangle ABC similar to triangle DEF"),
        ("AB = 5", "A*B = 5"),
        ("AB=4,CD=5", "A*B = 4, C*D = 5"),
        (r"\overline{AB} \parallel \overline{CD}", "overline{AB} parallel to overline{CD}"),
        (r"12\text{ cm}^3", "12 cubic cm"),
        (r"5\,\text{m/s}", "5 m/s"),
        ("5 m/s", "5 m per s"),
        ("9.8 m/s^2", "9.8 m per square s"),
        ("60 km/h", "60 km per h"),
        ("$5.50", "5.50"),
        ("January 5, 2020", "2020-01-05"),
        ("3:45", "3:45"),
        ("1/2 or 0.5", "1/2 or 0.5"),
        ("twenty-one", "21"),
        ("one half", "1/2"),
        ("three-fourths", "3/4"),
        ("all real numbers except 0", r"R \ {0}"),
        ("No solution", "the empty set"),
        ("DNE", r#""does not exist""#),
        ("A and C", "(AC)"),
        ("B, D", "(BD)"),
        (r"\text{A, C}", "(AC)"),
        (r"\approx 5", "5"),
        (r"5 \pm 2", "5 ± 2"),
        (r"2\pm3i", "2 ± 3i"),
        (r"-2 \pm \sqrt{3}", "-2 ± sqrt(3)"),
        ("1{,}000{,}000", "1000000"),
        ("1.000.000", "1000000"),
        ("1 000 000", "1000000"),
        (r"\frac{1}{2}x^2+3x", "x^2/2 + 3x"),
        ("xy+yz+zx", "x*y + y*z + z*x"),
        ("abc", r#""abc""#),
        ("ab+bc", "a*b + b*c"),
        ("sin x cos x", "sin(x)*cos(x)"),
        (r"\sin x \cos x", "sin(x)*cos(x)"),
        (r"\sin(2x)", "sin(2x)"),
        (r"\tan^{-1} x", "atan(x)"),
        (r"\cos^2\theta", "cos(theta)^2"),
        (r"e^{i\theta}", "e^(i*theta)"),
        ("3+4i", "3 + 4i"),
        (r"\frac{3+4i}{5}", "(3 + 4i)/5"),
        ("i", "i"),
        ("-i", "-i"),
        (r"\{2,3\}", "{2, 3}"),
        (r"\{\}", "the empty set"),
        (r"2, 3, \text{ or } 5", "2 or 3 or 5"),
        (r"\left\{ \begin{array}{l} x=1 \\ y=2 \end{array} \right.", "x = 1, y = 2"),
        (r"\begin{cases} x+1 & \text{if } x>0 \\ 0 & \text{otherwise}\end{cases}", "{x + 1 if x > 0; 0 otherwise}"),
        (r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}", "det([1, 2; 3, 4])"),
        (r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}^{-1}", "[1, 2; 3, 4]^(-1)"),
        (r"\det A", "det(A)"),
        (r"\gcd(12, 18)", "gcd(12, 18)"),
        (r"\max(3,5)", "max(3, 5)"),
        (r"17 \bmod 5", "mod(17, 5)"),
        (r"\lfloor 3.7 \rfloor", "floor(3.7)"),
        ("n!", "n!"),
        ("(2n)!!", "doublefactorial(2n)"),
        (r"\binom{n}{k}", "binomial(n, k)"),
        ("^{10}C_3", "binomial(10, 3)"),
        ("{}^{10}C_{3}", "binomial(10, 3)"),
        ("C_{10}^3", "binomial(10, 3)"),
        ("10C3", "binomial(10, 3)"),
        ("_{10}P_3", "permutations(10, 3)"),
        (r"\frac{10!}{7!\,3!}", "10!/(7!*3!)"),
        ("3 : 4 : 5", "3:4:5"),
        (r"50\%", "50%"),
        (r"0.5\%", "0.5%"),
        ("25 percent", "25%"),
        (r"1.2 \times 10^5", "1.2*10^5"),
        ("1.2e5", "120000"),
        ("1.2 * 10^-5", "1.2*10^(-5)"),
        ("2^{10}-1", "2^10 - 1"),
        ("2^{2^{2^{2}}}", "2^(2^(2^2))"),
        (r"\phi(n)", "phi*n"),
        ("y = mx + b", "y = m*x + b"),
        ("x^2 + y^2 = r^2", "x^2 + y^2 = r^2"),
        (r"\vec{v} = \langle 1, 2 \rangle", "vec{v} = <1, 2>"),
        (r"3\hat{i} - 2\hat{j}", "3mathbf{i} - 2mathbf{j}"),
        (r"\mathbf{v}=3\mathbf{i}-2\mathbf{j}", "v = 3mathbf{i} - 2mathbf{j}"),
        ("(1,2)+t(3,4)", "(1, 2) + t*(3, 4)"),
        (r"\text{even function}", r#""even function""#),
        (r"\boxed{5}", "5"),
        (r"\boxed{\text{A}}", "A"),
        (r"x\equiv 1 \text{ or } 3 \pmod{8}", "x = 1 mod 8 or 3 mod 8"),
        (r"3 \pmod 7", "3 mod 7"),
        (r"1 + 2 + \cdots + n", "1 + 2 + … + n"),
        (r"2\sqrt{3}\text{ cm}", "2sqrt(3) cm"),
        (r"\frac{\pi}{3}\text{ radians}", "pi/3 radians"),
        (r"\sqrt{2} \approx 1.414", "sqrt(2) ~ 1.414"),
        (r"k\pi, k \in \mathbb{Z}", "{k*pi | k in Z}"),
        (r"x = k\pi \text{ for } k \in \mathbb{Z}", "{x = k*pi | k in Z}"),
        (r"\{x : x \neq 1, 2\}", "{x | x != 1, 2}"),
        ("(x,y)=(1,2)", "(x, y) = (1, 2)"),
        ("(x, y, z) = (1, 2, 3)", "(x, y, z) = (1, 2, 3)"),
        (r"P(A) = \frac{1}{3}", "P(A) = 1/3"),
        ("p(x) = x^2 + 1", "p(x) = x^2 + 1"),
        ("n(n+1)", "n(n + 1)"),
        ("a(b+c)", "a(b + c)"),
        ("f(g(x))", "f(g(x))"),
        (r"5^{\text{th}}", "5"),
        ("23rd", "23"),
        ("1st", "1"),
        ("six = 5", "6 = 5"),
        ("5.8 x 10^7", "5.8*10^7"),
        (r"x \equiv 5 (mod 9)", "x = 5 mod 9"),
        (r"\begin{cases} 3x, & x\ge 1,\\ -x, & x<1.\end{cases}", "{3x if x >= 1; -x if x < 1}"),
        (r"(-\infty,1) U (4,\infty)", "(-infinity, 1) U (4, infinity)"),
        (r"{5 \over 9}", "5/9"),
        ("0.(36)", "4/11"),
        (r"0.363636\ldots", "4/11"),
        ("v_{max}", "v_max"),
        (r"v_{\text{max}}", "v_max"),
        ("5 dollars a day", "5 dollars a day"),
        (r"80\,\frac{\text{km}}{\text{h}}", "80 km per h"),
        (r"25^\circ\text{C}", "25 °C"),
        ("48 €", "48 €"),
        ("75¢", "75 cents"),
        ("Rs. 48", "48 Rs"),
        (r"f^{\prime}(x)", "f'(x)"),
        ("6{,}4", "6.4"),
        ("65'000", "65000"),
        ("one hundred and forty-five", "145"),
        ("cbrt(5)", "root(5, 3)"),
        ("3 to 5", "3:5"),
        ("3 out of 20", "3/20"),
        ("exactly 8", "8"),
        (r"3n \text{, where } n\in\mathbb{Z}", "{3n | n in Z}"),
        (r"x-8=12 \Rightarrow x=20", "x = 20"),
        (r"\mathbf{R}", "R"),
        ("P(4,-7)", "P = (4, -7)"),
        ("P(5,2)", "permutations(5, 2)"),
        ("<4,-7>", "<4, -7>"),
        ("(110010)_2", "110010_2"),
        ("negative infinity", "-infinity"),
        ("frac{4}{11}", "4/11"),
        ("a_{1+n}", "a_n+1"),
        ("*29*", "29"),
        ("__29__", "29"),
        ("all real numbers except $x=2$", r"R \ {2}"),
        ("f(x) < g(x)", "f(x) < g(x)"),
        ("x<-1 or x>3", "x < -1 or x > 3"),
    ];
    for (text, expected) in forms {
        assert_eq!(read(text).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn what_is_no_formula_stays_text() {
    #[rustfmt::skip] // a table
    let texts = [
        "5 is wrong",
        "not 5",
        r"\neq 5",
        "about 5",
        r"\cancel{5}",
        "~~5~~",
        r"x>6 \pmod 7",
        r"\text{east}?",
    ];
    for text in texts {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn ambiguous_numbers_have_two_readings() {
    for (text, first, second) in
        [("1,5", "1, 5", "1.5"), ("1,234", "1234", "1, 234"), (r"\$1,250", "1250 $", "1 $, 250")]
    {
        let read = parse(text, &mut Budget::default()).unwrap();
        assert_eq!(describe(&read.expr), first);
        assert_eq!(read.alternative.as_ref().map(describe).as_deref(), Some(second));
    }
    for text in ["1.5", "1, 234", "(1,234)", "12,34,5"] {
        assert!(parse(text, &mut Budget::default()).unwrap().alternative.is_none(), "{text}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    for text in [
        "(".repeat(2000) + "5" + &")".repeat(2000),
        r"\sqrt{".repeat(200) + "2" + &"}".repeat(200),
        "x+".repeat(4000) + "x",
        "9".repeat(crate::MAX_DIGITS + 1),
        "1e999999".to_owned(),
    ] {
        assert!(parse(&text, &mut Budget::default()).is_err(), "{text:.40}");
    }
}
