"""Subsidies and funds (domain.md 7), from ledger entries alone."""

from dates import ALWAYS, NEVER
from register import document_id

def standing(record, end):
    """Entries booked up to the end that no reversal booked up to the end cancels."""
    booked = [e for e in record.get("entries") or [] if e["on"] <= end]
    reversed_ids = {e.get("of") for e in booked if e["entry"] == "reversal"}
    return [e for e in booked if e["entry"] != "reversal" and e["id"] not in reversed_ids]


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
        self.id = document_id("subsidy", record["id"])
        self.standing = standing(record, end)

        def have(name):
            return [e for e in self.standing if e["entry"] == name]

        self.cancelled, self.rejected = have("cancelled"), have("rejected")
        claims = have("approved") or have("disbursed")
        self.claimed_on = min((e["on"] for e in claims), default=None)
        self.paid, back = booked_between(record, "disbursed", ALWAYS, end), booked_between(record, "recovered", ALWAYS, end)
        recovered = self.paid > 0 and back >= self.paid
        self.state = next((state for holds, state in (
            (self.cancelled, "CANCELLED"), (self.rejected, "REJECTED"), (recovered, "RECOVERED"),
            (have("settled"), "SETTLED"), (have("disbursed"), "DISBURSED"), (have("approved"), "APPROVED"),
            (have("applied"), "APPLIED")) if holds), "BUDGETED")
        self.duplicate = False

    def approved_between(self, start, end):
        """Approved by approval date; what is cancelled comes off the latest approvals first."""
        left = sum(e["amount_fen"] for e in self.cancelled)
        everything = any(e["amount_fen"] == 0 for e in self.cancelled)
        total = 0
        approvals = [(e["on"], e["amount_fen"]) for e in self.standing if e["entry"] == "approved"]
        for on, amount in sorted(approvals, reverse=True):
            taken = amount if everything else min(amount, left)
            left -= taken
            if start <= on <= end:
                total += amount - taken
        return total

    def outstanding(self):
        """Approved and not paid."""
        return 0 if self.cancelled else max(0, self.approved_between(ALWAYS, NEVER) - self.paid)


def mark_duplicates(cases, union_of):
    """One fixed subsidy per rule, union and period: the earliest approval stands, ties go to the smaller id."""
    groups = {}
    for case in cases:
        record = case.record
        if record["kind"] != "fixed_subsidy" or not record.get("payee_union") or not case.claimed_on:
            continue
        if case.cancelled or case.rejected:
            continue
        key = (record.get("rule"), union_of(record["payee_union"]), record.get("period"))
        if key[0] is None or key[2] is None:
            continue
        groups.setdefault(key, []).append(case)
    for group in groups.values():
        group.sort(key=lambda case: (case.claimed_on, case.id))
        for case in group[1:]:
            case.duplicate = True


def row_keys(register, record, state, by, area_keys, unions, day):
    """Key of a fund's or case's row in one dimension. A fund is special fund money and has neither state nor payee."""
    if by == "kind":
        return "special_fund" if record["type"] == "fund" else record.get("kind")
    if by == "state":
        return state
    if by == "payee_area":
        payee = record.get("payee_federation")
        if not payee and record.get("payee_union"):
            union = unions.get(document_id("union", record["payee_union"]))
            payee = union.higher_union if union else None
        return area_keys(register, payee, day)["province"]
    return area_keys(register, record["federation"], day)[by]


def transits(funds, start, end):
    """[(federation whose row it is, pair)]: what one side of a transfer has booked in the period and the other has not."""
    pairs = {}
    for fund in funds:
        kinds = {e["id"]: e for e in fund["entries"]}
        for e in fund["entries"]:
            said = kinds[e["of"]] if e["entry"] == "reversal" else e
            given = said["entry"] in ("passed_down", "returned_out")
            if not given and said["entry"] not in ("received", "returned_in") or not start <= e["on"] <= end:
                continue
            giver, taker = (fund["federation"], said["counterparty"])[::1 if given else -1]
            key = said["transfer"] or (giver, taker)
            pair = pairs.setdefault(key, {"transfer": said["transfer"], "from": giver, "to": taker, "amount_fen": 0,
                                          "booked": set()})
            if given:
                pair["booked"].add(fund["federation"])
            pair["amount_fen"] += said["amount_fen"] * (1 if given else -1) * (-1 if e is not said else 1)
    found = []
    for pair in pairs.values():
        # In the row of the giver; of the taker, where the giver has booked nothing.
        owner = min(pair.pop("booked"), default=pair["to"])
        if pair["amount_fen"]:
            found.append((owner, pair))
    return sorted(found, key=lambda one: one[1]["transfer"] or "")


def sums(funds, cases, in_transit, start, end, at, union_of):
    """One row of money of the period from start to end, the cases as they stand at the end of day at."""
    flow = {name: sum(booked_between(f, name, start, end) for f in funds)
            for name in ("set_aside", "received", "passed_down")}
    disbursed = sum(booked_between(c.record, "disbursed", start, end) for c in cases)
    recovered = sum(booked_between(c.record, "recovered", start, end) for c in cases)
    doubles = [c for c in cases if c.duplicate]
    duplicate = sum(booked_between(c.record, "disbursed", start, end) for c in doubles)
    duplicate_back = sum(booked_between(c.record, "recovered", start, end) for c in doubles)
    payees = {c.record.get("payee_federation") or union_of(c.record["payee_union"]) for c in cases
              if any(e["entry"] == "disbursed" and start <= e["on"] <= end for e in c.standing)}
    return {
        **{f"{name}_fen": flow[name] for name in ("set_aside", "received", "passed_down")},
        "in_transit_fen": sum(pair["amount_fen"] for _, pair in in_transit),
        "approved_fen": sum(c.approved_between(start, end) for c in cases),
        "disbursed_fen": disbursed, "recovered_fen": recovered, "duplicate_fen": duplicate,
        "net_fen": disbursed - recovered - (duplicate - duplicate_back),
        "outstanding_fen": sum(Case(c.record, min(at, end)).outstanding() for c in cases),
        "to_federations_fen": sum(booked_between(c.record, "disbursed", start, end) for c in cases
                                  if c.record.get("payee_federation")),
        "cases": len(cases), "payees": len(payees)}


def touched(record, start, end):
    """Whether something of a record was booked in a period."""
    return any(start <= e["on"] <= end for e in record["entries"])


def subsidies(register, question, area_keys, within):
    """The JSON of `subsidies`."""
    if question.get("year"):
        start, end = f"{question['year']}-01-01", f"{question['year']}-12-31"
    else:
        start, end = question.get("from") or ALWAYS, question.get("to") or NEVER
    by = question.get("by") or []
    day = end if end != NEVER else "2024-12-31"
    area = question.get("area")
    unions = {document: union for union in register.unions(day) for document in union.ids}

    def union_of(reference):
        document = document_id("union", reference)
        return unions[document].id if document in unions else document

    def inside(federation):
        return within(register, federation, area, day)

    every_fund = register.of_type("fund")
    funds = [fund for fund in every_fund if inside(fund["federation"])]
    cases = [Case(record, end) for record in register.of_type("subsidy")]
    mark_duplicates(cases, union_of)
    cases = [case for case in cases if inside(case.record["federation"])]

    def table(first, last, key):
        """Rows of one period: cases with something booked in it or outstanding at its end, funds, transfers."""
        found = {}
        for case in cases:
            if touched(case.record, first, last) or Case(case.record, min(last, end)).outstanding():
                found.setdefault(key(case.record, case.state), ([], [], []))[1].append(case)
        for fund in funds:
            if touched(fund, first, last):
                found.setdefault(key(fund, None), ([], [], []))[0].append(fund)
        for owner, pair in transits(every_fund, first, last):
            if inside(owner):
                found.setdefault(key({"type": "fund", "federation": owner}, None), ([], [], []))[2].append((owner, pair))
        return [(row_key, sums(*found[row_key], first, last, end, union_of))
                for row_key in sorted(found, key=lambda k: [(p is None, p or "") for p in k])]

    if by == ["month"]:
        records = every_fund + [case.record for case in cases]
        months = sorted({e["on"][:7] for r in records for e in r["entries"] if start <= e["on"] <= end})
        months = [month for month in months if any(
            touched(r, max(start, month + "-01"), min(end, month + "-31")) for r in records if inside(r["federation"]))
            or any(inside(owner) for owner, _ in transits(every_fund, max(start, month + "-01"), min(end, month + "-31")))]
        rows = [row for month in months for row in
                table(max(start, month + "-01"), min(end, month + "-31"), lambda record, state, month=month: (month,))]
    elif by:
        rows = table(start, end, lambda record, state: tuple(
            row_keys(register, record, state, part, area_keys, unions, day) for part in by))
    else:
        rows = table(start, end, lambda record, state: ())
    total = table(start, end, lambda record, state: ())
    return {"by": by, "from": None if start == ALWAYS else start, "to": None if end == NEVER else end,
            "rows": [{"key": dict(zip(by, row_key)), **row} for row_key, row in rows],
            "total": total[0][1] if total else sums([], [], [], start, end, end, union_of),
            "in_transit": [pair for owner, pair in transits(every_fund, start, end) if inside(owner)]}
