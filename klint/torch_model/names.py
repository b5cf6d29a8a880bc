"""What a name says of a value, where nothing else is known. A name never beats the data flow."""

from __future__ import annotations

from klint.torch_model.facts import Space

_LAST_WORD = {
    "logits": Space.SCORES,
    "logit": Space.SCORES,
    "probs": Space.PROBABILITIES,
    "probabilities": Space.PROBABILITIES,
    "logprobs": Space.LOG_PROBABILITIES,
}
_LAST_WORDS: dict[tuple[str, ...], Space] = {
    ("log", "probs"): Space.LOG_PROBABILITIES,
    ("log", "probabilities"): Space.LOG_PROBABILITIES,
}


def space_of_name(name: str) -> Space:
    """The space that a variable or attribute claims by its last word: ``student_logits``, ``outputs.logits``, ``log_probs``."""
    words = tuple(name.rpartition(".")[2].lower().strip("_").split("_"))
    if words[-2:] in _LAST_WORDS:
        return _LAST_WORDS[words[-2:]]
    return _LAST_WORD.get(words[-1], Space.UNKNOWN)


_SCALAR_WORDS = frozenset("T temperature temp tau".split())


def is_scalar_name(name: str) -> bool:
    """Whether a value is named like a temperature, which is one number: ``self.T``, ``kd_temperature``."""
    return name.rpartition(".")[2].split("_")[-1] in _SCALAR_WORDS


_CLASS_WORDS = frozenset("class classes nclasses label labels vocab categories outputs".split())


def counts_classes(name: str) -> bool:
    """Whether a factor is named like a number of classes: ``num_classes``, ``self.vocab_size``."""
    return bool(_CLASS_WORDS & set(name.rpartition(".")[2].lower().split("_")))


_LABEL_WORDS = frozenset("label labels target targets".split())


def names_labels(name: str) -> bool:
    """Whether a value is named like what a model is trained towards: ``labels``, ``batch.targets``, ``y_true``."""
    words = name.rpartition(".")[2].lower().strip("_").split("_")
    return words[-1] in _LABEL_WORDS or words[-2:] == ["y", "true"] or words[-2:] == ["ground", "truth"]


_TEACHER_WORDS = frozenset("teacher teachers ema momentum pretrained frozen reference ref old target".split())


def names_teacher(name: str) -> bool:
    """Whether a model is named like one that another is to follow: ``self.teacher``, ``ema_model``, ``target_net``."""
    return not _TEACHER_WORDS.isdisjoint(name.lower().replace(".", "_").split("_"))
