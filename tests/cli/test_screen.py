"""What writes to the terminal: nothing that happens to it reaches a run."""

import io
import threading
import time

import pytest
from rich.console import Console
from rich.text import Text

from ffzero_lab.cli import screen as module
from ffzero_lab.cli.display import Stopwatch
from ffzero_lab.cli.screen import Screen


class Terminal(io.StringIO):
    """A terminal of 60 columns."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Ascii(Terminal):
    encoding = "ascii"

    def write(self, text: str) -> int:
        text.encode("ascii")
        return super().write(text)


class Stuck(Terminal):
    """A terminal whose user has pressed Ctrl-S."""

    def __init__(self) -> None:
        super().__init__()
        self.freed = threading.Event()

    def write(self, text: str) -> int:
        self.freed.wait(600.0)
        return super().write(text)


class Gone(Terminal):
    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_S", 0.01)
    for name in ("TERM", "NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def screen_on(file: io.StringIO, text: str = "step 1", clock: object = time.monotonic, **more: object) -> Screen:
    console = Console(file=file, width=60, _environ={"TERM": "xterm-256color"} | dict(more), force_terminal=None)
    return Screen(lambda width, ascii_only: [Text(text[:width])], lambda ascii_only: text, console, clock)  # type: ignore[arg-type]


def until(told: io.StringIO, words: str) -> None:
    deadline = time.monotonic() + 60.0
    while words not in told.getvalue():
        assert time.monotonic() < deadline, told.getvalue()
        time.sleep(0.002)


def test_on_a_terminal_the_live_part_goes_and_the_cursor_comes_back() -> None:
    file = Terminal()
    screen = screen_on(file)
    screen.start()
    until(file, "step 1")
    screen.show(Text("layer 0 done"))
    screen.close()
    told = file.getvalue()
    assert "layer 0 done" in told
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")
    assert told.rindex("\x1b[2K") > told.rindex("step 1")  # it was wiped out


def test_elsewhere_there_are_plain_lines_one_every_few_seconds() -> None:
    file, now = io.StringIO(), [0.0]
    screen = screen_on(file, "step 7", lambda: now[0])
    screen.start()
    time.sleep(0.05)
    assert file.getvalue() == ""
    for number in range(1, 4):
        now[0] += module.LINE_EVERY_S
        until(file, "step 7\n" * number)
        time.sleep(0.02)
    screen.close()
    assert file.getvalue() == "step 7\n" * 3


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "unknown"}])
def test_a_dumb_terminal_gets_no_control_codes_and_whole_words(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    file = Terminal()
    screen = screen_on(file, clock=lambda: 0.0, **environ)
    screen.start()
    screen.show(Text("word " * 30))
    until(file, "word")
    screen.close()
    lines = file.getvalue().splitlines()
    assert "\x1b" not in file.getvalue()
    assert [len(each) for each in lines] == [59, 59, 29]


def test_without_colour_there_is_none() -> None:
    file = Terminal()
    console = Console(file=file, width=60, _environ={"TERM": "xterm-256color", "NO_COLOR": "1"})
    screen = Screen(lambda _, __: [Text("red", style="red")], lambda _: "", console)
    screen.start()
    until(file, "red")
    screen.close()
    assert "\x1b[31m" not in file.getvalue()


def test_a_terminal_that_takes_ascii_only_gets_it() -> None:
    file = Ascii()
    screen = screen_on(file)
    screen.start()
    screen.show(Text("R² of 0.9 … at 20 °C"))
    until(file, "R2 of 0.9 ... at 20 deg C")
    screen.close()


def test_a_terminal_that_takes_nothing_holds_nobody_up() -> None:
    file = Stuck()
    screen = screen_on(file)
    screen.start()
    began_s = time.monotonic()
    for _ in range(1000):
        screen.show(Text("a line"))
    screen.close(within_s=0.02)
    assert time.monotonic() - began_s < 60.0
    file.freed.set()


def test_a_terminal_that_is_gone_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    screen = screen_on(Gone())
    screen.start()
    for _ in range(3):
        screen.show(Text("a line"))
        time.sleep(0.02)
    screen.close()
    screen.fail(ValueError("and again"))
    assert capsys.readouterr().err.count("the display failed and rests, the run goes on") == 1


def test_a_mistake_in_what_is_shown_gives_the_cursor_back(capsys: pytest.CaptureFixture[str]) -> None:
    file, shown = Terminal(), [0]

    def panel(width: int, ascii_only: bool) -> list[Text]:
        shown[0] += 1
        if shown[0] > 2:
            raise ZeroDivisionError("a mistake")
        return [Text(f"step {shown[0]}")]

    screen = Screen(panel, lambda _: "", Console(file=file, width=60, _environ={"TERM": "xterm"}))
    screen.start()
    until(file, "\x1b[?25h")
    screen.close()
    assert "a mistake" in capsys.readouterr().err


def test_the_live_part_hides_while_somebody_types() -> None:
    file = Terminal()
    screen = screen_on(file)
    screen.start()
    until(file, "step 1")
    screen.holds = True
    until(file, "\x1b[?25h")
    screen.close()


def test_a_stopwatch_leaves_pauses_out() -> None:
    now = [10.0]
    watch = Stopwatch(lambda: now[0])
    now[0] = 13.0
    watch.stop()
    watch.stop()
    now[0] = 20.0
    assert (watch.seconds(), watch.stopped_s) == (3.0, 7.0)
    assert watch.worked(10.0, virtual=False) == 3.0
    assert watch.worked(10.0, virtual=True) == 10.0
    watch.go_on()
    now[0] = 21.0
    assert (watch.seconds(), watch.is_stopped) == (4.0, False)
