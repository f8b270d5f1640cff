"""From words to the numbers that a network reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.data.split_sizes import MOST_ROWS
from mtlrun.errors import ConfigError, DataError
from mtlrun.options import whole

SPECIAL = 4
"""Numbers of the word vocabulary that are no words: padding, unknown, start and separator."""

FEWEST = 2
"""Training texts have a word so many times, or it is unknown: so the number for unknown is trained as well."""


class Vocabulary(ABC):
    """padding, start, separator: numbers of the special tokens; between: separators between two texts."""

    padding: int
    start: int
    separator: int
    between: int = 1

    @abstractmethod
    def pieces(self, words: Iterable[str]) -> Mapping[str, list[int]]:
        """The numbers of the tokens that each word consists of, one or more."""

    @abstractmethod
    def token(self, number: int) -> str:
        """The token with this number, for pictures."""


class WordVocabulary(Vocabulary):
    """A number per word: 0 padding, 1 unknown, 2 [CLS], 3 [SEP], then words by frequency, then by alphabet.

    Args:
        words: of all training texts, as often as they occur.
        size: numbers at most; the least frequent words are left out. Words that occur once are left out too.
        lower: whether capitals are read as small letters.
    """

    padding, unknown, start, separator = range(SPECIAL)

    def __init__(self, words: Iterable[str], size: int, lower: bool) -> None:
        self.lower = lower
        counts = Counter(word.lower() for word in words) if lower else Counter(words)
        kept = sorted((-count, word) for word, count in counts.items() if count >= FEWEST)
        self.numbers = {word: SPECIAL + index for index, (_, word) in enumerate(kept[: size - SPECIAL])}
        self._tokens: tuple[str, ...] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *self.numbers)

    @classmethod
    def of(cls, known: Sequence[str], lower: bool) -> WordVocabulary:
        """The vocabulary whose words are those, in order of their numbers."""
        made = cls([], SPECIAL, lower)
        made.numbers = {word: SPECIAL + index for index, word in enumerate(known)}
        made._tokens = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *known)
        return made

    def pieces(self, words: Iterable[str]) -> Mapping[str, list[int]]:
        return {word: [self.numbers.get(word.lower() if self.lower else word, self.unknown)] for word in {*words}}

    def token(self, number: int) -> str:
        return self._tokens[number]


class FolderTokenizer(Vocabulary):
    """The sub-words of a fast tokenizer of transformers, from a local folder.

    Words are split by it one by one, as words that follow others: with a space in front where it counts spaces. Rows
    are put together as for BERT, [CLS] first [SEP] second [SEP], or as for RoBERTa, with two [SEP] in the middle.

    Args:
        folder: with tokenizer.json or the files that its class needs.
        size: rows of the network's table; the tokenizer must not have more tokens.

    Raises:
        ConfigError: if transformers is absent, the folder holds no such tokenizer, or it has more than `size` tokens.
    """

    def __init__(self, folder: str, size: int) -> None:
        self.folder, self.size = str(Path(folder).expanduser().absolute()), size
        self._tokenizer = _read(Path(folder).expanduser())
        special = {
            "padding": self._tokenizer.pad_token_id,
            "start": self._tokenizer.cls_token_id,
            "separator": self._tokenizer.sep_token_id,
            "unknown": self._tokenizer.unk_token_id,
        }
        missing = [name for name, number in special.items() if number is None]
        if missing:
            raise ConfigError(
                f"the tokenizer in data.tokenizer={folder} has no token for {missing[0]}: choose BERT's kind"
            )
        self.padding, self.start, self.separator, self._unknown = special.values()
        self.between = max(self._tokenizer.num_special_tokens_to_add(pair=True) - 2, 1)  # less [CLS] and the last [SEP]
        if len(self._tokenizer) > size:
            raise ConfigError(
                f"the tokenizer in data.tokenizer={folder} has {len(self._tokenizer)} tokens, "
                f"and data.vocabulary={size}: set data.vocabulary={len(self._tokenizer)}"
            )

    def pieces(self, words: Iterable[str]) -> Mapping[str, list[int]]:
        known = sorted({*words})
        if not known:
            return {}
        found = self._tokenizer([[word] for word in known], is_split_into_words=True, add_special_tokens=False)
        return {word: numbers or [self._unknown] for word, numbers in zip(known, found["input_ids"])}

    def token(self, number: int) -> str:
        return str(self._tokenizer.convert_ids_to_tokens(number))


def make_vocabulary(words: Iterable[str], size: int, lower: bool, tokenizer: str | None) -> Vocabulary:
    """The tokenizer in the folder `tokenizer`, or a vocabulary of the training texts' words.

    Raises:
        ConfigError: if the options do not go together.
    """
    whole("data.vocabulary", size, SPECIAL + 1, MOST_ROWS)
    if tokenizer is None:
        return WordVocabulary(words, size, lower)
    if lower:
        raise ConfigError("data.lower=true: the tokenizer of data.tokenizer decides itself, set data.lower=false")
    return FolderTokenizer(tokenizer, size)


def _read(folder: Path) -> Any:
    """The fast tokenizer in a folder; nothing is fetched."""
    try:
        from transformers import AutoTokenizer  # here: optional, and it takes seconds to load
    except ImportError as error:
        raise ConfigError("data.tokenizer needs the package transformers: pip install 'mtlrun[text]'") from error
    if not folder.is_dir():
        raise DataError(f"no folder {folder}: data.tokenizer takes one with tokenizer.json, as transformers saves it")
    try:
        options = {"use_fast": True, "local_files_only": True, "add_prefix_space": True}
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **options)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{folder} holds no tokenizer that transformers can read: {reason}") from error
    if not tokenizer.is_fast:
        raise ConfigError(f"the tokenizer in {folder} is not a fast one: save it with its tokenizer.json")
    return tokenizer
