#!/usr/bin/env python3
"""Random small worlds for comparing the product with figures.py: worlds.py --count N --seed S [--open].

One world a line: {"seed", "records", "questions"}. Without --open a world keeps away from what the text leaves open
(README.md); with it those cases come too.
"""

import argparse
import json
import random

import credit_code
from dates import day_before

# Dates cluster around the days that are asked about, so that edges are met.
ASKED = ("2023-05-31", "2023-12-31", "2024-02-29", "2024-06-30", "2024-12-31", "2025-01-31", "2025-03-31")
FEDERATIONS = ("100000", "110000", "110101", "330000", "330100", "330105", "330106", "330110", "429004", "440000",
               "440100", "440104", "441900", "540481")
COUNTIES = ("110101", "330105", "330106", "330110", "429004", "440104", "441900", "540481", "540422", "330191")
AREAS = ("100000", "330000", "330100", "330106", "440000", "441900", "110000")
SOURCES = ("registry", "check", "self_report", "import")
NAMES = {"kindergarten": "幼儿园", "school": "学校", "hospital": "医院", "nursery": "托儿所", "clinic": "诊所", "other": "服务中心"}


class Maker:
    """One world in the making."""

    def __init__(self, seed, odd, open_cases):
        self.random = random.Random(seed)
        self.odd, self.open = odd, open_cases
        self.records, self.number = [], 0
        self.shared, self.codes, self.own_of = [], [], []
        self.with_held = self.chance(0.3)

    def chance(self, share):
        """True with a probability."""
        return self.random.random() < share

    def oddly(self, share):
        """The same, never in a plain world."""
        return self.chance(share) and self.odd

    def day(self, first="2022-01-01", last="2025-03-31"):
        """A day, often one that is asked about, or the day before or after."""
        if self.chance(0.4):
            day = self.random.choice(ASKED)
            near = self.random.choice((day, day_before(day), day[:8] + "01"))
            if first <= near <= last:
                return near
        year = self.random.randint(int(first[:4]), int(last[:4]))
        found = f"{year}-{self.random.randint(1, 12):02d}-{self.random.randint(1, 28):02d}"
        return min(max(found, first), last)

    def partly(self, day):
        """Sometimes known only to the month or year."""
        if self.oddly(0.06):
            return day[:7] if self.chance(0.7) else day[:4]
        return day

    def withdrawn(self, entry):
        """Sometimes taken back."""
        if self.chance(0.04):
            entry["withdrawn"] = {"at": self.day(), "reason": "误录"}
        return entry

    def amended(self, entry, field, choose):
        """Sometimes an entry's field was changed by two people who did not see each other's change."""
        if self.oddly(0.06):
            values = sorted({choose(), choose()})
            if len(values) == 2:
                entry["amended"] = {field: values}
        return entry

    def code(self, prefix, division):
        """A valid code that no other has."""
        self.number += 1
        return credit_code.complete(f"{prefix}{division}MJ{self.number:06d}")

    # ---- unions ----

    def events(self, since="2019-01-01", last="2025-02-28", term=True):
        """Founding, perhaps re-election, perhaps an end."""
        done = self.day(since, last)
        found = [{"event": "founding_approved", "on": day_before(day_before(done)), "cycle": 0, "number": "1"}]
        if self.chance(0.08):
            return [{"id": "e1", **found[0]}]
        elected = {"event": "elected", "on": day_before(done), "cycle": 0}
        if term:
            elected["term_years"] = self.random.choice((3, 5))
            self.amended(elected, "term_years", lambda: self.random.choice((3, 5)))
        if self.chance(0.95) or not term:
            found.append(elected)
        elif term:
            found.append({"event": "result_approved", "on": done, "cycle": 0, "term_years": 3})
        found.append(self.withdrawn({"event": "established", "on": self.partly(done), "cycle": 0, "number": "2"}))
        cycle = 0
        if self.chance(0.3):
            again = self.day(done, "2025-03-01")
            found.append({"event": "elected", "on": again, "cycle": 1, **({"term_years": 3} if term else {})})
            if self.chance(0.8):
                cycle = 1
                found.append({"event": "result_approved", "on": again, "cycle": 1, "number": "3"})
        if term and self.chance(0.1):
            found.append(self.amended({
                "event": "term_extended", "on": self.day(done, "2025-03-01"), "cycle": cycle,
                "months": self.random.randint(1, 6)}, "months", lambda: self.random.randint(1, 6)))
        if self.chance(0.12):
            stop = self.day(done, "2025-03-01")
            found.append({"event": "suspended", "on": self.partly(stop), "cycle": cycle})
            if self.chance(0.6):
                found.append({"event": "resumed", "on": self.day(stop, "2025-03-31"), "cycle": cycle})
        if self.chance(0.1):
            found.append({"event": "dissolved", "on": self.partly(self.day(done, "2025-03-31")), "cycle": cycle})
        if self.chance(0.1):
            found.append({"event": "legal_person", "on": self.day(done, "2025-03-31"), "cycle": 0})
        return [{"id": f"e{i}", **e} for i, e in enumerate(found, 1)]

    def union(self, form, organisation=None, higher=None):
        """A union record; gives the text that links name it by."""
        self.number += 1
        higher = higher or self.random.choice(FEDERATIONS[3:])
        code = self.code("81", higher[:6]) if self.chance(0.1) else None
        record = {"type": "union", "id": f"U{self.number}", "code": code, "name": f"工会{self.number}", "form": form,
                  "higher_union": higher, "organisation": organisation,
                  "events": self.events(term=form != "own" or self.chance(0.9))}
        if code:
            del record["id"]
        self.records.append(record)
        return code or record["id"]

    def twin_union(self):
        """The same joint union entered twice, said to be one."""
        twins = [r for r in self.records if r["type"] == "union" and r["form"] == "joint" and r.get("id")]
        if not twins:
            return
        first = self.random.choice(twins)
        second = {**first, "id": first["id"] + "b", "events": [dict(e) for e in first["events"]]}
        self.records.append(second)
        self.shared.append(second["id"])
        self.records.append({"type": "same_as", "a": first["id"], "b": second["id"], "of": "union", "from": None,
                             "reason": "重复登记"})

    # ---- organisations ----

    def dated(self, values, registered, one):
        """A scalar or a list of values one after another, sometimes two on one date."""
        if one or self.chance(0.7):
            return values[0]
        found = [{"value": values[0], "from": registered, "source": "registry"}]
        when = self.day("2022-06-01", "2025-03-01")
        found.append(self.withdrawn({"value": values[1], "from": self.partly(when),
                                     "source": self.random.choice(SOURCES)}))
        # What was taken back for a date and source is taken back whoever said it.
        if self.oddly(0.35) and not found[1].get("withdrawn"):
            found.append({"value": values[2 % len(values)], "from": when, "source": self.random.choice(SOURCES)})
        self.random.shuffle(found)
        return found

    def status(self, registered):
        """Registration status in one of its forms; gives whether it ever ends."""
        if self.chance(0.75):
            return {"registration_status": "registered"}, False
        end, value = self.day(max(registered, "2023-01-01"), "2025-03-01"), self.random.choice(("deregistered", "revoked", "banned"))
        if self.chance(0.3):
            return {"registration_status": value, "status_on": end}, True
        found = [{"value": "registered", "from": registered, "source": "registry"},
                 self.withdrawn({"value": value, "from": self.partly(end), "source": "registry"})]
        if self.chance(0.2) and not found[1].get("withdrawn"):
            # One date, a better and a worse source: the registry stands.
            found[1]["source"] = "registry"
            found.append({"value": "registered", "from": found[1]["from"], "source": "import"})
        if self.open and self.chance(0.3):
            found.append({"value": "registered", "from": self.day(end, "2025-03-31"),
                          "source": self.random.choice(SOURCES)})
        return {"registration_status": found}, True

    def counts(self, registered):
        """Headcounts by date and source."""
        found = {}
        for _ in range(self.random.randint(0, 3)):
            on, source = self.day(max(registered, "2022-01-01")), self.random.choice(SOURCES)
            workers = self.random.choice((None, 0, 1, 3, 24, 25, 60, 99, 100, 199, 200, 340))
            members = self.random.randint(0, workers) if workers is not None and self.chance(0.6) else None
            found[on, source] = self.withdrawn({"on": on, "source": source, "workers": workers, "members": members,
                                                "female_members": None})
        return list(found.values())

    def organisation(self):
        """One organisation with everything that may happen to it."""
        prefix, category = self.random.choice((
            ("51", "other"), ("51", "other"), ("53", "other"), ("52", "kindergarten"), ("52", "kindergarten"),
            ("52", "school"), ("52", "school"), ("52", "hospital"), ("52", "other"), ("52", "clinic"),
            ("52", "nursery"), ("91", "hospital"), ("91", "school"), ("91", "clinic"), ("12", "school"),
            ("12", "kindergarten"), ("31", "other"),
            ("92", "other"), ("81", "other")))
        location = self.random.choice(COUNTIES)
        division = self.random.choice((location, location, location[:4] + "00", location[:2] + "0000", "100000"))
        if division in ("540400", "110100", "429000") or division == "330191" and self.chance(0.5):
            division = location[:2] + "0000"
        code = self.code(prefix, division)
        registered = self.day("2008-01-01", "2024-12-31") if self.chance(0.3) else self.day("2008-01-01", "2021-12-31")
        self.number += 1
        record = {"type": "organisation", "code": code, "name": f"第{self.number}{NAMES[category]}",
                  "registered_on": self.partly(registered)}
        whole = len(record["registered_on"]) == 10
        if self.oddly(0.05):
            record["registered_on"] = None
            whole = False
        held = self.with_held and self.chance(0.08)
        if held:
            record.update(code=None, id=f"N{self.number}")
        if self.chance(0.7) or held:
            record["category"] = self.dated([category, self.random.choice(sorted(NAMES)), "other"], registered,
                                            prefix[0] == "9" or prefix[0] == "1" or held)
        status, ends = self.status(registered) if whole else ({"registration_status": "registered"}, False)
        record.update(status)
        near = [f for f in FEDERATIONS if f[:2] == location[:2]]
        record["location"] = self.dated([location, self.random.choice(COUNTIES)], registered, self.chance(0.6))
        if self.chance(0.7) or held:
            record["responsible"] = self.dated([self.random.choice(near), self.random.choice(FEDERATIONS),
                                                self.random.choice(FEDERATIONS)], registered, held)
            if self.chance(0.1):
                on = self.day("2023-01-01", "2025-02-28")
                record["handovers"] = [self.withdrawn(self.amended({
                    "id": "h1", "to": self.random.choice(FEDERATIONS), "on": on,
                    "accepted_on": self.day(on, "2025-03-31") if self.chance(0.7) else None},
                    "accepted_on", lambda: self.day(on, "2025-03-31")))]
            if self.chance(0.1) and not held and prefix in ("51", "52", "53"):
                when = self.day("2022-06-01", "2025-03-01")
                record["registration_authority"] = [
                    {"value": division, "from": registered, "source": "registry"},
                    {"value": self.random.choice(("330000", "330106", "100000", "440104")), "from": when,
                     "source": "registry", "document": "民登〔2023〕1号"}]
        record["counts"] = self.counts(registered)
        self.cover(record, held, near)
        if self.chance(0.3):
            record["checks"] = [{"id": "q1", "on": self.day(), "state": "operating"}]
        self.records.append(record)
        if not held:
            self.codes.append((code, ends))
        return record, ends

    def cover(self, record, held, near):
        """Own union, links, organiser, exclusion, or a link to a union that nobody holds."""
        covered = False
        if not held and self.chance(0.3):
            self.union("own", record["code"], self.random.choice(near))
            covered = True
        links = []
        for index in range(self.random.choice((0, 0, 1, 1, 2))):
            start = self.day("2020-01-01", "2025-02-28")
            field = self.random.choice(("until", "consent_on"))
            links.append(self.withdrawn(self.amended({
                "id": f"c{index}", "union": self.random.choice(self.shared), "from": self.partly(start),
                "until": self.partly(self.day(start, "2025-03-31")) if self.chance(0.25) else None,
                "consent_on": None if self.chance(0.1) else
                start if self.chance(0.7) else self.day(start, "2025-03-31")},
                field, lambda start=start: self.day(start, "2025-03-31"))))
        excluded = self.chance(0.25)
        if excluded:
            record["exclusions"] = self.exclusions()
        if not covered and not links and not excluded and not held and self.oddly(0.2):
            links.append({"id": "c9", "union": "NOT-HELD", "from": self.day(), "until": None,
                          "consent_on": "2022-01-01"})
        record["coverage"] = links
        if self.chance(0.1):
            record["organisers"] = [self.withdrawn(self.amended({
                "id": "o1", "elected_on": self.day(), "ended_on": "2025-01-31" if self.chance(0.3) else None},
                "ended_on", self.day))]

    def exclusions(self):
        """Proposed, approved, refused, over, withdrawn; one after another, never two at once."""
        found = []
        start = self.day("2022-06-01", "2024-06-30")
        for index in range(2 if self.open and self.chance(0.3) else 1):
            approved = None if self.chance(0.25) else start if self.chance(0.6) else self.day(start, "2025-02-28")
            entry = {"id": f"x{index}", "from": self.partly(start), "evidence": "年检", "approved_on": approved,
                     "reason": self.random.choice(("DORMANT", "NO_WORKERS", "HOST_STAFF", "IN_LIQUIDATION",
                                                   "OTHER_APPROVED")),
                     "until": self.day(start, "2025-03-31") if self.chance(0.3) else None}
            if approved is None and self.chance(0.3):
                entry["refused_on"] = self.day(start, "2025-03-31")
            self.amended(entry, self.random.choice(("until", "approved_on", "refused_on")),
                         lambda: self.day(start, "2025-03-31"))
            found.append(self.withdrawn(entry))
        return found

    def same_as(self):
        """A second record without a code, or a new code after re-registration."""
        code, ends = self.random.choice(self.codes)
        original = next(r for r in self.records if r.get("code") == code)
        if self.chance(0.5):
            self.number += 1
            double = {"type": "organisation", "id": f"N{self.number}", "code": None, "name": original["name"],
                      "registered_on": original["registered_on"], "registration_status": "registered",
                      "counts": self.counts("2022-01-01")}
            if ends:
                del double["registration_status"]
            if isinstance(original.get("location"), str):
                double["location"] = original["location"]
            if isinstance(original.get("responsible"), str):
                double["responsible"] = original["responsible"]
            elif "responsible" in original:
                return
            self.records.append(double)
            self.records.append({"type": "same_as", "a": double["id"], "b": code, "from": None, "until": None,
                                 "reason": "重复"})
            return
        whole = [r for r in self.records if r["type"] == "organisation" and r.get("code") and not r.get("handovers")
                 and r["registration_status"] == "registered" and (r.get("registered_on") or "9") <= "2022-01-01"
                 and len(r["registered_on"]) == 10 and isinstance(r["location"], str)
                 and not any(u.get("organisation") == r["code"] for u in self.records)
                 and isinstance(r.get("category"), str) and isinstance(r.get("responsible"), str)
                 and "registration_authority" not in r]
        if not whole:
            return
        old = self.random.choice(whole)
        old["registration_status"] = [
            {"value": "registered", "from": old["registered_on"], "source": "registry"},
            {"value": "deregistered", "from": "2024-03-31", "source": "registry"}]
        new = {"type": "organisation", "code": self.code(old["code"][:2], old["code"][2:8]), "name": old["name"],
               "category": old["category"], "registered_on": "2024-04-01", "registration_status": "registered",
               "location": old["location"], "responsible": old["responsible"], "counts": self.counts("2024-04-01")}
        self.records.append(new)
        self.records.append({"type": "same_as", "a": old["code"], "b": new["code"], "from": "2024-04-01",
                             "until": None, "reason": "重新登记"})

    # ---- money ----

    def money(self):
        """Funds with transfers, cases with reversals and duplicates, within one year or over the turn of it."""
        payers = self.random.sample([f for f in FEDERATIONS if f != "100000"], 4)
        funds = {f: [] for f in payers}
        for payer in payers:
            for _ in range(self.random.randint(0, 2)):
                year = self.random.choice(("2023", "2024"))
                funds[payer].append(("set_aside", self.day(year + "-01-01", year + "-12-28"), None, None))
        for number in range(self.random.randint(0, 3)):
            above, below = self.random.sample(payers, 2)
            year = self.random.choice(("2023", "2024"))
            on, amount = self.day(year + "-01-01", year + "-11-28"), self.random.randint(1, 900) * 1000
            names = self.random.choice((("passed_down", "received"), ("returned_out", "returned_in")))
            funds[above].append((names[0], on, (below, f"t{number}"), amount))
            if self.chance(0.7):
                last = year if self.chance(0.7) else "2024"
                funds[below].append((names[1], self.day(on, last + "-12-28"), (above, f"t{number}"), amount))
        for payer, moves in funds.items():
            entries = []
            for name, on, transfer, amount in moves:
                amount = amount or self.random.randint(1, 900) * 10000
                entries.append({"id": f"m{len(entries)}", "entry": name, "on": on, "amount_fen": amount,
                                "counterparty": transfer[0] if transfer else None,
                                "transfer": transfer[1] if transfer else None})
                if name == "set_aside" and self.chance(0.2):
                    entries.append({"id": f"m{len(entries)}", "entry": "reversal", "on": on, "amount_fen": amount,
                                    "counterparty": None, "transfer": None, "of": entries[-1]["id"]})
            self.records.append({"type": "fund", "id": f"M{payer}", "federation": payer, "year": 2023,
                                 "entries": entries})
        unions = [r.get("id") or r["code"] for r in self.records if r["type"] == "union"]
        used = {}
        for _ in range(self.random.randint(0, 8)):
            self.case(payers, unions, used)

    def case(self, payers, unions, used):
        """One subsidy case."""
        self.number += 1
        year, kind = self.random.choice(("2023", "2024")), self.random.choice(
            ("fixed_subsidy", "fixed_subsidy", "project_subsidy", "special_fund"))
        payee, federation = self.random.choice(unions), None
        earlier = sorted(key for key in used if key[0])
        if earlier and self.chance(0.4):
            payee, year = self.random.choice(earlier)
        if kind != "fixed_subsidy" and self.chance(0.3):
            payee, federation = None, self.random.choice(payers)
        amount = self.random.randint(1, 90) * 10000
        last = year if self.chance(0.7) else "2024"
        days = sorted(self.day(year + "-01-02", last + "-12-28") for _ in range(5))
        # Two approvals of one rule, union and period on one day are a tie: kept apart.
        taken = used.setdefault((payee, year), set())
        while days[1] in taken:
            days = sorted(self.day(year + "-01-02", last + "-12-28") for _ in range(5))
        taken.add(days[1])
        steps = [("applied", days[0], amount, None)]
        draw = self.random.random()
        if draw < 0.1:
            steps.append(("rejected", days[1], 0, None))
        elif draw < 0.95:
            steps.append(("approved", days[1], amount, None))
            draw = self.random.random()
            if draw < 0.1:
                steps.append(("cancelled", days[2], self.random.choice((amount, 0, amount // 2)), None))
            elif draw < 0.85:
                part = amount if kind == "fixed_subsidy" or self.chance(0.5) else amount // 2
                steps.append(("disbursed", days[2], part, None))
                draw = self.random.random()
                if draw < 0.15:
                    steps.append(("reversal", days[3], part, "p3"))
                elif draw < 0.3:
                    steps.append(("recovered", days[3], part, None))
                elif draw < 0.45:
                    steps.append(("settled", days[3], 0, None))
        entries = [{"id": f"p{i}", "entry": e, "on": on, "amount_fen": fen, "by": f"330000/{min(i, 3)}",
                    **({"of": of} if of else {})} for i, (e, on, fen, of) in enumerate(steps, 1)]
        self.records.append({
            "type": "subsidy", "id": f"S{self.number}", "federation": self.random.choice(payers),
            "payee_union": payee, "payee_federation": federation, "kind": kind,
            "rule": "new-union" if kind == "fixed_subsidy" else None,
            "period": year if kind == "fixed_subsidy" else None, "fund": None, "entries": entries})

    # ---- a whole world ----

    def campaign(self):
        """Settings other than the defaults."""
        self.records.append({"type": "campaign", "version": 2, "organiser_counts": self.chance(0.3),
                             "clinics_are_hospitals": self.chance(0.5), "nurseries_in_scope": self.chance(0.5),
                             "grace_months": self.random.choice((0, 3, 12)), "targets": []})

    def questions(self):
        """What is asked: the total, tables, filters, areas, money."""
        area_only = [[], ["province"], ["province", "prefecture"], ["county"], ["federation"]]
        others = [["category"], ["group"], ["kind"], ["level"], ["size"], ["form"], ["group", "level"],
                  ["province", "category"]]
        organisers = any(r["type"] == "campaign" and r["organiser_counts"] for r in self.records)
        tables = area_only + [["category"]] if self.with_held else area_only + others
        if organisers:
            tables = [by for by in tables if "form" not in by]
        if self.open:
            tables = tables + [["stage"]]
        found = [{"ask": "figures", "as_of": as_of, "by": self.random.choice(tables)}
                 for as_of in self.random.sample(ASKED, 4)]
        found.append({"ask": "figures", "as_of": "2024-12-31", "by": [], "area": self.random.choice(AREAS)})
        where = self.random.choice(({"province": "330000"}, {"category": "school"}, {"category": "kindergarten"})
                                   if self.with_held else ({"group": "B"}, {"group": "A"}, {"level": "county"},
                                                           {"kind": "private_non_enterprise"}, {"size": "1-24"}))
        found.append({"ask": "figures", "as_of": "2024-12-31", "by": [], "where": where})
        if self.chance(0.2):
            found.append({"ask": "figures", "as_of": "2024-12-31", "by": ["province"], "from": "2023-12-31",
                          "to": "2024-02-29"})
        if any(r["type"] == "fund" for r in self.records):
            by = self.random.choice(([], [], ["kind"], ["federation"], ["province"], ["state"], ["month"], ["payee_area"]))
            area = self.random.choice(AREAS) if self.chance(0.2) else None
            found.append({"ask": "subsidies", "year": self.random.choice(("2023", "2024")), "by": by, "area": area})
        return found

    def world(self):
        """Everything."""
        if self.chance(0.4):
            self.campaign()
        if self.chance(0.2):
            self.records.append({"type": "federation", "code": "330191", "line": None, "name": "高新区总工会",
                                 "level": "county", "parent": "330100", "from": "2010-01-01", "until": None})
        for index in range(self.random.randint(2, 6)):
            self.shared.append(self.union("joint" if index == 0 else self.random.choice(("joint", "federation"))))
        if self.chance(0.2):
            self.twin_union()
        for _ in range(self.random.randint(5, 26)):
            self.organisation()
        if self.odd and self.codes and self.chance(0.4):
            self.same_as()
        if self.chance(0.5):
            self.money()
        self.random.shuffle(self.records)


def world(seed, odd=True, open_cases=False):
    """The world of a seed; a plain one (odd=False) has no conflicts, so parts add up to the whole."""
    maker = Maker(seed, odd, open_cases)
    maker.world()
    return {"seed": seed, "records": maker.records, "questions": maker.questions()}


def main():
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--open", action="store_true")
    given = parser.parse_args()
    for number in range(given.count):
        print(json.dumps(world(given.seed * 1_000_000 + number, open_cases=given.open), ensure_ascii=False))


if __name__ == "__main__":
    main()
