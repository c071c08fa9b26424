#!/usr/bin/env python3
"""The figures of domain.md 6 and 7 once more, worked out slowly from records (cli.md Figures, Records).

figures.py FILE... [--as-of DATE] [--by DIM,...] [--area CODE] [--where DIM=VALUE]... [--from DATE --to DATE]
                   [--boundaries DATE]
figures.py --subsidies FILE... [--year YYYY | --from DATE --to DATE] [--by DIM]
figures.py --worlds FILE      one world a line, {"records": [...], "questions": [...]}; one answer a question a line
"""

import argparse
import itertools
import json
import sys

import divisions
import money
import rules
from dates import day_before, first_day, last_day, month_ends, plus_months
from register import Register, document_id

AREAS = ("province", "prefecture", "county", "federation")


def percent(numerator, denominator):
    """Two decimals, half up; None without a denominator."""
    if denominator == 0:
        return None
    hundredths = (numerator * 20000 + denominator) // (2 * denominator)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


# ---- areas --------------------------------------------------------------------------------------

def chain(register, code, day):
    """[(level, code)] of a federation and everything above it in the hierarchy of the day."""
    found, seen = [], set()
    while code is not None and code not in seen:
        seen.add(code)
        record = register.federation(code, day)
        if "/" in code:
            # An industrial federation counts in the area of its territorial parent.
            code = (record or {}).get("parent") or code[:6]
        elif record is not None:
            found.append((record["level"], code))
            code = record.get("parent")
        else:
            code = divisions.at(code, day)
            if code is None:
                break
            found.append((divisions.level(code), code))
            code = divisions.parent(code, day)
    return found


def area_keys(register, federation, day):
    """Keys of the area dimensions."""
    keys = {level: code for level, code in reversed(chain(register, federation, day))} if federation else {}
    return {"province": keys.get("province"), "prefecture": keys.get("prefecture"), "county": keys.get("county"),
            "federation": federation}


def within(register, federation, area, day):
    """Whether a federation lies in an area."""
    if area is None or area == "100000" or federation == area:
        return True
    return federation is not None and area in [code for _, code in chain(register, federation, day)]


# ---- one organisation on one day ----------------------------------------------------------------

def readings(organisation, own_unions, unions_by_id, day):
    """The organisation and the unions it meets in every combination of what amended entries may say."""
    for reading in organisation.readings():
        met = list(own_unions)
        for link in rules.live_links(reading, day):
            union = unions_by_id.get(document_id("union", link["union"]))
            if union is not None and union not in met:
                met.append(union)
        for choice in itertools.product(*(union.readings for union in met)):
            chosen = {document: union for union in choice for document in union.ids}
            yield reading, list(choice[:len(own_unions)]), {**unions_by_id, **chosen}


def examine(register, organisation, own_unions, unions_by_id, day, boundaries):
    """Every version of an organisation with what it counts for."""
    found = []
    for reading in readings(organisation, own_unions, unions_by_id, day):
        found += examine_reading(register, *reading, day, boundaries)
    return found


def examine_reading(register, organisation, own_unions, unions_by_id, day, boundaries):
    """Every version of an organisation whose entries say one thing each."""
    settings = register.settings
    reason, pending = rules.exclusion(organisation, day)
    both = rules.latest_count(organisation, day, ("workers", "members"))
    workers = rules.latest_count(organisation, day, ("workers",))
    found = []
    for version in rules.versions(organisation, day, settings):
        ended = day if version["ended"] else rules.last_ended(organisation, day_before(day))
        covers, unresolved = rules.covers(
            organisation, own_unions, unions_by_id, day, settings, document_id, ended)
        covered = bool(covers)
        terms = [rules.term_state(union, day, settings["grace_months"]) if union else "good" for _, union in covers]
        in_scope = version["out"] is None
        version["in_scope"] = in_scope
        version["covered"] = in_scope and covered
        version["eligible"] = in_scope and (covered or reason is None)
        version["strict"] = version["covered"] and any(term != "overdue" for term in terms)
        version["excluded"] = reason if in_scope and not version["eligible"] else None
        version["pending"] = version["eligible"] and pending
        version["covers"] = covers
        version["term_unknown"] = version["covered"] and "unknown" in terms and "good" not in terms
        version["unresolved"] = unresolved if in_scope else 0
        version["date_unknown"] = in_scope and organisation.registered_on is None
        version["both"], version["workers"] = both, workers
        version["checked"] = in_scope and any(
            plus_months(day, -12) < last_day(check["on"]) <= day for check in organisation.checks)
        keys = area_keys(register, version["federation"], boundaries)
        forms = [form for form, _ in covers]
        keys.update({
            "kind": version["kind"], "category": version["category"], "group": version["group"],
            "level": version["level"], "form": min(forms, key=rules.FORMS.index) if forms else "none",
            "size": rules.size(organisation, day),
            "stage": rules.stage(organisation, own_unions, unions_by_id, day, document_id)})
        version["keys"] = keys
        found.append(version)
    return found


# ---- bounds (edge rule 8) -----------------------------------------------------------------------

LOW = ((1, 0), (0, 0), (1, 1))
HIGH = ((1, 1), (0, 0), (1, 0))


def pair(version, denominator, numerator):
    """What a version adds to a rate; None stands for a version that is not of this row."""
    if version is None or not version[denominator]:
        return (0, 0)
    return (1, 1) if version[numerator] else (1, 0)


def possible(versions, denominator, numerator):
    """All that an organisation could add to a rate."""
    found = {pair(version, denominator, numerator) for version in versions}
    if any(version is not None and version["unresolved"] for version in versions):
        found.add((1, 1))
    return found


def rate(members, denominator, numerator):
    """A rate with both bounds over [versions of one organisation]."""
    sums = {}
    for name, order in (("low", LOW), ("high", HIGH)):
        top = bottom = 0
        for versions in members:
            outcomes = possible(versions, denominator, numerator)
            one = next(outcome for outcome in order if outcome in outcomes)
            bottom, top = bottom + one[0], top + one[1]
        sums[name] = {"numerator": top, "denominator": bottom}
    low = sums["low"]
    return {**low, "percent": percent(low["numerator"], low["denominator"]), **sums}


def least_favourable(versions):
    """The version that the other figures count: least favourable for the headline, then for the identified, then for the
    strict rate; among equals the one of this row, the first reason, the most that is open, the fewest unions."""
    def order(version):
        pairs = [LOW.index(pair(version, d, n)) for d, n in
                 (("eligible", "covered"), ("in_scope", "covered"), ("eligible", "strict"))]
        if version is None:
            return pairs, True
        unions = sorted({union.id for _, union in version["covers"] if union}) if version["in_scope"] else []
        return (pairs, False, rules.OUT.index(version["out"]) if version["out"] else -1,
                rules.REASONS.index(version["excluded"]) if version["excluded"] else -1,
                not version["pending"], not version["term_unknown"], -version["unresolved"], len(unions), unions)
    return min(versions, key=order)


COUNTED = ("in_scope", "covered", "eligible", "strict", "excluded", "pending", "term_unknown", "unresolved",
           "date_unknown", "out", "group_b", "keys")


def may_count_differently(versions):
    """Whether the versions differ in anything that figures count."""
    def counted(version):
        unions = sorted((form, union.id if union else "") for form, union in version["covers"])
        return [version[key] for key in COUNTED], unions if version["in_scope"] else []
    return any(counted(version) != counted(versions[0]) for version in versions)


# ---- a row --------------------------------------------------------------------------------------

def tally(values):
    """How often each value occurs, without None."""
    return {value: values.count(value) for value in sorted({v for v in values if v is not None})}


def row_of(members, unions_all, day, conflicts):
    """The figures of a row; members are the versions of each organisation that may belong to it."""
    headline = rate(members, "eligible", "covered")
    identified = rate(members, "in_scope", "covered")
    chosen = [version for version in map(least_favourable, members) if version is not None]
    eligible = [v for v in chosen if v["eligible"]]
    covered = [v for v in eligible if v["covered"]]
    units_unknown = sum(1 for v in covered if v["both"] is None)
    inside = [v["both"] for v in covered if v["both"] is not None]
    outside = [v["workers"]["workers"] for v in eligible if not v["covered"] and v["workers"] is not None]
    members_inside = sum(c["members"] for c in inside)
    workers_inside = sum(c["workers"] for c in inside)
    workers_all = workers_inside + sum(outside)
    used = {(form, union.id): union for v in covered for form, union in v["covers"] if union is not None}
    forms = [form for form, _ in used]
    own_units = sum(1 for v in covered if v["keys"]["form"] == "own")
    joint_units = sum(1 for v in covered if v["keys"]["form"] == "joint")
    checked = sum(1 for v in chosen if v["checked"])
    return {
        "in_scope": identified["denominator"], "eligible": headline["denominator"], "covered": headline["numerator"],
        "establishment_rate": headline, "identified_rate": identified,
        "strict_rate": rate(members, "eligible", "strict"),
        "membership_rate": {"numerator": members_inside, "denominator": workers_inside,
                            "percent": percent(members_inside, workers_inside), "units_unknown": units_unknown},
        "membership_rate_all": {"numerator": members_inside, "denominator": workers_all,
                                "percent": percent(members_inside, workers_all), "units_unknown": units_unknown},
        "excluded": tally([v["excluded"] for v in chosen]),
        "exclusions_pending": sum(1 for v in chosen if v["pending"]),
        "out_of_scope": tally([v["out"] for v in chosen]),
        "held": sum(1 for v in chosen if v["out"] == "NO_CODE"),
        "date_unknown": sum(1 for v in chosen if v["date_unknown"]),
        "unresolved_links": sum(v["unresolved"] for v in chosen),
        "term_unknown": sum(1 for v in covered if v["term_unknown"]),
        "unions": {form: forms.count(form) for form in ("own", "joint", "federation")},
        "unions_all": None if unions_all is None else
        {form: sum(1 for u in unions_all if u.form == form) for form in ("own", "joint", "federation")},
        "open_conflicts": conflicts,
        "more": {
            "own_union_share": [own_units, len(covered)],
            "units_per_joint_union": [joint_units, forms.count("joint")],
            "mapping_progress": [checked, identified["denominator"]],
            "legal_person_share": None if unions_all is None else
            [sum(1 for u in unions_all if any(on <= day for on in rules.dates_of(u, "legal_person", last_day))),
             len(unions_all)]}}


def table(register, question, day):
    """(rows, total) on one day."""
    by = question.get("by") or []
    where = question.get("where") or {}
    area = question.get("area")
    boundaries = question.get("boundaries") or day
    unions = register.unions(day)
    unions_by_id = {document: union for union in unions for document in union.ids}
    own_unions = {}
    for union in unions:
        own_unions.setdefault(union.organisation if union.form == "own" else None, []).append(union)
    everyone, ended = [], {}
    for organisation in register.organisations(day):
        own = [union for document in organisation.ids for union in own_unions.get(document, [])]
        versions = examine(register, organisation, own, unions_by_id, day, boundaries)
        for document in organisation.ids:
            # Ended for its union as long as every version says so.
            ended[document] = day if all(version["ended"] for version in versions) else \
                rules.last_ended(organisation, day_before(day))
        asked = [v if within(register, v["federation"], area, boundaries)
                 and all(v["keys"][dimension] == value for dimension, value in where.items()) else None
                 for v in versions]
        if any(v is not None for v in asked):
            everyone.append((asked, rules.in_conflict(organisation, day) or may_count_differently(versions)))
    # Every established union of the register; an own union ends with its organisation (edge rule 4).
    standing = None
    if all(dimension in AREAS for dimension in where):
        standing = [u for u in unions if all(rules.established(r, day) for r in u.readings) and not (u.form == "own" and not rules.outlives(u, ended.get(u.organisation), day))
                    and within(register, u.higher_union, area, boundaries)]
        standing = [u for u in standing if all(
            area_keys(register, u.higher_union, boundaries)[d] == v for d, v in where.items())]

    def key_of(keys):
        return tuple(keys[dimension] for dimension in by)

    rows = []
    if by:
        by_area = all(dimension in AREAS for dimension in by) and standing is not None
        keys = {key_of(v["keys"]) for versions, _ in everyone for v in versions if v is not None}
        if by_area:
            keys |= {key_of(area_keys(register, u.higher_union, boundaries)) for u in standing}
        for key in sorted(keys, key=lambda key: [(part is None, part or "") for part in key]):
            members, conflicts = [], 0
            for versions, conflict in everyone:
                mine = [v if v is not None and key_of(v["keys"]) == key else None for v in versions]
                if any(v is not None for v in mine):
                    members.append(mine)
                    conflicts += conflict
            own = [u for u in standing if key_of(area_keys(register, u.higher_union, boundaries)) == key] \
                if by_area else None
            rows.append({"key": dict(zip(by, key)), **row_of(members, own, day, conflicts)})
    total = row_of([versions for versions, _ in everyone], standing, day, sum(c for _, c in everyone))
    if not by:
        rows = [{"key": {}, **total}]
    full_b = [[v if v is not None and v["group_b"] else None for v in versions] for versions, _ in everyone]
    group_b = rate(full_b, "eligible", "covered")
    total = {**total, "group_b_all": {key: group_b[key] for key in ("numerator", "denominator", "percent")}}
    return rows, total


# ---- a whole answer -----------------------------------------------------------------------------

def verdict(rate_pair, wanted):
    """Exact on integers; no data, no verdict."""
    if rate_pair["denominator"] == 0:
        return None
    return 100 * rate_pair["numerator"] >= wanted * rate_pair["denominator"]


def targets(register, question, as_of):
    """Each target on its own date; after the last one its line at every month end too (edge rule 12)."""
    dates = list(register.targets)
    last, line = dates[-1]
    dates += [(day, line) for day in month_ends(last, as_of) if day > last]
    found = []
    for day, wanted in dates:
        one = {"date": day, "percent": wanted, "numerator": None, "denominator": None,
               "met": None, "low_met": None, "high_met": None}
        if day <= as_of:
            headline = table(register, {**question, "by": []}, day)[1]["establishment_rate"]
            one.update(numerator=headline["numerator"], denominator=headline["denominator"],
                       met=verdict(headline, wanted), low_met=verdict(headline["low"], wanted),
                       high_met=verdict(headline["high"], wanted))
        found.append(one)
    return found


def figures(register, question):
    """The JSON of `figures`, without completeness, known_at, frame and names."""
    as_of = question["as_of"]
    rows, total = table(register, question, as_of)
    if question.get("from"):
        rows = []
        for day in month_ends(question["from"], question["to"]):
            rows += [{"as_of": day, **row} for row in table(register, question, day)[0]]
    return {"as_of": as_of, "settings": {"campaign": register.campaign, **register.settings}, "by": question.get("by") or [],
            "rows": rows, "total": total, "targets": targets(register, question, as_of)}


def answer(register, question):
    """One question of a world."""
    if question.get("ask") == "subsidies":
        return money.subsidies(register, question, area_keys, within)
    return figures(register, question)


def read_records(paths):
    """All lines of records files."""
    records = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            records += [json.loads(line) for line in file if line.strip()]
    return records


def main():
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*")
    parser.add_argument("--worlds")
    parser.add_argument("--subsidies", action="store_true")
    parser.add_argument("--as-of")
    parser.add_argument("--by", default="")
    parser.add_argument("--area")
    parser.add_argument("--where", action="append", default=[])
    parser.add_argument("--from", dest="start")
    parser.add_argument("--to", dest="end")
    parser.add_argument("--year")
    parser.add_argument("--boundaries")
    given = parser.parse_args()
    if given.worlds:
        with open(given.worlds, encoding="utf-8") as file:
            for number, line in enumerate(file):
                world = json.loads(line)
                register = Register(world["records"])
                for index, question in enumerate(world["questions"]):
                    result = {"world": number, "question": index, "answer": answer(register, question)}
                    print(json.dumps(result, ensure_ascii=False))
        return
    question = {
        "ask": "subsidies" if given.subsidies else "figures", "as_of": given.as_of,
        "by": [part for part in given.by.split(",") if part], "area": given.area,
        "where": dict(part.split("=", 1) for part in given.where),
        "from": first_day(given.start) if given.start else None, "to": last_day(given.end) if given.end else None,
        "year": given.year, "boundaries": given.boundaries}
    if not given.subsidies and not given.as_of:
        parser.error("--as-of is needed: the oracle reads no clock")
    result = answer(Register(read_records(given.files)), question)
    json.dump(result, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    main()
