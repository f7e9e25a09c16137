"""OUT: whole lines stay, torn ones are cut off, strange files are left alone, and one process writes at a time."""

import errno
import json
import os
import stat

import pytest

from lamellar.cli.batch.ledger import Ledger
from lamellar.cli.batch.output import Output
from lamellar.cli.batch.records import mark_of
from lamellar.errors import ConfigError

PRINT = "0123456789abcdef"


def line(number, ok=True, **more):
    data = {"line": number, "input": PRINT, "ok": ok, "id": None, "text": "Größe", **more}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.jsonl"


class TestGoingOn:
    def test_a_new_file_holds_nothing_and_takes_lines(self, path):
        with Output(path) as output:
            output.append(line(2))
            assert path.read_bytes() == line(2), "it is there at once"
            output.append(line(1))
        with Output(path) as output:
            assert (output.ledger.count, output.ledger.last, output.failed) == (2, 2, 0)
            assert [output.ledger.has(number) for number in (0, 1, 2, 3)] == [False, True, True, False]

    @pytest.mark.parametrize("cut", range(1, len(line(2)) - 1))
    def test_a_torn_last_line_is_cut_off_wherever_it_was_torn(self, path, cut):
        path.write_bytes(line(1) + line(2)[:cut])
        with Output(path) as output:
            assert output.ledger.count == 1
            output.append(line(3))
        assert path.read_bytes() == line(1) + line(3)

    def test_a_last_line_without_its_line_break_is_kept(self, path):
        path.write_bytes(line(1) + line(2)[:-1])
        with Output(path) as output:
            assert output.ledger.count == 2
            output.append(line(3))
        assert path.read_bytes() == line(1) + line(2) + line(3)

    def test_zeros_that_a_crashed_machine_left_are_cut_off(self, path):
        path.write_bytes(line(1) + bytes(100))
        with Output(path) as output:
            assert output.ledger.count == 1
        assert path.read_bytes() == line(1)

    def test_lines_that_other_programs_wrote_again_are_read(self, path):
        path.write_text(json.dumps({"line": 1, "input": PRINT, "ok": True, "id": 1}) + "\r\n", newline="")
        with Output(path) as output:
            assert output.ledger.has(1)


class TestWhatIsNotOurs:
    @pytest.mark.parametrize(
        "text", [b"notes\n", b'{"a": 1}', b'{"a": 1}\n', b"dear diary", line(1) + b"notes\n" + line(2)]
    )
    def test_it_is_refused_and_not_touched(self, path, text):
        path.write_bytes(text)
        with pytest.raises(ConfigError, match=r"line \d was not written by `lamellar batch`"):
            Output(path)
        assert path.read_bytes() == text

    def test_a_number_that_no_line_can_have(self, path):
        path.write_bytes(line(10**15))
        with pytest.raises(
            ConfigError, match="not in IN any more, such as line 1000000000000000; write to another file than"
        ):
            Output(path, most=1000)

    def test_a_line_that_is_answered_twice(self, path):
        path.write_bytes(line(1) + line(1))
        with pytest.raises(ConfigError, match="line 2 answers line 1 of IN a second time"):
            Output(path)

    def test_a_name_that_cannot_be_opened_says_nothing_of_what_stands_there(self, tmp_path):
        for out, said in [
            (tmp_path / "no" / "out.jsonl", f"No such file or directory; make the folder {tmp_path / 'no'} first"),
            (tmp_path / ("x" * 300), "File name too long; name another file"),
            (tmp_path, "Is a directory; name a file"),
        ]:
            with pytest.raises(ConfigError) as caught:
                Output(out)
            assert str(caught.value) == f"{out}: cannot be written: {said}"

    def test_a_folder_and_a_device(self, tmp_path):
        with pytest.raises(ConfigError, match="Is a directory"):
            Output(tmp_path)
        with pytest.raises(ConfigError, match="not a regular file"):
            Output("/dev/full")


class TestGone:
    def test_a_file_that_is_deleted_is_told_at_once(self, path):
        output = Output(path)
        output.append(line(1))
        output.sync()
        path.unlink()
        with pytest.raises(ConfigError, match="was deleted, or replaced by another file, while answers were written"):
            output.sync()
        with pytest.raises(ConfigError, match="was deleted"):
            output.close()

    def test_a_file_that_is_replaced_is_told_at_once(self, path):
        with pytest.raises(ConfigError, match="replaced by another file"), Output(path) as output:
            output.append(line(1))
            spare = path.with_name("spare.jsonl")
            spare.write_bytes(line(1))
            spare.replace(path)

    def test_so_is_one_whose_folder_is_gone(self, tmp_path):
        folder = tmp_path / "folder"
        folder.mkdir()
        with pytest.raises(ConfigError, match="was deleted"), Output(folder / "out.jsonl"):
            folder.rename(tmp_path / "elsewhere")

    def test_a_file_that_was_moved_and_is_linked_is_still_there(self, path):
        with Output(path) as output:
            output.append(line(1))
            moved = path.rename(path.with_name("moved.jsonl"))
            path.symlink_to(moved)
        assert path.read_bytes() == line(1)


class TestOtherStacks:
    def test_answers_of_another_stack_are_counted_and_errors_of_it_are_not(self, path):
        path.write_bytes(line(1) + line(2, ok=False))
        with Output(path, is_current=lambda fingerprint: fingerprint.endswith("0" * 8)) as output:
            assert (output.ledger.count, output.strangers) == (2, 1)
        with Output(path, is_current=lambda fingerprint: fingerprint == PRINT) as output:
            assert output.strangers == 0


class TestLock:
    def test_a_second_process_is_refused_until_the_first_is_done(self, path):
        with Output(path), pytest.raises(ConfigError, match="another process writes to it"):
            Output(path)
        Output(path).close()

    def test_it_holds_while_errors_are_taken_out(self, path):
        path.write_bytes(line(1, ok=False))
        with Output(path, retry_failed=True), pytest.raises(ConfigError, match="another process"):
            Output(path)


class TestRetryFailed:
    def test_errors_are_taken_out_and_answers_stay(self, path):
        path.write_bytes(line(1) + line(2, ok=False) + line(3))
        path.chmod(0o640)
        with Output(path, retry_failed=True) as output:
            assert (output.ledger.count, output.failed) == (2, 0)
            assert not output.ledger.has(2)
            output.append(line(2))
        assert path.read_bytes() == line(1) + line(3) + line(2)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert [each.name for each in path.parent.iterdir()] == ["out.jsonl"]

    def test_a_link_stays_a_link(self, path):
        real = path.with_name("real.jsonl")
        real.write_bytes(line(1, ok=False))
        path.symlink_to(real)
        with Output(path, retry_failed=True) as output:
            output.append(line(1))
        assert path.is_symlink()
        assert real.read_bytes() == line(1)

    def test_where_that_fails_the_file_is_as_it_was(self, path, monkeypatch):
        before = line(1) + line(2, ok=False)
        path.write_bytes(before)

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(ConfigError, match="No space left on device"):
            Output(path, retry_failed=True)
        assert path.read_bytes() == before
        assert [each.name for each in path.parent.iterdir()] == ["out.jsonl"]


class TestFullDisk:
    def test_the_part_of_a_line_that_was_written_is_taken_back(self, path, monkeypatch):
        with Output(path) as output:
            output.append(line(1))
            written = os.write
            pieces = iter([10])

            def some(fd, data):
                for size in pieces:
                    return written(fd, bytes(data[:size]))
                raise OSError(errno.ENOSPC, "No space left on device")

            monkeypatch.setattr(os, "write", some)
            with pytest.raises(ConfigError, match="No space left on device; what stands in it is whole"):
                output.append(line(2))
            assert path.read_bytes() == line(1)

    def test_a_disk_that_fails_when_it_is_told_to_keep(self, path, monkeypatch):
        def broken(_):
            raise OSError(errno.EIO, "Input/output error")

        output = Output(path)
        output.append(line(1))
        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(ConfigError, match="Input/output error"):
            output.close()


def test_a_mark_is_read_without_the_rest():
    assert mark_of(line(7, ok=False)) == (7, PRINT, False)
    assert mark_of(b'{"ok":true,"line":7}\n') is None
    assert mark_of(line(7)[:-2]) is None


def test_ten_million_lines_are_remembered_in_forty_megabytes():
    ledger = Ledger()
    assert ledger.add(10_000_000, PRINT)
    assert not ledger.add(10_000_000, PRINT)
    assert len(ledger._lines) * ledger._lines.itemsize < 41_000_000
    assert ledger.agrees(10_000_000, PRINT)
    assert not ledger.agrees(10_000_000, "f" * 16)
    assert not ledger.has(9_999_999)
    assert not ledger.has(20_000_000)
