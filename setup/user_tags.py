"""The user's tags: PIPELINE_TAGS, such as `team=data,env=prod`, for everything that takes tags."""

import re

# What every service accepts; AWS reserves keys that begin with `aws:`.
PAIR = r"((?!aws:)[\w .:/+@-]{1,128})=([\w .:/+@-]{0,256})"
MAX_TAGS = 40  # AWS accepts 50 of a resource; it and the pipeline add some of their own.


def parse_tags(text: str) -> dict[str, str]:
    """Return the tags in a text; raise ValueError for one that AWS would reject.

    >>> parse_tags("team=data,env=prod")
    {'team': 'data', 'env': 'prod'}
    >>> parse_tags("")
    {}
    """
    tags: dict[str, str] = {}
    for pair in text.split(",") if text else ():
        match = re.fullmatch(PAIR, pair.strip(), re.ASCII | re.IGNORECASE)
        if match is None or match[1] == "pipeline" or match[1] in tags or len(tags) == MAX_TAGS:
            raise ValueError(
                f"expected up to {MAX_TAGS} different tags such as team=data,env=prod, of letters, "
                f"digits and _ . : / + @ -, none of them 'pipeline' or 'aws:…', found {pair!r}"
            )
        tags[match[1]] = match[2]
    return tags
