"""Calendar dates as texts YYYY-MM-DD, which compare as they should.

A date may be known only to the month or the year; first_day and last_day give the day it counts from.
"""

import calendar

ALWAYS = "0000-00-00"
NEVER = "9999-99-99"


def first_day(text):
    """The first day a partial date could be: an ending counts from it."""
    if len(text) == 4:
        return text + "-01-01"
    if len(text) == 7:
        return text + "-01"
    return text


def last_day(text):
    """The last day a partial date could be: a start counts from it."""
    if len(text) == 4:
        return text + "-12-31"
    if len(text) == 7:
        year, month = int(text[:4]), int(text[5:7])
        return f"{text}-{calendar.monthrange(year, month)[1]:02d}"
    return text


def plus_months(day, months):
    """The same day of a later month, or the last of that month where it has no such day."""
    year, month, number = int(day[:4]), int(day[5:7]), int(day[8:10])
    index = year * 12 + month - 1 + months
    year, month = index // 12, index % 12 + 1
    number = min(number, calendar.monthrange(year, month)[1])
    return f"{year:04d}-{month:02d}-{number:02d}"


def day_before(day):
    """The day before."""
    year, month, number = int(day[:4]), int(day[5:7]), int(day[8:10])
    if number > 1:
        return f"{year:04d}-{month:02d}-{number - 1:02d}"
    return last_day(plus_months(f"{year:04d}-{month:02d}-01", -1)[:7])


def month_ends(start, end):
    """Every month end from start to end, both included."""
    found = []
    month = start[:7]
    while last_day(month) <= end:
        if last_day(month) >= start:
            found.append(last_day(month))
        month = plus_months(month + "-01", 1)[:7]
    return found
