"""Records read into a register: organisations, unions and what joins them (cli.md Records).

Nothing is decided here but what a record means; the rules of domain.md 6 are in rules.py.
"""

import copy
import hashlib
import itertools

import credit_code
from dates import ALWAYS, NEVER, first_day, last_day

SOURCE_RANK = {"registry": 0, "check": 1, "self_report": 2, "import": 3}
ENDED = ("deregistered", "revoked", "banned")
DATED = ("name", "category", "registration_status", "registration_authority", "location", "responsible",
         "operating_state")
LISTS = ("counts", "exclusions", "coverage", "organisers", "handovers", "stages", "contacts", "checks", "services")
AGREED = ("code", "registered_on")


def document_id(kind, reference):
    """The document that a record means by this text."""
    if len(reference) == 32 and all(c in "0123456789abcdefABCDEF" for c in reference):
        return reference.lower()
    key = credit_code.valid(reference) or reference
    return hashlib.sha256(b"rollcall-1\0" + kind.encode() + b"\0" + key.encode()).hexdigest()[:32]


def record_id(record):
    """The document of an organisation or union record: by its code, else by its id."""
    return document_id(record["type"], record.get("code") or record["id"])


def dated_entries(record, field):
    """The entries of a dated value that were not withdrawn."""
    value = record.get(field)
    if value is None:
        return []
    if isinstance(value, list):
        return [entry for entry in value if not entry.get("withdrawn")]
    start = record.get("registered_on")
    if field == "registration_status" and value in ENDED and record.get("status_on"):
        start = record["status_on"]
    return [{"value": value, "from": start, "source": "registry"}]


def current(entries):
    """The entries of a set that were not withdrawn."""
    return [entry for entry in entries if not entry.get("withdrawn")]


def readings_of(entry):
    """An entry in every reading: fields that several people amended without seeing each other have several values."""
    amended = entry.get("amended") or {}
    plain = {key: value for key, value in entry.items() if key != "amended"}
    return [{**plain, **dict(zip(amended, values))} for values in itertools.product(*amended.values())]


def readings_of_list(entries):
    """A list of entries in every combination of the readings of its entries."""
    return [list(choice) for choice in itertools.product(*map(readings_of, entries))]


def twice(record):
    """Whether a record says two things of one date and source, or an entry of it was amended in two ways."""
    for field in DATED + ("counts",):
        entries = record.get(field)
        if isinstance(entries, list):
            told = {}
            for entry in entries:
                key = entry.get("from", entry.get("on")), entry.get("source")
                said = {name: value for name, value in entry.items() if name != "withdrawn"}
                if told.setdefault(key, said) != said:
                    return True
    return any(entry.get("amended") for field in LISTS for entry in record.get(field) or [])


class Organisation:
    """One organisation at a date: one document, or several that are one."""

    def __init__(self, records):
        self.records = records
        self.ids = [record_id(record) for record in records]
        # Agreed values: from the document with the code-derived id, else from the smallest id.
        order = sorted(records, key=lambda r: (credit_code.valid(r.get("code")) is None, record_id(r)))
        self.agreed = {}
        for field in AGREED:
            given = [record[field] for record in order if record.get(field)]
            self.agreed[field] = given[0] if given else None
        self.code = credit_code.valid(self.agreed["code"])
        self.registered_on = self.agreed["registered_on"]
        # Of one registration; another code is another registration.
        self.unsettled = any(twice(r) for r in records) or any(
            a.get("registered_on") and b.get("registered_on") and a["registered_on"] != b["registered_on"]
            and (not a.get("code") or not b.get("code") or a["code"] == b["code"])
            for a, b in itertools.combinations(records, 2))
        self.dated = {f: [e for r in records for e in dated_entries(r, f)] for f in DATED}
        for field in LISTS:
            setattr(self, field, [e for r in records for e in current(r.get(field) or [])])

    def readings(self):
        """This organisation in every combination of the readings of its amended entries."""
        found = [self]
        for field in LISTS:
            if any(entry.get("amended") for entry in getattr(self, field)):
                options = readings_of_list(getattr(self, field))
                found = [with_list(reading, field, option) for reading in found for option in options]
        return found


def with_list(thing, field, entries):
    """The same thing with another list."""
    other = copy.copy(thing)
    setattr(other, field, entries)
    return other


class Union:
    """One union at a date: one document, or several that are one."""

    def __init__(self, records):
        order = sorted(records, key=lambda r: (credit_code.valid(r.get("code")) is None, record_id(r)))
        self.ids = [record_id(record) for record in records]
        self.id = record_id(order[0])

        def agreed(field):
            return next((r[field] for r in order if r.get(field)), None)

        self.form = agreed("form")
        self.higher_union = agreed("higher_union")
        employer = agreed("organisation")
        self.organisation = document_id("organisation", employer) if employer else None
        self.events = [e for r in records for e in current(r.get("events") or [])]
        self.readings = [with_list(self, "events", events) for events in readings_of_list(self.events)]


class Register:
    """All records of one world."""

    def __init__(self, records):
        # A document closed as a mistake is in no figure.
        self.records = [record for record in records if not record.get("mistaken")]
        records = self.records
        self.settings = {"organiser_counts": False, "clinics_are_hospitals": False, "nurseries_in_scope": False,
                         "grace_months": 0}
        self.targets = [("2023-12-31", 60), ("2024-12-31", 85)]
        self.campaign = 0
        campaigns = [r for r in records if r["type"] == "campaign"]
        for campaign in sorted(campaigns, key=lambda r: r.get("version") or 0):
            for key in self.settings:
                if campaign.get(key) is not None:
                    self.settings[key] = campaign[key]
            self.campaign = campaign.get("version") or self.campaign
            targets = current(campaign.get("targets") or [])
            if targets:
                self.targets = sorted((last_day(t["on"]), t["percent"]) for t in targets)

    def of_type(self, kind):
        """The records of a kind."""
        return [record for record in self.records if record["type"] == kind]

    def joined(self, kind, day):
        """The records of a kind in groups that are one thing on the day."""
        leader = {}
        for record in self.of_type(kind):
            leader.setdefault(record_id(record), record_id(record))

        def find(document):
            while leader[document] != document:
                document = leader[document]
            return document

        for same in self.of_type("same_as"):
            if same.get("of", "organisation") != kind or same.get("withdrawn"):
                continue
            start = last_day(same["from"]) if same.get("from") else ALWAYS
            end = first_day(same["until"]) if same.get("until") else NEVER
            a, b = document_id(kind, same["a"]), document_id(kind, same["b"])
            if start <= day <= end and a in leader and b in leader:
                leader[find(a)] = find(b)
        groups = {}
        for record in self.of_type(kind):
            groups.setdefault(find(record_id(record)), []).append(record)
        return list(groups.values())

    def organisations(self, day):
        """Every organisation as it is joined on the day."""
        return [Organisation(records) for records in self.joined("organisation", day)]

    def unions(self, day):
        """Every union as it is joined on the day."""
        return [Union(records) for records in self.joined("union", day)]

    def federation(self, code, day):
        """The directory's record of a federation on the day, if it has one."""
        for record in self.of_type("federation"):
            start = last_day(record["from"]) if record.get("from") else ALWAYS
            end = first_day(record["until"]) if record.get("until") else NEVER
            if record["code"] == code and start <= day <= end:
                return record
        return None
