"""Written English as it is said: money, numbers, dates, times, telephone numbers, addresses.

Stands before a voice. Each written word keeps what it is spoken as, so that a playout position
maps back to the words as written: "$154.56" has been heard once "cents" is out. Rules are
functions from one word and its neighbours to speech, tried in order; the first that answers
wins.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.numerals import MONTHS, cardinal, decimal, digits, money, ordinal, year

_UNITS = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "pence")}
_MAGNITUDES = frozenset({"hundred", "thousand", "million", "billion", "trillion"})
_MONTHS = frozenset({m.lower() for m in MONTHS} | {m[:3].lower() for m in MONTHS} | {"sept"})
_CODE_WORDS = frozenset({"code", "pin", "extension", "ext", "ending", "room", "flight", "number"})
_FRACTIONS = {"1/2": "one half", "1/3": "one third", "1/4": "one quarter", "3/4": "three quarters"}
_SYMBOLS = {
    "&": "and",
    "@": "at",
    "+": "plus",
    "=": "equals",
    "%": "percent",
    "w/": "with",
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "et cetera",
    "vs.": "versus",
    "vs": "versus",
    "mr.": "Mister",
    "mrs.": "Missus",
    "ms.": "Miz",
    "dr.": "Doctor",
    "st.": "Street",
    "ave.": "Avenue",
    "inc.": "Incorporated",
    "ltd.": "Limited",
    "approx.": "approximately",
    "ok": "okay",
}
_SAID = frozenset(  # short capitals that are words
    "ALL AND ANY ARE ASK BUT BUY CALL CAN COVID DAY DO FOR FREE GET GIF GO HAS HE HOW IF IN IS IT "
    "ME MY NEW NO NOT NOW OF OFF ON ONE OR OUR OUT PIN RAM SAY SEE SHE SIM SO STOP THE TO TRY TWO "
    "UP USE WAS WE WHO WHY YES YOU ZIP".split()
)
_LETTER_A = "ay"  # a voice takes a lone A for the article
_LETTERED = frozenset({"ASAP", "HTTP", "IBAN", "RSVP"})
_TOP_DOMAINS = frozenset({"app", "biz", "com", "dev", "edu", "gov", "info", "net", "org"})
_ADDRESS_SIGNS = {".": "dot", "@": "at", "-": "dash", "_": "underscore", "/": "slash", "+": "plus"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One written word and how it is said; silent ones (an emoji) are said as nothing."""

    written: str
    said: str


@dataclass(frozen=True, slots=True)
class _Word:
    """A word without the marks around it, and its neighbours' (lower case)."""

    core: str
    before: str
    after: str
    in_phone_number: bool


def pieces(text: str, *, english: bool = True) -> list[Piece]:
    """Split text at white space; joined again, the written words are the text.

    english: False leaves the wording to the voice and only takes marks and emoji out.
    """
    written = text.split()
    marked = [_split_marks(_plain(word)) for word in written]
    cores = [core for core, _ in marked]
    phones = _phone_words(marked)
    found = []
    for i, (core, tail) in enumerate(marked):
        before = cores[i - 1].lower() if i else ""
        after = cores[i + 1].lower() if i + 1 < len(cores) else ""
        said = _say(_Word(core, before, after, i in phones)) if english and core else core
        if i in phones and i + 1 in phones:
            tail = ","
        found.append(Piece(written[i], said + tail if said else ""))
    return found


def spoken(text: str) -> str:
    """Text as it is said: "$5" -> "five dollars"."""
    return " ".join(piece.said for piece in pieces(text) if piece.said)


def _plain(word: str) -> str:
    """Take out markdown, emoji and what else is not said."""
    word = re.sub(r"\]\([^)\s]*\)?", "", word)
    word = "".join(c for c in word if unicodedata.category(c) not in {"So", "Sk", "Cf", "Cn", "Mn"})
    word = re.sub(r"[*`~\[\]{}<>|\"“”]|^_+|_+$|^#+(?!\d)", "", word)
    return word.replace("’", "'")


def _split_marks(word: str) -> tuple[str, str]:
    """Split a word from the marks behind it that shape the voice's melody."""
    if word.lower() in _SYMBOLS or re.fullmatch(r"(?:[A-Za-z]\.)+", word):
        return word, ""
    match = re.fullmatch(r"(.*?)([.,;:!?…)]*)", word)
    core, tail = match.groups() if match else (word, "")
    if "(" in core and ")" in tail and core.count("(") > core.count(")"):
        core, tail = core + ")", tail.replace(")", "", 1)
    if re.fullmatch(r"[-–—•·]+", core):
        return "", ""
    if not re.fullmatch(r"\(\d+\).*", core):
        core = core.strip("()'")
    return core, tail.replace(")", "").replace("…", ".")


def _phone_words(marked: Sequence[tuple[str, str]]) -> set[int]:
    """Indices of the words that together are a telephone number: seven digits or more."""
    found: set[int] = set()
    run: list[int] = []
    for i, (core, tail) in enumerate([*marked, ("", "")]):
        in_run = re.fullmatch(r"\+?\d*(\(\d+\))?[\d.-]*", core) and re.search(r"\d", core)
        if in_run:
            run.append(i)
        if not in_run or tail:
            if _is_phone_number(" ".join(marked[j][0] for j in run)):
                found.update(run)
            run = []
    return found


def _is_phone_number(text: str) -> bool:
    if re.search(r"\d{4}-\d\d-\d\d|^-|[^\d+ ()]{2}", text):
        return False
    count = sum(c.isdecimal() for c in text)
    one_decimal = re.fullmatch(r"\d+\.\d+", text)
    return 7 <= count <= 15 and not one_decimal


def _phone(word: _Word) -> str | None:
    if not word.in_phone_number:
        return None
    groups = re.findall(r"\d+", word.core)
    if len(groups) == 1 and len(groups[0]) in (10, 11):
        number = groups[0]
        groups = [number[:-10], number[-10:-7], number[-7:-4], number[-4:]]
    said = ", ".join(digits(group) for group in groups if group)
    return "plus " + said if word.core.startswith("+") else said


def _address(word: _Word) -> str | None:
    """E-mail and web addresses."""
    core = re.sub(r"^https?://(www\.)?|^www\.", "", word.core).rstrip("/")
    mail = re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", core)
    web = re.fullmatch(r"[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}(/[\w./-]*)?", core)
    if not (mail or web) or re.fullmatch(r"([A-Za-z]\.)+[A-Za-z]", core):
        return None
    parts = re.findall(r"[A-Za-z]+|\d+|[.@_/+-]", core)
    return " ".join(_ADDRESS_SIGNS.get(part) or _address_part(part) for part in parts)


def _address_part(part: str) -> str:
    if part.isdecimal():
        return digits(part)
    short = len(part) <= 3 and part.lower() not in _TOP_DOMAINS
    return _spelled(part.upper()) if short and not re.search("[aeiouy]", part[1:]) else part


def _money(word: _Word) -> str | None:
    match = re.fullmatch(r"(-?)([$€£])(\d[\d,]*)(?:\.(\d+))?([kKmMbB]?)", word.core)
    if not match:
        if word.core.lower() in _MAGNITUDES and word.before[:1] in _UNITS:
            return f"{word.core} {_UNITS[word.before[0]][0]}s"
        return None
    sign, unit, whole, fraction, suffix = match.groups()
    minus = "minus " if sign else ""
    amount = decimal(f"{whole}.{fraction}" if fraction else whole)
    if word.after in _MAGNITUDES:
        return minus + amount
    if suffix:
        scale = {"k": "thousand", "m": "million", "b": "billion"}[suffix.lower()]
        return f"{minus}{amount} {scale} {_UNITS[unit][0]}s"
    if fraction and len(fraction) > 2:
        return f"{minus}{amount} {_UNITS[unit][0]}s"
    return minus + money(whole, fraction or "", _UNITS[unit])


def _date(word: _Word) -> str | None:
    core = word.core
    if match := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", core):
        return _full_date(match[2], match[3], match[1])
    if match := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", core):
        return _full_date(*match.groups())
    if core in _FRACTIONS:
        return _FRACTIONS[core]
    if match := re.fullmatch(r"(\d{1,2})/(\d{1,2})", core):
        return _full_date(match[1], match[2], "")
    if re.fullmatch(r"\d{1,2}", core) and (word.before in _MONTHS or word.after in _MONTHS):
        return ordinal(int(core))
    return None


def _full_date(month: str, day: str, of_year: str) -> str:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return f"{cardinal(int(month))} {cardinal(int(day))} {digits(of_year)}".strip()
    said = f"{MONTHS[int(month) - 1]} {ordinal(int(day))}"
    return f"{said}, {year(int(of_year))}" if of_year else said


def _time(word: _Word) -> str | None:
    half = re.compile(r"([ap])\.?m\.?")
    if half.fullmatch(word.core.lower()) and re.search(r"\d$", word.before):
        return f"{_spelled(word.core[0].lower())} m"
    match = re.fullmatch(r"(\d{1,2})(?::(\d\d))?(?:([ap])\.?m\.?)?", word.core.lower())
    if not match or not (match[2] or match[3]) or int(match[1]) > 24:
        return None
    hour, minutes, part = match.groups()
    said = cardinal(int(hour))
    if minutes == "00" and not part and not half.fullmatch(word.after):
        said += " o'clock" if int(hour) <= 12 else " hundred"
    elif minutes and minutes != "00":
        said += f" {'oh ' if minutes[0] == '0' else ''}{cardinal(int(minutes))}"
    return f"{said} {_spelled(part)} m" if part else said


def _number(word: _Word) -> str | None:
    core = word.core
    if match := re.fullmatch(r"([\d,]+)(st|nd|rd|th)", core.lower()):
        return ordinal(int(match[1].replace(",", "")))
    if match := re.fullmatch(r"(-?)(\d[\d,]*(?:\.\d+)*)(%?)", core):
        said = _plain_number(match[2], word)
        return ("minus " if match[1] else "") + said + (" percent" if match[3] else "")
    if match := re.fullmatch(r"(\d+)[-–](\d+)", core):
        return f"{cardinal(int(match[1]))} to {cardinal(int(match[2]))}"
    if match := re.fullmatch(r"#(\d+)", core):
        return f"number {_plain_number(match[1], word)}"
    if match := re.fullmatch(r"(\d[\d,]*(?:\.\d+)?)([A-Za-z]+)", core):
        rest = match[2]
        return f"{decimal(match[1])} {_spelled(rest) if len(rest) <= 2 else rest}"
    return None


def _plain_number(text: str, word: _Word) -> str:
    if not text.isdecimal():
        return decimal(text)
    if len(text) >= 5 or (text[0] == "0" and len(text) > 1) or word.before in _CODE_WORDS:
        return digits(text)
    return year(int(text)) if 1100 <= int(text) <= 2099 else cardinal(int(text))


def _spelled(letters: str) -> str:
    return " ".join(_LETTER_A if c in "aA" else c for c in letters)


def _letters(word: _Word) -> str | None:
    """Acronyms and codes of letters and digits."""
    core = word.core
    if re.fullmatch(r"(?:[A-Z]\.)+[A-Z]?", core):
        return _spelled(core.replace(".", ""))
    if match := re.fullmatch(r"([A-Z]{4,})-(\d+)", core):
        return f"{match[1].lower()} {cardinal(int(match[2]))}"
    if re.fullmatch(r"[A-Z]+&[A-Z]+", core):
        return " and ".join(_spelled(part) for part in core.split("&"))
    if re.fullmatch(r"[A-Z0-9-]{2,}", core) and re.search("[A-Z]", core) and re.search(r"\d", core):
        return " ".join(digits(c) if c.isdecimal() else _spelled(c) for c in core if c != "-")
    match = re.fullmatch(r"([A-Z]{2,5})('?s)?", core)
    if not match:
        return None
    name, plural = match[1], match[2] or ""
    lettered = len(name) <= 3 or not re.search("[AEIOUY]", name) or name in _LETTERED
    if name in _SAID or not lettered:
        return name.lower() + plural
    return _spelled(name) + plural


def _compound(word: _Word) -> str | None:
    """and/or"""
    if re.fullmatch(r"[A-Za-z]+(/[A-Za-z]+)+", word.core):
        return word.core.replace("/", " ")
    return None


_RULES: tuple[Callable[[_Word], str | None], ...] = (
    lambda word: _SYMBOLS.get(word.core.lower()),
    _phone,
    _money,
    _date,
    _time,
    _number,
    _address,
    _letters,
    _compound,
)


def _say(word: _Word) -> str:
    for rule in _RULES:
        said = rule(word)
        if said is not None:
            return said
    return word.core
