"""A prompt on a real (pseudo) terminal: it offers at every key, edits as shells do, and leaves the terminal as it was."""

import io
import os
import threading
import time

import pytest

from keras_s2s import prompt

pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
KNOWN = {"The": [("cat", 0.6), ("cow", 0.3)], "The cat": [("sat", 0.9)], "एक": [("लाल", 0.5)]}


def offers(text):
    before, _, begun = text.rpartition(" ")
    return [(word, p) for word, p in KNOWN.get(before, []) if word.startswith(begun) and word != begun]


class Terminal:
    """A pseudo terminal at which `ask` waits in a thread."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.screen, self.answers = io.StringIO(), []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with open(self.slave, closefd=False) as source:
            self.answers.append(prompt.ask(offers, source, self.screen))

    def shows(self, wanted):
        """Whether it comes to show this within seconds."""
        deadline = time.monotonic() + 20
        while wanted not in self.screen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.005)
        return wanted in self.screen.getvalue()

    def type(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def answer(self):
        self.thread.join(20)
        return self.answers[0]


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    made = Terminal()
    assert made.shows("> ")
    yield made
    os.close(made.master)


def test_words_are_offered_while_a_line_is_typed(terminal):
    terminal.type("The ")
    assert terminal.shows("  cat 60 %  cow 30 %") and not terminal.answers
    terminal.type("co")
    assert terminal.shows("\x1b[2m  cow 30 %\x1b[0m\x1b[A\r> The co") and not terminal.answers
    terminal.type("\n")
    assert terminal.answer() == "The co" and terminal.screen.getvalue().endswith("> The co\n")
    assert termios.tcgetattr(terminal.slave) == terminal.before


@pytest.mark.parametrize("keys, wanted", [
    ("The \t\t\n", "The cat sat "), ("The ca\t\r", "The cat "), ("\t\n", ""), ("The cart\x7f\x7ft\n", "The cat"),
    ("The red cat\x17\x17cow\n", "The cow"), ("nothing\x15एक \t\n", "एक लाल "), ("a\x1b[Db\x1b[3~c\x1bOP\n", "abc"),
    ("\x04", None), ("half\x04", "half"), ("क\u200dष\x07\n", "क\u200dष")])
def test_keys_edit_as_in_a_shell(terminal, keys, wanted):
    terminal.type(keys)
    assert terminal.answer() == wanted


def test_a_line_longer_than_the_screen_shows_its_end_and_never_wraps(terminal):
    terminal.type("The " + "long " * 40 + "end")
    assert terminal.shows("long end")
    lines = terminal.screen.getvalue().split("\r")
    assert max(prompt._width(line.split("\x1b[J")[-1].split("\x1b[A")[0]) for line in lines if line.startswith("> ")) < 60
    assert "> …" in terminal.screen.getvalue()


def test_a_character_s_width_is_its_columns():
    assert [prompt._width(text) for text in ("abc", "की", "日本", "e\u0301")] == [3, 1 + 1, 4, 1]


def test_a_terminal_that_goes_away_ends_the_line():
    gone = Terminal()
    assert gone.shows("> ")
    os.close(gone.master)
    assert gone.answer() is None


def test_without_a_terminal_lines_are_read_as_they_are(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("The"))
    assert not prompt.able()
