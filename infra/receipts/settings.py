"""Settings of the intake of receipts."""

from pathlib import Path

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.receipts.errors import ReceiptsError

#: A shorter token could be guessed.
_TOKEN_LENGTH = 16

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ReceiptsSettings(BaseSettings):
    """What the intake needs to know. Environment: SMARTSTORE_KAFKA, SMARTSTORE_RECEIPTS_..."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", extra="forbid", frozen=True)

    kafka: str = Field(description="the Kafka broker, host:port")
    state: Path = Field(default=Path(".smartstore"), description="folder for what is remembered")
    receipts_mapping: Path | None = Field(
        default=None, description="YAML file: names of columns, times, limits"
    )
    receipts_host: str = Field(
        default="127.0.0.1", min_length=1, description="address to listen on; others need a token"
    )
    receipts_port: int = Field(
        default=8300, ge=0, le=65_535, description="port to listen on; 0 takes a free one"
    )
    receipts_token: SecretStr | None = Field(
        default=None,
        min_length=_TOKEN_LENGTH,
        description="who sends receipts gives it as a bearer token",
    )
    receipts_token_file: Path | None = Field(
        default=None, description="file that holds that token, where none is given"
    )

    @model_validator(mode="after")
    def _nobody_listens_to_everybody(self) -> "ReceiptsSettings":
        named = self.receipts_token is not None or self.receipts_token_file is not None
        if self.receipts_host not in _LOOPBACK and not named:
            raise ValueError(
                f"receipts_host {self.receipts_host} lets others send receipts: set "
                "receipts_token, or receipts_token_file"
            )
        return self

    def token(self) -> SecretStr | None:
        """The token that is asked for, read from its file where it is in one.

        Raises ReceiptsError where the file cannot be read or holds none.
        """
        if self.receipts_token is not None or self.receipts_token_file is None:
            return self.receipts_token
        try:
            text = self.receipts_token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ReceiptsError(
                f"the token of receipts in {self.receipts_token_file} cannot be read ({error}); "
                "name a file that this user may read with SMARTSTORE_RECEIPTS_TOKEN_FILE"
            ) from error
        if len(text) < _TOKEN_LENGTH:
            raise ReceiptsError(
                f"{self.receipts_token_file} holds a token of {len(text)} characters; write "
                f"{_TOKEN_LENGTH} or more into it"
            )
        return SecretStr(text)
