"""Division codes (domain.md 10): levels, the hierarchy of a date, and what an unknown code is attributed to.

Reads the two reference tables that the product compiles in; everything else is worked out here again.
"""

import csv
import os

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "crates", "rollcall-core", "data")


def _rows(name):
    with open(os.path.join(DATA, name), encoding="utf-8") as file:
        return list(csv.DictReader(file))


LEVELS = {}
SPELLS = {}
SUCCESSORS = {}
PREDECESSORS = {}
for _row in _rows("division_history.csv"):
    _code = _row["code"]
    LEVELS[_code] = _row["level"]
    _end = int(_row["changed_or_retired_in"]) if _row["changed_or_retired_in"] else 9999
    SPELLS.setdefault(_code, []).append((int(_row["in_use_since"]), _end))
    for _part in filter(None, _row["successor_codes"].split(";")):
        _next = _part[:6]
        _year = int(_part[7:11]) if "[" in _part else _end
        SUCCESSORS.setdefault(_code, []).append((_year, _next))
        PREDECESSORS.setdefault(_next, []).append((_year, _code))
for _row in _rows("divisions.csv"):
    LEVELS.setdefault(_row["code"], _row["level"])
    SPELLS.setdefault(_row["code"], []).append((int(_row["in_use_since"]), 9999))


def level(code):
    """Registration level of positions 3 to 8 (edge rule 10)."""
    if code == "100000":
        return "national"
    if code in LEVELS:
        return LEVELS[code]
    if code.endswith("0000"):
        return "province"
    if code.endswith("00") or code.endswith("01"):
        return "prefecture"
    return "county"


def known(code):
    """The code itself if the tables have it, now or ever, else what it is attributed to: four digits, then two."""
    return next((prefix for prefix in (code, code[:4] + "00", code[:2] + "0000") if prefix in LEVELS), "100000")


def in_use(code, day):
    """Whether the code was in the standard in the year of the day; changes take effect on 1 January."""
    year = int(day[:4])
    return any(since <= year < end for since, end in SPELLS.get(code, []))


def nearest(code, day):
    """The nearest existing prefix: four digits, then two; None if not even the province exists."""
    for prefix in (code[:4] + "00", code[:2] + "0000"):
        if in_use(prefix, day):
            return prefix
    return None


def at(code, day):
    """The division that stands for this code in the hierarchy of the day."""
    if code == "100000":
        return code
    seen = set()
    while not in_use(code, day):
        if code in seen:
            return nearest(code, day)
        seen.add(code)
        year = int(day[:4])
        ends = [end for _, end in SPELLS.get(code, []) if end <= year]
        if ends:
            options = {to for when, to in SUCCESSORS.get(code, []) if when == max(ends)}
        else:
            options = {of for when, of in PREDECESSORS.get(code, []) if in_use(of, day)}
        if len(options) != 1:
            return nearest(code, day)
        code = options.pop()
    return code


def parent(code, day):
    """The division above, in the hierarchy of the day."""
    if code == "100000":
        return None
    if code.endswith("0000"):
        return "100000"
    above = code[:4] + "00"
    if above != code and in_use(above, day):
        return above
    return code[:2] + "0000"
