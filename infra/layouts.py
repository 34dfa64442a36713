"""Reads a layout file (YAML) into the contract's struct, or says in one sentence what is wrong."""

from pathlib import Path

import msgspec
import yaml

from infra.errors import UserError
from streams.contracts.layout import StoreLayout

#: A chain's largest store has some thousand zones: a larger file is not a layout.
MAX_LAYOUT_BYTES = 4 * 1024 * 1024


def load_layout(path: Path) -> StoreLayout:
    """The layout in `path`.

    Raises:
        UserError: no such file, not readable, no YAML, or not a valid layout.
    """
    try:
        size = path.stat().st_size
        if size > MAX_LAYOUT_BYTES:
            raise UserError(
                f"The layout {path} has {size} bytes, more than the {MAX_LAYOUT_BYTES} allowed; "
                "name a layout file such as examples/store.yaml."
            )
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(
            f"There is no layout {path}; give one with --layout, such as examples/store.yaml."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"The layout {path} cannot be read ({_reason(error)}); "
            "check its permissions and that it is a UTF-8 text file."
        ) from error
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where is not None else ""
        raise UserError(f"The layout {path} is no valid YAML{line}; mend it there.") from error
    try:
        return msgspec.convert(data, StoreLayout, strict=True)
    except msgspec.ValidationError as error:
        raise UserError(f"The layout {path} is not valid: {error}; correct it there.") from error


def _reason(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is not UTF-8 text"
