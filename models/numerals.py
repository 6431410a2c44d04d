"""English numbers as words, without hyphens: one word for each thing that is said."""

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (10**3, "thousand"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MONTHS = (
    "January February March April May June July August September October November December"
).split()


def cardinal(number: int) -> str:
    """154 -> "one hundred fifty four"."""
    if number < 0:
        return "minus " + cardinal(-number)
    for scale, name in _SCALES:
        if number >= scale:
            return _joined(f"{cardinal(number // scale)} {name}", number % scale)
    if number >= 100:
        return _joined(f"{_ONES[number // 100]} hundred", number % 100)
    if number >= 20:
        return _joined(_TENS[number // 10], number % 10)
    return _ONES[number]


def _joined(head: str, rest: int) -> str:
    return f"{head} {cardinal(rest)}" if rest else head


def ordinal(number: int) -> str:
    """25 -> "twenty fifth"."""
    *head, last = cardinal(number).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return " ".join([*head, last])


def digits(text: str) -> str:
    """ "0042" -> "zero zero four two"; anything but digits is left out."""
    return " ".join(_ONES[int(c)] for c in text if c.isdecimal())


def decimal(text: str) -> str:
    """ "1,003.14" -> "one thousand three point one four"."""
    whole, *parts = text.replace(",", "").split(".")
    return " point ".join([cardinal(int(whole or "0")), *(digits(part) for part in parts)])


def year(number: int) -> str:
    """2026 -> "twenty twenty six", 1905 -> "nineteen oh five", 2009 -> "two thousand nine"."""
    century, rest = divmod(number, 100)
    if 2000 <= number <= 2009 or (century % 10 == 0 and rest == 0):
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def money(whole: str, cents: str, unit: tuple[str, str]) -> str:
    """ "154", "56", ("dollar", "cent") -> "one hundred fifty four dollars and fifty six cents"."""
    units, hundredths = int(whole.replace(",", "") or "0"), int(cents.ljust(2, "0") or "0")
    said = []
    if units or not hundredths:
        said.append(f"{cardinal(units)} {unit[0]}{'' if units == 1 else 's'}")
    if hundredths:
        name = "pence" if unit[1] == "pence" else unit[1] + ("" if hundredths == 1 else "s")
        said.append(f"{cardinal(hundredths)} {name}")
    return " and ".join(said)
