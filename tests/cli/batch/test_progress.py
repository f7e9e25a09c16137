"""How far it is: a quiet line now and then in a pipe, and the sum at the end."""

import pytest

from lamellar.cli.batch.progress import print_sum, progress_on
from lamellar.cli.batch.tally import Tally


class Now:
    value = 0.0

    def __call__(self):
        return self.value


@pytest.fixture
def tally():
    found = Tally(10_000, 1000)
    found.answered, found.bad, found.cost, found.waiting = 590, 2, 1.234, 3
    found.failures.update(timeout=5, rate_limited=3)
    return found


def test_in_a_pipe_there_is_a_line_every_half_minute(tally, capsys):
    now = Now()
    progress = progress_on(tally, now)
    for second in range(1, 61):
        now.value = float(second)
        progress.tick()
    progress.close()
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == (
        "",
        [
            "1,600 of 10,000 lines, 20.0/s, 10 failed, 3 told to wait, $1.23, 7 min left",
            "1,600 of 10,000 lines, 10.0/s, 10 failed, 3 told to wait, $1.23, 14 min left",
        ],
    )


def test_the_sum_tells_what_came_of_it_and_what_to_do(tally, capsys, tmp_path):
    tally.bad = 12
    tally.complaints += [(number, f"not JSON \x1b[31m{number}") for number in range(1, 11)]
    print_sum(tally, "interrupted", tmp_path / "out.jsonl")
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == (
        "10,000 lines: 590 answered, 1,000 done before, 8 failed (5 timeout, 3 rate_limited), 12 that cannot be read, "
        "8,390 left, $1.23"
    )
    assert rest[0] == "  line 1: not JSON [31m1"
    assert rest[10:] == [
        f"  and 2 more; see `invalid_line` in {tmp_path / 'out.jsonl'}",
        "stopped: interrupted",
        "the same command goes on with the lines that are left",
    ]


def test_where_nothing_went_wrong_there_is_one_line(capsys, tmp_path):
    tally = Tally(2, 0)
    tally.answered = 2
    print_sum(tally, None, tmp_path)
    assert capsys.readouterr().err == "2 lines: 2 answered\n"
