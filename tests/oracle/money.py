"""Subsidies and funds (domain.md 7), from ledger entries alone."""

from dates import ALWAYS, NEVER
from register import document_id

FLOWS = ("set_aside", "received", "passed_down", "returned_in", "returned_out")


def standing_entries(record, end):
    """Entries booked up to the end that no reversal booked up to the end cancels, and those reversals."""
    booked = [e for e in record.get("entries") or [] if e["on"] <= end]
    reversals = [e for e in booked if e["entry"] == "reversal"]
    reversed_ids = {e.get("of") for e in reversals}
    return booked, reversals, reversed_ids


def booked_between(record, entry, start, end):
    """Sum of one kind of entry by booking date; a reversal takes off on its own booking date."""
    kinds = {e["id"]: e["entry"] for e in record.get("entries") or []}
    total = 0
    for e in record.get("entries") or []:
        if not start <= e["on"] <= end:
            continue
        if e["entry"] == entry:
            total += e["amount_fen"]
        elif e["entry"] == "reversal" and kinds.get(e.get("of")) == entry:
            total -= e["amount_fen"]
    return total


class Case:
    """A subsidy case as it stands at the end of a period."""

    def __init__(self, record, end):
        self.record = record
        self.id = record["id"]
        booked, _, reversed_ids = standing_entries(record, end)
        self.standing = [e for e in booked if e["entry"] != "reversal" and e["id"] not in reversed_ids]
        self.begun = bool(booked)

        def have(name):
            return [e for e in self.standing if e["entry"] == name]

        self.cancelled = bool(have("cancelled"))
        self.rejected = bool(have("rejected"))
        approvals = have("approved")
        self.approved_on = min((e["on"] for e in approvals), default=None)
        self.approved = 0 if self.cancelled else sum(e["amount_fen"] for e in approvals)
        self.disbursed = sum(e["amount_fen"] for e in have("disbursed"))
        self.state = next((state for name, state in (
            ("cancelled", "CANCELLED"), ("rejected", "REJECTED"), ("recovered", "RECOVERED"), ("settled", "SETTLED"),
            ("disbursed", "DISBURSED"), ("approved", "APPROVED"), ("applied", "APPLIED")) if have(name)), "BUDGETED")
        self.duplicate = False

    def approved_between(self, start, end):
        """Approved by approval date, less what is cancelled or reversed by the period's end."""
        if self.cancelled:
            return 0
        return sum(e["amount_fen"] for e in self.standing if e["entry"] == "approved" and start <= e["on"] <= end)


def mark_duplicates(cases, union_of):
    """One fixed subsidy per rule, union and period: the earliest approval stands, ties go to the smaller id."""
    groups = {}
    for case in cases:
        record = case.record
        if record["kind"] != "fixed_subsidy" or not record.get("payee_union") or not case.approved_on:
            continue
        if case.cancelled or case.rejected:
            continue
        key = (record.get("rule"), union_of(record["payee_union"]), record.get("period"))
        groups.setdefault(key, []).append(case)
    for group in groups.values():
        group.sort(key=lambda case: (case.approved_on, case.id))
        for case in group[1:]:
            case.duplicate = True


def keys_of(register, record, state, by, area_keys, unions, day):
    """Key of a fund's or case's row in one dimension."""
    if by == "kind":
        return record.get("kind")
    if by == "state":
        return state
    if by == "payee_area":
        if record.get("payee_federation"):
            return record["payee_federation"]
        union = unions.get(document_id("union", record["payee_union"])) if record.get("payee_union") else None
        return union.higher_union if union else None
    return area_keys(register, record["federation"], day)[by]


def sums(funds, cases, start, end, with_flows):
    """One row of money."""
    flow = {name: sum(booked_between(f, name, start, end) for f in funds) for name in FLOWS}
    disbursed = sum(booked_between(c.record, "disbursed", start, end) for c in cases)
    recovered = sum(booked_between(c.record, "recovered", start, end) for c in cases)
    doubles = [c for c in cases if c.duplicate]
    duplicate = sum(booked_between(c.record, "disbursed", start, end) for c in doubles)
    duplicate_back = sum(booked_between(c.record, "recovered", start, end) for c in doubles)
    in_transit = flow["passed_down"] - flow["received"] + flow["returned_out"] - flow["returned_in"]
    payees = {(c.record.get("payee_union"), c.record.get("payee_federation")) for c in cases
              if booked_between(c.record, "disbursed", start, end) > 0}
    return {
        "set_aside_fen": flow["set_aside"] if with_flows else None,
        "received_fen": flow["received"] if with_flows else None,
        "passed_down_fen": flow["passed_down"] if with_flows else None,
        "in_transit_fen": in_transit if with_flows == "whole" else None,
        "approved_fen": sum(c.approved_between(start, end) for c in cases),
        "disbursed_fen": disbursed, "recovered_fen": recovered, "duplicate_fen": duplicate,
        "net_fen": disbursed - recovered - (duplicate - duplicate_back),
        "outstanding_fen": sum(max(0, c.approved - c.disbursed) for c in cases if not c.cancelled),
        "to_federations_fen": sum(booked_between(c.record, "disbursed", start, end) for c in cases
                                  if c.record.get("payee_federation")),
        "cases": sum(1 for c in cases if c.begun), "payees": len(payees)}


def subsidies(register, question, area_keys):
    """The JSON of `subsidies`; a null amount is one that the text leaves open for that row."""
    if question.get("year"):
        start, end = f"{question['year']}-01-01", f"{question['year']}-12-31"
    else:
        start, end = question.get("from") or ALWAYS, question.get("to") or NEVER
    by = question.get("by") or []
    day = end if end != NEVER else "2024-12-31"
    unions = {document: union for union in register.unions(day) for document in union.ids}

    def union_of(reference):
        document = document_id("union", reference)
        return unions[document].id if document in unions else document

    funds = register.of_type("fund")
    cases = [Case(record, end) for record in register.of_type("subsidy")]
    mark_duplicates(cases, union_of)
    rows = []
    if by == ["month"]:
        months = sorted({e["on"][:7] for r in funds + [c.record for c in cases] for e in r["entries"]
                         if start <= e["on"] <= end})
        for month in months:
            row = sums(funds, cases, max(start, month + "-01"), min(end, month + "-31"), "whole")
            row.update(outstanding_fen=None, cases=None, payees=None)
            rows.append({"key": {"month": month}, **row})
    elif by:
        def key(record, state):
            return tuple(keys_of(register, record, state, part, area_keys, unions, day) for part in by)

        own_money = all(part in ("province", "federation") for part in by)
        found = {}
        for case in cases:
            if case.begun:
                found.setdefault(key(case.record, case.state), ([], []))[1].append(case)
        if own_money:
            for fund in funds:
                found.setdefault(key(fund, None), ([], []))[0].append(fund)
        for row_key in sorted(found, key=lambda k: [(p is None, p or "") for p in k]):
            rows.append({"key": dict(zip(by, row_key)), **sums(*found[row_key], start, end, "part" if own_money else "")})
    return {"by": by, "rows": rows, "total": sums(funds, cases, start, end, "whole")}
