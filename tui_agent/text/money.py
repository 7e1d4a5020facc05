"""An amount of money for people."""


def money(amount: float, currency: str, *, estimated: bool = False) -> str:
    """`$1.27`, `~$0.0042`, `EUR 3.00`: two decimals, and below a cent two digits that say something.

    `estimated` marks an amount that rests on our own counts.
    """
    decimals = 2
    while decimals < 8 and 0 < amount < 10 ** (1 - decimals) / 10:
        decimals += 2
    space = " " if currency[-1:].isalnum() else ""
    return f"{'~' if estimated else ''}{currency}{space}{amount:,.{decimals}f}"
