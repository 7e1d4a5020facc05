"""The tasks of `benchmarks.small_model_tasks`: a small project, prompts, and how to tell that each was done."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Run:
    """What came of one task: `calls` as (tool, arguments as text), `results` as (status, content), both in order."""

    folder: Path
    calls: list[tuple[str, str]] = field(default_factory=list)
    results: list[tuple[str, str]] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def answer(self) -> str:
        """The last reply's text."""
        return self.replies[-1] if self.replies else ""

    @property
    def said(self) -> str:
        """All text of all replies."""
        return "\n".join(self.replies)

    def text(self, name: str) -> str:
        """A file's text; empty when it is not there."""
        path = self.folder / name
        return path.read_text() if path.is_file() else ""

    def runs(self, *words: str) -> str | None:
        """What a program in the folder prints; None when it fails."""
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout.strip() if done.returncode == 0 else None


Judge = Callable[[Run], bool]


@dataclass(frozen=True)
class Task:
    """A prompt, how to tell that it was done, and how many requests to the model it may take."""

    prompt: str
    right: Judge
    requests: int = 12


def first(name: str, **patterns: str) -> Judge:
    """The first call is of this tool, with arguments that match these patterns as a whole."""

    def judge(run: Run) -> bool:
        if not run.calls:
            return False
        tool, written = run.calls[0]
        given = arguments(written)
        return tool == name and all(
            re.fullmatch(pattern, str(given.get(key, "")), re.DOTALL) for key, pattern in patterns.items()
        )

    return judge


def arguments(written: str) -> dict[str, object]:
    """The arguments of a call under the names of the schema."""
    try:
        value = json.loads(written)
    except ValueError:
        return {}
    aliases = {"path": "file_path", "old_text": "old_string", "new_text": "new_string"}
    return {**{aliases.get(key, key): item for key, item in value.items()}, **value} if isinstance(value, dict) else {}


def no_call(run: Run) -> bool:
    """It was answered in words."""
    return not run.calls and bool(run.answer.strip())


def any_of(*judges: Judge) -> Judge:
    """One of several ways is right."""
    return lambda run: any(judge(run) for judge in judges)


def both(*judges: Judge) -> Judge:
    """All of these hold."""
    return lambda run: all(judge(run) for judge in judges)


def ran(word: str) -> Judge:
    """A command with this word was run."""
    return lambda run: any(tool == "run_command" and word in written for tool, written in run.calls)


APP = '''\
"""A small web shop."""

from src.prices import total

DEBUG = True
PORT = 8000


def main():
    print("shop on port", PORT)
    print(total([1, 2, 3]))


if __name__ == "__main__":
    main()
'''

PRICES = '''\
def total(prices):
    """Sum of all prices."""
    return sum(prices)


def discount(price, percent):
    """The price after a discount in percent."""
    return price - price * percent / 100
'''

CALC = """\
def add(a, b):
    return a - b


def multiply(a, b):
    return a * b
"""

TEST_CALC = """\
from calc import add, multiply


def test_add():
    assert add(2, 3) == 5


def test_multiply():
    assert multiply(2, 3) == 6


if __name__ == "__main__":
    test_multiply()
    print("multiply ok")
    test_add()
    print("add ok")
"""

SHAPES = """\
import math


def circle_area(radius):
    return math.pi * radius ** 2


def square_area(side):
    return side * 2
"""

PROJECT = {
    "README.md": "# Corner Shop\n\nA tiny shop. Maintainer: Ada Byron. Version 2.4.1.\n\nRun it: `python app.py`\n",
    "app.py": APP,
    "config.ini": "[server]\nhost = localhost\nport = 8000\ntimeout = 30\n",
    "settings.json": '{\n  "theme": "dark",\n  "language": "en",\n  "retries": 3\n}\n',
    "calc.py": CALC,
    "test_calc.py": TEST_CALC,
    "src/__init__.py": "",
    "src/prices.py": PRICES,
    "src/shapes.py": SHAPES,
    "src/report.py": 'from src.prices import discount\n\n\ndef show(price):\n    return f"now {discount(price, 10)}"\n',
    "tests/test_prices.py": "from src.prices import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
    "docs/guide.md": "# Guide\n\nOrders are packed by hand. Returns are free for 30 days. Shipping takes 3 days.\n",
    "notes.txt": "milk\nbread\ncall Grace about the invoice\n",
}


def make_project(folder: Path) -> None:
    """The folder that every task begins with: a small project in a git repository."""
    for name, text in PROJECT.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q", "-b", "feature/cart"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], cwd=folder, check=True)


def fixed_add(run: Run) -> bool:
    """calc.add adds, and nothing else changed."""
    return run.runs(sys.executable, "-c", "import calc; print(calc.add(2, 3), calc.multiply(2, 3))") == "5 6"


def json_is(run: Run, **expected: object) -> bool:
    """settings.json holds these values, and the others as before."""
    try:
        value = json.loads(run.text("settings.json"))
    except ValueError:
        return False
    return value == {"theme": "dark", "language": "en", "retries": 3, **expected}


def renamed(run: Run, old: str, new: str, *names: str) -> bool:
    """The function of the old name is gone from these files, and the new one is there; prose may keep the word."""
    code = rf"\bdef {old}\b|\b{old}\(|import .*\b{old}\b"
    return all(new in run.text(name) and not re.search(code, run.text(name)) for name in names)


def called(run: Run, tool: str) -> bool:
    """The tool was used with success."""
    return any(name == tool and status == "ok" for (name, _), (status, _) in zip(run.calls, run.results, strict=False))


def says(*patterns: str) -> Judge:
    """The answer holds all of these, and something was looked at first."""
    return lambda run: bool(run.calls) and all(re.search(p, run.said, re.IGNORECASE) for p in patterns)


def asks(prompt: str, right: Judge) -> Task:
    """A task of one request."""
    return Task(prompt, right, requests=1)


ONE_STEP = {
    "main": [
        asks("What files are in this folder?", any_of(first("list_directory"), first("run_command", command=r"ls.*"))),
        asks("Read README.md and tell me who maintains it.", first("read_file", file_path=r"(\./)?README\.md")),
        asks("Show me what is in src/prices.py.", first("read_file", file_path=r"(\./)?src/prices\.py")),
        asks(
            "List the contents of the tests directory.",
            any_of(first("list_directory", path=r"(\./)?tests/?"), first("run_command", command=r"ls .*tests.*")),
        ),
        asks(
            "Which git branch am I on?", first("run_command", command=r"git (branch|status|rev-parse|symbolic-ref).*")
        ),
        asks(
            "Create hello.py that prints hello.",
            first("write_file", file_path=r"(\./)?hello\.py", content=r".*print\(.*"),
        ),
        asks(
            "How many lines does app.py have? Count them with a shell command.",
            first("run_command", command=r".*wc -l.*app\.py.*|.*app\.py.*wc -l.*"),
        ),
        asks("Run the program app.py.", first("run_command", command=r"python3? (\./)?app\.py")),
        asks(
            "Where is the function discount defined?",
            any_of(first("grep_search", pattern=r".*discount.*"), first("run_command", command=r".*grep.*discount.*")),
        ),
        asks(
            "Run the tests in test_calc.py.", first("run_command", command=r".*(pytest|python|unittest).*test_calc.*")
        ),
    ],
    "other": [
        asks(
            "What is in the docs folder?",
            any_of(first("list_directory", path=r"(\./)?docs/?"), first("run_command", command=r"ls .*docs.*")),
        ),
        asks("Open settings.json and tell me the language.", first("read_file", file_path=r"(\./)?settings\.json")),
        asks("Look into notes.txt. Whom should I call?", first("read_file", file_path=r"(\./)?notes\.txt")),
        asks("Show the last git commit.", first("run_command", command=r"git (log|show).*")),
        asks(
            "Write a file todo.md with the line: buy milk",
            first("write_file", file_path=r"(\./)?todo\.md", content=r".*buy milk.*"),
        ),
        asks(
            "Find all places that use the word total.",
            any_of(first("grep_search", pattern=r".*total.*"), first("run_command", command=r".*grep.*total.*")),
        ),
        asks("Run calc.py with python.", first("run_command", command=r"python3? (\./)?calc\.py")),
        asks("What does src/report.py do?", first("read_file", file_path=r"(\./)?src/report\.py")),
        asks("Show the git status.", first("run_command", command=r"git status.*")),
        asks(
            "How big is README.md in bytes? Use the shell.",
            first("run_command", command=r".*(wc|stat|ls|du).*README\.md.*"),
        ),
    ],
}

STEPS = {
    "main": [
        Task("Which version does README.md name?", says(r"2\.4\.1")),
        Task("Which Python files are in the src folder?", says(r"prices\.py", r"shapes\.py", r"report\.py")),
        Task(
            'Create a file greet.py with a function greet(name) that returns "Hello, NAME!".',
            lambda run: run.runs(sys.executable, "-c", "import greet; print(greet.greet('Ada'))") == "Hello, Ada!",
        ),
        Task(
            "Write a script squares.py that prints the squares of 1 to 5, one per line, and run it.",
            lambda run: run.runs(sys.executable, "squares.py") == "1\n4\n9\n16\n25" and called(run, "run_command"),
        ),
        Task(
            "In config.ini change the port to 9090.",
            lambda run: run.text("config.ini") == PROJECT["config.ini"].replace("8000", "9090"),
        ),
        Task("What is the name of the git branch I am on?", says(r"feature/cart")),
        Task("The function add in calc.py gives wrong results. Fix it.", fixed_add),
        Task(
            "Run python test_calc.py and tell me which test fails.", both(ran("test_calc"), says(r"\badd\b|test_add"))
        ),
        Task(
            "Add a function subtract(a, b) to calc.py that returns a minus b.",
            lambda run: (
                run.runs(sys.executable, "-c", "import calc; print(calc.subtract(5, 3), calc.multiply(2, 3))") == "2 6"
            ),
        ),
        Task(
            "Rename the function discount to reduced_price in src/prices.py and src/report.py.",
            lambda run: (
                renamed(run, "discount", "reduced_price", "src/prices.py", "src/report.py")
                and run.runs(sys.executable, "-c", "from src.report import show; print(show(10))") == "now 9.0"
            ),
        ),
        Task("In which file is the function circle_area defined?", says(r"shapes\.py")),
        Task("Summarise docs/guide.md in one sentence.", says(r"return|shipping|pack|order")),
    ],
    "other": [
        Task("Who is the maintainer according to the README?", says(r"Ada Byron")),
        Task("How many test files are in the tests folder and what are they called?", says(r"test_prices\.py")),
        Task(
            "Create a module temperature.py with a function to_fahrenheit(celsius).",
            lambda run: (
                run.runs(sys.executable, "-c", "import temperature; print(temperature.to_fahrenheit(100))")
                in ("212.0", "212")
            ),
        ),
        Task(
            "Create fizz.py that prints fizz three times, each on its own line, then run it.",
            lambda run: (
                (run.runs(sys.executable, "fizz.py") or "").lower() == "fizz\nfizz\nfizz" and called(run, "run_command")
            ),
        ),
        Task('Set the language in settings.json to German ("de").', lambda run: json_is(run, language="de")),
        Task("What was the message of the last git commit?", says(r"\bfirst\b")),
        Task(
            "square_area in src/shapes.py is wrong. Repair it.",
            lambda run: (
                run.runs(sys.executable, "-c", "from src.shapes import square_area; print(square_area(3))") == "9"
            ),
        ),
        Task("Execute test_calc.py and report what goes wrong.", both(ran("test_calc"), says(r"\badd\b|test_add"))),
        Task(
            "Add a function average(prices) to src/prices.py.",
            lambda run: (
                run.runs(
                    sys.executable, "-c", "from src.prices import average, total; print(average([1, 2, 3]), total([1]))"
                )
                in ("2.0 1", "2 1")
            ),
        ),
        Task(
            "Turn off debug mode in app.py.",
            lambda run: run.text("app.py") == APP.replace("DEBUG = True", "DEBUG = False"),
        ),
        Task("Which file imports discount?", says(r"report\.py")),
        Task("What do I have to buy according to notes.txt?", says(r"milk", r"bread")),
    ],
}

CHAT = {
    "main": [
        "Hello!",
        "Say hi.",
        "Thanks, that was helpful.",
        "What is 17 + 25?",
        "What is 12 times 12?",
        "Explain what a hash table is in two sentences.",
        "What does the Python keyword yield do? One sentence.",
        "Write a JSON object with the keys name and age.",
        "What is the difference between a list and a tuple in Python?",
        "Write a haiku about the sea.",
        "What is the capital of France?",
        "Translate 'good morning' into German.",
        "Explain recursion to a child.",
        "What does HTTP status 404 mean?",
        "Give me three names for a cat.",
        "Is 91 a prime number?",
        "What is a git rebase? Explain briefly.",
        "Show me an example of a for loop in JavaScript.",
        "Who are you?",
        "Write a regular expression that matches an email address.",
    ],
    "other": [
        "Good evening!",
        "How are you?",
        "Bye, see you tomorrow.",
        "What is 144 divided by 12?",
        "Add 3, 4 and 5.",
        "What is a linked list?",
        "What does the word ubiquitous mean?",
        "Write a JSON array with three colors.",
        "What is the difference between TCP and UDP?",
        "Tell me a joke.",
        "Which planet is the largest?",
        "What does SQL stand for?",
        "Explain what an API is.",
        "What does exit code 127 mean in a shell?",
        "Name three sorting algorithms.",
        "Is Python compiled or interpreted?",
        "What is a Python decorator? Short answer.",
        "Show me how to reverse a string in Python.",
        "What can you do?",
        "Write a YAML example with two keys.",
    ],
}
