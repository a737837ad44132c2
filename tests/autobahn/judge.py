# SPDX-License-Identifier: MIT
"""Judges an Autobahn report: every case OK or INFORMATIONAL in `behavior` and in `behaviorClose`, none missing.

    python tests/autobahn/judge.py REPORTS/index.json CASES PEER...

wstest itself exits 0 whatever it found. The last line for each peer is such as
`301 cases: 298 OK, 3 INFORMATIONAL, 0 other`; the exit status is 1 when a case is anything else, when a peer has not
exactly CASES cases in the report or is not in it, and when there is no report.
"""

import json
import pathlib
import sys

GOOD = ("OK", "INFORMATIONAL")
FIELDS = ("behavior", "behaviorClose")


def case_key(case):
    """Sorts 9.2 before 10.1."""
    return [int(part) for part in case.split(".")]


def explain(index, case, outcome):
    """Returns the lines on one case that is not good, with what the suite itself says about it."""
    lines = ["%s: %s" % (case, ", ".join("%s %s" % (field, outcome.get(field, "missing")) for field in FIELDS))]
    try:
        detail = json.loads((index.parent / outcome["reportfile"]).read_text(encoding="utf-8"))
    except (KeyError, OSError, ValueError):
        return lines
    return lines + ["    %s: %s" % (field, detail[field]) for field in ("result", "resultClose") if field in detail]


def judge_peer(index, outcomes, expected):
    """Returns whether one peer passed, and the lines to print about it."""
    lines, ok, informational = [], 0, 0
    for case in sorted(outcomes, key=case_key):
        found = [outcomes[case].get(field) for field in FIELDS]
        if any(value not in GOOD for value in found):
            lines += explain(index, case, outcomes[case])
        elif "INFORMATIONAL" in found:
            informational += 1
        else:
            ok += 1
    other = len(outcomes) - ok - informational
    if len(outcomes) != expected:
        lines.append("%d cases were asked for, %d are in the report" % (expected, len(outcomes)))
    lines.append("%d cases: %d OK, %d INFORMATIONAL, %d other" % (len(outcomes), ok, informational, other))
    return other == 0 and len(outcomes) == expected, lines


def judge(index, expected, agents):
    """Returns whether every peer passed, and the lines to print."""
    try:
        peers = dict(json.loads(index.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        return False, ["no report: %s" % error]
    passed, lines = True, []
    for agent in agents:
        good, about = judge_peer(index, peers.get(agent, {}), expected)
        passed = passed and good
        lines += ["Autobahn, %s" % agent] + about
    return passed, lines


def main(arguments):
    if len(arguments) < 3:
        sys.exit(__doc__)
    passed, lines = judge(pathlib.Path(arguments[0]), int(arguments[1]), arguments[2:])
    print("\n".join(lines))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
