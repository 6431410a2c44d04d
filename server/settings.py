"""offhook.toml and the OFFHOOK_* environment, validated into one frozen tree.

The environment wins over the file. Nested keys are joined by two underscores, lists are
JSON: `OFFHOOK_HTTP__PORT=8081`, `OFFHOOK_TRUNKS='[{"name": "pbx", …}]'`. Unknown keys are
refused. Relative paths are relative to the working directory.
"""

import os
import tomllib
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from server.errors import SettingsInvalid
from server.sections import (
    E164,
    CostSettings,
    PaymentSettings,
    PolicySettings,
    ProviderSettings,
    RetentionSettings,
    Section,
    ToolSettings,
    WebhookSettings,
)

DEFAULT_CONFIG = Path("offhook.toml")
ENV_PREFIX = "OFFHOOK_"
NOT_SETTINGS = frozenset({"OFFHOOK_CONFIG", "OFFHOOK_KEY", "OFFHOOK_URL"})
"""Variables of the command line, read in `server/cli.py`."""

Port = Annotated[int, Field(ge=1, le=65535)]
AnyPort = Annotated[int, Field(ge=0, le=65535)]
"""A port to listen on; 0 lets the system choose."""


def _is_every_address(host: str) -> bool:
    """Whether a host stands for all addresses of this machine, so that no peer can answer to it."""
    try:
        return not host or ip_address(host).is_unspecified
    except ValueError:
        return False


def _own_address(host: str) -> str:
    if _is_every_address(host):
        raise ValueError("give the address of this machine that the trunk answers to")
    return host


def _ip_address(host: str) -> str:
    try:
        return _own_address(str(ip_address(host)))
    except ValueError:
        raise ValueError("not the IP address of a host, such as 203.0.113.7") from None


IpAddress = Annotated[str, AfterValidator(_ip_address)]


class HttpSettings(Section):
    """Where the API listens, and for how long it waits for a slow client."""

    host: str = "127.0.0.1"
    port: AnyPort = 8080
    read_timeout_s: float = Field(default=10.0, gt=0)
    """A request's header, and then its body, must arrive within this time."""


class SipSettings(Section):
    """Where SIP listens."""

    host: Annotated[str, AfterValidator(_own_address)] = "127.0.0.1"
    """Peers are told to answer to it."""
    port: AnyPort = 5060


class MediaSettings(Section):
    """RTP sockets: one even port of the range for each leg."""

    host: str = "127.0.0.1"
    advertised: IpAddress | None = None
    """Address that peers are told to send to; `host` where absent."""
    port_first: Port = 20000
    port_last: Port = 29998
    timeout_s: float = Field(default=10.0, gt=0)
    """An answered call without any RTP for this long is ended as `media_timeout`."""

    @model_validator(mode="after")
    def _ordered(self) -> "MediaSettings":
        if self.port_first > self.port_last:
            raise ValueError("port_first is above port_last")
        if self.port_first == self.port_last and self.port_first % 2:
            raise ValueError(f"no even port in {self.port_first}-{self.port_last}")
        return self

    @model_validator(mode="after")
    def _reachable(self) -> "MediaSettings":
        if self.advertised is None and _is_every_address(self.host):
            raise ValueError("host: give the address of this machine, or set advertised to it")
        return self


class TrunkSettings(Section):
    """One SIP peer that calls go out through."""

    name: str = Field(min_length=1)
    host: str = Field(min_length=1)
    port: Port = 5060
    username: str | None = None
    password: SecretStr | None = None
    caller_id: E164 | None = None
    """Our number where a request names none in `from`."""
    codecs: tuple[Literal["PCMU", "PCMA"], ...] = Field(default=("PCMU", "PCMA"), min_length=1)
    max_calls: int | None = Field(default=None, ge=1)
    """Calls above this wait as `queued`, as above `limits.concurrent_calls`."""


class EngineSettings(Section):
    """Which engine serves each port of the pipeline."""

    recogniser: str = "auto"
    """`auto`, an engine's name, or a path to a model."""
    voice: str = "auto"
    voice_name: str = "en-us+f3"
    """An espeak-ng voice, such as `en-gb+m2`; used where `voice` is espeak-ng."""
    brain: str = "auto"
    """`auto`, `scripted`, or a path to a GGUF file."""
    models_dir: Path = Path("data/models")
    """Where `offhook models pull` puts weights and `auto` looks for them."""


class DataSettings(Section):
    """Where the database and the recordings are kept."""

    dir: Path = Path("data")
    postgresql: SecretStr | None = None
    """`postgresql://user:password@host/database`, for several nodes; else SQLite in `dir`."""

    @property
    def database(self) -> Path | str:
        """The SQLite file, or the URL of PostgreSQL."""
        if self.postgresql is not None:
            return self.postgresql.get_secret_value()
        return self.dir / "offhook.sqlite3"

    @property
    def recordings(self) -> Path:
        """The folder of WAV files."""
        return self.dir / "recordings"

    def recording_of(self, call_id: str) -> Path:
        """Where a call is recorded."""
        return self.recordings / f"{call_id}.wav"


class AgentSettings(Section):
    """Who speaks, unless a request says otherwise."""

    name: str = Field(default="Ava", min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")
    playbook: Path | None = None


class CallSettings(Section):
    """How a call goes, unless a request says otherwise."""

    ring_timeout_s: float = Field(default=30.0, gt=0)
    max_duration_s: int = Field(default=300, ge=1, le=1800)
    inactivity_s: float = Field(default=30.0, gt=0)
    warning_s: float = Field(default=30.0, ge=0)
    """How long before `max_duration_s` the agent says that it has to finish; 0: never."""
    record: bool = True
    allow_sip_uri: bool = False
    """Whether `to` may be a `sip:` URI, which bypasses every rule about numbers."""


class LimitSettings(Section):
    """What one node takes on."""

    concurrent_calls: int = Field(default=20, ge=1)
    """Calls above this wait as `queued`."""
    queued_calls: int = Field(default=1000, ge=0)
    """Calls that wait for a free place; above it requests are refused with 503."""
    calls_per_number: int = Field(default=1, ge=1)
    """Calls to one number at a time."""
    calls_per_key: int | None = Field(default=None, ge=1)
    calls_per_deployment: int | None = Field(default=None, ge=1)


class Settings(BaseModel):
    """The whole configuration of a node."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    http: HttpSettings = HttpSettings()
    sip: SipSettings = SipSettings()
    media: MediaSettings = MediaSettings()
    trunks: tuple[TrunkSettings, ...] = ()
    engines: EngineSettings = EngineSettings()
    data: DataSettings = DataSettings()
    agent: AgentSettings = AgentSettings()
    call: CallSettings = CallSettings()
    limits: LimitSettings = LimitSettings()
    policy: PolicySettings = PolicySettings()
    providers: ProviderSettings = ProviderSettings()
    webhooks: WebhookSettings = WebhookSettings()
    tools: ToolSettings = ToolSettings()
    costs: CostSettings = CostSettings()
    payments: PaymentSettings | None = None
    retention: RetentionSettings = RetentionSettings()

    @property
    def trunk(self) -> TrunkSettings | None:
        """The one that calls go out through: the first."""
        return self.trunks[0] if self.trunks else None

    @property
    def calls_at_once(self) -> int:
        """How many calls may ring or talk at a time."""
        most = self.limits.concurrent_calls
        return min(most, self.trunk.max_calls or most) if self.trunk else most

    @model_validator(mode="after")
    def _trunk_names_differ(self) -> "Settings":
        names = [trunk.name for trunk in self.trunks]
        if len(names) != len(set(names)):
            raise ValueError("two trunks have the same name")
        return self


class _FileAndEnvironment(BaseSettings, Settings):
    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The file comes in through `init_settings`, and is the weaker of the two.
        return env_settings, init_settings


def load_settings(config: Path | None = None) -> Settings:
    """Read the configuration of this process.

    config: the file; else $OFFHOOK_CONFIG; else ./offhook.toml if there is one.
    Raises `SettingsInvalid`, whose text names the file or variable and each bad key.
    """
    named = config or _path_from_environment()
    path = named or DEFAULT_CONFIG
    origin = f"{path} and {ENV_PREFIX}*" if path.exists() else f"{ENV_PREFIX}*"
    _refuse_unknown_variables(os.environ)
    if named is not None and not named.is_file():
        raise SettingsInvalid(f"{named}: no such file")
    try:
        table = TomlConfigSettingsSource(_FileAndEnvironment, toml_file=path)()
        return _FileAndEnvironment(**table)
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{path}: {error}") from error
    except (SettingsError, OSError) as error:
        raise SettingsInvalid(f"{origin}: {error}") from error
    except ValidationError as error:
        raise SettingsInvalid(f"{origin}: {_explain(error)}") from error


def _path_from_environment() -> Path | None:
    named = os.environ.get("OFFHOOK_CONFIG")
    return Path(named) if named else None


def _refuse_unknown_variables(names: Iterable[str]) -> None:
    """pydantic-settings ignores variables whose first part is no field; a typo must not pass."""
    for name in names:
        if not name.upper().startswith(ENV_PREFIX) or name.upper() in NOT_SETTINGS:
            continue
        section = name[len(ENV_PREFIX) :].split("__")[0].lower()
        if section not in Settings.model_fields:
            raise SettingsInvalid(f"{name}: unknown setting")


def _explain(error: ValidationError) -> str:
    """Every bad key with its reason, without the values: one of them may be a password."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'settings'}: "
        + ("unknown key" if item["type"] == "extra_forbidden" else item["msg"])
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    )
