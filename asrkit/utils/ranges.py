"""Numbers of a configuration, checked where their fields stand."""

import operator


def check_range(
    config: object,
    group: str,
    *names: str,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> None:
    """Check that fields of a configuration are in a range; None always is.

    Args:
        config: Whose fields.
        group: What stands before their names on the command line; "": nothing.
        names: Fields: numbers, or lists of numbers.
        least: The smallest right value.
        above: All right values are larger.
        most: The largest right value.
        below: All right values are smaller.

    Raises:
        ValueError: One is outside, or no number (nan).
    """
    limits = [
        (limit, holds, words)
        for limit, holds, words in (
            (least, operator.ge, "at least"),
            (above, operator.gt, "above"),
            (most, operator.le, "at most"),
            (below, operator.lt, "below"),
        )
        if limit is not None
    ]
    for name in names:
        value = getattr(config, name)
        for one in value if isinstance(value, list) else [value]:
            if one is None or all(holds(one, limit) for limit, holds, _ in limits):
                continue
            key = f"{group}.{name}" if group else name
            allowed = " and ".join(f"{words} {limit:g}" for limit, _, words in limits)
            raise ValueError(f"{key} must be {allowed}, got {one:g}")
