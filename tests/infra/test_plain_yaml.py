"""Plain YAML: what PyYAML's own parser says, whichever of the two parsers said it."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import infra.simulator.crowd
from infra.plain_yaml import plain_values

ROOT = Path(__file__).parents[2]
FILES = [
    *sorted((ROOT / "examples").glob("*.yaml")),
    Path(infra.simulator.crowd.__file__).with_name("aisle.yaml"),
]

keys = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_files_that_we_ship_read_as_ever(path: Path) -> None:
    text = path.read_text()
    assert plain_values(text) == yaml.safe_load(text)


@given(data=values)
def test_whatever_was_written_is_read(data: object) -> None:
    assert plain_values(yaml.safe_dump(data, allow_unicode=True)) == data


@given(text=st.text("ab:-[]{},'\"#&*|>?%@` \n0.~", max_size=24))
def test_what_pyyamls_own_parser_reads_is_read_alike(text: str) -> None:
    try:
        expected = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return  # libyaml may read it: it minds tabs and bare tags less
    assert _or_twice(text) in (expected, "given twice")


def _or_twice(text: str) -> object:
    try:
        return plain_values(text)
    except yaml.YAMLError as error:
        return str(getattr(error, "problem", ""))[-len("given twice") :]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("zones: [a, b\nname: }", "expected ',' or ']', but got ':'"),
        ("a: 1\nb: 2\na: 3\n", "the key 'a' is given twice"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("a: *nobody", "undefined alias 'nobody'"),
    ],
)
def test_what_is_wrong_is_said_in_one_parsers_words(text: str, words: str) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        plain_values(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 60_000, "{a: " * 60_000, "- " * 60_000])
def test_brackets_without_end_are_refused_and_do_not_end_the_process(text: str) -> None:
    with pytest.raises(RecursionError):
        plain_values(text)
