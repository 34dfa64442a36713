# SPDX-License-Identifier: Apache-2.0
"""What a screen may show in the next hours, signed: its own rotation, every creative that a
decision may name, and the bytes of each file.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.contracts.base import Id, Sentence, TimeMs
from streams.contracts.signage import Creative, Field, MediaFile

_Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_Path = Annotated[str, Meta(min_length=1, max_length=255)]


class Turn(Struct, frozen=True, kw_only=True):
    """A stretch of time in which a creative takes part in the rotation."""

    from_ms: TimeMs
    until_ms: TimeMs


class PlaylistEntry(Struct, frozen=True, kw_only=True):
    """A creative that the screen may show: what it needs of `Creative`, and its turns.

    Without turns it is shown by a decision alone.
    """

    creative_id: Id
    creative_version: Annotated[int, Meta(ge=1)]
    title: Sentence
    alt_text: Sentence
    language: Annotated[str, Meta(max_length=35)]
    owner: Id
    kind: Literal["page", "picture", "video", "template"]
    media: _Path
    sha256: _Sha256
    prices: Annotated[tuple[Id, ...], Meta(max_length=20)] = ()
    fields: Annotated[tuple[Field, ...], Meta(max_length=40)] = ()
    turns: Annotated[tuple[Turn, ...], Meta(max_length=1_000)] = ()

    def creative(self) -> Creative:
        """The creative as a player knows it."""
        return Creative(
            creative_id=self.creative_id,
            version=self.creative_version,
            title=self.title,
            alt_text=self.alt_text,
            language=self.language,
            owner=self.owner,
            kind=self.kind,
            media=self.media,
            sha256=self.sha256,
            prices=self.prices,
            fields=self.fields,
        )


class Playlist(Struct, frozen=True, kw_only=True):
    """The signed playlist of one screen; the greatest `version` wins, an older one never returns.

    `entries` are all that the screen may show until `valid_until_ms`: an entry's turn of `slot_ms`
    comes round among those whose `turns` hold the moment, in order. `files` are all files of the
    entries (the manifest): nothing else is shown, and nothing whose bytes are others. `signature`
    is Ed25519 by the key `key_id` over the prefix `smartstore.playlist.v1` and a line feed and the
    canonical bytes of all other fields, in base64.
    """

    store_id: Id
    screen_id: Id
    version: Annotated[int, Meta(ge=1)]
    made_at_ms: TimeMs
    valid_from_ms: TimeMs
    valid_until_ms: TimeMs
    slot_ms: Annotated[int, Meta(ge=1_000)]
    entries: Annotated[tuple[PlaylistEntry, ...], Meta(max_length=1_000)]
    files: Annotated[tuple[MediaFile, ...], Meta(max_length=10_000)]
    key_id: Annotated[str, Meta(max_length=64)] = ""
    signature: Annotated[str, Meta(max_length=128)] = ""
