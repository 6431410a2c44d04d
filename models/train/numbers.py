"""Numbers, money, dates and times as people say them, drawn at random."""

from random import Random

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
MONTHS = (
    "january february march april may june july august september october november december"
).split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
DIGITS = UNITS[:10]


def cardinal(number: int, with_and: bool = False, leading: str = "one") -> str:
    """Return 0 to 999,999 in words; `leading` may be "a" for "a hundred", "a thousand"."""
    if number < 20:
        return UNITS[number]
    if number < 100:
        rest = f" {UNITS[number % 10]}" if number % 10 else ""
        return TENS[number // 10] + rest
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            count, rest_number = divmod(number, size)
            head = leading if count == 1 else cardinal(count, with_and)
            if not rest_number:
                return f"{head} {name}"
            joint = " and " if with_and and rest_number < 100 else " "
            return f"{head} {name}{joint}{cardinal(rest_number, with_and)}"
    raise AssertionError("unreachable")


def ordinal(day: int) -> str:
    """Return 1st to 39th in words."""
    if day <= 20:
        return ORDINALS[day]
    if day == 30:
        return "thirtieth"
    return f"{TENS[day // 10]} {ORDINALS[day % 10]}"


def draw_cardinal(random: Random) -> str:
    """Draw a number, small ones more often."""
    top = random.choice((10, 12, 20, 100, 100, 1000, 10000))
    return cardinal(random.randrange(1, top), random.random() < 0.5, random.choice(("one", "a")))


def draw_ordinal(random: Random) -> str:
    """Draw the day of a month."""
    return ordinal(random.randint(1, 31))


def draw_year(random: Random) -> str:
    """Draw 1930 to 2035, as "nineteen eighty four" or "two thousand and six"."""
    year = random.choice((random.randint(1930, 2035), random.randint(2023, 2028)))
    century, rest = divmod(year, 100)
    if rest == 0:
        return cardinal(year) if century % 10 == 0 else f"{UNITS[century]} hundred"
    if century == 20 and (rest < 10 or random.random() < 0.15):
        return cardinal(year, random.random() < 0.5)
    low = f"oh {UNITS[rest]}" if rest < 10 else cardinal(rest)
    return f"{cardinal(century)} {low}"


def draw_date(random: Random) -> str:
    """Draw a day of the year, in American or British order."""
    month, day = random.choice(MONTHS), ordinal(random.randint(1, 31))
    form = random.choice(("{m} {d}", "{m} {d}", "{m} the {d}", "the {d} of {m}", "{d} of {m}"))
    return form.format(m=month, d=day)


def draw_time(random: Random) -> str:
    """Draw a time of day."""
    hour = cardinal(random.randint(1, 12))
    half = random.choice(("", "", " a m", " p m", " p m", " pm"))
    kind = random.random()
    if kind < 0.3:
        return hour + half
    if kind < 0.4:
        return f"{hour} o'clock"
    if kind < 0.55:
        minutes = random.choice(("half past", "quarter past", "quarter to", "a quarter to"))
        return f"{minutes} {hour}"
    if kind < 0.62:
        return random.choice(("noon", "midnight", "lunchtime", "midday"))
    if kind < 0.72:
        minute = random.randint(1, 29)
        return f"{cardinal(minute)} {random.choice(('past', 'to'))} {hour}"
    minute = random.choice((15, 30, 30, 45, random.randint(1, 59)))
    spoken = f"oh {UNITS[minute]}" if minute < 10 else cardinal(minute)
    return f"{hour} {spoken}{half}"


def draw_money(random: Random) -> str:
    """Draw an amount of dollars, often with cents."""
    top = random.choice((20, 100, 1000, 1000, 10000))
    dollars, cents = random.randrange(1, top), random.randrange(1, 100)
    if random.random() < 0.25:
        dollars = max(1, dollars // 10) * 10
    words = cardinal(dollars, random.random() < 0.5, random.choice(("one", "a")))
    kind = random.random()
    if kind < 0.08:
        return f"{words} {random.choice(('pounds', 'euros'))}"
    if kind < 0.16 and dollars < 100 and cents >= 10:
        return f"{cardinal(dollars)} {cardinal(cents)}"
    if kind < 0.2:
        return f"{cardinal(cents)} cents"
    unit = "dollar" if dollars == 1 else "dollars"
    if kind < 0.55:
        return f"{words} {unit}"
    joint = " and " if random.random() < 0.75 else " "
    return f"{words} {unit}{joint}{cardinal(cents)} {'cent' if cents == 1 else 'cents'}"


def draw_digits(random: Random, count: int | None = None) -> str:
    """Draw a run of digits, with "oh" and "double" now and then."""
    count = count or random.randint(2, 7)
    zero = random.choice(("zero", "zero", "oh"))
    words = [zero if d == "zero" else d for d in random.choices(DIGITS, k=count)]
    if random.random() < 0.15:
        words[random.randrange(count)] = f"double {random.choice(DIGITS)}"
    return " ".join(words)


def draw_phone(random: Random) -> str:
    """Draw a ten- or seven-digit telephone number, in groups."""
    groups = random.choice(((3, 3, 4), (3, 3, 4), (3, 4), (3, 2, 2)))
    return ", ".join(draw_digits(random, n) for n in groups)
