"""Reads plain values from YAML: with libyaml's parser where PyYAML was built with it, some seven
times as fast, and in the words of PyYAML's own parser where something is wrong. Pure.
"""

from collections.abc import Hashable
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import ConstructorError, SafeConstructor


def plain_values(text: str) -> object:
    """What a text of YAML holds, in plain values alone.

    Raises:
        yaml.YAMLError, ValueError, RecursionError: no YAML, a date or a number that is none, or
            brackets without end.

    >>> plain_values("{a: [1, x]}")
    {'a': [1, 'x']}
    """
    if _Quick is not None:
        try:
            return _values(_Quick(text))
        except (yaml.YAMLError, ValueError):
            pass  # Whether it is wrong, and what, is said by the parser below.
    return _values(_Thorough(text))


class _KeysOnce(SafeConstructor):
    """Refuses a key that is given twice: plain YAML would forget the first without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """See `yaml.SafeLoader`."""
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                if key in seen:
                    raise ConstructorError(
                        None, None, f"the key {key!r} is given twice", key_node.start_mark
                    )
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


class _Thorough(_KeysOnce, yaml.SafeLoader):
    """PyYAML's own parser."""


_Quick: Any = None
if yaml.__with_libyaml__:

    class _Libyaml(Composer, _KeysOnce, yaml.CSafeLoader):
        """PyYAML's composer goes before libyaml's, which takes the whole process with it (its stack
        overflows) where brackets are without end.
        """

        def __init__(self, text: str) -> None:
            yaml.CSafeLoader.__init__(self, text)
            Composer.__init__(self)

    _Quick = _Libyaml


def _values(loader: Any) -> object:
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
