"""Makes a ggml file, as whisper.cpp reads it, of a Whisper model in CTranslate2's format.

Both hold the same numbers under other names: CTranslate2 keeps query, key and value of an attention in one matrix, ggml
keeps them apart. Needs numpy and faster-whisper, whose mel filters are those of the original.

    python ggml.py FOLDER-WITH-MODEL.BIN-AND-TOKENIZER.JSON OUT.bin
"""

import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

MAGIC = 0x67676D6C
TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
HEAD_SIZE = 64
ENGLISH_VOCABULARY = 51_864
"""How many tokens a model has that knows English alone."""
WITHOUT_WORDS = {True: 50_256, False: 50_257}
"""The first token that stands for no text, of a model for English alone and of one for all languages."""
FLOAT_32 = ("conv1.bias", "conv2.bias", "positional_embedding")


class Reader:
    """Reads the numbers and texts of CTranslate2's model.bin, which are little-endian."""

    def __init__(self, path):
        self.file = io.BytesIO(path.read_bytes())

    def number(self, size):
        return int.from_bytes(self.file.read(size), "little")

    def text(self):
        return self.file.read(self.number(2))[:-1].decode()  # it ends with a zero

    def variable(self):
        name = self.text()
        dimensions = [self.number(4) for _ in range(self.number(1))]
        kind = TYPES[self.number(1)]
        values = np.frombuffer(self.file.read(self.number(4)), kind)
        return name, values.reshape(dimensions).astype(np.float32)


def read_model(path):
    """The variables of model.bin by name; an alias is there under both names."""
    reader = Reader(path)
    reader.number(4)  # version of the format
    reader.text()  # kind of the model
    reader.number(4)  # its revision
    variables = dict(reader.variable() for _ in range(reader.number(4)))
    for _ in range(reader.number(4)):
        alias = reader.text()
        variables[alias] = variables[reader.text()]
    return variables


def layers(variables, part):
    """How many layers the encoder or the decoder has."""
    return len(
        {
            name.split("/")[1]
            for name in variables
            if name.startswith(f"{part}/layer_") and "norm" not in name.split("/")[1]
        }
    )


class Tensors:
    """The tensors of the ggml file, by their names there."""

    def __init__(self, variables):
        self.variables = variables
        self.named = {}
        self.width = variables["encoder/layer_norm/gamma"].shape[0]

    def linear(self, to, source):
        self.named[f"{to}.weight"] = self.variables[f"{source}/weight"]
        self.named[f"{to}.bias"] = self.variables[f"{source}/bias"]

    def norm(self, to, source):
        self.named[f"{to}.weight"] = self.variables[f"{source}/gamma"]
        self.named[f"{to}.bias"] = self.variables[f"{source}/beta"]

    def split(self, to, names, source):
        """One matrix becomes several; keys have no bias in Whisper."""
        weight, bias = self.variables[f"{source}/weight"], self.variables[f"{source}/bias"]
        for number, name in enumerate(names):
            rows = slice(number * self.width, (number + 1) * self.width)
            self.named[f"{to}.{name}.weight"] = weight[rows]
            if name != "key":
                self.named[f"{to}.{name}.bias"] = bias[rows]

    def self_attention(self, to, source):
        self.split(f"{to}.attn", ("query", "key", "value"), f"{source}/self_attention/linear_0")
        self.linear(f"{to}.attn.out", f"{source}/self_attention/linear_1")
        self.norm(f"{to}.attn_ln", f"{source}/self_attention/layer_norm")

    def cross_attention(self, to, source):
        self.linear(f"{to}.cross_attn.query", f"{source}/attention/linear_0")
        self.split(f"{to}.cross_attn", ("key", "value"), f"{source}/attention/linear_1")
        self.linear(f"{to}.cross_attn.out", f"{source}/attention/linear_2")
        self.norm(f"{to}.cross_attn_ln", f"{source}/attention/layer_norm")

    def feed_forward(self, to, source):
        self.linear(f"{to}.mlp.0", f"{source}/ffn/linear_0")
        self.linear(f"{to}.mlp.2", f"{source}/ffn/linear_1")
        self.norm(f"{to}.mlp_ln", f"{source}/ffn/layer_norm")


def tensors(variables):
    """All tensors of a model, by their names in ggml."""
    made = Tensors(variables)
    made.named["encoder.positional_embedding"] = variables["encoder/position_encodings/encodings"]
    for conv in ("conv1", "conv2"):
        made.linear(f"encoder.{conv}", f"encoder/{conv}")
        bias = made.named[f"encoder.{conv}.bias"]
        made.named[f"encoder.{conv}.bias"] = bias.reshape(-1, 1)
    for number in range(layers(variables, "encoder")):
        to, source = f"encoder.blocks.{number}", f"encoder/layer_{number}"
        made.self_attention(to, source)
        made.feed_forward(to, source)
    made.norm("encoder.ln_post", "encoder/layer_norm")
    made.named["decoder.positional_embedding"] = variables["decoder/position_encodings/encodings"]
    made.named["decoder.token_embedding.weight"] = variables["decoder/embeddings/weight"]
    for number in range(layers(variables, "decoder")):
        to, source = f"decoder.blocks.{number}", f"decoder/layer_{number}"
        made.self_attention(to, source)
        made.cross_attention(to, source)
        made.feed_forward(to, source)
    made.norm("decoder.ln", "decoder/layer_norm")
    return made.named


def byte_of():
    """Which byte a character of the vocabulary stands for (GPT-2's alphabet: bytes that cannot be printed are shifted)."""
    printed = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    alphabet = {chr(byte): byte for byte in printed}
    shifted = [byte for byte in range(256) if byte not in printed]
    alphabet.update({chr(256 + number): byte for number, byte in enumerate(shifted)})
    return alphabet


def words(folder, count):
    """The bytes of the first tokens, in their order."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    by_number = {number: text for text, number in vocabulary.items()}
    alphabet = byte_of()
    return [bytes(alphabet[char] for char in by_number[number]) for number in range(count)]


def write_tensor(out, name, values):
    """A tensor: its head, its name, its values in half precision, or in full where whisper.cpp adds them."""
    is_full = values.ndim < 2 or name.endswith(FLOAT_32)
    label = name.encode()
    out.write(struct.pack("<3i", values.ndim, len(label), 0 if is_full else 1))
    out.write(struct.pack(f"<{values.ndim}i", *reversed(values.shape)))
    out.write(label)
    out.write(np.ascontiguousarray(values, np.float32 if is_full else np.float16).tobytes())


def convert(folder, target):
    """Writes the ggml file of the model in a folder."""
    named = tensors(read_model(folder / "model.bin"))
    vocabulary, width = named["decoder.token_embedding.weight"].shape
    sound_context, _ = named["encoder.positional_embedding"].shape
    text_context, _ = named["decoder.positional_embedding"].shape
    blocks = [
        len({name.split(".")[2] for name in named if name.startswith(f"{part}.blocks.")})
        for part in ("encoder", "decoder")
    ]
    mel = FeatureExtractor().mel_filters.astype(np.float32)
    known = words(folder, WITHOUT_WORDS[vocabulary == ENGLISH_VOCABULARY])
    heads = width // HEAD_SIZE
    with open(target, "wb") as out:
        out.write(struct.pack("<i", MAGIC))
        out.write(struct.pack("<5i", vocabulary, sound_context, width, heads, blocks[0]))
        out.write(struct.pack("<4i", text_context, width, heads, blocks[1]))
        out.write(struct.pack("<2i", mel.shape[0], 1))  # 1: half precision
        out.write(struct.pack("<2i", *mel.shape))
        out.write(mel.tobytes())
        out.write(struct.pack("<i", len(known)))
        for word in known:
            out.write(struct.pack("<i", len(word)))
            out.write(word)
        for name, values in named.items():
            write_tensor(out, name, values)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
