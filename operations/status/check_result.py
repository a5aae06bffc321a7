"""What status says of each part of the pipeline, and of all of it in one line."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

WELL, WRONG, UNKNOWN = 0, 1, 2  # exit statuses


@dataclass(frozen=True, slots=True)
class Sign:
    """What a part says; `wrong` is None where it could not be asked, `cure` is what to do."""

    part: str
    says: str
    wrong: bool | None = False
    cure: str = ""

    def lines(self) -> Iterator[str]:
        """Return the sign in words; one that needs a person stands out, with its cure."""
        mark = {False: " ", True: "!", None: "?"}[self.wrong]
        yield f"{mark} {self.part:16}  {self.says}"
        if self.cure and self.wrong is not False:
            yield f"{'':18}  -> {self.cure}"


def status(signs: Sequence[Sign]) -> int:
    """Return 0 when all is well, 1 when something needs a person, 2 when that could not be told."""
    if any(sign.wrong for sign in signs):
        return WRONG
    return UNKNOWN if any(sign.wrong is None for sign in signs) else WELL


def headline(signs: Sequence[Sign]) -> str:
    """Return all of it in one line."""
    wrong = [sign.part for sign in signs if sign.wrong]
    unknown = [sign.part for sign in signs if sign.wrong is None]
    if not wrong and not unknown:
        return "all is well"
    told = [f"{len(wrong)} to be mended: {', '.join(wrong)}"] if wrong else []
    told += [f"could not tell: {', '.join(unknown)}"] if unknown else []
    return "; ".join(told)


def in_order(signs: Sequence[Sign]) -> list[Sign]:
    """Return the signs with those first that need a person, else in the order of the chain."""
    return sorted(signs, key=lambda sign: {True: 0, None: 1, False: 2}[sign.wrong])


def documents(signs: Sequence[Sign]) -> list[dict[str, object]]:
    """Return the signs for programs."""
    return [asdict(sign) for sign in signs]
