"""The rules of domain.md 5 and 6 for one organisation or union on one day, each from scratch."""

import itertools

import credit_code
import divisions
from dates import ALWAYS, NEVER, day_before, first_day, last_day, plus_months
from register import ENDED, SOURCE_RANK

OUT = ("NO_CODE", "UNION", "SPILL_OVER", "OUT_FOR_PROFIT", "OUT_PUBLIC", "OUT_KIND", "OUT_LEVEL", "NOT_REGISTERED")
REASONS = ("DORMANT", "NO_WORKERS", "HOST_STAFF", "IN_LIQUIDATION", "OTHER_APPROVED")
FORMS = ("own", "joint", "federation", "organiser")
TRAPS = ("庄稼医院", "植物医院", "医院食堂", "学校服务公司")


# ---- dated values -------------------------------------------------------------------------------

def effective(entry, field):
    """The day a dated entry counts from: an end from its first possible day, all else from its last."""
    if not entry.get("from"):
        return ALWAYS
    if field == "registration_status" and entry["value"] in ENDED:
        return first_day(entry["from"])
    return last_day(entry["from"])


def holding(organisation, field, day):
    """The values that hold on the day: none, one, or several that contradict each other."""
    entries = [(effective(e, field), e) for e in organisation.dated[field]]
    if field == "responsible":
        for handover in organisation.handovers:
            if handover.get("accepted_on"):
                signed = max(last_day(handover["on"]), last_day(handover["accepted_on"]))
                entries.append((signed, {"value": handover["to"]}))
    if field == "registration_authority":
        # Only the authority's own document, with its date, beats the code (edge rule 10).
        entries = [(when, e) for when, e in entries if e.get("document") and e.get("from")]
    entries = [(when, e) for when, e in entries if when <= day]
    if not entries:
        return []
    latest = max(when for when, _ in entries)
    entries = [e for when, e in entries if when == latest]
    if field == "registration_status":
        best = min(SOURCE_RANK[e.get("source", "registry")] for e in entries)
        entries = [e for e in entries if SOURCE_RANK[e.get("source", "registry")] == best]
    return sorted({e["value"] for e in entries})


def earliest(organisation, field):
    """The values of the first entry: they stand in before anything is known to hold."""
    days = [effective(e, field) for e in organisation.dated[field]]
    return holding(organisation, field, min(days)) if days else []


# ---- classification -----------------------------------------------------------------------------

def category_of_name(name):
    """The category that a name tells; order matters."""
    if not name or any(trap in name for trap in TRAPS):
        return "other"
    for category, words in (("kindergarten", ("幼儿园", "幼稚园")), ("nursery", ("托儿所",)),
                            ("hospital", ("医院", "护理院", "卫生院")), ("clinic", ("门诊部", "诊所")),
                            ("school", ("学校", "中学", "小学", "学院", "大学"))):
        if any(word in name for word in words):
            return category
    return "other"


def classify(code, category, level, name, registered, settings):
    """(in A, in B, reason for being out)."""
    if code is None:
        return False, False, "NO_CODE"
    prefix = code[:2]
    group_a = prefix in ("51", "52", "53") and level in ("national", "province")
    b_categories = {"kindergarten", "school", "hospital"}
    if settings["nurseries_in_scope"]:
        b_categories.add("nursery")
    group_b = prefix == "52" and category in b_categories
    if group_a or group_b:
        return (group_a, group_b, None) if registered else (False, False, "NOT_REGISTERED")
    if prefix[0] == "8":
        return False, False, "UNION"
    if prefix == "31" or (prefix[0] == "9" and name and "会计师事务所" in name):
        return False, False, "SPILL_OVER"
    if prefix == "91":
        return False, False, "OUT_FOR_PROFIT"
    if prefix == "12":
        return False, False, "OUT_PUBLIC"
    if prefix not in ("51", "52", "53"):
        return False, False, "OUT_KIND"
    return False, False, "OUT_LEVEL"


def default_area(organisation, level, authority, location):
    """Area of an organisation that names no responsible federation (rule 5); a recorded authority beats the code."""
    registered_at = authority or organisation.code and organisation.code[2:8]
    if level == "national":
        return "100000"
    if level == "province":
        return registered_at[:2] + "0000"
    return next((divisions.known(code) for code in (location, registered_at) if code), "100000")


def categories(organisation, day):
    """A recorded category wins over the name; before anything is known to hold the earliest entry stands in."""
    for of in (holding, earliest):
        arguments = (day,) if of is holding else ()
        recorded = of(organisation, "category", *arguments)
        named = sorted({category_of_name(name) for name in of(organisation, "name", *arguments)})
        if recorded or named:
            return recorded or named
    return ["other"]


def versions(organisation, day, settings):
    """What the organisation is on the day, once for every combination of contradicting values."""
    options = [categories(organisation, day)]
    options += [holding(organisation, field, day) or [None]
                for field in ("name", "registration_status", "registration_authority", "responsible")]
    options.append(holding(organisation, "location", day) or earliest(organisation, "location") or [None])
    found = []
    for category, name, status, authority, responsible, location in itertools.product(*options):
        if category == "clinic" and settings["clinics_are_hospitals"]:
            category = "hospital"
        level = divisions.level(authority or organisation.code[2:8]) if organisation.code else None
        begun = organisation.registered_on is None or last_day(organisation.registered_on) <= day
        registered = begun and status not in ENDED
        a, b, out = classify(organisation.code, category, level, name, registered, settings)
        found.append({
            "category": category, "level": level, "ended": status in ENDED,
            "kind": credit_code.kind(organisation.code) if organisation.code else None,
            "group": "A" if a else "B" if b else None, "group_b": b, "out": out,
            "federation": responsible or default_area(organisation, level, authority, location)})
    return found


def in_conflict(organisation, day):
    """Whether something waits for a decision: a field with several values, or sources that differ about the day."""
    fields = ("category", "registration_status", "registration_authority", "location", "responsible")
    return organisation.unsettled or any(len(holding(organisation, field, day)) > 1 for field in fields)


# ---- unions -------------------------------------------------------------------------------------

def dates_of(union, event, read):
    """Days of the events of one name."""
    return [read(e["on"]) for e in union.events if e["event"] == event]


def established(union, day):
    """Established, neither dissolved nor suspended; of an own union's employer see union_stands."""
    if not any(on <= day for on in dates_of(union, "established", last_day)):
        return False
    if any(on <= day for on in dates_of(union, "dissolved", first_day)):
        return False
    stopped = [on for on in dates_of(union, "suspended", first_day) if on <= day]
    resumed = [on for on in dates_of(union, "resumed", last_day) if on <= day]
    return not stopped or bool(resumed) and max(resumed) >= max(stopped)


def term_end(union, day):
    """Last day of the current committee's term, None if unknown (edge rule 6)."""
    best = None
    for cycle in sorted({e.get("cycle", 0) for e in union.events}):
        events = [e for e in union.events if e.get("cycle", 0) == cycle and last_day(e["on"]) <= day]
        approvals = [e for e in events if e["event"] in ("established", "result_approved")]
        if not approvals:
            continue
        elections = [e for e in events if e["event"] == "elected"]
        # The latest election; one paper: the approval.
        start = max(last_day(e["on"]) for e in elections) if elections else min(last_day(e["on"]) for e in approvals)
        held = [e["term_years"] for e in elections if last_day(e["on"]) == start and e.get("term_years")]
        years = max(held or [e["term_years"] for e in approvals if e.get("term_years")], default=None)
        if best is None or start >= best[0]:
            best = (start, years, events)
    if best is None or best[1] is None:
        return None
    start, years, events = best
    end = day_before(plus_months(start, 12 * years))
    for event in events:
        if event["event"] == "term_extended" and last_day(event["on"]) <= day:
            if event.get("until"):
                end = max(end, first_day(event["until"]))
            elif event.get("months"):
                end = max(end, plus_months(day_before(plus_months(start, 12 * years)), event["months"]))
    return end


def term_state(union, day, grace_months):
    """good, overdue or unknown."""
    end = term_end(union, day)
    if end is None:
        return "unknown"
    return "overdue" if plus_months(end, grace_months) < day else "good"


# ---- coverage and exclusion ---------------------------------------------------------------------

def live_links(organisation, day):
    """Coverage links with both consents that hold on the day."""
    found = []
    for link in organisation.coverage:
        if not link.get("consent_on"):
            continue
        start = max(last_day(link["from"]), last_day(link["consent_on"]))
        end = first_day(link["until"]) if link.get("until") else NEVER
        if start <= day <= end:
            found.append(link)
    return found


def last_ended(organisation, day):
    """The last day up to now on which every value of the registration status was an ending, if any."""
    if len({record["code"] for record in organisation.records if record.get("code")}) > 1:
        # A registration that follows another one continues the organisation.
        return day if all(v in ENDED for v in holding(organisation, "registration_status", day) or [None]) else None
    turns = {effective(e, "registration_status") for e in organisation.dated["registration_status"]}
    end = day
    for turn in sorted((turn for turn in turns if turn <= day), reverse=True):
        if all(value in ENDED for value in holding(organisation, "registration_status", turn)):
            return end
        end = day_before(turn) if turn != ALWAYS else ALWAYS
    return None


def outlives(union, ended, day):
    """Whether an own union was established after its organisation last ended (edge rule 4)."""
    return ended is None or max(on for on in dates_of(union, "established", last_day) if on <= day) > ended


def covers(organisation, own_unions, unions_by_id, day, settings, document_id, ended):
    """([(form, union or None)], number of links to unions not held)."""
    found, unresolved = [], 0
    for union in own_unions:
        if established(union, day) and outlives(union, ended, day):
            found.append(("own", union))
    for link in live_links(organisation, day):
        union = unions_by_id.get(document_id("union", link["union"]))
        if union is None:
            unresolved += 1
        elif union.form in ("joint", "federation") and established(union, day):
            found.append((union.form, union))
    if settings["organiser_counts"]:
        for organiser in organisation.organisers:
            gone = organiser.get("ended_on") and first_day(organiser["ended_on"]) <= day
            if last_day(organiser["elected_on"]) <= day and not gone:
                found.append(("organiser", None))
    return found, unresolved


def exclusion(organisation, day):
    """(reason of an approved exclusion or None, whether one is only proposed)."""
    reasons, pending = set(), False
    for entry in organisation.exclusions:
        end = first_day(entry["until"]) if entry.get("until") else NEVER
        if not last_day(entry["from"]) <= day <= end:
            continue
        if entry.get("approved_on") and last_day(entry["approved_on"]) <= day:
            reasons.add(entry["reason"])
        elif not entry.get("refused_on") or day < first_day(entry["refused_on"]):
            pending = True
    return next((reason for reason in REASONS if reason in reasons), None), pending


# ---- counts -------------------------------------------------------------------------------------

def latest_count(organisation, day, needed):
    """The latest entry of counts up to the day that holds all the needed figures; the best source of its date."""
    entries = [c for c in organisation.counts if c["on"] <= day and all(c.get(f) is not None for f in needed)]
    if not entries:
        return None
    latest = max(c["on"] for c in entries)
    return min((c for c in entries if c["on"] == latest), key=lambda c: SOURCE_RANK[c.get("source", "registry")])


def size(organisation, day):
    """Size class by workers."""
    entry = latest_count(organisation, day, ("workers",))
    if entry is None:
        return "unknown"
    workers = entry["workers"]
    for least, name in ((200, "200+"), (100, "100-199"), (25, "25-99"), (1, "1-24")):
        if workers >= least:
            return name
    return "0"


def stage(organisation, own_unions, unions_by_id, day, document_id):
    """Stage of founding: from the union that covers or names it, else from its own record."""
    named = list(own_unions)
    for link in live_links(organisation, day):
        union = unions_by_id.get(document_id("union", link["union"]))
        if union is not None and union.form != "own":
            named.append(union)
    named.sort(key=lambda u: (not established(u, day), FORMS.index(u.form)))
    for union in named:
        if any(on <= day for on in dates_of(union, "dissolved", first_day)):
            continue
        for event, name in (("legal_person", "legal_person"), ("established", "established"), ("elected", "elected"),
                            ("founding_approved", "founding_approved"), ("applied", "applied")):
            if any(on <= day for on in dates_of(union, event, last_day)):
                return name
    own = [(last_day(s["on"]), s["stage"]) for s in organisation.stages if last_day(s["on"]) <= day]
    return max(own)[1] if own else "identified"
