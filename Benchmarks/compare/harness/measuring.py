"""Rows measured one after the other, in rounds, within a budget of time."""

import sys
import time


class Measuring:
    """Runs rows by `measure(row, python, timeout)`, each in its peer's environment of `made`.

    `line(row, answer)` is what is said of each. The budget's seconds count from `begin`; a row has
    `least` of them in any case, and `longest` at most.
    """

    def __init__(self, made, budget, begin, measure, line, least=20.0,
                 longest=150.0):
        self.made, self.budget, self.begin = made, budget, begin
        self.measure, self.line = measure, line
        self.least, self.longest = least, longest

    @property
    def left(self):
        return self.budget - (time.monotonic() - self.begin)

    def round(self, rows, number, reserve=60):
        """Measures each row once; so rounds are interleaved, and drift touches all alike.

        After the first round a row is left out when fewer than `reserve` seconds are left.
        """
        for row in rows:
            environment = self.made[row.peer]
            if environment.error:
                row.answers.append({"error": environment.error})
                continue
            if number > 1 and self.left < reserve:
                say(f"no time is left for round {number} of {row.title} {row.call}")
                continue
            timeout = max(self.least, min(self.longest, self.left))
            answer = self.measure(row, environment.python, timeout)
            row.answers.append(answer)
            say(f"{number}  {self.line(row, answer)}")


def say(text):
    print(text, file=sys.stderr, flush=True)
