"""Reads conversations.txt, and makes endless training conversations out of it."""

import random
import re
from dataclasses import dataclass, field
from pathlib import Path

TEXT = Path(__file__).with_name("conversations.txt")

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_NOISE = re.compile("~")
_LIST = re.compile(r"\$(\w+)")
_ASKS = re.compile(
    r"(what|which|where|who|how|why|when|is|are|do|does|did|can|should|have|must|will)\b", re.I
)
_KEYBOARD_NOISE = "abcdefghijklmnopqrstuvwxyz"
_OPENERS = ("please", "hey,", "hi,", "hello,", "so,", "ok,", "well,", "sorry,", "can you tell me:")
_CLOSERS = ("please", "exactly", "then", "by the way", "thanks", "in short", "for me", "now")
_WAYS_TO_ASK_HOW = (
    *("How can I ", "How to ", "How could I ", "How should I ", "How would I "),
    *("I want to ", "I'd like to ", "Tell me how to ", "Show me how to ", "Please show me how to "),
)
SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are the llamapack demo.",
    "Answer questions about llamapack.",
    "Answer in one sentence.",
    "Be brief and polite.",
    "You are a friendly assistant. You help users of llamapack.",
)


@dataclass
class Topic:
    """One answer and the questions that lead to it."""

    name: str
    weight: int = 1
    after: tuple[str, ...] = ()
    questions: list[str] = field(default_factory=list)
    answer: str = ""


@dataclass(frozen=True)
class Turn:
    """One question with its answer."""

    question: str
    answer: str


class Dialogue:
    """The topics of a text, and random conversations about them."""

    def __init__(self, path: Path = TEXT) -> None:
        self.topics: list[Topic] = []
        self.texts: list[str] = []
        self._lists: dict[str, list[str]] = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                self._read_line(line.strip())
            except (ValueError, IndexError) as error:
                raise ValueError(f"{path}:{number}: cannot read: {line}") from error
        self._openers = [topic for topic in self.topics if not topic.after]

    def _read_line(self, line: str) -> None:
        if not line or line.startswith("#"):
            return
        mark, rest = line[0], line[1:].strip()
        if mark == "@":
            name, _, values = rest.partition("=")
            self._lists[name.strip()] = [value.strip() for value in values.split("|")]
        elif mark == "=":
            head, _, after = rest.partition("<")
            name, *weight = head.split()
            count = int(weight[0].removeprefix("x")) if weight else 1
            self.topics.append(Topic(name, count, tuple(after.split())))
        elif mark == "~":
            self.texts.append(rest)
        elif mark == "?":
            self.topics[-1].questions.append(rest)
        elif mark == "!":
            self.topics[-1].answer = rest
        else:
            raise ValueError(mark)

    def expand(self, pattern: str, rng: random.Random) -> str:
        """One of the questions that a pattern stands for."""
        while "[" in pattern or "$" in pattern:
            pattern = _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), pattern)
            pattern = _LIST.sub(lambda match: rng.choice(self._lists[match[1]]), pattern)
        return " ".join(_NOISE.sub(lambda _: _gibberish(rng), pattern).split())

    def question(self, topic: Topic, rng: random.Random) -> str:
        """A question of this topic, as people type it."""
        text = self.expand(rng.choice(topic.questions), rng)
        if text.startswith("How do I ") and rng.random() < 0.4:
            text = rng.choice(_WAYS_TO_ASK_HOW) + text.removeprefix("How do I ")
        if rng.random() < 0.2:
            text = text.replace("What is ", rng.choice(("What's ", "Whats ")))
        if rng.random() < 0.7:
            text += "?" if _ASKS.match(text) else rng.choice((".", "!", "", "?"))
        long = text.count(" ") >= 2
        if long and rng.random() < 0.15:
            opener = rng.choice(_OPENERS)
            text = f"{opener.rstrip(',') if rng.random() < 0.5 else opener} {text}"
        if long and rng.random() < 0.1:
            comma, end = rng.choice((",", "")), rng.choice(("?", ""))
            text = f"{text.rstrip('?.!')}{comma} {rng.choice(_CLOSERS)}{end}"
        style = rng.random()
        if style < 0.25:
            text = text.lower()
        elif style < 0.28:
            text = text.upper()
        elif style < 0.32:
            text = text[0].lower() + text[1:]
        return _mistype(text, rng) if rng.random() < 0.15 else text

    def turns(self, count: int, rng: random.Random) -> list[Turn]:
        """A conversation of `count` questions with their answers."""
        turns: list[Turn] = []
        last = ""
        for _ in range(count):
            next_topics = [topic for topic in self.topics if last in topic.after]
            if not next_topics or rng.random() < 0.85:
                next_topics = self._openers
            topic = rng.choices(next_topics, [topic.weight for topic in next_topics])[0]
            turns.append(Turn(self.question(topic, rng), topic.answer))
            last = topic.name
        return turns


def _mistype(text: str, rng: random.Random) -> str:
    """Drops, doubles, swaps or replaces one letter."""
    places = [i for i, character in enumerate(text) if character.isalpha()]
    if len(places) < 6:
        return text
    at = rng.choice(places)
    two = text[at : at + 2]
    new = rng.choice(("", text[at] * 2, two[::-1], rng.choice(_KEYBOARD_NOISE)))
    return text[:at] + new + text[at + (2 if new == two[::-1] else 1) :]


def _gibberish(rng: random.Random) -> str:
    """Words that nobody knows."""
    words = rng.choice((1, 1, 1, 2, 3, 4))
    return " ".join(
        "".join(rng.choices(_KEYBOARD_NOISE, k=rng.randint(2, 9))) for _ in range(words)
    )
