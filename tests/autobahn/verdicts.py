"""Prints the verdicts of a run of the Autobahn test suite: `CASE BEHAVIOR BEHAVIOR_CLOSE`, by case.

verdicts.py INDEX_JSON... : later files replace the cases of earlier ones.
"""

import json
import sys

verdicts = {}
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        for cases in json.load(file).values():
            verdicts.update(cases)

for case in sorted(verdicts, key=lambda case: [int(part) for part in case.split(".")]):
    verdict = verdicts[case]
    print(case, verdict["behavior"], verdict["behaviorClose"])
