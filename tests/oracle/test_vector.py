"""The oracle against the test vector worked out by hand: python3 -m unittest discover tests/oracle."""

import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import credit_code  # noqa: E402
import dates  # noqa: E402
import divisions  # noqa: E402
import figures  # noqa: E402
import rules  # noqa: E402
import worlds  # noqa: E402
from register import Register  # noqa: E402

COUNTRY = os.path.join(HERE, "..", "fixtures", "country")


def records(*names):
    """Records of files of the fixture."""
    return figures.read_records([os.path.join(COUNTRY, name) for name in names])


class Vector(unittest.TestCase):
    """domain.md 6, both vectors."""

    def matches(self, wanted, found, where):
        """Every key that is wanted has the wanted value; others may be there."""
        if isinstance(wanted, dict):
            for key, value in wanted.items():
                self.matches(value, found[key], f"{where}.{key}")
            if where.endswith(("excluded", "out_of_scope")):
                self.assertEqual(wanted, found, where)
        else:
            self.assertEqual(wanted, found, where)

    def test_every_figure_of_the_vector(self):
        with open(os.path.join(COUNTRY, "expected.json"), encoding="utf-8") as file:
            expected = json.load(file)
        for case in expected["figures"]:
            where = f"{case['file']} {case['as_of']} by {case['by']}"
            answer = figures.figures(Register(records(case["file"])), {"as_of": case["as_of"], "by": case["by"]})
            self.matches(case.get("total", {}), answer["total"], where)
            for wanted, found in zip(case.get("targets", []), answer["targets"]):
                self.matches(wanted, found, where + " targets")
            if "rows" in case:
                rows = [row for row in answer["rows"] if row["in_scope"]]
                self.assertEqual([row["key"] for row in case["rows"]], [row["key"] for row in rows], where)
                for wanted, found in zip(case["rows"], rows):
                    self.matches(wanted, found, f"{where} {wanted['key']}")
        for case in expected["subsidies"]:
            answer = figures.answer(Register(records(*case["files"])), {**case, "ask": "subsidies"})
            self.assertEqual(case["total"], answer["total"])

    def test_the_split_files_hold_the_same_records(self):
        with open(os.path.join(COUNTRY, "expected.json"), encoding="utf-8") as file:
            federations = json.load(file)["federations"]
        split = records(*(code + ".jsonl" for code in federations))
        as_text = [sorted(json.dumps(r, ensure_ascii=False) for r in some) for some in (split, records("vector.jsonl"))]
        self.assertEqual(as_text[0], as_text[1])

    def test_group_b_alone(self):
        register = Register(records("second.jsonl"))
        answer = figures.figures(register, {"as_of": "2024-12-31", "where": {"group": "B"}})
        self.assertEqual([4, 4], [answer["total"]["covered"], answer["total"]["eligible"]])


class Parts(unittest.TestCase):
    """Small rules that everything rests on."""

    def test_percent_is_half_up_and_never_decides(self):
        for numerator, denominator, text in ((4, 7, "57.14"), (21249, 25000, "85.00"), (1, 8, "12.50"),
                                             (0, 0, None), (1, 200000, "0.00"), (1, 20000, "0.01")):
            self.assertEqual(text, figures.percent(numerator, denominator))
        self.assertFalse(figures.verdict({"numerator": 21249, "denominator": 25000}, 85))

    def test_dates_and_divisions(self):
        self.assertEqual(["2024-01-31", "2024-02-29"], dates.month_ends("2024-01-31", "2024-03-30"))
        self.assertEqual("2024-02-29", dates.last_day("2024-02"))
        for code, level in (("100000", "national"), ("330000", "province"), ("330100", "prefecture"),
                            ("110101", "county"), ("610301", "prefecture"), ("330191", "county")):
            self.assertEqual(level, divisions.level(code))
        self.assertEqual("540422", divisions.at("540422", "2022-12-31"))
        self.assertEqual("540481", divisions.at("540422", "2023-01-01"))
        self.assertEqual("330100", divisions.at("330191", "2024-01-01"))
        self.assertEqual("110000", divisions.parent("110101", "2024-01-01"))

    def test_credit_codes(self):
        for code in ("51100000500002862F", "523607325918361088", "52140829MJ1938921G", "51330000XXXX00019Q"):
            self.assertEqual(code, credit_code.valid(code))
            self.assertEqual(code, credit_code.complete(code[:16]))
        for code in ("53100000500020462H", "52100000500000784G", "", None, "无"):
            self.assertIsNone(credit_code.valid(code))

    def test_names_with_traps(self):
        for name, category in (("西湖区小草幼儿园", "kindergarten"), ("杭州康宁医院", "hospital"), ("阳光托儿所", "nursery"),
                               ("城北庄稼医院", "other"), ("康宁医院食堂", "other"), ("某某口腔门诊部", "clinic"),
                               ("求知职业学校", "school")):
            self.assertEqual(category, rules.category_of_name(name))

    def test_parts_add_up_in_random_worlds(self):
        for seed in range(20):
            world = worlds.world(seed, odd=False)
            register = Register(world["records"])
            for by in (["province"], ["federation"], ["group"], ["category"], ["level", "kind"]):
                answer = figures.figures(register, {"as_of": "2024-12-31", "by": by})
                for key in ("in_scope", "eligible", "covered", "held", "exclusions_pending"):
                    self.assertEqual(answer["total"][key], sum(row[key] for row in answer["rows"]), (seed, by, key))
                total = answer["total"]
                records_in = total["in_scope"] + sum(total["out_of_scope"].values())
                self.assertEqual(len(register.organisations("2024-12-31")), records_in, seed)


if __name__ == "__main__":
    unittest.main()
