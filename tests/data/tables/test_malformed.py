"""Tables as people have them: each is read right, or refused in one line that says where and what to do."""

import gzip

import numpy as np
import pytest

from mtlrun.data.tables.raw import appended
from mtlrun.data.tables.read import read_raw
from mtlrun.errors import DataError

N = 12
NAN = float("nan")
HEADER = "age,city,churn"
ROWS = [f"{20 + row},{'Oslo' if row % 2 else 'Rome'},{row % 3 % 2}" for row in range(N)]


def lines(*changed: str, header: str = HEADER, rows: list[str] = ROWS) -> str:
    """A table of which the last rows are replaced."""
    return "\n".join([header, *rows[: N - len(changed)], *changed]) + "\n"


def written(folder, content, name="mine.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


SEMICOLONS = lines().replace(",", ";")
AGES = [20.0 + row for row in range(N)]

RIGHT = {
    "plain": lines(),
    "semicolons": SEMICOLONS,
    "tabs": lines().replace(",", "\t"),
    "bars": lines().replace(",", "|"),
    "decimal commas": SEMICOLONS.replace("20;", "20,0;"),
    "decimal commas and points": SEMICOLONS.replace("20;", "+20,0;"),
    "byte order mark": b"\xef\xbb\xbf" + lines().encode(),
    "UTF-16": lines().encode("utf-16"),
    "ends of lines of Windows": lines().replace("\n", "\r\n"),
    "no end of the last line": lines().rstrip("\n"),
    "blank lines": lines().replace("\n", "\n\n"),
    "blanks around fields": lines().replace(",", " , "),
    "everything in quotation marks": "\n".join(
        ",".join(f'"{field}"' for field in line.split(",")) for line in lines().splitlines()
    ),
    "single quotation marks": "\n".join(
        ",".join(f"'{field}'" for field in line.split(",")) for line in lines().splitlines()
    ),
    "a delimiter in quotation marks": lines('31,"Oslo, Norway",0'),
    "an end of line in quotation marks": lines('31,"Oslo\nNorway",0'),
    "semicolons with commas in the words": SEMICOLONS.replace("Oslo", "Oslo, Norway"),
    "a counter of rows without a name": "\n".join([f",{HEADER}", *(f"{row},{line}" for row, line in enumerate(ROWS))]),
    "names with letters of other alphabets": lines().replace("city", "città"),
    "numbers with an exponent": lines().replace("20,", "2.0e1,"),
    "columns called 0, 1, 2": lines(header="0,1,2"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_it_is_read_right(tmp_path, name):
    columns = [*read_raw(written(tmp_path, RIGHT[name])).columns.values()]
    age, city, churn = columns
    assert age.kind == churn.kind == "number"
    assert age.numbers.tolist() == AGES
    assert churn.values.tolist() == [row % 3 % 2 for row in range(N)]
    assert city.kind == "text"
    assert {word[:4] for word in city.values} == {"Oslo", "Rome"}


def test_a_packed_file_is_unpacked(tmp_path):
    path = written(tmp_path, gzip.compress(lines().encode()), "mine.csv.gz")
    assert read_raw(path).columns["age"].numbers.tolist() == AGES


WRONG = {
    "empty": ("", "is empty: it should name its columns in the first line"),
    "blank": ("\n \n", "is empty"),
    "names alone": (HEADER + "\n", "names 3 columns, and has no row below them"),
    "a single column": ("age\n1\n2\n", "has a single column: separate columns by commas"),
    "a short line": (lines("31,Oslo"), r"line 13 has 2 fields, and the first line names 3 columns"),
    "a long line": (lines("31,Oslo,0,1", "32,Rome,1"), r"line 12 has 4 fields, and the first line names 3 columns"),
    "an empty field too many": (lines("31,Oslo,0,"), "line 13 has 4 fields"),
    "an unquoted comma": (lines("31,Oslo, Norway,0"), "line 13 has 4 fields"),
    "two headers": (lines(HEADER), "line 13 names the columns again"),
    "no header": ("1,2,0\n" * 3, "begins with numbers: name the columns"),
    "a title above": ("Customers\n" + lines(), "line 2 has 3 fields, and the first line names 1|single column"),
    "two columns of a name": (lines(header="age,age,churn"), "two columns called 'age': give each"),
    "a column without a name": (lines(header="age,,churn"), "column 2 has no name in the first line"),
    "first columns without names": (lines(header=",,churn"), "column 2 has no name|column 1 has no name"),
    "a first column that counts nothing": (lines(header=",city,churn"), "column 1 has no name"),
    "two delimiters": ("a;b,c\n1;2,3\n4;5,6\n", "columns may be separated by commas or by semicolons: quote"),
    "a field too long": ("a,b\n" + "a" * 140_000 + ",1\n", "line 2: .* or the field is longer than 131,072"),
    "an open quotation mark": (lines('31,"Oslo,0'), "line 13: a quotation mark is not closed"),
    "a quotation mark amid a field": (lines('31,"Os"lo,0'), "line 13: a quotation mark"),
    "another encoding": (lines("31,K\xf8benhavn,0").encode("latin-1"), "line 13: no UTF-8 text"),
    "no text": (b"\x00\x01,\x02\n" * 5, "holds bytes of value 0 and is no text"),
    "cut in the middle of a letter": (lines("31,Ørsta").encode()[:-4], "no UTF-8 text|line 13 has 2 fields"),
}


@pytest.mark.parametrize("name", WRONG)
def test_it_is_refused_in_one_line(tmp_path, name):
    content, message = WRONG[name]
    with pytest.raises(DataError, match=message) as caught:
        read_raw(written(tmp_path, content))
    assert "\n" not in str(caught.value)
    assert "mine.csv" in str(caught.value)


COLUMNS = {
    "whole numbers": (["1", "2", "3"], "number", [1, 2, 3]),
    "gaps of all sorts": (["1", "NA", "?", "", "nan", "4"], "number", [1, NAN, NAN, NAN, NAN, 4]),
    "true and false": (["True", "false", "TRUE"], "number", [1, 0, 1]),
    "dates": (["1970-01-02", "1970-01-03 12:00", ""], "date", [1, 2.5, NAN]),
    "dates finer than a microsecond": (["1970-01-02 00:00:00.000000001"], "date", [1]),
    "telephone numbers": (["030 123", "040 456"], "text", ["030 123", "040 456"]),
    "dates with a zone": (["1970-01-02T01:00:00+01:00"], "date", [1]),
    "a half of days that there are not": (["2024-02-31", "2024-02-01"], "text", ["2024-02-31", "2024-02-01"]),
    "postal codes": (["01234", "99999"], "text", ["01234", "99999"]),
    "zero": (["0", "0.5"], "number", [0, 0.5]),
    "decimal commas": (["1.234,5", "0,25"], "number", [1234.5, 0.25]),
    "decimal commas, and points between thousands": (["1.234", "12.345.678", "2,5"], "number", [1234, 12345678, 2.5]),
    "commas between thousands": (["1,234.5", "950", "2,345,678"], "number", [1234.5, 950, 2345678]),
    "words": (["low", "high", "-"], "text", ["low", "high", ""]),
    "nothing": (["", "NA"], "number", [NAN, NAN]),
    "a half of numbers": (["1", "a", "2", "b"], "text", ["1", "a", "2", "b"]),
    "numbers of Python alone": (["1_000", "2"], "text", ["1_000", "2"]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_typed_by_all_of_their_values(tmp_path, name):
    texts, kind, values = COLUMNS[name]
    path = written(tmp_path, "x;y\n" + "".join(f"{text};1\n" for text in texts))
    found = read_raw(path).columns["x"]
    assert found.kind == kind
    assert not found.trouble
    if kind == "text":
        assert found.texts() == values
    else:
        np.testing.assert_array_equal(found.numbers, values)


TROUBLES = {
    "a word among numbers": (["1"] * 9 + ["n.a."], r"column 'x' holds numbers, and 'n.a.' in line 11: correct it, or"),
    "a day that there is not": (
        ["2024-02-01"] * 9 + ["2024-02-30"],
        "holds dates, and '2024-02-30' in line 11: correct",
    ),
    "units below the names": (["years", *map(str, range(9))], "holds numbers, and 'years' in line 2"),
    "two marks of decimals": (["2,5", "3,5", "0.234"], "holds '0.234' and '2,5', so that its decimals have two marks"),
    "a decimal point, and thousands or decimals": (["0.5", "1,125"], "holds '1,125' and '0.5': the first may be"),
    "currencies": (["$1,234.50", "$12"], "holds '\\$1,234.50', a number with a sign that is not read"),
    "percent": (["12%", "13.5 %"], "holds '12%', a number with a sign"),
    "blanks between thousands": (["1 234", "12\u00a0345", "5"], "holds '1 234', a number with a sign"),
    "the minus of typography": (["\u22121.5", "2.5"], "a number with a sign that is not read"),
    "points alone, between thousands or not": (["1.234", "12.345.678"], "holds '12.345.678', with points that may"),
    "thousands, or decimals": (["1,234", "2,500"], "holds '1,234', which may be a decimal or a separator of thousands"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_what_nobody_can_know_is_told_where_it_is_used(tmp_path, name):
    texts, message = TROUBLES[name]
    found = read_raw(written(tmp_path, "x;y\n" + "".join(f"{text};1\n" for text in texts))).columns["x"]
    with pytest.raises(DataError, match=message):
        found.usable()
    assert found.texts() == texts


@pytest.mark.parametrize(
    ("texts", "noted"),
    [
        (["05.03.2024", "17.12.2024 10:30", ""], True),
        (["3/5/2024", "11/30/2023"], True),
        (["2024/3/5", "2024.12.31"], True),
        (["1.2.10", "1.12.3"], False),
        (["3/5/2024", "unknown"], False),
    ],
)
def test_dates_that_are_not_read_are_noted(tmp_path, texts, noted):
    found = read_raw(written(tmp_path, "x;y\n" + "".join(f"{text};1\n" for text in texts))).columns["x"]
    assert (found.kind, found.note) == ("text", "looks like dates: write 2024-12-31" if noted else "")


DOUBT = r"the points in column 'pop' may be decimals or stand between thousands \(1.234\), since column 'rate' has"


@pytest.mark.parametrize(("pop", "doubted"), [("1.234", True), ("1.5", False), ("0.234", False), ("1234", False)])
def test_points_beside_decimal_commas_are_refused_if_they_may_be_of_thousands(tmp_path, pop, doubted):
    found = read_raw(written(tmp_path, f"pop;rate\n950;1,5\n{pop};2,5\n")).columns["pop"]
    assert found.numbers.tolist() == [950, float(pop)]
    if doubted:
        with pytest.raises(DataError, match=DOUBT):
            found.usable()
    else:
        assert found.usable() is found


@pytest.mark.parametrize(
    ("first", "other", "message"),
    [
        (
            "rate\tpop\n1,5\t1\n",
            "rate\tpop\n1.5\t1\n",
            "column 'rate' has decimal commas in .*a.tsv and points in .*b.tsv",
        ),
        ("rate\tpop\n1.234\t1\n", "rate\tpop\n1,5\t1\n", "'rate' has decimal commas in .*b.tsv and points in .*a.tsv"),
        ("rate\tpop\n1,5\t1\n", "rate\tpop\n2\t1.234\n", DOUBT),
        ("rate\tpop\n1.5\t1\n", "rate\tpop\n2\t1.234\n", None),
    ],
)
def test_files_of_different_conventions_are_refused(tmp_path, first, other, message):
    paths = [written(tmp_path, first, "a.tsv"), written(tmp_path, other, "b.tsv")]
    tables = [read_raw(path) for path in paths]
    if message is None:
        assert appended(*tables, paths).columns["pop"].usable().numbers.tolist() == [1, 1.234]
        return
    with pytest.raises(DataError, match=message):
        appended(*tables, paths).columns["pop"].usable()


LARGE = ["9007199254740993", "9007199254740992", "18446744073709551615"]


@pytest.mark.parametrize("numbers", [LARGE[:2], LARGE, [f"-{LARGE[0]}", LARGE[1]]])
def test_whole_numbers_of_64_bits_stay_apart(tmp_path, numbers):
    column = read_raw(written(tmp_path, "id,y\n" + "".join(f"{number},1\n" for number in numbers))).columns["id"]
    assert column.texts() == numbers
    assert column.distinct().tolist() == [*map(int, numbers)]
    np.savez(tmp_path / "mine.npz", id=column.values, y=np.ones(len(numbers)))
    assert read_raw(tmp_path / "mine.npz").columns["id"].texts() == numbers


@pytest.mark.parametrize("numbers", [[*LARGE[:2], ""], [LARGE[2], "-1"], ["1" * 25, "1" * 24 + "2"]])
def test_numbers_that_would_be_merged_are_refused_as_words(tmp_path, numbers):
    column = read_raw(written(tmp_path, "id,y\n" + "".join(f"{number},1\n" for number in numbers))).columns["id"]
    assert column.kind == "number"
    with pytest.raises(DataError, match="column 'id' holds numbers of more digits than are told apart"):
        column.texts()


def test_ten_thousand_columns(tmp_path):
    names = [f"x{place}" for place in range(10_000)]
    row = ",".join(map(str, range(10_000)))
    table = read_raw(written(tmp_path, ",".join(names) + f"\n{row}\n{row}\n"))
    assert [*table.columns] == names
    assert table.columns["x9999"].numbers.tolist() == [9999, 9999]


def test_a_misspelt_file_gets_a_suggestion(tmp_path):
    written(tmp_path, lines(), "customers.csv")
    with pytest.raises(DataError, match=r"did you mean 'customers.csv'\?"):
        read_raw(tmp_path / "custmers.csv")


@pytest.mark.parametrize(("content", "message"), [(b"", "no Parquet file"), (b"a,b\n1,2\n", "no Parquet file")])
def test_damaged_parquet_files_are_told(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_raw(written(tmp_path, content, "mine.parquet"))
